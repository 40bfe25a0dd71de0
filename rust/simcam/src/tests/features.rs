//! Selectors, locks, user sets, the look-up table, events, formats, parts and interfaces.

use super::*;
use crate::abi::{BufferPartInfoStacked, part_info};
use crate::formats::PixelFormat;

fn part<T: Copy + Default>(rig: &Rig, buffer: Handle, part: u32, command: i32) -> Result<T, i32> {
    let (mut value, mut size, mut data_type) = (T::default(), size_of::<T>(), 0);
    let (to, kind) = ((&raw mut value).cast(), &raw mut data_type);
    let code =
        unsafe { DSGetBufferPartInfo(rig.stream, buffer, part, command, kind, to, &raw mut size) };
    if code == status::SUCCESS { Ok(value) } else { Err(code) }
}

#[test]
fn a_gain_of_one_colour_leaves_the_others_alone() {
    let (rig, _) = Rig::running(&format!("{SMALL}pixel_format = 'RGB8'"), 2);
    rig.set_u32(GAIN_SELECTOR, 1);
    rig.set_f64(GAIN, 20.0);
    rig.set_u32(GAIN_SELECTOR, 0);
    assert_eq!(rig.read(GAIN, 8), 0f64.to_le_bytes());
    rig.trigger();
    // Red is the ramp, green is x and blue is y.
    assert_eq!(rig.bytes(rig.next())[..9], [0, 0, 0, 10, 1, 0, 20, 2, 0]);
}

#[test]
fn an_automatic_locks_what_it_governs() {
    let rig = Rig::open(SMALL);
    for (automatic, governed) in [(EXPOSURE_AUTO, EXPOSURE_TIME), (GAIN_AUTO, GAIN)] {
        rig.set_u32(automatic, 1);
        assert_eq!(rig.try_write(governed, &2f64.to_le_bytes()), status::ACCESS_DENIED);
        assert!(last_text().contains("Auto is Continuous"), "{}", last_text());
        rig.set_u32(automatic, 0);
        rig.set_f64(governed, 2.0);
    }
}

#[test]
fn a_user_set_brings_settings_back_and_tells_what_changed() {
    let rig = Rig::open(SMALL);
    let event =
        opened(|to| unsafe { GCRegisterEvent(rig.device, event_type::FEATURE_INVALIDATE, to) });
    rig.set_f64(EXPOSURE_TIME, 77.0);
    rig.set_u32(USER_SET_SELECTOR, 1);
    rig.set_u32(USER_SET_SAVE, 1);
    rig.set_u32(USER_SET_SELECTOR, 0);
    assert_eq!(rig.try_write(USER_SET_SAVE, &[1, 0, 0, 0]), status::ACCESS_DENIED);
    rig.set_u32(USER_SET_LOAD, 1);
    assert_eq!(rig.read(EXPOSURE_TIME, 8), 1f64.to_le_bytes());
    let (mut data, mut size) = ([0u8; 256], 256);
    let to = data.as_mut_ptr();
    assert_eq!(unsafe { EventGetData(event, to.cast(), &raw mut size, 0) }, status::SUCCESS);
    let (mut name, mut room, mut data_type) = ([0u8; 64], 64, 0);
    let (into, kind) = (name.as_mut_ptr().cast(), &raw mut data_type);
    unsafe { EventGetDataInfo(event, to.cast(), size, 0, kind, into, &raw mut room) };
    assert_eq!(&name[..room], b"ExposureTime\0");
    // The default set is what a power cycle loads.
    rig.set_u32(USER_SET_DEFAULT, 1);
    rig.set_u32(DEVICE_RESET, 1);
    unsafe { DevClose(rig.device) };
    let (id, mut device) = (c("SimCam_0"), null_mut());
    eventually(|| unsafe { IFOpenDevice(rig.interface, id.as_ptr(), 4, &raw mut device) } == 0);
    let remote = opened(|to| unsafe { DevGetPort(device, to) });
    let (mut exposure, mut size) = (0f64, 8);
    unsafe { GCReadPort(remote, EXPOSURE_TIME, (&raw mut exposure).cast(), &raw mut size) };
    assert_eq!(exposure, 77.0);
}

#[test]
fn a_look_up_table_is_written_whole_or_by_entries() {
    let (rig, _) = Rig::running(SMALL, 2);
    let inverse: Vec<u8> = (0..=255).rev().collect();
    rig.write(LUT_VALUE_ALL, &inverse);
    rig.set_u32(LUT_INDEX, 2);
    rig.set_u32(LUT_VALUE, 7);
    rig.trigger();
    assert_eq!(rig.bytes(rig.next())[..4], [0, 1, 2, 3]);
    rig.set_u32(LUT_ENABLE, 1);
    rig.trigger();
    // The second picture is 32 grey levels brighter; its first pixel is entry 32.
    assert_eq!(rig.bytes(rig.next())[..2], [223, 222]);
    assert_eq!(rig.read(LUT_VALUE_ALL, 256)[..4], [255, 254, 7, 252]);
}

#[test]
fn the_device_tells_of_exposures_and_edges_only_when_asked() {
    let line0 = SMALL.replace("software", "line0");
    let (rig, _) = Rig::running(&line0, 2);
    let event = opened(|to| unsafe { GCRegisterEvent(rig.device, event_type::REMOTE_DEVICE, to) });
    rig.pulse(1, 0, 0, 0);
    rig.next();
    for selector in [0, 1] {
        rig.set_u32(EVENT_SELECTOR, selector);
        rig.set_u32(EVENT_NOTIFICATION, 1);
    }
    let at_ns = crate::clock::now_ns();
    rig.pulse(1, 0, 0, at_ns);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (mut data, mut size) = ([0u8; 256], 256);
        let to = data.as_mut_ptr();
        let code = unsafe { EventGetData(event, to.cast(), &raw mut size, PATIENCE_MS) };
        assert_eq!(code, status::SUCCESS);
        let ask = |command| {
            let (mut bytes, mut room, mut data_type) = (vec![0u8; 64], 64, 0);
            let (into, kind) = (bytes.as_mut_ptr().cast(), &raw mut data_type);
            let from = data.as_ptr().cast();
            unsafe { EventGetDataInfo(event, from, size, command, kind, into, &raw mut room) };
            bytes.truncate(room);
            bytes
        };
        seen.push((ask(0), ask(1)));
    }
    seen.sort();
    let value = |ns: i64, id: u64| [ns.to_le_bytes(), id.to_le_bytes()].concat();
    let end = (b"3001\0".to_vec(), value(at_ns + 1000, 1));
    let edge = (b"3002\0".to_vec(), value(at_ns, 0));
    assert_eq!(seen, [end, edge]);
}

#[test]
fn every_format_streams_frames_of_its_own_size() {
    let mut rig = Rig::open(SMALL);
    for &(format, name) in PixelFormat::ALL {
        rig.set_u32(PIXEL_FORMAT, format as u32);
        let payload = rig.u64(PAYLOAD_SIZE) as usize;
        assert_eq!(payload * 8, 128 * ((format as usize >> 16) & 0xFF), "{name}");
        let buffers = rig.announce(2);
        buffers.iter().for_each(|&buffer| rig.queue(buffer));
        rig.start();
        rig.trigger();
        let buffer = rig.next();
        assert_eq!(rig.bytes(buffer).len(), payload, "{name}");
        assert_eq!(rig.info::<u64>(buffer, buffer_info::PIXELFORMAT), Ok(format as u64));
        // Gain acts on samples, wherever they lie.
        rig.set_f64(GAIN, 24.0);
        rig.trigger();
        assert!(rig.bytes(rig.next()).contains(&0xFF), "{name}");
        rig.set_f64(GAIN, 0.0);
        rig.stop();
        unsafe { DSFlushQueue(rig.stream, 4) };
        for buffer in buffers {
            unsafe { DSRevokeBuffer(rig.stream, buffer, null_mut(), null_mut()) };
        }
    }
}

#[test]
fn rows_of_packed_pixels_end_with_a_whole_byte() {
    let mut rig = Rig::open(SMALL);
    rig.set_u32(WIDTH, 10);
    assert_eq!(rig.try_write(PIXEL_FORMAT, &0x010A_0046u32.to_le_bytes()), status::INVALID_VALUE);
    assert_eq!(rig.u32(PIXEL_FORMAT), 0x0108_0001);
    rig.set_u32(WIDTH, 12);
    rig.set_u32(PIXEL_FORMAT, 0x010A_0046);
    assert_eq!(rig.try_write(WIDTH, &10u32.to_le_bytes()), status::INVALID_VALUE);
    rig.announce(1);
    assert_eq!(rig.u64(PAYLOAD_SIZE), 12 * 8 * 10 / 8);
}

#[test]
fn a_multi_part_payload_is_asked_part_by_part() {
    let components = "components = ['Intensity', 'Confidence', 'Range']\nchunks = true";
    let (rig, _) = Rig::running(&format!("{SMALL}{components}"), 2);
    assert_eq!(rig.u64(PAYLOAD_SIZE), 128 + 128 + 256 + 56);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.info::<usize>(buffer, buffer_info::PAYLOADTYPE), Ok(10));
    assert_eq!(rig.info::<usize>(buffer, buffer_info::WIDTH), Err(status::NO_DATA));
    assert_eq!(rig.info::<u64>(buffer, buffer_info::PIXELFORMAT), Err(status::NO_DATA));
    let mut count = 0;
    let code = unsafe { DSGetNumBufferParts(rig.stream, buffer, &raw mut count) };
    assert_eq!((code, count), (status::SUCCESS, 3));
    let base = rig.memory[0].as_ptr() as usize;
    let told: Vec<_> = (0..3)
        .map(|at| {
            let size = |command| part::<usize>(&rig, buffer, at, command).unwrap();
            (
                size(part_info::BASE) - base,
                size(part_info::DATA_SIZE),
                size(part_info::DATA_TYPE),
                part::<u64>(&rig, buffer, at, part_info::DATA_FORMAT).unwrap(),
                (size(part_info::WIDTH), size(part_info::HEIGHT)),
                part::<u64>(&rig, buffer, at, part_info::DATA_PURPOSE_ID).unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, 128, 1, 0x0108_0001, (16, 8), 1),
            (128, 128, 9, 0x0108_00C6, (16, 8), 6),
            (256, 256, 5, 0x0110_00B8, (16, 8), 4),
        ]
    );
    assert_eq!(part::<usize>(&rig, buffer, 3, part_info::WIDTH), Err(status::INVALID_INDEX));
    let bytes = rig.bytes(buffer);
    assert_eq!(bytes[..128], pattern(0));
    assert!((0..128).all(|at| bytes[128 + at] == if bytes[at] >= 32 { 255 } else { 0 }));
    assert_eq!(bytes[256..262], [0, 0, 1, 0, 2, 0]);
    assert_eq!(bytes[256 + 32..256 + 34], [2, 0]);
    let mut width = 0usize;
    let into = (&raw mut width).cast();
    let entry = |part, buffer| BufferPartInfoStacked {
        part,
        command: part_info::WIDTH,
        data_type: 0,
        result: 9,
        buffer,
        size: 8,
    };
    let mut stack = [entry(1, into), entry(5, into)];
    let code = unsafe { DSGetBufferPartInfoStacked(rig.stream, buffer, stack.as_mut_ptr(), 2) };
    assert_eq!(code, status::SUCCESS);
    let results = stack.map(|entry| entry.result);
    assert_eq!((results, width), ([status::SUCCESS, status::INVALID_INDEX], 16));
}

#[test]
fn components_are_chosen_by_their_selector_and_the_image_always_stays() {
    let rig = Rig::open(SMALL);
    assert_eq!(rig.try_write(COMPONENT_ENABLE, &[0; 4]), status::INVALID_VALUE);
    rig.set_u32(COMPONENT_SELECTOR, 1);
    assert_eq!((rig.u32(COMPONENT_ENABLE), rig.u32(COMPONENT_ID_VALUE)), (0, 6));
    rig.set_u32(COMPONENT_ENABLE, 1);
    assert_eq!(rig.u64(PAYLOAD_SIZE), 256);
}

#[test]
fn a_second_user_output_may_drive_line2() {
    let rig = Rig::open(SMALL);
    rig.set_u32(LINE_SELECTOR, 2);
    rig.set_u32(USER_OUTPUT_SELECTOR, 1);
    rig.set_u32(USER_OUTPUT_VALUE, 1);
    assert_eq!(rig.u32(LINE_STATUS), 0);
    rig.set_u32(LINE_SOURCE, 2);
    assert_eq!((rig.u32(LINE_STATUS), rig.u64(SIM_LINE2_EDGES)), (1, 1));
    rig.set_u32(USER_OUTPUT_SELECTOR, 0);
    assert_eq!((rig.u32(USER_OUTPUT_VALUE), rig.u32(LINE_STATUS)), (0, 1));
}

#[test]
fn devices_hang_on_the_interfaces_that_the_configuration_names() {
    let _turn = init(
        "schema = 1\n[[device]]\nid = 'a'\ninterface = 'left'\n[[device]]\nid = 'b'\n\
         interface = 'right'\n[[device]]\nid = 'c'\ninterface = 'left'\n",
    );
    unsafe {
        let system = opened(|to| TLOpen(to));
        let mut count = 0;
        TLUpdateInterfaceList(system, null_mut(), 0);
        TLGetNumInterfaces(system, &raw mut count);
        assert_eq!(count, 2);
        let mut seen = Vec::new();
        for at in 0..2 {
            let (mut name, mut size) = ([0i8; 64], 64);
            TLGetInterfaceID(system, at, name.as_mut_ptr(), &raw mut size);
            let interface = opened(|to| TLOpenInterface(system, name.as_ptr(), to));
            IFUpdateDeviceList(interface, null_mut(), 0);
            IFGetNumDevices(interface, &raw mut count);
            let mut devices = Vec::new();
            for at in 0..count {
                let (mut id, mut size) = ([0i8; 64], 64);
                IFGetDeviceID(interface, at, id.as_mut_ptr(), &raw mut size);
                devices.push(CStr::from_ptr(id.as_ptr()).to_str().unwrap().to_owned());
            }
            seen.push((CStr::from_ptr(name.as_ptr()).to_str().unwrap().to_owned(), devices));
        }
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(seen, [("left".into(), list(&["a", "c"])), ("right".into(), list(&["b"]))]);
        let (mut system_port_id, mut size) = ([0u8; 64], 64);
        let select = 1u32.to_le_bytes();
        let mut four = 4;
        GCWritePort(system, 0x1210, select.as_ptr().cast(), &raw mut four);
        GCReadPort(system, 0x100, system_port_id.as_mut_ptr().cast(), &raw mut size);
        assert!(system_port_id.starts_with(b"right\0"));
        GCCloseLib();
    }
}

#[test]
fn a_producer_may_want_more_and_aligned_buffers_and_tell_the_payload_size() {
    let dialect = "buffers_min = 3\nbuffer_alignment = 64\ndefines_payload_size = true";
    let rig = Rig::open(&format!("{SMALL}{dialect}"));
    assert_eq!(rig.stream_number(crate::abi::stream_info::BUF_ANNOUNCE_MIN), 3);
    assert_eq!(rig.stream_number(crate::abi::stream_info::BUF_ALIGNMENT), 64);
    assert_eq!(rig.stream_number(crate::abi::stream_info::PAYLOAD_SIZE), 128);
    let memory = vec![0u8; 256];
    let base = (memory.as_ptr() as usize).next_multiple_of(64) + 8;
    let mut buffer = null_mut();
    let to = &raw mut buffer;
    let code = unsafe { DSAnnounceBuffer(rig.stream, base as *mut c_void, 128, null_mut(), to) };
    assert_eq!(code, status::INVALID_BUFFER);
    let allocated =
        || opened(|to| unsafe { DSAllocAndAnnounceBuffer(rig.stream, 128, null_mut(), to) });
    let buffers = [allocated(), allocated()];
    assert_eq!(unsafe { DSStartAcquisition(rig.stream, 0, 1) }, status::INVALID_BUFFER);
    for buffer in buffers {
        let base: usize = rig.info(buffer, buffer_info::BASE).unwrap();
        assert_eq!(base % 64, 0);
    }
}

#[test]
fn a_clock_may_tick_and_an_id_may_be_short() {
    let dialect =
        "timestamp = 'ticks'\ntick_hz = 1000000\nframe_id_bits = 16\nfirst_frame_id = 65535";
    let (rig, _) = Rig::running(&format!("{SMALL}{dialect}"), 2);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.frame_id(buffer), 65_535);
    assert_eq!(rig.info::<u64>(buffer, buffer_info::TIMESTAMP_NS), Err(status::NOT_AVAILABLE));
    let ticks: u64 = rig.info(buffer, buffer_info::TIMESTAMP).unwrap();
    let now_us = crate::clock::now_ns() as u64 / 1000;
    assert!(ticks <= now_us && now_us < ticks + 60_000_000);
    rig.trigger();
    assert_eq!(rig.frame_id(rig.next()), 1);
    drop(rig);
    let (rig, _) = Rig::running(&format!("{SMALL}timestamp = 'none'"), 2);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.info::<u64>(buffer, buffer_info::TIMESTAMP), Err(status::NOT_AVAILABLE));
}

#[test]
fn an_image_may_begin_later_and_its_rows_may_be_padded() {
    let layout = "image_offset = 24\nline_padding = 3\npixel_format = 'BayerRG12p'\nchunks = true";
    let (rig, _) = Rig::running(&format!("{SMALL}{layout}"), 2);
    // 8 rows of 24 bytes and 3 more, behind 24, and seven chunks from a multiple of 8 on.
    assert_eq!(rig.u64(PAYLOAD_SIZE), 24 + 216 + 56);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.info::<usize>(buffer, buffer_info::IMAGEOFFSET), Ok(24));
    assert_eq!(rig.info::<usize>(buffer, buffer_info::XPADDING), Ok(3));
    let plain = rig.bytes(buffer);
    assert_eq!(plain[..24], [0xEE; 24]);
    assert!((0..8).all(|row| plain[24 + row * 27 + 24..][..3] == [0xA5; 3]));
    // Gain acts on the samples, wherever the rows begin.
    let format = PixelFormat::BayerRG12p;
    let analog = crate::tone::Analog { gain_db: [24.0, 0.0, 0.0, 0.0], ..Default::default() };
    let tone = crate::tone::Tone::new(&analog, format).unwrap();
    drop(rig);
    let (rig, _) = Rig::running(&format!("{SMALL}{layout}\ngain_db = 24.0"), 2);
    rig.trigger();
    let toned = rig.bytes(rig.next());
    for at in [0, 2, 4] {
        let two = [&plain[24 + at * 27..][..24], &plain[24 + (at + 1) * 27..][..24]].concat();
        assert_eq!(tone.apply(&two, 16)[..24], toned[24 + at * 27..][..24]);
        assert_eq!(tone.apply(&two, 16)[24..], toned[24 + (at + 1) * 27..][..24]);
    }
}

#[test]
fn a_coarse_exposure_is_rounded_down_to_what_the_camera_can() {
    let rig = Rig::open(SMALL);
    rig.set_f64(EXPOSURE_TIME, 321.0);
    let coarse = crate::faults::FaultKind::CoarseExposure as u32;
    rig.set_u32(SIM_FAULT_SELECTOR, coarse);
    rig.set_u32(SIM_FAULT_ENABLE, 1);
    assert_eq!(rig.read(EXPOSURE_TIME, 8), 321f64.to_le_bytes(), "until it is written");
    for (wanted, found) in [(321.0, 300.0), (200.0, 200.0), (7.0, 1.0)] {
        rig.set_f64(EXPOSURE_TIME, wanted);
        assert_eq!(rig.read(EXPOSURE_TIME, 8), f64::to_le_bytes(found));
    }
}
