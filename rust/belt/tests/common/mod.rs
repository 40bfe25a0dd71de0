//! Worlds for property tests.
#![allow(dead_code, reason = "each test binary uses its share")]

use proptest::prelude::*;
use smartqc_belt::*;

pub(crate) const MS: i64 = 1_000_000;

/// A belt that swings, stops or ramps.
pub(crate) fn any_speed() -> impl Strategy<Value = SpeedProfile> {
    prop_oneof![
        (200.0..2000.0).prop_map(SpeedProfile::steady),
        (200.0..2000.0, 0.0..1.0, 0.2..3.0)
            .prop_map(|(mm_s, share, period_s)| SpeedProfile::swinging(mm_s, share, period_s)),
        (200.0..2000.0, 0.1..1.0, 0.05..0.5, 0.05..0.5)
            .prop_map(|(mm_s, run, ramp, stop)| SpeedProfile::stop_and_go(mm_s, run, ramp, stop)),
    ]
}

/// A world in which everything that can go wrong does now and then.
pub(crate) fn any_setup() -> impl Strategy<Value = Setup> {
    let parts = (20.0..150.0, 0.0..10.0, 0.0..60.0, 0.0..0.5, -0.03..0.03, 0.0..0.03);
    let ejector = (10.0..80.0, 0.0..20.0, 0.0..20.0, 0.0..100.0, 0.0..50.0, 0.0..1.0);
    let share = 0.0..0.3;
    (any::<u64>(), any_speed(), parts, ejector, share).prop_map(
        |(seed, speed, parts, ejector, share)| {
            let (length_mm, length_jitter_mm, mean_mm, touching_share, slip, slip_jitter) = parts;
            let (face_mm, dead_ms, hit_ms, way_ms, recover_ms, grip_share) = ejector;
            let ejector = |at_mm| EjectorModel {
                at_mm,
                face_mm,
                dead_ms,
                dead_jitter_ms: dead_ms * share,
                hit_ms,
                occupied_ms: hit_ms + way_ms,
                recover_ms,
                grip_share,
                dead_share: share,
                slow_share: share,
                stuck_share: share / 10.0,
                stuck_ms: 1000.0,
                confirm: Some(ConfirmModel {
                    missed_share: share,
                    false_share: share,
                    ..ConfirmModel::default()
                }),
                ..EjectorModel::default()
            };
            Setup {
                seed,
                speed,
                parts: PartsModel {
                    total: Some(40),
                    length_mm,
                    length_jitter_mm,
                    gap: Gap::Exponential { least_mm: 0.0, mean_mm },
                    touching_share,
                    slip,
                    slip_jitter,
                    ..PartsModel::default()
                },
                eye: EyeModel {
                    missed_share: share,
                    bounce_share: share,
                    phantom_share: share,
                    jitter_ms: 0.5,
                    ..EyeModel::default()
                },
                cameras: vec![
                    CameraModel {
                        missed_share: share,
                        double_share: share,
                        jitter_ms: 1.0,
                        ..CameraModel::default()
                    },
                    CameraModel {
                        at_mm: 500.0,
                        trigger: TriggerPoint::BehindLead { mm: 10.0 },
                        ..CameraModel::default()
                    },
                ],
                // The first reaches into the eye's beam, the two others into each other.
                ejectors: vec![ejector(45.0), ejector(600.0), ejector(630.0)],
                ..Setup::default()
            }
        },
    )
}

/// A stroke for some ejector, so long after the previous command.
pub(crate) fn any_commands() -> impl Strategy<Value = Vec<(usize, i64, i64)>> {
    let command = (0..3usize, 0..300 * MS, 0..120 * MS);
    prop::collection::vec(command, 0..60)
}

/// Runs a world to its end, commands at their instants, and returns what happened.
pub(crate) fn run(setup: Setup, commands: &[(usize, i64, i64)]) -> (Belt, Vec<Event>) {
    let mut belt = Belt::new(setup, 0).expect("the strategy makes sound setups");
    let mut events = Vec::new();
    let mut at_ns = 0;
    for &(ejector, after_ns, pulse_ns) in commands {
        at_ns += after_ns;
        belt.command(ejector, at_ns, pulse_ns);
    }
    while let Some(at_ns) = belt.next_event_ns() {
        belt.advance(at_ns, &mut events);
    }
    (belt, events)
}
