//! All answers on a buffer and its parts: a frame that stays within its slot.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use smartqc_core::source::gentl::hostile;
use smartqc_gentl::{BufferInfo, BufferPart, PartKind, PayloadType};

#[derive(Arbitrary, Debug)]
struct Claimed {
    flags: [bool; 3],
    image_present: Option<bool>,
    payload: u8,
    sizes: [Option<usize>; 10],
    format: Option<u64>,
    namespace: Option<u64>,
    parts: Vec<Part>,
    configured: [u32; 3],
    slot_bytes: u16,
}

#[derive(Arbitrary, Debug)]
struct Part {
    offset: usize,
    bytes: usize,
    kind: u8,
    format: Option<u64>,
    namespace: Option<u64>,
    sizes: [Option<usize>; 6],
}

fuzz_target!(|claimed: Claimed| {
    let [size_filled, data_size, image_offset, width, height, delivered, x, y, left, top] =
        claimed.sizes;
    let info = BufferInfo {
        is_new: true,
        incomplete: claimed.flags[0],
        larger_than_buffer: claimed.flags[1],
        contains_chunks: claimed.flags[2],
        image_present: claimed.image_present,
        size_filled,
        data_size,
        payload_type: Some(PayloadType::from(u64::from(claimed.payload))),
        image_offset,
        width,
        height,
        delivered_height: delivered,
        x_offset: left,
        y_offset: top,
        x_padding: x,
        y_padding: y,
        pixel_format: claimed.format,
        pixel_namespace: claimed.namespace,
        ..BufferInfo::default()
    };
    let part = |part: Part| {
        let [width, height, delivered_height, x_padding, x_offset, y_offset] = part.sizes;
        BufferPart {
            offset: part.offset,
            bytes: part.bytes,
            kind: PartKind::from(u64::from(part.kind)),
            pixel_format: part.format,
            pixel_namespace: part.namespace,
            width,
            height,
            delivered_height,
            x_offset,
            y_offset,
            x_padding,
            ..BufferPart::default()
        }
    };
    let parts: Vec<BufferPart> = claimed.parts.into_iter().map(part).collect();
    hostile::buffer(&info, &parts, claimed.configured, claimed.slot_bytes.into());
});
