//! Cron as the configuration writes it: when a stream is next due.
//!
//! Six fields, seconds first, read in the supplier's time zone. Where clocks change: a schedule with `*` or a step
//! in its hours (or below) follows real time through the change; one at fixed hours fires once, at the first of a
//! repeated hour, and at the end of a skipped one.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::{
    JobType,
    parser::{CronParser, Seconds, Year},
};
use sdk::Timestamp;
use serde::{Serialize, Serializer};

/// How many firings the estimate of a period looks at.
const SAMPLE: usize = 16;

/// A checked schedule. Cheap to clone; equal where the text is equal.
#[derive(Clone)]
pub struct Cron(Arc<Inner>);

struct Inner {
    text: String,
    cron: croner::Cron,
    period: Duration,
}

impl Cron {
    /// Reads six fields: second, minute, hour, day, month, weekday. The error says what is wrong with them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            6 if !text.contains('@') => {}
            5 => return Err("has 5 fields: the seconds are missing".to_owned()),
            found => return Err(format!("has {found} fields where 6 are needed")),
        }
        let text = fields.join(" ");
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .build()
            .parse(&text)
            .map_err(|error| lower_first(error.to_string().trim_end_matches('.')))?;
        let period = period(&cron).ok_or("never comes: no such date")?;
        Ok(Self(Arc::new(Inner { text, cron, period })))
    }

    /// The first moment after `t` at which the schedule fires, by the wall clock of `zone`. `None` past the
    /// calendar's end.
    pub fn next_after(&self, t: Timestamp, zone: Tz) -> Option<Timestamp> {
        match self.0.cron.determine_job_type() {
            JobType::FixedTime => self.next_fixed(t, zone),
            JobType::IntervalWildcard => self.next_interval(t, zone),
        }
    }

    /// At fixed hours. croner's answer for a repeated hour is always its first pass, so in the second pass it
    /// lies behind us: ask again from a little later.
    fn next_fixed(&self, t: Timestamp, zone: Tz) -> Option<Timestamp> {
        let mut from = t;
        loop {
            let found = self.0.cron.find_next_occurrence(&from.with_timezone(&zone), false).ok()?.to_utc();
            if found > t {
                return Some(found);
            }
            from += TimeDelta::minutes(1);
        }
    }

    /// In steps. Searched under the one offset in force, so that a repeated hour fires in both passes and a
    /// skipped one not at all; past a change of the offset the search starts anew under the next one.
    fn next_interval(&self, t: Timestamp, zone: Tz) -> Option<Timestamp> {
        let offset_at = |moment: Timestamp| zone.offset_from_utc_datetime(&moment.naive_utc()).fix();
        let (mut from, mut inclusive) = (t, false);
        loop {
            let offset = offset_at(from);
            let found =
                self.0.cron.find_next_occurrence(&from.with_timezone(&offset), inclusive).ok()?.to_utc();
            let (mut before, mut after) = (from, found.min(from + TimeDelta::days(30)));
            if offset_at(after) == offset {
                if after == found {
                    return Some(found);
                }
                (from, inclusive) = (after, true);
                continue;
            }
            while after - before > TimeDelta::seconds(1) {
                let middle = before + (after - before) / 2;
                if offset_at(middle) == offset { before = middle } else { after = middle }
            }
            // Changes fall on whole seconds.
            (from, inclusive) = (DateTime::from_timestamp(after.timestamp(), 0)?, true);
        }
    }

    /// The shortest time between two firings, of those looked at.
    pub fn period(&self) -> Duration {
        self.0.period
    }

    /// The text, with single blanks: what the scheduler is given.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

/// The smallest gap between the first firings of a plain year, in UTC; `None` where the schedule never fires.
fn period(cron: &croner::Cron) -> Option<Duration> {
    let mut last: DateTime<Utc> = DateTime::from_timestamp(1_767_225_599, 0)?;
    let mut shortest: Option<TimeDelta> = None;
    for firing in 0..SAMPLE {
        let Ok(next) = cron.find_next_occurrence(&last, false) else { break };
        if firing > 0 {
            let gap = next - last;
            shortest = Some(shortest.map_or(gap, |known| known.min(gap)));
        }
        last = next;
    }
    shortest?.to_std().ok()
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.text())
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Cron {}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::Chicago;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse::<DateTime<Utc>>().unwrap()
    }

    /// The next firings after `from`, in Chicago.
    fn firings(cron: &str, from: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(cron).unwrap();
        let mut moment = at(from);
        (0..count)
            .map(|_| {
                moment = cron.next_after(moment, Chicago).unwrap();
                moment.format("%dT%H:%M").to_string()
            })
            .collect()
    }

    #[test]
    fn a_step_goes_through_the_repeated_hour_twice() {
        // 2026-11-01 02:00 CDT (07:00Z) becomes 01:00 CST.
        assert_eq!(
            firings("0 */20 * * * *", "2026-11-01T06:30:00Z", 6),
            ["01T06:40", "01T07:00", "01T07:20", "01T07:40", "01T08:00", "01T08:20"]
        );
    }

    #[test]
    fn a_step_goes_over_the_skipped_hour_without_a_gap() {
        // 2026-03-08 02:00 CST (08:00Z) becomes 03:00 CDT.
        assert_eq!(
            firings("0 */20 * * * *", "2026-03-08T07:30:00Z", 4),
            ["08T07:40", "08T08:00", "08T08:20", "08T08:40"]
        );
    }

    #[test]
    fn a_fixed_hour_fires_once_in_the_repeated_hour() {
        assert_eq!(
            firings("0 30 1 * * *", "2026-11-01T00:00:00Z", 2),
            ["01T06:30", "02T07:30"],
            "the first pass, then the next day"
        );
        // Asked within the second pass, the first lies behind.
        assert_eq!(firings("0 30 1 * * *", "2026-11-01T07:10:00Z", 1), ["02T07:30"]);
    }

    #[test]
    fn a_fixed_hour_that_is_skipped_fires_after_the_gap() {
        assert_eq!(firings("0 30 2 * * *", "2026-03-08T06:00:00Z", 2), ["08T08:00", "09T07:30"]);
    }

    #[test]
    fn a_rare_step_finds_its_way_over_several_changes() {
        assert_eq!(firings("0 0 * 1 7 *", "2026-01-15T00:00:00Z", 1), ["01T05:00"]);
    }

    #[test]
    fn the_period_is_the_shortest_gap() {
        let secs = |text| Cron::parse(text).unwrap().period().as_secs();
        assert_eq!(secs("*/10 * * * * *"), 10);
        assert_eq!(secs("0 */5 * * * *"), 300);
        assert_eq!(secs("0 0 3,4 * * *"), 3600);
        assert_eq!(secs("0 30 3 * * *"), 86_400);
    }

    #[test]
    fn wrong_schedules_say_what_is_wrong() {
        let why = |text| Cron::parse(text).unwrap_err();
        assert_eq!(why("*/5 * * * *"), "has 5 fields: the seconds are missing");
        assert_eq!(why("@hourly"), "has 1 fields where 6 are needed");
        assert_eq!(why("0 0 0 30 2 *"), "never comes: no such date");
        assert!(!why("0 61 * * * *").is_empty());
        assert!(!why("0 0 0 1 1 * 2030").is_empty());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9*/,?LW#a-zA-Z+@ ]{0,24}") {
            if let Ok(cron) = Cron::parse(&text) {
                let from = at("2026-10-31T00:00:00Z");
                if let Some(next) = cron.next_after(from, Chicago) {
                    prop_assert!(next > from);
                }
            }
        }

        #[test]
        fn a_step_fires_on_time_whatever_the_day(hour in 0_i64..9000, step in prop::sample::select(vec![5_i64, 10, 15, 20, 30])) {
            let cron = Cron::parse(&format!("0 */{step} * * * *")).unwrap();
            let from = at("2026-01-01T00:00:00Z") + TimeDelta::hours(hour);
            let next = cron.next_after(from, Chicago).unwrap();
            prop_assert_eq!(next - from, TimeDelta::minutes(step));
        }
    }
}
