//! Announced memory and the queues.

use super::*;
use crate::abi::{queue_op, stream_info};

fn queues(rig: &Rig) -> (usize, usize, usize) {
    let number = |command| rig.stream_number(command);
    (
        number(stream_info::NUM_ANNOUNCED),
        number(stream_info::NUM_QUEUED),
        number(stream_info::NUM_AWAIT_DELIVERY),
    )
}

/// Four buffers: 0 and 1 wait for the consumer, 2 for a frame, 3 nowhere.
fn mixed() -> (Rig, Vec<Handle>) {
    let mut rig = Rig::open(SMALL);
    let buffers = rig.announce(4);
    for &buffer in &buffers[..3] {
        rig.queue(buffer);
    }
    rig.start();
    for wanted in 1..=2 {
        rig.trigger();
        rig.until(stream_info::NUM_AWAIT_DELIVERY, wanted);
    }
    rig.stop();
    assert_eq!(queues(&rig), (4, 1, 2));
    (rig, buffers)
}

fn delivered(rig: &Rig) -> Vec<Handle> {
    std::iter::from_fn(|| rig.wait(0).ok().map(|data| data.buffer)).collect()
}

#[test]
fn input_to_output_delivers_the_waiting_buffers_without_a_picture() {
    let (rig, buffers) = mixed();
    unsafe { DSFlushQueue(rig.stream, queue_op::INPUT_TO_OUTPUT) };
    assert_eq!(delivered(&rig), buffers[..3]);
    let has_new_data = |buffer| rig.info::<u8>(buffer, buffer_info::NEW_DATA).unwrap();
    assert_eq!([has_new_data(buffers[0]), has_new_data(buffers[2])], [1, 0]);
}

#[test]
fn output_discard_takes_the_waiting_frames_back_from_the_consumer() {
    let (rig, buffers) = mixed();
    unsafe { DSFlushQueue(rig.stream, queue_op::OUTPUT_DISCARD) };
    assert_eq!(queues(&rig), (4, 1, 0));
    rig.queue(buffers[0]);
}

#[test]
fn all_to_input_queues_every_buffer() {
    let (rig, _) = mixed();
    unsafe { DSFlushQueue(rig.stream, queue_op::ALL_TO_INPUT) };
    assert_eq!(queues(&rig), (4, 4, 0));
}

#[test]
fn unqueued_to_input_leaves_the_output_alone() {
    let (rig, _) = mixed();
    unsafe { DSFlushQueue(rig.stream, queue_op::UNQUEUED_TO_INPUT) };
    assert_eq!(queues(&rig), (4, 2, 2));
}

#[test]
fn all_discard_makes_every_buffer_revocable() {
    let (rig, buffers) = mixed();
    let revoke = |buffer| {
        let (mut base, mut user) = (null_mut(), null_mut());
        let code = unsafe { DSRevokeBuffer(rig.stream, buffer, &raw mut base, &raw mut user) };
        (code, base as usize, user as usize)
    };
    for &queued in &buffers[..3] {
        assert_eq!(revoke(queued).0, status::BUSY);
    }
    unsafe { DSFlushQueue(rig.stream, queue_op::ALL_DISCARD) };
    for (number, &buffer) in buffers.iter().enumerate() {
        let base = rig.memory[number].as_ptr() as usize;
        assert_eq!(revoke(buffer), (status::SUCCESS, base, number));
        assert_eq!(revoke(buffer).0, status::INVALID_HANDLE);
    }
    assert_eq!(queues(&rig), (0, 0, 0));
    assert_eq!(unsafe { DSFlushQueue(rig.stream, 5) }, status::INVALID_PARAMETER);
}

#[test]
fn a_buffer_is_queued_and_announced_once() {
    let mut rig = Rig::open(SMALL);
    let buffer = rig.announce(1)[0];
    rig.queue(buffer);
    let mut other = null_mut();
    let base = rig.memory[0].as_mut_ptr().cast();
    unsafe {
        assert_eq!(DSQueueBuffer(rig.stream, buffer), status::RESOURCE_IN_USE);
        let code = DSAnnounceBuffer(rig.stream, base, 128, null_mut(), &raw mut other);
        assert_eq!(code, status::RESOURCE_IN_USE);
        // Memory is the consumer's or the producer's, not both in one stream.
        let code = DSAllocAndAnnounceBuffer(rig.stream, 128, null_mut(), &raw mut other);
        assert_eq!(code, status::RESOURCE_IN_USE);
        assert_eq!(opened(|to| DSGetBufferID(rig.stream, 0, to)), buffer);
        assert_eq!(DSGetBufferID(rig.stream, 1, &raw mut other), status::INVALID_INDEX);
    }
}

#[test]
fn a_start_wants_enough_and_large_enough_buffers() {
    let mut rig = Rig::open(SMALL);
    let start = |rig: &Rig, frames| unsafe { DSStartAcquisition(rig.stream, 0, frames) };
    assert_eq!(start(&rig, 1), status::INVALID_BUFFER);
    rig.announce(2);
    assert_eq!(start(&rig, 0), status::INVALID_PARAMETER);
    rig.set_u32(PIXEL_FORMAT, 0x0218_0014);
    assert_eq!(start(&rig, 1), status::BUFFER_TOO_SMALL);
    rig.set_u32(PIXEL_FORMAT, 0x0108_0001);
    unsafe {
        assert_eq!(DSStopAcquisition(rig.stream, 0), status::RESOURCE_IN_USE);
        assert_eq!(start(&rig, 1), status::SUCCESS);
        assert_eq!(start(&rig, 1), status::RESOURCE_IN_USE);
        assert_eq!(DSStopAcquisition(rig.stream, 1), status::SUCCESS);
    }
}

#[test]
fn the_producers_own_memory_is_filled_and_not_handed_over() {
    let rig = Rig::open(SMALL);
    let user = 77 as *mut c_void;
    let buffers: Vec<Handle> = (0..2)
        .map(|_| opened(|to| unsafe { DSAllocAndAnnounceBuffer(rig.stream, 128, user, to) }))
        .collect();
    buffers.iter().for_each(|&buffer| rig.queue(buffer));
    rig.start();
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.bytes(buffer), pattern(0));
    let (mut base, mut pointer) = (user, null_mut());
    let code = unsafe { DSRevokeBuffer(rig.stream, buffer, &raw mut base, &raw mut pointer) };
    assert_eq!((code, base, pointer), (status::SUCCESS, null_mut(), user));
}

#[test]
fn a_buffer_without_a_frame_has_no_frames_data() {
    let mut rig = Rig::open(SMALL);
    let buffer = rig.announce(1)[0];
    assert_eq!(rig.info::<u64>(buffer, buffer_info::FRAMEID), Err(status::NO_DATA));
    assert_eq!(rig.info::<usize>(buffer, buffer_info::SIZE), Ok(128));
    assert_eq!(rig.info::<usize>(buffer, 99), Err(status::NOT_IMPLEMENTED));
    assert_eq!(rig.info::<usize>(buffer, buffer_info::FILENAME), Err(status::NOT_AVAILABLE));
    let mut parts = 7;
    let code = unsafe { DSGetNumBufferParts(rig.stream, buffer, &raw mut parts) };
    assert_eq!((code, parts), (status::NO_DATA, 7));
}
