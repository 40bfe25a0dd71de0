//! The line thread: the only one that knows where parts are, and the one that fires.
//!
//! It owns the tracker, the sensors and the ejectors, waits only on its clock and its channel, and
//! hands work out through an [`Outlet`].

mod fifo;
mod inbox;
mod signals;
mod thread;

pub use fifo::{ask as ask_to_go_ahead, slice};
pub use inbox::{Inbox, Messages, messages};
pub use signals::Signals;
pub use thread::{LineThread, Wake};

use crossbeam_channel::Sender;

use crate::frame::Frame;
use crate::outcome::{ClassId, Counts, Disposition, PartId, Reason, ViewVerdict};
use crate::track::{Cause, Challenged, Committed, Policy};

/// What other threads tell the line thread. `D` is whatever the workers want to hand on with a
/// verdict (scores, the frame); it comes out again at [`Outlet::verdict`].
#[derive(Debug)]
pub enum Message<D> {
    /// A camera's frame.
    Frame {
        /// The camera, as an index into the setup's views.
        view: u8,
        /// The frame.
        frame: Frame,
    },
    /// A camera numbered exposures whose frames never came.
    Gap {
        /// The camera.
        view: u8,
        /// How many.
        lost: u64,
    },
    /// A camera is gone.
    CameraLost {
        /// The camera.
        view: u8,
    },
    /// It is back.
    CameraBack {
        /// The camera.
        view: u8,
    },
    /// A camera was stopped because somebody wants it so.
    CameraStopped {
        /// The camera.
        view: u8,
    },
    /// It was started again.
    CameraStarted {
        /// The camera.
        view: u8,
    },
    /// What a view says of a part.
    Verdict {
        /// The part of the [`Job`].
        part: PartId,
        /// The view of the [`Job`].
        view: u8,
        /// What it says.
        verdict: ViewVerdict,
        /// For the [`Outlet`].
        detail: D,
    },
    /// A part is at the place where calls announce.
    Announce {
        /// When its leading edge was there.
        at_ns: i64,
    },
    /// From now on, what is not yet committed is treated so.
    Policy(Box<Policy>),
    /// The next so many parts are known to be bad; tells whether the challenge has begun, which it
    /// has not while another one runs.
    Challenge {
        /// How many.
        parts: u32,
        /// Of which class; any, unless said.
        class: Option<ClassId>,
        /// They are announced before this.
        until_ns: i64,
        /// The answer.
        begun: Sender<bool>,
    },
    /// Tell how it goes.
    Report(Sender<Report>),
    /// Announce nothing any more; let what is on the belt go its way until `drain_ns`, then end.
    Stop {
        /// When the rest becomes `unjudged(stopped)`.
        drain_ns: i64,
    },
    /// Everything in flight is `unjudged(stopped)`; safe state; end.
    Abort,
    /// Somebody has looked after the alarms and stop requests.
    Reset,
}

/// A frame to be judged, and for whom.
#[derive(Debug)]
pub struct Job {
    /// The part it shows.
    pub part: PartId,
    /// The camera that saw it.
    pub view: u8,
    /// When the verdict is needed if the belt runs at full speed: order work by this.
    pub due_ns: i64,
    /// When it is needed at the speed of now: skip work only by this.
    pub live_due_ns: i64,
    /// The picture.
    pub frame: Frame,
}

/// Where the line thread hands things out. Nothing in here may block or wait for a lock.
///
/// For one part the order is: `announced`, then `judge` or `unjudged` for each frame and `verdict`
/// for each verdict, `committed` exactly once, and after it dispositions; late verdicts may come
/// at any time after.
pub trait Outlet: Send {
    /// What comes along with a verdict.
    type Detail: Send;

    /// There is a new part.
    fn announced(&mut self, part: PartId, at_ns: i64);

    /// A frame to be judged.
    ///
    /// # Errors
    /// The job, when nobody has room for it: the view is `unjudged(overload)`.
    fn judge(&mut self, job: Job) -> Result<(), Job>;

    /// A part's frame that cannot be judged, for the record.
    fn unjudged(&mut self, part: PartId, view: u8, reason: Reason, frame: Frame);

    /// A frame that is nobody's; it goes home when it is dropped.
    fn stray(&mut self, view: u8, frame: Frame);

    /// What a worker said, with its detail; before the commit that it causes. `late`: it changes
    /// nothing any more.
    fn verdict(
        &mut self,
        part: PartId,
        view: u8,
        verdict: ViewVerdict,
        late: bool,
        detail: Self::Detail,
    );

    /// An outcome is frozen.
    fn committed(&mut self, committed: &Committed);

    /// What became of a part at an ejector.
    fn disposition(&mut self, part: PartId, disposition: Disposition, at_ns: i64);

    /// Something about the line as a whole.
    fn event(&mut self, event: LineEvent, at_ns: i64);

    /// Parts passed this camera that none of its frames was of: is it still there?
    fn doubt(&mut self, _view: u8) {}

    /// The line thread is about to sleep until this instant: until when may it, if nobody rings? It
    /// looks into its channels once more after this.
    fn sleeps(&self, until_ns: i64) -> i64 {
        until_ns
    }

    /// Whether something that the line thread does not see asks for a stop: a record that is lost.
    fn asks_stop(&self) -> bool {
        false
    }
}

/// Something about the line as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// Somebody should look.
    Alarm(Cause),
    /// The belt should stop; latches until a reset.
    StopRequest(Cause),
    /// Whether every part that comes to an ejector is one the line has seen, and nothing asks for a
    /// stop.
    Ready(bool),
    /// What came of a challenge.
    Challenged(Challenged),
    /// A camera that was gone delivers again.
    CameraBack {
        /// Which.
        view: u8,
    },
    /// A camera was stopped because somebody wants it so.
    CameraStopped {
        /// Which.
        view: u8,
    },
    /// It was started again.
    CameraStarted {
        /// Which.
        view: u8,
    },
    /// An output of `[signals]` does not reach the plant: its name.
    SignalLost(&'static str),
    /// An ejector could not be armed again after a reset.
    NotArmed {
        /// Which.
        ejector: u8,
    },
    /// The kernel refused `SCHED_FIFO`: a busy machine may make the line late, the more so where it
    /// knows no short slices ([`Scheduling`]).
    NotRealtime,
    /// After a stop: nothing is in flight any more, and the ejectors are disarmed.
    Drained,
}

/// How it goes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The parts.
    pub counts: Counts,
    /// Whether the line is ready, as told by [`LineEvent::Ready`].
    pub ready: bool,
    /// Whether a stop was requested since the last reset: the output of that name.
    pub stop: bool,
    /// Whether there was an alarm since the last reset: the output of that name.
    pub alarm: bool,
    /// Whether a challenge runs.
    pub challenge: bool,
    /// Challenges that were passed, and that were not.
    pub challenges: [u64; 2],
    /// The belt's speed.
    pub speed_mm_s: f64,
    /// Frames that belonged to no part.
    pub stray_frames: u64,
    /// How the thread is scheduled.
    pub scheduling: Scheduling,
    /// It ended by a panic; the devices are in their safe state.
    pub panicked: bool,
    /// From when a command should have been given to when it was.
    pub lateness: Lateness,
}

/// How the line thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// It is stepped; there is no thread.
    Stepped,
    /// As `SCHED_FIFO`, ahead of every ordinary thread.
    Fifo,
    /// The kernel refused `SCHED_FIFO`; beside ordinary threads it goes first when it wakes, for as
    /// long as it needs little (Linux 6.12 and later).
    Short {
        /// `EPERM` where the process lacks the privilege.
        errno: i32,
        /// For so long at a time.
        slice_ns: u64,
    },
    /// Like every other thread: the kernel refused `SCHED_FIFO`, with this `errno`.
    Ordinary {
        /// `EPERM` where the process lacks the privilege.
        errno: i32,
    },
}

impl Scheduling {
    /// The word that Python and records use for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stepped => "stepped",
            Self::Fifo => "fifo",
            Self::Short { .. } => "short_slices",
            Self::Ordinary { .. } => "ordinary",
        }
    }
}

/// From when commands should have been given to when they were, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Commands.
    pub count: u64,
    /// Half of them were this late at most.
    pub p50_ns: u64,
    /// 99 %.
    pub p99_ns: u64,
    /// 99.9 %.
    pub p999_ns: u64,
    /// All.
    pub max_ns: u64,
}

#[cfg(test)]
mod tests;
