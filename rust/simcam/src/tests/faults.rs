//! Each fault as a consumer meets it.

use super::*;
use crate::abi::{SingleChunkData, access_status, device_info, stream_info};
use crate::faults::FaultKind;

/// A camera with one fault from its configuration.
fn with(fault: &str) -> String {
    format!("{SMALL}[[device.fault]]\n{fault}\n")
}

/// Triggers one frame after the other, and tells what `look` makes of each.
fn frames<T>(rig: &Rig, count: usize, mut look: impl FnMut(Handle) -> T) -> Vec<T> {
    let next = |_| {
        rig.trigger();
        let buffer = rig.next();
        let seen = look(buffer);
        rig.queue(buffer);
        seen
    };
    (0..count).map(next).collect()
}

/// Exposes frames as fast as the sensor can; a trigger that came too early is given again.
fn expose(rig: &Rig, count: usize) {
    for _ in 0..count {
        loop {
            let missed = rig.u64(SIM_MISSED_TRIGGERS);
            rig.trigger();
            if rig.u64(SIM_MISSED_TRIGGERS) == missed {
                break;
            }
        }
    }
}

fn select(rig: &Rig, kind: FaultKind) {
    rig.set_u32(SIM_FAULT_SELECTOR, kind as u32);
}

fn strike(rig: &Rig, kind: FaultKind) {
    select(rig, kind);
    rig.set_u32(SIM_FAULT_STRIKE, 1);
}

/// What a single frame with one fault tells.
fn struck(kind: FaultKind) -> (Rig, Handle) {
    let (rig, _) = Rig::running(SMALL, 2);
    strike(&rig, kind);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.u64(SIM_FAULT_COUNT), 1);
    (rig, buffer)
}

fn try_read(port: Handle, address: u64, bytes: &mut [u8]) -> (i32, usize) {
    let mut size = bytes.len();
    let code = unsafe { GCReadPort(port, address, bytes.as_mut_ptr().cast(), &raw mut size) };
    (code, size)
}

#[test]
fn an_incomplete_frame_is_marked_and_short() {
    let (rig, _) = Rig::running(&with("kind = 'Incomplete'\nfirst = 1\nevery = 2\nvalue = 0.3"), 2);
    let seen = frames(&rig, 4, |buffer| {
        let size = |command| rig.info::<usize>(buffer, command).unwrap();
        (
            rig.info::<u8>(buffer, buffer_info::IS_INCOMPLETE).unwrap(),
            size(buffer_info::DELIVERED_IMAGEHEIGHT),
            size(buffer_info::SIZE_FILLED),
            size(buffer_info::DATA_SIZE),
            size(buffer_info::HEIGHT),
        )
    });
    let (whole, part) = ((0, 8, 128, 128, 8), (1, 2, 32, 128, 8));
    assert_eq!(seen, [whole, part, whole, part]);
}

#[test]
fn an_incomplete_frame_leaves_the_rest_of_its_buffer_alone() {
    let (rig, buffer) = struck(FaultKind::Incomplete);
    assert_eq!(rig.memory[0][..64], pattern(0)[..64]);
    assert_eq!(rig.memory[0][64..], [0xEE; 64]);
    // A buffer of half an image does not count as one that shows it.
    rig.queue(buffer);
    rig.trigger();
    rig.next();
    rig.trigger();
    assert_eq!(rig.bytes(rig.next()), pattern(2));
}

#[test]
fn a_dropped_frame_takes_its_id_along() {
    let (rig, _) = Rig::running(&with("kind = 'Dropped'\nframe = 1"), 2);
    expose(&rig, 3);
    let ids = [rig.next(), rig.next()].map(|buffer| rig.frame_id(buffer));
    assert_eq!(ids, [0, 2]);
    assert_eq!(rig.stream_number(stream_info::NUM_UNDERRUN), 0);
}

#[test]
fn a_late_frame_holds_back_what_follows_it() {
    let (rig, _) = Rig::running(&with("kind = 'Late'\nframe = 0\nvalue = 60"), 2);
    let begin = Instant::now();
    expose(&rig, 2);
    assert_eq!(rig.frame_id(rig.next()), 0);
    assert!(begin.elapsed() >= Duration::from_millis(60));
    let buffer = rig.next();
    assert_eq!(rig.frame_id(buffer), 1);
    let exposed_ns: u64 = rig.info(buffer, buffer_info::TIMESTAMP_NS).unwrap();
    assert!(exposed_ns + 50_000_000 < crate::clock::now_ns() as u64);
}

#[test]
fn a_stall_is_silence_and_ends() {
    let (rig, _) = Rig::running(&with("kind = 'Stalled'\nframe = 1\nduration_s = 0.05"), 2);
    rig.trigger();
    assert_eq!(rig.frame_id(rig.next()), 0);
    // All that is triggered while it lasts is lost; what comes first afterwards tells how much.
    let first = loop {
        rig.trigger();
        if let Ok(data) = rig.wait(5) {
            break rig.frame_id(data.buffer);
        }
    };
    assert!(first > 1, "{first}");
    select(&rig, FaultKind::Stalled);
    assert_eq!(rig.u64(SIM_FAULT_COUNT), 1);
}

#[test]
fn a_duplicate_comes_in_another_buffer_under_the_same_id() {
    let (rig, _) = Rig::running(&with("kind = 'Duplicated'\nframe = 1"), 4);
    expose(&rig, 3);
    let buffers: Vec<Handle> = (0..4).map(|_| rig.next()).collect();
    let ids: Vec<u64> = buffers.iter().map(|buffer| rig.frame_id(*buffer)).collect();
    assert_eq!(ids, [0, 1, 1, 2]);
    assert_ne!(buffers[1], buffers[2]);
    assert_eq!(rig.bytes(buffers[1]), rig.bytes(buffers[2]));
}

#[test]
fn a_frame_out_of_order_lets_the_next_one_go_first() {
    let (rig, _) = Rig::running(&with("kind = 'OutOfOrder'\nframe = 1"), 4);
    expose(&rig, 4);
    let ids: Vec<u64> = (0..4).map(|_| rig.frame_id(rig.next())).collect();
    assert_eq!(ids, [0, 2, 1, 3]);
}

#[test]
fn the_last_frame_of_an_acquisition_has_nobody_to_let_pass() {
    let mut rig = Rig::open(&with("kind = 'OutOfOrder'"));
    rig.set_u32(ACQUISITION_MODE, 1);
    rig.announce(2).into_iter().for_each(|buffer| rig.queue(buffer));
    rig.start();
    rig.trigger();
    assert_eq!(rig.frame_id(rig.next()), 0);
}

#[test]
fn an_image_of_the_wrong_size_says_so() {
    let (rig, buffer) = struck(FaultKind::WrongSize);
    let size = |command| rig.info::<usize>(buffer, command).unwrap();
    assert_eq!((size(buffer_info::WIDTH), size(buffer_info::HEIGHT)), (16, 4));
    assert_eq!((size(buffer_info::SIZE_FILLED), size(buffer_info::DATA_SIZE)), (64, 64));
    assert_eq!(rig.info::<u8>(buffer, buffer_info::IS_INCOMPLETE), Ok(0));
}

#[test]
fn what_is_told_of_a_buffer_may_be_a_lie() {
    for (kind, command, lie) in [
        (FaultKind::LyingSizeFilled, buffer_info::SIZE_FILLED, 128 + 4096),
        (FaultKind::LyingShape, buffer_info::WIDTH, 256),
        (FaultKind::LyingShape, buffer_info::HEIGHT, 128),
        (FaultKind::LyingImageOffset, buffer_info::IMAGEOFFSET, 128 + 4096),
        (FaultKind::UnknownPayloadType, buffer_info::PAYLOADTYPE, 0x1234),
        (FaultKind::UnknownPixelFormat, buffer_info::PIXELFORMAT, 0x7FFF_FFFF),
        (FaultKind::BadFrameId, buffer_info::FRAMEID, (1 << 53) - 1),
        (FaultKind::BadTimestamp, buffer_info::TIMESTAMP_NS, 0),
        (FaultKind::LargerThanBuffer, buffer_info::DATA_SIZE, 128 + 4096),
    ] {
        let (rig, buffer) = struck(kind);
        assert_eq!(rig.info::<u64>(buffer, command), Ok(lie), "{}", kind.name());
        // The next one is honest again.
        rig.trigger();
        assert_ne!(rig.info::<u64>(rig.next(), command), Ok(lie), "{}", kind.name());
    }
    let (rig, buffer) = struck(FaultKind::LyingBase);
    let base = rig.memory[0].as_ptr() as usize;
    assert_eq!(rig.info::<usize>(buffer, buffer_info::BASE), Ok(base + 128 + 4096));
    drop(rig);
    let (rig, buffer) = struck(FaultKind::LargerThanBuffer);
    let flag = |command| rig.info::<u8>(buffer, command);
    assert_eq!(flag(buffer_info::DATA_LARGER_THAN_BUFFER), Ok(1));
    assert_eq!(flag(buffer_info::IS_INCOMPLETE), Ok(1));
    drop(rig);
    let (rig, buffer) = struck(FaultKind::InfoFails);
    assert_eq!(rig.info::<u64>(buffer, buffer_info::FRAMEID), Err(status::ERROR));
}

#[test]
fn an_event_may_name_a_buffer_that_nobody_announced() {
    let (rig, buffers) = Rig::running(SMALL, 2);
    strike(&rig, FaultKind::UnknownBuffer);
    rig.trigger();
    let data = rig.wait(PATIENCE_MS).unwrap();
    let (named, user) = (data.buffer, data.user as usize);
    assert!(!buffers.contains(&named) && user > 1);
    assert_eq!(rig.info::<u64>(named, buffer_info::FRAMEID), Err(status::INVALID_HANDLE));
    // The buffer itself is out of all queues, as after any event.
    rig.queue(buffers[0]);
}

#[test]
fn chunk_layouts_lie_in_six_ways() {
    let (rig, _) = Rig::running(&format!("{SMALL}chunks = true"), 2);
    let size = 128 + 56;
    select(&rig, FaultKind::LyingChunks);
    let mut seen = Vec::new();
    for way in 0..6 {
        rig.set_f64(SIM_FAULT_VALUE, f64::from(way));
        rig.set_u32(SIM_FAULT_STRIKE, 1);
        rig.trigger();
        let buffer = rig.next();
        let mut count = 0;
        unsafe { DSGetBufferChunkData(rig.stream, buffer, null_mut(), &raw mut count) };
        let mut chunks = vec![SingleChunkData { id: 0, offset: 0, length: 0 }; count];
        let to = chunks.as_mut_ptr();
        unsafe { DSGetBufferChunkData(rig.stream, buffer, to, &raw mut count) };
        let SingleChunkData { offset, length, .. } = chunks[1];
        seen.push((count, offset, length));
        rig.queue(buffer);
    }
    assert_eq!(
        seen,
        [
            (7, size + 4096, 8),
            (7, -4096, 8),
            (7, 136, usize::MAX - 7),
            (7, 136, 1),
            (7, isize::MAX - 3, 8),
            (100_000, 136, 8)
        ]
    );
}

#[test]
fn a_lost_device_says_so_everywhere_and_comes_back_as_after_a_power_cycle() {
    let mut rig = Rig::open(SMALL);
    rig.set_f64(EXPOSURE_TIME, 77.0);
    rig.announce(2).into_iter().for_each(|buffer| rig.queue(buffer));
    let error = opened(|to| unsafe { GCRegisterEvent(rig.device, event_type::ERROR, to) });
    let list = opened(|to| unsafe { GCRegisterEvent(rig.interface, event_type::MODULE, to) });
    rig.start();
    select(&rig, FaultKind::DeviceLost);
    rig.set_f64(SIM_FAULT_DURATION, 0.0);
    rig.set_u32(SIM_FAULT_STRIKE, 1);

    let mut data = [0u8; 256];
    let mut size = data.len();
    let to = data.as_mut_ptr();
    let code = unsafe { EventGetData(error, to.cast(), &raw mut size, PATIENCE_MS) };
    assert_eq!(code, status::SUCCESS);
    let (mut number, mut room, mut data_type) = (0i32, 4, 0);
    let into = (&raw mut number).cast();
    let kind = &raw mut data_type;
    unsafe { EventGetDataInfo(error, to.cast(), size, 0, kind, into, &raw mut room) };
    assert_eq!((number, data_type), (status::IO, 5));
    let mut text = [0u8; 256];
    let (into, mut room) = (text.as_mut_ptr().cast(), 256);
    unsafe { EventGetDataInfo(error, to.cast(), size, 1, kind, into, &raw mut room) };
    assert_eq!(&text[..room], b"SimCam_0: the device was lost\0");
    let mut size = data.len();
    let code = unsafe { EventGetData(list, to.cast(), &raw mut size, PATIENCE_MS) };
    assert_eq!(code, status::SUCCESS);

    let device = rig.device;
    let status_of = |device: Handle| {
        let (mut value, mut size, mut data_type) = (0i32, 4, 0);
        let to = (&raw mut value).cast();
        let command = device_info::ACCESS_STATUS;
        unsafe { DevGetInfo(device, command, &raw mut data_type, to, &raw mut size) };
        value
    };
    assert_eq!(status_of(device), access_status::NO_ACCESS);
    assert_eq!(try_read(rig.remote, EXPOSURE_TIME, &mut [0; 8]).0, status::IO);
    assert_eq!(rig.try_write(SIM_FAULT_CLEAR, &[1, 0, 0, 0]), status::IO);
    assert_eq!(rig.try_write(ACQUISITION_STOP, &[1, 0, 0, 0]), status::IO);
    assert_eq!(unsafe { DSStopAcquisition(rig.stream, 1) }, status::SUCCESS);
    assert_eq!(unsafe { DSStartAcquisition(rig.stream, 0, 1) }, status::IO);
    let listed = || {
        let (mut count, mut changed) = (9, 9);
        unsafe {
            IFUpdateDeviceList(rig.interface, &raw mut changed, 0);
            IFGetNumDevices(rig.interface, &raw mut count);
        }
        count
    };
    let id = c("SimCam_0");
    let mut other = null_mut();
    let mut open = || unsafe { IFOpenDevice(rig.interface, id.as_ptr(), 4, &raw mut other) };
    assert_eq!(listed(), 0);
    assert_eq!(open(), status::INVALID_ID);

    // Plugged in at the interface: a handle from before stays dead until it is closed.
    let plug = 1u32.to_le_bytes();
    let mut size = 4;
    let code = unsafe { GCWritePort(rig.interface, 0x214, plug.as_ptr().cast(), &raw mut size) };
    assert_eq!((code, listed()), (status::SUCCESS, 1));
    assert_eq!(open(), status::RESOURCE_IN_USE);
    assert_eq!(try_read(rig.remote, EXPOSURE_TIME, &mut [0; 8]).0, status::IO);
    unsafe { DevClose(device) };
    assert_eq!(open(), status::SUCCESS);
    assert_eq!(status_of(other), access_status::OPEN_READWRITE);
    let remote = opened(|to| unsafe { DevGetPort(other, to) });
    let mut exposure = [0; 8];
    assert_eq!(try_read(remote, EXPOSURE_TIME, &mut exposure), (status::SUCCESS, 8));
    assert_eq!(f64::from_le_bytes(exposure), 1.0);
}

#[test]
fn a_device_lost_at_a_frame_or_at_a_time_comes_back_by_itself() {
    for condition in ["frame = 1", "from_s = 0.02"] {
        let fault = format!("kind = 'DeviceLost'\nduration_s = 0.05\n{condition}");
        let (rig, _) = Rig::running(&with(&fault), 2);
        if condition.starts_with("frame") {
            rig.trigger();
            rig.next();
            rig.trigger();
        }
        eventually(|| try_read(rig.remote, WIDTH, &mut [0; 4]).0 == status::IO);
        let id = c("SimCam_0");
        unsafe { DevClose(rig.device) };
        let mut device = null_mut();
        eventually(|| {
            let code = unsafe { IFOpenDevice(rig.interface, id.as_ptr(), 4, &raw mut device) };
            code == status::SUCCESS
        });
        let remote = opened(|to| unsafe { DevGetPort(device, to) });
        assert_eq!(try_read(remote, WIDTH, &mut [0; 4]).0, status::SUCCESS);
    }
}

#[test]
fn neighbours_of_a_lost_device_live_on() {
    let rig = Rig::open(&format!("{SMALL}[[device]]\nid = 'side'\n"));
    let id = c("side");
    let side = opened(|to| unsafe { IFOpenDevice(rig.interface, id.as_ptr(), 4, to) });
    let side = opened(|to| unsafe { DevGetPort(side, to) });
    strike(&rig, FaultKind::DeviceLost);
    assert_eq!(try_read(rig.remote, WIDTH, &mut [0; 4]).0, status::IO);
    assert_eq!(try_read(side, WIDTH, &mut [0; 4]).0, status::SUCCESS);
}

#[test]
fn a_port_may_fail_be_slow_lie_or_come_short_while_frames_go_on() {
    let (rig, _) = Rig::running(SMALL, 2);
    let mut bytes = [0; 4];
    let mut ask = |kind| {
        strike(&rig, kind);
        let answer = try_read(rig.remote, WIDTH, &mut bytes);
        (answer, u32::from_le_bytes(bytes))
    };
    assert_eq!(ask(FaultKind::PortFails).0.0, status::IO);
    assert_eq!(ask(FaultKind::PortTimesOut).0.0, status::TIMEOUT);
    assert_eq!(ask(FaultKind::PortWrongSize).0, (status::SUCCESS, 2));
    let (answer, garbage) = ask(FaultKind::PortGarbage);
    assert_eq!(answer, (status::SUCCESS, 4));
    assert_ne!(garbage, 16);
    assert_eq!(rig.u32(WIDTH), 16);
    strike(&rig, FaultKind::WritesRefused);
    assert_eq!(rig.try_write(EXPOSURE_TIME, &9f64.to_le_bytes()), status::ACCESS_DENIED);
    strike(&rig, FaultKind::WritesIgnored);
    rig.set_f64(EXPOSURE_TIME, 9.0);
    assert_eq!(rig.read(EXPOSURE_TIME, 8), 1f64.to_le_bytes());
    // While every access fails, frames come and the faults themselves can be ended.
    select(&rig, FaultKind::PortFails);
    rig.set_u32(SIM_FAULT_ENABLE, 1);
    assert_eq!(try_read(rig.remote, WIDTH, &mut bytes).0, status::IO);
    rig.set_u32(SIM_FAULT_CLEAR, 1);
    rig.trigger();
    assert_eq!(rig.bytes(rig.next()), pattern(0));
}

#[test]
fn garbage_is_the_same_in_each_run() {
    let garbage = || {
        let rig = Rig::open(&with("kind = 'PortGarbage'\nevery = 2"));
        let reads: Vec<Vec<u8>> = (0..4).map(|_| rig.read(WIDTH, 4)).collect();
        assert_eq!(reads[1], 16u32.to_le_bytes());
        assert_ne!(reads[0], reads[2]);
        reads
    };
    assert_eq!(garbage(), garbage());
}

#[test]
fn a_busy_device_cannot_be_opened_and_says_why() {
    let rig = Rig::open(SMALL);
    strike(&rig, FaultKind::DeviceBusy);
    unsafe { DevClose(rig.device) };
    let id = c("SimCam_0");
    let mut device = null_mut();
    let code = unsafe { IFOpenDevice(rig.interface, id.as_ptr(), 4, &raw mut device) };
    assert_eq!(code, status::ACCESS_DENIED);
    let (mut value, mut size, mut data_type) = (0i32, 4, 0);
    let to = (&raw mut value).cast();
    let kind = &raw mut data_type;
    unsafe { IFGetDeviceInfo(rig.interface, id.as_ptr(), 5, kind, to, &raw mut size) };
    assert_eq!(value, access_status::BUSY);
}

#[test]
fn the_payload_size_may_be_absurd_and_frames_come_all_the_same() {
    let (rig, _) = Rig::running(SMALL, 2);
    strike(&rig, FaultKind::AbsurdPayloadSize);
    assert_eq!(rig.u64(PAYLOAD_SIZE), 1 << 62);
    rig.trigger();
    assert_eq!(rig.bytes(rig.next()), pattern(0));
}

/// Address and text of the description file, as far as they can be had.
fn description(rig: &Rig) -> Result<(String, Result<Vec<u8>, i32>), i32> {
    let mut size = 0;
    let code = unsafe { GCGetPortURL(rig.remote, null_mut(), &raw mut size) };
    if code != status::SUCCESS {
        return Err(code);
    }
    let mut url = vec![0u8; size];
    unsafe { GCGetPortURL(rig.remote, url.as_mut_ptr().cast(), &raw mut size) };
    let url = String::from_utf8(url).unwrap().trim_end_matches('\0').to_owned();
    let told = url.split('?').next().unwrap().split(';').nth(2);
    let told = told.and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
    let mut file = vec![0; told.min(1 << 20)];
    let (code, _) = try_read(rig.remote, crate::port::XML_ADDRESS, &mut file);
    Ok((url, if code == status::SUCCESS { Ok(file) } else { Err(code) }))
}

#[test]
fn the_description_file_is_broken_in_seven_ways() {
    let whole = description(&Rig::open(SMALL)).unwrap().1.unwrap();
    let broken = |kind: &str| description(&Rig::open(&with(&format!("kind = '{kind}'"))));
    assert_eq!(broken("XmlMissing"), Err(status::NOT_AVAILABLE));
    let (_, file) = broken("XmlTruncated").unwrap();
    assert_eq!(file.unwrap(), whole[..whole.len() / 2]);
    let (_, file) = broken("XmlNotWellFormed").unwrap();
    let text = String::from_utf8(file.unwrap()).unwrap();
    assert!(roxmltree::Document::parse(&text).is_err());
    let (_, file) = broken("XmlWrongLength").unwrap();
    assert_eq!(file, Err(status::INVALID_ADDRESS));
    let (url, file) = broken("XmlBadZip").unwrap();
    assert!(url.contains(".zip;") && file.unwrap().starts_with(b"PK\x03\x04"));
    for way in 0..6 {
        let (url, _) = broken(&format!("XmlBadUrl'\nvalue = {way}\n#'")).unwrap();
        let sound = format!("local:smartqc_simcam_remote_device.xml;100000;{:X}", whole.len());
        assert!(!url.starts_with(&sound), "{url}");
    }
}

#[test]
fn a_zipped_description_unpacks_to_the_plain_one() {
    use std::io::Read;
    let plain = description(&Rig::open(SMALL)).unwrap().1.unwrap();
    let rig = Rig::open(&format!("{SMALL}description = 'zip'"));
    let (url, archive) = description(&rig).unwrap();
    let archive = archive.unwrap();
    assert!(url.contains("smartqc_simcam_remote_device.zip;"), "{url}");
    assert!(archive.len() * 4 < plain.len());
    // One local header of 30 bytes and the name; the deflated file follows.
    let name = usize::from(archive[26]);
    let mut unpacked = Vec::new();
    flate2::read::DeflateDecoder::new(&archive[30 + name..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[test]
fn every_fault_is_set_and_read_back_through_its_features() {
    let rig = Rig::open(SMALL);
    for &kind in FaultKind::ALL {
        select(&rig, kind);
        assert_eq!(rig.u32(SIM_FAULT_SELECTOR), kind as u32);
        for (address, value) in [(SIM_FAULT_FIRST, 3), (SIM_FAULT_LAST, 9), (SIM_FAULT_EVERY, 2)] {
            rig.write(address, &u64::to_le_bytes(value));
            assert_eq!(rig.u64(address), value);
        }
        rig.set_f64(SIM_FAULT_PROBABILITY, 0.25);
        rig.set_f64(SIM_FAULT_FROM, 1.0);
        rig.set_f64(SIM_FAULT_UNTIL, 2.0);
        rig.set_f64(SIM_FAULT_DURATION, 0.5);
        rig.write(SIM_FAULT_TIMES, &4u64.to_le_bytes());
        assert_eq!(rig.read(SIM_FAULT_PROBABILITY, 8), 0.25f64.to_le_bytes());
        assert_eq!(rig.try_write(SIM_FAULT_EVERY, &[0; 8]), status::INVALID_VALUE);
        assert_eq!(rig.try_write(SIM_FAULT_FIRST, &[0xFF; 8]), status::INVALID_VALUE);
        let beyond = (kind.range().end() * 2.0 + 1.0).to_le_bytes();
        assert_eq!(rig.try_write(SIM_FAULT_VALUE, &beyond), status::INVALID_VALUE);
    }
    rig.set_u32(SIM_FAULT_CLEAR, 1);
    assert_eq!(rig.u64(SIM_FAULT_FIRST), 0);
    let wrong = (FaultKind::ALL.len() as u32).to_le_bytes();
    assert_eq!(rig.try_write(SIM_FAULT_SELECTOR, &wrong), status::INVALID_VALUE);
}

#[test]
fn parts_lie_in_four_ways() {
    let components = "components = ['Intensity', 'Range']";
    let (rig, _) = Rig::running(&format!("{SMALL}{components}"), 2);
    let ask = |buffer, command| {
        let (mut value, mut size, mut data_type) = (0usize, 8, 0);
        let (to, kind) = ((&raw mut value).cast(), &raw mut data_type);
        unsafe { DSGetBufferPartInfo(rig.stream, buffer, 1, command, kind, to, &raw mut size) };
        value
    };
    select(&rig, FaultKind::LyingParts);
    let mut seen = Vec::new();
    for way in 0..4 {
        rig.set_f64(SIM_FAULT_VALUE, f64::from(way));
        rig.set_u32(SIM_FAULT_STRIKE, 1);
        rig.trigger();
        let buffer = rig.next();
        let base: usize = rig.info(buffer, buffer_info::BASE).unwrap();
        seen.push([ask(buffer, 0) - base, ask(buffer, 1), ask(buffer, 5), ask(buffer, 2)]);
        rig.queue(buffer);
    }
    // Offset, size, width, type; the buffer has 384 bytes, the part 256 of them from 128 on.
    assert_eq!(
        seen,
        [[384 + 4096, 256, 16, 5], [128, 768, 16, 5], [128, 256, 1024, 5], [128, 256, 16, 0x1234]]
    );
}

#[test]
fn a_return_is_told_to_who_waits_for_it() {
    let rig = Rig::open(SMALL);
    let list = opened(|to| unsafe { GCRegisterEvent(rig.interface, event_type::MODULE, to) });
    select(&rig, FaultKind::DeviceLost);
    rig.set_f64(SIM_FAULT_DURATION, 0.02);
    rig.set_u32(SIM_FAULT_STRIKE, 1);
    // It went, and it came back, though nobody looked.
    for _ in 0..2 {
        let mut size = 256;
        let mut data = [0u8; 256];
        let to = data.as_mut_ptr().cast();
        let code = unsafe { EventGetData(list, to, &raw mut size, PATIENCE_MS) };
        assert_eq!(code, status::SUCCESS);
    }
}

#[test]
fn a_library_that_closes_waits_for_no_return() {
    let rig = Rig::open(SMALL);
    select(&rig, FaultKind::DeviceLost);
    rig.set_f64(SIM_FAULT_DURATION, 1e9);
    rig.set_u32(SIM_FAULT_STRIKE, 1);
    // Comes to its end.
    drop(rig);
}

#[test]
fn a_description_on_disk_is_there_until_the_library_closes() {
    let plain = description(&Rig::open(SMALL)).unwrap().1.unwrap();
    let rig = Rig::open(&format!("{SMALL}description = 'file'"));
    let mut size = 0;
    unsafe { GCGetPortURL(rig.remote, null_mut(), &raw mut size) };
    let mut url = vec![0u8; size];
    unsafe { GCGetPortURL(rig.remote, url.as_mut_ptr().cast(), &raw mut size) };
    let url = String::from_utf8(url).unwrap();
    let path = url.strip_prefix("file:").unwrap().trim_end_matches('\0').to_owned();
    assert_eq!(std::fs::read(&path).unwrap(), plain);
    drop(rig);
    assert!(!Path::new(&path).exists());
}
