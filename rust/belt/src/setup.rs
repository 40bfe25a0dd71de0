//! What the world is like: plain data, checked once when the belt is built.

use crate::speed::SpeedProfile;
use thiserror::Error;

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
    /// How many; `None` never ends.
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

/// Why a [`Setup`] describes no belt.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SetupError {
    /// A number is outside what it can be.
    #[error("{what} is {value}; it has to be {allowed}")]
    OutOfRange {
        /// The field, as `ejectors[0].face_mm`.
        what: String,
        /// Its value.
        value: f64,
        /// What would do.
        allowed: &'static str,
    },
    /// The speed profile cannot be run.
    #[error("speed: {why}")]
    Speed {
        /// What is wrong with it.
        why: String,
    },
    /// A list is empty or too long.
    #[error("{what} has {count} entries; it has to have {allowed}")]
    Count {
        /// The list.
        what: &'static str,
        /// Its length.
        count: usize,
        /// What would do.
        allowed: &'static str,
    },
    /// A list that has to be in order of time is not.
    #[error("{what} is not in order of time; sort it by at_s")]
    Unordered {
        /// The list.
        what: &'static str,
    },
}

const SHARE: &str = "a probability from 0 to 1";
const MS: &str = "from 0 to 1e9 ms";
const MM: &str = "from 0 to 1e6 mm";

fn within(
    what: impl FnOnce() -> String,
    value: f64,
    low: f64,
    high: f64,
    allowed: &'static str,
) -> Result<(), SetupError> {
    if value.is_finite() && value >= low && value <= high {
        return Ok(());
    }
    Err(SetupError::OutOfRange { what: what(), value, allowed })
}

impl Setup {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of its range, by name.
    pub fn check(&self) -> Result<(), SetupError> {
        if let Some(why) = self.speed.fault() {
            return Err(SetupError::Speed { why });
        }
        self.encoder.check()?;
        self.parts.check()?;
        self.eye.check()?;
        for (list, count, most, allowed) in [
            ("cameras", self.cameras.len(), 32, "at most 32"),
            ("ejectors", self.ejectors.len(), 255, "at most 255"),
        ] {
            if count > most {
                return Err(SetupError::Count { what: list, count, allowed });
            }
        }
        for (index, camera) in self.cameras.iter().enumerate() {
            camera.check(index)?;
        }
        for (index, ejector) in self.ejectors.iter().enumerate() {
            ejector.check(index)?;
        }
        within(
            || "exit_mm".into(),
            self.exit_mm(),
            self.last_station_mm(),
            1e6,
            "behind the last camera and the last ejector's face",
        )
    }

    fn last_station_mm(&self) -> f64 {
        let cameras = self.cameras.iter().map(|camera| match camera.trigger {
            TriggerPoint::Middle => camera.at_mm,
            TriggerPoint::BehindLead { mm } => camera.at_mm + mm.max(0.0),
        });
        let ejectors = self.ejectors.iter().map(|ejector| ejector.at_mm + ejector.face_mm / 2.0);
        cameras.chain(ejectors).fold(0.0, f64::max)
    }

    /// Where the belt ends.
    pub fn exit_mm(&self) -> f64 {
        self.exit_mm.unwrap_or(self.last_station_mm() + 100.0)
    }
}

impl EncoderModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("encoder.{field}");
        within(name("mm_per_count"), self.mm_per_count, 1e-6, 1e6, "from 1e-6 to 1e6 mm")?;
        within(name("scale_error"), self.scale_error, -0.5, 0.5, "from -0.5 to 0.5")?;
        within(name("count_bits"), f64::from(self.count_bits), 1.0, 64.0, "1 to 64")?;
        for fault in &self.faults {
            within(name("faults.at_s"), fault.at_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            if let EncoderFaultKind::Freeze { for_s } = fault.kind {
                within(name("faults.for_s"), for_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            }
        }
        if !self.faults.is_sorted_by_key(|fault| fault.at_s) {
            return Err(SetupError::Unordered { what: "encoder.faults" });
        }
        Ok(())
    }
}

impl PartsModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("parts.{field}");
        within(name("first_mm"), self.first_mm, 0.0, 1e6, MM)?;
        within(name("length_mm"), self.length_mm, 0.1, 1e5, "from 0.1 to 1e5 mm")?;
        within(
            name("length_jitter_mm"),
            self.length_jitter_mm,
            0.0,
            self.length_mm / 2.0,
            "from 0 to half of length_mm",
        )?;
        within(name("gap least"), self.gap.least_mm(), 0.0, 1e6, MM)?;
        if let Gap::Uniform { least_mm, most_mm: mm } | Gap::Exponential { least_mm, mean_mm: mm } =
            self.gap
        {
            within(name("gap"), mm, least_mm, 1e6, "between the least gap and 1e6 mm")?;
        }
        within(name("touching_share"), self.touching_share, 0.0, 1.0, SHARE)?;
        within(name("slip"), self.slip, -0.2, 0.2, "from -0.2 to 0.2")?;
        within(name("slip_jitter"), self.slip_jitter, 0.0, 0.2, "from 0 to 0.2")?;
        match &self.tags {
            Tags::InTurn(list) | Tags::Drawn(list) if list.is_empty() => {
                Err(SetupError::Count { what: "parts.tags", count: 0, allowed: "at least one" })
            }
            _ => Ok(()),
        }
    }
}

impl EyeModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("eye.{field}");
        within(name("blind_gap_mm"), self.blind_gap_mm, 0.0, 1e6, MM)?;
        within(name("delay_ms"), self.delay_ms, 0.0, 1e9, MS)?;
        within(name("jitter_ms"), self.jitter_ms, 0.0, 1e9, MS)?;
        within(name("missed_share"), self.missed_share, 0.0, 1.0, SHARE)?;
        within(name("bounce_share"), self.bounce_share, 0.0, 1.0, SHARE)?;
        within(name("bounce_ms"), self.bounce_ms, 0.0, 1e9, MS)?;
        within(name("phantom_share"), self.phantom_share, 0.0, 1.0, SHARE)
    }
}

impl CameraModel {
    fn check(&self, index: usize) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("cameras[{index}].{field}");
        within(name("at_mm"), self.at_mm, 0.0, 1e6, MM)?;
        if let TriggerPoint::BehindLead { mm } = self.trigger {
            within(name("trigger"), self.at_mm + mm, 0.0, 1e6, "behind the eye")?;
        }
        within(name("jitter_ms"), self.jitter_ms, 0.0, 1e9, MS)?;
        within(name("missed_share"), self.missed_share, 0.0, 1.0, SHARE)?;
        within(name("double_share"), self.double_share, 0.0, 1.0, SHARE)?;
        within(name("double_after_ms"), self.double_after_ms, 0.0, 1e9, MS)
    }
}

impl EjectorModel {
    fn check(&self, index: usize) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("ejectors[{index}].{field}");
        within(name("face_mm"), self.face_mm, 0.1, 1e5, "from 0.1 to 1e5 mm")?;
        within(
            name("at_mm"),
            self.at_mm,
            self.face_mm / 2.0,
            1e6,
            "so far from the eye that the whole face is behind it",
        )?;
        for (field, value) in [
            ("dead_ms", self.dead_ms),
            ("hit_ms", self.hit_ms),
            ("occupied_ms", self.occupied_ms),
            ("recover_ms", self.recover_ms),
            ("least_pulse_ms", self.least_pulse_ms),
            ("slow_ms", self.slow_ms),
            ("stuck_ms", self.stuck_ms),
        ] {
            within(name(field), value, 0.0, 1e9, MS)?;
        }
        within(
            name("dead_jitter_ms"),
            self.dead_jitter_ms,
            0.0,
            self.dead_ms,
            "from 0 to dead_ms",
        )?;
        within(name("hit_ms"), self.hit_ms, 0.0, self.occupied_ms, "from 0 to occupied_ms")?;
        for (field, value) in [
            ("grip_share", self.grip_share),
            ("dead_share", self.dead_share),
            ("slow_share", self.slow_share),
            ("stuck_share", self.stuck_share),
        ] {
            within(name(field), value, 0.0, 1.0, SHARE)?;
        }
        for fault in &self.faults {
            within(name("faults.from_s"), fault.from_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            within(name("faults.to_s"), fault.to_s, fault.from_s, 1e9, "from from_s to 1e9 s")?;
        }
        if let Some(confirm) = &self.confirm {
            within(name("confirm.delay_ms"), confirm.delay_ms, 0.0, 1e9, MS)?;
            within(name("confirm.missed_share"), confirm.missed_share, 0.0, 1.0, SHARE)?;
            within(name("confirm.false_share"), confirm.false_share, 0.0, 1.0, SHARE)?;
        }
        Ok(())
    }
}

/// Milliseconds as whole nanoseconds.
pub(crate) fn ns(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_describes_a_belt() {
        assert_eq!(Setup::default().check(), Ok(()));
        assert_eq!(Setup::default().exit_mm(), 825.0);
    }

    #[test]
    fn errors_name_the_field_and_what_would_do() {
        let mut setup = Setup::default();
        setup.ejectors[0].grip_share = 1.5;
        assert_eq!(
            setup.check().unwrap_err().to_string(),
            "ejectors[0].grip_share is 1.5; it has to be a probability from 0 to 1"
        );
        let mut setup = Setup::default();
        setup.parts.length_mm = f64::NAN;
        assert!(setup.check().is_err());
        let setup = Setup { exit_mm: Some(300.0), ..Setup::default() };
        assert!(setup.check().unwrap_err().to_string().contains("exit_mm is 300"));
        let mut setup = Setup::default();
        setup.parts.tags = Tags::InTurn(vec![]);
        assert!(setup.check().is_err());
    }
}
