//! The last look: one order asked for again just before it is handed off, or when its first parcel was recorded. What
//! the channel says is taken in like any pull's.

use std::time::Duration;

use sdk::{ErrorKind, Pulled};

use super::{Connection, Shared};
use crate::record::{Event, RecordId};

/// The channel has so long to answer: a person waits.
pub const BUDGET: Duration = Duration::from_secs(3);

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing new.
    Same,
    /// What became of the order by what the channel says now.
    Changed(Vec<Event>),
    /// The channel cannot be asked for one order: nobody waits for it.
    NotKnowable,
    /// It could not be asked now, and why.
    Failed(String),
}

/// Asks for the order and takes in what it says.
pub async fn run(shared: &Shared, connection: &Connection, id: &RecordId) -> Look {
    if !connection.remote.capabilities().order_by_id {
        return Look::NotKnowable;
    }
    if !connection.ledge.is_open() {
        return Look::Failed("its channel is paused or suspended".to_owned());
    }
    let ledger = &shared.ledger;
    let before = match ledger.record(id).await {
        Ok(Some(record)) => record,
        Ok(None) => return Look::Same,
        Err(error) => return Look::Failed(error.to_string()),
    };
    let asked = ledger.clock().now();
    let told = tokio::time::timeout(BUDGET, connection.remote.order(&before.seen.id)).await;
    let Ok(told) = told else {
        return Look::Failed(format!("no answer within {} seconds", BUDGET.as_secs()));
    };
    let mut unreadable = None;
    let taken = match told {
        Ok(pulled) => {
            if let Pulled::Unreadable(bad) = &pulled {
                unreadable = Some(format!("its answer cannot be read: {}", bad.reason));
            }
            ledger.absorb_page(&before.merchant, &before.channel, vec![pulled], asked, None).await.map(|_| ())
        }
        Err(error) if error.kind == ErrorKind::NotFound => ledger.vanished(id).await,
        Err(error) => return Look::Failed(error.to_string()),
    };
    let after = match taken {
        Ok(()) => ledger.record(id).await,
        Err(error) => Err(error),
    };
    if let Some(why) = unreadable {
        return Look::Failed(why);
    }
    match after {
        Ok(Some(after)) => {
            let known = before.timeline_moved as usize + before.timeline.len();
            let new = after.timeline.iter().skip(known.saturating_sub(after.timeline_moved as usize));
            let new: Vec<Event> = new.cloned().collect();
            if new.is_empty() { Look::Same } else { Look::Changed(new) }
        }
        Ok(None) => Look::Same,
        Err(error) => Look::Failed(error.to_string()),
    }
}
