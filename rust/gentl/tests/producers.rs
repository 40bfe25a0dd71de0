//! The consumer against producers that others wrote; see `tests/fetch_producers.py`.
//!
//! A producer is skipped, with a message, when its environment variable is not set.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smartqc_gentl::{
    Access, Chunk, Device, Error, Flush, Port, Producer, Status, Stream, producers_in,
};

const SECOND: Duration = Duration::from_secs(1);

/// Registers of a camera's description that a test needs without an evaluator: little endian, four
/// bytes.
struct Registers {
    width: u64,
    /// Address and value.
    start: (u64, u32),
    stop: (u64, u32),
}

const PRODUCERS: [(&str, &str, Registers); 3] = [
    (
        "viky",
        "SMARTQC_CTI_VIKY",
        Registers { width: 0x5000_0000, start: (0x5000_0010, 1), stop: (0x5000_0014, 1) },
    ),
    (
        "TLSimu",
        "SMARTQC_CTI_TLSIMU",
        Registers { width: 0x104, start: (0x100, 1), stop: (0x100, 2) },
    ),
    (
        "simcam",
        "SMARTQC_CTI_SIMCAM",
        Registers { width: 0x1010, start: (0x2008, 1), stop: (0x200C, 1) },
    ),
];

/// One producer under test; the lock keeps tests of one process from meeting at its devices.
struct Bench {
    name: &'static str,
    path: PathBuf,
    registers: Registers,
    _alone: MutexGuard<'static, ()>,
}

/// Runs the test against each producer that is at hand.
fn each(test: impl Fn(&Bench)) {
    static ALONE: Mutex<()> = Mutex::new(());
    for (name, variable, registers) in PRODUCERS {
        let Some(path) = std::env::var_os(variable) else {
            eprintln!("skipped for {name}: set {variable} to the path of its .cti");
            continue;
        };
        eprintln!("--- {name}");
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        test(&Bench { name, path: path.into(), registers, _alone });
    }
}

impl Bench {
    fn producer(&self) -> Arc<Producer> {
        Producer::open(&self.path).unwrap()
    }

    fn first_device(&self) -> Arc<Device> {
        let producer = self.producer();
        for interface in producer.interfaces(SECOND).unwrap() {
            let interface = producer.interface(&interface.id).unwrap();
            if let Some(device) = interface.devices(SECOND).unwrap().first() {
                return interface.open_device(&device.id, Access::Exclusive).unwrap();
            }
        }
        panic!("{}: no device", self.name);
    }

    fn start_camera(&self, device: &Arc<Device>) {
        let (address, value) = self.registers.start;
        device.remote_port().write(address, &value.to_le_bytes()).unwrap();
    }

    fn stop_camera(&self, device: &Arc<Device>) {
        let (address, value) = self.registers.stop;
        device.remote_port().write(address, &value.to_le_bytes()).unwrap();
    }
}

/// Announced memory with its stream; freed after the stream is dropped.
struct Ring {
    stream: Option<Arc<Stream>>,
    memory: Vec<Vec<u64>>,
}

impl Ring {
    fn new(device: &Arc<Device>, bytes: usize) -> Self {
        let id = &device.stream_ids().unwrap()[0];
        let stream = device.open_stream(id).unwrap();
        let count = stream.least_buffers().unwrap().max(4);
        assert!(stream.alignment().unwrap() <= align_of::<u64>());
        let size = stream.payload_size().unwrap().unwrap_or(bytes);
        let mut memory: Vec<Vec<u64>> = (0..count).map(|_| vec![0; size.div_ceil(8)]).collect();
        for (slot, block) in memory.iter_mut().enumerate() {
            // SAFETY: `Drop` below drops the stream before the memory, and nobody reads a block
            // while it is queued.
            let index =
                unsafe { stream.announce(block.as_mut_ptr().cast(), size, 100 + slot) }.unwrap();
            assert_eq!(index, slot);
            stream.queue(index).unwrap();
        }
        Self { stream: Some(stream), memory }
    }

    fn stream(&self) -> &Arc<Stream> {
        self.stream.as_ref().unwrap()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let stream = self.stream.take().unwrap();
        assert!(Arc::into_inner(stream).is_some(), "nobody else holds the stream");
        self.memory.clear();
    }
}

#[test]
fn one_instance_is_shared_and_reopens_after_its_end() {
    each(|bench| {
        let first = bench.producer();
        assert!(Arc::ptr_eq(&first, &bench.producer()));
        let info = first.info().unwrap();
        eprintln!("{info:?}");
        assert!(info.gentl_version.is_some_and(|v| v >= (1, 5)));
        drop(first);
        for _ in 0..20 {
            assert!(!bench.producer().interfaces(SECOND).unwrap().is_empty());
        }
    });
}

#[test]
fn a_link_is_the_same_producer() {
    each(|bench| {
        let link = std::env::temp_dir().join(format!("{}-{}.cti", bench.name, std::process::id()));
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&bench.path, &link).unwrap();
        assert!(Arc::ptr_eq(&bench.producer(), &Producer::open(&link).unwrap()));
        std::fs::remove_file(&link).unwrap();
    });
}

#[test]
fn devices_are_listed_also_while_one_is_open() {
    each(|bench| {
        let device = bench.first_device();
        let interface = device.interface();
        let rows = interface.devices(SECOND).unwrap();
        eprintln!("{rows:#?}");
        assert!(rows.iter().any(|row| row.id == device.id()));
        assert!(rows.iter().all(|row| !row.vendor.is_empty() && !row.tl_type.is_empty()));
    });
}

#[test]
fn a_second_opening_of_a_device_is_refused() {
    each(|bench| {
        let device = bench.first_device();
        let again = device.interface().open_device(device.id(), Access::Exclusive).unwrap_err();
        eprintln!("{again}");
        assert_eq!(again.status(), Some(Status::RESOURCE_IN_USE));
    });
}

#[test]
fn every_port_describes_itself() {
    each(|bench| {
        let device = bench.first_device();
        let stream = device.open_stream(&device.stream_ids().unwrap()[0]).unwrap();
        let interface = device.interface();
        let ports: [(&str, Port); 5] = [
            ("TLSystem", interface.producer().port()),
            ("TLInterface", interface.port()),
            ("TLDevice", device.local_port()),
            ("TLDataStream", stream.port()),
            ("Device", device.remote_port()),
        ];
        for (module, port) in ports {
            let info = port.info().unwrap();
            let description = port.description().unwrap();
            eprintln!("{module}: {} {} {info:?}", description.url, description.xml.len());
            assert_eq!(info.module, module);
            assert!(!info.port_name.is_empty());
            assert!(description.xml.contains("<RegisterDescription"), "{module}");
            assert!(description.xml.trim_end().ends_with("</RegisterDescription>"), "{module}");
        }
    });
}

#[test]
fn registers_are_read_and_written_singly_and_stacked() {
    each(|bench| {
        let device = bench.first_device();
        let port = device.remote_port();
        let address = bench.registers.width;
        let mut width = [0; 4];
        port.read(address, &mut width).unwrap();
        assert_ne!(width, [0; 4]);
        port.write(address, &width).unwrap();
        let mut again = [0; 4];
        port.read_many(&mut [(address, &mut again)]).unwrap();
        assert_eq!(again, width);
        port.write_many(&[(address, &width)]).unwrap();
        let nowhere = port.read(u64::MAX - 64, &mut again).unwrap_err();
        eprintln!("{nowhere}");
        assert!(nowhere.status().is_some());
    });
}

#[test]
fn frames_arrive_in_our_memory_and_go_round() {
    each(|bench| {
        let device = bench.first_device();
        let ring = Ring::new(&device, 16 << 20);
        let stream = ring.stream();
        stream.start(None).unwrap();
        bench.start_camera(&device);
        let mut used = vec![0; ring.memory.len()];
        for _ in 0..60 {
            let delivered = stream.wait(5 * SECOND).unwrap().expect("a frame");
            assert_eq!(delivered.user, 100 + delivered.index);
            assert!(delivered.info.is_new);
            assert!(delivered.info.width.is_some() && delivered.info.height.is_some());
            assert!(ring.memory[delivered.index].iter().any(|&word| word != 0), "pixels came");
            let mut chunks = [Chunk::default(); 16];
            if delivered.info.contains_chunks {
                assert!(stream.chunks(delivered.index, &mut chunks).unwrap() > 0);
            }
            used[delivered.index] += 1;
            stream.queue(delivered.index).unwrap();
        }
        assert!(used.iter().all(|&times| times > 5), "{used:?}");
        eprintln!("{:?}", stream.statistics().unwrap());
        bench.stop_camera(&device);
        stream.stop().unwrap();
        stream.revoke_all().unwrap();
        assert!(matches!(stream.queue(0), Err(Error::NotAnnounced { index: 0 })));
    });
}

#[test]
fn a_held_buffer_is_not_filled_again() {
    each(|bench| {
        let device = bench.first_device();
        let ring = Ring::new(&device, 16 << 20);
        let stream = ring.stream();
        stream.start(None).unwrap();
        bench.start_camera(&device);
        let held = stream.wait(5 * SECOND).unwrap().expect("a frame").index;
        let before = ring.memory[held].clone();
        for _ in 0..20 {
            let delivered = stream.wait(5 * SECOND).unwrap().expect("a frame");
            assert_ne!(delivered.index, held);
            stream.queue(delivered.index).unwrap();
        }
        assert!(before == ring.memory[held]);
    });
}

#[test]
fn a_silent_stream_times_out_and_can_be_woken() {
    each(|bench| {
        let device = bench.first_device();
        let ring = Ring::new(&device, 16 << 20);
        let stream = ring.stream();
        stream.start(None).unwrap();
        assert_eq!(stream.wait(Duration::from_millis(20)).unwrap(), None);
        assert_eq!(stream.wait(Duration::ZERO).unwrap(), None);
        std::thread::scope(|threads| {
            let waiter = threads.spawn(|| stream.wait(Duration::MAX));
            stream.wake();
            assert_eq!(waiter.join().unwrap().unwrap(), None);
        });
        // Neither the flag nor a kill that nobody met may end a later wait with an error.
        assert_eq!(stream.wait(Duration::from_millis(20)).unwrap(), None);
    });
}

#[test]
fn the_stream_runs_again_after_a_stop() {
    each(|bench| {
        let device = bench.first_device();
        let ring = Ring::new(&device, 16 << 20);
        let stream = ring.stream();
        for _ in 0..3 {
            stream.start(None).unwrap();
            bench.start_camera(&device);
            for _ in 0..5 {
                let delivered = stream.wait(5 * SECOND).unwrap().expect("a frame");
                stream.queue(delivered.index).unwrap();
            }
            bench.stop_camera(&device);
            stream.stop().unwrap();
            stream.flush(Flush::AllDiscard).unwrap();
            for index in 0..ring.memory.len() {
                stream.queue(index).unwrap();
            }
        }
    });
}

#[test]
fn a_wrong_call_carries_the_producers_words() {
    each(|bench| {
        let producer = bench.producer();
        let error = producer.interface("no such interface").unwrap_err();
        eprintln!("{error}");
        assert_eq!(error.status(), Some(Status::INVALID_ID));
        assert!(error.to_string().contains("TLOpenInterface"));
    });
}

#[test]
fn opening_and_closing_leaves_no_thread_behind() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    each(|bench| {
        let cycle = || {
            let device = bench.first_device();
            let ring = Ring::new(&device, 16 << 20);
            ring.stream().start(None).unwrap();
        };
        cycle();
        let before = threads();
        for _ in 0..25 {
            cycle();
        }
        // The harness has threads of its own that come and go.
        assert!(threads() < before + 12, "{before} before, {} now", threads());
    });
}

#[test]
fn a_fork_is_refused_and_disturbs_nothing() {
    each(|bench| {
        let producer = bench.producer();
        // SAFETY: the child makes a few calls that must all refuse, and ends without unwinding.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let refused = matches!(producer.info(), Err(Error::Forked { .. }))
                && matches!(Producer::open(&bench.path), Err(Error::Forked { .. }));
            drop(producer);
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(if refused { 0 } else { 1 }) };
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child was refused and ended by itself");
        assert!(!producer.interfaces(SECOND).unwrap().is_empty());
    });
}

#[test]
fn a_failing_library_is_a_row_of_the_scan() {
    let folder = std::env::temp_dir().join(format!("gentl-broken-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.cti"), b"no library").unwrap();
    each(|bench| {
        let found = producers_in([folder.clone(), bench.path.parent().unwrap().to_owned()]);
        assert!(found[0].opened.is_err());
        assert!(found.len() > 1 && found[1..].iter().all(|row| row.opened.is_ok()), "{found:?}");
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_producer_that_is_open_elsewhere_in_the_process_is_said_to_be_so() {
    each(|bench| {
        type Init = unsafe extern "system" fn() -> i32;
        type Open = unsafe extern "system" fn(*mut *mut std::ffi::c_void) -> i32;
        type Close = unsafe extern "system" fn(*mut std::ffi::c_void) -> i32;
        // SAFETY: a producer's file, with the standard's functions of these types.
        let (library, handle) = unsafe {
            let library = libloading::os::unix::Library::new(&bench.path).unwrap();
            assert_eq!(library.get::<Init>(b"GCInitLib\0").unwrap()(), 0);
            let mut handle = std::ptr::null_mut();
            assert_eq!(library.get::<Open>(b"TLOpen\0").unwrap()(&mut handle), 0);
            (library, handle)
        };
        let found = producers_in([bench.path.parent().unwrap().to_owned()]);
        let row = found.iter().find(|row| row.path == bench.path).unwrap();
        let error = row.opened.as_ref().unwrap_err();
        eprintln!("{error}");
        assert!(matches!(error, Error::OpenElsewhere { .. }), "{error}");
        // SAFETY: as above; closed in the order of the standard.
        unsafe {
            assert_eq!(library.get::<Close>(b"TLClose\0").unwrap()(handle), 0);
            assert_eq!(library.get::<Init>(b"GCCloseLib\0").unwrap()(), 0);
        }
        std::mem::forget(library);
        bench.first_device();
    });
}
