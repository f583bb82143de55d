//! Parcels told to the shop, their tracking, and taking them back.

use std::collections::BTreeMap;

use sdk::{
    Effect, Error, ErrorKind, FulfillmentRequest, LineQuantity, Priority, Pushed, RemoteFulfillment,
    RemoteId, Result, TrackingSet, TrackingUpdate, carriers,
};
use serde_json::json;

use crate::{
    admin::{Admin, Ask},
    cancellations::{GivenUp, is_open, tail},
    error, picture, whole,
    wire::{
        CancelData, CreateData, FulfillmentInput, FulfillmentOrderLineInput, FulfillmentOrderLinesInput,
        Order, TrackingInput, TrackingUpdateData,
        documents::{FULFILLMENT_CANCEL, FULFILLMENT_CREATE, TRACKING_UPDATE},
    },
};

/// Most lines of one call
/// (<https://shopify.dev/docs/api/admin-graphql/2026-10/input-objects/FulfillmentOrderLineItemsInput>).
const MOST_LINES: usize = 512;

/// The order's global id.
pub(crate) fn order_gid(operation: &'static str, id: &RemoteId) -> Result<String> {
    gid(operation, "Order", id)
}

fn gid(operation: &'static str, kind: &str, id: &RemoteId) -> Result<String> {
    if id.as_str().is_empty() || !id.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        let what = format!("{:?} is not an id of this shop", id.as_str());
        return Err(Error::new(ErrorKind::Rejected, operation, what));
    }
    Ok(format!("gid://shopify/{kind}/{id}"))
}

/// What one call will fulfil, and what is left for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Allocation {
    groups: Vec<FulfillmentOrderLinesInput>,
    made: Vec<LineQuantity>,
    left: Vec<LineQuantity>,
}

impl Allocation {
    fn take(&mut self, fo: &str, line: FulfillmentOrderLineInput) {
        match self.groups.iter_mut().find(|group| group.fulfillment_order_id == fo) {
            Some(group) => group.fulfillment_order_line_items.push(line),
            None => self.groups.push(FulfillmentOrderLinesInput {
                fulfillment_order_id: fo.to_owned(),
                fulfillment_order_line_items: vec![line],
            }),
        }
    }
}

/// Makes one fulfillment of what one location can give.
pub(crate) async fn push(admin: &Admin, request: &FulfillmentRequest) -> Result<Pushed> {
    let ask = Ask::write(FULFILLMENT_CREATE, Effect::Unsafe);
    let order = order_gid(ask.name(), &request.order)?;
    let mut refusal = None;
    let mut before = None;
    // Fulfillment orders go stale between the look and the write; a refusal applied nothing, so look once more.
    for _ in 0..2 {
        let whole = whole::read(admin, &order, Priority::Deliver).await?;
        let wire = whole.wire().map_err(|why| Error::new(ErrorKind::Malformed, ask.name(), why))?;
        let allocation = allocate(&wire, &request.lines)?;
        if before.as_ref() == Some(&allocation) {
            break;
        }
        match create(admin, ask, request, &allocation).await {
            Ok(fulfillment) => return Ok(Pushed { fulfillment, left: allocation.left }),
            Err(error) if error.kind == ErrorKind::Rejected => refusal = Some(error),
            Err(error) => return Err(error),
        }
        before = Some(allocation);
    }
    Err(refusal
        .unwrap_or_else(|| Error::new(ErrorKind::Rejected, ask.name(), "the shop refuses the fulfillment")))
}

async fn create(
    admin: &Admin,
    ask: Ask,
    request: &FulfillmentRequest,
    allocation: &Allocation,
) -> Result<RemoteFulfillment> {
    let input = FulfillmentInput {
        line_items_by_fulfillment_order: allocation.groups.clone(),
        notify_customer: request.notify,
        tracking_info: tracking_input(&request.tracking),
    };
    let response = admin.send(ask, &json!({ "fulfillment": input })).await?;
    let payload = admin.payload(ask, response.body(), |data: CreateData<'_>| data.fulfillment_create)?;
    error::refused(ask.name(), &payload.user_errors)?;
    let unknown = |why: String| Error::new(ErrorKind::Indeterminate, ask.name(), why);
    let fulfillment = payload
        .fulfillment
        .ok_or_else(|| unknown("the shop refuses nothing and shows no fulfillment".to_owned()))?;
    let mut fulfillment = picture::fulfillment(&fulfillment).map_err(unknown)?;
    // The quantities were explicit, so these are its lines; the answer would list them by pages.
    fulfillment.lines.clone_from(&allocation.made);
    Ok(fulfillment)
}

/// Chooses fulfillment order lines for the asked lines: one location a call, all of them or none.
fn allocate(order: &Order<'_>, asked: &[LineQuantity]) -> Result<Allocation> {
    let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
    for line in asked.iter().filter(|line| line.quantity > 0) {
        let sum = wanted.entry(line.line.as_str()).or_default();
        *sum = sum.saturating_add(line.quantity);
    }
    if wanted.is_empty() {
        return Err(Error::new(ErrorKind::Rejected, FULFILLMENT_CREATE.name, "the parcel has no lines"));
    }
    check_quantities(order, &wanted)?;
    // A call takes fulfillment orders of one location: the one that can give the most, the earliest of equals. Units that
    // were given up after an accepted cancellation come last: who ships them all the same says so, and the shop takes it.
    let given_up = GivenUp::of(order);
    let mut places: Vec<(&str, [u64; 2])> = Vec::new();
    for fo in shippable(order) {
        let place = place(fo);
        let mut gives = [0; 2];
        for line in &fo.line_items.nodes {
            let wanted = wanted.get(tail(&line.line_item.id)).copied().unwrap_or(0);
            let units = u64::try_from(line.remaining_quantity).unwrap_or(0).min(u64::from(wanted));
            gives[usize::from(given_up.holds(fo, &line.line_item.id))] += units;
        }
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, sum)) => *sum = [sum[0] + gives[0], sum[1] + gives[1]],
            None => places.push((place, gives)),
        }
    }
    let best = places.iter().rev().max_by_key(|(_, gives)| *gives).map(|(place, _)| *place);
    let mut allocation = Allocation::default();
    let mut made: BTreeMap<&str, u32> = BTreeMap::new();
    let mut rows = 0;
    let there = || shippable(order).filter(|fo| Some(place(fo)) == best);
    for (last, fo) in there().map(|fo| (false, fo)).chain(there().map(|fo| (true, fo))) {
        for line in fo.line_items.nodes.iter().filter(|it| given_up.holds(fo, &it.line_item.id) == last) {
            let id = tail(&line.line_item.id);
            let Some(open) = wanted.get_mut(id).filter(|open| **open > 0) else { continue };
            let quantity = u32::try_from(line.remaining_quantity).unwrap_or(0).min(*open);
            if quantity == 0 || rows == MOST_LINES {
                continue;
            }
            rows += 1;
            *open -= quantity;
            *made.entry(id).or_default() += quantity;
            allocation.take(&fo.id, FulfillmentOrderLineInput { id: line.id.to_string(), quantity });
        }
    }
    let lines = |units: BTreeMap<&str, u32>| {
        let units = units.into_iter().filter(|(_, quantity)| *quantity > 0);
        units.map(|(line, quantity)| LineQuantity { line: RemoteId::from(line), quantity }).collect()
    };
    allocation.made = lines(made);
    allocation.left = lines(wanted);
    Ok(allocation)
}

/// Refuses before anything is written when not all of the parcel can be told.
fn check_quantities(order: &Order<'_>, wanted: &BTreeMap<&str, u32>) -> Result<()> {
    for (line, wanted) in wanted {
        let mut open = 0;
        let mut barred = 0;
        let mut why = "";
        for fo in order.fulfillment_orders.nodes.iter().filter(|fo| is_open(&fo.status)) {
            for item in fo.line_items.nodes.iter().filter(|item| tail(&item.line_item.id) == *line) {
                let remaining = u64::try_from(item.remaining_quantity).unwrap_or(0);
                if takes_fulfillments(fo) {
                    open += remaining;
                } else if remaining > 0 {
                    barred += remaining;
                    why = &*fo.status;
                }
            }
        }
        if open < u64::from(*wanted) {
            let mut what =
                format!("line {line}: {wanted} in the parcel, {open} can be fulfilled on the shop");
            if barred > 0 {
                what.push_str(&format!(
                    " ({barred} more are in a fulfillment order that is {why} or not for shipping)"
                ));
            }
            return Err(Error::new(ErrorKind::Rejected, FULFILLMENT_CREATE.name, what));
        }
    }
    Ok(())
}

fn shippable<'a, 'b>(order: &'b Order<'a>) -> impl Iterator<Item = &'b crate::wire::FulfillmentOrder<'a>> {
    order.fulfillment_orders.nodes.iter().filter(|fo| takes_fulfillments(fo))
}

/// Whether a fulfillment of it is accepted now: `OPEN`, partly fulfilled, or given back by a service. (A hold or a
/// schedule is the merchant's to lift.)
pub(crate) fn takes_fulfillments(fo: &crate::wire::FulfillmentOrder<'_>) -> bool {
    matches!(&*fo.status, "OPEN" | "IN_PROGRESS" | "INCOMPLETE")
        && fo.delivery_method.as_ref().is_none_or(|method| &*method.method_type == "SHIPPING")
}

/// The location, or the fulfillment order itself where the shop does not tell: such a one goes alone.
fn place<'a>(fo: &'a crate::wire::FulfillmentOrder<'_>) -> &'a str {
    fo.assigned_location
        .as_ref()
        .and_then(|place| place.location.as_ref())
        .map_or(&*fo.id, |location| &*location.id)
}

/// Tracking in Shopify's spelling; `None` where there is nothing to tell.
fn tracking_input(tracking: &TrackingSet) -> Option<TrackingInput> {
    let company = match carriers::lookup(&tracking.carrier) {
        Some(carrier) => carrier.shopify.map_or_else(|| carrier.name.to_owned(), str::to_owned),
        None => tracking.carrier.clone(),
    };
    let company = Some(company).filter(|company| !company.trim().is_empty());
    if tracking.others.is_empty() {
        if tracking.number.is_none() && tracking.url.is_none() {
            return None;
        }
        return Some(TrackingInput {
            company,
            number: tracking.number.clone(),
            url: tracking.url.clone(),
            ..TrackingInput::default()
        });
    }
    let own = tracking.number.iter().map(|number| (number.clone(), tracking.url.clone()));
    let others = tracking.others.iter().map(|other| (other.number.clone(), other.url.clone()));
    let (numbers, urls): (Vec<_>, Vec<_>) = own.chain(others).unzip();
    // Links are matched to numbers by their place: all of them or none.
    let urls = urls.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default();
    Some(TrackingInput { company, numbers, urls, ..TrackingInput::default() })
}

/// All fulfillments of an order.
pub(crate) async fn find(admin: &Admin, order: &RemoteId) -> Result<Vec<RemoteFulfillment>> {
    const OPERATION: &str = "find";
    let gid = order_gid(OPERATION, order)?;
    let whole = whole::read(admin, &gid, Priority::Deliver).await?;
    let unreadable = |why| Error::new(ErrorKind::Malformed, OPERATION, why);
    let wire = whole.wire().map_err(unreadable)?;
    wire.fulfillments.iter().map(picture::fulfillment).collect::<Result<_, _>>().map_err(unreadable)
}

/// Sets the tracking of a fulfillment. With a mail to the customer it is not sent twice in process.
pub(crate) async fn update_tracking(admin: &Admin, update: &TrackingUpdate) -> Result<()> {
    let effect = if update.notify { Effect::Unsafe } else { Effect::Idempotent };
    // Recorded: this mutation alone costs 51 points.
    let ask = Ask { cost: 51.0, ..Ask::write(TRACKING_UPDATE, effect) };
    let variables = json!({
        "fulfillmentId": gid(ask.name(), "Fulfillment", &update.fulfillment)?,
        "trackingInfoInput": tracking_input(&update.tracking).unwrap_or_default(),
        "notifyCustomer": update.notify,
    });
    let pick = |data: TrackingUpdateData| data.fulfillment_tracking_info_update;
    error::refused(ask.name(), &admin.write(ask, &variables, pick).await?.user_errors)
}

/// Takes a fulfillment back. One that is taken back already answers the same [recorded].
pub(crate) async fn void(admin: &Admin, fulfillment: &RemoteId) -> Result<()> {
    let ask = Ask::write(FULFILLMENT_CANCEL, Effect::Idempotent);
    let variables = json!({ "id": gid(ask.name(), "Fulfillment", fulfillment)? });
    let pick = |data: CancelData| data.fulfillment_cancel;
    error::refused(ask.name(), &admin.write(ask, &variables, pick).await?.user_errors)
}
