//! Drives the exported functions as a consumer would, in this process.
#![allow(unsafe_code, clippy::undocumented_unsafe_blocks)] // Each call passes this file's own memory.

mod anything;
mod buffers;
mod events;
mod faults;
mod features;
mod life;
mod ports;
mod streaming;
mod triggers;

use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::abi::{Handle, INFINITE, NewBufferData, access_flag, buffer_info, event_type, status};
use crate::exports::*;
use crate::library::{self, lock};
use crate::registers::*;
use crate::{config, modules};

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE_MS: u64 = 30_000;
/// A software-triggered 16 x 8 camera whose frames are ready at once.
const SMALL: &str = "schema = 1\n[[device]]\nwidth = 16\nheight = 8\ntrigger = 'software'\n\
                     exposure_us = 1.0\nreadout_us = 0.0\n";

/// The library is one per process, so its tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// An open camera; dropping it closes the library.
struct Rig {
    system: Handle,
    interface: Handle,
    device: Handle,
    remote: Handle,
    stream: Handle,
    event: Handle,
    /// Announced memory, which outlives the library.
    memory: Vec<Vec<u8>>,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        unsafe { GCCloseLib() };
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// Initialises the library with a configuration, in turn.
fn init(text: &str) -> MutexGuard<'static, ()> {
    let turn = lock(&TURN);
    library::init_with(|| config::parse(text, Path::new("."))).unwrap();
    turn
}

/// A handle from a function that gives one.
fn opened(call: impl FnOnce(*mut Handle) -> i32) -> Handle {
    let mut handle = null_mut();
    assert_eq!(call(&raw mut handle), status::SUCCESS, "{}", last_text());
    assert!(!handle.is_null());
    handle
}

/// Waits for what happens on another thread.
fn eventually(mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_millis(PATIENCE_MS), "it never happened");
        std::thread::yield_now();
    }
}

fn last_text() -> String {
    let (mut code, mut text, mut size) = (0, [0i8; 1024], 1024);
    unsafe {
        GCGetLastError(&raw mut code, text.as_mut_ptr(), &raw mut size);
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

impl Rig {
    fn open(config: &str) -> Self {
        let turn = init(config);
        let (interface_id, stream_id) = (c(modules::INTERFACE_ID), c(modules::STREAM_ID));
        unsafe {
            let system = opened(|to| TLOpen(to));
            let interface = opened(|to| TLOpenInterface(system, interface_id.as_ptr(), to));
            let id = c("SimCam_0");
            let device =
                opened(|to| IFOpenDevice(interface, id.as_ptr(), access_flag::EXCLUSIVE, to));
            let remote = opened(|to| DevGetPort(device, to));
            let stream = opened(|to| DevOpenDataStream(device, stream_id.as_ptr(), to));
            let event = opened(|to| GCRegisterEvent(stream, event_type::NEW_BUFFER, to));
            let memory = Vec::new();
            Self { system, interface, device, remote, stream, event, memory, _turn: turn }
        }
    }

    /// An open camera that acquires into so many queued buffers.
    fn running(config: &str, buffers: usize) -> (Self, Vec<Handle>) {
        let mut rig = Self::open(config);
        let buffers = rig.announce(buffers);
        for &buffer in &buffers {
            assert_eq!(unsafe { DSQueueBuffer(rig.stream, buffer) }, status::SUCCESS);
        }
        rig.start();
        (rig, buffers)
    }

    fn start(&self) {
        self.set_u32(TL_PARAMS_LOCKED, 1);
        assert_eq!(unsafe { DSStartAcquisition(self.stream, 0, INFINITE) }, status::SUCCESS);
        self.set_u32(ACQUISITION_START, 1);
    }

    fn stop(&self) {
        self.set_u32(ACQUISITION_STOP, 1);
        assert_eq!(unsafe { DSStopAcquisition(self.stream, 0) }, status::SUCCESS);
        self.set_u32(TL_PARAMS_LOCKED, 0);
    }

    /// Announces memory of this test; a buffer's user pointer is its number.
    fn announce(&mut self, buffers: usize) -> Vec<Handle> {
        let payload = self.u64(PAYLOAD_SIZE) as usize;
        let mut handles = Vec::new();
        for number in 0..buffers {
            let mut memory = vec![0xEE; payload];
            let base = memory.as_mut_ptr().cast();
            self.memory.push(memory);
            let user = number as *mut c_void;
            handles.push(opened(|to| unsafe {
                DSAnnounceBuffer(self.stream, base, payload, user, to)
            }));
        }
        handles
    }

    fn read(&self, address: u64, size: usize) -> Vec<u8> {
        let (mut bytes, mut count) = (vec![0; size], size);
        let to = bytes.as_mut_ptr().cast();
        let code = unsafe { GCReadPort(self.remote, address, to, &raw mut count) };
        assert_eq!((code, count), (status::SUCCESS, size), "{}", last_text());
        bytes
    }

    fn try_write(&self, address: u64, bytes: &[u8]) -> i32 {
        let mut count = bytes.len();
        unsafe { GCWritePort(self.remote, address, bytes.as_ptr().cast(), &raw mut count) }
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        assert_eq!(self.try_write(address, bytes), status::SUCCESS, "{}", last_text());
    }

    fn u32(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.read(address, 4).try_into().unwrap())
    }

    fn u64(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.read(address, 8).try_into().unwrap())
    }

    fn set_u32(&self, address: u64, value: u32) {
        self.write(address, &value.to_le_bytes());
    }

    fn set_f64(&self, address: u64, value: f64) {
        self.write(address, &value.to_le_bytes());
    }

    fn trigger(&self) {
        self.set_u32(TRIGGER_SOFTWARE, 1);
    }

    fn pulse(&self, part_id: u64, picture: u32, encoder_count: u64, at_ns: i64) {
        let mut block = Vec::new();
        block.extend(part_id.to_le_bytes());
        block.extend(picture.to_le_bytes());
        block.extend(0u32.to_le_bytes());
        block.extend(encoder_count.to_le_bytes());
        block.extend(at_ns.to_le_bytes());
        self.write(SIM_LINE0_PULSE, &block);
    }

    fn wait(&self, timeout_ms: u64) -> Result<NewBufferData, i32> {
        let mut data = NewBufferData { buffer: null_mut(), user: null_mut() };
        let mut size = size_of::<NewBufferData>();
        let to = (&raw mut data).cast();
        match unsafe { EventGetData(self.event, to, &raw mut size, timeout_ms) } {
            status::SUCCESS => {
                assert_eq!(size, 16);
                Ok(data)
            }
            code => Err(code),
        }
    }

    fn next(&self) -> Handle {
        self.wait(PATIENCE_MS).unwrap_or_else(|code| panic!("{code}: {}", last_text())).buffer
    }

    /// Waits until a number of the stream is as it should be.
    fn until(&self, command: i32, wanted: usize) {
        eventually(|| self.stream_number(command) == wanted);
    }

    fn info<T: Copy + Default>(&self, buffer: Handle, command: i32) -> Result<T, i32> {
        let (mut value, mut size, mut data_type) = (T::default(), size_of::<T>(), 0);
        let to = (&raw mut value).cast();
        let code = unsafe {
            DSGetBufferInfo(self.stream, buffer, command, &raw mut data_type, to, &raw mut size)
        };
        if code == status::SUCCESS {
            assert_eq!(size, size_of::<T>(), "command {command}");
            Ok(value)
        } else {
            Err(code)
        }
    }

    fn frame_id(&self, buffer: Handle) -> u64 {
        self.info(buffer, buffer_info::FRAMEID).unwrap()
    }

    fn stream_number(&self, command: i32) -> usize {
        let (mut value, mut size, mut data_type) = (0usize, 8, 0);
        let to = (&raw mut value).cast();
        let code =
            unsafe { DSGetInfo(self.stream, command, &raw mut data_type, to, &raw mut size) };
        assert_eq!(code, status::SUCCESS);
        value
    }

    /// The bytes that a frame wrote.
    fn bytes(&self, buffer: Handle) -> Vec<u8> {
        let base: usize = self.info(buffer, buffer_info::BASE).unwrap();
        let size: usize = self.info(buffer, buffer_info::SIZE_FILLED).unwrap();
        unsafe { std::slice::from_raw_parts(base as *const u8, size).to_vec() }
    }

    fn queue(&self, buffer: Handle) {
        let code = unsafe { DSQueueBuffer(self.stream, buffer) };
        assert_eq!(code, status::SUCCESS, "{}", last_text());
    }
}

/// Picture `index` of the moving pattern, 16 x 8 Mono8.
fn pattern(index: usize) -> Vec<u8> {
    (0..128).map(|at| (at % 16 + at / 16 + 32 * index) as u8).collect()
}
