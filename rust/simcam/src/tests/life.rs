//! From `GCInitLib` to `GCCloseLib`: handles, order, errors.

use super::*;
use crate::abi::{access_status, device_info};

#[test]
fn nothing_works_before_init() {
    let _turn = lock(&TURN);
    let mut system = null_mut();
    unsafe {
        assert_eq!(TLOpen(&raw mut system), status::NOT_INITIALIZED);
        assert_eq!(GCCloseLib(), status::NOT_INITIALIZED);
    }
    assert!(last_text().contains("GCInitLib"));
}

#[test]
fn a_second_open_of_anything_is_refused() {
    let rig = Rig::open(SMALL);
    let mut other = null_mut();
    let (interface, device, stream) =
        (c(modules::INTERFACE_ID), c("SimCam_0"), c(modules::STREAM_ID));
    let to = &raw mut other;
    unsafe {
        assert_eq!(GCInitLib(), status::RESOURCE_IN_USE);
        assert_eq!(TLOpen(to), status::RESOURCE_IN_USE);
        let code = TLOpenInterface(rig.system, interface.as_ptr(), to);
        assert_eq!(code, status::RESOURCE_IN_USE);
        let code = IFOpenDevice(rig.interface, device.as_ptr(), access_flag::CONTROL, to);
        assert_eq!(code, status::RESOURCE_IN_USE);
        let code = DevOpenDataStream(rig.device, stream.as_ptr(), to);
        assert_eq!(code, status::RESOURCE_IN_USE);
        let code = GCRegisterEvent(rig.stream, event_type::NEW_BUFFER, to);
        assert_eq!(code, status::RESOURCE_IN_USE);
        // The port is one thing, however often it is asked for.
        assert_eq!(opened(|to| DevGetPort(rig.device, to)), rig.remote);
    }
}

#[test]
fn lists_are_empty_until_they_are_updated() {
    let _turn = init("schema = 1\n[[device]]\n[[device]]\nid = 'side'");
    unsafe {
        let system = opened(|to| TLOpen(to));
        let (mut count, mut changed) = (9, 9);
        TLGetNumInterfaces(system, &raw mut count);
        assert_eq!(count, 0);
        TLUpdateInterfaceList(system, &raw mut changed, 100);
        TLGetNumInterfaces(system, &raw mut count);
        assert_eq!((count, changed), (1, 1));
        TLUpdateInterfaceList(system, &raw mut changed, 100);
        assert_eq!(changed, 0);
        let id = c(modules::INTERFACE_ID);
        let interface = opened(|to| TLOpenInterface(system, id.as_ptr(), to));
        let (mut text, mut size) = ([0i8; 64], 64);
        let to = text.as_mut_ptr();
        assert_eq!(IFGetDeviceID(interface, 1, to, &raw mut size), status::INVALID_INDEX);
        IFUpdateDeviceList(interface, null_mut(), 100);
        assert_eq!(IFGetDeviceID(interface, 1, to, &raw mut size), status::SUCCESS);
        assert_eq!((CStr::from_ptr(to).to_str().unwrap(), size), ("side", 5));
        GCCloseLib();
    }
}

#[test]
fn close_lib_resets_everything_and_kills_every_handle() {
    let mut rig = Rig::open(SMALL);
    rig.set_u32(WIDTH, 8);
    rig.announce(1);
    let (stream, remote) = (rig.stream, rig.remote);
    drop(rig);
    let rig = Rig::open(SMALL);
    assert_eq!(rig.u32(WIDTH), 16);
    assert_eq!(last_text(), "No Error");
    let (mut value, mut size) = (0u32, 4);
    unsafe {
        let to = (&raw mut value).cast();
        assert_eq!(GCReadPort(remote, WIDTH, to, &raw mut size), status::INVALID_HANDLE);
        assert_eq!(DSClose(stream), status::INVALID_HANDLE);
    }
}

#[test]
fn closing_a_module_closes_everything_below_it() {
    let (rig, buffers) = Rig::running(SMALL, 2);
    unsafe {
        assert_eq!(IFClose(rig.interface), status::SUCCESS);
        let mut size = 0;
        for handle in [rig.device, rig.remote, rig.stream, buffers[0]] {
            let code = GCGetPortURL(handle, null_mut(), &raw mut size);
            assert_eq!(code, status::INVALID_HANDLE);
        }
        assert_eq!(EventKill(rig.event), status::INVALID_HANDLE);
        // And it can be opened again.
        let id = c(modules::INTERFACE_ID);
        opened(|to| TLOpenInterface(rig.system, id.as_ptr(), to));
    }
}

#[test]
fn a_closed_camera_keeps_its_settings_and_is_unlocked() {
    let (rig, _) = Rig::running("schema = 1\n[[device]]\nwidth = 16\nheight = 8", 2);
    rig.set_f64(EXPOSURE_TIME, 250.0);
    unsafe {
        DevClose(rig.device);
        let id = c("SimCam_0");
        let device =
            opened(|to| IFOpenDevice(rig.interface, id.as_ptr(), access_flag::CONTROL, to));
        let remote = opened(|to| DevGetPort(device, to));
        let (mut exposure, mut size) = (0f64, 8);
        GCReadPort(remote, EXPOSURE_TIME, (&raw mut exposure).cast(), &raw mut size);
        assert_eq!(exposure, 250.0);
        let (mut locked, mut size) = (9u32, 4);
        GCReadPort(remote, TL_PARAMS_LOCKED, (&raw mut locked).cast(), &raw mut size);
        assert_eq!(locked, 0);
    }
}

#[test]
fn access_status_tells_who_has_the_device_open() {
    let rig = Rig::open(SMALL);
    let id = c("SimCam_0");
    let ask = || {
        let (mut value, mut size, mut data_type) = (0i32, 4, 0);
        let command = device_info::ACCESS_STATUS;
        let to = (&raw mut value).cast();
        let code = unsafe {
            IFGetDeviceInfo(
                rig.interface,
                id.as_ptr(),
                command,
                &raw mut data_type,
                to,
                &raw mut size,
            )
        };
        assert_eq!(code, status::SUCCESS);
        value
    };
    assert_eq!(ask(), access_status::OPEN_READWRITE);
    unsafe {
        DevClose(rig.device);
        assert_eq!(ask(), access_status::READWRITE);
        let flag = access_flag::READONLY;
        let device = opened(|to| IFOpenDevice(rig.interface, id.as_ptr(), flag, to));
        assert_eq!(ask(), access_status::OPEN_READONLY);
        let remote = opened(|to| DevGetPort(device, to));
        let (value, mut size) = (8u32.to_le_bytes(), 4);
        let code = GCWritePort(remote, WIDTH, value.as_ptr().cast(), &raw mut size);
        assert_eq!(code, status::ACCESS_DENIED);
    }
}

#[test]
fn a_wrong_handle_is_answered_and_never_followed() {
    let mut rig = Rig::open(SMALL);
    let buffer = rig.announce(1)[0];
    let stale = unsafe {
        DSRevokeBuffer(rig.stream, buffer, null_mut(), null_mut());
        buffer
    };
    let made_up = [0usize, 1, 8, 0x5343_0011, usize::MAX].map(|number| number as Handle);
    let id = c("SimCam_0");
    let (mut handle, mut size, mut number, mut flag) = (null_mut(), 0, 0u32, 0u8);
    let (to, size, number, flag) = (&raw mut handle, &raw mut size, &raw mut number, &raw mut flag);
    for wrong in made_up.into_iter().chain([stale, rig.event]) {
        let answers = unsafe {
            [
                TLClose(wrong),
                TLGetNumInterfaces(wrong, number),
                TLUpdateInterfaceList(wrong, flag, 0),
                TLOpenInterface(wrong, id.as_ptr(), to),
                IFClose(wrong),
                IFGetNumDevices(wrong, number),
                IFUpdateDeviceList(wrong, flag, 0),
                IFOpenDevice(wrong, id.as_ptr(), 4, to),
                IFGetParentTL(wrong, to),
                DevClose(wrong),
                DevGetPort(wrong, to),
                DevGetNumDataStreams(wrong, number),
                DevOpenDataStream(wrong, id.as_ptr(), to),
                DevGetParentIF(wrong, to),
                DSClose(wrong),
                DSAllocAndAnnounceBuffer(wrong, 8, null_mut(), to),
                DSRevokeBuffer(rig.stream, wrong, to, to),
                DSQueueBuffer(rig.stream, wrong),
                DSQueueBuffer(wrong, stale),
                DSFlushQueue(wrong, 4),
                DSStartAcquisition(wrong, 0, 1),
                DSStopAcquisition(wrong, 0),
                DSGetBufferID(wrong, 0, to),
                DSGetParentDev(wrong, to),
                DSGetNumBufferParts(rig.stream, wrong, number),
                DSGetBufferChunkData(rig.stream, wrong, null_mut(), size),
                DSGetBufferInfoStacked(rig.stream, wrong, null_mut(), 0),
                DSGetBufferInfo(rig.stream, wrong, 0, null_mut(), null_mut(), size),
                GCReadPort(wrong, 0, to.cast(), size),
                GCWritePort(wrong, 0, to.cast(), size),
                GCGetPortURL(wrong, null_mut(), size),
                GCGetNumPortURLs(wrong, number),
            ]
        };
        assert!(
            answers.iter().all(|code| *code == status::INVALID_HANDLE),
            "{wrong:?} {answers:?}"
        );
    }
    for wrong in made_up.into_iter().chain([stale, rig.stream]) {
        let answers = unsafe {
            [EventFlush(wrong), EventKill(wrong), EventGetData(wrong, null_mut(), size, 0)]
        };
        assert!(
            answers.iter().all(|code| *code == status::INVALID_HANDLE),
            "{wrong:?} {answers:?}"
        );
    }
}

#[test]
fn null_where_an_answer_belongs_is_an_error() {
    let rig = Rig::open(SMALL);
    unsafe {
        assert_eq!(TLGetNumInterfaces(rig.system, null_mut()), status::INVALID_PARAMETER);
        assert_eq!(DevGetPort(rig.device, null_mut()), status::INVALID_PARAMETER);
        let code = GCReadPort(rig.remote, 0, null_mut(), null_mut());
        assert_eq!(code, status::INVALID_PARAMETER);
        let code = IFOpenDevice(rig.interface, std::ptr::null(), 4, null_mut());
        assert_eq!(code, status::INVALID_PARAMETER);
        let code = EventGetData(rig.event, null_mut(), null_mut(), 0);
        assert_eq!(code, status::INVALID_PARAMETER);
        let code = DSAnnounceBuffer(rig.stream, null_mut(), 8, null_mut(), null_mut());
        assert_eq!(code, status::INVALID_PARAMETER);
    }
}

#[test]
fn a_hundred_lives_leave_no_thread() {
    let threads = || {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.starts_with("simcam")).count()
    };
    for _ in 0..100 {
        let (rig, _) = Rig::running("schema = 1\n[[device]]\nwidth = 16\nheight = 8", 2);
        rig.next();
        assert_eq!(threads(), 1);
        drop(rig);
        let _turn = lock(&TURN);
        // The kernel lists a joined thread for a moment longer.
        eventually(|| threads() == 0);
    }
}
