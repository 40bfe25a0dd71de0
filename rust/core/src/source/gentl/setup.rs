//! How much memory a stream gets: what producer and camera ask for, held against what there is.

/// Slots that a camera needs to have one filled while another is on its way.
const LEAST_SLOTS: usize = 3;
/// Buffers that a producer may want to be announced; more is a wrong number.
const MOST_LEAST: usize = 4096;
/// Bytes that a buffer may have to be aligned to; more is a wrong number.
const MOST_ALIGNMENT: usize = 1 << 21;

/// What producer and camera say of a stream's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// `BUF_ANNOUNCE_MIN`.
    pub(crate) least: usize,
    /// `BUF_ALIGNMENT`.
    pub(crate) alignment: usize,
    /// Bytes of a buffer: the stream's, else the camera's `PayloadSize`.
    pub(crate) payload: u64,
}

/// The memory of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) slots: usize,
    pub(crate) slot_bytes: usize,
    pub(crate) alignment: usize,
}

/// Slots for a stream of which `held` frames may be held at once.
///
/// # Errors
/// In words, when the producer wants more buffers than any needs.
pub(crate) fn slots(least: usize, held: usize) -> Result<usize, String> {
    if least > MOST_LEAST {
        return Err(format!("its producer wants {least} buffers announced, which can't be meant"));
    }
    Ok(least.max(LEAST_SLOTS).saturating_add(held))
}

/// The memory for `slots` slots on a machine with `machine_bytes`.
///
/// # Errors
/// In words, when it would be more than half of the machine's, or the figures make no sense.
pub(crate) fn memory(wanted: Wanted, slots: usize, machine_bytes: u64) -> Result<Memory, String> {
    let Wanted { least, alignment, payload } = wanted;
    if least > slots {
        return Err(format!(
            "its producer wants {least} buffers announced, and {slots} were planned when it was \
             opened; open it again with this setup"
        ));
    }
    if !alignment.is_power_of_two() || alignment > MOST_ALIGNMENT {
        return Err(format!("its producer wants buffers at multiples of {alignment} bytes"));
    }
    if payload == 0 {
        return Err("its payload has no bytes; is an image size set?".into());
    }
    let stride = payload.checked_next_multiple_of(alignment.max(64) as u64);
    let all = stride.and_then(|stride| stride.checked_mul(slots as u64));
    match (all, usize::try_from(payload)) {
        (Some(all), Ok(slot_bytes)) if all <= machine_bytes / 2 => {
            Ok(Memory { slots, slot_bytes, alignment })
        }
        _ => Err(format!(
            "{slots} buffers of its payload of {payload} bytes are more than half of this \
             machine's memory ({machine_bytes} bytes); make the image smaller, or is PayloadSize \
             wrong?"
        )),
    }
}

/// Bytes of this machine's memory.
pub(crate) fn machine_bytes() -> u64 {
    #[allow(unsafe_code)]
    // SAFETY: asks for two numbers.
    let (pages, page) =
        unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    match (u64::try_from(pages), u64::try_from(page)) {
        (Ok(pages), Ok(page)) => pages.saturating_mul(page),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SANE: Wanted = Wanted { least: 5, alignment: 4, payload: 300_000 };
    const MACHINE: u64 = 8 << 30;

    #[test]
    fn the_producers_least_and_alignment_are_kept() {
        assert_eq!(slots(5, 2), Ok(7));
        assert_eq!(slots(1, 2), Ok(5));
        let planned = Memory { slots: 7, slot_bytes: 300_000, alignment: 4 };
        assert_eq!(memory(SANE, 7, MACHINE), Ok(planned));
    }

    #[test]
    fn absurd_figures_are_errors_in_words() {
        assert!(slots(usize::MAX, 1).unwrap_err().contains("buffers"));
        for (wanted, says) in [
            (Wanted { payload: 1 << 40, ..SANE }, "half of this"),
            (Wanted { payload: u64::MAX, ..SANE }, "half of this"),
            (Wanted { payload: 0, ..SANE }, "no bytes"),
            (Wanted { alignment: 3, ..SANE }, "multiples of 3"),
            (Wanted { alignment: 1 << 40, ..SANE }, "multiples of"),
            (Wanted { least: 9, ..SANE }, "9 buffers"),
        ] {
            let why = memory(wanted, 7, MACHINE).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_claimed_the_memory_holds_it_and_the_machine_holds_the_memory(
            least: usize, alignment: usize, payload: u64, held in 0..5000_usize, machine: u64,
        ) {
            if let Ok(slots) = slots(least, held) {
                let wanted = Wanted { least, alignment, payload };
                if let Ok(memory) = memory(wanted, slots, machine) {
                    proptest::prop_assert!(memory.slots >= least.max(LEAST_SLOTS));
                    proptest::prop_assert_eq!(memory.slot_bytes as u64, payload);
                    let all = (memory.slots as u128) * u128::from(payload);
                    proptest::prop_assert!(all <= u128::from(machine / 2));
                }
            }
        }
    }
}
