//! Deliver: the only writer to channels. One activation works on one order: its writes go one at a time, each
//! begun durably before it leaves and its result recorded before the next.

use sdk::ErrorKind;

use super::{Connection, Failure, Shared, Verdict, bounded, readback};
use crate::{
    plan::delivery::{Outcome, Step},
    record::RecordId,
    store::StoreError,
};

/// Writes of one order in one activation: past this, something does not come to rest.
const MAX_STEPS: usize = 200;

/// What an activation did for its order.
#[derive(Debug)]
pub struct Delivered {
    /// What it means for the channel.
    pub verdict: Verdict,
    /// Whether a step was taken. One that found nothing to do is not to be repeated at once.
    pub moved: bool,
}

/// Takes an order's due writes to the channel.
pub async fn run(shared: &Shared, connection: &Connection, id: &RecordId) -> Delivered {
    let mut moved = false;
    let verdict = match steps(shared, connection, id, &mut moved).await {
        Ok(verdict) => verdict,
        Err(error) => {
            tracing::warn!(
                event = "deliver.failed",
                merchant = &*connection.key.merchant,
                channel = &*connection.key.channel,
                order = %id,
                error = %error,
                "a delivery's record could not be read or written; it will be tried again"
            );
            moved = false;
            Verdict::of(Failure::Store(error))
        }
    };
    Delivered { verdict, moved }
}

async fn steps(
    shared: &Shared,
    connection: &Connection,
    id: &RecordId,
    moved: &mut bool,
) -> Result<Verdict, StoreError> {
    let ledger = &shared.ledger;
    for _ in 0..MAX_STEPS {
        if shared.draining.is_cancelled() {
            return Ok(Verdict::well());
        }
        if connection.ledge.may_write() && !is_read_back(shared, connection, id).await? {
            return Ok(Verdict::well());
        }
        let due = ledger.tick(id).await?;
        if !due || !connection.ledge.may_write() {
            return Ok(Verdict::well());
        }
        let Some(peek) = ledger.peek(id).await? else { return Ok(Verdict::well()) };
        let present = if peek.look {
            match bounded("find", ErrorKind::Unavailable, connection.remote.find(&peek.order)).await {
                Ok(present) => Some(present),
                Err(error) => {
                    *moved = true;
                    return failed(shared, connection, id, &peek.key, error, Outcome::LookFailed).await;
                }
            }
        } else {
            None
        };
        let step = ledger.start(id, &peek.key, present.as_deref()).await?;
        *moved = true;
        // The look settled it: what is next?
        let Some(step) = step else { continue };
        match act(connection, step).await {
            Ok(outcome) => {
                ledger.finish(id, &peek.key, outcome, shared.chance()).await?;
                connection.ledge.note_write(false);
                let now = ledger.clock().now();
                shared.board.update(&connection.key.merchant, &connection.key.channel, |status| {
                    status.last_delivery = Some(now);
                });
            }
            Err(error) => return failed(shared, connection, id, &peek.key, error, Outcome::Failed).await,
        }
    }
    // Left for its next turn, behind the others.
    *moved = false;
    Ok(Verdict::well())
}

/// An order at rest was not read back with its channel's open ones: it is when something is to be written for it.
async fn is_read_back(shared: &Shared, connection: &Connection, id: &RecordId) -> Result<bool, StoreError> {
    match readback::order(shared, connection, id, &mut 0, &mut 0).await {
        Ok(settled) => Ok(settled),
        Err(Failure::Store(error)) => Err(error),
        Err(Failure::Channel(error)) => {
            if error.kind == ErrorKind::Unauthorized {
                connection.suspend(shared, &error).await?;
            }
            Ok(false)
        }
    }
}

/// Records a failure; a refusal of the credentials suspends the channel.
async fn failed(
    shared: &Shared,
    connection: &Connection,
    id: &RecordId,
    key: &str,
    error: sdk::Error,
    outcome: fn(sdk::Error) -> Outcome,
) -> Result<Verdict, StoreError> {
    let verdict = Verdict::of_channel(&error);
    if verdict.denied {
        connection.ledge.note_write(true);
        connection.suspend(shared, &error).await?;
    }
    let refused = error.kind == ErrorKind::Rejected;
    shared.ledger.finish(id, key, outcome(error), shared.chance()).await?;
    if refused {
        look_again(shared, connection, id).await?;
    }
    Ok(verdict)
}

/// A refusal mostly means that the order is not any more what it was when it was last seen (a cancellation crossed the
/// parcel): with its present picture the person who decides sees why, and what the channel still takes is told.
async fn look_again(shared: &Shared, connection: &Connection, id: &RecordId) -> Result<(), StoreError> {
    if !connection.remote.capabilities().order_by_id {
        return Ok(());
    }
    let Some(record) = shared.ledger.record(id).await? else { return Ok(()) };
    let asked = shared.ledger.clock().now();
    let order = connection.remote.order(&record.seen.id);
    // Where this fails too, the next pull brings it.
    if let Ok(pulled) = bounded("order", ErrorKind::Unavailable, order).await {
        let (merchant, channel) = (&record.merchant, &record.channel);
        shared.ledger.absorb_page(merchant, channel, vec![pulled], asked, None).await?;
    }
    Ok(())
}

/// Does a step. Of several calls the first failure ends it: each of them may be repeated.
async fn act(connection: &Connection, step: Step) -> sdk::Result<Outcome> {
    let remote = &connection.remote;
    // A write without an answer may have been applied.
    let late = ErrorKind::Indeterminate;
    match step {
        Step::Push(request) => {
            bounded("push_fulfillment", late, remote.push_fulfillment(&request)).await.map(Outcome::Pushed)
        }
        Step::Track(updates) => {
            for update in &updates {
                bounded("update_tracking", late, remote.update_tracking(update)).await?;
            }
            Ok(Outcome::Done)
        }
        Step::Void { key, order, fulfillments } => {
            for fulfillment in &fulfillments {
                bounded("void_fulfillment", late, remote.void_fulfillment(&order, fulfillment, &key)).await?;
            }
            Ok(Outcome::Done)
        }
        Step::Split(split) => {
            bounded("mirror_split", late, remote.mirror_split(&split)).await.map(|()| Outcome::Done)
        }
        Step::Answer(answer) => bounded("answer_cancellation", late, remote.answer_cancellation(&answer))
            .await
            .map(|()| Outcome::Done),
    }
}
