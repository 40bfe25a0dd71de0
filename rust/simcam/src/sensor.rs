//! When the sensor exposes and when a frame is read out: a pure machine, stepped by its caller.
//!
//! ```text
//! start      start + exposure    ready = start + exposure + readout
//!   |  exposing  |    reading out    |
//!                  the next exposure may overlap the readout, not the exposure
//! ```

use std::collections::VecDeque;

use crate::registers::PENDING_MAX;

/// A free-running camera that is later than this starts its schedule anew: a machine too slow for
/// the rate gets a slower camera, not a burst.
const LAG_MAX_NS: i64 = 20_000_000;

/// The durations that the features ask for now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) exposure_ns: i64,
    pub(crate) readout_ns: i64,
    /// Between the starts of two free-running exposures.
    pub(crate) period_ns: i64,
}

/// What came with a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// The picture asked for, or the next one.
    pub(crate) picture: Option<u32>,
    pub(crate) part_id: u64,
    pub(crate) encoder_count: u64,
    pub(crate) line0_count: u64,
}

/// One frame on its way through the sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exposure {
    pub(crate) frame_id: u64,
    pub(crate) start_ns: i64,
    pub(crate) exposure_ns: i64,
    pub(crate) ready_ns: i64,
    /// The picture's number, modulo their number.
    pub(crate) picture: u32,
    /// Whether the trigger asked for this picture.
    pub(crate) picture_is_fixed: bool,
    pub(crate) cause: Cause,
}

/// The sensor during one acquisition.
#[derive(Debug)]
pub(crate) struct Sensor {
    pictures: u32,
    next_picture: u32,
    next_frame_id: u64,
    /// Exposures left to take; `None` = no end.
    left: Option<u64>,
    exposing_until_ns: i64,
    reading_until_ns: i64,
    next_start_ns: i64,
    pending: VecDeque<Exposure>,
}

impl Sensor {
    /// A sensor in front of so many pictures, ready to expose so many frames from now on.
    pub(crate) fn start(now_ns: i64, pictures: u32, frames: Option<u64>) -> Self {
        Self {
            pictures,
            next_picture: 0,
            next_frame_id: 0,
            left: frames,
            exposing_until_ns: i64::MIN,
            reading_until_ns: i64::MIN,
            next_start_ns: now_ns,
            pending: VecDeque::with_capacity(PENDING_MAX),
        }
    }

    /// Exposes one frame at an instant, unless the sensor is busy then; tells whether it does.
    #[must_use]
    pub(crate) fn trigger(&mut self, start_ns: i64, timing: Timing, cause: Cause) -> bool {
        let exposed_ns = start_ns.saturating_add(timing.exposure_ns);
        if self.left == Some(0)
            || self.pending.len() >= PENDING_MAX
            || start_ns < self.exposing_until_ns
            || exposed_ns < self.reading_until_ns
        {
            return false;
        }
        let ready_ns = exposed_ns.saturating_add(timing.readout_ns);
        let picture_is_fixed = cause.picture.is_some();
        let picture = cause.picture.unwrap_or_else(|| {
            let next = self.next_picture;
            self.next_picture = (next + 1) % self.pictures;
            next
        });
        self.pending.push_back(Exposure {
            frame_id: self.next_frame_id,
            start_ns,
            exposure_ns: timing.exposure_ns,
            ready_ns,
            picture: picture % self.pictures,
            picture_is_fixed,
            cause,
        });
        self.next_frame_id += 1;
        self.left = self.left.map(|left| left - 1);
        self.exposing_until_ns = exposed_ns;
        self.reading_until_ns = ready_ns;
        true
    }

    /// Schedules the next free-running exposure once the one before has been taken away.
    pub(crate) fn run_free(&mut self, now_ns: i64, timing: Timing, cause: Cause) {
        if !self.pending.is_empty() || self.left == Some(0) {
            return;
        }
        let in_flight_ns = timing.exposure_ns.saturating_add(timing.readout_ns);
        let lag_ns = now_ns.saturating_sub(self.next_start_ns.saturating_add(in_flight_ns));
        let asked_ns = if lag_ns > LAG_MAX_NS { now_ns } else { self.next_start_ns };
        // After a change of the timing or of the trigger an old exposure may still hold the sensor.
        let free_ns =
            self.exposing_until_ns.max(self.reading_until_ns.saturating_sub(timing.exposure_ns));
        let start_ns = asked_ns.max(free_ns);
        if self.trigger(start_ns, timing, cause) {
            self.next_start_ns = start_ns.saturating_add(timing.period_ns);
        }
    }

    /// When the oldest frame will have been read out.
    pub(crate) fn next_ready_ns(&self) -> Option<i64> {
        self.pending.front().map(|exposure| exposure.ready_ns)
    }

    /// Takes the oldest frame if it has been read out.
    pub(crate) fn take_ready(&mut self, now_ns: i64) -> Option<Exposure> {
        if self.next_ready_ns()? > now_ns {
            return None;
        }
        self.pending.pop_front()
    }

    /// Whether all frames that were asked for have been taken away.
    pub(crate) fn is_finished(&self) -> bool {
        self.left == Some(0) && self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { exposure_ns: 1_000, readout_ns: 500, period_ns: 2_000 };
    const CAUSE: Cause = Cause { picture: None, part_id: 7, encoder_count: 0, line0_count: 0 };

    #[test]
    fn a_trigger_during_the_exposure_is_missed_and_takes_no_frame_id() {
        let mut sensor = Sensor::start(0, 4, None);
        assert!(sensor.trigger(100, TIMING, CAUSE));
        assert!(!sensor.trigger(1_099, TIMING, CAUSE));
        assert!(sensor.trigger(1_100, TIMING, CAUSE));
        assert_eq!(sensor.take_ready(1_599), None);
        let ids: Vec<u64> = (0..2).map(|_| sensor.take_ready(9_999).unwrap().frame_id).collect();
        assert_eq!(ids, [0, 1]);
    }

    #[test]
    fn readouts_never_overlap() {
        let slow = Timing { readout_ns: 5_000, ..TIMING };
        let mut sensor = Sensor::start(0, 4, None);
        assert!(sensor.trigger(0, slow, CAUSE));
        assert!(!sensor.trigger(4_999, slow, CAUSE));
        assert!(sensor.trigger(5_000, slow, CAUSE));
    }

    #[test]
    fn free_run_keeps_its_grid_when_it_is_polled_late() {
        let mut sensor = Sensor::start(10_000, 4, None);
        let mut starts = Vec::new();
        for now_ns in [10_000, 11_900, 13_800, 17_000] {
            sensor.run_free(now_ns, TIMING, CAUSE);
            starts.extend(sensor.take_ready(now_ns).map(|exposure| exposure.start_ns));
        }
        assert_eq!(starts, [10_000, 12_000, 14_000]);
        sensor.run_free(17_000, TIMING, CAUSE);
        assert_eq!(sensor.next_ready_ns(), Some(17_500));
    }

    #[test]
    fn free_run_that_lags_starts_anew_without_losing_an_id() {
        let mut sensor = Sensor::start(0, 4, None);
        sensor.run_free(0, TIMING, CAUSE);
        assert_eq!(sensor.take_ready(1_500).unwrap().frame_id, 0);
        let late_ns = 1_000_000_000;
        sensor.run_free(late_ns, TIMING, CAUSE);
        let exposure = sensor.take_ready(late_ns + 1_500).unwrap();
        assert_eq!((exposure.frame_id, exposure.start_ns), (1, late_ns));
    }

    #[test]
    fn pictures_come_in_turn_and_a_fixed_one_does_not_take_a_turn() {
        let mut sensor = Sensor::start(0, 3, None);
        let mut shown = Vec::new();
        for (at, picture) in [None, Some(10), None, None, None].into_iter().enumerate() {
            let start_ns = at as i64 * 10_000;
            assert!(sensor.trigger(start_ns, TIMING, Cause { picture, ..CAUSE }));
            shown.push(sensor.take_ready(start_ns + 1_500).unwrap().picture);
        }
        assert_eq!(shown, [0, 1, 1, 2, 0]);
    }

    #[test]
    fn a_counted_acquisition_ends_with_its_last_readout() {
        let mut sensor = Sensor::start(0, 1, Some(1));
        assert!(sensor.trigger(0, TIMING, CAUSE));
        assert!(!sensor.trigger(50_000, TIMING, CAUSE));
        assert!(!sensor.is_finished());
        assert!(sensor.take_ready(1_500).is_some());
        assert!(sensor.is_finished());
    }

    #[test]
    fn triggers_beyond_the_bound_are_missed() {
        let mut sensor = Sensor::start(0, 1, None);
        for at in 0..PENDING_MAX as i64 {
            assert!(sensor.trigger(at * 10_000, TIMING, CAUSE));
        }
        assert!(!sensor.trigger(1_000_000_000, TIMING, CAUSE));
    }
}
