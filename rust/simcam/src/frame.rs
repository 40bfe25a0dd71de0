//! One frame: its image, parts and chunks, how they get into a buffer, and what is told of them.

use crate::abi;
use crate::camera::NO_PART;
use crate::faults::{FaultKind, Strikes};
use crate::formats::PixelFormat;
use crate::memory::Memory;
use crate::pictures::{Component, Part, Pictures, Region};
use crate::registers::CHUNKS;
use crate::sensor::Exposure;
use crate::settings::Delivery;
use crate::tone::Tone;

/// A frame that has been read out and looks for a buffer.
pub(crate) struct Frame<'a> {
    pub(crate) exposure: Exposure,
    pub(crate) pictures: &'a Pictures,
    /// What gain, black level and look-up table make of the image.
    pub(crate) tone: Option<&'a Tone>,
    /// Changes whenever the same picture would come out differently.
    pub(crate) look: u64,
    pub(crate) delivery: Delivery,
    pub(crate) region: Region,
    pub(crate) format: PixelFormat,
    /// Bytes after each row of the image.
    pub(crate) line_padding: usize,
    /// Bytes in the buffer before the image.
    pub(crate) image_offset: usize,
    /// Whether it tells the number of its picture where it has no part's.
    pub(crate) picture_as_part: bool,
    /// The id that is told.
    pub(crate) frame_id: u64,
    /// Where its components lie.
    pub(crate) parts: Vec<Part>,
    /// Which of [`CHUNKS`] follow the image; `None` when chunk mode is off.
    pub(crate) chunks: Option<[bool; CHUNKS.len()]>,
    /// What befalls it.
    pub(crate) strikes: Strikes,
}

/// The image that lies in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    look: u64,
    picture: u32,
}

/// What a frame left in its buffer, as the buffer's questions are answered.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) frame_id: u64,
    /// Start of the exposure.
    pub(crate) timestamp_ns: u64,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) pixel_format: u64,
    pub(crate) payload_type: usize,
    pub(crate) x_padding: usize,
    pub(crate) image_offset: usize,
    /// Added to the address of the buffer.
    pub(crate) base_shift: usize,
    /// Rows of the image that are whole.
    pub(crate) delivered_height: usize,
    /// Image and chunks, had they fitted.
    pub(crate) data_bytes: usize,
    pub(crate) filled_bytes: usize,
    pub(crate) is_incomplete: bool,
    pub(crate) is_larger_than_buffer: bool,
    /// The components, where there are several.
    pub(crate) parts: Vec<PartContent>,
    /// `None` when chunk mode is off.
    pub(crate) chunks: Option<Vec<ChunkContent>>,
    /// Which chunks there are, as bits; the highest bit keeps it from 0, which is "none".
    pub(crate) chunk_layout: u64,
    /// The event names a buffer that is none.
    pub(crate) event_lies: bool,
    /// Questions about the buffer fail.
    pub(crate) info_fails: bool,
}

/// Where a chunk is said to lie, from the start of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkContent {
    pub(crate) id: u64,
    pub(crate) offset: isize,
    pub(crate) length: usize,
}

/// What is said of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartContent {
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) data_type: usize,
    pub(crate) format: u64,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) purpose: u64,
    pub(crate) delivered_height: usize,
}

impl Content {
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

    /// Writes into a queued buffer, in which the image `shown` lies; tells which lies there now.
    pub(crate) fn write(&self, memory: &Memory, shown: Option<Shown>) -> (Content, Option<Shown>) {
        let size = memory.size();
        let kept = shown.filter(|shown| self.is_shown_by(*shown));
        let now = kept.unwrap_or(Shown { look: self.look, picture: self.exposure.picture });
        let image = self.pictures.image(now.picture, self.exposure.frame_id);
        let (width, height) = (self.region.width as usize, self.region.height as usize);
        let row = self.format.row_bytes(width) + self.line_padding;
        let start = self.image_offset;

        let rows_of = |share: f64| ((height as f64 * share).floor() as usize).min(height);
        let arrived = self.strikes.get(FaultKind::Incomplete).map(rows_of);
        let shorter = self.strikes.get(FaultKind::WrongSize).map(|share| rows_of(share).max(1));
        // A shortened image is alone in its buffer, as an incomplete frame's first rows are.
        let is_whole = arrived.is_none() && shorter.is_none();
        let rows = shorter.unwrap_or(height);
        let image_bytes = if is_whole { image.len() } else { rows * row };
        let written = arrived.map_or(image_bytes, |arrived| arrived.min(rows) * row);
        if kept.is_none() || !is_whole {
            self.write_image(memory, &image[..written], row, row * height);
        }

        let mut data_bytes = start + image_bytes;
        let mut filled_bytes = (start + written).min(size);
        let chunks = self.chunks.map(|enabled| {
            data_bytes = data_bytes.next_multiple_of(8);
            let mut chunks = Vec::with_capacity(CHUNKS.len());
            let values = self.chunk_values(now.picture);
            for ((chunk, value), _) in
                CHUNKS.iter().zip(values).zip(enabled).filter(|(_, enabled)| *enabled)
            {
                if arrived.is_none() {
                    memory.write(data_bytes, &value.to_le_bytes(), None);
                    if data_bytes + 8 <= size {
                        let offset = data_bytes as isize;
                        chunks.push(ChunkContent { id: chunk.id, offset, length: 8 });
                        filled_bytes = data_bytes + 8;
                    }
                }
                data_bytes += 8;
            }
            chunks
        });
        let is_larger_than_buffer = data_bytes > size;
        let chunk_layout = chunks.iter().flatten().fold(1 << 63, |layout, told| {
            let at = CHUNKS.iter().position(|chunk| chunk.id == told.id);
            at.map_or(layout, |at| layout | 1 << at)
        });
        let room = size.saturating_sub(start);
        let delivered_height = (written.min(room) / row).min(rows);
        let content = Content {
            frame_id: self.frame_id,
            timestamp_ns: self.exposure.start_ns as u64,
            width,
            height: rows,
            x: self.region.x as usize,
            y: self.region.y as usize,
            pixel_format: self.format as u64,
            payload_type: if self.parts.len() > 1 {
                abi::PAYLOAD_TYPE_MULTI_PART
            } else {
                abi::PAYLOAD_TYPE_IMAGE
            },
            x_padding: self.line_padding,
            image_offset: start,
            base_shift: 0,
            delivered_height,
            data_bytes,
            filled_bytes: if is_larger_than_buffer { size } else { filled_bytes },
            is_incomplete: arrived.is_some() || is_larger_than_buffer,
            is_larger_than_buffer,
            parts: self.told_parts(rows, delivered_height, is_whole),
            chunk_layout: if chunks.is_some() { chunk_layout } else { 0 },
            chunks,
            event_lies: false,
            info_fails: false,
        };
        (self.lie(content, size), is_whole.then_some(now))
    }

    /// Writes the first bytes of a frame, of which the first `toned` go through the tone.
    fn write_image(&self, memory: &Memory, frame: &[u8], row: usize, toned: usize) {
        let start = self.image_offset;
        let Some(tone) = self.tone else {
            memory.write(start, frame, None);
            return;
        };
        let (image, others) = frame.split_at(toned.min(frame.len()));
        let width = self.region.width as usize;
        match tone.byte_table() {
            Some(table) => memory.write(start, image, Some(table)),
            None if self.line_padding == 0 => memory.write(start, &tone.apply(image, width), None),
            None => {
                // Two rows at a time, so that a mosaic keeps its phase.
                let pixels = row - self.line_padding;
                for (at, two) in image.chunks(2 * row).enumerate() {
                    let rows: Vec<u8> =
                        two.chunks(row).flat_map(|row| &row[..pixels]).copied().collect();
                    let toned = tone.apply(&rows, width);
                    for (half, toned) in toned.chunks(pixels).enumerate() {
                        memory.write(start + (2 * at + half) * row, toned, None);
                    }
                }
            }
        }
        memory.write(start + image.len(), others, None);
    }

    /// The parts, unless there is only one; of a frame that is not whole only the image came.
    fn told_parts(&self, rows: usize, delivered: usize, is_whole: bool) -> Vec<PartContent> {
        if self.parts.len() < 2 {
            return Vec::new();
        }
        let told = |part: &Part| PartContent {
            offset: self.image_offset + part.offset,
            size: part.size / self.region.height as usize * rows,
            data_type: match part.component {
                Component::Intensity => abi::part_type::IMAGE_2D,
                Component::Confidence => abi::part_type::CONFIDENCE,
                Component::Range => abi::part_type::IMAGE_3D,
            },
            format: part.format.into(),
            width: self.region.width as usize,
            height: rows,
            purpose: part.component.purpose(),
            delivered_height: if is_whole || part.offset == 0 { delivered } else { 0 },
        };
        self.parts.iter().map(told).collect()
    }

    /// Makes of what is true what is told.
    fn lie(&self, mut content: Content, size: usize) -> Content {
        let value = |kind| self.strikes.get(kind);
        let beyond = |kind| value(kind).map(|bytes| size.saturating_add(bytes as usize));
        if let Some(bytes) = value(FaultKind::LargerThanBuffer) {
            content.data_bytes = size.saturating_add(bytes as usize);
            content.filled_bytes = size;
            (content.is_incomplete, content.is_larger_than_buffer) = (true, true);
        }
        if let Some(filled) = beyond(FaultKind::LyingSizeFilled) {
            content.filled_bytes = filled;
        }
        if let Some(factor) = value(FaultKind::LyingShape) {
            let times = |side: usize| (side as f64 * factor) as usize;
            (content.width, content.height) = (times(content.width), times(content.height));
            content.delivered_height = content.height;
        }
        if let Some(offset) = beyond(FaultKind::LyingImageOffset) {
            content.image_offset = offset;
        }
        if let Some(shift) = beyond(FaultKind::LyingBase) {
            content.base_shift = shift;
        }
        if let Some(payload_type) = value(FaultKind::UnknownPayloadType) {
            content.payload_type = payload_type as usize;
        }
        if let Some(format) = value(FaultKind::UnknownPixelFormat) {
            content.pixel_format = format as u64;
        }
        if let Some(frame_id) = value(FaultKind::BadFrameId) {
            content.frame_id = frame_id as u64;
        }
        if let Some(timestamp_ns) = value(FaultKind::BadTimestamp) {
            content.timestamp_ns = timestamp_ns as u64;
        }
        if let Some(way) = value(FaultKind::LyingChunks) {
            lie_about_chunks(content.chunks.get_or_insert_default(), way as u32, size);
        }
        if let (Some(way), Some(part)) = (value(FaultKind::LyingParts), content.parts.last_mut()) {
            match way as u32 {
                0 => part.offset = size.saturating_add(4096),
                1 => part.size = size.saturating_mul(2),
                2 => (part.width, part.height) = (part.width * 64, part.height * 64),
                _ => part.data_type = 0x1234,
            }
        }
        content.event_lies = self.strikes.has(FaultKind::UnknownBuffer);
        content.info_fails = self.strikes.has(FaultKind::InfoFails);
        content
    }

    /// The chunks' 8 bytes each, in the order of [`CHUNKS`].
    fn chunk_values(&self, picture: u32) -> [u64; CHUNKS.len()] {
        let exposure = &self.exposure;
        let part = match exposure.cause.part_id {
            NO_PART if self.picture_as_part => u64::from(picture),
            part => part,
        };
        [
            self.frame_id,
            exposure.start_ns as u64,
            (exposure.exposure_ns as f64 / 1000.0).to_bits(),
            exposure.cause.line0_count,
            exposure.cause.encoder_count,
            part,
            u64::from(picture),
        ]
    }
}

/// Six layouts that no buffer has, numbered as the value of `LyingChunks` is.
fn lie_about_chunks(chunks: &mut Vec<ChunkContent>, way: u32, size: usize) {
    if chunks.is_empty() {
        chunks.push(ChunkContent { id: CHUNKS[0].id, offset: 0, length: 8 });
    }
    let many = chunks[0];
    for chunk in chunks.iter_mut() {
        match way {
            0 => chunk.offset = size as isize + 4096,
            1 => chunk.offset = -4096,
            2 => chunk.length = usize::MAX - 7,
            3 => chunk.length = 1,
            4 => (chunk.offset, chunk.length) = (isize::MAX - 3, 8),
            _ => {}
        }
    }
    if way >= 5 {
        chunks.resize(100_000, many);
    }
}
