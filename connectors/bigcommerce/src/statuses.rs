//! What each of the fifteen statuses means for a supplier. (`GET /order_statuses` in `orders.v2.oas2.yml` has them;
//! a store may give them other labels, never other ids.)

use sdk::{OrderState, Payment};

/// An order's status in our words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) payment: Payment,
    pub(crate) state: OrderState,
    /// Why it waits, if it does.
    pub(crate) hold: Option<String>,
    /// Nothing of it is to be shipped any more.
    pub(crate) over: bool,
    /// The customer fetches all of it.
    pub(crate) pickup: bool,
}

/// An order whose customer never came back from the payment page.
pub(crate) const INCOMPLETE: i64 = 0;

/// Reads a status. `word` is its name there, `payment` the order's `payment_status`.
pub(crate) fn read(id: i64, word: Option<&str>, payment: Option<&str>) -> Status {
    let open = |payment: Payment| Status {
        payment,
        state: OrderState::Open,
        hold: None,
        over: false,
        pickup: false,
    };
    let unpaid = |word: &str| open(Payment::Unpaid(word.to_owned()));
    let cancelled = |payment: Payment, reason: Option<&str>| Status {
        state: OrderState::Cancelled { at: None, reason: reason.map(str::to_owned) },
        over: true,
        ..open(payment)
    };
    match id {
        INCOMPLETE => unpaid("Incomplete"),
        1 => unpaid("Pending"),
        // Shipped, Partially Shipped, Awaiting Shipment, Completed, Awaiting Fulfillment, Partially Refunded.
        2 | 3 | 9 | 10 | 11 | 14 => open(Payment::Paid),
        4 => Status { over: true, ..open(Payment::Returned("Refunded".to_owned())) },
        5 => cancelled(told(payment, "Cancelled"), None),
        6 => cancelled(told(payment, "Declined"), Some("declined")),
        7 => unpaid("Awaiting Payment"),
        8 => Status { pickup: true, ..open(told(payment, "Awaiting Pickup")) },
        12 => held(open(told(payment, "Manual Verification Required")), "manual verification required"),
        13 => held(open(told(payment, "Disputed")), "the payment is disputed"),
        unknown => {
            let text = match word.filter(|word| !word.trim().is_empty()) {
                Some(word) => format!("status {unknown} ({word})"),
                None => format!("status {unknown}"),
            };
            Status { state: OrderState::Unknown(text.clone()), ..open(told(payment, &text)) }
        }
    }
}

fn held(status: Status, why: &str) -> Status {
    Status { hold: Some(why.to_owned()), ..status }
}

/// The payment where the status itself does not tell: by `payment_status` (`order_RespOnly`), which is empty for
/// payments that were taken outside.
fn told(payment: Option<&str>, status: &str) -> Payment {
    match payment {
        Some("captured" | "paid" | "partially refunded") => Payment::Paid,
        Some("authorized") => Payment::Authorized,
        Some(word @ ("refunded" | "void")) => Payment::Returned(word.to_owned()),
        Some(word @ ("capture pending" | "declined" | "held for review" | "pending" | "void pending")) => {
            Payment::Unpaid(word.to_owned())
        }
        Some("") | None => Payment::Unpaid(status.to_owned()),
        Some(word) => Payment::Unknown(word.to_owned()),
    }
}
