//! Asking the kernel to run this thread ahead of ordinary ones.
#![allow(unsafe_code)]

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

/// Asks for `SCHED_FIFO` for the calling thread; refused without privilege, as in most containers.
pub(super) fn ask() -> Scheduling {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: pid 0 is the calling thread, and the parameters outlive the call.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } != 0;
    if refused {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        return Scheduling::Ordinary { errno };
    }
    Scheduling::Fifo
}
