//! Where every part is, and what becomes of it: announce, match, combine, commit, schedule.
//!
//! A pure machine: it has no clock, no lock and no device. It is told what happened and when, and
//! says what to do. At every instant each part that was announced is in flight or has exactly one
//! outcome, and [`Tracker::counts`] says so.
//!
//! - `announce` makes parts of edges, frames, calls and lost exposures.
//! - `matching` finds the part that a frame shows, by where the part must have been.
//! - `commit` freezes outcomes when their time has come; `combine` makes one of many views.
//! - `schedule` fires when the leading edge is where it must be; `geometry` knows where that is.
//! - `challenge` puts known bad parts to the test.
//! - `alarms` counts what goes wrong, and calls for help; `silence` finds cameras that say nothing.
//! - `position` unrolls the encoder; `part` remembers parts; `feasible` refuses what cannot work, and
//!   `plan` says what would.

mod alarms;
mod announce;
mod challenge;
mod combine;
mod commit;
mod event;
mod feasible;
mod geometry;
mod matching;
mod part;
mod plan;
mod position;
mod schedule;
mod setup;
mod silence;

pub(crate) use matching::sound;

pub use challenge::MOST_CHALLENGE;
pub use event::{Action, Cause, Challenged, Committed, Event, Judge, Seen};
pub use plan::{EjectorPlan, Limit, Plan};
pub use setup::{
    AnnouncedBy, Belt, Combine, Ejector, Limits, MOST_EJECTORS, MOST_VIEWS, Motion, OnCrowded,
    OnUnjudged, Policy, Routes, Setup, View,
};

use self::alarms::Alarms;
use self::announce::Eye;
use self::challenge::Challenge;
use self::part::{Parts, Stage};
use self::position::{Heard, Position};
use self::silence::Silence;
use crate::actuate::ActuatorEvent;
use crate::clock::SEC;
use crate::error::Result;
use crate::outcome::{Counts, PartId};

/// Half as fast again as a belt ever runs is no belt any more.
const FASTEST: f64 = 1.5;

/// Without a belt time is position: so many "mm" a second.
const NO_BELT_MM_S: f64 = 1000.0;

/// The tracker of one line.
#[derive(Debug)]
pub struct Tracker {
    setup: Setup,
    position: Position,
    max_speed_mm_s: f64,
    part_mm: f64,
    first_view: usize,
    seen_mm: [f64; MOST_VIEWS],
    last_seen_mm: f64,
    last_station_mm: f64,
    /// No ejector is told before a part's leading edge is here, however fast the belt runs.
    first_send_mm: f64,
    parts: Parts,
    next_part: PartId,
    counts: Counts,
    eye: Eye,
    alarms: Alarms,
    cameras: [Camera; MOST_VIEWS],
    /// When the previous stroke of each ejector will be over.
    free_again_ns: [i64; MOST_EJECTORS],
    /// Position from which on every part was seen by the line.
    known_from_mm: Option<f64>,
    stopping: Option<Stopping>,
    challenge: Option<Challenge>,
    /// When the last challenge was passed, or the line began.
    challenged_ns: Option<i64>,
    stray_frames: u64,
    next_due_ns: Option<i64>,
}

/// What is known of a camera beside its frames.
#[derive(Clone, Copy, Debug, Default)]
struct Camera {
    lost_since_ns: Option<i64>,
    /// Exposures that were numbered and whose parts are not yet found.
    lost_frames: u64,
    /// The number of its last frame that came in its turn.
    last_id: Option<u64>,
    /// A part's number less the camera's count of its trigger, as of the last frame that was placed.
    counted_from: Option<i64>,
    silence: Silence,
    /// Somebody wants it so.
    stopped: bool,
}

/// The line is ending.
#[derive(Clone, Copy, Debug)]
struct Stopping {
    since_ns: i64,
    drain_ns: i64,
}

impl Tracker {
    /// A tracker for this plant.
    ///
    /// # Errors
    /// What [`Setup::check`] finds.
    pub fn new(setup: Setup) -> Result<Self> {
        setup.check()?;
        let (motion, max_speed_mm_s, part_mm) = match &setup.belt {
            Some(belt) => (belt.motion, belt.max_speed_mm_s, belt.part_mm),
            None => (Motion::Steady { speed_mm_s: NO_BELT_MM_S }, NO_BELT_MM_S, 0.0),
        };
        let mut seen_mm = [0.0; MOST_VIEWS];
        for (index, seen) in seen_mm.iter_mut().enumerate().take(setup.views.len()) {
            *seen = setup.seen_mm(index);
        }
        let last_seen_mm = seen_mm.iter().copied().fold(0.0, f64::max);
        let faces = setup.ejectors.iter().map(|ejector| ejector.at_mm + ejector.face_mm);
        let sends = setup.ejectors.iter().map(|ejector| {
            let ahead_ns = ejector.dead_ns + ejector.device.lead_ns + setup.guard_ns;
            let ahead_mm = FASTEST * max_speed_mm_s * ahead_ns as f64 / SEC as f64;
            ejector.at_mm + ejector.face_mm / 2.0 - part_mm - ahead_mm
        });
        Ok(Self {
            position: Position::new(motion, max_speed_mm_s),
            max_speed_mm_s,
            part_mm,
            first_view: setup.first_view(),
            seen_mm,
            last_seen_mm,
            last_station_mm: faces.fold(last_seen_mm, f64::max),
            first_send_mm: sends.fold(f64::INFINITY, f64::min),
            parts: Parts::new(setup.capacity),
            next_part: 1,
            counts: Counts::default(),
            eye: Eye::default(),
            alarms: Alarms::default(),
            cameras: [Camera::default(); MOST_VIEWS],
            free_again_ns: [i64::MIN; MOST_EJECTORS],
            known_from_mm: None,
            stopping: None,
            challenge: None,
            challenged_ns: None,
            stray_frames: 0,
            next_due_ns: None,
            setup,
        })
    }

    /// Takes in what happened by `now_ns`, does what is due and adds to `actions` what is to be done.
    pub fn on(&mut self, event: Event, now_ns: i64, actions: &mut Vec<Action>) {
        let before = actions.len();
        match event {
            Event::Tick if self.nothing_due(now_ns) => return,
            Event::Tick => {}
            Event::Encoder(reading) => {
                if self.position.read(reading) == Heard::Jumped {
                    self.void_positions(Cause::EncoderJumped, now_ns, actions);
                }
            }
            Event::EncoderLost => {
                self.position.forget();
                self.void_positions(Cause::EncoderLost, now_ns, actions);
            }
            Event::Edge(edge) => self.edge(edge, now_ns, actions),
            Event::SensorLost => self.alarms.stop(Cause::SensorLost, actions),
            Event::Announce { at_ns } => self.call(at_ns, now_ns, actions),
            Event::Frame(seen) => self.frame(seen, now_ns, actions),
            Event::Gap { view, lost } => self.gap(view, lost, now_ns, actions),
            Event::CameraLost { view } => self.camera_lost(view, now_ns, actions),
            Event::CameraBack { view } | Event::CameraStarted { view } => self.camera_runs(view),
            Event::CameraStopped { view } => self.camera_stopped(view),
            Event::Verdict { part, view, verdict } => {
                self.verdict(part, view, verdict, now_ns, actions);
            }
            Event::Answer { key, answer } => self.answered(key, answer, actions),
            Event::Cancelled { key, done } => self.cancelled(key, done),
            Event::Actuator { ejector, event } => match event {
                ActuatorEvent::Executed { .. } => {}
                ActuatorEvent::Dropped { key } => self.dropped(key, actions),
                ActuatorEvent::Confirmed { key } => self.confirmed(key, true, actions),
                ActuatorEvent::Unconfirmed { key } => self.confirmed(key, false, actions),
                ActuatorEvent::Fault => {
                    debug_assert!(usize::from(ejector) < self.setup.ejectors.len());
                    self.alarms.stop(Cause::EjectorFault, actions);
                }
            },
            Event::Stop { drain_ns } => {
                self.stopping.get_or_insert(Stopping { since_ns: now_ns, drain_ns });
            }
            Event::Abort => self.abort(now_ns, actions),
            Event::Challenge { parts, class, until_ns } => {
                self.begin_challenge(parts, class, until_ns);
            }
            Event::Reset => self.alarms = self.alarms.reset(),
        }
        self.advance(now_ns, actions);
        if self.challenge.is_some() {
            let due_ns = self.watch_challenge(before, now_ns, actions);
            self.next_due_ns = earlier(self.next_due_ns, due_ns);
        }
    }

    /// From now on, what is not yet committed is treated so.
    ///
    /// # Errors
    /// [`crate::error::Error::Invalid`] for a route to an ejector that is not there; nothing changes.
    pub fn set_policy(&mut self, policy: Policy) -> Result<()> {
        let before = std::mem::replace(&mut self.setup.policy, policy);
        self.setup.check().inspect_err(|_| self.setup.policy = before)
    }

    /// When [`Tracker::on`] must be called again, if nothing else happens before. With an encoder it
    /// is also called with every reading.
    pub fn next_due_ns(&self) -> Option<i64> {
        self.next_due_ns
    }

    /// The parts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Frames that belonged to no part.
    pub fn stray_frames(&self) -> u64 {
        self.stray_frames
    }

    /// The belt's speed, 0 when it stands still or is not known.
    pub fn speed_mm_s(&self) -> f64 {
        self.position.speed_mm_s()
    }

    /// Whether every part that comes to an ejector is one that the line has seen, every camera is
    /// there and runs, and nothing asks for a stop.
    pub fn ready(&self, now_ns: i64) -> bool {
        let known = self.setup.ejectors.is_empty()
            || match (self.position.at(now_ns), self.known_from_mm) {
                (Some(now_mm), Some(from_mm)) => {
                    now_mm - from_mm >= self.last_station_mm + self.part_mm
                }
                _ => false,
            };
        let missing = |camera: &Camera| camera.lost_since_ns.is_some() || camera.stopped;
        let cameras = !self.cameras[..self.setup.views.len()].iter().any(missing);
        known && cameras && self.stopping.is_none() && !self.alarms.stop_asked()
    }

    /// Whether nothing is on its way any more.
    pub fn idle(&mut self) -> bool {
        let live = self.parts.live();
        live.into_iter().all(|index| self.parts.get(index).stage == Stage::Gone)
    }

    /// Where the leading edge of a part is, if that is known.
    fn lead_mm(&self, index: usize, now_ns: i64) -> Option<f64> {
        Some(self.position.at(now_ns)? - self.parts.get(index).origin_mm?)
    }

    /// When something that moves at `speed_mm_s` is `distance_mm` further; `None` when it never is.
    fn reached_ns(now_ns: i64, distance_mm: f64, speed_mm_s: f64) -> Option<i64> {
        let travel_ns = distance_mm / speed_mm_s * SEC as f64;
        // Beyond a day it is as good as never, and the sum stays a number.
        (travel_ns.abs() < 86_400.0 * SEC as f64).then(|| now_ns + travel_ns as i64)
    }

    fn nothing_due(&self, now_ns: i64) -> bool {
        self.known_from_mm.is_some() && self.next_due_ns.is_none_or(|due_ns| now_ns < due_ns)
    }

    /// Does what is due, and finds what is due next.
    fn advance(&mut self, now_ns: i64, actions: &mut Vec<Action>) {
        if self.known_from_mm.is_none() {
            self.known_from_mm = self.position.at(now_ns);
        }
        let mut next: Option<i64> = self.check_cameras(now_ns, actions);
        next = earlier(next, self.remind_challenge(now_ns, actions));
        if self.stopping.is_some_and(|stopping| now_ns >= stopping.drain_ns) {
            self.end_all(now_ns, actions);
        } else if let Some(stopping) = self.stopping {
            next = earlier(next, Some(stopping.drain_ns));
        }
        for index in self.parts.live() {
            next = earlier(next, self.advance_part(index, now_ns, actions));
        }
        next = earlier(next, self.doubt_silent(now_ns, actions));
        self.next_due_ns = next;
    }

    /// Takes one part as far as it gets by now; when it wants to be looked at again.
    fn advance_part(
        &mut self,
        index: usize,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<i64> {
        if self.parts.get(index).open() {
            let silent_ns = self.await_frames(index, now_ns);
            let Some(due_ns) = self.commit_due_ns(index, now_ns) else { return silent_ns };
            if due_ns > now_ns {
                return earlier(silent_ns, Some(due_ns));
            }
            self.commit(index, due_ns, now_ns, None, actions);
        }
        match self.parts.get(index).stage {
            Stage::Open | Stage::Gone => None,
            Stage::Firing { ejector, class } => self.fire(index, ejector, class, now_ns, actions),
            Stage::Sent { .. } => self.sent(index, now_ns, actions),
            Stage::Passing => self.pass_by(index, now_ns),
        }
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
