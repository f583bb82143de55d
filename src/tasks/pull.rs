//! Pull: the changed orders of one channel, from the cursor minus the overlap to the end, a page a commit.

use std::{collections::HashSet, sync::Arc};

use sdk::{Channel, Clock, Error, ErrorKind, OrderPage, PullRequest, Timestamp};
use tokio_util::task::AbortOnDropHandle;

use super::{Connection, Failure, Shared, Verdict, bounded};
use crate::{ledger::PageOutcome, store::StoreError};

/// A pull of more pages than this is a connector that turns in circles.
const MAX_PAGES: usize = 20_000;
/// A channel's clock may be ahead of ours by so much; the cursor's overlap is as long.
const MOST_AHEAD: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// A quiet channel's cursor is stored when it has moved by more than this: until then memory knows better, and after a
/// crash so much more is read again, which changes nothing.
const QUIET: chrono::TimeDelta = chrono::TimeDelta::hours(1);
/// How often one page is asked for again because somebody else wrote the channel's state.
const RACES: usize = 5;

/// Reads a channel's changed orders to the end.
pub async fn run(shared: &Shared, connection: &Connection) -> Verdict {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let _turn = connection.ledge.pull_turn().await;
    let mut done = Done::default();
    let result = pages(shared, connection, &mut done).await;
    let now = shared.ledger.clock().now();
    let failure = match result {
        // After a refused delivery too: a good pull is its slow probe's leave to try again.
        Ok(()) => match connection.resume(shared).await {
            Ok(()) => {
                shared.board.update(merchant, channel, |status| {
                    (status.last_attempt, status.last_pull, status.last_orders) =
                        (Some(now), Some(now), done.read as u64);
                    (status.last_error, status.failures) = (None, 0);
                });
                done.log(merchant, channel);
                return Verdict::well();
            }
            Err(error) => Failure::Store(error),
        },
        Err(failure) => failure,
    };
    let mut failures = 0;
    shared.board.update(merchant, channel, |status| {
        (status.last_attempt, status.last_error) = (Some(now), Some(failure.to_string()));
        status.failures = status.failures.saturating_add(1);
        failures = status.failures;
    });
    // A refusal of the credentials has an event of its own, told once and not at every probe.
    let denied = matches!(&failure, Failure::Channel(error) if error.kind == ErrorKind::Unauthorized);
    if !denied {
        tracing::warn!(
            event = "pull.failed",
            merchant,
            channel,
            attempt = failures,
            orders = done.read,
            error = %failure,
            "a pull failed and will be tried again"
        );
    }
    if let Failure::Channel(error) = &failure
        && denied
        && let Err(error) = connection.suspend(shared, error).await
    {
        return Verdict::of(Failure::Store(error));
    }
    Verdict::of(failure)
}

#[derive(Debug, Default)]
struct Done {
    pages: usize,
    read: usize,
    outcome: PageOutcome,
}

impl Done {
    fn take(&mut self, read: usize, outcome: PageOutcome) {
        self.pages += 1;
        self.read += read;
        self.outcome.imported += outcome.imported;
        self.outcome.changed += outcome.changed;
        self.outcome.unchanged += outcome.unchanged;
        self.outcome.set_aside += outcome.set_aside;
    }

    fn log(&self, merchant: &str, channel: &str) {
        let PageOutcome { imported, changed, unchanged, set_aside } = self.outcome;
        let (pages, orders) = (self.pages, self.read);
        // Thousands of quiet polls would drown the log.
        if imported + changed + set_aside > 0 {
            tracing::info!(
                event = "pull.done",
                merchant,
                channel,
                orders,
                pages,
                imported,
                changed,
                unchanged,
                set_aside,
                "a pull went to its end"
            );
        } else {
            tracing::debug!(
                event = "pull.done",
                merchant,
                channel,
                orders,
                pages,
                "a pull found nothing new"
            );
        }
    }
}

async fn pages(shared: &Shared, connection: &Connection, done: &mut Done) -> Result<(), Failure> {
    let since = connection
        .ledge
        .cursor()
        .map(|cursor| cursor.checked_sub_signed(connection.overlap).unwrap_or(cursor));
    let mut request = PullRequest { since, page: None };
    if shared.draining.is_cancelled() {
        return Ok(());
    }
    let clock = shared.ledger.clock();
    let mut page = ask(connection.remote.clone(), clock.clone(), request.clone()).await?;
    let mut marks = HashSet::new();
    let mut races = 0;
    // What was read is stored, also while the daemon drains; no more is asked for then.
    loop {
        let (asked, OrderPage { orders, next, covers, receipt }) = page;
        let read = orders.len();
        // The next page is read while this one is stored, in a task of its own, so that both have a processor. They
        // are stored one after the other. A page with a receipt is told first: the channel may go on from there.
        let draining = shared.draining.is_cancelled();
        let following = next.clone().filter(|_| receipt.is_none() && !draining);
        let ahead = following.map(|next| {
            let request = PullRequest { since, page: Some(next) };
            AbortOnDropHandle::new(tokio::spawn(ask(connection.remote.clone(), clock.clone(), request)))
        });
        match absorb(shared, connection, orders, asked, covers).await {
            Ok(outcome) => done.take(read, outcome),
            // The page is gone with the lost race: it is asked for again, and nothing of it was stored.
            Err(StoreError::Conflict(_)) if races < RACES => {
                races += 1;
                connection.ledge.reread(&**shared.ledger.store(), &connection.key).await?;
                if shared.draining.is_cancelled() {
                    return Ok(());
                }
                page = ask(connection.remote.clone(), clock.clone(), request.clone()).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        races = 0;
        if let Some(receipt) = receipt {
            bounded("acknowledge", ErrorKind::Unavailable, connection.remote.acknowledge(&receipt)).await?;
        }
        let Some(next) = next else { return Ok(()) };
        if marks.len() >= MAX_PAGES || !marks.insert(sdk::clock::stable_hash(&next)) {
            return Err(Error::new(
                ErrorKind::Malformed,
                "pull_orders",
                format!("the pages do not end: after {} pages a page's mark came again", done.pages),
            )
            .into());
        }
        request.page = Some(next);
        page = match ahead {
            Some(reading) => match reading.await {
                Ok(page) => page?,
                // A panic there is this task's end as well. Otherwise the runtime is ending.
                Err(broken) => match broken.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Ok(()),
                },
            },
            None if shared.draining.is_cancelled() => return Ok(()),
            None => ask(connection.remote.clone(), clock.clone(), request.clone()).await?,
        };
    }
}

/// A page, and when it was asked for.
async fn ask(
    remote: Arc<dyn Channel>,
    clock: Arc<dyn Clock>,
    request: PullRequest,
) -> sdk::Result<(Timestamp, OrderPage)> {
    let asked = clock.now();
    let page = bounded("pull_orders", ErrorKind::Unavailable, remote.pull_orders(&request)).await?;
    Ok((asked, page))
}

/// One page into the ledger, in one commit with the cursor that covers it.
async fn absorb(
    shared: &Shared,
    connection: &Connection,
    orders: Vec<sdk::Pulled>,
    asked: Timestamp,
    covers: Option<sdk::Timestamp>,
) -> Result<PageOutcome, StoreError> {
    let (merchant, channel) = (&*connection.key.merchant, &*connection.key.channel);
    let _turn = connection.ledge.turn().await;
    let mut state = connection.ledge.state();
    // A channel whose clock is wrong must not move the cursor past all that is still to come.
    let ahead = shared.ledger.clock().now() + MOST_AHEAD;
    let reached = connection.ledge.cursor().max(covers.map(|covers| covers.min(ahead)));
    let moved = match (state.cursor, reached) {
        (Some(stored), Some(reached)) => reached - stored > QUIET,
        (stored, reached) => stored != reached,
    };
    let now = shared.ledger.clock().now();
    // Leaving shadow needs to know when it was last in force; a minute's precision is enough.
    let shadow = shared.ledger.policy(merchant, channel).shadow
        && state.shadow_at.is_none_or(|at| now - at > chrono::TimeDelta::minutes(1));
    if orders.is_empty() && !moved && !shadow {
        connection.ledge.advance(reached);
        return Ok(PageOutcome::default());
    }
    state.cursor = reached;
    if shadow {
        state.shadow_at = Some(now);
    }
    let outcome = shared.ledger.absorb_page(merchant, channel, orders, asked, Some(state.clone())).await?;
    connection.ledge.committed(state);
    Ok(outcome)
}
