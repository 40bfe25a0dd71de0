//! The simulated world of a line: made from its own configuration, and afterwards asked what
//! physically happened to every part.

use std::sync::{Mutex, PoisonError};

use smartqc_belt::{
    After, CameraModel, Claim, Class, ConfirmModel, EjectorModel, EncoderModel, EscapeBy, EyeModel,
    Fate, Gap, Judged, Ledger, OverkillBy, PartsModel, Segment, Setup, Speed, SpeedProfile,
    StrokeId, Tags, TriggerPoint,
};

use super::plant::{Plant, Simulation};
use crate::clock::MS;
use crate::outcome::{Outcome, PartId};

/// How far the line's announcement and the world's own time of a part may lie apart for both to
/// mean the same part.
const SAME_PART_NS: i64 = 20 * MS;

/// The world that `plant` describes; it is built to the plant's own nominal figures, without
/// faults.
pub(super) fn world(plant: &Plant, simulation: &Simulation) -> Setup {
    let belt = plant.belt.as_ref();
    let default = EncoderModel::default();
    let [least_mm, most_mm] = simulation.gap_mm;
    let swing = Segment {
        for_s: simulation.swing_s,
        speed: Speed::Swing {
            mean_mm_s: simulation.speed_mm_s,
            amplitude_mm_s: simulation.speed_mm_s * simulation.speed_swing,
            period_s: simulation.swing_s,
        },
    };
    let speed = if simulation.speed_swing == 0.0 {
        SpeedProfile::steady(simulation.speed_mm_s)
    } else {
        SpeedProfile { segments: vec![swing], after: After::Repeat }
    };
    let camera = |camera: &super::plant::Camera| CameraModel {
        at_mm: camera.at_mm,
        trigger: TriggerPoint::Middle,
        ..CameraModel::default()
    };
    let ejector = |reject: &super::plant::Reject| EjectorModel {
        at_mm: reject.at_mm,
        face_mm: reject.face_mm,
        dead_ms: reject.dead_ms,
        hit_ms: reject.hit_ms,
        occupied_ms: reject.occupied_ms,
        recover_ms: reject.recover_ms,
        confirm: Some(ConfirmModel::default()),
        ..EjectorModel::default()
    };
    Setup {
        seed: simulation.seed,
        speed,
        encoder: EncoderModel {
            mm_per_count: belt.map_or(default.mm_per_count, |belt| belt.mm_per_count),
            count_bits: belt.map_or(default.count_bits, |belt| belt.count_bits),
            ..default
        },
        parts: PartsModel {
            total: Some(simulation.parts),
            // Time for everybody to be ready before the first part comes.
            first_mm: simulation.speed_mm_s,
            length_mm: belt.map_or(100.0, |belt| belt.part_mm),
            gap: Gap::Uniform { least_mm, most_mm },
            tags: Tags::Drawn(simulation.pictures.iter().map(|&p| u64::from(p)).collect()),
            ..PartsModel::default()
        },
        eye: EyeModel::default(),
        cameras: plant.camera.iter().map(camera).collect(),
        ejectors: plant.reject.iter().map(ejector).collect(),
        exit_mm: None,
    }
}

/// What the line decided, noted by the line thread for comparison with the world's ledger.
#[derive(Debug)]
pub(super) struct Witness(Mutex<Vec<Noted>>);

#[derive(Clone, Copy, Debug)]
struct Noted {
    part: PartId,
    outcome: Outcome,
    announced_ns: i64,
    true_part: Option<u64>,
}

impl Witness {
    /// Room for every part of the simulation, so that noting allocates nothing.
    pub(super) fn new(parts: u64) -> Self {
        let room = usize::try_from(parts.min(1 << 20)).unwrap_or(0) + 1024;
        Self(Mutex::new(Vec::with_capacity(room)))
    }

    pub(super) fn note(
        &self,
        part: PartId,
        outcome: Outcome,
        announced_ns: i64,
        true_part: Option<u64>,
    ) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.push(Noted { part, outcome, announced_ns, true_part });
    }
}

/// What happened to one part of the simulated world.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// Its number in the world, from 0: ground truth.
    pub true_part: u64,
    /// The number of its picture.
    pub picture: u64,
    /// When its leading edge was at the eye.
    pub entered_ns: i64,
    /// Its length, mm.
    pub length_mm: f64,
    /// `on_belt`, `kept` or `removed`.
    pub fate: &'static str,
    /// Whether the whole face hit it, when it was removed.
    pub clean: bool,
    /// How many strokes touched it.
    pub contacts: usize,
    /// The line's number of it; `None` when the line never announced it.
    pub part: Option<PartId>,
    /// What the line decided.
    pub outcome: Option<Outcome>,
    /// Whether that was right, and whose fault it was when not; in one word.
    pub class: &'static str,
}

/// Holds the line's outcomes against the world. `bad(picture)` is the truth about a picture.
pub(super) fn ledger(
    ledger: &Ledger,
    witness: &Witness,
    strokes: &[(PartId, StrokeId)],
    removes_unjudged: bool,
    bad: &dyn Fn(u64) -> bool,
) -> Vec<LedgerRow> {
    let noted = witness.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let row = |record: &smartqc_belt::PartRecord| {
        let same = noted.iter().find(|noted| noted.true_part == Some(record.part)).or_else(|| {
            noted
                .iter()
                .filter(|noted| noted.true_part.is_none())
                .find(|noted| (noted.announced_ns - record.entered_ns).abs() < SAME_PART_NS)
        });
        let judged = match same.map(|noted| noted.outcome) {
            Some(Outcome::Pass) => Judged::Pass,
            Some(Outcome::Reject(_)) => Judged::Reject,
            Some(Outcome::Unjudged(_)) | None => Judged::Unjudged,
        };
        let stroke = same.and_then(|noted| {
            strokes.iter().find(|(part, _)| *part == noted.part).map(|(_, stroke)| *stroke)
        });
        let claim = Claim { bad: bad(record.tag), judged, removes_unjudged, stroke };
        let (fate, clean) = match record.fate {
            Fate::OnBelt => ("on_belt", false),
            Fate::Kept => ("kept", false),
            Fate::Removed { clean, .. } => ("removed", clean),
        };
        LedgerRow {
            true_part: record.part,
            picture: record.tag,
            entered_ns: record.entered_ns,
            length_mm: record.length_mm,
            fate,
            clean,
            contacts: ledger.contacts_of(record.part).count(),
            part: same.map(|noted| noted.part),
            outcome: same.map(|noted| noted.outcome),
            class: ledger.classify(record.part, &claim).map_or("on_belt", class_word),
        }
    };
    ledger.parts().iter().map(row).collect()
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::OnBelt => "on_belt",
        Class::Kept => "kept",
        Class::Removed => "removed",
        Class::Escape(EscapeBy::Model) => "escape_model",
        Class::Escape(EscapeBy::Policy) => "escape_policy",
        Class::Escape(EscapeBy::Tracking) => "escape_tracking",
        Class::Escape(EscapeBy::Late) => "escape_late",
        Class::Escape(EscapeBy::Mechanical) => "escape_mechanical",
        Class::Overkill(OverkillBy::Model) => "overkill_model",
        Class::Overkill(OverkillBy::Policy) => "overkill_policy",
        Class::Collateral => "collateral",
    }
}
