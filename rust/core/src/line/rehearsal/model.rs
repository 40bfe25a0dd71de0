//! How cameras and the model behave in a rehearsal.

use crate::clock::MS;

/// Latencies and faults of cameras and inference; every share is of frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    /// Exposure to arrival.
    pub transfer_ns: i64,
    /// Arrival to verdict: at least this ...
    pub infer_ns: i64,
    /// ... and up to so much more.
    pub infer_jitter_ns: i64,
    /// Frames that are numbered and never come.
    pub lost_share: f64,
    /// Frames with pixels missing.
    pub incomplete_share: f64,
    /// Verdicts that come five seconds late.
    pub slow_share: f64,
    /// Runs of the model that fail.
    pub error_share: f64,
    /// Scores that are no number.
    pub nan_share: f64,
    /// Frames for which no worker has room.
    pub no_room_share: f64,
    /// Whether frames carry the encoder's count, latched by the camera.
    pub chunk_count: bool,
    /// Whether frames carry the number of their trigger pulse, counted by the camera.
    pub chunk_counter: bool,
    /// The exposure's time is off by up to so much, either way.
    pub clock_error_ns: i64,
}

impl Default for Model {
    /// A verdict 40 to 80 ms after the exposure, and no faults.
    fn default() -> Self {
        Self {
            transfer_ns: 20 * MS,
            infer_ns: 20 * MS,
            infer_jitter_ns: 40 * MS,
            lost_share: 0.0,
            incomplete_share: 0.0,
            slow_share: 0.0,
            error_share: 0.0,
            nan_share: 0.0,
            no_room_share: 0.0,
            chunk_count: false,
            chunk_counter: false,
            clock_error_ns: 0,
        }
    }
}

/// A few random numbers; the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Uniform in 0..1 (xorshift64*).
    pub fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether something of this share happens; rolls only when it may.
    pub(super) fn falls(&mut self, share: f64) -> bool {
        share > 0.0 && self.roll() < share
    }
}
