//! After a restore: every order that is open here is asked for again before anything is written to its channel. An
//! order that was read back stays so, also over a crash: the next run goes on with the rest.

use sdk::{ErrorKind, Pulled};

use super::{
    Connection, Failure, Shared, Verdict, pull,
    sweep::{self, Told},
};
use crate::{record::RecordId, store::StoreError};

const CANNOT_TELL: &str = "its channel cannot be asked for an order";

/// Reads a restored channel back: a pull, then every open order. When none is left the channel is written to again.
pub async fn run(shared: &Shared, connection: &Connection) -> Verdict {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    // What changed since the backup's cursor, and orders that came after it.
    let pulled = pull::run(shared, connection).await;
    if !pulled.well || shared.draining.is_cancelled() {
        return pulled;
    }
    match orders(shared, connection).await {
        Ok(0) if shared.draining.is_cancelled() => Verdict::well(),
        Ok(0) => match lift(shared, connection).await {
            Ok(()) => Verdict::well(),
            Err(error) => Verdict::of(Failure::Store(error)),
        },
        Ok(left) => {
            tracing::warn!(
                event = "restore.waiting",
                merchant,
                channel,
                left,
                "open orders could not be read back yet: they are asked for again, and nothing is written until then"
            );
            Verdict::well()
        }
        Err(failure) => {
            if let Failure::Channel(error) = &failure
                && error.kind == ErrorKind::Unauthorized
                && let Err(error) = connection.suspend(shared, error).await
            {
                return Verdict::of(Failure::Store(error));
            }
            tracing::warn!(
                event = "restore.waiting",
                merchant,
                channel,
                error = %failure,
                "open orders could not be read back yet: they are asked for again, and nothing is written until then"
            );
            Verdict::of(failure)
        }
    }
}

/// Asks for each open order that was not read back. Answers how many are left.
async fn orders(shared: &Shared, connection: &Connection) -> Result<u64, Failure> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let mut unread = Vec::new();
    for id in shared.ledger.agenda().active_of(merchant, channel) {
        match shared.ledger.record(&id).await {
            Ok(Some(record)) if record.restored.is_some() => unread.push(id),
            Ok(_) => {}
            // One that cannot be read is not written for either, and is a finding of its own.
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut left = unread.len() as u64;
    let tell = |left: u64| shared.board.update(merchant, channel, |status| status.unread = Some(left));
    tell(left);
    let (mut failed, mut in_a_row) = (0, 0);
    for id in unread {
        if shared.draining.is_cancelled() {
            break;
        }
        if order(shared, connection, &id, &mut failed, &mut in_a_row).await? {
            left -= 1;
            tell(left);
        }
    }
    Ok(left)
}

/// Asks for one order. Answers whether it is settled: read back, or left to a person.
pub(super) async fn order(
    shared: &Shared,
    connection: &Connection,
    id: &RecordId,
    failed: &mut u64,
    in_a_row: &mut u32,
) -> Result<bool, Failure> {
    let ledger = &shared.ledger;
    let Some(record) = ledger.record(id).await?.filter(|record| record.restored.is_some()) else {
        return Ok(true);
    };
    if !connection.remote.capabilities().order_by_id {
        ledger.untold(id, CANNOT_TELL).await?;
        return Ok(true);
    }
    let asked = ledger.clock().now();
    match sweep::ask(shared, connection, &record.seen.id, failed, in_a_row).await? {
        Told::Order(pulled) => {
            let unreadable = match &pulled {
                Pulled::Unreadable(bad) => {
                    Some(format!("the channel's answer cannot be read ({})", bad.reason))
                }
                Pulled::Order(_) => None,
            };
            ledger.absorb_page(&record.merchant, &record.channel, vec![pulled], asked, None).await?;
            // One order that cannot be taken in must not hold up its channel for ever.
            let why = unreadable.as_deref().unwrap_or("the channel's answer could not be taken in");
            ledger.untold(id, why).await?;
            Ok(true)
        }
        Told::Gone => {
            ledger.vanished(id).await?;
            ledger.untold(id, "the channel no longer has the order").await?;
            Ok(true)
        }
        Told::Nothing => Ok(false),
    }
}

/// Every open order was read back: the channel is written to again, durably.
async fn lift(shared: &Shared, connection: &Connection) -> Result<(), StoreError> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let store = shared.ledger.store();
    connection.ledge.change(&**store, &connection.key, |state| state.restored.take().is_some()).await?;
    shared.ledger.note_restored(merchant, channel, None);
    shared.board.update(merchant, channel, |status| (status.restored, status.unread) = (None, None));
    tracing::info!(
        event = "restore.done",
        merchant,
        channel,
        "every open order was read back after the restore: the channel is written to again"
    );
    shared.ledger.agenda().recall(merchant, channel);
    Ok(())
}
