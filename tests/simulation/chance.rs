//! Seeded chance, with the few questions that the simulation asks of it.

use std::time::Duration;

use sdk::Rng;

/// A source of chance: the same answers for the same seed and the same questions.
#[derive(Debug)]
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::from_seed(seed))
    }

    /// A source of its own for one player, so that one more throw here changes nothing there.
    pub(crate) fn child(&self, label: &str) -> Self {
        Self(self.0.child(label))
    }

    /// True so often, from 0 to 1.
    pub(crate) fn chance(&mut self, often: f64) -> bool {
        self.0.unit() < often
    }

    /// A number in `0..bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// A number in `low..=high`.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low) + 1)
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.unit()
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.within(low, high))
    }

    /// About so many seconds: from none to twice as many.
    pub(crate) fn about(&mut self, secs: f64) -> Duration {
        Duration::from_secs_f64(self.between(0.05, 1.95) * secs)
    }

    pub(crate) fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }

    /// One of these, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> Option<T> {
        let all: u32 = items.iter().map(|(_, weight)| weight).sum();
        let mut at = self.0.below(u64::from(all)) as u32;
        for (item, weight) in items {
            if at < *weight {
                return Some(*item);
            }
            at -= weight;
        }
        None
    }
}
