//! What producers and cameras may claim, held against what we make of it: nothing here may panic,
//! whatever comes. Random cases run in the tests, and all night as fuzz targets.

use smartqc_gentl::{BufferInfo, BufferPart, Chunk, Description, PayloadType};

use super::numbers::{FrameCount, Numbered};
use super::picture::{self, Shape};
use super::setup::{self, Wanted};
use crate::frame::{ChunkPlace, FreeList, MOST_CHUNKS, PixelFormat, Slots};

/// A frame is made of a buffer of which everything was claimed, and read to its last byte.
///
/// # Panics
/// When the frame reaches beyond its slot, which is what this looks for.
pub fn buffer(info: &BufferInfo, parts: &[BufferPart], configured: [u32; 3], slot_bytes: usize) {
    let slot_bytes = slot_bytes.clamp(1, 1 << 16);
    let [width, height, format] = configured;
    let shape = Shape { width, height, pixel_format: PixelFormat(format) };
    let Ok(mut read) = picture::read(info, &shape, slot_bytes) else { return };
    let free = FreeList::new(1);
    let slots = Slots::new(1, slot_bytes, 64, Box::new(free.clone()));
    let mut slot = free.take(&slots).expect("nobody holds the only slot");
    if info.payload_type == Some(PayloadType::MultiPart) {
        for part in parts {
            slot.layout_mut().push_part(picture::part(part, &shape));
        }
        picture::show_first(slot.layout_mut().parts(), &mut read);
    }
    let frame = slot.publish(read);
    let info = frame.info();
    assert!(frame.bytes().len() <= slot_bytes && frame.image().len() <= frame.bytes().len());
    let row = info.pixel_format.row_bytes(info.width);
    let rows = info.height as usize * info.pixel_format.planes();
    if rows > 0 && row > 0 {
        let end = (rows - 1).checked_mul(info.stride).and_then(|last| last.checked_add(row));
        assert!(end.is_some_and(|end| end <= frame.image().len()), "{info:?} in {slot_bytes}");
    }
    let _: u64 = frame.bytes().iter().map(|byte| u64::from(*byte)).sum();
    for (index, part) in frame.parts().iter().enumerate() {
        let bytes = frame.part(index).expect("as many as are listed");
        let row = part.pixel_format.row_bytes(part.width);
        let rows = part.height as usize * part.pixel_format.planes();
        assert!(rows == 0 || (rows - 1) * part.stride + row <= bytes.len(), "{part:?}");
    }
}

/// Chunks lie where a producer, or the buffer's own end, says.
///
/// # Panics
/// When one lies outside of the buffer, which is what this looks for.
pub fn chunks(bytes: &[u8], listed: &[Chunk]) {
    let mut places = [ChunkPlace::default(); MOST_CHUNKS];
    let inside = |places: &[ChunkPlace]| {
        let ends = |place: &ChunkPlace| place.offset.checked_add(place.bytes);
        assert!(places.iter().all(|place| ends(place).is_some_and(|end| end <= bytes.len())));
    };
    let found = picture::chunks(listed, bytes.len(), &mut places);
    inside(&places[..found]);
    for is_big_endian in [true, false] {
        let found = picture::trailing_chunks(bytes, is_big_endian, &mut places);
        inside(&places[..found]);
        assert!(places[..found].is_sorted_by_key(|place| place.offset));
    }
}

/// What a stream says of its buffers becomes memory that this machine has, or an error.
///
/// # Panics
/// When it becomes anything else, which is what this looks for.
pub fn stream(least: usize, alignment: usize, payload: u64, held: u16, machine_bytes: u64) {
    let Ok(slots) = setup::slots(least, held.into()) else { return };
    let wanted = Wanted { least, alignment, payload };
    if let Ok(memory) = setup::memory(wanted, slots, machine_bytes) {
        assert!(memory.slots >= least && memory.slot_bytes as u64 == payload);
        assert!(memory.alignment.is_power_of_two());
        let all = memory.slots as u128 * u128::from(payload);
        assert!(all <= u128::from(machine_bytes / 2));
    }
}

/// Frame ids come in any order.
///
/// # Panics
/// When one makes more frames lost than can be between it and another, which is what this looks for.
pub fn frame_ids(ids: &[u64]) {
    let most = ids.iter().copied().max().unwrap_or(0);
    for has_clock in [false, true] {
        let mut count = FrameCount::default();
        for (at, id) in ids.iter().enumerate() {
            // Of one that has, some are taken at one instant, and some before others.
            let device_ns = (has_clock && id % 7 > 0).then(|| (at as i64 - (*id % 5) as i64) / 2);
            if let Numbered::After(lost) = count.take(*id, device_ns) {
                assert!(lost <= most.max(0x1_0000));
            }
        }
    }
}

/// A port's URL and the registers that it leads to.
pub fn port_url(url: &str, registers: &[u8]) {
    // What lies on this machine's disks is not the fuzzer's.
    if url.trim_start().get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file")) {
        return;
    }
    let _ = Description::load(url, |address, data| {
        for (place, byte) in data.iter_mut().enumerate() {
            let at = (address as usize).wrapping_add(place) % registers.len().max(1);
            *byte = registers.get(at).copied().unwrap_or(0);
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;
    use smartqc_gentl::PartKind;

    use super::*;

    /// Small numbers, and those at which arithmetic ends.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX), Just(1 << 32), Just(u64::MAX >> 1)]
    }

    fn size() -> impl Strategy<Value = usize> {
        number().prop_map(|number| number as usize)
    }

    fn format() -> impl Strategy<Value = u64> {
        let known = vec![0x0108_0001, 0x010A_0046, 0x0218_0014, 0x0218_0021, 0x0110_00B8];
        prop_oneof![proptest::sample::select(known), number()]
    }

    prop_compose! {
        fn info()(
            flags in any::<[bool; 3]>(),
            present in of(any::<bool>()),
            sizes in proptest::array::uniform8(of(size())),
            payload in 0..13_u64,
            pixel_format in of(format()),
            namespace in of(0..6_u64),
        ) -> BufferInfo {
            let [size_filled, data_size, image_offset, width, height, delivered, x, y] = sizes;
            BufferInfo {
                is_new: true,
                incomplete: flags[0],
                larger_than_buffer: flags[1],
                contains_chunks: flags[2],
                image_present: present,
                size_filled,
                data_size,
                payload_type: Some(PayloadType::from(payload)),
                image_offset,
                width,
                height,
                delivered_height: delivered,
                x_padding: x,
                y_padding: y,
                pixel_format,
                pixel_namespace: namespace,
                ..BufferInfo::default()
            }
        }
    }

    prop_compose! {
        fn part()(
            offset in size(),
            bytes in size(),
            kind in 0..15_u64,
            pixel_format in of(format()),
            sizes in proptest::array::uniform4(of(size())),
        ) -> BufferPart {
            let [width, height, delivered_height, x_padding] = sizes;
            BufferPart {
                offset,
                bytes,
                kind: PartKind::from(kind),
                pixel_format,
                width,
                height,
                delivered_height,
                x_padding,
                ..BufferPart::default()
            }
        }
    }

    proptest! {
        #[test]
        fn a_frame_stays_within_its_slot(
            info in info(),
            parts in vec(part(), 0..12),
            shape in any::<[u32; 3]>(),
            slot_bytes in 1..5000_usize,
        ) {
            buffer(&info, &parts, shape, slot_bytes);
        }

        #[test]
        fn chunks_stay_within_their_buffer(
            bytes in vec(any::<u8>(), 0..200),
            listed in vec((any::<u64>(), any::<isize>(), size()), 0..40),
        ) {
            let listed: Vec<Chunk> = listed
                .into_iter()
                .map(|(id, offset, length)| Chunk { id, offset: offset % 300, length })
                .collect();
            chunks(&bytes, &listed);
        }

        #[test]
        fn a_streams_memory_is_had_or_an_error(
            least in size(), alignment in size(), payload in number(), held: u16, machine in number(),
        ) {
            stream(least, alignment, payload, held, machine);
        }

        #[test]
        fn frame_ids_in_any_order_are_counted(ids in vec(number(), 0..50)) {
            frame_ids(&ids);
        }

        #[test]
        fn any_url_is_a_description_or_an_error(
            url in "(local|LOCAL|Local|http|):[a-z./;0-9A-F?=%]{0,40}",
            registers in vec(any::<u8>(), 0..64),
        ) {
            port_url(&url, &registers);
        }
    }
}
