//! Asking the kernel to run this thread ahead of others.
#![allow(unsafe_code)]

use std::io;

use super::Scheduling;

/// Ahead of every ordinary thread is enough; the kernel's own threads that serve interrupts stay
/// ahead of us.
const PRIORITY: i32 = 10;

/// As much of its stack as the line thread ever uses.
const STACK: usize = 96 * 1024;

/// Keeps the calling thread's own stack in memory, so that no deadline waits for a page. Only these
/// pages: locking all that a host process ever maps would make its next large allocation fail.
#[inline(never)]
pub(super) fn keep_stack() {
    let mut pages = [0u8; STACK];
    let begin = std::hint::black_box(&mut pages).as_ptr();
    // SAFETY: the range is this function's own array; locking changes nothing that it holds.
    if unsafe { libc::mlock(begin.cast(), STACK) } != 0 {
        tracing::debug!("the stack is not locked: {}", std::io::Error::last_os_error());
    }
}

/// What an ordinary thread asks for. A shorter slice means an earlier virtual deadline, and since
/// Linux 6.12 that whoever has more left of a longer one gives way at once. It is granted to
/// everybody and costs nobody anything: the share of the processor stays the same.
const SLICE_NS: u64 = 100_000;

/// Of `linux/sched/types.h`, as far as its first version goes, which every kernel takes.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Asks the kernel to run the calling thread ahead of others: as `SCHED_FIFO`, which is refused
/// without privilege, as in most containers; else in short slices, see [`Scheduling::Short`].
pub fn ask() -> Scheduling {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: pid 0 is the calling thread, and the parameters outlive the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0 {
        return Scheduling::Fifo;
    }
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    wake_in_time();
    match slice(SLICE_NS) {
        Ok(slice_ns) if slice_ns <= SLICE_NS => Scheduling::Short { errno, slice_ns },
        Ok(_) => Scheduling::Ordinary { errno },
        Err(why) => {
            tracing::debug!("no short slices: {why}");
            Scheduling::Ordinary { errno }
        }
    }
}

/// Timers of the calling thread end when they should, rather than up to 50 us later together with
/// others; of a `SCHED_FIFO` thread they do so anyway.
fn wake_in_time() {
    // SAFETY: sets a number of the calling thread; whoever does not know it refuses.
    if unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) } != 0 {
        tracing::debug!("timers stay late: {}", io::Error::last_os_error());
    }
}

/// Asks for slices of so long for the calling thread, and says how long they are now: a kernel that
/// does not know the request takes it, and does nothing.
pub fn slice(slice_ns: u64) -> io::Result<u64> {
    let mut now = Attributes::default();
    let size = size_of::<Attributes>() as u32;
    // SAFETY: the kernel writes at most so many bytes of what is its own structure.
    let told = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut now, size, 0) };
    if told != 0 {
        return Err(io::Error::last_os_error());
    }
    // Policy and niceness stay as they are, so that it needs no privilege.
    let asked = Attributes { size, runtime: slice_ns, ..now };
    // SAFETY: it reads `size` bytes, which is the size of the structure.
    if unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const asked, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    let told = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut now, size, 0) };
    match (told, now.runtime) {
        (0, 0) => Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel knows no slices")),
        (0, runtime) => Ok(runtime),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Major and minor of the kernel that runs.
    fn kernel() -> (u32, u32) {
        let told = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = told.split(['.', '-']).map_while(|word| word.trim().parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    #[test]
    fn short_slices_are_granted_to_everybody_by_kernels_that_know_them() {
        let asked = || (slice(SLICE_NS), slice(3 * SLICE_NS), nice());
        // On a thread of its own: nobody else's slices change.
        let (first, second, nice) = std::thread::spawn(asked).join().unwrap();
        assert_eq!(nice, self::nice(), "the niceness stays");
        if kernel() >= (6, 12) {
            assert_eq!((first.unwrap(), second.unwrap()), (SLICE_NS, 3 * SLICE_NS));
        } else {
            assert!(first.is_ok_and(|found| found > SLICE_NS) || second.is_err());
        }
    }

    fn nice() -> i32 {
        // SAFETY: reads a number of the calling thread.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }
}
