//! Registers, description files, and how the two agree.

use super::*;
use crate::abi::{PortRegisterStackEntry, port_info, url_info};
use crate::port::{Access, Kind, XML_ADDRESS};

/// A port's own text answer.
fn port_text(port: Handle, command: i32) -> String {
    let (mut text, mut size, mut data_type) = ([0i8; 256], 256, 0);
    unsafe {
        let to = text.as_mut_ptr().cast();
        let code = GCGetPortInfo(port, command, &raw mut data_type, to, &raw mut size);
        assert_eq!((code, data_type), (status::SUCCESS, 1));
        CStr::from_ptr(text.as_ptr()).to_str().unwrap().to_owned()
    }
}

fn url(port: Handle) -> String {
    let (mut text, mut size, mut data_type) = ([0i8; 256], 256, 0);
    unsafe {
        let to = text.as_mut_ptr().cast();
        let command = url_info::URL;
        assert_eq!(GCGetPortURLInfo(port, 0, command, &raw mut data_type, to, &raw mut size), 0);
        CStr::from_ptr(text.as_ptr()).to_str().unwrap().to_owned()
    }
}

/// The description file, read through the port where its URL says.
fn xml(port: Handle) -> String {
    let url = url(port);
    let mut fields = url.strip_prefix("local:").unwrap().split('?').next().unwrap().split(';');
    assert!(fields.next().unwrap().ends_with(".xml"));
    let address = u64::from_str_radix(fields.next().unwrap(), 16).unwrap();
    let mut size = usize::from_str_radix(fields.next().unwrap(), 16).unwrap();
    let mut bytes = vec![0u8; size];
    let to = bytes.as_mut_ptr().cast();
    assert_eq!(unsafe { GCReadPort(port, address, to, &raw mut size) }, status::SUCCESS);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_register_is_in_the_description_where_it_is_on_the_port() {
    let mut rig = Rig::open(SMALL);
    let buffer = rig.announce(1)[0];
    let ports = [
        (rig.system, "TLSystem", "TLPort"),
        (rig.interface, "TLInterface", "InterfacePort"),
        (rig.device, "TLDevice", "DevicePort"),
        (rig.stream, "TLDataStream", "StreamPort"),
        (buffer, "TLBuffer", "BufferPort"),
        (rig.remote, "Device", "Device"),
    ];
    for (handle, module, name) in ports {
        assert_eq!(port_text(handle, port_info::MODULE), module);
        assert_eq!(port_text(handle, port_info::PORTNAME), name);
        let text = xml(handle);
        let document = roxmltree::Document::parse(&text).unwrap();
        let child = |node: roxmltree::Node<'_, '_>, name: &str| {
            let found = node.children().find(|child| child.has_tag_name(child_name(name)));
            found.and_then(|child| child.text()).map(str::to_owned)
        };
        let mut described = std::collections::BTreeMap::new();
        for node in document.root_element().children().filter(|node| node.is_element()) {
            if child(node, "pPort").as_deref() == Some(name) {
                let address = child(node, "Address").unwrap();
                let address = u64::from_str_radix(address.strip_prefix("0x").unwrap(), 16).unwrap();
                let length: usize = child(node, "Length").unwrap().parse().unwrap();
                let access = child(node, "AccessMode").unwrap();
                let name = node.attribute("Name").unwrap().trim_end_matches("Reg").to_owned();
                let kind = node.tag_name().name().to_owned();
                described.insert(address, (name, length, access, kind));
            }
        }
        let port = crate::answers::port(handle as usize).unwrap();
        let registers = port.registers().registers();
        assert_eq!(described.len(), registers.len(), "{module}");
        let mut end = 0;
        for register in registers {
            assert!(register.address >= end, "{} overlaps", register.name);
            end = register.address + register.kind.size() as u64;
            let access = match register.access {
                Access::ReadOnly => "RO",
                Access::ReadWrite => "RW",
                Access::WriteOnly => "WO",
            };
            let kind = match register.kind {
                Kind::U32 | Kind::U64 => "IntReg",
                Kind::F64 => "FloatReg",
                Kind::Text(_) => "StringReg",
                Kind::Bytes(_) => "Register",
            };
            let expected = (
                register.name.to_owned(),
                register.kind.size(),
                access.to_owned(),
                kind.to_owned(),
            );
            assert_eq!(described.get(&register.address), Some(&expected));
        }
        assert!(end <= XML_ADDRESS);
    }
}

#[test]
fn every_module_has_the_features_that_the_standard_demands() {
    let rig = Rig::open(SMALL);
    // GenTL 1.6, chapter 7; those of the remote device are the SFNC's.
    for (port, wanted) in [
        (
            rig.system,
            "TLVendorName TLModelName TLID TLVersion TLPath TLType GenTLVersionMajor \
             GenTLVersionMinor InterfaceUpdateList InterfaceSelector InterfaceID",
        ),
        (
            rig.interface,
            "InterfaceID InterfaceType DeviceUpdateList DeviceSelector DeviceID DeviceVendorName \
             DeviceModelName DeviceAccessStatus",
        ),
        (
            rig.device,
            "DeviceID DeviceVendorName DeviceModelName DeviceType StreamSelector StreamID",
        ),
        (
            rig.stream,
            "StreamID StreamAnnouncedBufferCount StreamAcquisitionModeSelector \
             StreamBufferHandlingMode StreamAnnounceBufferMinimum StreamType",
        ),
        (
            rig.remote,
            "Width Height PixelFormat PayloadSize AcquisitionMode AcquisitionStart \
             AcquisitionStop TLParamsLocked",
        ),
    ] {
        let text = xml(port);
        let document = roxmltree::Document::parse(&text).unwrap();
        let in_categories: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name(child_name("pFeature")))
            .filter_map(|node| node.text())
            .collect();
        for feature in wanted.split_whitespace() {
            let is_defined =
                document.descendants().any(|node| node.attribute("Name") == Some(feature));
            assert!(is_defined && in_categories.contains(&feature), "{feature}");
        }
    }
}

/// Tag names carry GenApi's namespace.
fn child_name(name: &str) -> (&'static str, &str) {
    ("http://www.genicam.org/GenApi/Version_1_1", name)
}

#[test]
fn every_readable_register_answers() {
    let mut rig = Rig::open(SMALL);
    let buffer = rig.announce(1)[0];
    for handle in [rig.system, rig.interface, rig.device, rig.stream, buffer, rig.remote] {
        let port = crate::answers::port(handle as usize).unwrap();
        for register in port.registers().registers() {
            let mut bytes = vec![0u8; register.kind.size()];
            let mut size = bytes.len();
            let to = bytes.as_mut_ptr().cast();
            let code = unsafe { GCReadPort(handle, register.address, to, &raw mut size) };
            let wanted = match register.access {
                Access::WriteOnly => status::ACCESS_DENIED,
                _ => status::SUCCESS,
            };
            assert_eq!(code, wanted, "{}: {}", register.name, last_text());
        }
    }
}

#[test]
fn every_url_form_names_the_same_file() {
    let rig = Rig::open(SMALL);
    let from_info = url(rig.remote);
    let mut size = 0;
    unsafe { GCGetPortURL(rig.remote, null_mut(), &raw mut size) };
    let mut list = vec![0i8; size];
    unsafe { GCGetPortURL(rig.remote, list.as_mut_ptr(), &raw mut size) };
    let list: Vec<u8> = list.into_iter().map(|byte| byte as u8).collect();
    assert_eq!(list, [from_info.as_bytes(), b"\0\0"].concat());
    let number = |command| {
        let (mut value, mut size, mut data_type) = (0u64, 8, 0);
        let to = (&raw mut value).cast();
        let port = rig.remote;
        unsafe { GCGetPortURLInfo(port, 0, command, &raw mut data_type, to, &raw mut size) };
        value
    };
    let expected = format!(
        "local:smartqc_simcam_remote_device.xml;{:X};{:X}?SchemaVersion=1.1.0",
        number(url_info::FILE_REGISTER_ADDRESS),
        number(url_info::FILE_SIZE)
    );
    assert_eq!(from_info, expected);
}

#[test]
fn registers_are_little_endian_and_reads_may_span_them() {
    let rig = Rig::open("schema = 1\n[[device]]\nwidth = 16\nheight = 8\npixel_format = 'RGB8'");
    #[rustfmt::skip]
    let golden = [
        16, 0, 0, 0, 8, 0, 0, 0, // SensorWidth, SensorHeight
        16, 0, 0, 0, 8, 0, 0, 0, // WidthMax, HeightMax
        16, 0, 0, 0, 8, 0, 0, 0, // Width, Height
        0, 0, 0, 0, 0, 0, 0, 0, // OffsetX, OffsetY
        0x14, 0x00, 0x18, 0x02, 0, 0, 0, 0, // PixelFormat, TestPattern
        0x80, 0x01, 0, 0, 0, 0, 0, 0, // PayloadSize: 16 * 8 * 3
    ];
    assert_eq!(rig.read(SENSOR_WIDTH, golden.len()), golden);
    assert_eq!(rig.read(PIXEL_FORMAT + 2, 1), [0x18]);
}

#[test]
fn an_address_without_a_register_is_no_address() {
    let rig = Rig::open(SMALL);
    let (mut bytes, mut size) = ([0u8; 8], 8);
    for address in [0x0FFC, 0xFFFF, 0x50_0000, u64::MAX] {
        let to = bytes.as_mut_ptr().cast();
        let code = unsafe { GCReadPort(rig.remote, address, to, &raw mut size) };
        assert_eq!(code, status::INVALID_ADDRESS, "0x{address:x}");
        assert_eq!(rig.try_write(address, &[0; 4]), status::INVALID_ADDRESS);
    }
    assert_eq!(rig.try_write(WIDTH + 2, &[0; 2]), status::INVALID_ADDRESS);
}

#[test]
fn a_value_out_of_range_is_refused_and_leaves_the_old_one() {
    let rig = Rig::open(SMALL);
    for (address, value) in [
        (WIDTH, 18),
        (WIDTH, 6),
        (WIDTH, 9),
        (OFFSET_X, 2),
        (PIXEL_FORMAT, 0x0110_0001),
        (TRIGGER_MODE, 2),
        (TRIGGER_SOURCE, 7),
        (TRIGGER_SELECTOR, 1),
        (LINE_SELECTOR, 1),
        (CHUNK_SELECTOR, 7),
        (ACQUISITION_MODE, 3),
        (ACQUISITION_FRAME_COUNT, 0),
        (TEST_PATTERN, 99),
        (SIM_DELIVERY, 2),
    ] {
        let before = rig.u32(address);
        let code = rig.try_write(address, &u32::to_le_bytes(value));
        assert_eq!(code, status::INVALID_VALUE, "0x{address:x} = {value}");
        assert_eq!(rig.u32(address), before);
    }
    for (address, value) in [
        (EXPOSURE_TIME, 0.0),
        (EXPOSURE_TIME, f64::NAN),
        (ACQUISITION_FRAME_RATE, f64::INFINITY),
        (GAIN, -1.0),
        (SIM_NOISE, 65.0),
        (SIM_SHADING, 1.1),
    ] {
        let code = rig.try_write(address, &f64::to_le_bytes(value));
        assert_eq!(code, status::INVALID_VALUE, "0x{address:x} = {value}");
    }
    assert!(last_text().contains("SimShading = 1.1: must be 0 to 1"), "{}", last_text());
    assert_eq!(rig.try_write(WIDTH, &[8, 0]), status::INVALID_PARAMETER);
    assert_eq!(rig.try_write(WIDTH_MAX, &[8, 0, 0, 0]), status::ACCESS_DENIED);
    assert_eq!(rig.try_write(SIM_IMAGE_FOLDER, b"/no/such/folder"), status::INVALID_VALUE);
    assert!(last_text().contains("/no/such/folder"));
    assert_eq!(rig.u32(WIDTH), 16);
}

#[test]
fn a_string_may_be_written_shorter_than_its_register() {
    let rig = Rig::open(SMALL);
    rig.write(DEVICE_USER_ID, b"top camera\0");
    rig.write(DEVICE_USER_ID, b"side");
    let mut golden = [0; 64];
    golden[..4].copy_from_slice(b"side");
    assert_eq!(rig.read(DEVICE_USER_ID, 64), golden);
    assert_eq!(rig.try_write(DEVICE_USER_ID, &[b'x'; 64]), status::INVALID_VALUE);
    assert_eq!(rig.try_write(DEVICE_USER_ID, &[b'x'; 65]), status::INVALID_PARAMETER);
    assert_eq!(rig.try_write(DEVICE_USER_ID, &[0xFF]), status::INVALID_VALUE);
}

#[test]
fn what_a_frame_depends_on_is_locked_while_acquiring() {
    let rig = Rig::open(SMALL);
    rig.set_u32(TL_PARAMS_LOCKED, 1);
    for address in [WIDTH, HEIGHT, PIXEL_FORMAT, CHUNK_MODE_ACTIVE] {
        let value = rig.read(address, 4);
        assert_eq!(rig.try_write(address, &value), status::ACCESS_DENIED);
    }
    rig.set_f64(EXPOSURE_TIME, 20.0);
    rig.set_u32(TL_PARAMS_LOCKED, 0);
    rig.set_u32(WIDTH, 8);
    // The lock is the consumer's word; a running camera refuses on its own.
    rig.set_u32(ACQUISITION_START, 1);
    assert_eq!(rig.try_write(WIDTH, &[16, 0, 0, 0]), status::ACCESS_DENIED);
    rig.set_u32(ACQUISITION_STOP, 1);
    rig.set_u32(WIDTH, 16);
}

#[test]
fn a_stack_runs_until_its_first_failure_and_counts() {
    let rig = Rig::open(SMALL);
    let (mut width, mut lost, mut height) = (8u32, 0u32, 4u32);
    let entry = |address, value: &mut u32| PortRegisterStackEntry {
        address,
        buffer: (&raw mut *value).cast(),
        size: 4,
    };
    let mut stack =
        [entry(WIDTH, &mut width), entry(0x0FFC, &mut lost), entry(HEIGHT, &mut height)];
    let mut count = 3;
    let code = unsafe { GCWritePortStacked(rig.remote, stack.as_mut_ptr(), &raw mut count) };
    assert_eq!((code, count), (status::INVALID_ADDRESS, 1));
    assert_eq!((rig.u32(WIDTH), rig.u32(HEIGHT)), (8, 8));
    stack[1] = entry(SENSOR_WIDTH, &mut lost);
    let mut count = 3;
    let code = unsafe { GCReadPortStacked(rig.remote, stack.as_mut_ptr(), &raw mut count) };
    assert_eq!((code, count), (status::SUCCESS, 3));
    assert_eq!((width, lost, height), (8, 16, 8));
}

#[test]
fn lines_are_told_by_their_selector() {
    let rig = Rig::open(SMALL);
    rig.set_u32(USER_OUTPUT_VALUE, 1);
    assert_eq!((rig.u32(LINE_MODE), rig.u32(LINE_STATUS)), (0, 0));
    rig.set_u32(LINE_SELECTOR, 2);
    assert_eq!((rig.u32(LINE_MODE), rig.u32(LINE_STATUS)), (1, 1));
}

#[test]
fn the_latch_holds_the_monotonic_clock() {
    let rig = Rig::open(SMALL);
    let before_ns = crate::clock::now_ns() as u64;
    rig.set_u32(TIMESTAMP_LATCH, 1);
    let latched_ns = rig.u64(TIMESTAMP_LATCH_VALUE);
    assert!((before_ns..=crate::clock::now_ns() as u64).contains(&latched_ns));
    assert_eq!(rig.u64(TIMESTAMP_LATCH_VALUE), latched_ns);
}
