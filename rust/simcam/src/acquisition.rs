//! The way of the frames from the sensor to the host: in order and at once, unless a fault strikes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::faults::{FaultKind, Strikes};
use crate::pictures::Pictures;
use crate::sensor::{Exposure, Sensor};

/// One run from `AcquisitionStart` to its end.
pub(crate) struct Acquisition {
    pub(crate) number: u64,
    pub(crate) started_ns: i64,
    pub(crate) sensor: Sensor,
    pub(crate) pictures: Arc<Pictures>,
    /// Frames that have been read out, in the order of their delivery.
    outgoing: VecDeque<Outgoing>,
    /// One that lets the next go first.
    overtaken: Option<Outgoing>,
}

/// A frame on its way to the host.
pub(crate) struct Outgoing {
    at_ns: i64,
    pub(crate) exposure: Exposure,
    pub(crate) strikes: Strikes,
}

impl Acquisition {
    pub(crate) fn new(
        number: u64,
        started_ns: i64,
        sensor: Sensor,
        pictures: Arc<Pictures>,
    ) -> Self {
        let outgoing = VecDeque::new();
        Self { number, started_ns, sensor, pictures, outgoing, overtaken: None }
    }

    /// Sends a frame that has been read out on its way, with what befalls it.
    pub(crate) fn send(&mut self, exposure: Exposure, strikes: Strikes, now_ns: i64) {
        if strikes.has(FaultKind::Dropped) || strikes.has(FaultKind::Stalled) {
            return;
        }
        let late_ns = strikes.get(FaultKind::Late).map_or(0, |ms| (ms * 1e6).round() as i64);
        let at_ns = now_ns.saturating_add(late_ns);
        let lets_pass = strikes.has(FaultKind::OutOfOrder);
        let frame = Outgoing { at_ns, exposure, strikes };
        if lets_pass && self.overtaken.is_none() {
            self.overtaken = Some(frame);
            return;
        }
        self.outgoing.push_back(frame);
        if let Some(overtaken) = self.overtaken.take() {
            self.outgoing.push_back(Outgoing { at_ns, ..overtaken });
        }
    }

    /// Takes the oldest frame if it has arrived; no other passes it.
    pub(crate) fn take_due(&mut self, now_ns: i64) -> Option<Outgoing> {
        if self.outgoing.front()?.at_ns > now_ns {
            return None;
        }
        self.outgoing.pop_front()
    }

    /// When the next frame is read out or arrives.
    pub(crate) fn next_ns(&self) -> Option<i64> {
        let arrives_ns = self.outgoing.front().map(|frame| frame.at_ns);
        [arrives_ns, self.sensor.next_ready_ns()].into_iter().flatten().min()
    }

    /// Sends a frame that nothing comes to overtake any more; tells whether there was one.
    pub(crate) fn send_overtaken(&mut self) -> bool {
        let overtaken = self.overtaken.take();
        let is_sent = overtaken.is_some();
        self.outgoing.extend(overtaken);
        is_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Faults, Rule};
    use crate::sensor::{Cause, Timing};

    const TIMING: Timing = Timing { exposure_ns: 10, readout_ns: 0, period_ns: 10 };
    const CAUSE: Cause = Cause { picture: None, part_id: 0, encoder_count: 0, line0_count: 0 };

    /// Exposes a frame each 100 ns and tells when which of them arrive.
    fn arrivals(kind: FaultKind, frame: u64, value: f64, frames: u64) -> Vec<(i64, u64)> {
        let mut faults = Faults::new(0);
        let (first, last) = (frame, frame);
        let rule = Rule { enabled: true, first, last, value, ..Rule::new(kind) };
        faults.set(kind, rule);
        let pictures = Arc::new(Pictures::of_nothing());
        let sensor = Sensor::start(0, 1, Some(frames));
        let mut run = Acquisition::new(1, 0, sensor, pictures);
        let mut seen = Vec::new();
        for now_ns in (0..100 * frames as i64 + 1000).step_by(10) {
            if now_ns % 100 == 0 {
                let _ = run.sensor.trigger(now_ns, TIMING, CAUSE);
            }
            if let Some(exposure) = run.sensor.take_ready(now_ns) {
                let strikes = faults.strike_frame(exposure.frame_id, now_ns, now_ns);
                run.send(exposure, strikes, now_ns);
            }
            while let Some(arrived) = run.take_due(now_ns) {
                seen.push((now_ns, arrived.exposure.frame_id));
            }
            if run.next_ns().is_none() && run.sensor.is_finished() {
                run.send_overtaken();
            }
        }
        seen
    }

    #[test]
    fn frames_arrive_when_they_are_read_out() {
        assert_eq!(arrivals(FaultKind::Incomplete, 0, 0.5, 2), [(10, 0), (110, 1)]);
    }

    #[test]
    fn a_late_frame_holds_back_only_those_that_would_pass_it() {
        let late = arrivals(FaultKind::Late, 1, 150e-6, 4);
        assert_eq!(late, [(10, 0), (260, 1), (260, 2), (310, 3)]);
    }

    #[test]
    fn an_overtaken_frame_arrives_with_the_next_or_when_none_comes() {
        let overtaken = arrivals(FaultKind::OutOfOrder, 1, 0.0, 3);
        assert_eq!(overtaken, [(10, 0), (210, 2), (210, 1)]);
        let last = arrivals(FaultKind::OutOfOrder, 1, 0.0, 2);
        assert_eq!(last, [(10, 0), (120, 1)]);
    }

    #[test]
    fn a_dropped_frame_never_arrives() {
        assert_eq!(arrivals(FaultKind::Dropped, 0, 0.0, 2), [(110, 1)]);
    }
}
