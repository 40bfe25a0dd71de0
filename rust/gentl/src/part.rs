//! The parts of a multi-part buffer: several images, each with a layout of its own.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use crate::abi::{Handle, PartQuestion};
use crate::buffer::NOT_ASKED;
use crate::error::{Result, Status};
use crate::library::{Library, narrow};

/// What a part of a buffer holds (`PART_DATATYPE_IDS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PartKind {
    /// Not said, or known to the device's maker.
    #[default]
    Unknown,
    /// An image.
    Image,
    /// A colour plane of an image whose other planes are parts too.
    PlaneOf2,
    /// A colour plane of three.
    PlaneOf3,
    /// A colour plane of four.
    PlaneOf4,
    /// Three coordinates, or one, for each pixel.
    Image3d,
    /// A plane of coordinates of two.
    Plane3dOf2,
    /// A plane of coordinates of three.
    Plane3dOf3,
    /// A plane of coordinates of four.
    Plane3dOf4,
    /// How far each pixel of another part can be trusted.
    Confidence,
    /// Chunk data.
    Chunk,
    /// A JPEG image.
    Jpeg,
    /// A JPEG 2000 image.
    Jpeg2000,
    /// Another number.
    Other(u64),
}

impl From<u64> for PartKind {
    fn from(number: u64) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Image,
            2 => Self::PlaneOf2,
            3 => Self::PlaneOf3,
            4 => Self::PlaneOf4,
            5 => Self::Image3d,
            6 => Self::Plane3dOf2,
            7 => Self::Plane3dOf3,
            8 => Self::Plane3dOf4,
            9 => Self::Confidence,
            10 => Self::Chunk,
            11 => Self::Jpeg,
            12 => Self::Jpeg2000,
            other => Self::Other(other),
        }
    }
}

/// One part of a buffer; `None` where the producer has no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferPart {
    /// Bytes from the buffer's start to the part.
    pub offset: usize,
    /// Bytes of the part, no further than to the end of the buffer.
    pub bytes: usize,
    /// What it holds.
    pub kind: PartKind,
    /// Pixel format, a PFNC number unless the namespace says otherwise.
    pub pixel_format: Option<u64>,
    /// Namespace of the pixel format, as in [`crate::BufferInfo`].
    pub pixel_namespace: Option<u64>,
    /// Pixels in a line.
    pub width: Option<usize>,
    /// Lines as configured.
    pub height: Option<usize>,
    /// Lines that came.
    pub delivered_height: Option<usize>,
    /// First column on the sensor.
    pub x_offset: Option<usize>,
    /// First line on the sensor.
    pub y_offset: Option<usize>,
    /// Bytes after each line.
    pub x_padding: Option<usize>,
    /// Which of the device's sources (sensors) it is from.
    pub source: Option<u64>,
    /// Which region of the source.
    pub region: Option<u64>,
    /// Parts of one purpose belong together.
    pub purpose: Option<u64>,
}

/// Commands of `DSGetBufferPartInfo`.
mod command {
    pub(super) const BASE: usize = 0;
    pub(super) const DATA_SIZE: usize = 1;
    pub(super) const DATA_TYPE: usize = 2;
    pub(super) const DATA_FORMAT: usize = 3;
    pub(super) const DATA_FORMAT_NAMESPACE: usize = 4;
    pub(super) const WIDTH: usize = 5;
    pub(super) const HEIGHT: usize = 6;
    pub(super) const XOFFSET: usize = 7;
    pub(super) const YOFFSET: usize = 8;
    pub(super) const XPADDING: usize = 9;
    pub(super) const SOURCE_ID: usize = 10;
    pub(super) const DELIVERED_IMAGEHEIGHT: usize = 11;
    pub(super) const REGION_ID: usize = 12;
    pub(super) const DATA_PURPOSE_ID: usize = 13;
    pub(super) const COUNT: usize = 14;
}

/// Parts of one buffer that are looked at, whatever the producer claims.
const MOST_PARTS: u32 = 64;

type Answers = [Option<u64>; command::COUNT];

/// Reads what was answered of a part of the buffer of `bytes` at address `base`; `None` when it lies
/// elsewhere.
fn read(answers: &Answers, base: usize, bytes: usize) -> Option<BufferPart> {
    use command::*;
    let size = |command: usize| answers[command].and_then(|n| usize::try_from(n).ok());
    let offset = size(BASE)?.checked_sub(base).filter(|&offset| offset < bytes)?;
    Some(BufferPart {
        offset,
        bytes: size(DATA_SIZE).unwrap_or(usize::MAX).min(bytes - offset),
        kind: answers[DATA_TYPE].map_or(PartKind::Unknown, PartKind::from),
        pixel_format: answers[DATA_FORMAT],
        pixel_namespace: answers[DATA_FORMAT_NAMESPACE],
        width: size(WIDTH),
        height: size(HEIGHT),
        delivered_height: size(DELIVERED_IMAGEHEIGHT),
        x_offset: size(XOFFSET),
        y_offset: size(YOFFSET),
        x_padding: size(XPADDING),
        source: answers[SOURCE_ID],
        region: answers[REGION_ID],
        purpose: answers[DATA_PURPOSE_ID],
    })
}

/// Asks the parts of a valid buffer, whose memory is `(address, bytes)`. Allocates nothing.
pub(crate) fn ask(
    library: &Library,
    stream: Handle,
    buffer: Handle,
    memory: (usize, usize),
    parts: &mut [BufferPart],
) -> Result<usize> {
    let functions = library.functions();
    let (Some(count_parts), Some(_)) =
        (functions.DSGetNumBufferParts, functions.DSGetBufferPartInfo)
    else {
        return Ok(0);
    };
    let mut count = 0;
    // SAFETY: stream and buffer are valid, the out pointer lives.
    match library.raw(|_| unsafe { count_parts(stream, buffer, &mut count) })? {
        Status(0) => {}
        status if status.is_no_answer() => return Ok(0),
        status => return Err(library.failed("DSGetNumBufferParts", status)),
    }
    let mut found = 0;
    for part in 0..count.min(MOST_PARTS) {
        let Some(place) = parts.get_mut(found) else { break };
        let answers = ask_one(library, stream, buffer, part)?;
        if let Some(read) = read(&answers, memory.0, memory.1) {
            *place = read;
            found += 1;
        }
    }
    Ok(found)
}

fn ask_one(library: &Library, stream: Handle, buffer: Handle, part: u32) -> Result<Answers> {
    let unknown = &library.unknown;
    let skip = unknown.part_info.load(Ordering::Relaxed);
    let mut scratch = [0_u64; command::COUNT];
    let mut sizes = [size_of::<u64>(); command::COUNT];
    let mut results = [NOT_ASKED; command::COUNT];
    if let (Some(stacked), false) = (
        library.functions().DSGetBufferPartInfoStacked,
        unknown.stacked_part_info.load(Ordering::Relaxed),
    ) {
        let mut questions = std::array::from_fn::<_, { command::COUNT }, _>(|at| PartQuestion {
            part,
            command: at as i32,
            data_type: 0,
            result: NOT_ASKED,
            // SAFETY: below the length of the scratch.
            buffer: unsafe { scratch.as_mut_ptr().add(at) }.cast(),
            size: size_of::<u64>(),
        });
        // SAFETY: stream and buffer are valid; each question points at its own eight bytes of
        // scratch, which is not touched otherwise before the call returns.
        let status = library
            .raw(|_| unsafe { stacked(stream, buffer, questions.as_mut_ptr(), questions.len()) })?;
        if status == Status::NOT_IMPLEMENTED {
            unknown.stacked_part_info.store(true, Ordering::Relaxed);
        } else {
            for (at, question) in questions.iter().enumerate() {
                (results[at], sizes[at]) = (question.result, question.size);
            }
        }
    }
    if let Some(get) = library.functions().DSGetBufferPartInfo {
        for at in 0..command::COUNT {
            if results[at] != NOT_ASKED || skip & (1 << at) != 0 {
                continue;
            }
            let mut data_type = 0;
            sizes[at] = size_of::<u64>();
            // SAFETY: stream and buffer are valid, the scratch belongs to its size.
            let status = library.raw(|_| unsafe {
                let scratch = (&raw mut scratch[at]).cast();
                get(stream, buffer, part, at as i32, &mut data_type, scratch, &mut sizes[at])
            })?;
            results[at] = status.0;
            if status == Status::NOT_IMPLEMENTED {
                unknown.part_info.fetch_or(1 << at, Ordering::Relaxed);
            }
        }
    }
    Ok(std::array::from_fn(|at| (results[at] == 0).then(|| narrow(scratch[at], sizes[at]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(base: u64, bytes: u64) -> Answers {
        let mut answers = [None; command::COUNT];
        answers[command::BASE] = Some(base);
        answers[command::DATA_SIZE] = Some(bytes);
        answers[command::DATA_TYPE] = Some(9);
        answers
    }

    #[test]
    fn a_part_is_told_by_where_it_begins_in_its_buffer() {
        let part = read(&answers(1200, 300), 1000, 4000).unwrap();
        assert_eq!((part.offset, part.bytes, part.kind), (200, 300, PartKind::Confidence));
    }

    #[test]
    fn a_part_outside_of_its_buffer_is_none_and_a_long_one_is_cut() {
        assert_eq!(read(&answers(999, 1), 1000, 4000), None);
        assert_eq!(read(&answers(5000, 1), 1000, 4000), None);
        assert_eq!(read(&[None; command::COUNT], 1000, 4000), None);
        assert_eq!(read(&answers(4999, u64::MAX), 1000, 4000).unwrap().bytes, 1);
    }
}
