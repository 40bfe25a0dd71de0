//! How late a thread wakes: from waiting on a channel with a time limit, as the line thread does, and from
//! `clock_nanosleep` with an absolute time, in turns on one thread, beside one busy thread for each core.
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

fn race(times: usize) {
    // What a line thread waits on: messages, and edges of sensors.
    let ((_told, inbox), (_woken, wakes)) = (bounded::<[u64; 8]>(16), bounded::<()>(1));
    let (mut channel, mut absolute) = (Vec::with_capacity(times), Vec::with_capacity(times));
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
    row("channel with a time limit", channel);
    row("clock_nanosleep, absolute", absolute);
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
        for fifo in [false, true] {
            let times_here = move || {
                if fifo && !as_fifo() {
                    return println!("SCHED_FIFO is refused here");
                }
                let kind = if fifo { "SCHED_FIFO" } else { "ordinary" };
                println!("\n| {kind}, {busy} busy threads, late by us | p50 | p99 | p99.9 | max |");
                println!("|---|---|---|---|---|");
                race(times);
            };
            std::thread::spawn(times_here).join().expect("the race ends");
        }
    }
    over.store(true, Ordering::Relaxed);
}
