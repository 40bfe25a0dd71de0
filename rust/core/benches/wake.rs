//! How late a thread wakes: from waiting on a channel with a time limit, as the line thread does, and from
//! `clock_nanosleep` with an absolute time, in turns on one thread, beside one busy thread for each core:
//! as an ordinary thread, as one that asks for short slices, and as `SCHED_FIFO`. All three take turns
//! in each round.
//!
//! ```text
//! cargo bench -p smartqc-core --bench wake -- 2000
//! ```
#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{bounded, select};
use smartqc_core::clock::{MS, SEC, monotonic_ns};
use smartqc_core::line::deadline::slice;

/// Between two deadlines.
const PERIOD_NS: i64 = 5 * MS;

fn sleep_until(due_ns: i64) {
    let due = libc::timespec { tv_sec: due_ns / SEC, tv_nsec: due_ns % SEC };
    // SAFETY: `due` outlives the call, and nobody wants to know what was left.
    while unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const due,
            std::ptr::null_mut(),
        )
    } == libc::EINTR
    {}
}

/// How a thread is scheduled.
#[derive(Clone, Copy)]
enum Kind {
    Ordinary,
    /// Microseconds of a slice.
    Short(u64),
    Fifo,
}

const KINDS: [Kind; 6] = [
    Kind::Ordinary,
    Kind::Short(100),
    Kind::Short(300),
    Kind::Short(500),
    Kind::Short(1000),
    Kind::Fifo,
];

impl Kind {
    /// Whether the kernel grants it to the calling thread.
    fn ask(self) -> bool {
        match self {
            Self::Ordinary => true,
            Self::Short(us) => slice(1000 * us).is_ok_and(|found| found == 1000 * us),
            Self::Fifo => as_fifo(),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Ordinary => "ordinary".into(),
            Self::Short(us) => format!("slices of {} ms", us as f64 / 1e3),
            Self::Fifo => "`SCHED_FIFO`".into(),
        }
    }
}

fn as_fifo() -> bool {
    let parameters = libc::sched_param { sched_priority: 10 };
    // SAFETY: 0 is the calling thread, and the parameters outlive the call.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) == 0 }
}

fn row(name: &str, mut late_ns: Vec<i64>) {
    late_ns.sort_unstable();
    let at = |share: f64| late_ns[((late_ns.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!("| {name} | {:.0} | {:.0} | {:.0} | {:.0} |", at(0.5), at(0.99), at(0.999), at(1.0));
}

/// How late each of so many deadlines was: waiting on a channel, and in `clock_nanosleep`.
fn race(times: usize) -> [Vec<i64>; 2] {
    // What a line thread waits on: messages, and edges of sensors.
    let ((_told, inbox), (_woken, wakes)) = (bounded::<[u64; 8]>(16), bounded::<()>(1));
    let [mut channel, mut absolute] = [const { Vec::new() }; 2];
    for _ in 0..times {
        let due_ns = monotonic_ns() + PERIOD_NS;
        while monotonic_ns() < due_ns {
            let left = Duration::from_nanos((due_ns - monotonic_ns()).max(0).unsigned_abs());
            select! {
                recv(inbox) -> _ => unreachable!("nobody sends"),
                recv(wakes) -> _ => unreachable!("nobody sends"),
                default(left) => {}
            }
        }
        channel.push(monotonic_ns() - due_ns);
        let due_ns = monotonic_ns() + PERIOD_NS;
        sleep_until(due_ns);
        absolute.push(monotonic_ns() - due_ns);
    }
    [channel, absolute]
}

/// All kinds in turns, a hundredth of the deadlines each.
fn rounds(times: usize) {
    let mut late = KINDS.map(|_| [const { Vec::new() }; 2]);
    for _ in 0..100 {
        for (kind, late) in KINDS.iter().zip(&mut late) {
            let here = || if kind.ask() { race(times / 100) } else { Default::default() };
            let found = std::thread::scope(|scope| scope.spawn(here).join().expect("it ends"));
            for (all, new) in late.iter_mut().zip(found) {
                all.extend(new);
            }
        }
    }
    for (kind, [channel, absolute]) in KINDS.iter().zip(late) {
        if channel.is_empty() {
            println!("| {}: refused here |", kind.name());
            continue;
        }
        row(&format!("{}: channel with a time limit", kind.name()), channel);
        row(&format!("{}: `clock_nanosleep`, absolute", kind.name()), absolute);
    }
}

fn main() {
    let times = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(2000);
    let over = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for busy in [0, cores] {
        for _ in 0..busy {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        println!("\n| {busy} busy threads, late by us | p50 | p99 | p99.9 | max |");
        println!("|---|---|---|---|---|");
        rounds(times);
    }
    over.store(true, Ordering::Relaxed);
}
