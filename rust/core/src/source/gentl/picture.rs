//! What a producer says of a buffer, made into what we say of a frame.

use std::fmt;

use smartqc_gentl::{BufferInfo, BufferPart, Chunk, PartKind as BufferPartKind, PayloadType};

use crate::frame::{ChunkPlace, FrameInfo, Part, PartKind, PixelFormat};

/// What the camera's features say of its pictures, for producers that leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_format: PixelFormat,
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} x {} {}", self.width, self.height, self.pixel_format)
    }
}

/// Reads the picture's geometry; times, ids and chunks are left as they are in `FrameInfo::packed`.
///
/// The error names what the buffer holds instead of a picture.
pub(crate) fn read(
    info: &BufferInfo,
    shape: &Shape,
    slot_bytes: usize,
) -> Result<FrameInfo, String> {
    match info.payload_type {
        None
        | Some(
            PayloadType::Image
            | PayloadType::ChunkData
            | PayloadType::Raw
            | PayloadType::MultiPart
            | PayloadType::ChunkOnly
            | PayloadType::Other(0),
        ) => {}
        Some(other) => {
            return Err(format!(
                "its buffers hold {other:?}, not one plain image; switch the camera to that"
            ));
        }
    }
    let pixel_format = pfnc(info.pixel_format, info.pixel_namespace).unwrap_or(shape.pixel_format);
    let width = small(info.width, shape.width);
    let configured = small(info.height, shape.height);
    let height = small(info.delivered_height, configured).min(configured);
    let packed = FrameInfo::packed(width, height, pixel_format, 0);
    let no_image =
        info.image_present == Some(false) || info.payload_type == Some(PayloadType::ChunkOnly);
    let missing = no_image || height < configured;
    let filled = info.size_filled.or(info.data_size).filter(|&bytes| bytes > 0);
    Ok(FrameInfo {
        stride: packed.stride.saturating_add(info.x_padding.unwrap_or(0)),
        offset: info.image_offset.unwrap_or(0),
        // A broken frame may say what came in all, while the gap lies in the middle.
        filled: filled.unwrap_or(slot_bytes).min(slot_bytes),
        height: if no_image { 0 } else { height },
        incomplete: info.incomplete || info.larger_than_buffer || missing,
        frame_id: info.frame_id.unwrap_or(0),
        ..packed
    })
}

/// The number as PFNC has it, where it is one.
fn pfnc(number: Option<u64>, namespace: Option<u64>) -> Option<PixelFormat> {
    number
        .and_then(|number| u32::try_from(number).ok())
        // Namespaces 0 and 1 may hold numbers of PFNC 32, which are all above 24 bits.
        .filter(|number| namespace == Some(4) || *number > 0xFF_FFFF)
        .map(PixelFormat)
}

fn small(number: Option<usize>, otherwise: u32) -> u32 {
    number.map_or(otherwise, |number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A part of a multi-part buffer as we say it; what it leaves out is as the features say.
pub(crate) fn part(part: &BufferPart, shape: &Shape) -> Part {
    let pixel_format = pfnc(part.pixel_format, part.pixel_namespace).unwrap_or(shape.pixel_format);
    let width = small(part.width, shape.width);
    let configured = small(part.height, shape.height);
    Part {
        kind: match part.kind {
            BufferPartKind::Image => PartKind::Image,
            BufferPartKind::PlaneOf2 | BufferPartKind::PlaneOf3 | BufferPartKind::PlaneOf4 => {
                PartKind::Plane
            }
            BufferPartKind::Image3d
            | BufferPartKind::Plane3dOf2
            | BufferPartKind::Plane3dOf3
            | BufferPartKind::Plane3dOf4 => PartKind::Coordinates,
            BufferPartKind::Confidence => PartKind::Confidence,
            BufferPartKind::Chunk => PartKind::Chunks,
            BufferPartKind::Jpeg | BufferPartKind::Jpeg2000 => PartKind::Compressed,
            BufferPartKind::Unknown | BufferPartKind::Other(_) => PartKind::Unknown,
        },
        width,
        height: small(part.delivered_height, configured).min(configured),
        stride: pixel_format.row_bytes(width).saturating_add(part.x_padding.unwrap_or(0)),
        offset: part.offset,
        bytes: part.bytes,
        pixel_format,
        origin: [small(part.x_offset, 0), small(part.y_offset, 0)],
        source: part.source,
        region: part.region,
        purpose: part.purpose,
    }
}

/// Makes the first part that is a picture the frame's own, or, where none is, the first that has
/// rows of any other kind; a frame without either is an incomplete one of no rows.
pub(crate) fn show_first(parts: &[Part], info: &mut FrameInfo) {
    let other = |part: &&Part| !matches!(part.kind, PartKind::Chunks | PartKind::Compressed);
    let picture = parts.iter().find(|part| part.kind == PartKind::Image);
    match picture.or_else(|| parts.iter().find(other)) {
        Some(part) => {
            (info.width, info.height, info.stride) = (part.width, part.height, part.stride);
            (info.offset, info.pixel_format) = (part.offset, part.pixel_format);
            info.filled = part.offset.saturating_add(part.bytes);
        }
        None => (info.height, info.incomplete) = (0, true),
    }
}

/// Whether a buffer holds what another setting of the camera would not send: no sign of a camera
/// that is gone.
pub(crate) fn is_setting(payload_type: Option<PayloadType>) -> bool {
    matches!(
        payload_type,
        Some(
            PayloadType::File
                | PayloadType::Jpeg
                | PayloadType::Jpeg2000
                | PayloadType::H264
                | PayloadType::DeviceSpecific
                | PayloadType::GenDc
        )
    )
}

/// Chunks that are looked at: more than a frame keeps, since what the line needs may lie among the
/// last.
pub(crate) const MOST_LISTED: usize = 512;

/// Where the chunks lie in a buffer of `bytes`, as the producer lists them; those that would lie
/// elsewhere are left out. How many there are.
pub(crate) fn chunks(listed: &[Chunk], bytes: usize, places: &mut [ChunkPlace]) -> usize {
    let inside = listed.iter().filter_map(|chunk| {
        // By value: the standard's entry is packed.
        let (id, offset, length) = (chunk.id, chunk.offset, chunk.length);
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(length)?;
        (end <= bytes).then_some(ChunkPlace { id, offset, bytes: length })
    });
    places.iter_mut().zip(inside).map(|(place, chunk)| *place = chunk).count()
}

/// Where the chunks lie in a buffer that its producer has not taken apart: each is followed by its
/// id and its length, in 32 bits each, so that they are found from the end (GigE Vision big endian,
/// USB3 Vision little). None when they do not fill the buffer to its beginning.
pub(crate) fn trailing_chunks(
    bytes: &[u8],
    is_big_endian: bool,
    places: &mut [ChunkPlace],
) -> usize {
    let number = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if is_big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    let (mut end, mut found) = (bytes.len(), 0);
    while end > 0 {
        let place = end.checked_sub(8).and_then(|tail| {
            let (id, length) = number(tail).zip(number(tail + 4))?;
            let offset = tail.checked_sub(length as usize)?;
            Some(ChunkPlace { id: id.into(), offset, bytes: length as usize })
        });
        let (Some(place), Some(room)) = (place, places.get_mut(found)) else { return 0 };
        (*room, found, end) = (place, found + 1, place.offset);
    }
    places[..found].reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MOST_CHUNKS;

    const SHAPE: Shape = Shape { width: 8, height: 4, pixel_format: PixelFormat::BAYER_RG8 };

    #[test]
    fn what_the_producer_leaves_out_is_as_the_features_say() {
        let frame = read(&BufferInfo::default(), &SHAPE, 64).unwrap();
        assert_eq!((frame.width, frame.height, frame.stride, frame.filled), (8, 4, 8, 64));
        assert_eq!(frame.pixel_format, PixelFormat::BAYER_RG8);
    }

    #[test]
    fn padding_offset_and_missing_lines_are_kept() {
        let info = BufferInfo {
            image_offset: Some(16),
            x_padding: Some(2),
            height: Some(4),
            delivered_height: Some(3),
            size_filled: Some(1000),
            pixel_format: Some(0x0108_0001),
            pixel_namespace: Some(0),
            ..BufferInfo::default()
        };
        let frame = read(&info, &SHAPE, 64).unwrap();
        assert_eq!((frame.offset, frame.stride, frame.height, frame.filled), (16, 10, 3, 64));
        assert!(frame.incomplete);
        assert_eq!(frame.pixel_format, PixelFormat::MONO8);
    }

    #[test]
    fn numbers_of_other_namespaces_are_no_pixel_formats() {
        let info =
            BufferInfo { pixel_format: Some(5), pixel_namespace: Some(2), ..BufferInfo::default() };
        assert_eq!(read(&info, &SHAPE, 64).unwrap().pixel_format, PixelFormat::BAYER_RG8);
    }

    #[test]
    fn a_buffer_without_an_image_is_an_incomplete_frame_of_no_lines() {
        let info = BufferInfo { image_present: Some(false), ..BufferInfo::default() };
        let frame = read(&info, &SHAPE, 64).unwrap();
        assert_eq!((frame.height, frame.incomplete), (0, true));
    }

    #[test]
    fn what_is_no_plain_image_is_refused_by_its_name() {
        let info = BufferInfo { payload_type: Some(PayloadType::H264), ..BufferInfo::default() };
        assert!(read(&info, &SHAPE, 64).unwrap_err().contains("H264"));
    }

    #[test]
    fn more_chunks_than_a_frame_keeps_are_found() {
        let mut bytes = Vec::new();
        for id in 0..100_u32 {
            bytes.extend([id.to_be_bytes(), id.to_be_bytes(), 4_u32.to_be_bytes()].concat());
        }
        let mut places = [ChunkPlace::default(); MOST_LISTED];
        assert_eq!(trailing_chunks(&bytes, true, &mut places), 100);
        assert_eq!(places[99], ChunkPlace { id: 99, offset: 99 * 12, bytes: 4 });
        let listed = [Chunk { id: 1, offset: 0, length: 4 }; 100];
        assert_eq!(chunks(&listed, 4, &mut places), 100);
    }

    #[test]
    fn chunks_are_found_from_the_end_of_a_buffer() {
        let mut bytes = vec![9; 12];
        for (id, data) in [(1_u32, &[][..]), (2, &[1, 2, 3, 4]), (3, &[])] {
            bytes.extend(data);
            bytes.extend(id.to_be_bytes());
            let length = if id == 1 { 12 } else { data.len() as u32 };
            bytes.extend(length.to_be_bytes());
        }
        let mut places = [ChunkPlace::default(); 4];
        let place = |id, offset, bytes| ChunkPlace { id, offset, bytes };
        assert_eq!(trailing_chunks(&bytes, true, &mut places), 3);
        assert_eq!(places[..3], [place(1, 0, 12), place(2, 20, 4), place(3, 32, 0)]);
        assert_eq!(trailing_chunks(&bytes, false, &mut places), 0);
        assert_eq!(trailing_chunks(&bytes[1..], true, &mut places), 0);
        assert_eq!(trailing_chunks(&bytes, true, &mut places[..2]), 0);
    }

    /// Buffers as the transports' standards lay them out, byte by byte: of each chunk first its data,
    /// then its id, then its length, in network byte order for GigE Vision, little endian for USB3
    /// Vision.
    #[rustfmt::skip]
    #[test]
    fn buffers_in_the_transports_own_layouts_are_taken_apart() {
        // Both: an image of 2 x 2, its exposure of 1000.0 us as a double, its line status.
        let gev = [
            0x10, 0x20, 0x30, 0x40,                         0xA5, 0xA5, 0x01, 0x01, 0, 0, 0, 4,
            0x40, 0x8F, 0x40, 0, 0, 0, 0, 0,                0x3C, 0x5D, 0x20, 0x50, 0, 0, 0, 8,
            0, 0, 0, 0x0B,                                  0x86, 0x7C, 0xAD, 0xA5, 0, 0, 0, 4,
        ];
        let u3v = [
            0x10, 0x20, 0x30, 0x40,                         0x01, 0x01, 0xA5, 0xA5, 4, 0, 0, 0,
            0, 0, 0, 0, 0, 0x40, 0x8F, 0x40,                0x50, 0x20, 0x5D, 0x3C, 8, 0, 0, 0,
            0x0B, 0, 0, 0,                                  0xA5, 0xAD, 0x7C, 0x86, 4, 0, 0, 0,
        ];
        // An image without any further chunk, and chunks without an image.
        let alone_gev = [1, 2, 3, 4, 5, 6, 7, 8,            0, 0, 0, 1, 0, 0, 0, 8];
        let alone_u3v = [7, 0, 0, 0,                        9, 0, 0, 0, 4, 0, 0, 0];
        let place = |id, offset, bytes| ChunkPlace { id, offset, bytes };
        let three =
            [place(0xA5A5_0101, 0, 4), place(0x3C5D_2050, 12, 8), place(0x867C_ADA5, 28, 4)];
        let cases: [(&str, &[u8], bool, &[ChunkPlace]); 12] = [
            ("GEV", &gev, true, &three),
            ("U3V", &u3v, false, &three),
            ("GEV, image alone", &alone_gev, true, &[place(1, 0, 8)]),
            ("U3V, chunk alone", &alone_u3v, false, &[place(9, 0, 4)]),
            ("GEV read as U3V", &gev, false, &[]),
            ("U3V read as GEV", &u3v, true, &[]),
            ("GEV without its last byte", &gev[..39], true, &[]),
            ("U3V without its first byte", &u3v[1..], false, &[]),
            ("GEV with a byte behind it", &[&gev[..], &[0]].concat(), true, &[]),
            ("a tail alone", &gev[32..], true, &[]),
            ("shorter than a tail", &gev[..7], true, &[]),
            ("nothing", &[], true, &[]),
        ];
        for (name, bytes, is_big_endian, wanted) in cases {
            let mut places = [ChunkPlace::default(); MOST_CHUNKS];
            let found = trailing_chunks(bytes, is_big_endian, &mut places);
            assert_eq!(&places[..found], wanted, "{name}");
        }
        // The values are the ones that were written.
        assert_eq!(f64::from_be_bytes(gev[12..20].try_into().unwrap()), 1000.0);
        assert_eq!(f64::from_le_bytes(u3v[12..20].try_into().unwrap()), 1000.0);
    }

    #[test]
    fn chunks_outside_of_the_buffer_are_none() {
        let chunk = |offset, length| Chunk { id: 5, offset, length };
        let listed =
            [chunk(-1, 1), chunk(8, 9), chunk(isize::MAX, usize::MAX), chunk(8, 8), chunk(16, 0)];
        let mut places = [ChunkPlace::default(); 8];
        let found = chunks(&listed, 16, &mut places);
        let offsets: Vec<usize> = places[..found].iter().map(|place| place.offset).collect();
        assert_eq!(offsets, [8, 16]);
    }

    #[test]
    fn the_first_picture_among_the_parts_is_the_frames() {
        let part = |kind, offset| BufferPart {
            kind,
            offset,
            bytes: 32,
            width: Some(4),
            height: Some(8),
            ..BufferPart::default()
        };
        let parts = [part(BufferPartKind::Confidence, 0), part(BufferPartKind::Image, 32)]
            .map(|known| super::part(&known, &SHAPE));
        let mut info = FrameInfo::packed(8, 4, PixelFormat::MONO8, 0);
        show_first(&parts, &mut info);
        assert_eq!((info.width, info.height, info.offset, info.filled), (4, 8, 32, 64));
        assert_eq!((info.stride, info.pixel_format), (4, PixelFormat::BAYER_RG8));
        show_first(&parts[..1], &mut info);
        assert_eq!((info.height, info.offset), (8, 0), "the confidence, for want of a picture");
        show_first(&[], &mut info);
        assert_eq!((info.height, info.incomplete), (0, true));
    }
}
