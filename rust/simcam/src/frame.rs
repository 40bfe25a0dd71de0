//! One frame: its image and chunks, and how they get into a buffer.

use crate::memory::Memory;
use crate::pictures::{Pictures, PixelFormat, Region};
use crate::registers::CHUNKS;
use crate::sensor::Exposure;
use crate::settings::Delivery;

/// A frame that has been read out and looks for a buffer.
pub(crate) struct Frame<'a> {
    pub(crate) exposure: Exposure,
    pub(crate) pictures: &'a Pictures,
    /// What gain and black level do to each grey level.
    pub(crate) tone: Option<&'a [u8; 256]>,
    /// Changes whenever the same picture would come out differently.
    pub(crate) look: u64,
    pub(crate) delivery: Delivery,
    pub(crate) region: Region,
    pub(crate) format: PixelFormat,
    /// Which of [`CHUNKS`] follow the image; `None` when chunk mode is off.
    pub(crate) chunks: Option<[bool; CHUNKS.len()]>,
}

/// The image that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    look: u64,
    picture: u32,
}

/// What a frame left in its buffer.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) frame_id: u64,
    /// Start of the exposure.
    pub(crate) timestamp_ns: u64,
    pub(crate) region: Region,
    pub(crate) format: PixelFormat,
    /// Rows of the image that are whole.
    pub(crate) delivered_height: usize,
    /// Image and chunks, had they fitted.
    pub(crate) data_bytes: usize,
    pub(crate) filled_bytes: usize,
    /// Id and offset of each chunk, every one of 8 bytes; `None` when chunk mode is off.
    pub(crate) chunks: Option<Vec<(u64, usize)>>,
}

impl Content {
    pub(crate) fn is_larger_than_buffer(&self) -> bool {
        self.data_bytes > self.filled_bytes
    }

    pub(crate) fn chunk_bytes(&self) -> usize {
        self.chunks.as_ref().map_or(0, |chunks| 8 * chunks.len())
    }
}

impl Frame<'_> {
    pub(crate) fn prefers_a_buffer_that_shows_it(&self) -> bool {
        self.delivery == Delivery::Flip && self.exposure.picture_is_fixed
    }

    /// Whether a buffer with this image needs no new one.
    pub(crate) fn is_shown_by(&self, shown: Shown) -> bool {
        // Nobody asked for a certain picture of a free-running or software-triggered frame, so
        // any current one will do and each buffer is written once.
        self.delivery == Delivery::Flip
            && shown.look == self.look
            && (!self.exposure.picture_is_fixed || shown.picture == self.exposure.picture)
    }

    /// Writes into a queued buffer, in which the image `shown` lies.
    pub(crate) fn write(&self, memory: &Memory, shown: Option<Shown>) -> (Content, Shown) {
        let size = memory.size();
        let kept = shown.filter(|shown| self.is_shown_by(*shown));
        let now = kept.unwrap_or(Shown { look: self.look, picture: self.exposure.picture });
        let image = self.pictures.image(now.picture, self.exposure.frame_id);
        if kept.is_none() {
            memory.write(0, image, self.tone);
        }
        let mut data_bytes = image.len();
        let chunks = self.chunks.map(|enabled| {
            data_bytes = data_bytes.next_multiple_of(8);
            let mut chunks = Vec::with_capacity(CHUNKS.len());
            let values = self.chunk_values(now.picture);
            for ((chunk, value), _) in
                CHUNKS.iter().zip(values).zip(enabled).filter(|(_, enabled)| *enabled)
            {
                memory.write(data_bytes, &value.to_le_bytes(), None);
                if data_bytes + 8 <= size {
                    chunks.push((chunk.id, data_bytes));
                }
                data_bytes += 8;
            }
            chunks
        });
        let row = self.region.width as usize * self.format.bytes_per_pixel();
        let content = Content {
            frame_id: self.exposure.frame_id,
            timestamp_ns: self.exposure.start_ns as u64,
            region: self.region,
            format: self.format,
            delivered_height: image.len().min(size) / row,
            data_bytes,
            filled_bytes: data_bytes.min(size),
            chunks,
        };
        (content, now)
    }

    /// The chunks' 8 bytes each, in the order of [`CHUNKS`].
    fn chunk_values(&self, picture: u32) -> [u64; CHUNKS.len()] {
        let exposure = &self.exposure;
        [
            exposure.frame_id,
            exposure.start_ns as u64,
            (exposure.exposure_ns as f64 / 1000.0).to_bits(),
            exposure.cause.line0_count,
            exposure.cause.encoder_count,
            exposure.cause.part_id,
            u64::from(picture),
        ]
    }
}
