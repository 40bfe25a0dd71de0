//! Calls in any order, with any handle and any bytes: each is answered, and none finds a bug.
//!
//! `PROPTEST_CASES=100000 cargo test -p smartqc-simcam anything` looks for longer.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::abi::{
    BufferInfoStacked, BufferPartInfoStacked, PortRegisterStackEntry, SingleChunkData,
};
use crate::event::Message;
use crate::faults::{FAULTS, FaultKind};
use crate::port::{Access, XML_ADDRESS};

/// One call: which, on which handles, and numbers for its arguments.
type Step = (u8, u8, u8, u32);

/// Everything that a consumer holds, alive or dead.
struct World {
    handles: Vec<usize>,
    /// Announced memory, which outlives the library.
    memory: Vec<Vec<u8>>,
}

impl World {
    fn handle(&self, choice: u8) -> Handle {
        let at = usize::from(choice) % (self.handles.len() + 3);
        let number = match at.checked_sub(self.handles.len()) {
            None => self.handles[at],
            Some(0) => 0,
            Some(1) => usize::MAX,
            Some(_) => 0x5343_0000 + usize::from(choice) * 16,
        };
        number as Handle
    }

    /// Calls something that opens, and keeps what it gave.
    fn open(&mut self, call: impl FnOnce(*mut Handle) -> i32) -> i32 {
        let mut handle = null_mut();
        let code = call(&raw mut handle);
        if code == status::SUCCESS {
            self.handles.push(handle as usize);
        }
        code
    }

    fn step(&mut self, (call, first, second, number): Step) -> i32 {
        let (a, b) = (self.handle(first), self.handle(second));
        let names = ["SimCamInterface", "SimCam_0", "SimCam_1", "Stream0", "", "nobody"];
        let id = c(names[number as usize % names.len()]);
        let id = id.as_ptr();
        let command = number as i32 % 40 - 2;
        let mut bytes = [0u8; 512];
        let mut size = number as usize % 600;
        let into = if size > 512 { null_mut() } else { bytes.as_mut_ptr() };
        let room = if number.is_multiple_of(31) { null_mut() } else { &raw mut size };
        let (mut kind, mut count, mut flag) = (0, 0u32, 0u8);
        let (kind, count, flag) = (&raw mut kind, &raw mut count, &raw mut flag);
        unsafe {
            match call % 56 {
                0 => GCInitLib(),
                1 if number.is_multiple_of(8) => GCCloseLib(),
                1 | 2 => GCGetInfo(command, kind, into.cast(), room),
                3 => {
                    let error = GCGetLastError(kind, into.cast(), room);
                    assert!([status::SUCCESS, status::BUFFER_TOO_SMALL].contains(&error));
                    error
                }
                4 => GCReadPort(a, address(number), into.cast(), room),
                5 => write(a, number, &bytes),
                6 => GCGetPortURL(a, into.cast(), room),
                7 => GCGetPortInfo(a, command, kind, into.cast(), room),
                8 => self.open(|to| GCRegisterEvent(a, number as i32 % 8 - 1, to)),
                9 => GCUnregisterEvent(a, number as i32 % 8 - 1),
                10 => EventGetData(a, into.cast(), room, u64::from(number % 2)),
                11 => {
                    bytes.fill(number as u8);
                    let from = bytes.as_ptr().cast();
                    let mut room = 64;
                    let mut out = [0u8; 64];
                    let out = out.as_mut_ptr().cast();
                    EventGetDataInfo(a, from, size.min(512), command, kind, out, &raw mut room)
                }
                12 => EventGetInfo(a, command, kind, into.cast(), room),
                13 => EventFlush(a),
                14 => EventKill(a),
                15 => self.open(|to| TLOpen(to)),
                16 if number.is_multiple_of(4) => TLClose(a),
                16 | 17 => TLGetInfo(a, command, kind, into.cast(), room),
                18 => TLGetNumInterfaces(a, count),
                19 => TLGetInterfaceID(a, number % 3, into.cast(), room),
                20 => TLGetInterfaceInfo(a, id, command, kind, into.cast(), room),
                21 => self.open(|to| TLOpenInterface(a, id, to)),
                22 => TLUpdateInterfaceList(a, flag, 0),
                23 if number.is_multiple_of(4) => IFClose(a),
                23 | 24 => IFGetInfo(a, command, kind, into.cast(), room),
                25 => IFGetNumDevices(a, count),
                26 => IFGetDeviceID(a, number % 3, into.cast(), room),
                27 => IFUpdateDeviceList(a, flag, 0),
                28 => IFGetDeviceInfo(a, id, command, kind, into.cast(), room),
                29 => self.open(|to| IFOpenDevice(a, id, number as i32 % 6, to)),
                30 => self.open(|to| DevGetPort(a, to)),
                31 if number.is_multiple_of(4) => DevClose(a),
                31 | 32 => DevGetInfo(a, command, kind, into.cast(), room),
                33 => self.open(|to| DevOpenDataStream(a, id, to)),
                34 => {
                    let mut memory = vec![0; 1 + number as usize % 4096];
                    let (base, length) = (memory.as_mut_ptr().cast(), memory.len());
                    self.memory.push(memory);
                    self.open(|to| DSAnnounceBuffer(a, base, length, null_mut(), to))
                }
                35 => {
                    let length = number as usize % 4096;
                    self.open(|to| DSAllocAndAnnounceBuffer(a, length, null_mut(), to))
                }
                36 => DSFlushQueue(a, number as i32 % 7 - 1),
                37 => DSStartAcquisition(a, number as i32 % 2, u64::from(number / 2 % 5)),
                38 => DSStopAcquisition(a, number as i32 % 3),
                39 => DSGetInfo(a, command, kind, into.cast(), room),
                40 => self.open(|to| DSGetBufferID(a, number % 4, to)),
                41 if number.is_multiple_of(4) => DSClose(a),
                41 | 42 => DSRevokeBuffer(a, b, null_mut(), null_mut()),
                43 => DSQueueBuffer(a, b),
                44 => DSGetBufferInfo(a, b, command, kind, into.cast(), room),
                45 => GCGetNumPortURLs(a, count),
                46 => GCGetPortURLInfo(a, number % 2, command, kind, into.cast(), room),
                47 => {
                    let to = into.cast();
                    let mut stack = [PortRegisterStackEntry {
                        address: address(number),
                        buffer: to,
                        size: size.min(512),
                    }; 2];
                    let mut entries = number as usize % 3;
                    GCReadPortStacked(a, stack.as_mut_ptr(), &raw mut entries)
                }
                48 => {
                    let mut chunks = [SingleChunkData { id: 0, offset: 0, length: 0 }; 8];
                    let mut entries = number as usize % 9;
                    DSGetBufferChunkData(a, b, chunks.as_mut_ptr(), &raw mut entries)
                }
                49 => DSGetNumBufferParts(a, b, count),
                50 => DSGetBufferPartInfo(a, b, number % 4, command, kind, into.cast(), room),
                51 => {
                    let (buffer, size) = (into.cast(), size.min(512));
                    let entry =
                        BufferInfoStacked { command, data_type: 0, buffer, size, result: 1 };
                    let mut stack = [entry; 2];
                    DSGetBufferInfoStacked(a, b, stack.as_mut_ptr(), number as usize % 3)
                }
                52 => {
                    let (buffer, size) = (into.cast(), size.min(512));
                    let part = number % 4;
                    let entry = BufferPartInfoStacked {
                        part,
                        command,
                        data_type: 0,
                        result: 1,
                        buffer,
                        size,
                    };
                    let mut stack = [entry; 2];
                    DSGetBufferPartInfoStacked(a, b, stack.as_mut_ptr(), number as usize % 3)
                }
                53 => DevGetDataStreamID(a, number % 2, into.cast(), room),
                54 => self.open(|to| match number % 3 {
                    0 => IFGetParentTL(a, to),
                    1 => DevGetParentIF(a, to),
                    _ => DSGetParentDev(a, to),
                }),
                _ => {
                    let told = [
                        DSGetNumFlows(a, count),
                        DSGetNumBufferSegments(a, b, count),
                        DSAnnounceCompositeBuffer(
                            a,
                            0,
                            null_mut(),
                            null_mut(),
                            null_mut(),
                            null_mut(),
                        ),
                    ];
                    told[number as usize % 3]
                }
            }
        }
    }
}

/// Registers, their middles, the description file, and beyond everything.
fn address(number: u32) -> u64 {
    let at = number as usize / 8;
    match number % 8 {
        0 => XML_ADDRESS + u64::from(number),
        1 => u64::from(number) << 32,
        2 => u64::from(number % 0x300),
        _ => REGISTERS[at % REGISTERS.len()].address + u64::from(number % 8 / 6),
    }
}

/// Writes a register what it might take, or nonsense.
fn write(port: Handle, number: u32, zeros: &[u8]) -> i32 {
    let register = &REGISTERS[number as usize / 16 % REGISTERS.len()];
    // A fault that is told to take minutes would.
    if [SIM_FAULT_VALUE, SIM_FAULT_DURATION, SIM_FAULT_CLEAR].contains(&register.address) {
        return status::SUCCESS;
    }
    let value = match number % 16 {
        0 => f64::from(number).to_le_bytes(),
        1 => f64::NAN.to_le_bytes(),
        2 => u64::MAX.to_le_bytes(),
        choice => u64::from(choice - 3).to_le_bytes(),
    };
    let mut bytes = zeros[..register.kind.size().min(zeros.len())].to_vec();
    let count = bytes.len().min(8);
    bytes[..count].copy_from_slice(&value[..count]);
    let mut size = if number.is_multiple_of(17) { bytes.len() / 2 } else { bytes.len() };
    unsafe { GCWritePort(port, register.address, bytes.as_ptr().cast(), &raw mut size) }
}

/// A code that the standard knows, and no bug behind it.
fn check(code: i32) {
    assert!((-1023..=0).contains(&code), "{code}");
    if code == status::ERROR {
        assert!(!last_text().contains("bug"), "{}", last_text());
    }
}

const TWO: &str = "schema = 1\n[[device]]\nwidth = 16\nheight = 8\ntrigger = 'software'\n\
                   chunks = true\ncomponents = ['Intensity', 'Range']\n\
                   [[device.fault]]\nkind = 'PortTimesOut'\nfirst = 1000000\nvalue = 0\n\
                   [[device]]\nwidth = 16\nheight = 8\nframe_rate = 1000\n";

/// So many cases unless the environment asks for others.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(usual),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn anything_in_any_order_is_answered(steps in vec(any::<Step>(), 0..120)) {
        let _turn = init(TWO);
        let mut world = World { handles: Vec::new(), memory: Vec::new() };
        // A start from which everything can be reached.
        let (interface, device) = (c(modules::INTERFACE_ID), c("SimCam_0"));
        let stream = c(modules::STREAM_ID);
        unsafe {
            let system = opened(|to| TLOpen(to));
            let interface = opened(|to| TLOpenInterface(system, interface.as_ptr(), to));
            let device = opened(|to| IFOpenDevice(interface, device.as_ptr(), 4, to));
            let port = opened(|to| DevGetPort(device, to));
            let stream = opened(|to| DevOpenDataStream(device, stream.as_ptr(), to));
            let handles = [system, interface, device, port, stream];
            world.handles.extend(handles.map(|handle| handle as usize));
        }
        for step in steps {
            check(world.step(step));
        }
        unsafe { GCCloseLib() };
        drop(world);
    }

    #[test]
    fn anything_written_to_a_register_is_taken_or_refused(
        writes in vec((any::<u8>(), any::<[u8; 8]>()), 1..60),
        fault in 0..FAULTS,
    ) {
        let rig = Rig::open(SMALL);
        if FaultKind::ALL[fault] != FaultKind::DeviceLost {
            rig.set_u32(SIM_FAULT_SELECTOR, fault as u32);
            rig.set_f64(SIM_FAULT_VALUE, 0.0);
            rig.set_u32(SIM_FAULT_ENABLE, 1);
        }
        for (at, value) in writes {
            let register = &REGISTERS[usize::from(at) % REGISTERS.len()];
            if (SIM_FAULT_SELECTOR..=SIM_FAULT_CLEAR).contains(&register.address) {
                continue;
            }
            let mut bytes = vec![0; register.kind.size()];
            let count = bytes.len().min(8);
            bytes[..count].copy_from_slice(&value[..count]);
            check(rig.try_write(register.address, &bytes));
            if register.access != Access::WriteOnly {
                let mut size = bytes.len();
                let to = bytes.as_mut_ptr().cast();
                check(unsafe { GCReadPort(rig.remote, register.address, to, &raw mut size) });
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn any_text_is_a_configuration_or_a_mistake_in_words(
        lines in vec("(schema|width|height|id|images|fault|kind|every|value|frame_rate|chunks|components|interface|seed|memory_mb) = [-0-9a-z\\['\"\\].]{0,12}|\\[\\[device(\\.fault)?\\]\\]", 0..12),
    ) {
        let text = format!("schema = 1\n[[device]]\n{}", lines.join("\n"));
        match config::parse(&text, Path::new("/nonexistent")) {
            Ok(devices) => prop_assert!(!devices.is_empty()),
            Err(fault) => prop_assert!(!fault.text.is_empty()),
        }
    }

    #[test]
    fn any_bytes_are_event_data_or_none(bytes in vec(any::<u8>(), 0..300)) {
        if let Some(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode()).map(|again| again.number), Some(message.number));
        }
    }
}
