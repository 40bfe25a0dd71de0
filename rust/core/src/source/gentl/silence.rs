//! When a camera may be silent, and for how long: what its features mean, and what came lately.

use std::time::Duration;

use super::triggers;
use crate::source::features::{Features, Value};

/// A camera that delivers by itself is not held for silent sooner ...
const LEAST_SILENCE: Duration = Duration::from_millis(600);
/// ... nor before it has left out so many frames.
const SILENT_FRAMES: u32 = 4;
/// A camera that has just come back may take longer for its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(2);
/// While parts pass a camera, a silence of so long is no reason for doubt yet.
const SHORT_SILENCE: Duration = Duration::from_millis(250);
/// No camera means to deliver more slowly: a timestamp that says so is wrong.
const SLOWEST: Duration = Duration::from_secs(60);

/// When the next frame may be expected, as the camera's features say now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    pub(super) turn: Turn,
    /// Exposure and readout of one frame, as far as they are told.
    pub(super) in_flight: Duration,
}

/// Who decides when the camera exposes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// It does, and leaves no more than this between two frames.
    Free(Duration),
    /// A trigger, or a count of frames that comes to its end.
    Asked,
    /// The features do not say.
    Unknown,
}

impl Pace {
    /// Reads it. Moves the selector of the triggers, and puts it back.
    pub(super) fn of(features: &Features) -> Self {
        let text = |name: &str| match features.get(name) {
            Ok(Value::Text(text)) => Some(text),
            _ => None,
        };
        let positive = |name: &&str| match features.get(name) {
            Ok(Value::Float(number)) if number > 0.0 => Some(number),
            Ok(Value::Int(number @ 1..)) => Some(number as f64),
            _ => None,
        };
        let us = |names: &[&str]| {
            let us = names.iter().find_map(positive).unwrap_or(0.0);
            Duration::try_from_secs_f64(us / 1e6).unwrap_or(SLOWEST)
        };
        let exposure = us(&["ExposureTime", "ExposureTimeAbs"]);
        let in_flight = exposure.saturating_add(us(&["SensorReadoutTime", "SimReadoutTime"]));
        let is_counted = text("AcquisitionMode").is_some_and(|mode| mode != "Continuous");
        if is_counted || triggers::is_any_on(features) {
            return Self { turn: Turn::Asked, in_flight };
        }
        let is_off = |name| matches!(features.get(name), Ok(Value::Bool(false) | Value::Int(0)));
        // SFNC and older spelling. Without it the rate is a number that means nothing.
        let has_rate =
            !is_off("AcquisitionFrameRateEnable") && !is_off("AcquisitionFrameRateEnabled");
        let told = ["AcquisitionResultingFrameRate", "ResultingFrameRate"];
        let wanted = ["AcquisitionFrameRate"].into_iter().filter(|_| has_rate);
        let hz = told.iter().copied().chain(wanted).find_map(|name| positive(&name));
        let period = hz.map(|hz| Duration::try_from_secs_f64(1.0 / hz).unwrap_or(SLOWEST));
        let turn = match period {
            Some(period) => Turn::Free(period.max(in_flight)),
            None if in_flight > Duration::ZERO => Turn::Free(in_flight),
            None => Turn::Unknown,
        };
        Self { turn, in_flight }
    }
}

/// For how long a camera may be silent before that shows that it is gone.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// The user's word, which no feature changes; `Some(None)` is for ever.
    said: Option<Option<Duration>>,
    pace: Pace,
    /// What held before the pace changed: a frame that was begun by then comes in its own time.
    before: Duration,
    /// The time between two frames of late: a link may be slower than the camera.
    lately: Duration,
    is_recovered: bool,
    has_delivered: bool,
}

impl Silence {
    /// `said_ns` is the user's word, 0 for ever; a recovered camera has delivered before.
    pub(super) fn new(said_ns: Option<i64>, pace: Pace, is_recovered: bool) -> Self {
        let said = said_ns.map(|ns| (ns > 0).then(|| Duration::from_nanos(ns.unsigned_abs())));
        let (before, lately) = (Duration::ZERO, Duration::ZERO);
        Self { said, pace, before, lately, is_recovered, has_delivered: false }
    }

    /// Whether features say how long it may be, and not the user.
    pub(super) fn follows_features(&self) -> bool {
        self.said.is_none()
    }

    /// A frame came, so long after the one before or, for the first, after the start.
    pub(super) fn frame(&mut self, after: Duration) {
        // One long pause is forgotten within some frames.
        self.lately = after.min(SLOWEST).max(self.lately / 2);
        (self.has_delivered, self.before) = (true, Duration::ZERO);
    }

    /// The features say this now.
    pub(super) fn turn_to(&mut self, pace: Pace) {
        // A camera that can't be asked is held to what it said.
        if pace != self.pace && pace.turn != Turn::Unknown {
            (self.pace, self.lately) = (pace, Duration::ZERO);
        }
    }

    /// The features were set since the last frame, and say this now. What they said in between nobody
    /// has seen, and a frame may have been begun then.
    pub(super) fn turn_before_a_frame(&mut self, pace: Pace) {
        let before = self.by_itself().unwrap_or_default().max(self.pace.in_flight * 2);
        self.turn_to(pace);
        self.before = before.max(FIRST_FRAME);
    }

    /// How long it may be while the camera delivers by itself; `None` while it does not.
    fn by_itself(&self) -> Option<Duration> {
        let Turn::Free(period) = self.pace.turn else { return None };
        let frames = period.max(self.lately).saturating_mul(SILENT_FRAMES);
        Some(frames.max(LEAST_SILENCE).max(self.before))
    }

    /// Whether a silence of so long shows that a camera that means to deliver is gone.
    pub(super) fn shows(&self, silent: Duration) -> bool {
        let limit = match self.said {
            Some(said) => said,
            None => self.by_itself(),
        };
        let first = match (self.has_delivered, self.is_recovered) {
            (true, _) => Duration::ZERO,
            (false, true) => FIRST_FRAME,
            (false, false) => return false,
        };
        limit.is_some_and(|limit| silent > limit.max(first))
    }

    /// Whether a silence of so long shows it while parts pass that the camera should have seen.
    pub(super) fn shows_beside_parts(&self, silent: Duration) -> bool {
        let may_be_for_ever = self.said == Some(None);
        let in_flight = self.pace.in_flight.saturating_mul(2);
        let limit = SHORT_SILENCE.max(in_flight).max(self.before);
        self.has_delivered && !may_be_for_ever && silent > limit
    }
}

#[cfg(test)]
mod tests {
    use super::super::triggers::tests::camera;
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn free(period: u64, in_flight: u64) -> Pace {
        Pace { turn: Turn::Free(MS(period)), in_flight: MS(in_flight) }
    }

    fn delivering(pace: Pace) -> Silence {
        let mut silence = Silence::new(None, pace, false);
        silence.frame(MS(10));
        silence
    }

    #[test]
    fn a_fast_camera_is_gone_after_600_ms_and_a_slow_one_after_four_frames() {
        let fast = delivering(free(10, 5));
        assert!(!fast.shows(MS(600)) && fast.shows(MS(601)));
        let slow = delivering(free(2000, 5));
        assert!(!slow.shows(MS(8000)) && slow.shows(MS(8001)));
    }

    #[test]
    fn before_its_first_frame_a_camera_may_be_silent_and_a_recovered_one_for_two_seconds() {
        assert!(!Silence::new(None, free(10, 5), false).shows(MS(100_000)));
        let recovered = Silence::new(None, free(10, 5), true);
        assert!(!recovered.shows(MS(2000)) && recovered.shows(MS(2001)));
    }

    #[test]
    fn a_triggered_camera_is_silent_for_ever_unless_parts_pass() {
        let triggered = |exposure| delivering(Pace { turn: Turn::Asked, in_flight: MS(exposure) });
        let camera = triggered(5);
        assert!(!camera.shows(MS(1_000_000)));
        assert!(!camera.shows_beside_parts(MS(250)) && camera.shows_beside_parts(MS(251)));
        let camera = triggered(1000);
        assert!(!camera.shows_beside_parts(MS(2000)) && camera.shows_beside_parts(MS(2001)));
    }

    #[test]
    fn what_the_user_says_holds_whatever_the_features_say() {
        let mut for_ever = Silence::new(Some(0), free(10, 5), false);
        for_ever.frame(MS(10));
        assert!(!for_ever.shows(MS(1_000_000)) && !for_ever.shows_beside_parts(MS(1_000_000)));
        let mut short = Silence::new(Some(100_000_000), free(2000, 5), false);
        short.frame(MS(2000));
        assert!(!short.shows(MS(100)) && short.shows(MS(101)) && !short.follows_features());
    }

    #[test]
    fn a_change_holds_from_the_first_frame_after_it() {
        // To half a frame a second: the next frame comes when it comes.
        let mut camera = delivering(free(10, 5));
        camera.turn_before_a_frame(free(2000, 5));
        assert!(!camera.shows(MS(8000)) && camera.shows(MS(8001)));
        // And back: the frame that was begun before may still be on its way.
        camera.turn_before_a_frame(free(10, 5));
        assert!(!camera.shows(MS(8000)) && camera.shows(MS(8001)));
        camera.frame(MS(10));
        assert!(camera.shows(MS(601)));
        // There and back, before anybody looked.
        camera.turn_before_a_frame(free(10, 5));
        assert!(!camera.shows(MS(2000)) && camera.shows(MS(2001)));
        // A frame came since.
        camera.frame(MS(10));
        camera.turn_to(free(1000, 5));
        assert!(!camera.shows(MS(4000)) && camera.shows(MS(4001)));
        // A trigger is turned on, and off while nothing came.
        camera.turn_to(Pace { turn: Turn::Asked, in_flight: MS(5) });
        assert!(!camera.shows(MS(1_000_000)));
        camera.turn_before_a_frame(free(10, 5));
        assert!(!camera.shows(MS(2000)) && camera.shows(MS(2001)));
    }

    #[test]
    fn a_camera_that_cannot_be_asked_is_held_to_what_it_said() {
        let mut camera = delivering(free(10, 5));
        camera.turn_to(Pace { turn: Turn::Unknown, in_flight: Duration::ZERO });
        assert!(camera.shows(MS(601)));
    }

    #[test]
    fn a_slow_link_is_learnt_and_a_pause_is_forgotten() {
        let mut camera = delivering(free(1, 1));
        camera.frame(MS(700));
        assert!(!camera.shows(MS(2800)) && camera.shows(MS(2801)));
        for _ in 0..4 {
            camera.frame(MS(10));
        }
        assert!(camera.shows(MS(601)));
        camera.frame(Duration::MAX);
        assert!(camera.shows(MS(240_001)), "no timestamp makes it immortal");
    }

    #[test]
    fn the_rate_counts_only_while_it_is_enabled_and_never_below_the_exposure() {
        let rate = [("AcquisitionFrameRate", 10), ("ExposureTime", 20_000)];
        let pace = |enable: i64, exposure: i64| {
            let camera = camera(&rate);
            camera.set("AcquisitionFrameRateEnable", &Value::Int(enable)).unwrap();
            camera.set("ExposureTime", &Value::Int(exposure)).unwrap();
            Pace::of(&camera)
        };
        assert_eq!(pace(1, 20_000), free(100, 20));
        assert_eq!(pace(0, 20_000), free(20, 20));
        assert_eq!(pace(1, 3_000_000), free(3000, 3000));
        assert_eq!(pace(0, 0).turn, Turn::Unknown);
    }

    #[test]
    fn a_trigger_counts_and_so_does_a_count_of_frames() {
        let camera = camera(&[("AcquisitionFrameRate", 10), ("AcquisitionFrameRateEnable", 1)]);
        let set = |name: &str, text: &str| camera.set(name, &Value::Text(text.into())).unwrap();
        assert_eq!(Pace::of(&camera).turn, Turn::Free(MS(100)));
        set("TriggerMode[FrameStart]", "On");
        assert_eq!(Pace::of(&camera).turn, Turn::Asked);
        set("TriggerMode[FrameStart]", "Off");
        set("AcquisitionMode", "SingleFrame");
        assert_eq!(Pace::of(&camera).turn, Turn::Asked);
    }
}
