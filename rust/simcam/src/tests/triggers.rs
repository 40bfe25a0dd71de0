//! Software triggers and the belt's wire.

use super::*;
use crate::abi::stream_info;

fn line0() -> String {
    SMALL.replace("software", "line0")
}

#[test]
fn a_pulse_brings_its_picture_and_its_own_instant() {
    let (rig, _) = Rig::running(&line0(), 2);
    let at_ns = crate::clock::now_ns();
    rig.pulse(9, 6, 1, at_ns);
    let buffer = rig.next();
    assert_eq!(rig.bytes(buffer), pattern(6));
    assert_eq!(rig.info(buffer, buffer_info::TIMESTAMP_NS), Ok(at_ns as u64));
    rig.pulse(10, u32::MAX, 2, 0);
    let buffer = rig.next();
    // The next one in turn: a picture that was asked for takes no turn.
    assert_eq!(rig.bytes(buffer), pattern(0));
    assert!(rig.info::<u64>(buffer, buffer_info::TIMESTAMP_NS).unwrap() > at_ns as u64);
}

#[test]
fn a_pulse_during_the_exposure_is_missed_and_counted() {
    let (rig, _) = Rig::running(&line0(), 2);
    rig.set_f64(EXPOSURE_TIME, 1000.0);
    let start_ns = crate::clock::now_ns();
    rig.pulse(1, 0, 0, start_ns);
    rig.pulse(2, 1, 0, start_ns + 999_999);
    rig.pulse(3, 2, 0, start_ns + 1_000_000);
    let shown: Vec<_> = (0..2).map(|_| rig.bytes(rig.next())).collect();
    assert_eq!(shown, [pattern(0), pattern(2)]);
    assert_eq!(rig.u64(SIM_MISSED_TRIGGERS), 1);
}

#[test]
fn a_trigger_that_nobody_waits_for_is_missed_and_gives_no_frame() {
    let rig = Rig::open(SMALL);
    rig.trigger();
    assert_eq!(rig.u64(SIM_MISSED_TRIGGERS), 1);
    // On another source's wire an edge is counted as an edge, not as a missed trigger.
    rig.pulse(1, 0, 0, 0);
    assert_eq!(rig.u64(SIM_MISSED_TRIGGERS), 1);
    rig.set_u32(TRIGGER_SOURCE, 1);
    rig.pulse(1, 0, 0, 0);
    rig.trigger();
    assert_eq!(rig.u64(SIM_MISSED_TRIGGERS), 3);
    assert_eq!(rig.stream_number(stream_info::NUM_STARTED), 0);
}

#[test]
fn a_malformed_pulse_is_refused() {
    let rig = Rig::open(&line0());
    assert_eq!(rig.try_write(SIM_LINE0_PULSE, &[0; 31]), status::INVALID_PARAMETER);
    for at_ns in [-1, i64::MAX, crate::clock::now_ns() + 70_000_000_000] {
        let mut block = [0; 32];
        block[24..].copy_from_slice(&at_ns.to_le_bytes());
        assert_eq!(rig.try_write(SIM_LINE0_PULSE, &block), status::INVALID_VALUE);
    }
    assert!(last_text().contains("CLOCK_MONOTONIC"));
}

#[test]
fn stopping_drops_what_is_not_read_out() {
    let (rig, buffers) = Rig::running(&line0(), 2);
    let far_ns = crate::clock::now_ns() + 30_000_000_000;
    rig.pulse(1, 0, 0, far_ns);
    rig.stop();
    assert_eq!(rig.wait(0).err(), Some(status::TIMEOUT));
    // Ids begin at 0 again.
    rig.start();
    rig.pulse(2, 4, 0, 0);
    let buffer = rig.next();
    assert_eq!((buffer, rig.frame_id(buffer)), (buffers[0], 0));
}

#[test]
fn turning_the_trigger_off_lets_the_camera_run_free() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.set_u32(TRIGGER_MODE, 0);
    let ids = [rig.next(), rig.next()].map(|buffer| rig.frame_id(buffer));
    assert_eq!(ids, [0, 1]);
}

#[test]
fn line2_shows_the_user_output_while_that_is_its_source() {
    let rig = Rig::open(SMALL);
    rig.set_u32(LINE_SELECTOR, 2);
    assert_eq!((rig.u32(LINE_MODE), rig.u32(LINE_SOURCE)), (1, 1));
    for on in [1, 1, 0, 1] {
        rig.set_u32(USER_OUTPUT_VALUE, on);
        assert_eq!(rig.u32(LINE_STATUS), on);
    }
    assert_eq!(rig.u64(SIM_LINE2_EDGES), 2);
    rig.set_u32(LINE_SOURCE, 0);
    assert_eq!((rig.u32(LINE_STATUS), rig.u32(USER_OUTPUT_VALUE)), (0, 1));
    rig.set_u32(LINE_SOURCE, 1);
    assert_eq!(rig.u64(SIM_LINE2_EDGES), 3);
    rig.set_u32(LINE_SELECTOR, 0);
    assert_eq!((rig.u32(LINE_MODE), rig.u32(LINE_SOURCE), rig.u32(LINE_STATUS)), (0, 0, 0));
}
