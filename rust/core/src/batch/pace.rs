//! How long a batch takes, by its size: measured at the start, followed ever since.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::MS;

/// A batch size whose rate reaches this share of the best one is as good as the best.
const AS_GOOD: f64 = 0.95;

/// Time from a batch's beginning to its verdicts, prepare and decide included, for each size; shared
/// by all workers that judge by one recipe, without a lock.
///
/// An estimate rises fast and falls slowly, so that it stays above most of the batches that come: a
/// part is taken on only when it will most likely be judged in time.
#[derive(Debug)]
pub struct Pace {
    /// By rows - 1; 0 while nothing is known.
    taken_ns: Box<[AtomicI64]>,
    most: usize,
    waits: bool,
}

impl Pace {
    /// Waiting longer for a fuller batch ends so long before the last moment, ns.
    pub const GUARD_NS: i64 = MS;

    /// For batches of up to `most` rows, of which nothing is known yet.
    pub fn unknown(most: usize) -> Self {
        Self { taken_ns: (0..most.max(1)).map(|_| AtomicI64::new(0)).collect(), most, waits: false }
    }

    /// From what batches of 1, 2, ... rows took. Larger batches than the [`plateau`](Self::plateau)
    /// are not made. `pays`: on this provider a run of several rows is worth waiting for, as long
    /// as the figures say so too.
    pub fn measured(taken_ns: &[i64], pays: bool) -> Self {
        let most = plateau(taken_ns);
        Self {
            taken_ns: taken_ns.iter().map(|&ns| AtomicI64::new(ns.max(0))).collect(),
            most,
            waits: pays && most > 1,
        }
    }

    /// The size of the fullest batch: the least one whose rate is as good as the best.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether a batch that is not full is held back while its parts have time.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// What a batch of `rows` takes most of the time, ns; 0 while nothing is known.
    pub fn of(&self, rows: usize) -> i64 {
        let last = self.taken_ns.len() - 1;
        self.taken_ns[rows.saturating_sub(1).min(last)].load(Ordering::Relaxed)
    }

    /// A batch of `rows` took `ns`. Workers may overwrite each other's news: it is an estimate.
    pub fn observe(&self, rows: usize, ns: i64) {
        let Some(estimate) = self.taken_ns.get(rows.wrapping_sub(1)) else { return };
        let known = estimate.load(Ordering::Relaxed);
        let newer = match known {
            0 => ns,
            _ if ns > known => known + (ns - known) / 2,
            _ => known - (known - ns) / 16,
        };
        estimate.store(newer, Ordering::Relaxed);
    }

    /// Everything that waited was given up because of these estimates: they may be wrong, and
    /// nobody would ever find out.
    pub fn doubt(&self) {
        for estimate in &self.taken_ns {
            let known = estimate.load(Ordering::Relaxed);
            estimate.store(known - known / 8, Ordering::Relaxed);
        }
    }
}

/// The least batch size whose rate is as good as the best.
fn plateau(taken_ns: &[i64]) -> usize {
    let rate = |index: usize| (index + 1) as f64 / taken_ns[index].max(1) as f64;
    let best = (0..taken_ns.len()).map(rate).fold(0.0, f64::max);
    (0..taken_ns.len()).find(|&index| rate(index) >= AS_GOOD * best).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plateau_is_the_least_size_that_is_as_good_as_the_best() {
        // ResNet18 on one core: 3 % better at 8, which is nothing.
        let cpu: Vec<i64> = (1..=8).map(|n| n * 35_800 - (n - 1) * 157).collect();
        assert_eq!(Pace::measured(&cpu, false).most(), 1);
        // A device with a fixed cost: 10 + n.
        let device: Vec<i64> = (1..=16).map(|n| 10_000 + 1000 * n).collect();
        let most = Pace::measured(&device, true).most();
        assert!(most > 12 && most < 16, "{most}");
        // A fixed batch of 4, padded: all sizes cost the same.
        assert_eq!(Pace::measured(&[5, 5, 5, 5], false).most(), 4);
    }

    #[test]
    fn waiting_pays_only_where_provider_and_figures_say_so() {
        assert!(Pace::measured(&[100, 101], true).waits());
        assert!(!Pace::measured(&[100, 200], true).waits());
        assert!(!Pace::measured(&[100, 101], false).waits());
    }

    #[test]
    fn an_estimate_rises_fast_and_falls_slowly() {
        let pace = Pace::measured(&[1000], false);
        pace.observe(1, 3000);
        assert_eq!(pace.of(1), 2000);
        pace.observe(1, 400);
        assert_eq!(pace.of(1), 1900);
        pace.observe(9, 1);
        assert_eq!(pace.of(9), 1900, "no such size: the largest that is known");
    }

    #[test]
    fn a_first_observation_is_believed_and_a_doubt_takes_from_it() {
        let pace = Pace::unknown(2);
        assert_eq!((pace.of(1), pace.most()), (0, 2));
        pace.observe(2, 800);
        pace.doubt();
        assert_eq!((pace.of(1), pace.of(2)), (0, 700));
    }
}
