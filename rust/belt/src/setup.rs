//! What the world is like: plain data, checked once when the belt is built.

use crate::speed::SpeedProfile;

/// Everything a [`Belt`](crate::Belt) is made of.
///
/// Distances are mm along the belt from the photo-eye's beam, durations ms. A `*_share` is a
/// probability from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// All chance comes from this; the same setup and commands give the same world, to the bit.
    pub seed: u64,
    /// How fast the belt runs.
    pub speed: SpeedProfile,
    /// The encoder on the belt.
    pub encoder: EncoderModel,
    /// The parts laid on the belt.
    pub parts: PartsModel,
    /// The photo-eye, at 0 mm.
    pub eye: EyeModel,
    /// The cameras' triggers; at most 32.
    pub cameras: Vec<CameraModel>,
    /// The ejectors; at most 255.
    pub ejectors: Vec<EjectorModel>,
    /// Where the belt ends: a part whose rear passes here was kept. `None`: 100 mm behind the last
    /// station.
    pub exit_mm: Option<f64>,
}

impl Default for Setup {
    /// 100 mm parts 60 mm apart at 1 m/s, a camera at 120 mm, an ejector at 700 mm, and no faults.
    fn default() -> Setup {
        Setup {
            seed: 1,
            speed: SpeedProfile::steady(1000.0),
            encoder: EncoderModel::default(),
            parts: PartsModel::default(),
            eye: EyeModel::default(),
            cameras: vec![CameraModel::default()],
            ejectors: vec![EjectorModel::default()],
            exit_mm: None,
        }
    }
}

/// An incremental encoder: counts of belt travel.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderModel {
    /// What the line believes one count to be.
    pub mm_per_count: f64,
    /// How many more counts come than `mm_per_count` says: 0.01 is 1 % too many.
    pub scale_error: f64,
    /// One count in about this many is lost; 0 loses none.
    pub lost_one_in: u64,
    /// Width of the counter in bits, 1 to 64: it rolls over to 0.
    pub count_bits: u32,
    /// Count at the start.
    pub start_count: u64,
    /// Faults, ordered by time.
    pub faults: Vec<EncoderFault>,
}

impl Default for EncoderModel {
    fn default() -> EncoderModel {
        EncoderModel {
            mm_per_count: 0.1,
            scale_error: 0.0,
            lost_one_in: 0,
            count_bits: 32,
            start_count: 0,
            faults: Vec::new(),
        }
    }
}

/// Something that befalls the encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderFault {
    /// When, in seconds after the start.
    pub at_s: f64,
    /// What.
    pub kind: EncoderFaultKind,
}

/// What befalls the encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EncoderFaultKind {
    /// The count becomes 0 and runs on.
    Reset,
    /// The count jumps by so many counts and runs on.
    Jump(i64),
    /// The count stands still for so many seconds while the belt runs; those counts are lost.
    Freeze {
        /// For how long.
        for_s: f64,
    },
}

/// The parts and how they are laid on the belt.
#[derive(Debug, Clone, PartialEq)]
pub struct PartsModel {
    /// How many; `None` never ends, and the ledger grows with every part.
    pub total: Option<u64>,
    /// Belt travel before the first leading edge reaches the eye.
    pub first_mm: f64,
    /// Length along the belt.
    pub length_mm: f64,
    /// Lengths vary uniformly by so much either way.
    pub length_jitter_mm: f64,
    /// From a part's rear to the next part's leading edge, at the eye.
    pub gap: Gap,
    /// Share of parts that touch the one ahead (gap 0), whatever `gap` says.
    pub touching_share: f64,
    /// How far parts fall behind the belt from the eye on, per mm of belt: 0.01 is 1 %.
    pub slip: f64,
    /// Slips vary uniformly by so much either way, from part to part. A part slides rather than
    /// run into the one ahead.
    pub slip_jitter: f64,
    /// What each part carries for the caller: which photograph, whether it is a defect.
    pub tags: Tags,
}

impl Default for PartsModel {
    fn default() -> PartsModel {
        PartsModel {
            total: Some(1000),
            first_mm: 100.0,
            length_mm: 100.0,
            length_jitter_mm: 0.0,
            gap: Gap::Fixed { mm: 60.0 },
            touching_share: 0.0,
            slip: 0.0,
            slip_jitter: 0.0,
            tags: Tags::Index,
        }
    }
}

/// How the gaps between parts are distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gap {
    /// Always the same.
    Fixed {
        /// The gap.
        mm: f64,
    },
    /// Uniform between two values.
    Uniform {
        /// Smallest gap.
        least_mm: f64,
        /// Largest gap.
        most_mm: f64,
    },
    /// A least gap plus an exponentially distributed rest, as parts that come by chance have.
    Exponential {
        /// Smallest gap.
        least_mm: f64,
        /// Mean gap, the least one included.
        mean_mm: f64,
    },
}

impl Gap {
    /// The smallest gap it can give.
    pub fn least_mm(self) -> f64 {
        match self {
            Gap::Fixed { mm } => mm,
            Gap::Uniform { least_mm, .. } | Gap::Exponential { least_mm, .. } => least_mm,
        }
    }
}

/// The tag of part n.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// n itself.
    Index,
    /// The list's entries in order, from the start again when it ends.
    InTurn(Vec<u64>),
    /// An entry drawn by the seed; entries may repeat to weigh them.
    Drawn(Vec<u64>),
}

/// The photo-eye: it sees whether anything is in its beam.
#[derive(Debug, Clone, PartialEq)]
pub struct EyeModel {
    /// Gaps up to this stay dark: the second part has no edge of its own. Touching parts never do.
    pub blind_gap_mm: f64,
    /// From the edge in the beam to the signal.
    pub delay_ms: f64,
    /// The delay varies by up to this, always more.
    pub jitter_ms: f64,
    /// Share of rising edges, and of falling edges, that never reach the signal.
    pub missed_share: f64,
    /// Share of edges that bounce: one to three extra pairs of edges.
    pub bounce_share: f64,
    /// Within which bounces come.
    pub bounce_ms: f64,
    /// Share of gaps in which something that is no part (dust, an insect) makes a short pulse.
    pub phantom_share: f64,
}

impl Default for EyeModel {
    fn default() -> EyeModel {
        EyeModel {
            blind_gap_mm: 0.0,
            delay_ms: 0.0,
            jitter_ms: 0.0,
            missed_share: 0.0,
            bounce_share: 0.0,
            bounce_ms: 2.0,
            phantom_share: 0.0,
        }
    }
}

/// Where and how faithfully a camera is triggered.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraModel {
    /// Centre of the field of view.
    pub at_mm: f64,
    /// The point of the part that triggers there.
    pub trigger: TriggerPoint,
    /// Triggers come up to this late.
    pub jitter_ms: f64,
    /// Share of triggers that never come.
    pub missed_share: f64,
    /// Share of triggers that come twice.
    pub double_share: f64,
    /// From a trigger to its double.
    pub double_after_ms: f64,
}

impl Default for CameraModel {
    fn default() -> CameraModel {
        CameraModel {
            at_mm: 120.0,
            trigger: TriggerPoint::Middle,
            jitter_ms: 0.0,
            missed_share: 0.0,
            double_share: 0.0,
            double_after_ms: 5.0,
        }
    }
}

/// The point of a part that triggers a camera when it passes the camera's `at_mm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TriggerPoint {
    /// Its middle.
    Middle,
    /// So far behind its leading edge.
    BehindLead {
        /// The distance.
        mm: f64,
    },
}

/// An ejector: a face that comes across the belt, removes what it hits whole, and is in the way
/// until it is back.
#[derive(Debug, Clone, PartialEq)]
pub struct EjectorModel {
    /// Centre of the face.
    pub at_mm: f64,
    /// Width of the face along the belt.
    pub face_mm: f64,
    /// From the command to the beginning of the effect.
    pub dead_ms: f64,
    /// The dead time varies uniformly by so much either way.
    pub dead_jitter_ms: f64,
    /// How long the face has to act on a part to remove it.
    pub hit_ms: f64,
    /// From the beginning of the effect until the face is out of the way. A longer pulse keeps it
    /// there for the pulse.
    pub occupied_ms: f64,
    /// From then until it can begin again; an effect that would begin earlier is ignored.
    pub recover_ms: f64,
    /// Pulses shorter than this move nothing.
    pub least_pulse_ms: f64,
    /// A part that is not hit whole still goes when this share of the face (or of the part, if it
    /// is shorter) was on it during the whole hit; otherwise it is touched and stays.
    pub grip_share: f64,
    /// Share of strokes that do nothing.
    pub dead_share: f64,
    /// Share of strokes that come `slow_ms` late.
    pub slow_share: f64,
    /// How late a slow stroke is.
    pub slow_ms: f64,
    /// Share of strokes whose face stays out for `stuck_ms`.
    pub stuck_share: f64,
    /// How long a stuck face stays out.
    pub stuck_ms: f64,
    /// Stretches of time in which it is broken.
    pub faults: Vec<EjectorFault>,
    /// The sensor that sees removed parts fall into the bin.
    pub confirm: Option<ConfirmModel>,
}

impl Default for EjectorModel {
    fn default() -> EjectorModel {
        EjectorModel {
            at_mm: 700.0,
            face_mm: 50.0,
            dead_ms: 12.0,
            dead_jitter_ms: 0.0,
            hit_ms: 15.0,
            occupied_ms: 60.0,
            recover_ms: 40.0,
            least_pulse_ms: 0.0,
            grip_share: 0.5,
            dead_share: 0.0,
            slow_share: 0.0,
            slow_ms: 30.0,
            stuck_share: 0.0,
            stuck_ms: 5000.0,
            faults: Vec::new(),
            confirm: Some(ConfirmModel::default()),
        }
    }
}

/// A stretch of time, in seconds after the start, in which an ejector is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EjectorFault {
    /// Strokes commanded from here on ...
    pub from_s: f64,
    /// ... until here are struck.
    pub to_s: f64,
    /// By what.
    pub kind: EjectorFaultKind,
}

/// How an ejector is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EjectorFaultKind {
    /// No stroke moves.
    Dead,
    /// Every stroke comes `slow_ms` late.
    Slow,
    /// The face of every stroke stays out for `stuck_ms`.
    StuckOut,
}

/// The sensor in an ejector's bin.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfirmModel {
    /// From the removal to the signal.
    pub delay_ms: f64,
    /// Share of removed parts it does not see.
    pub missed_share: f64,
    /// Share of strokes that removed nothing and that it confirms all the same.
    pub false_share: f64,
}

impl Default for ConfirmModel {
    fn default() -> ConfirmModel {
        ConfirmModel { delay_ms: 80.0, missed_share: 0.0, false_share: 0.0 }
    }
}

/// Milliseconds as whole nanoseconds.
pub(crate) fn ns(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}
