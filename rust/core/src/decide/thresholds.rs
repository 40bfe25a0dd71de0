//! Limits that can be moved while the line runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// One limit per class, 0..1: a defect's score that reaches its limit rejects. Shared by all workers
/// without a lock; a change holds from the next decision on. Cloning gives another handle.
#[derive(Clone)]
pub struct Thresholds(Arc<[AtomicU32]>);

impl Thresholds {
    /// What a class without a limit in the recipe gets.
    pub const DEFAULT: f32 = 0.5;

    /// [`DEFAULT`](Self::DEFAULT) for each of `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self((0..classes).map(|_| AtomicU32::new(Self::DEFAULT.to_bits())).collect())
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limit of `class`; one that nothing reaches when there is no such class.
    pub fn get(&self, class: usize) -> f32 {
        self.0.get(class).map_or(f32::INFINITY, |bits| f32::from_bits(bits.load(Ordering::Relaxed)))
    }

    /// Moves the limit of `class`; returns the old one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a limit outside 0..1 and for a class that does not exist.
    pub fn set(&self, class: usize, limit: f32) -> Result<f32> {
        if !(0.0..=1.0).contains(&limit) {
            return Err(Error::invalid("threshold", format!("{limit}; allowed: 0 to 1")));
        }
        let classes = self.len();
        let bits = self.0.get(class).ok_or_else(|| {
            Error::invalid("threshold", format!("class {class} of {classes} does not exist"))
        })?;
        Ok(f32::from_bits(bits.swap(limit.to_bits(), Ordering::Relaxed)))
    }
}

impl fmt::Debug for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len()).map(|class| self.get(class))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_through_every_handle() {
        let thresholds = Thresholds::new(2);
        let worker = thresholds.clone();
        assert_eq!(thresholds.set(1, 0.365).unwrap(), Thresholds::DEFAULT);
        assert_eq!((worker.get(0), worker.get(1)), (0.5, 0.365));
    }

    #[test]
    fn a_limit_that_is_none_changes_nothing() {
        let thresholds = Thresholds::new(1);
        for limit in [-0.1, 1.1, f32::NAN] {
            assert!(thresholds.set(0, limit).is_err());
        }
        assert!(thresholds.set(1, 0.3).is_err());
        assert_eq!(thresholds.get(0), 0.5);
    }
}
