//! Waiting: kills, time-outs, flushes and the end of a registration.

use super::*;
use crate::abi::{event_data_info, event_info, stream_info};

#[test]
fn nothing_in_time_is_a_time_out() {
    let rig = Rig::open(SMALL);
    assert_eq!(rig.wait(0).err(), Some(status::TIMEOUT));
    assert_eq!(rig.wait(3).err(), Some(status::TIMEOUT));
}

#[test]
fn a_kill_ends_one_wait_and_goes_before_queued_data() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.trigger();
    rig.until(stream_info::NUM_AWAIT_DELIVERY, 1);
    unsafe { EventKill(rig.event) };
    assert_eq!(rig.wait(INFINITE).err(), Some(status::ABORT));
    assert!(rig.wait(0).is_ok());
}

#[test]
fn a_kill_wakes_a_waiter_that_sleeps_without_end() {
    let rig = Rig::open(SMALL);
    let event = rig.event as usize;
    let waiter = std::thread::spawn(move || unsafe {
        let mut size = 0;
        EventGetData(event as Handle, null_mut(), &raw mut size, INFINITE)
    });
    unsafe { EventKill(rig.event) };
    assert_eq!(waiter.join().unwrap(), status::ABORT);
}

#[test]
fn unregistering_ends_a_wait_and_registering_again_forgets_a_kill() {
    let mut rig = Rig::open(SMALL);
    let event = rig.event as usize;
    let waiter = std::thread::spawn(move || unsafe {
        let mut size = 0;
        EventGetData(event as Handle, null_mut(), &raw mut size, INFINITE)
    });
    let kind = event_type::NEW_BUFFER;
    unsafe {
        assert_eq!(GCUnregisterEvent(rig.stream, kind), status::SUCCESS);
        // A waiter that had not begun yet finds no event at all.
        let ended = waiter.join().unwrap();
        assert!(ended == status::ABORT || ended == status::INVALID_HANDLE, "{ended}");
        assert_eq!(GCUnregisterEvent(rig.stream, kind), status::INVALID_PARAMETER);
        rig.event = opened(|to| GCRegisterEvent(rig.stream, kind, to));
        EventKill(rig.event);
        GCUnregisterEvent(rig.stream, kind);
        rig.event = opened(|to| GCRegisterEvent(rig.stream, kind, to));
    }
    assert_eq!(rig.wait(0).err(), Some(status::TIMEOUT));
}

#[test]
fn a_flush_leaves_its_buffers_unqueued() {
    let (rig, buffers) = Rig::running(SMALL, 2);
    rig.trigger();
    rig.until(stream_info::NUM_AWAIT_DELIVERY, 1);
    unsafe { EventFlush(rig.event) };
    assert_eq!(rig.wait(0).err(), Some(status::TIMEOUT));
    assert_eq!(rig.stream_number(stream_info::NUM_QUEUED), 1);
    rig.queue(buffers[0]);
}

#[test]
fn a_null_buffer_takes_the_event_and_too_small_a_one_leaves_it() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.trigger();
    rig.until(stream_info::NUM_AWAIT_DELIVERY, 1);
    let (mut byte, mut size) = (0u8, 1);
    unsafe {
        let code = EventGetData(rig.event, (&raw mut byte).cast(), &raw mut size, 0);
        assert_eq!(code, status::BUFFER_TOO_SMALL);
        let code = EventGetData(rig.event, null_mut(), &raw mut size, 0);
        assert_eq!((code, size), (status::SUCCESS, 16));
    }
    assert_eq!(rig.wait(0).err(), Some(status::TIMEOUT));
}

#[test]
fn an_event_tells_its_numbers_and_its_data() {
    let (rig, buffers) = Rig::running(SMALL, 2);
    for wanted in 1..=2 {
        rig.trigger();
        rig.until(stream_info::NUM_AWAIT_DELIVERY, wanted);
    }
    let ask = |command| {
        let (mut value, mut size, mut data_type) = (0u64, 8, 0);
        let to = (&raw mut value).cast();
        let code =
            unsafe { EventGetInfo(rig.event, command, &raw mut data_type, to, &raw mut size) };
        assert_eq!(code, status::SUCCESS);
        value
    };
    assert_eq!(ask(event_info::EVENT_TYPE), 1);
    assert_eq!(ask(event_info::NUM_IN_QUEUE), 2);
    assert_eq!(ask(event_info::NUM_FIRED), 2);
    assert_eq!(ask(event_info::DATA_SIZE_MAX), 16);
    let mut data = [rig.wait(0).unwrap(), rig.wait(0).unwrap()][1];
    let ask = |data: &mut NewBufferData, command| {
        let (mut value, mut size, mut data_type) = (0usize, 8, 0);
        let (from, to) = ((&raw mut *data).cast(), (&raw mut value).cast());
        let code = unsafe {
            EventGetDataInfo(rig.event, from, 16, command, &raw mut data_type, to, &raw mut size)
        };
        (code, data_type, value)
    };
    let handle = buffers[1] as usize;
    assert_eq!(ask(&mut data, event_data_info::ID), (status::SUCCESS, 10, handle));
    assert_eq!(ask(&mut data, event_data_info::VALUE), (status::SUCCESS, 10, 1));
}

#[test]
fn each_module_offers_its_own_events() {
    let rig = Rig::open(SMALL);
    let offered = |handle: Handle| -> Vec<i32> {
        let mut event = null_mut();
        let offers = |kind: &i32| unsafe {
            match GCRegisterEvent(handle, *kind, &raw mut event) {
                status::NOT_IMPLEMENTED => false,
                status::SUCCESS => {
                    let mut size = 0;
                    let code = EventGetData(event, null_mut(), &raw mut size, 0);
                    assert_eq!(code, status::TIMEOUT);
                    GCUnregisterEvent(handle, *kind) == status::SUCCESS
                }
                code => code == status::RESOURCE_IN_USE,
            }
        };
        (0..7).filter(offers).collect()
    };
    assert_eq!(offered(rig.system), [0, 5]);
    assert_eq!(offered(rig.interface), [0, 5]);
    assert_eq!(offered(rig.device), [0, 2, 3, 4, 5]);
    assert_eq!(offered(rig.stream), [0, 1, 5]);
    assert_eq!(offered(rig.remote), [0i32; 0]);
}

#[test]
fn a_module_tells_on_command_what_is_asked_of_it_and_no_other_does() {
    let rig = Rig::open(SMALL);
    let modules = [rig.device, rig.stream, rig.interface, rig.system];
    let kinds = [event_type::ERROR, event_type::MODULE, 2, 3];
    let mut events = Vec::new();
    for module in modules {
        for kind in kinds {
            let mut event = null_mut();
            let code = unsafe { GCRegisterEvent(module, kind, &raw mut event) };
            let offered = kind < 2 || kind == event_type::MODULE || module == rig.device;
            assert_eq!(code == status::SUCCESS, offered, "{kind}");
            events.push(offered.then_some(event));
        }
    }
    let taken = |event: Handle| {
        let (mut data, mut size) = ([0u8; 256], 256);
        let to = data.as_mut_ptr();
        let code = unsafe { EventGetData(event, to.cast(), &raw mut size, 0) };
        let ask = |command| {
            let (mut bytes, mut room, mut data_type) = (vec![0u8; 64], 64, 0);
            let (into, kind) = (bytes.as_mut_ptr().cast(), &raw mut data_type);
            let from = data.as_ptr().cast();
            unsafe { EventGetDataInfo(event, from, size, command, kind, into, &raw mut room) };
            bytes.truncate(room);
            bytes
        };
        (code == status::SUCCESS).then(|| (ask(event_data_info::ID), ask(event_data_info::VALUE)))
    };
    rig.write(SIM_EVENT_TEXT, b"Gain=3\0");
    let code = status::ERROR.to_le_bytes().to_vec();
    let wanted = [
        (code, b"Gain=3\0".to_vec()),
        (b"5003\0".to_vec(), b"Gain=3".to_vec()),
        (b"Gain=3\0".to_vec(), vec![]),
        (b"Gain\0".to_vec(), b"3\0".to_vec()),
    ];
    for sent in 0..16 {
        rig.set_u32(SIM_EVENT_MODULE, sent / 4);
        rig.set_u32(SIM_EVENT_KIND, sent % 4);
        let is_offered = events[sent as usize].is_some();
        let code = rig.try_write(SIM_EVENT_SEND, &[1, 0, 0, 0]);
        assert_eq!(code == status::SUCCESS, is_offered, "{sent}");
        for (at, event) in events.iter().enumerate() {
            let heard = event.and_then(taken);
            let wants = (at as u32 == sent && is_offered).then(|| wanted[at % 4].clone());
            assert_eq!(heard, wants, "{sent} at {at}");
        }
    }
}
