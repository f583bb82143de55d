//! Sweep: every order that is open here, asked for by its id, and the channel's recent window read again: what the
//! cursor missed is found, repaired and counted. Expected: nothing.

use std::{collections::HashSet, time::Duration};

use sdk::{ErrorKind, PullRequest, Pulled, RemoteId, Timestamp};

use super::{Connection, Failure, Shared, Verdict, bounded};
use crate::{ledger::PageOutcome, record::RecordId};

/// Failures in a row after which a sweep ends: the channel is down, the next sweep finds the rest.
const IN_A_ROW: u32 = 5;
/// The longest that a sweep waits when the channel asks it to.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// As for pulls: more pages than this do not end.
const MAX_PAGES: usize = 20_000;

#[derive(Debug, Default)]
struct Found {
    asked: u64,
    repaired: u64,
    vanished: u64,
    failed: u64,
}

/// Looks at all that is open on a channel.
pub async fn run(shared: &Shared, connection: &Connection) -> Verdict {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let mut found = Found::default();
    let result = sweep(shared, connection, &mut found).await;
    shared.board.update(merchant, channel, |status| status.repaired += found.repaired);
    let Found { asked, repaired, vanished, failed } = found;
    match result {
        Ok(()) if shared.draining.is_cancelled() => Verdict::well(),
        Ok(()) => {
            let now = shared.ledger.clock().now();
            let stored = connection.ledge.change(&**shared.ledger.store(), &connection.key, |state| {
                state.swept_at = Some(now);
                true
            });
            if let Err(error) = stored.await {
                return Verdict::of(Failure::Store(error));
            }
            shared.board.update(merchant, channel, |status| status.last_sweep = Some(now));
            tracing::info!(
                event = "sweep.done",
                merchant,
                channel,
                asked,
                repaired,
                vanished,
                failed,
                "a sweep went to its end"
            );
            Verdict::well()
        }
        Err(failure) => {
            if let Failure::Channel(error) = &failure
                && error.kind == ErrorKind::Unauthorized
            {
                if let Err(error) = connection.suspend(shared, error).await {
                    return Verdict::of(Failure::Store(error));
                }
            } else {
                tracing::warn!(
                    event = "sweep.failed",
                    merchant,
                    channel,
                    asked,
                    repaired,
                    error = %failure,
                    "a sweep did not go to its end; the next one starts anew"
                );
            }
            Verdict::of(failure)
        }
    }
}

async fn sweep(shared: &Shared, connection: &Connection, found: &mut Found) -> Result<(), Failure> {
    // What changed after this is the next pull's to bring: finding it here repairs nothing.
    let covered = connection.ledge.cursor().and_then(|cursor| cursor.checked_sub_signed(connection.overlap));
    let by_id = connection.remote.capabilities().order_by_id;
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let mut in_a_row = 0;
    for id in shared.ledger.agenda().active_of(merchant, channel) {
        if shared.draining.is_cancelled() {
            return Ok(());
        }
        // Rules may have changed since the record was last decided.
        shared.ledger.tick(&id).await?;
        if !by_id {
            continue;
        }
        let Some(record) = shared.ledger.record(&id).await? else { continue };
        found.asked += 1;
        let asked = shared.ledger.clock().now();
        let told = ask(shared, connection, &record.seen.id, &mut found.failed, &mut in_a_row).await?;
        match told {
            Told::Order(pulled) => {
                absorb(shared, connection, pulled, asked, covered, found).await?;
            }
            Told::Gone => {
                found.vanished += 1;
                tracing::warn!(event = "sweep.vanished", merchant, channel, order = %id, "the channel no longer has an open order");
                shared.ledger.vanished(&id).await?;
            }
            Told::Nothing => {}
        }
    }
    if by_id {
        again(shared, connection, found, &mut in_a_row).await?;
    }
    window(shared, connection, covered, found).await
}

/// What the channel said to a question for one order.
pub(super) enum Told {
    Order(Pulled),
    /// It no longer has it.
    Gone,
    /// It did not answer, or the daemon drains.
    Nothing,
}

/// One order by its id. A failure that concerns this order alone is counted and passed over.
pub(super) async fn ask(
    shared: &Shared,
    connection: &Connection,
    remote: &RemoteId,
    failed: &mut u64,
    in_a_row: &mut u32,
) -> Result<Told, Failure> {
    loop {
        let error = match bounded("order", ErrorKind::Unavailable, connection.remote.order(remote)).await {
            Ok(pulled) => {
                *in_a_row = 0;
                return Ok(Told::Order(pulled));
            }
            Err(error) => error,
        };
        match error.kind {
            ErrorKind::NotFound => {
                *in_a_row = 0;
                return Ok(Told::Gone);
            }
            ErrorKind::Unauthorized | ErrorKind::Unsupported => return Err(error.into()),
            _ => {}
        }
        *failed += 1;
        *in_a_row += 1;
        if *in_a_row >= IN_A_ROW {
            return Err(error.into());
        }
        match error.retry_after {
            Some(wait) if error.kind == ErrorKind::RateLimited => {
                tokio::select! {
                    biased;
                    () = shared.draining.cancelled() => return Ok(Told::Nothing),
                    () = tokio::time::sleep(wait.min(LONGEST_WAIT)) => {}
                }
            }
            _ => {
                tracing::warn!(
                    event = "sweep.order_failed",
                    merchant = &*connection.key.merchant,
                    channel = &*connection.key.channel,
                    order = %remote,
                    error = %error,
                    "an open order could not be read; it is asked for again"
                );
                return Ok(Told::Nothing);
            }
        }
    }
}

/// What was set aside, asked for once more.
async fn again(
    shared: &Shared,
    connection: &Connection,
    found: &mut Found,
    in_a_row: &mut u32,
) -> Result<(), Failure> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    for aside in shared.ledger.store().set_aside(Some(merchant)).await? {
        if shared.draining.is_cancelled() {
            return Ok(());
        }
        if aside.channel != channel {
            continue;
        }
        let asked = shared.ledger.clock().now();
        if let Told::Order(pulled) =
            ask(shared, connection, &RemoteId(aside.id), &mut found.failed, in_a_row).await?
        {
            // Known and listed as it is: reading it at last repairs nothing that a pull had missed.
            shared.ledger.absorb_page(merchant, channel, vec![pulled], asked, None).await?;
        }
    }
    Ok(())
}

/// Takes in one order; counts it as repaired if a pull should have brought what it says.
async fn absorb(
    shared: &Shared,
    connection: &Connection,
    pulled: Pulled,
    asked: Timestamp,
    covered: Option<Timestamp>,
    found: &mut Found,
) -> Result<(), Failure> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let missed = match &pulled {
        Pulled::Order(order) if is_covered(order, covered) => {
            Some(RecordId::new(merchant, channel, &order.id))
        }
        _ => None,
    };
    let PageOutcome { imported, changed, .. } =
        shared.ledger.absorb_page(merchant, channel, vec![pulled], asked, None).await?;
    if let Some(id) = missed
        && imported + changed > 0
    {
        found.repaired += 1;
        tracing::warn!(event = "sweep.repaired", merchant, channel, order = %id, "a sweep found what no pull had brought");
    }
    Ok(())
}

/// Whether a pull has had to bring this version of the order. Without a time of its own, it has.
fn is_covered(order: &sdk::Order, covered: Option<Timestamp>) -> bool {
    covered.is_some_and(|covered| order.updated_at.is_none_or(|updated| updated < covered))
}

/// The orders that changed in the recent window, all of them again.
async fn window(
    shared: &Shared,
    connection: &Connection,
    covered: Option<Timestamp>,
    found: &mut Found,
) -> Result<(), Failure> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    // Without a cursor nothing was covered yet, or the channel has no clock: its pulls read all there is.
    let Some(cursor) = connection.ledge.cursor() else { return Ok(()) };
    if connection.sweep_window <= chrono::TimeDelta::zero() {
        return Ok(());
    }
    let since = cursor.checked_sub_signed(connection.sweep_window).unwrap_or(cursor);
    let mut request = PullRequest { since: Some(since), page: None };
    let mut marks = HashSet::new();
    while !shared.draining.is_cancelled() {
        let asked = shared.ledger.clock().now();
        let page =
            bounded("pull_orders", ErrorKind::Unavailable, connection.remote.pull_orders(&request)).await?;
        // Those that a pull has had to bring go one by one, so that each repair can be named; the rest together.
        let (old, fresh): (Vec<_>, Vec<_>) = page
            .orders
            .into_iter()
            .partition(|pulled| matches!(pulled, Pulled::Order(order) if is_covered(order, covered)));
        for pulled in old {
            absorb(shared, connection, pulled, asked, covered, found).await?;
        }
        if !fresh.is_empty() {
            shared.ledger.absorb_page(merchant, channel, fresh, asked, None).await?;
        }
        // No acknowledgement: a receipt belongs to the pull, whose commit covers the page.
        let Some(next) = page.next else { return Ok(()) };
        if marks.len() >= MAX_PAGES || !marks.insert(sdk::clock::stable_hash(&next)) {
            let message = "the pages do not end: a page's mark came again";
            return Err(sdk::Error::new(ErrorKind::Malformed, "pull_orders", message).into());
        }
        request.page = Some(next);
    }
    Ok(())
}
