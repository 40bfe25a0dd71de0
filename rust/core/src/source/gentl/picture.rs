//! What a producer says of a buffer, made into what we say of a frame.

use smartqc_gentl::{BufferInfo, PayloadType};

use crate::frame::{FrameInfo, PixelFormat};

/// What the camera's features say of its pictures, for producers that leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixel_format: PixelFormat,
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
        | Some(PayloadType::Image | PayloadType::ChunkData | PayloadType::Raw)
        | Some(PayloadType::Other(0)) => {}
        Some(other) => {
            return Err(format!(
                "its buffers hold {other:?}, not one plain image; switch the camera to that"
            ));
        }
    }
    let small = |number: Option<usize>, otherwise: u32| match number {
        Some(number) => u32::try_from(number).unwrap_or(u32::MAX),
        None => otherwise,
    };
    let pixel_format = info
        .pixel_format
        .and_then(|number| u32::try_from(number).ok())
        // Namespaces 0 and 1 may hold numbers of PFNC 32, which are all above 24 bits.
        .filter(|number| info.pixel_namespace == Some(4) || *number > 0xFF_FFFF)
        .map_or(shape.pixel_format, PixelFormat);
    let width = small(info.width, shape.width);
    let configured = small(info.height, shape.height);
    let height = small(info.delivered_height, configured).min(configured);
    let packed = FrameInfo::packed(width, height, pixel_format, 0);
    let missing = info.image_present == Some(false) || height < configured;
    let filled = info.size_filled.or(info.data_size).filter(|&bytes| bytes > 0);
    Ok(FrameInfo {
        stride: packed.stride.saturating_add(info.x_padding.unwrap_or(0)),
        offset: info.image_offset.unwrap_or(0),
        // A broken frame may say what came in all, while the gap lies in the middle.
        filled: filled.unwrap_or(slot_bytes).min(slot_bytes),
        height: if info.image_present == Some(false) { 0 } else { height },
        incomplete: info.incomplete || info.larger_than_buffer || missing,
        frame_id: info.frame_id.unwrap_or(0),
        ..packed
    })
}

/// Counts the frames that a camera numbered and that never came.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameCount {
    last: Option<u64>,
}

impl FrameCount {
    /// How many are missing between the frames before and this one.
    pub(crate) fn lost_before(&mut self, id: u64) -> u64 {
        let Some(last) = self.last.replace(id) else { return 0 };
        if id > last {
            return id - last - 1;
        }
        // GigE Vision 1.x counts in 16 bits and leaves the 0 out.
        if last > 0xFF00 && last <= 0xFFFF && (1..0x100).contains(&id) {
            return (0xFFFF - last) + (id - 1);
        }
        // Delivered out of order: the gap was told when the later one came.
        if last - id < 0x100 {
            self.last = Some(last);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let info =
            BufferInfo { payload_type: Some(PayloadType::MultiPart), ..BufferInfo::default() };
        assert!(read(&info, &SHAPE, 64).unwrap_err().contains("MultiPart"));
    }

    #[test]
    fn gaps_are_counted_over_a_wrap_and_not_twice() {
        let lost = |ids: &[u64]| {
            let mut count = FrameCount::default();
            ids.iter().map(|&id| count.lost_before(id)).collect::<Vec<_>>()
        };
        assert_eq!(lost(&[7, 8, 11]), [0, 0, 2]);
        assert_eq!(lost(&[65534, 65535, 1]), [0, 0, 0]);
        assert_eq!(lost(&[65534, 2]), [0, 2]);
        assert_eq!(lost(&[65535, 65536]), [0, 0]);
        assert_eq!(lost(&[5, 7, 6, 8]), [0, 1, 0, 0]);
        assert_eq!(lost(&[90_000, 0, 1]), [0, 0, 0]);
        assert_eq!(lost(&[5, 5, 6]), [0, 0, 0]);
    }
}
