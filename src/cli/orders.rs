//! `portald orders …`.

mod show;

use clap::{Args, Subcommand};
use sdk::Money;
use serde::Serialize;
use serde_json::{Value, json};

use self::show::{list, show, why};
use super::{
    Failure,
    client::{Answer, Client, part, query},
    output,
};
use crate::{
    api::document::{AccountOrder, Order},
    plan::{
        cancellation::By,
        command::{AddedLine, LineAmount, Parcel, TrackingChange},
    },
    record::{GateName, Status},
};

/// Verbs on the supplier's orders.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Orders, without test orders.
    List {
        /// Only this merchant's.
        #[arg(long)]
        merchant: Option<String>,
        /// Only this channel's (with --merchant).
        #[arg(long)]
        channel: Option<String>,
        /// Only with this status: held, open, in_work, partly_shipped, shipped, cancelled.
        #[arg(long, value_parser = status)]
        status: Option<Status>,
        /// Text in number, ids, SKUs, tracking or name.
        #[arg(long, short)]
        q: Option<String>,
        /// Only test orders.
        #[arg(long)]
        test: bool,
        /// At most so many (1 to 250).
        #[arg(long)]
        limit: Option<usize>,
        /// Go on after this cursor.
        #[arg(long)]
        after: Option<String>,
    },
    /// One order.
    Show {
        /// Its id.
        id: String,
    },
    /// Every decision about an order, line by line.
    Why {
        /// Its id.
        id: String,
    },
    /// Take it into work (hand-off). Its channel is asked for it once more.
    Ack {
        /// Its id.
        id: String,
        /// In spite of what the channel says: a hold, a change seen just now, a cancellation that waits.
        #[arg(long)]
        force: bool,
    },
    /// Cancel open units by a person's word. Nothing of it is written to the channel.
    Cancel {
        /// Its id.
        id: String,
        /// Whose word it is: `merchant` (told by phone or mail), `supplier` (cannot fulfil).
        #[arg(long, value_parser = by)]
        by: By,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
        /// Which: l1=2, once a line. Without: all that is open.
        #[arg(long = "line", value_name = "LINE=UNITS", value_parser = line_amount)]
        lines: Vec<LineAmount>,
    },
    /// Agree to the cancellation that the channel asks for.
    AcceptCancel {
        /// Its id.
        id: String,
        /// Which: l1=2, once a line. Without: all that is asked for.
        #[arg(long = "line", value_name = "LINE=UNITS", value_parser = line_amount)]
        lines: Vec<LineAmount>,
    },
    /// Refuse the cancellation that the channel asks for: the units stay open.
    RejectCancel {
        /// Its id.
        id: String,
        /// Why, for people; told to the merchant where the channel asks for an answer.
        #[arg(long)]
        reason: String,
        /// Which: l1=2, once a line. Without: all that is asked for.
        #[arg(long = "line", value_name = "LINE=UNITS", value_parser = line_amount)]
        lines: Vec<LineAmount>,
    },
    /// Follow an address that changed after the hand-off, or not.
    ConfirmAddress {
        /// Its id.
        id: String,
        /// The parcel goes to the old one all the same.
        #[arg(long)]
        keep_old: bool,
    },
    /// Record a parcel.
    Ship(Ship),
    /// Correct a parcel's tracking.
    Track {
        /// The order's id.
        id: String,
        /// The parcel: p1.
        shipment: String,
        /// New carrier.
        #[arg(long)]
        carrier: Option<String>,
        /// New service.
        #[arg(long)]
        service: Option<String>,
        /// New number.
        #[arg(long)]
        tracking: Option<String>,
        /// New link.
        #[arg(long)]
        url: Option<String>,
    },
    /// Take a parcel back.
    Void {
        /// The order's id.
        id: String,
        /// The parcel: p1.
        shipment: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
    },
    /// Move units to a new order.
    Split {
        /// Its id.
        id: String,
        /// What goes to the new order: l1=2, once a line.
        #[arg(long = "line", value_name = "LINE=UNITS", required = true, value_parser = line_amount)]
        lines: Vec<LineAmount>,
    },
    /// Ship several orders together; the first leads.
    Merge {
        /// Their ids.
        #[arg(required = true, num_args = 2..)]
        ids: Vec<String>,
    },
    /// Leave the ship-together group (on the lead: dissolve it).
    Unmerge {
        /// Its id.
        id: String,
    },
    /// Keep it from being worked on.
    Hold {
        /// Its id.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
    },
    /// Lift the supplier's own hold.
    Release {
        /// Its id.
        id: String,
        /// Override this gate too, for good: payment, settle, … (as `orders why` names it).
        #[arg(long = "override", value_name = "GATE", value_parser = gate)]
        overrides: Vec<GateName>,
    },
    /// Change the supplier's own numbers; never flows to the merchant.
    Edit {
        /// Its id.
        id: String,
        /// A line's new number: l1=2.
        #[arg(long = "line", value_name = "LINE=UNITS", value_parser = line_amount)]
        lines: Vec<LineAmount>,
        /// A line of the supplier's own: SKU=2.
        #[arg(long = "add", value_name = "SKU=UNITS", value_parser = added_line)]
        add: Vec<AddedLine>,
    },
    /// Decide anew the lines that are the merchant's or excluded so far.
    Reimport {
        /// Its id.
        id: String,
    },
}

/// A parcel. Several parcels are several calls.
#[derive(Debug, Args)]
pub struct Ship {
    /// The order's id.
    id: String,
    /// Carrier: UPS, FedEx, …
    #[arg(long)]
    carrier: Option<String>,
    /// Tracking number.
    #[arg(long)]
    tracking: Option<String>,
    /// Carrier's service.
    #[arg(long)]
    service: Option<String>,
    /// Tracking link, where it is not the carrier's usual one.
    #[arg(long)]
    url: Option<String>,
    /// When it left: an instant, or a date (noon of the supplier's zone). Now, without.
    #[arg(long)]
    shipped_at: Option<String>,
    /// Where from.
    #[arg(long)]
    warehouse: Option<String>,
    /// What the label cost: 12.50USD.
    #[arg(long, value_parser = money)]
    label_cost: Option<Money>,
    /// Cancelled units are in it all the same.
    #[arg(long)]
    after_cancel: bool,
    /// What is in it: l1=2, once a line. Without: all that is open.
    #[arg(long = "line", value_name = "LINE=UNITS", value_parser = line_amount)]
    lines: Vec<LineAmount>,
}

/// Does one.
pub async fn run(client: &Client, verb: Verb) -> Result<(), Failure> {
    let at = |id: &str, verb: &str| format!("/v1/orders/{}/{verb}", part(id));
    match verb {
        Verb::List { merchant, channel, status, q, test, limit, after } => {
            let filter = query(&[
                ("merchant", merchant),
                ("channel", channel),
                ("status", status.map(|status| status.as_str().to_owned())),
                ("q", q),
                ("test", test.then(|| "true".to_owned())),
                ("limit", limit.map(|limit| limit.to_string())),
                ("after", after),
            ]);
            list(client, &filter).await
        }
        Verb::Show { id } => {
            let Answer { document, text, now } =
                client.get::<Order>(&format!("/v1/orders/{}", part(&id))).await?;
            if client.json { Ok(output::say(&text)?) } else { show(&document, now) }
        }
        Verb::Why { id } => why(client, &at(&id, "why")).await,
        Verb::Ack { id, force } => command(client, &at(&id, "ack"), &json!({ "force": force }), None).await,
        Verb::Cancel { id, by, reason, lines } => {
            let body = json!({ "by": by, "reason": reason, "lines": lines });
            command(client, &at(&id, "cancel"), &body, None).await
        }
        Verb::AcceptCancel { id, lines } => {
            command(client, &at(&id, "accept-cancel"), &json!({ "lines": lines }), None).await
        }
        Verb::RejectCancel { id, reason, lines } => {
            let body = json!({ "reason": reason, "lines": lines });
            command(client, &at(&id, "reject-cancel"), &body, None).await
        }
        Verb::ConfirmAddress { id, keep_old } => {
            command(client, &at(&id, "confirm-address"), &json!({ "keep_old": keep_old }), None).await
        }
        Verb::Ship(ship) => {
            let key = ship.key();
            let path = at(&ship.id, "ship");
            let tracking = ship.tracking.clone();
            let order = done(client, &path, &ship.parcel(), Some(key)).await?;
            told(order.as_ref(), tracking.as_deref())
        }
        Verb::Track { id, shipment, carrier, service, tracking, url } => {
            let change = TrackingChange { carrier, service, tracking, tracking_url: url };
            command(client, &at(&id, &format!("shipments/{}", part(&shipment))), &change, None).await
        }
        Verb::Void { id, shipment, reason } => {
            let path = at(&id, &format!("shipments/{}/void", part(&shipment)));
            command(client, &path, &json!({ "reason": reason }), None).await
        }
        Verb::Split { id, lines } => {
            command(client, &at(&id, "split"), &json!({ "lines": lines }), None).await
        }
        Verb::Merge { ids } => command(client, "/v1/orders/merge", &json!({ "orders": ids }), None).await,
        Verb::Unmerge { id } => command(client, &at(&id, "unmerge"), &json!({}), None).await,
        Verb::Hold { id, reason } => {
            command(client, &at(&id, "hold"), &json!({ "reason": reason }), None).await
        }
        Verb::Release { id, overrides } => {
            command(client, &at(&id, "release"), &json!({ "override": overrides }), None).await
        }
        Verb::Edit { id, lines, add } => {
            command(client, &at(&id, "edit"), &json!({ "lines": lines, "add": add }), None).await
        }
        Verb::Reimport { id } => command(client, &at(&id, "reimport"), &json!({}), None).await,
    }
}

/// Asks for a command and prints the order after it: the supplier order, or the merchant account's.
pub async fn command<B: Serialize>(
    client: &Client,
    path: &str,
    body: &B,
    key: Option<String>,
) -> Result<(), Failure> {
    done(client, path, body, key).await.map(|_| ())
}

async fn done<B: Serialize>(
    client: &Client,
    path: &str,
    body: &B,
    key: Option<String>,
) -> Result<Option<Order>, Failure> {
    let Answer { document, text, now } = client.post::<_, Value>(path, body, key).await?;
    let order = serde_json::from_value::<Order>(document.clone()).ok();
    if client.json {
        output::say(&text)?;
        return Ok(order);
    }
    if let Some(order) = order {
        show(&order, now)?;
        return Ok(Some(order));
    }
    let order: AccountOrder = serde_json::from_value(document).map_err(|error| {
        Failure::Failed(format!("the daemon's answer cannot be read (another version?): {error}"))
    })?;
    for warning in order.warnings.into_iter().flatten() {
        output::say(&output::plain(&format!("warning: {warning}")))?;
    }
    output::say(&output::plain(&format!(
        "{} has no supplier order; see `portald orders why {}`",
        order.number, order.id
    )))?;
    Ok(None)
}

/// A parcel that was told before under the same key is answered, not recorded again; if it was voided meanwhile, a
/// person must know that nothing was recorded now.
fn told(order: Option<&Order>, tracking: Option<&str>) -> Result<(), Failure> {
    let (Some(order), Some(tracking)) = (order, tracking) else { return Ok(()) };
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let mut same = order
        .shipments
        .iter()
        .filter(|parcel| {
            parcel.tracking.as_deref().is_some_and(|number| letters(number) == letters(tracking))
        })
        .peekable();
    if same.peek().is_some() && same.all(|parcel| parcel.voided) {
        return Err(Failure::Failed(
            "nothing was recorded: this very parcel was told before and voided; if it left after all, repeat with a --key of your own"
                .to_owned(),
        ));
    }
    Ok(())
}

impl Ship {
    fn parcel(self) -> Parcel {
        Parcel {
            carrier: self.carrier,
            service: self.service,
            tracking: self.tracking,
            tracking_url: self.url,
            shipped_at: self.shipped_at,
            warehouse: self.warehouse,
            label_cost: self.label_cost,
            after_cancel: self.after_cancel,
            lines: self.lines,
        }
    }

    /// The same parcel told twice is one parcel: the key follows from (order, carrier, tracking, lines).
    fn key(&self) -> String {
        let mut lines: Vec<_> = self.lines.iter().map(|line| (line.id.as_str(), line.quantity)).collect();
        lines.sort_unstable();
        let carrier = self.carrier.as_deref().map(|carrier| carrier.trim().to_lowercase());
        let tracking = self.tracking.as_deref().map(str::trim);
        let text = json!([self.id, carrier, tracking, lines]).to_string();
        // 128 bits of a stable hash: two runs with two labels.
        let half = |label: &str| sdk::clock::stable_hash(&format!("{label}{text}"));
        format!("ship-{:016x}{:016x}", half("a"), half("b"))
    }
}

fn by(text: &str) -> Result<By, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| "one of merchant, supplier".to_owned())
}

fn status(text: &str) -> Result<Status, String> {
    serde_json::from_value(Value::from(text))
        .map_err(|_| "one of held, open, in_work, partly_shipped, shipped, cancelled".to_owned())
}

fn gate(text: &str) -> Result<GateName, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| {
        "one of payment, unknown-payment, channel-hold, unknown-state, unknown-delivery, settle, no-address".to_owned()
    })
}

fn amount<'t>(text: &'t str, what: &str) -> Result<(&'t str, u32), String> {
    let wrong = || format!("write {what}=UNITS, as in {what}=2");
    let (name, units) = text.rsplit_once('=').ok_or_else(wrong)?;
    let units = units.parse().map_err(|_| wrong())?;
    if name.is_empty() { Err(wrong()) } else { Ok((name, units)) }
}

fn line_amount(text: &str) -> Result<LineAmount, String> {
    amount(text, "l1").map(|(id, quantity)| LineAmount { id: id.to_owned(), quantity })
}

fn added_line(text: &str) -> Result<AddedLine, String> {
    amount(text, "SKU").map(|(sku, quantity)| AddedLine { sku: sku.to_owned(), quantity })
}

fn money(text: &str) -> Result<Money, String> {
    let wrong = || "write an amount and a currency, as in 12.50USD".to_owned();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (figure, currency) = text.split_at(at);
    let amount: rust_decimal::Decimal = figure.trim().parse().map_err(|_| wrong())?;
    let is_code = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_code || amount.is_sign_negative() {
        return Err(wrong());
    }
    Ok(Money { amount, currency: currency.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn ship(line: &str) -> Ship {
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            ship: Ship,
        }
        Only::try_parse_from(std::iter::once("ship").chain(line.split(' '))).unwrap().ship
    }

    #[test]
    fn the_key_of_a_parcel_follows_from_the_parcel() {
        let key = ship("m.c.1 --carrier UPS --tracking 1Z9 --line l1=2 --line l2=1").key();
        assert_eq!(
            key,
            ship("m.c.1 --tracking 1Z9 --carrier ups --line l2=1 --line l1=2 --service Ground").key()
        );
        assert_ne!(key, ship("m.c.1 --carrier UPS --tracking 1Z9 --line l1=1 --line l2=1").key());
        assert_ne!(key, ship("m.c.1 --carrier UPS --tracking 1Z8 --line l1=2 --line l2=1").key());
        assert_ne!(key, ship("m.c.2 --carrier UPS --tracking 1Z9 --line l1=2 --line l2=1").key());
        assert!(key.len() <= 200 && key.bytes().all(|byte| byte.is_ascii_graphic()));
    }

    #[test]
    fn words_that_cannot_be_read_are_usage_errors() {
        for line in [
            "portald orders ship m.c.1 --label-cost 12.50",
            "portald orders ship m.c.1 --label-cost -1USD",
            "portald orders ship m.c.1 --line l1",
            "portald orders ship m.c.1 --line l1=-2",
            "portald orders split m.c.1",
            "portald orders merge m.c.1",
            "portald orders list --status ready",
            "portald orders release m.c.1 --override all",
            "portald orders cancel m.c.1",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        assert_eq!(money("12.50usd").unwrap().currency, "USD");
    }
}
