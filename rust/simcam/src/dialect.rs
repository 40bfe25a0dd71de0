//! What the standard leaves to a producer: answers in which real ones differ.

/// How a camera answers where it may choose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dialect {
    /// Buffers that a start wants at least.
    pub(crate) buffers_min: usize,
    /// Of what the address of a buffer must be a multiple.
    pub(crate) buffer_alignment: usize,
    /// Whether the stream tells the payload size, beside the remote device.
    pub(crate) defines_payload_size: bool,
    pub(crate) timestamp: Timestamp,
    /// Ticks per second of the clock that buffers are stamped with.
    pub(crate) tick_hz: u64,
    pub(crate) first_frame_id: u64,
    /// Frame ids of old GigE cameras have 16 bits and never are 0.
    pub(crate) has_short_frame_ids: bool,
    /// Bytes in each buffer before the image.
    pub(crate) image_offset: usize,
    /// The part id of a frame that no edge triggered is the number of the picture that it shows.
    pub(crate) picture_as_part: bool,
}

/// Which stamps a buffer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timestamp {
    /// Nanoseconds, and ticks.
    Ns,
    /// Ticks alone.
    Ticks,
    /// None at all.
    None,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            buffers_min: 2,
            buffer_alignment: 1,
            defines_payload_size: false,
            timestamp: Timestamp::Ns,
            tick_hz: 1_000_000_000,
            first_frame_id: 0,
            has_short_frame_ids: false,
            image_offset: 0,
            picture_as_part: false,
        }
    }
}

impl Dialect {
    /// What is told as the id of the frame with this number of its acquisition.
    pub(crate) fn frame_id(&self, number: u64) -> u64 {
        let told = self.first_frame_id.wrapping_add(number);
        if self.has_short_frame_ids { told.saturating_sub(1) % 0xFFFF + 1 } else { told }
    }

    pub(crate) fn ticks(&self, ns: u64) -> u64 {
        (u128::from(ns) * u128::from(self.tick_hz) / 1_000_000_000) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_frame_ids_leave_zero_out() {
        let short =
            Dialect { has_short_frame_ids: true, first_frame_id: 65_534, ..Dialect::default() };
        let told: Vec<u64> = (0..4).map(|number| short.frame_id(number)).collect();
        assert_eq!(told, [65_534, 65_535, 1, 2]);
    }
}
