//! The world's time: tokio's paused clock from a date on, the remotes' own clocks, and the schedules' ticks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use portald::{
    schedule::Cron,
    scheduler::{Schedules, Tick},
};
use sdk::{Clock, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// The machine's wall clock.
#[derive(Debug)]
pub(crate) struct Wall {
    start: Timestamp,
    began: Instant,
}

impl Wall {
    pub(crate) fn from(start: Timestamp) -> Self {
        Self { start, began: Instant::now() }
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        self.start + self.began.elapsed()
    }
}

/// A remote's clock: it goes wrong by so much.
pub(crate) struct Skewed {
    pub(crate) wall: Arc<Wall>,
    pub(crate) by: TimeDelta,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.wall.now() + self.by
    }
}

/// Ticks for every schedule as the wall clock comes to its times: what cron does, on this world's time.
pub(crate) async fn tick(
    mut schedules: watch::Receiver<Schedules>,
    ticks: mpsc::Sender<Tick>,
    wall: Arc<Wall>,
) {
    loop {
        let Schedules { zone, texts } = schedules.borrow_and_update().clone();
        let crons = texts.iter().filter_map(|text| Some((text.clone(), Cron::parse(text).ok()?)));
        let mut due: BTreeMap<Arc<str>, (Cron, Timestamp)> = crons
            .filter_map(|(text, cron)| {
                let at = cron.next_after(wall.now(), zone)?;
                Some((text, (cron, at)))
            })
            .collect();
        loop {
            let first = due.values().map(|(_, at)| *at).min();
            let wait =
                first.map_or(Duration::from_secs(3600), |at| (at - wall.now()).to_std().unwrap_or_default());
            tokio::select! {
                biased;
                changed = schedules.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                () = tokio::time::sleep(wait) => {}
            }
            let now = wall.now();
            for (text, (cron, at)) in &mut due {
                if *at <= now {
                    if ticks.send(Tick { text: text.clone(), at: now }).await.is_err() {
                        return;
                    }
                    *at = cron.next_after(now, zone).unwrap_or(now + TimeDelta::days(400));
                }
            }
        }
    }
}
