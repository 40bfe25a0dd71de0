//! What a buffer holds beside one picture: the parts of a multi-part payload, and its chunks.

use super::PixelFormat;

/// Parts of one frame that are looked at.
pub const MOST_PARTS: usize = 8;
/// Chunks of one frame that are looked at.
pub const MOST_CHUNKS: usize = 32;

/// What a part of a frame holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartKind {
    /// Something that its maker knows.
    #[default]
    Unknown,
    /// A picture.
    Image,
    /// One plane of a picture whose other planes are parts of their own.
    Plane,
    /// Coordinates.
    Coordinates,
    /// How far each pixel can be trusted.
    Confidence,
    /// A compressed picture.
    Compressed,
    /// Chunks.
    Chunks,
}

impl PartKind {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Image => "image",
            Self::Plane => "plane",
            Self::Coordinates => "coordinates",
            Self::Confidence => "confidence",
            Self::Compressed => "compressed",
            Self::Chunks => "chunks",
        }
    }
}

/// One part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it holds.
    pub kind: PartKind,
    /// Pixels in a row.
    pub width: u32,
    /// Rows that were really delivered.
    pub height: u32,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Where it begins in the slot, in bytes.
    pub offset: usize,
    /// How long it is, in bytes.
    pub bytes: usize,
    /// What the bytes mean.
    pub pixel_format: PixelFormat,
    /// Its first column and row on the sensor.
    pub origin: [u32; 2],
    /// Which of the camera's sensors it is from, where it says so.
    pub source: Option<u64>,
    /// Which region of that sensor.
    pub region: Option<u64>,
    /// Parts of one purpose belong together.
    pub purpose: Option<u64>,
}

impl Part {
    const NONE: Self = Self {
        kind: PartKind::Unknown,
        width: 0,
        height: 0,
        stride: 1,
        offset: 0,
        bytes: 0,
        pixel_format: PixelFormat::MONO8,
        origin: [0; 2],
        source: None,
        region: None,
        purpose: None,
    };

    /// Cuts it to what a slot of `slot_bytes` can hold; whether all of it is there.
    fn fit(&mut self, slot_bytes: usize) -> bool {
        self.offset = self.offset.min(slot_bytes);
        self.bytes = self.bytes.min(slot_bytes - self.offset);
        self.stride = self.stride.max(1);
        let size = [self.width, self.height];
        let rows = rows_in(self.bytes, self.pixel_format, size, self.stride);
        let is_whole = rows == self.height;
        self.height = rows;
        is_whole
    }
}

/// How many rows of so many there are in so many bytes, `stride` (1 or more) apart; the last needs no
/// padding.
pub(super) fn rows_in(
    bytes: usize,
    format: PixelFormat,
    [width, height]: [u32; 2],
    stride: usize,
) -> u32 {
    let row = format.row_bytes(width);
    // What comes before the last plane is there or the picture has no rows.
    let before = (format.planes() - 1).saturating_mul(height as usize).saturating_mul(stride);
    let last = bytes.saturating_sub(before);
    if row == 0 || row > stride || last < row {
        return 0;
    }
    let rows = (last - row) / stride + 1;
    match u32::try_from(rows) {
        // Where the planes after the first lie depends on the height: a cut one is no picture.
        Ok(rows) if rows < height => {
            if format.planes() > 1 {
                0
            } else {
                rows
            }
        }
        _ => height,
    }
}

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Its `ChunkID`.
    pub id: u64,
    /// Bytes from the beginning of the slot.
    pub offset: usize,
    /// Bytes.
    pub bytes: usize,
}

/// What lies in a slot beside its picture. Its memory is the slot's, so that nothing is taken from
/// the heap for a frame.
#[derive(Clone, Debug)]
pub struct Layout {
    parts: [Part; MOST_PARTS],
    part_count: usize,
    chunks: [ChunkPlace; MOST_CHUNKS],
    chunk_count: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            parts: [Part::NONE; MOST_PARTS],
            part_count: 0,
            chunks: [ChunkPlace::default(); MOST_CHUNKS],
            chunk_count: 0,
        }
    }
}

impl Layout {
    /// Nothing lies there any more.
    pub fn clear(&mut self) {
        (self.part_count, self.chunk_count) = (0, 0);
    }

    /// Adds a part; more than [`MOST_PARTS`] are not remembered, and that is said by `false`.
    pub fn push_part(&mut self, part: Part) -> bool {
        let place = self.parts.get_mut(self.part_count);
        place.map(|place| *place = part).inspect(|()| self.part_count += 1).is_some()
    }

    /// Adds a chunk; more than [`MOST_CHUNKS`] are not remembered, and that is said by `false`.
    pub fn push_chunk(&mut self, chunk: ChunkPlace) -> bool {
        let place = self.chunks.get_mut(self.chunk_count);
        place.map(|place| *place = chunk).inspect(|()| self.chunk_count += 1).is_some()
    }

    /// The parts; none when the payload has no parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts[..self.part_count]
    }

    /// The chunks.
    pub fn chunks(&self) -> &[ChunkPlace] {
        &self.chunks[..self.chunk_count]
    }

    /// Cuts parts to what a slot of `slot_bytes` holds and forgets chunks that lie outside; whether
    /// all was there.
    pub(super) fn fit(&mut self, slot_bytes: usize) -> bool {
        let mut whole = true;
        for part in &mut self.parts[..self.part_count] {
            whole &= part.fit(slot_bytes);
        }
        let mut kept = 0;
        for at in 0..self.chunk_count {
            let chunk = self.chunks[at];
            if chunk.offset.checked_add(chunk.bytes).is_some_and(|end| end <= slot_bytes) {
                self.chunks[kept] = chunk;
                kept += 1;
            }
        }
        whole &= kept == self.chunk_count;
        self.chunk_count = kept;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offset: usize, bytes: usize) -> Part {
        Part { width: 4, height: 4, stride: 4, offset, bytes, ..Part::NONE }
    }

    #[test]
    fn parts_and_chunks_are_cut_to_their_slot() {
        let mut layout = Layout::default();
        for (offset, bytes) in [(0, 16), (16, 16), (24, 16), (usize::MAX, usize::MAX)] {
            assert!(layout.push_part(part(offset, bytes)));
        }
        for (offset, bytes) in [(24, 8), (25, 8), (usize::MAX, 2), (0, 0)] {
            assert!(layout.push_chunk(ChunkPlace { id: 1, offset, bytes }));
        }
        assert!(!layout.fit(32));
        let heights: Vec<u32> = layout.parts().iter().map(|part| part.height).collect();
        assert_eq!(heights, [4, 4, 2, 0]);
        let offsets: Vec<usize> = layout.chunks().iter().map(|chunk| chunk.offset).collect();
        assert_eq!(offsets, [24, 0]);
        assert!(layout.fit(32), "what was cut fits");
    }

    #[test]
    fn more_than_there_is_room_for_is_said() {
        let mut layout = Layout::default();
        assert!((0..MOST_PARTS).all(|_| layout.push_part(part(0, 16))));
        assert!(!layout.push_part(part(0, 16)));
        assert!((0..MOST_CHUNKS).all(|_| layout.push_chunk(ChunkPlace::default())));
        assert!(!layout.push_chunk(ChunkPlace::default()));
        layout.clear();
        assert!(layout.parts().is_empty() && layout.chunks().is_empty());
    }

    #[test]
    fn a_part_of_planes_is_whole_or_has_no_row() {
        let pixel_format = PixelFormat::from_name("Coord3D_ABC32f_Planar").unwrap();
        for (bytes, stride, rows) in [(192, 16, 4), (191, 16, 0), (64, 16, 0), (228, 20, 0)] {
            let mut layout = Layout::default();
            layout.push_part(Part { stride, pixel_format, ..part(0, bytes) });
            assert_eq!((layout.fit(1024), layout.parts()[0].height), (rows == 4, rows), "{bytes}");
        }
    }
}
