//! What the tracker has to know of the plant: places, times and policies. All lengths are along the
//! belt, all places are measured from the photo-eye (or from wherever a call announces parts).

use crate::actuate::Capabilities;
use crate::clock::{MS, SEC};
use crate::outcome::{ClassId, Outcome};
use crate::sense::Latch;

/// Most cameras that may look at one part.
pub const MOST_VIEWS: usize = 8;

/// Most ejectors along one line.
pub const MOST_EJECTORS: usize = 8;

/// Everything the tracker knows before the first part comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Session of the line: part of every command's key, so that a device which outlives the
    /// process does not mistake a new part 1 for the old one.
    pub session: u64,
    /// The belt; without one, frames are matched by their time and nothing can be ejected.
    pub belt: Option<Belt>,
    /// What announces a part.
    pub announced_by: AnnouncedBy,
    /// How wrong the instant of an announcement may be: the sensor's latch, or the camera's clock.
    pub announce_error_ns: i64,
    /// The cameras, each giving one view of every part.
    pub views: Vec<View>,
    /// The ejectors.
    pub ejectors: Vec<Ejector>,
    /// What is done with outcomes.
    pub policy: Policy,
    /// When to call for help.
    pub limits: Limits,
    /// Without an ejector: time from where the last camera sees a part to its commit.
    pub budget_ns: i64,
    /// Margin before the least lead of an ejector: what may pass between the commit and the call of
    /// [`crate::actuate::Actuator::schedule`].
    pub guard_ns: i64,
    /// Time from exposure to verdict that 99.9 % of frames keep to; 0 when nobody knows it yet.
    pub decision_ns: i64,
    /// Parts that are remembered at once.
    pub capacity: usize,
}

impl Setup {
    /// One camera, no belt, no ejector: every frame is a part.
    pub fn camera_only() -> Self {
        Self {
            session: 0,
            belt: None,
            announced_by: AnnouncedBy::Frame,
            announce_error_ns: 0,
            views: vec![View::default()],
            ejectors: Vec::new(),
            policy: Policy::default(),
            limits: Limits::default(),
            budget_ns: SEC / 5,
            guard_ns: MS,
            decision_ns: 0,
            capacity: 256,
        }
    }

    /// Where a part's leading edge is when view `index` is exposed.
    pub fn seen_mm(&self, index: usize) -> f64 {
        let view = &self.views[index];
        let part_mm = self.belt.as_ref().map_or(0.0, |belt| belt.part_mm);
        view.at_mm + view.behind_lead_mm.unwrap_or(part_mm / 2.0)
    }

    /// The view that announces parts when frames do: the first along the belt.
    pub fn first_view(&self) -> usize {
        let along = |&a: &usize, &b: &usize| self.seen_mm(a).total_cmp(&self.seen_mm(b));
        (0..self.views.len()).min_by(along).unwrap_or(0)
    }
}

/// The belt and what lies on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Belt {
    /// How its position is known.
    pub motion: Motion,
    /// It never runs faster.
    pub max_speed_mm_s: f64,
    /// Length of a part.
    pub part_mm: f64,
    /// Parts are at least this far apart, rear to leading edge.
    pub least_gap_mm: f64,
    /// How fast its speed may change.
    pub max_accel_mm_s2: f64,
    /// How far parts may fall behind the belt: 0.01 is 1 %.
    pub slip: f64,
}

/// How the belt's position is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motion {
    /// An encoder tells.
    Encoder {
        /// Travel of one count.
        mm_per_count: f64,
        /// Width of its counter.
        count_bits: u32,
        /// How its readings are latched.
        latch: Latch,
    },
    /// It runs at this speed, always.
    Steady {
        /// The speed.
        speed_mm_s: f64,
    },
}

/// What announces a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncedBy {
    /// The frame of the first camera along the belt.
    Frame,
    /// The photo-eye.
    Sensor,
    /// The integrator's code.
    Call,
}

/// One camera's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Centre of the field of view.
    pub at_mm: f64,
    /// The point of the part that is there at the exposure, behind the leading edge; its middle
    /// unless given.
    pub behind_lead_mm: Option<f64>,
    /// How far from its expected time a frame may be, at full speed, and still belong to the part.
    pub window_ns: i64,
}

impl Default for View {
    fn default() -> Self {
        Self { at_mm: 0.0, behind_lead_mm: None, window_ns: 5 * MS }
    }
}

/// An ejector's geometry and times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ejector {
    /// Centre of its face.
    pub at_mm: f64,
    /// Width of its face along the belt.
    pub face_mm: f64,
    /// Command to the beginning of the effect.
    pub dead_ns: i64,
    /// Effect that must land on the part.
    pub hit_ns: i64,
    /// Beginning of the effect until the face is out of the way.
    pub occupied_ns: i64,
    /// From then until it can strike again.
    pub recover_ns: i64,
    /// How long its output is held.
    pub pulse_ns: i64,
    /// With a confirm sensor: how long after the command it may take to see the part.
    pub confirm_ns: i64,
    /// What the device behind it can do.
    pub device: Capabilities,
}

/// What is done with outcomes; may change between two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How the views of a part become one outcome.
    pub combine: Combine,
    /// What happens to a part that was not judged.
    pub on_unjudged: OnUnjudged,
    /// What happens when no stroke spares the neighbours.
    pub on_crowded: OnCrowded,
    /// Which ejector removes what.
    pub routes: Routes,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            combine: Combine::Any,
            on_unjudged: OnUnjudged::Reject,
            on_crowded: OnCrowded::Fire,
            routes: Routes::default(),
        }
    }
}

/// How the views of a part become one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// One view that rejects is enough; the class is the first such view's.
    Any,
    /// Rejected only when every view rejects; passed when one passes.
    All,
    /// More than half of the views decide; a tie of judged views rejects.
    Vote,
    /// One view that rejects is enough; the class is that of the greatest score.
    Worst,
}

/// What happens to a part that was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnjudged {
    /// It is removed as a reject would be.
    Reject,
    /// It stays on the belt.
    Pass,
    /// It stays, and the line asks for a stop.
    Stop,
}

/// What happens when no stroke spares the neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCrowded {
    /// Fire; the neighbours that may be hit are booked as collateral.
    Fire,
    /// Do not fire, and ask for a stop.
    Stop,
}

/// Which ejector removes which class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Ejector by class; classes beyond its end go to `others`.
    pub by_class: Vec<u8>,
    /// Ejector of every other class and of unjudged parts.
    pub others: u8,
}

impl Routes {
    /// The ejector for an outcome that is to be removed.
    pub fn ejector(&self, outcome: Outcome) -> u8 {
        match outcome {
            Outcome::Reject(class) => self.class(class),
            Outcome::Pass | Outcome::Unjudged(_) => self.others,
        }
    }

    fn class(&self, class: ClassId) -> u8 {
        self.by_class.get(usize::from(class)).copied().unwrap_or(self.others)
    }
}

/// When to call for help. Shares are of the last 100 parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Alarm when more than this share was unjudged.
    pub unjudged_share: f64,
    /// Alarm when more than this share was rejected, and a stop request above twice that, or half way
    /// from it to all.
    pub reject_share: f64,
    /// Alarm after this many rejects in a row, and a stop request after twice as many.
    pub rejects_in_row: u32,
    /// How long a camera may be gone before the line asks for a stop.
    pub lost_ns: i64,
    /// Alarm when no challenge was passed for so long.
    pub challenge_every_ns: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unjudged_share: 0.05,
            reject_share: 0.5,
            rejects_in_row: 10,
            lost_ns: 2 * SEC,
            challenge_every_ns: None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The pusher of the example configuration.
    pub(in crate::track) fn pusher() -> Ejector {
        Ejector {
            at_mm: 700.0,
            face_mm: 50.0,
            dead_ns: 12 * MS,
            hit_ns: 15 * MS,
            occupied_ns: 60 * MS,
            recover_ns: 40 * MS,
            pulse_ns: 20 * MS,
            confirm_ns: SEC / 2,
            device: Capabilities {
                lead_ns: MS,
                queue: 8,
                jitter_ns: 0,
                can_cancel: true,
                confirms: true,
            },
        }
    }

    /// 100 mm parts, 60 mm apart, at up to 1 m/s; eye, one camera at 120 mm, pusher at 700 mm.
    pub(in crate::track) fn boards() -> Setup {
        let latch = Latch::Hardware;
        Setup {
            session: 7,
            belt: Some(Belt {
                motion: Motion::Encoder { mm_per_count: 0.1, count_bits: 32, latch },
                max_speed_mm_s: 1000.0,
                part_mm: 100.0,
                least_gap_mm: 60.0,
                max_accel_mm_s2: 1000.0,
                slip: 0.0,
            }),
            announced_by: AnnouncedBy::Sensor,
            views: vec![View { at_mm: 120.0, ..View::default() }],
            ejectors: vec![pusher()],
            decision_ns: 60 * MS,
            ..Setup::camera_only()
        }
    }
}
