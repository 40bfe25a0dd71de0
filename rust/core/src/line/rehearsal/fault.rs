//! Everything that can be done to a rehearsed line, by name, and what the line promises to make of
//! it.

use smartqc_belt as belt;

use super::Rehearsal;
use super::model::Model;
use crate::actuate::simulated::Trouble;
use crate::clock::SEC;
use crate::line::deadline::Message;
use crate::outcome::{Disposition, Reason};
use crate::track::Cause;

/// A fault that lasts, lasts for so many parts.
const SPAN_PARTS: f64 = 40.0;

/// Something that befalls a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`what` says it")]
pub enum Fault {
    EncoderLoss,
    EncoderScale,
    EncoderJump,
    EncoderReset,
    EncoderFreeze,
    EncoderCut,
    Slip,
    EyeBounce,
    EyeMiss,
    EyePhantom,
    Touching,
    LengthJitter,
    TriggerMiss,
    TriggerDouble,
    FrameLost,
    FrameIncomplete,
    ModelError,
    NotANumber,
    Late,
    Overload,
    CameraLost,
    EjectorDead,
    EjectorSlow,
    EjectorStuck,
    EjectorLink,
    QueueFull,
    TooLate,
    BinFull,
    ConfirmMiss,
    ConfirmFalse,
    Rejects,
    RecordLost,
    Halt,
}

use Fault as F;

/// Every fault: its name, and what its value means.
const FAULTS: &[(Fault, &str, &str)] = &[
    (F::EncoderLoss, "encoder_loss", "share of the encoder's counts that are lost"),
    (F::EncoderScale, "encoder_scale", "share of counts that come too many"),
    (F::EncoderJump, "encoder_jump", "share of parts at which the count jumps by 20,000"),
    (F::EncoderReset, "encoder_reset", "share of parts at which the count becomes 0"),
    (F::EncoderFreeze, "encoder_freeze", "share of parts that pass a count that stands still"),
    (F::EncoderCut, "encoder_cut", "share of parts that pass while the encoder does not answer"),
    (F::Slip, "slip", "how far parts fall behind the belt: 0.01 is 1 %"),
    (F::EyeBounce, "eye_bounce", "share of the eye's edges that bounce"),
    (F::EyeMiss, "eye_miss", "share of the eye's edges that never come"),
    (F::EyePhantom, "eye_phantom", "share of gaps in which the eye sees something"),
    (F::Touching, "touching", "share of parts that touch the one ahead"),
    (F::LengthJitter, "length_jitter", "how far lengths vary either way, as a share of the length"),
    (F::TriggerMiss, "trigger_miss", "share of camera triggers that never come"),
    (F::TriggerDouble, "trigger_double", "share of camera triggers that come twice"),
    (F::FrameLost, "frame_lost", "share of frames that are numbered and never come"),
    (F::FrameIncomplete, "frame_incomplete", "share of frames with pixels missing"),
    (F::ModelError, "model_error", "share of frames at which the model fails"),
    (F::NotANumber, "nan", "share of frames whose score is no number"),
    (F::Late, "late", "share of verdicts that come 5 s late"),
    (F::Overload, "overload", "share of frames for which no worker has room"),
    (F::CameraLost, "camera_lost", "share of parts that pass while the first camera is gone"),
    (F::EjectorDead, "ejector_dead", "share of strokes that do nothing"),
    (F::EjectorSlow, "ejector_slow", "share of strokes that come 30 ms late"),
    (F::EjectorStuck, "ejector_stuck", "share of strokes whose face stays out for 5 s"),
    (F::EjectorLink, "ejector_link", "share of parts that pass while the ejector's link is cut"),
    (F::QueueFull, "queue_full", "share of parts that pass while the ejector's queue is full"),
    (F::TooLate, "too_late", "share of parts that pass while the ejector says \"too late\""),
    (F::BinFull, "bin_full", "share of parts that pass while the ejector's bin is full"),
    (F::ConfirmMiss, "confirm_miss", "share of removed parts that the bin's sensor does not see"),
    (F::ConfirmFalse, "confirm_false", "share of empty strokes that the bin's sensor confirms"),
    (F::Rejects, "rejects", "share of parts that pass while the model rejects whatever it sees"),
    (F::RecordLost, "record_lost", "share of parts that pass while no record can be written"),
    (F::Halt, "halt", "share of parts at which the belt stands still for 1.5 s"),
];

/// What a line may make of a fault, beside what it does without any: anything else breaks its
/// promise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Promise {
    pub(super) reasons: &'static [Reason],
    pub(super) dispositions: &'static [Disposition],
    pub(super) alarms: &'static [Cause],
    pub(super) stops: &'static [Cause],
    /// It asks for a stop that no part and no device is the cause of.
    pub(super) stops_for_record: bool,
}

impl Fault {
    /// Every fault.
    pub fn all() -> impl Iterator<Item = Self> {
        FAULTS.iter().map(|(fault, ..)| *fault)
    }

    /// The fault of that name.
    pub fn of(name: &str) -> Option<Self> {
        FAULTS.iter().find(|(_, known, _)| *known == name).map(|(fault, ..)| *fault)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        FAULTS.iter().find(|(fault, ..)| *fault == self).map_or("?", |(_, name, _)| name)
    }

    /// What its value means, in words.
    pub fn what(self) -> &'static str {
        FAULTS.iter().find(|(fault, ..)| *fault == self).map_or("?", |(.., what)| what)
    }

    /// What the contract promises: the row of its table.
    pub(super) fn promise(self) -> Promise {
        use Cause as C;
        use Disposition as D;
        let unjudged = |reasons| Promise { reasons, alarms: &[C::Unjudged], ..Promise::default() };
        match self {
            // So far off that frames, strokes or both find nobody where the part should be.
            F::EncoderLoss | F::EncoderScale | F::Slip | F::LengthJitter => Promise {
                reasons: &[Reason::NoFrame],
                dispositions: &[D::Unconfirmed],
                alarms: &[C::StrayFrames, C::Unjudged],
                stops: &[C::Unconfirmed],
                ..Promise::default()
            },
            F::EncoderJump | F::EncoderReset | F::EncoderFreeze | F::EncoderCut => Promise {
                // Whoever cannot be placed cannot be matched either.
                reasons: &[Reason::NoFrame, Reason::Late, Reason::Ambiguous],
                dispositions: &[D::Refused, D::Unconfirmed],
                alarms: &[C::Unjudged, C::StrayFrames],
                stops: &[
                    C::EncoderJumped,
                    C::EncoderLost,
                    C::EncoderStuck,
                    C::Refused,
                    C::Unconfirmed,
                ],
                ..Promise::default()
            },
            F::EyeBounce | F::Halt => Promise::default(),
            F::EyeMiss => Promise {
                reasons: &[Reason::NoFrame],
                dispositions: &[D::Unconfirmed, D::Refused, D::Collateral],
                alarms: &[C::StrayFrames, C::Unjudged, C::TouchingParts, C::Crowded],
                stops: &[C::Unconfirmed, C::Refused],
                ..Promise::default()
            },
            // It is announced, nobody sees it, and the stroke meets nothing.
            F::EyePhantom => Promise {
                reasons: &[Reason::NoFrame],
                dispositions: &[D::Unconfirmed, D::Refused, D::Collateral],
                alarms: &[C::Unjudged, C::Crowded],
                stops: &[C::Unconfirmed, C::Refused, C::EncoderStuck],
                ..Promise::default()
            },
            F::Touching => Promise {
                reasons: &[Reason::NoFrame],
                dispositions: &[D::Collateral, D::Unconfirmed, D::Refused],
                alarms: &[C::TouchingParts, C::Crowded, C::Unjudged, C::StrayFrames],
                stops: &[C::Unconfirmed, C::Refused],
                ..Promise::default()
            },
            F::TriggerMiss => unjudged(&[Reason::NoFrame, Reason::NoView]),
            F::TriggerDouble => unjudged(&[Reason::Ambiguous]),
            F::FrameLost => unjudged(&[Reason::LostFrame, Reason::NoFrame, Reason::NoView]),
            F::FrameIncomplete => unjudged(&[Reason::Incomplete]),
            F::ModelError | F::NotANumber => unjudged(&[Reason::ModelError]),
            F::Late => unjudged(&[Reason::Late]),
            F::Overload => unjudged(&[Reason::Overload]),
            F::CameraLost => Promise {
                reasons: &[Reason::CameraLost],
                alarms: &[C::CameraLost, C::Unjudged],
                stops: &[C::CameraLost],
                ..Promise::default()
            },
            F::EjectorDead | F::EjectorSlow | F::EjectorStuck | F::ConfirmMiss => Promise {
                dispositions: &[D::Unconfirmed],
                stops: &[C::Unconfirmed],
                ..Promise::default()
            },
            F::ConfirmFalse => Promise::default(),
            F::EjectorLink | F::BinFull => Promise {
                dispositions: &[D::Refused],
                stops: &[C::EjectorFault, C::Refused],
                ..Promise::default()
            },
            F::Rejects => Promise {
                alarms: &[C::RejectShare, C::RejectsInRow],
                stops: &[C::RejectShare, C::RejectsInRow],
                ..Promise::default()
            },
            F::RecordLost => Promise { stops_for_record: true, ..Promise::default() },
            F::QueueFull | F::TooLate => {
                Promise { dispositions: &[D::Refused], stops: &[C::Refused], ..Promise::default() }
            }
        }
    }

    /// Puts the fault into a world; `false` when it is nothing that befalls a world by itself.
    pub(in crate::line) fn befalls_world(self, share: f64, world: &mut belt::Setup) -> bool {
        let before = world.clone();
        let mut script = Script::default();
        self.apply(share, world, &mut Model::default(), &mut script);
        let timed =
            matches!(self, F::EncoderJump | F::EncoderReset | F::EncoderFreeze | F::EncoderCut);
        !timed && (share == 0.0 || *world != before)
    }

    /// Puts the fault into a world, a model, or the script.
    pub(super) fn apply(
        self,
        share: f64,
        world: &mut belt::Setup,
        model: &mut Model,
        script: &mut Script,
    ) {
        let moments = script.moments(self, share);
        let jump = |kind| {
            let at = |at_ns: &i64| belt::EncoderFault { at_s: *at_ns as f64 / 1e9, kind };
            moments.iter().map(at).collect::<Vec<_>>()
        };
        let span_s = script.span_ns as f64 / SEC as f64;
        let parts = &mut world.parts;
        let ejectors = &mut world.ejectors;
        match self {
            F::EncoderLoss => {
                world.encoder.lost_one_in = (1.0 / share.max(1e-12)).round() as u64;
            }
            F::EncoderScale => world.encoder.scale_error = share,
            F::EncoderJump => {
                world.encoder.faults.extend(jump(belt::EncoderFaultKind::Jump(20_000)));
            }
            F::EncoderReset => world.encoder.faults.extend(jump(belt::EncoderFaultKind::Reset)),
            F::EncoderFreeze => {
                let freeze = belt::EncoderFaultKind::Freeze { for_s: span_s };
                world.encoder.faults.extend(jump(freeze));
            }
            F::Slip => parts.slip = share,
            F::EyeBounce => world.eye.bounce_share = share,
            F::EyeMiss => world.eye.missed_share = share,
            F::EyePhantom => world.eye.phantom_share = share,
            F::Touching => parts.touching_share = share,
            F::LengthJitter => parts.length_jitter_mm = share * parts.length_mm,
            F::TriggerMiss => world.cameras.iter_mut().for_each(|c| c.missed_share = share),
            F::TriggerDouble => world.cameras.iter_mut().for_each(|c| c.double_share = share),
            F::FrameLost => model.lost_share = share,
            F::FrameIncomplete => model.incomplete_share = share,
            F::ModelError => model.error_share = share,
            F::NotANumber => model.nan_share = share,
            F::Late => model.slow_share = share,
            F::Overload => model.no_room_share = share,
            F::EjectorDead => ejectors.iter_mut().for_each(|e| e.dead_share = share),
            F::EjectorSlow => ejectors.iter_mut().for_each(|e| e.slow_share = share),
            F::EjectorStuck => ejectors.iter_mut().for_each(|e| e.stuck_share = share),
            F::ConfirmMiss => confirm(ejectors, |confirm| confirm.missed_share = share),
            F::ConfirmFalse => confirm(ejectors, |confirm| confirm.false_share = share),
            F::EncoderCut
            | F::CameraLost
            | F::EjectorLink
            | F::QueueFull
            | F::TooLate
            | F::BinFull
            | F::Rejects
            | F::RecordLost
            | F::Halt => script.add(self, &moments),
        }
        world.encoder.faults.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    }
}

fn confirm(ejectors: &mut [belt::EjectorModel], change: impl Fn(&mut belt::ConfirmModel)) {
    ejectors.iter_mut().filter_map(|ejector| ejector.confirm.as_mut()).for_each(change);
}

/// What is done to the line at which moment.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// First and last moment of the run, about.
    during_ns: (i64, i64),
    /// How long a fault that lasts does.
    span_ns: i64,
    parts: f64,
    /// What begins (or ends) when; the latest first.
    moments: Vec<(i64, Fault, bool)>,
    /// How long after a stop request somebody comes and resets the line.
    pub(super) operator_ns: Option<i64>,
    reset_due_ns: Option<i64>,
}

impl Script {
    pub(super) fn new(during_ns: (i64, i64), parts: u64, operator_ns: Option<i64>) -> Self {
        let parts = parts.max(1) as f64;
        let span_ns = (SPAN_PARTS * (during_ns.1 - during_ns.0) as f64 / parts) as i64;
        Self { during_ns, span_ns, parts, operator_ns, ..Self::default() }
    }

    /// Evenly over the run, as often as the share of parts asks for.
    fn moments(&self, fault: Fault, share: f64) -> Vec<i64> {
        let each = match fault {
            F::EncoderJump | F::EncoderReset | F::Halt => 1.0,
            _ => SPAN_PARTS,
        };
        let times = (share * self.parts / each).round().max(1.0);
        let (from_ns, to_ns) = self.during_ns;
        let at =
            |time: u64| from_ns + ((time as f64 + 0.5) / times * (to_ns - from_ns) as f64) as i64;
        (0..times as u64).map(at).collect()
    }

    fn add(&mut self, fault: Fault, moments: &[i64]) {
        let for_ns = if fault == F::Halt { 3 * SEC / 2 } else { self.span_ns };
        for at_ns in moments {
            self.moments.push((*at_ns, fault, true));
            self.moments.push((at_ns + for_ns, fault, false));
        }
        self.moments.sort_by_key(|(at_ns, ..)| std::cmp::Reverse(*at_ns));
    }

    pub(super) fn next_due_ns(&self) -> Option<i64> {
        let moment = self.moments.last().map(|(at_ns, ..)| *at_ns);
        [moment, self.reset_due_ns].into_iter().flatten().min()
    }
}

impl Rehearsal {
    pub(super) fn follow(&mut self, script: Script) {
        self.script = script;
    }

    /// Does what the script says, and lets the operator do theirs.
    pub(super) fn act(&mut self, now_ns: i64) {
        while let Some(&(at_ns, fault, begins)) = self.script.moments.last()
            && at_ns <= now_ns
        {
            self.script.moments.pop();
            self.befall(fault, begins, now_ns);
        }
        let Some(operator_ns) = self.script.operator_ns else { return };
        if self.script.reset_due_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            self.script.reset_due_ns = None;
            self.tell(Message::Reset);
        } else if self.script.reset_due_ns.is_none() && self.line.stop_asked() {
            self.script.reset_due_ns = Some(now_ns + operator_ns);
        }
    }

    fn befall(&mut self, fault: Fault, begins: bool, now_ns: i64) {
        let trouble = |trouble| begins.then_some(trouble);
        match fault {
            F::EncoderCut => self.world.cut_encoder(begins),
            F::EjectorLink => self.world.cut_ejector(0, begins),
            F::QueueFull => self.world.trouble(0, trouble(Trouble::QueueFull)),
            F::TooLate => self.world.trouble(0, trouble(Trouble::TooLate)),
            F::BinFull => self.world.trouble(0, trouble(Trouble::BinFull)),
            F::Rejects => self.line.outlet().rejects_all = begins,
            F::RecordLost => self.line.outlet().record_lost(begins),
            F::Halt if begins => self.world.halt(now_ns),
            F::Halt => self.world.resume(now_ns),
            F::CameraLost => {
                self.camera_gone = begins;
                let view = 0;
                self.tell(if begins {
                    Message::CameraLost { view }
                } else {
                    Message::CameraBack { view }
                });
            }
            _ => {}
        }
    }
}
