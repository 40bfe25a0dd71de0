//! Lines to step: their belts, and the line that fits each.

use smartqc_belt as belt;
use smartqc_core::clock::{MS, SEC};
pub(crate) use smartqc_core::line::rehearsal::{Model, Rehearsal};
use smartqc_core::track;
use smartqc_core::world::World;

/// Bad parts are of two classes in turn.
pub(crate) fn class_of(part: u64) -> u16 {
    (part / 20 % 2) as u16
}

/// A line at time 0 whose bad parts are these.
pub(crate) fn rehearsal(
    world: belt::Setup,
    setup: track::Setup,
    model: Model,
    bad: fn(u64) -> bool,
) -> Rehearsal {
    let truth = move |part| bad(part).then(|| class_of(part));
    Rehearsal::new(world, setup, model, Box::new(truth)).expect("a sound belt and a feasible line")
}

/// 100 mm parts at about 0.9 m/s whose speed swings by a tenth; every 20 s the belt stops.
pub(crate) fn swinging_belt(mean_mm_s: f64) -> belt::SpeedProfile {
    let ramp = |from_mm_s, to_mm_s| belt::Segment {
        for_s: 0.3,
        speed: belt::Speed::Ramp { from_mm_s, to_mm_s },
    };
    let steady = |for_s, mm_s| belt::Segment { for_s, speed: belt::Speed::Steady { mm_s } };
    let swing = belt::Speed::Swing { mean_mm_s, amplitude_mm_s: mean_mm_s / 10.0, period_s: 1.7 };
    belt::SpeedProfile {
        segments: vec![
            belt::Segment { for_s: 20.0, speed: swing },
            steady(0.1, mean_mm_s),
            ramp(mean_mm_s, 0.0),
            steady(0.7, 0.0),
            ramp(0.0, mean_mm_s),
        ],
        after: belt::After::Repeat,
    }
}

/// The boards of the example configuration, on a belt that swings and stops.
pub(crate) fn boards(parts: u64) -> (belt::Setup, track::Setup) {
    let world = belt::Setup {
        speed: swinging_belt(900.0),
        parts: belt::PartsModel {
            total: Some(parts),
            first_mm: 1000.0,
            gap: belt::Gap::Exponential { least_mm: 60.0, mean_mm: 90.0 },
            ..belt::PartsModel::default()
        },
        ..belt::Setup::default()
    };
    let setup = line_for(&world, 1000.0);
    (world, setup)
}

/// A line that fits a world.
pub(crate) fn line_for(world: &belt::Setup, max_speed_mm_s: f64) -> track::Setup {
    let devices = World::new(world.clone(), 0).expect("a sound belt");
    let ns = |ms: f64| (ms * MS as f64) as i64;
    let ejector = |(index, model): (usize, &belt::EjectorModel)| track::Ejector {
        at_mm: model.at_mm,
        face_mm: model.face_mm,
        dead_ns: ns(model.dead_ms),
        hit_ns: ns(model.hit_ms),
        occupied_ns: ns(model.occupied_ms),
        recover_ns: ns(model.recover_ms),
        pulse_ns: ns(model.hit_ms),
        confirm_ns: SEC / 2,
        device: devices.ejector(index).unwrap().capabilities(),
    };
    track::Setup {
        session: 3,
        belt: Some(track::Belt {
            motion: track::Motion::Encoder {
                mm_per_count: world.encoder.mm_per_count,
                count_bits: world.encoder.count_bits,
                latch: smartqc_core::sense::Latch::Hardware,
            },
            max_speed_mm_s,
            part_mm: world.parts.length_mm,
            least_gap_mm: world.parts.gap.least_mm(),
            max_accel_mm_s2: 1000.0,
            slip: world.parts.slip,
        }),
        announced_by: track::AnnouncedBy::Sensor,
        views: world
            .cameras
            .iter()
            .map(|camera| track::View { at_mm: camera.at_mm, ..track::View::default() })
            .collect(),
        ejectors: world.ejectors.iter().enumerate().map(ejector).collect(),
        decision_ns: 80 * MS,
        limits: track::Limits {
            unjudged_share: 1.0,
            reject_share: 1.0,
            rejects_in_row: 1000,
            lost_ns: 2 * SEC,
            challenge_every_ns: None,
        },
        ..track::Setup::camera_only()
    }
}
