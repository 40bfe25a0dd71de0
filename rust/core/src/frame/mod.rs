//! Frames: pictures in memory that belongs to us, and whose life the types carry.
//!
//! A slot is free, then a [`FrameMut`] (unique, writable), then a [`Frame`] (shared, read-only),
//! and free again at the last drop; giving back is `Drop`, never a call to remember.
//!
//! ```text
//! free --take/claim--> FrameMut --publish--> Frame (clones) --last drop--> Home::give_back --> free
//! ```

mod kept;
mod layout;
mod pixel_format;
mod slots;

pub use kept::{Kept, Quota};
pub use layout::{ChunkPlace, Layout, MOST_CHUNKS, MOST_PARTS, Part, PartKind};
pub use pixel_format::{Bayer, Content, Element, Packing, PixelFormat};
pub use slots::{Frame, FrameMut, FreeList, Home, Slots};

/// What is known of a frame beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameInfo {
    /// Pixels in a row.
    pub width: u32,
    /// Rows that were really delivered (a cut-short frame has fewer than configured).
    pub height: u32,
    /// Bytes from one row to the next, padding included; planes follow each other without a gap.
    pub stride: usize,
    /// Where the first row begins in the slot, in bytes.
    pub offset: usize,
    /// Bytes of the slot that were written, from its beginning.
    pub filled: usize,
    /// What the bytes mean, by its PFNC name.
    pub pixel_format: PixelFormat,
    /// The camera's own number of the frame; gaps in it are lost frames.
    pub frame_id: u64,
    /// When the exposure began, on the host's clock.
    pub captured_ns: i64,
    /// How wrong `captured_ns` may be.
    pub captured_error_ns: i64,
    /// When the frame was handed over by the producer, on the host's clock.
    pub arrived_ns: i64,
    /// The camera's own timestamp, where it gives one.
    pub device_ns: Option<i64>,
    /// Whether pixels are missing.
    pub incomplete: bool,
    /// What is wrong with its number beside those of the frames before it, if something is.
    pub disorder: Option<Disorder>,
    /// Hardware counter of trigger pulses, from the frame's chunk.
    pub counter: Option<u64>,
    /// Encoder count at the exposure, from the frame's chunk.
    pub encoder_count: Option<u64>,
    /// Ground truth of a simulated camera: for the ledger only, never for matching.
    pub true_part: Option<u64>,
}

/// How a frame came that did not come in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// After a later one, which had told it as lost.
    Late,
    /// After a later one, which could not tell that it was missing: that was the first, or some came
    /// without numbers.
    Overtaken,
    /// Once more, or so late that nobody knows any more whether it was there.
    Repeated,
}

impl Disorder {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Overtaken => "overtaken",
            Self::Repeated => "repeated",
        }
    }
}

impl FrameInfo {
    /// A complete picture that fills its slot without padding; times are `now_ns`.
    pub fn packed(width: u32, height: u32, pixel_format: PixelFormat, now_ns: i64) -> Self {
        let stride = pixel_format.row_bytes(width);
        Self {
            width,
            height,
            stride,
            offset: 0,
            filled: stride.saturating_mul(height as usize).saturating_mul(pixel_format.planes()),
            pixel_format,
            frame_id: 0,
            captured_ns: now_ns,
            captured_error_ns: 0,
            arrived_ns: now_ns,
            device_ns: None,
            incomplete: false,
            disorder: None,
            counter: None,
            encoder_count: None,
            true_part: None,
        }
    }
}
