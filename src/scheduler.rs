//! Cron's ticks, from tokio-cron-scheduler: one job for each distinct schedule of the configuration, which only
//! says that its time has come. Who is due by it is the [`driver`](crate::driver)'s to know.
//!
//! The package freezes a time zone to the offset of the moment at which a job is made, so the jobs are made again
//! when the zone's offset changes. A doubled tick does no harm (it coalesces), and a lost one only delays: cursors
//! carry correctness, not ticks.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{FixedOffset, Offset, TimeZone};
use sdk::{Clock, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// A schedule's time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The schedule's text.
    pub text: Arc<str>,
    /// When, by our clock.
    pub at: Timestamp,
}

/// The schedules to tick for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedules {
    /// The zone that they are read in.
    pub zone: chrono_tz::Tz,
    /// Each distinct text: cron with seconds.
    pub texts: BTreeSet<Arc<str>>,
}

impl Default for Schedules {
    fn default() -> Self {
        Self { zone: chrono_tz::Tz::UTC, texts: BTreeSet::new() }
    }
}

/// How often the zone's offset is looked at.
const OFFSET_CHECK: Duration = Duration::from_secs(20);
/// The package's default of 200 loses ticks when many jobs fall on one second.
const CHANNEL: usize = 4096;

/// Sends a [`Tick`] whenever a schedule's time comes, until `shutdown`. Errors if the package cannot start.
pub async fn run(
    mut schedules: watch::Receiver<Schedules>,
    ticks: mpsc::Sender<Tick>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new_with_channel_size(CHANNEL).await?;
    scheduler.start().await?;
    let mut jobs = Vec::new();
    let mut built: Option<(Schedules, FixedOffset)> = None;
    let mut check = tokio::time::interval(OFFSET_CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let wanted = schedules.borrow_and_update().clone();
        let offset = wanted.zone.offset_from_utc_datetime(&clock.now().naive_utc()).fix();
        let wanted = (wanted, offset);
        if built.as_ref() != Some(&wanted) {
            // The new ones before the old ones go: two ticks coalesce, none is missed.
            let mut fresh = Vec::new();
            let mut whole = true;
            for text in &wanted.0.texts {
                let added = match job(text, wanted.0.zone, &ticks, &clock) {
                    // One after another: many adds at once fail.
                    Ok(job) => scheduler.add(job).await,
                    Err(error) => Err(error),
                };
                match added {
                    Ok(id) => fresh.push(id),
                    Err(error) => {
                        whole = false;
                        tracing::error!(event = "schedule.failed", schedule = &**text, %error, "a schedule could not be set up and will be tried again");
                    }
                }
            }
            for id in std::mem::replace(&mut jobs, fresh) {
                if let Err(error) = scheduler.remove(&id).await {
                    tracing::warn!(event = "schedule.failed", %error, "an old schedule could not be taken down");
                }
            }
            built = whole.then_some(wanted);
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = schedules.changed() => if changed.is_err() { break },
            _ = check.tick() => {}
        }
    }
    scheduler.shutdown().await
}

/// A job that only tells. It is the package's own way to a time zone, frozen as it is.
fn job(
    text: &Arc<str>,
    zone: chrono_tz::Tz,
    ticks: &mpsc::Sender<Tick>,
    clock: &Arc<dyn Clock>,
) -> Result<Job, JobSchedulerError> {
    let (text, ticks, clock) = (text.clone(), ticks.clone(), clock.clone());
    Job::new_async_tz(text.clone(), zone, move |_, _| {
        let tick = Tick { text: text.clone(), at: clock.now() };
        let ticks = ticks.clone();
        // A receiver that is gone means that the daemon is ending.
        Box::pin(async move { _ = ticks.send(tick).await })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct World;
    impl Clock for World {
        fn now(&self) -> Timestamp {
            #[allow(
                clippy::disallowed_methods,
                reason = "the package reads the world's clock, and so must its test"
            )]
            chrono::Utc::now()
        }
    }

    // In real time: paused time does not work with the package, which compares the world's clock.
    #[tokio::test]
    async fn ticks_come_and_a_changed_set_takes_the_place_of_the_old_one() {
        let every: Arc<str> = "* * * * * *".into();
        let never: Arc<str> = "0 0 0 1 1 *".into();
        let set =
            |text: &Arc<str>| Schedules { zone: chrono_tz::America::Chicago, texts: [text.clone()].into() };
        let (change, schedules) = watch::channel(set(&never));
        let (ticks, mut received) = mpsc::channel(16);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(schedules, ticks, Arc::new(World), shutdown.clone()));
        change.send(set(&every)).unwrap();
        let tick = tokio::time::timeout(Duration::from_secs(20), received.recv()).await.unwrap().unwrap();
        assert_eq!(tick.text, every);
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }
}
