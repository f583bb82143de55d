//! Time and chance as arguments. Sleeping is `tokio::time`, which tests can pause.

use crate::Timestamp;

/// What time it is. The daemon's own clock; a channel's own time comes from its answers.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// A seeded source of chance. Every user forks its own child, so that one more draw here does not
/// disturb another there.
#[derive(Debug)]
pub struct Rng(fastrand::Rng);

impl Rng {
    /// A source that always gives the same numbers for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A child whose numbers depend on this source's seed and the label alone.
    pub fn child(&self, label: &str) -> Self {
        Self::from_seed(self.0.get_seed() ^ stable_hash(label))
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// A number below `bound` (0 when `bound` is 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.u64(..bound) }
    }
}

/// FNV-1a: the same on every machine and in every release, which `std`'s hasher does not promise.
pub fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
