//! The merchants' shops, the models of the remotes, as people act on them: the same deeds on each kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bigcommerce::fake::FakeStore;
use sdk::{Clock, LineQuantity, RemoteId, testkit::memory_files::MemoryFiles};
use shopify::fake::FakeShop;

use crate::clock::Wall;

/// What a customer's address, name and mail hold, whatever the order: none of it may be in a log.
pub(crate) const SENTINELS: [&str; 3] = ["Sentinel Street", "Zebedee Quill", "zebedee@quill.example"];

/// Merchant SKU → what one unit is made of. The rules of every merchant's file, written out once more.
pub(crate) fn parts(sku: &str) -> Vec<(String, u32)> {
    match sku {
        "KIT-A" => vec![("ACME-1".to_owned(), 2), ("ACME-2".to_owned(), 1)],
        "ALIAS-3" => vec![("ACME-3".to_owned(), 1)],
        sku if sku.starts_with("ACME-") => vec![(sku.to_owned(), 1)],
        _ => Vec::new(),
    }
}

/// Whether the supplier fulfils it.
pub(crate) fn is_ours(sku: &str) -> bool {
    !parts(sku).is_empty()
}

/// The model behind a shop.
#[derive(Clone)]
pub(crate) enum Remote {
    Shopify(Arc<FakeShop>),
    BigCommerce(Arc<FakeStore>),
    Folder(Arc<MemoryFiles>),
}

/// A line as it was bought.
#[derive(Clone, Debug)]
pub(crate) struct Bought {
    pub(crate) line: String,
    pub(crate) sku: String,
}

/// An order as it was placed, and what people did with it since.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: RemoteId,
    pub(crate) lines: Vec<Bought>,
    pub(crate) paid: bool,
    pub(crate) held: bool,
    pub(crate) cancelled: bool,
}

/// Units of each line.
pub(crate) type Units = BTreeMap<String, i64>;

/// A parcel that a shop shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) id: String,
    pub(crate) tracking: String,
    /// All numbers that it names, of other parcels of the same units too.
    pub(crate) numbers: String,
    pub(crate) lines: Units,
    /// Location or order address.
    pub(crate) place: String,
}

/// A merchant's shop.
pub(crate) struct Shop {
    pub(crate) merchant: String,
    pub(crate) remote: Remote,
    pub(crate) wall: Arc<Wall>,
    pub(crate) token: Mutex<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    placed: Vec<Placed>,
    /// Parcels that the merchant made.
    own: BTreeSet<String>,
}

impl Shop {
    pub(crate) fn new(merchant: &str, remote: Remote, wall: Arc<Wall>, token: &str) -> Self {
        let token = Mutex::new(token.to_owned());
        Self { merchant: merchant.to_owned(), remote, wall, token, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from("/shops").join(&self.merchant)
    }

    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.remote, Remote::Folder(_))
    }

    /// The host that its requests go to.
    pub(crate) fn host(&self) -> String {
        format!("{}.sim", self.merchant)
    }

    /// All orders so far.
    pub(crate) fn placed(&self) -> Vec<Placed> {
        self.state().placed.clone()
    }

    pub(crate) fn change(&self, order: &RemoteId, change: impl FnOnce(&mut Placed)) {
        if let Some(placed) = self.state().placed.iter_mut().find(|placed| placed.id == *order) {
            change(placed);
        }
    }

    /// The record's id.
    pub(crate) fn record(&self, order: &RemoteId) -> String {
        format!("{}.shop.{order}", self.merchant)
    }

    /// A customer buys these: (SKU, units). `number` names the order where the shop does not.
    pub(crate) fn place(&self, lines: &[(String, u32)], paid: bool, number: usize) -> RemoteId {
        let street = format!("{number} {}", SENTINELS[0]);
        let bought = |ids: Vec<String>| -> Vec<Bought> {
            let lines = ids.into_iter().zip(lines);
            lines.map(|(line, (sku, _))| Bought { line, sku: sku.clone() }).collect()
        };
        let (id, lines) = match &self.remote {
            Remote::Shopify(shop) => {
                use shopify::fake::{FakeAddress, NewLine, NewOrder};
                let new = lines.iter().map(|(sku, units)| NewLine::new(sku, *units)).collect();
                let address =
                    FakeAddress { name: SENTINELS[1].to_owned(), address1: street, ..FakeAddress::sample() };
                let mut order = NewOrder::new(new).address(Some(address)).note(SENTINELS[2]);
                if !paid {
                    order = order.unpaid();
                }
                let id = shop.place(order);
                let ids = shop.order(&id).map(|order| order.lines).unwrap_or_default();
                (id, bought(ids.into_iter().map(|line| line.id.to_string()).collect()))
            }
            Remote::BigCommerce(store) => {
                use bigcommerce::fake::{FakeAddress, NewLine, NewOrder};
                let new = lines.iter().map(|(sku, units)| NewLine::new(sku, *units)).collect();
                let address = FakeAddress {
                    first_name: "Zebedee".to_owned(),
                    last_name: "Quill".to_owned(),
                    street_1: street,
                    ..FakeAddress::sample()
                };
                let mut order = NewOrder::new(new).addresses(vec![address]).note(SENTINELS[2]);
                if !paid {
                    order = order.unpaid();
                }
                let id = store.place(order);
                let ids = store.order(&id).map(|order| order.lines).unwrap_or_default();
                (id, bought(ids.into_iter().map(|line| line.id.to_string()).collect()))
            }
            Remote::Folder(files) => {
                let id = RemoteId(format!("{number}"));
                let ids: Vec<String> = (1..=lines.len()).map(|at| at.to_string()).collect();
                files.set_now(self.wall.now());
                files.put(
                    self.folder().join(format!("inbox/{number:05}.csv")),
                    self.csv(number, lines, paid, &street),
                );
                (id, bought(ids))
            }
        };
        let placed = Placed { id: id.clone(), lines, paid, held: false, cancelled: false };
        self.state().placed.push(placed);
        id
    }

    fn csv(&self, number: usize, lines: &[(String, u32)], paid: bool, street: &str) -> String {
        let at = self.wall.now().format("%Y-%m-%dT%H:%M:%SZ");
        let payment = if paid { "paid" } else { "unpaid" };
        let mut text =
            "order_number,placed_at,payment,sku,quantity,line_id,ship_name,ship_address1,ship_city,\
                        ship_zip,ship_country,customer_note\n"
                .to_owned();
        for (index, (sku, units)) in lines.iter().enumerate() {
            let _ = writeln!(
                text,
                "{number},{at},{payment},{sku},{units},{},{},{street},Portland,04101,US,{}",
                index + 1,
                SENTINELS[1],
                SENTINELS[2]
            );
        }
        text
    }

    /// The customer pays.
    pub(crate) fn pay(&self, order: &RemoteId) {
        match &self.remote {
            Remote::Shopify(shop) => shop.set_financial(order, "PAID"),
            Remote::BigCommerce(store) => store.set_status(order, 11),
            Remote::Folder(_) => return,
        }
        self.change(order, |placed| placed.paid = true);
    }

    /// Cancels the order.
    pub(crate) fn cancel(&self, order: &RemoteId) {
        match &self.remote {
            Remote::Shopify(shop) => {
                shop.cancel_order(order, "CUSTOMER");
            }
            Remote::BigCommerce(store) => store.cancel_order(order),
            Remote::Folder(_) => return,
        }
        self.change(order, |placed| placed.cancelled = true);
    }

    pub(crate) fn hold(&self, order: &RemoteId) {
        match &self.remote {
            Remote::Shopify(shop) => shop.hold(order, "HIGH_RISK_OF_FRAUD"),
            Remote::BigCommerce(store) => store.hold(order),
            Remote::Folder(_) => return,
        }
        self.change(order, |placed| placed.held = true);
    }

    pub(crate) fn release(&self, order: &RemoteId) {
        match &self.remote {
            Remote::Shopify(shop) => shop.release(order),
            Remote::BigCommerce(store) => store.release(order),
            Remote::Folder(_) => return,
        }
        self.change(order, |placed| placed.held = false);
    }

    /// A change that means nothing.
    pub(crate) fn touch(&self, order: &RemoteId) {
        match &self.remote {
            Remote::Shopify(shop) => shop.touch(order),
            Remote::BigCommerce(store) => store.touch(order),
            Remote::Folder(_) => {}
        }
    }

    /// Another street.
    pub(crate) fn move_house(&self, order: &RemoteId, number: usize) {
        let street = format!("{number} {}", SENTINELS[0]);
        match &self.remote {
            Remote::Shopify(shop) => {
                use shopify::fake::FakeAddress;
                let name = SENTINELS[1].to_owned();
                shop.set_address(order, FakeAddress { name, address1: street, ..FakeAddress::sample() });
            }
            Remote::BigCommerce(store) => {
                use bigcommerce::fake::FakeAddress;
                store.set_address(order, FakeAddress { street_1: street, ..FakeAddress::sample() });
            }
            Remote::Folder(_) => {}
        }
    }

    /// Units of a line that the shop still shows as wanted and not fulfilled.
    pub(crate) fn open(&self, order: &RemoteId) -> Units {
        match &self.remote {
            Remote::Shopify(shop) => {
                let mut open = Units::new();
                for fo in shop.order(order).map(|order| order.fulfillment_orders).unwrap_or_default() {
                    if fo.status != "CLOSED" && fo.status != "CANCELLED" {
                        for line in fo.lines {
                            *open.entry(line.line.to_string()).or_default() += line.remaining;
                        }
                    }
                }
                open
            }
            Remote::BigCommerce(store) => {
                let Some(order) = store.order(order) else { return Units::new() };
                let dead = matches!(order.status, 4..=6);
                let lines = order.lines.iter().map(|line| {
                    let left = i64::from(line.quantity) - i64::from(line.shipped) - i64::from(line.refunded);
                    (line.id.to_string(), if dead { 0 } else { left.max(0) })
                });
                lines.collect()
            }
            Remote::Folder(_) => Units::new(),
        }
    }

    /// Edits a line to so many units.
    pub(crate) fn edit(&self, order: &RemoteId, line: &str, units: u32) {
        let Ok(line) = line.parse() else { return };
        match &self.remote {
            Remote::Shopify(shop) => shop.edit_quantity(order, line, units),
            Remote::BigCommerce(store) => store.edit_quantity(order, line, units),
            Remote::Folder(_) => {}
        }
    }

    /// Money for units that were not fulfilled goes back, and they are no longer to be.
    pub(crate) fn refund(&self, order: &RemoteId, line: &str, units: u32) {
        let Ok(line) = line.parse() else { return };
        match &self.remote {
            Remote::Shopify(shop) => shop.refund(order, line, units, shopify::fake::Restock::Cancel),
            Remote::BigCommerce(store) => store.refund(order, line, units),
            Remote::Folder(_) => {}
        }
    }

    /// The merchant sends units of a line itself. Answers whether the shop took it.
    pub(crate) fn fulfil(&self, order: &RemoteId, line: &str, units: u32) -> bool {
        let made = match &self.remote {
            Remote::Shopify(shop) => {
                let lines = [LineQuantity { line: RemoteId(line.to_owned()), quantity: units }];
                shop.fulfil(order, &lines).ok()
            }
            Remote::BigCommerce(store) => {
                let Ok(line) = line.parse() else { return false };
                store.ship_elsewhere(order, line, units, "ELSEWHERE")
            }
            Remote::Folder(_) => None,
        };
        let Some(made) = made else { return false };
        self.state().own.insert(made.to_string());
        true
    }

    /// The parcels that stand there, the merchant's own left out.
    pub(crate) fn parcels(&self, order: &RemoteId) -> Vec<Parcel> {
        let all: Vec<Parcel> = match &self.remote {
            Remote::Shopify(shop) => {
                let made =
                    shop.fulfillments(order).into_iter().filter(shopify::fake::FakeFulfillment::active);
                made.map(|made| Parcel {
                    id: made.id.to_string(),
                    tracking: made.numbers.first().cloned().unwrap_or_default(),
                    numbers: made.numbers.join(" "),
                    lines: made.lines.iter().map(|(line, units)| (line.to_string(), *units)).collect(),
                    place: made.location.to_string(),
                })
                .collect()
            }
            Remote::BigCommerce(store) => {
                let made = store.shipments(order).into_iter();
                made.map(|made| Parcel {
                    id: made.id.to_string(),
                    numbers: format!("{} {}", made.number, made.comments),
                    tracking: made.number,
                    lines: made
                        .lines
                        .iter()
                        .map(|(line, units)| (line.to_string(), i64::from(*units)))
                        .collect(),
                    place: made.address.to_string(),
                })
                .collect()
            }
            Remote::Folder(files) => self
                .written(files)
                .into_iter()
                .filter(|(of, _)| of == order.as_str())
                .map(|(_, it)| it)
                .collect(),
        };
        let own = self.state().own.clone();
        all.into_iter().filter(|parcel| !own.contains(&parcel.id)).collect()
    }

    /// The parcels that the outbox's files tell, by order, as the merchant's own system would read them: a key that was
    /// seen is done.
    fn written(&self, files: &MemoryFiles) -> Vec<(String, Parcel)> {
        let mut parcels: Vec<(String, Parcel)> = Vec::new();
        let outbox = self.folder().join("outbox");
        let mut tracked: Vec<(String, String, String)> = Vec::new();
        let mut taken_back: Vec<String> = Vec::new();
        for name in files.names(&outbox) {
            let named = std::path::Path::new(&name).extension().is_some_and(|it| it == "csv");
            if name.starts_with('.') || name == "stock.csv" || !named {
                continue;
            }
            let text = files.text(outbox.join(&name));
            let mut rows = text.lines();
            let header: Vec<&str> = rows.next().unwrap_or_default().split(',').collect();
            for row in rows {
                let cells: Vec<&str> = row.split(',').collect();
                let cell = |name: &str| {
                    let at = header.iter().position(|column| *column == name);
                    at.and_then(|at| cells.get(at)).copied().unwrap_or_default().to_owned()
                };
                match cell("action").as_str() {
                    "ship" => {
                        let (id, order) = (cell("fulfillment"), cell("order_number"));
                        let units = cell("quantity").parse().unwrap_or(0);
                        let at = parcels.iter().position(|(_, known)| known.id == id).unwrap_or_else(|| {
                            let tracking = cell("tracking");
                            let numbers = format!("{tracking} {}", cell("other_tracking"));
                            let (lines, place) = (Units::new(), String::new());
                            let parcel = Parcel { id, tracking, numbers, lines, place };
                            parcels.push((order, parcel));
                            parcels.len() - 1
                        });
                        *parcels[at].1.lines.entry(cell("line_id")).or_default() += units;
                    }
                    "update" => {
                        tracked.push((cell("fulfillment"), cell("tracking"), cell("other_tracking")));
                    }
                    "void" => taken_back.push(cell("fulfillment")),
                    _ => {}
                }
            }
        }
        parcels.retain(|(_, parcel)| !taken_back.contains(&parcel.id));
        for (id, tracking, others) in tracked {
            for (_, parcel) in parcels.iter_mut().filter(|(_, parcel)| parcel.id == id) {
                parcel.tracking.clone_from(&tracking);
                parcel.numbers.push_str(&format!(" {tracking} {others}"));
            }
        }
        parcels
    }
}
