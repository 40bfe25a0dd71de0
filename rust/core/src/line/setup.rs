//! From `line.toml` to what the tracker wants to know.

use super::config::Loaded;
use super::plant::{self, Plant};
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
    latches: Latches,
    devices: &[Capabilities],
    policy: Policy,
) -> Result<Setup> {
    let plant = &loaded.value;
    let Latches { encoder, sensor } = latches;
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
        max_accel_mm_s2: belt.max_accel_mm_s2.unwrap_or(belt.max_speed_mm_s),
        slip: belt.slip,
    });
    let sensor_error_ns = match sensor {
        Some(Latch::Sampled { error_ns, .. }) => error_ns,
        Some(Latch::Hardware) | None => 0,
    };
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
        announce_error_ns: plant.parts.error_ms.map_or(sensor_error_ns, ns),
        views: plant.camera.iter().map(view).collect(),
        ejectors: plant.reject.iter().zip(devices).map(ejector).collect(),
        policy,
        limits: Limits {
            unjudged_share: plant.limits.unjudged_share,
            reject_share: plant.limits.reject_share,
            rejects_in_row: plant.limits.rejects_in_row,
            lost_ns: ns(plant.limits.lost_s * 1e3),
            challenge_every_ns: plant.limits.challenge_every_s.map(|s| ns(s * 1e3)),
        },
        budget_ns: ns(plant.verdict.budget_s * 1e3),
        guard_ns: ns(plant.verdict.guard_ms),
        decision_ns: plant.verdict.decision_ms.map_or(0, ns),
        capacity: capacity(plant),
    })
}

/// How the devices of a line tell time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latches {
    pub(super) encoder: Option<Latch>,
    pub(super) sensor: Option<Latch>,
}

/// Parts that the line remembers at once: twice those that fit between the eye and the last
/// station, so that a late frame still finds its part, and no fewer than twice those whose frames
/// the line can hold, so that the frames run out first.
pub(super) fn capacity(plant: &Plant) -> usize {
    let held = 2 * (plant.run.workers * plant.run.batch + plant.run.keep);
    let least = held.clamp(LEAST_REMEMBERED, MOST_REMEMBERED);
    let Some(belt) = &plant.belt else { return least };
    let cameras = plant.camera.iter().map(|camera| camera.at_mm + belt.part_mm);
    let ejectors = plant.reject.iter().map(|reject| reject.at_mm + reject.face_mm);
    let travel_mm = cameras.chain(ejectors).fold(0.0, f64::max) + belt.part_mm;
    let parts = (travel_mm / (belt.part_mm + belt.least_gap_mm)).ceil();
    (2 * parts as usize + 64).clamp(least, MOST_REMEMBERED)
}

/// Parts that every line remembers, and that none remembers more of.
const LEAST_REMEMBERED: usize = 256;
const MOST_REMEMBERED: usize = 1 << 16;

/// What is done with outcomes, for these classes by number: each its name, and whether it is good.
///
/// # Errors
/// [`Error::Config`] for a defect class that no ejector removes.
pub(super) fn policy<'a>(
    loaded: &Loaded<Plant>,
    classes: impl Iterator<Item = (&'a str, bool)>,
) -> Result<Policy> {
    let plant = &loaded.value;
    let taker = |class: &str| {
        let takes = |wanted: &String| wanted == class || wanted == "*";
        plant.reject.iter().position(|reject| reject.classes.iter().any(takes))
    };
    let others = taker("*").unwrap_or(0) as u8;
    let mut by_class = Vec::new();
    for (name, good) in classes {
        match taker(name) {
            Some(index) => by_class.push(index as u8),
            None if good || plant.reject.is_empty() => by_class.push(others),
            None => {
                return Err(Error::Config {
                    file: loaded.file.clone(),
                    key: "reject.classes".into(),
                    problem: format!(
                        "no ejector removes {name:?}; name it, or \"*\" for every class",
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
