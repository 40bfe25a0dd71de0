//! From a camera's clock to the host's.
//!
//! A frame arrives some time after its exposure, never before: the least difference between arrival
//! and timestamp is the clocks' offset plus the least latency. Where the camera's clock can be
//! latched, that offset is measured between two readings of the host's clock, and the least
//! differences only follow the drift; else the latency is what the user says it is.

use crate::clock::{MS, SEC};

/// How long the least difference is looked for before a new search replaces the one before.
const SPAN_NS: i64 = 10 * SEC;
/// Oscillators of cameras and hosts agree within this many parts in a million.
const DRIFT_PPM: i64 = 200;
/// Frames out of order go back in time, but less far than a clock that was set anew (or one that
/// shows only the fraction of a second: TLSimu's).
const BACK_NS: i64 = 200 * MS;
/// A latch by which the first frame was taken so long before the start, or after its own arrival,
/// measured something else.
const ABSURD_NS: i64 = SEC;
/// How wrong a capture time may be while nothing is known of the latency: 45 ms is a 5 MP image over
/// GigE.
const UNKNOWN_LATENCY_NS: i64 = 50 * MS;

/// Maps timestamps of one camera, from its start on.
#[derive(Clone, Debug)]
pub(crate) struct ClockMap {
    /// Measured by a latch: offset of the clocks and how wrong it may be.
    latched: Option<(i64, i64)>,
    latency_ns: Option<i64>,
    /// When the camera was started: no frame was taken before.
    started_ns: i64,
    /// Beginning of the present search, its least difference, and that of the one before.
    since_ns: i64,
    least_ns: Option<i64>,
    former_ns: Option<i64>,
    /// The least difference of the first search, at the time of the latch.
    first_ns: Option<i64>,
    /// When the first search began.
    began_ns: i64,
    /// The latest timestamp.
    device_ns: i64,
}

/// How the camera's clock stands to the host's (`CLOCK_MONOTONIC`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClockReading {
    /// What is added to a timestamp of the camera, ns.
    pub offset_ns: i64,
    /// How wrong the mapped time may be, ns.
    pub error_ns: i64,
    /// By how much the camera's clock is slower than the host's, in parts in a million; `None` until
    /// it was followed for some seconds.
    pub drift_ppm: Option<f64>,
    /// Whether the offset was measured by latching the camera's clock, and not from arrivals alone.
    pub is_latched: bool,
}

/// When a frame was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) at_ns: i64,
    pub(crate) error_ns: i64,
}

impl ClockMap {
    /// `latched` is the host's clock less the camera's, and its error; `latency_ns` from the
    /// capture to the arrival is what the user says; the camera is started now, at `started_ns`.
    pub(crate) fn new(
        latched: Option<(i64, i64)>,
        latency_ns: Option<i64>,
        started_ns: i64,
    ) -> Self {
        Self {
            latched,
            latency_ns,
            started_ns,
            since_ns: 0,
            least_ns: None,
            former_ns: None,
            first_ns: None,
            began_ns: 0,
            device_ns: i64::MIN,
        }
    }

    /// Maps one frame; `device_ns` is its timestamp, where it has one.
    pub(crate) fn map(&mut self, device_ns: Option<i64>, arrived_ns: i64) -> Captured {
        let latency_ns = self.latency_ns.unwrap_or(0);
        // A user's figure is believed to a tenth.
        let latency_error_ns = self.latency_ns.map_or(UNKNOWN_LATENCY_NS, |ns| ns / 10 + MS);
        let Some(device_ns) = device_ns else {
            return Captured { at_ns: arrived_ns - latency_ns, error_ns: latency_error_ns };
        };
        if device_ns < self.device_ns.saturating_sub(BACK_NS) {
            *self = Self::new(None, self.latency_ns, arrived_ns);
        }
        self.device_ns = self.device_ns.max(device_ns);
        let difference_ns = arrived_ns.saturating_sub(device_ns);
        self.look(difference_ns, arrived_ns);
        let least_ns = self.least_ns.unwrap_or(difference_ns);
        let least_ns = self.former_ns.map_or(least_ns, |former| former.min(least_ns));
        let drift_error_ns = (arrived_ns - self.since_ns).max(0) / 1_000_000 * DRIFT_PPM;
        let captured = match self.latched {
            Some((offset_ns, error_ns)) => {
                let drift_ns = least_ns - self.first_ns.unwrap_or(least_ns);
                Captured {
                    at_ns: device_ns.saturating_add(offset_ns).saturating_add(drift_ns),
                    error_ns: error_ns + drift_error_ns,
                }
            }
            None => Captured {
                at_ns: device_ns.saturating_add(least_ns) - latency_ns,
                error_ns: latency_error_ns + drift_error_ns,
            },
        };
        // A picture can't arrive before it was taken.
        Captured { at_ns: captured.at_ns.min(arrived_ns), ..captured }
    }

    /// How the clocks stood at a frame that was mapped so; `None` without a timestamp.
    pub(crate) fn reading(
        &self,
        device_ns: Option<i64>,
        captured: Captured,
    ) -> Option<ClockReading> {
        let device_ns = device_ns?;
        let drift_ppm = self.first_ns.zip(self.former_ns).and_then(|(first_ns, former_ns)| {
            // Between the middles of two searches.
            let apart_ns = self.since_ns - SPAN_NS / 2 - (self.began_ns + SPAN_NS / 2);
            (apart_ns >= SPAN_NS / 2).then(|| (former_ns - first_ns) as f64 / apart_ns as f64 * 1e6)
        });
        Some(ClockReading {
            offset_ns: captured.at_ns.saturating_sub(device_ns),
            error_ns: captured.error_ns,
            drift_ppm,
            is_latched: self.latched.is_some(),
        })
    }

    fn look(&mut self, difference_ns: i64, arrived_ns: i64) {
        match self.least_ns {
            None => {
                self.since_ns = arrived_ns;
                self.began_ns = arrived_ns;
                self.least_ns = Some(difference_ns);
                // A latch in other units than the frames' timestamps measured nothing. The frame may
                // have waited since the start for somebody to fetch it, and no longer.
                let longest_ns = arrived_ns.saturating_sub(self.started_ns).max(0);
                self.latched.take_if(|(offset_ns, error_ns)| {
                    let ago_ns = difference_ns.saturating_sub(*offset_ns);
                    let slack_ns = ABSURD_NS.saturating_add(*error_ns);
                    !(-slack_ns..=longest_ns.saturating_add(slack_ns)).contains(&ago_ns)
                });
            }
            Some(_) if arrived_ns - self.since_ns > SPAN_NS => {
                self.first_ns = self.first_ns.or(self.least_ns);
                self.former_ns = self.least_ns;
                self.since_ns = arrived_ns;
                self.least_ns = Some(difference_ns);
            }
            Some(least) => self.least_ns = Some(least.min(difference_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_timestamp_the_arrival_counts_less_the_latency() {
        let mut map = ClockMap::new(None, Some(45 * MS), 0);
        let captured = map.map(None, SEC);
        assert_eq!(captured.at_ns, SEC - 45 * MS);
        assert!(captured.error_ns < 6 * MS);
        assert_eq!(ClockMap::new(None, None, 0).map(None, SEC).error_ns, UNKNOWN_LATENCY_NS);
    }

    #[test]
    fn a_late_arrival_does_not_move_the_capture() {
        let mut map = ClockMap::new(None, Some(10 * MS), 777 * SEC);
        let offset = 777 * SEC;
        for (frame, jitter) in [0, 3, 9, 1, 30, 0, 14].into_iter().enumerate() {
            let device = frame as i64 * 100 * MS;
            let captured = map.map(Some(device), device + offset + (10 + jitter) * MS);
            assert_eq!(captured.at_ns, device + offset, "frame {frame}");
        }
    }

    #[test]
    fn a_latched_clock_needs_no_latency() {
        let offset = -5 * SEC;
        let mut map = ClockMap::new(Some((offset, 2_000)), None, 9 * SEC + offset);
        let captured = map.map(Some(9 * SEC), 9 * SEC + offset + 45 * MS);
        assert_eq!(captured, Captured { at_ns: 9 * SEC + offset, error_ns: 2_000 });
    }

    #[test]
    fn a_latch_in_other_units_is_not_believed() {
        let mut map = ClockMap::new(Some((0, 1_000)), None, 4_999 * SEC);
        let captured = map.map(Some(SEC), 5_000 * SEC);
        assert_eq!(captured, Captured { at_ns: 5_000 * SEC, error_ns: UNKNOWN_LATENCY_NS });
    }

    #[test]
    fn a_latch_is_believed_only_if_it_puts_the_first_frame_between_the_start_and_its_arrival() {
        // A camera that was on for so long, whose latch in ns was taken for ticks of 125 MHz, or of
        // 999.9 MHz; and one whose latch is right.
        for (up_s, hz, is_right) in [
            (1, 125_000_000, false),
            (8, 125_000_000, false),
            (60, 125_000_000, false),
            (60_000, 999_900_000, false),
            (60, SEC, true),
        ] {
            let device_ns = up_s * SEC;
            let latched_ns = (i128::from(device_ns) * i128::from(SEC) / i128::from(hz)) as i64;
            let started_ns = 100_000 * SEC;
            let latched = Some((started_ns - latched_ns, 30_000));
            let mut map = ClockMap::new(latched, None, started_ns);
            let captured = map.map(Some(device_ns + MS), started_ns + 5 * MS);
            let wrong_ns = (captured.at_ns - (started_ns + MS)).abs();
            assert!(wrong_ns <= captured.error_ns, "{up_s} s, {hz} Hz: {captured:?}");
            assert_eq!(map.latched.is_some(), is_right, "{up_s} s, {hz} Hz");
        }
        // Nobody fetched the first frame for half a minute, which is no fault of the latch.
        let mut map = ClockMap::new(Some((0, 1_000)), None, 100 * SEC);
        let captured = map.map(Some(100 * SEC + MS), 130 * SEC);
        assert_eq!(captured, Captured { at_ns: 100 * SEC + MS, error_ns: 1_000 });
    }

    #[test]
    fn a_drifting_clock_is_followed() {
        let mut map = ClockMap::new(Some((0, 1_000)), None, 0);
        let mut worst = 0;
        for frame in 0..6_000_i64 {
            let host = frame * 100 * MS;
            // The camera's clock runs 50 parts in a million slow.
            let device = host - host / 1_000_000 * 50;
            let latency = 5 * MS + frame % 7 * MS;
            let captured = map.map(Some(device), host + latency);
            worst = worst.max((captured.at_ns - host).abs());
            assert!((captured.at_ns - host).abs() <= captured.error_ns + 2 * MS);
        }
        let drift = map.reading(Some(0), Captured { at_ns: 0, error_ns: 0 }).unwrap().drift_ppm;
        assert!((drift.unwrap() - 50.0).abs() < 5.0, "{drift:?}");
        assert!(worst < 2 * MS, "{worst} ns after ten minutes, which alone would be 30 ms");
    }

    #[test]
    fn a_clock_that_goes_back_is_measured_anew() {
        let mut map = ClockMap::new(Some((1_000 * SEC, 1_000)), None, 1_499 * SEC);
        map.map(Some(500 * SEC), 1_500 * SEC);
        let early = map.map(Some(500 * SEC - 100 * MS), 1_500 * SEC);
        assert_eq!(early.at_ns, 1_500 * SEC - 100 * MS, "a frame out of order resets nothing");
        let captured = map.map(Some(1), 1_600 * SEC);
        assert_eq!(captured.at_ns, 1_600 * SEC);
        assert!(captured.error_ns >= UNKNOWN_LATENCY_NS);
    }
}
