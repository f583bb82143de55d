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
pub struct Rng {
    seed: u64,
    source: fastrand::Rng,
}

impl Rng {
    /// A source that always gives the same numbers for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, source: fastrand::Rng::with_seed(seed) }
    }

    /// A child whose numbers depend on the seed that this source began with and the label alone: how much was
    /// drawn here before changes nothing there.
    pub fn child(&self, label: &str) -> Self {
        Self::from_seed(mix(self.seed.wrapping_add(stable_hash(label))))
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        self.source.f64()
    }

    /// A number below `bound` (0 when `bound` is 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.source.u64(..bound) }
    }
}

/// FNV-1a: the same on every machine and in every release, which `std`'s hasher does not promise.
pub fn stable_hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finalizer of SplitMix64. Without it a grandchild `a.b` would be the same source as `b.a`.
fn mix(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(mut rng: Rng) -> Vec<u64> {
        (0..4).map(|_| rng.below(u64::MAX)).collect()
    }

    #[test]
    fn a_child_does_not_depend_on_draws_made_before_it() {
        let quiet = Rng::from_seed(7);
        let mut busy = Rng::from_seed(7);
        for _ in 0..10 {
            busy.unit();
        }
        assert_eq!(draws(quiet.child("pull")), draws(busy.child("pull")));
    }

    #[test]
    fn children_differ_by_seed_label_and_path() {
        let root = Rng::from_seed(7);
        let pull = draws(root.child("pull"));
        assert_ne!(pull, draws(Rng::from_seed(8).child("pull")));
        assert_ne!(pull, draws(root.child("push")));
        assert_ne!(pull, draws(Rng::from_seed(7)));
        assert_ne!(draws(root.child("a").child("b")), draws(root.child("b").child("a")));
    }

    #[test]
    fn a_number_stays_below_its_bound() {
        let mut rng = Rng::from_seed(1);
        assert_eq!(rng.below(0), 0);
        assert!((0..1000).all(|_| rng.below(3) < 3));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&rng.unit())));
    }
}
