//! The simulated world of a line: made from its own configuration, and afterwards asked what
//! physically happened to every part.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use smartqc_belt::{
    After, CameraModel, Claim, ConfirmModel, EjectorModel, EncoderModel, EyeModel, Fate, Gap,
    Judged, Ledger, PartsModel, Segment, Setup, Speed, SpeedProfile, StrokeId, Tags, TriggerPoint,
};

use super::config::Loaded;
use super::plant::{Plant, Simulation, Stops};
use super::rehearsal::{Fault, class_word};
use crate::clock::MS;
use crate::error::{Error, Result};
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
        speed: speed(simulation),
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

/// The world of a line that runs in real time, with the faults that a world can have.
///
/// # Errors
/// [`Error::Config`] for a fault that only a rehearsal can have.
pub(super) fn live(loaded: &Loaded<Plant>, simulation: &Simulation) -> Result<Setup> {
    let mut world = world(&loaded.value, simulation);
    for (name, value) in &simulation.faults {
        let applied = Fault::of(name).is_some_and(|fault| fault.befalls_world(*value, &mut world));
        if !applied {
            return Err(Error::Config {
                file: loaded.file.clone(),
                key: format!("simulation.faults.{name}"),
                problem:
                    "cameras, models and links fail so only in `smartqc belt`; leave it out to \
                          run the line"
                        .into(),
            });
        }
    }
    Ok(world)
}

/// Swinging, with stops, as the table says.
fn speed(simulation: &Simulation) -> SpeedProfile {
    let Simulation { speed_mm_s: mean_mm_s, speed_swing, swing_s: period_s, .. } = *simulation;
    let running = |for_s| Segment {
        for_s,
        speed: if speed_swing == 0.0 {
            Speed::Steady { mm_s: mean_mm_s }
        } else {
            Speed::Swing { mean_mm_s, amplitude_mm_s: mean_mm_s * speed_swing, period_s }
        },
    };
    let segments = match simulation.stops {
        None if speed_swing == 0.0 => return SpeedProfile::steady(mean_mm_s),
        None => vec![running(period_s)],
        Some(Stops { every_s, for_s, ramp_s }) => {
            // Whole swings, so that a stop begins at the mean speed.
            let swings = (every_s / period_s).round().max(1.0);
            let run_s = if speed_swing == 0.0 { every_s } else { swings * period_s };
            let ramp = |from_mm_s, to_mm_s| {
                let speed = Speed::Ramp { from_mm_s, to_mm_s };
                Segment { for_s: ramp_s, speed }
            };
            let stand = Segment { for_s, speed: Speed::Steady { mm_s: 0.0 } };
            vec![running(run_s), ramp(mean_mm_s, 0.0), stand, ramp(0.0, mean_mm_s)]
        }
    };
    SpeedProfile { segments, after: After::Repeat }
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
    let mut by_truth = HashMap::new();
    for noted in noted.iter().rev() {
        if let Some(truth) = noted.true_part {
            by_truth.insert(truth, noted);
        }
    }
    let strokes: HashMap<_, _> = strokes.iter().copied().collect();
    let unseen: Vec<&Noted> = noted.iter().filter(|noted| noted.true_part.is_none()).collect();
    let row = |record: &smartqc_belt::PartRecord| {
        let same = by_truth.get(&record.part).copied().or_else(|| {
            let near =
                |noted: &&&Noted| (noted.announced_ns - record.entered_ns).abs() < SAME_PART_NS;
            unseen.iter().find(near).copied()
        });
        let judged = match same.map(|noted| noted.outcome) {
            Some(Outcome::Pass) => Judged::Pass,
            Some(Outcome::Reject(_)) => Judged::Reject,
            Some(Outcome::Unjudged(_)) | None => Judged::Unjudged,
        };
        let stroke = same.and_then(|noted| strokes.get(&noted.part).copied());
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
