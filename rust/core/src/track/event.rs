//! What the tracker is told, and what it wants done. Everything is `Copy`: frames themselves stay
//! with the line thread, which asks only whose a frame is.

use super::setup::MOST_VIEWS;
use crate::actuate::{ActuatorEvent, Answer, Command, Key};
use crate::frame::{Disorder, FrameInfo};
use crate::outcome::{ClassId, Disposition, Outcome, PartId, Reason, ViewVerdict};
use crate::sense::{Edge, Reading};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// The encoder was read.
    Encoder(Reading),
    /// The encoder does not answer any more.
    EncoderLost,
    /// The photo-eye's signal changed.
    Edge(Edge),
    /// The photo-eye does not answer any more.
    SensorLost,
    /// A part is at the place where calls announce, says the integrator's code.
    Announce {
        /// When its leading edge was there.
        at_ns: i64,
    },
    /// A frame came; exactly one [`Action`] answers whose it is.
    Frame(Seen),
    /// A camera numbered exposures whose frames never came; told before the next frame.
    Gap {
        /// Which camera.
        view: u8,
        /// How many.
        lost: u64,
    },
    /// A camera is gone.
    CameraLost {
        /// Which.
        view: u8,
    },
    /// It is back.
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
    /// What a view says of a part.
    Verdict {
        /// The part.
        part: PartId,
        /// The camera.
        view: u8,
        /// What it says.
        verdict: ViewVerdict,
    },
    /// What a device answered to [`Action::Fire`].
    Answer {
        /// Whose command.
        key: Key,
        /// The answer.
        answer: Answer,
    },
    /// Whether [`Action::Cancel`] came in time.
    Cancelled {
        /// Whose command.
        key: Key,
        /// It will not fire.
        done: bool,
    },
    /// An ejector tells something.
    Actuator {
        /// Which ejector.
        ejector: u8,
        /// What.
        event: ActuatorEvent,
    },
    /// Announce nothing that is seen after now; what is on the belt goes its way until `drain_ns`.
    Stop {
        /// When the rest becomes `unjudged(stopped)`.
        drain_ns: i64,
    },
    /// Everything in flight is `unjudged(stopped)`, now, and nothing fires any more.
    Abort,
    /// The next so many parts are known to be bad: each must be rejected and leave.
    Challenge {
        /// How many, up to [`super::MOST_CHALLENGE`].
        parts: u32,
        /// Of which class; any, unless said.
        class: Option<ClassId>,
        /// They are announced before this.
        until_ns: i64,
    },
    /// Somebody has looked after the alarms and stop requests.
    Reset,
}

/// What matching needs to know of a frame; unless said otherwise, a whole one of the first camera,
/// exposed at 0 and in its turn, with nothing in its chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Which camera.
    pub view: u8,
    /// When the exposure began.
    pub captured_ns: i64,
    /// How wrong that may be.
    pub error_ns: i64,
    /// Encoder count at the exposure, latched by the camera.
    pub encoder_count: Option<u64>,
    /// The camera's own count of its trigger pulses at the exposure.
    pub counter: Option<u64>,
    /// Pixels are missing.
    pub incomplete: bool,
    /// The camera's number of the frame.
    pub frame_id: u64,
    /// What is wrong with that number, if something is.
    pub disorder: Option<Disorder>,
}

impl Seen {
    /// The part of a frame's description that may be used for matching.
    pub fn of(view: u8, info: &FrameInfo) -> Self {
        Self {
            view,
            captured_ns: info.captured_ns,
            error_ns: info.captured_error_ns,
            encoder_count: info.encoder_count,
            counter: info.counter,
            incomplete: info.incomplete,
            frame_id: info.frame_id,
            disorder: info.disorder,
        }
    }
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// There is a new part.
    Announced {
        /// Its number.
        part: PartId,
        /// When it was seen.
        at_ns: i64,
    },
    /// The frame at hand is this part's: have it judged.
    Judge(Judge),
    /// The frame at hand is this part's, but there is nothing to judge: why, in `reason`.
    Unjudged {
        /// The part.
        part: PartId,
        /// The camera.
        view: u8,
        /// Incomplete, ambiguous, overload, or late: its outcome was frozen before the frame came.
        reason: Reason,
    },
    /// The frame at hand is nobody's, or was there before.
    Stray {
        /// The camera.
        view: u8,
    },
    /// A part's outcome is frozen.
    Commit(Committed),
    /// A verdict came after its part's commit, or twice: record it, it changes nothing.
    LateVerdict {
        /// The part.
        part: PartId,
        /// The camera.
        view: u8,
        /// What it says.
        verdict: ViewVerdict,
    },
    /// Give this to the ejector of its key, and tell [`Event::Answer`].
    Fire {
        /// The command.
        command: Command,
        /// When it should have been given: the deadline against which the line thread is measured.
        due_ns: i64,
    },
    /// Take the command back, and tell [`Event::Cancelled`].
    Cancel(Key),
    /// What became of a part at an ejector.
    Disposition {
        /// The part.
        part: PartId,
        /// What.
        disposition: Disposition,
    },
    /// What came of [`Event::Challenge`].
    Challenged(Challenged),
    /// A part passed a camera, and its frame is overdue, or several did: is it still there?
    Doubt {
        /// The camera.
        view: u8,
    },
    /// Somebody should look. Said once until it is over or [`Event::Reset`].
    Alarm(Cause),
    /// The belt should stop. Said once until [`Event::Reset`].
    StopRequest(Cause),
}

/// A frame to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// The part it shows.
    pub part: PartId,
    /// The camera.
    pub view: u8,
    /// When the verdict is needed if the belt runs at full speed: order work by this.
    pub due_ns: i64,
    /// When it is needed at the speed of now: skip work only by this.
    pub live_due_ns: i64,
}

/// What came of a challenge; bit n stands for part `first + n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenged {
    /// Its first part.
    pub first: PartId,
    /// How many parts it has.
    pub parts: u32,
    /// Those that were announced and committed in time.
    pub seen: u64,
    /// Those that were rejected, for the class that was asked for.
    pub rejected: u64,
    /// Those that left, as far as the line can know.
    pub ejected: u64,
}

impl Challenged {
    /// Whether every part was rejected and left.
    pub fn passed(&self) -> bool {
        self.ejected.count_ones() == self.parts
    }
}

/// A frozen outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Committed {
    /// The part.
    pub part: PartId,
    /// What was decided.
    pub outcome: Outcome,
    /// Greatest defect score of its judged views; `None` when no view was judged.
    pub score: Option<f32>,
    /// The ejector that is to remove it.
    pub remove: Option<u8>,
    /// For each camera why its view is not judged; `None` for one that is.
    pub unjudged: [Option<Reason>; MOST_VIEWS],
    /// When it was seen first.
    pub announced_ns: i64,
    /// When the outcome was frozen.
    pub committed_ns: i64,
    /// When its last verdict came.
    pub verdict_ns: Option<i64>,
    /// Time that was left between that verdict and the latest possible commit.
    pub slack_ns: Option<i64>,
    /// The belt's position at which its leading edge was at the eye, if that is known.
    pub origin_mm: Option<f64>,
    /// Its length, where the eye measured it.
    pub length_mm: Option<f64>,
}

/// Why the line calls for help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Many parts are not judged.
    Unjudged,
    /// A part was not judged, and the policy is to stop.
    UnjudgedPart,
    /// Many rejects in a row.
    RejectsInRow,
    /// Many rejects.
    RejectShare,
    /// Frames that belong to no part.
    StrayFrames,
    /// Parts that touch: the eye saw them as one.
    TouchingParts,
    /// A camera is gone.
    CameraLost,
    /// More exposures are missing than a camera can lose: its numbers jumped.
    FrameIdJump,
    /// The encoder does not answer.
    EncoderLost,
    /// The encoder's count made a jump that no belt can make.
    EncoderJumped,
    /// Parts pass the eye while the encoder stands still.
    EncoderStuck,
    /// The photo-eye does not answer.
    SensorLost,
    /// No stroke spares the neighbours.
    Crowded,
    /// A part that should be removed could not be.
    Refused,
    /// A part that should have been removed was not seen to leave.
    Unconfirmed,
    /// An ejector is in trouble.
    EjectorFault,
    /// A part that is known to be bad was not rejected, did not leave, or never came.
    ChallengeFailed,
    /// No challenge was passed for as long as the limits allow.
    ChallengeDue,
    /// More parts than the line remembers.
    Overload,
    /// The line was aborted.
    Aborted,
    /// The line thread panicked.
    Panicked,
}
