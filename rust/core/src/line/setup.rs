//! From `line.toml` to what the tracker wants to know.

use super::config::Loaded;
use super::plant::{self, Plant};
use super::recipe::Recipe;
use crate::actuate::Capabilities;
use crate::clock::MS;
use crate::error::{Error, Result};
use crate::sense::Latch;
use crate::track::{
    AnnouncedBy, Belt, Combine, Ejector, Limits, Motion, OnCrowded, OnUnjudged, Policy, Routes,
    Setup, View,
};

/// The tracker's setup.
///
/// # Errors
/// [`Error::Config`] for a class that no ejector removes.
pub(super) fn setup(
    loaded: &Loaded<Plant>,
    session: u64,
    encoder: Option<Latch>,
    devices: &[Capabilities],
    recipe: &Recipe,
    capacity: usize,
) -> Result<Setup> {
    let plant = &loaded.value;
    let belt = plant.belt.as_ref().map(|belt| Belt {
        motion: match encoder {
            Some(latch) => Motion::Encoder {
                mm_per_count: belt.mm_per_count,
                count_bits: belt.count_bits,
                latch,
            },
            None => Motion::Steady { speed_mm_s: belt.max_speed_mm_s },
        },
        max_speed_mm_s: belt.max_speed_mm_s,
        part_mm: belt.part_mm,
        least_gap_mm: belt.least_gap_mm,
        slip: 0.0,
    });
    let view = |camera: &plant::Camera| View {
        at_mm: camera.at_mm,
        behind_lead_mm: None,
        window_ns: ns(camera.window_ms),
    };
    let ejector = |(reject, device): (&plant::Reject, &Capabilities)| Ejector {
        at_mm: reject.at_mm,
        face_mm: reject.face_mm,
        dead_ns: ns(reject.dead_ms),
        hit_ns: ns(reject.hit_ms),
        occupied_ns: ns(reject.occupied_ms),
        recover_ns: ns(reject.recover_ms),
        pulse_ns: ns(reject.hit_ms),
        confirm_ns: ns(reject.dead_ms + reject.occupied_ms) + 500 * MS,
        device: *device,
    };
    Ok(Setup {
        session,
        belt,
        announced_by: match plant.parts.announced_by {
            plant::AnnouncedBy::Frame => AnnouncedBy::Frame,
            plant::AnnouncedBy::Sensor => AnnouncedBy::Sensor,
            plant::AnnouncedBy::Call => AnnouncedBy::Call,
        },
        announce_error_ns: 0,
        views: plant.camera.iter().map(view).collect(),
        ejectors: plant.reject.iter().zip(devices).map(ejector).collect(),
        policy: policy(loaded, recipe)?,
        limits: Limits {
            unjudged_share: plant.limits.unjudged_share,
            reject_share: plant.limits.reject_share,
            rejects_in_row: plant.limits.rejects_in_row,
            lost_ns: ns(plant.limits.lost_s * 1e3),
        },
        budget_ns: ns(plant.verdict.budget_s * 1e3),
        guard_ns: ns(plant.verdict.guard_ms),
        decision_ns: 0,
        capacity,
    })
}

/// What is done with outcomes, for the classes of this recipe.
///
/// # Errors
/// [`Error::Config`] for a defect class that no ejector removes.
pub(super) fn policy(loaded: &Loaded<Plant>, recipe: &Recipe) -> Result<Policy> {
    let plant = &loaded.value;
    let taker = |class: &str| {
        let takes = |wanted: &String| wanted == class || wanted == "*";
        plant.reject.iter().position(|reject| reject.classes.iter().any(takes))
    };
    let others = taker("*").unwrap_or(0) as u8;
    let mut by_class = Vec::new();
    for class in &recipe.contract.classes {
        match taker(&class.name) {
            Some(index) => by_class.push(index as u8),
            None if class.good || plant.reject.is_empty() => by_class.push(others),
            None => {
                return Err(Error::Config {
                    file: loaded.file.clone(),
                    key: "reject.classes".into(),
                    problem: format!(
                        "no ejector removes {:?}; name it, or \"*\" for every class",
                        class.name
                    ),
                });
            }
        }
    }
    Ok(Policy {
        combine: match plant.verdict.combine {
            plant::Combine::Any => Combine::Any,
            plant::Combine::All => Combine::All,
            plant::Combine::Vote => Combine::Vote,
            plant::Combine::Worst => Combine::Worst,
        },
        on_unjudged: match plant.verdict.on_unjudged {
            plant::OnUnjudged::Reject => OnUnjudged::Reject,
            plant::OnUnjudged::Pass => OnUnjudged::Pass,
            plant::OnUnjudged::Stop => OnUnjudged::Stop,
        },
        on_crowded: match plant.verdict.on_crowded {
            plant::OnCrowded::Fire => OnCrowded::Fire,
            plant::OnCrowded::Stop => OnCrowded::Stop,
        },
        routes: Routes { by_class, others },
    })
}

fn ns(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}
