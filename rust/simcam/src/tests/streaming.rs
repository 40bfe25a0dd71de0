//! Frames: their bytes, their numbers, and what is lost.

use super::*;
use crate::abi::{BufferInfoStacked, SingleChunkData, stream_info};

const FREE: &str = "schema = 1\n[[device]]\nwidth = 16\nheight = 8\nframe_rate = 1000.0\n\
                    exposure_us = 1.0\nreadout_us = 0.0\n";

#[test]
fn free_running_frames_show_the_pattern_in_turn() {
    let (rig, _) = Rig::running(FREE, 4);
    let mut last_ns = 0u64;
    let mut last_id = None;
    for _ in 0..50 {
        let buffer = rig.next();
        let id = rig.frame_id(buffer);
        assert!(last_id.map_or(id == 0, |last| id > last), "{id} after {last_id:?}");
        assert_eq!(rig.bytes(buffer), pattern(id as usize % 8));
        let at_ns = rig.info(buffer, buffer_info::TIMESTAMP_NS).unwrap();
        assert!(at_ns > last_ns && at_ns <= crate::clock::now_ns() as u64);
        (last_id, last_ns) = (Some(id), at_ns);
        rig.queue(buffer);
    }
    // Every id that is missing was lost for want of a buffer.
    rig.stop();
    let delivered = rig.stream_number(stream_info::NUM_DELIVERED);
    let lost = rig.stream_number(stream_info::NUM_UNDERRUN);
    assert_eq!(delivered + lost, rig.stream_number(stream_info::NUM_STARTED));
}

#[test]
fn a_frame_lost_for_want_of_a_buffer_takes_its_id_along() {
    let (rig, buffers) = Rig::running(SMALL, 2);
    for started in 1..=5 {
        rig.trigger();
        rig.until(stream_info::NUM_STARTED, started);
    }
    assert_eq!(rig.stream_number(stream_info::NUM_UNDERRUN), 3);
    assert_eq!([rig.next(), rig.next()], [buffers[0], buffers[1]]);
    rig.queue(buffers[1]);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!((buffer, rig.frame_id(buffer)), (buffers[1], 5));
    assert_eq!(rig.bytes(buffer), pattern(5));
}

#[test]
fn a_buffer_tells_all_about_its_frame() {
    let mut rig = Rig::open(SMALL);
    rig.set_u32(WIDTH, 8);
    rig.set_u32(OFFSET_X, 4);
    rig.set_u32(OFFSET_Y, 0);
    rig.set_u32(PIXEL_FORMAT, 0x0218_0015);
    let buffers = rig.announce(2);
    buffers.iter().for_each(|&buffer| rig.queue(buffer));
    rig.start();
    rig.trigger();
    let buffer = rig.next();
    let size = |command| rig.info::<usize>(buffer, command).unwrap();
    let flag = |command| rig.info::<u8>(buffer, command).unwrap();
    assert_eq!(size(buffer_info::BASE), rig.memory[0].as_ptr() as usize);
    assert_eq!(size(buffer_info::USER_PTR), 0);
    assert_eq!(size(buffer_info::WIDTH), 8);
    assert_eq!(size(buffer_info::HEIGHT), 8);
    assert_eq!(size(buffer_info::XOFFSET), 4);
    assert_eq!(size(buffer_info::XPADDING), 0);
    assert_eq!(size(buffer_info::IMAGEOFFSET), 0);
    assert_eq!(size(buffer_info::PAYLOADTYPE), 1);
    assert_eq!(size(buffer_info::DELIVERED_IMAGEHEIGHT), 8);
    assert_eq!(size(buffer_info::SIZE_FILLED), 8 * 8 * 3);
    assert_eq!(size(buffer_info::DATA_SIZE), 8 * 8 * 3);
    assert_eq!(rig.info::<u64>(buffer, buffer_info::PIXELFORMAT), Ok(0x0218_0015));
    assert_eq!(rig.info::<u64>(buffer, buffer_info::PIXELFORMAT_NAMESPACE), Ok(4));
    assert_eq!(flag(buffer_info::NEW_DATA), 1);
    assert_eq!(flag(buffer_info::IS_QUEUED), 0);
    assert_eq!(flag(buffer_info::IS_INCOMPLETE), 0);
    assert_eq!(flag(buffer_info::DATA_LARGER_THAN_BUFFER), 0);
    assert_eq!(flag(buffer_info::CONTAINS_CHUNKDATA), 0);
    // Blue is y, green is x and red is the ramp, from the region's corner on.
    assert_eq!(rig.bytes(buffer)[..6], [0, 4, 4, 0, 5, 5]);
}

#[test]
fn stacked_questions_get_the_answers_of_single_ones() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.trigger();
    let buffer = rig.next();
    let mut values = [0u64; 3];
    let base = values.as_mut_ptr();
    let at = |index: usize| unsafe { base.add(index) }.cast();
    let ask =
        |command, to| BufferInfoStacked { command, data_type: 0, buffer: to, size: 8, result: 9 };
    let mut stack =
        [ask(buffer_info::WIDTH, at(0)), ask(99, at(1)), ask(buffer_info::HEIGHT, at(2))];
    let code = unsafe { DSGetBufferInfoStacked(rig.stream, buffer, stack.as_mut_ptr(), 3) };
    assert_eq!(code, status::SUCCESS);
    let results = stack.map(|entry| entry.result);
    assert_eq!(results, [status::SUCCESS, status::NOT_IMPLEMENTED, status::SUCCESS]);
    let read = unsafe { [base.read(), base.add(2).read()] };
    assert_eq!(read, [16, 8]);
}

#[test]
fn chunks_follow_the_image_byte_for_byte() {
    let mut rig = Rig::open(&format!("{SMALL}chunks = true"));
    // 16 x 8 bytes of image and seven chunks of 8.
    assert_eq!(rig.u64(PAYLOAD_SIZE), 128 + 56);
    rig.set_u32(CHUNK_SELECTOR, 1);
    rig.set_u32(CHUNK_ENABLE, 0);
    assert_eq!(rig.u64(PAYLOAD_SIZE), 128 + 48);
    rig.set_u32(TRIGGER_SOURCE, 1);
    let buffers = rig.announce(2);
    buffers.iter().for_each(|&buffer| rig.queue(buffer));
    rig.start();
    rig.pulse(0x1122, 11, 4096, 0);
    let buffer = rig.next();
    let (mut chunks, mut count) = ([SingleChunkData { id: 0, offset: 0, length: 0 }; 8], 8);
    unsafe { DSGetBufferChunkData(rig.stream, buffer, chunks.as_mut_ptr(), &raw mut count) };
    let told: Vec<_> =
        chunks[..count].iter().map(|chunk| (chunk.id, chunk.offset, chunk.length)).collect();
    #[rustfmt::skip]
    assert_eq!(told, [
        (0x1001, 128, 8), (0x1003, 136, 8), (0x1004, 144, 8),
        (0x1005, 152, 8), (0x2001, 160, 8), (0x2002, 168, 8),
    ]);
    #[rustfmt::skip]
    let golden = [
        0, 0, 0, 0, 0, 0, 0, 0, // frame id
        0, 0, 0, 0, 0, 0, 0xF0, 0x3F, // exposure time 1.0 us
        1, 0, 0, 0, 0, 0, 0, 0, // edges on Line0
        0, 0x10, 0, 0, 0, 0, 0, 0, // encoder 4096
        0x22, 0x11, 0, 0, 0, 0, 0, 0, // part id
        3, 0, 0, 0, 0, 0, 0, 0, // picture 11 modulo 8
    ];
    let bytes = rig.bytes(buffer);
    assert_eq!(bytes[..128], pattern(3));
    assert_eq!(bytes[128..], golden);
    assert_eq!(rig.info::<u8>(buffer, buffer_info::CONTAINS_CHUNKDATA), Ok(1));
    assert_eq!(rig.info::<usize>(buffer, buffer_info::DELIVERED_CHUNKPAYLOADSIZE), Ok(48));
    assert_ne!(rig.info::<u64>(buffer, buffer_info::CHUNKLAYOUTID), Ok(0));
}

#[test]
fn without_chunks_there_is_no_chunk_data() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.trigger();
    let (buffer, mut count) = (rig.next(), 0);
    let code = unsafe { DSGetBufferChunkData(rig.stream, buffer, null_mut(), &raw mut count) };
    assert_eq!(code, status::NO_DATA);
}

#[test]
fn flip_writes_each_buffer_once_and_numbers_every_frame() {
    let (mut rig, buffers) = Rig::running(&format!("{SMALL}delivery = 'flip'"), 2);
    for id in 0..6 {
        rig.trigger();
        let buffer = rig.next();
        let number = id as usize % 2;
        assert_eq!((buffer, rig.frame_id(buffer)), (buffers[number], id));
        if id < 2 {
            assert_eq!(rig.bytes(buffer), pattern(number));
            rig.memory[number].fill(0x55);
        } else {
            assert_eq!(rig.bytes(buffer), [0x55; 128]);
        }
        rig.queue(buffer);
    }
    // Another look, and the buffers are written again.
    rig.set_f64(GAIN, 20.0);
    rig.trigger();
    assert_ne!(rig.bytes(rig.next()), [0x55; 128]);
}

#[test]
fn a_frame_without_a_part_may_tell_its_picture_as_one() {
    let flip = format!("{SMALL}delivery = 'flip'\nchunks = true\npicture_as_part = true");
    let (rig, _) = Rig::running(&flip, 2);
    for shown in [0, 1, 0, 1] {
        rig.trigger();
        let buffer = rig.next();
        let bytes = rig.bytes(buffer);
        assert_eq!(bytes[..128], pattern(shown));
        // The sixth of seven chunks of 8 bytes behind the image.
        assert_eq!(bytes[128 + 40..128 + 48], (shown as u64).to_le_bytes());
        rig.queue(buffer);
    }
}

#[test]
fn flip_shows_the_picture_that_was_asked_for() {
    let line0 = format!("{SMALL}delivery = 'flip'").replace("software", "line0");
    let (rig, buffers) = Rig::running(&line0, 3);
    let mut used = Vec::new();
    for picture in [2, 5, 2, 2, 5, 7] {
        rig.pulse(0, picture, 0, 0);
        let buffer = rig.next();
        assert_eq!(rig.bytes(buffer), pattern(picture as usize));
        used.push(buffers.iter().position(|known| *known == buffer).unwrap());
        rig.queue(buffer);
    }
    // The third frame of picture 2 goes to the buffer that holds it, ahead of older ones.
    assert_eq!(used, [0, 1, 0, 0, 1, 2]);
}

#[test]
fn gain_brightens_from_the_next_frame_on() {
    let (rig, _) = Rig::running(SMALL, 2);
    rig.trigger();
    let buffer = rig.next();
    assert_eq!(rig.bytes(buffer)[..3], [0, 1, 2]);
    rig.queue(buffer);
    rig.set_f64(GAIN, 20.0);
    rig.set_f64(BLACK_LEVEL, 5.0);
    rig.trigger();
    assert_eq!(rig.bytes(rig.next())[..3], [255, 255, 255]);
    rig.pulse(0, 0, 0, 0);
    rig.set_u32(TRIGGER_SOURCE, 1);
    rig.pulse(0, 0, 0, 0);
    assert_eq!(rig.bytes(rig.next())[..3], [5, 15, 25]);
}

#[test]
fn a_counted_acquisition_stops_by_itself() {
    let mut rig = Rig::open(FREE);
    rig.set_u32(ACQUISITION_MODE, 2);
    rig.set_u32(ACQUISITION_FRAME_COUNT, 3);
    let buffers = rig.announce(5);
    for _ in 0..2 {
        buffers.iter().for_each(|&buffer| rig.queue(buffer));
        rig.start();
        let ids: Vec<u64> = (0..3).map(|_| rig.frame_id(rig.next())).collect();
        assert_eq!(ids, [0, 1, 2]);
        rig.stop();
        assert_eq!(rig.stream_number(stream_info::NUM_STARTED) % 3, 0);
        unsafe { DSFlushQueue(rig.stream, 4) };
    }
}

#[test]
fn the_engine_stops_after_the_frames_it_was_asked_for() {
    let mut rig = Rig::open(SMALL);
    let buffers = rig.announce(3);
    buffers.iter().for_each(|&buffer| rig.queue(buffer));
    assert_eq!(unsafe { DSStartAcquisition(rig.stream, 0, 1) }, status::SUCCESS);
    rig.set_u32(ACQUISITION_START, 1);
    rig.trigger();
    rig.next();
    let (mut grabbing, mut size, mut data_type) = (9u8, 1, 0);
    let command = stream_info::IS_GRABBING;
    let to = (&raw mut grabbing).cast();
    unsafe { DSGetInfo(rig.stream, command, &raw mut data_type, to, &raw mut size) };
    assert_eq!((grabbing, data_type), (0, 11));
    assert_eq!(unsafe { DSStopAcquisition(rig.stream, 0) }, status::SUCCESS);
}

#[test]
fn a_folder_is_shown_by_name_and_sizes_the_sensor() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, width: u32, height: u32, grey: u8| {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![grey; (width * height) as usize]).unwrap();
    };
    save("b.png", 10, 9, 20);
    save("a.png", 12, 9, 10);
    std::fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    let mut rig = Rig::open(SMALL);
    rig.write(SIM_IMAGE_FOLDER, folder.path().to_str().unwrap().as_bytes());
    assert_eq!(rig.u32(SIM_IMAGE_COUNT), 2);
    // 9 rows are rounded down, so that a mosaic has whole cells.
    assert_eq!([rig.u32(WIDTH), rig.u32(HEIGHT)], [12, 8]);
    let buffers = rig.announce(3);
    buffers.iter().for_each(|&buffer| rig.queue(buffer));
    rig.start();
    let mut shown = Vec::new();
    for _ in 0..3 {
        rig.trigger();
        shown.push(rig.bytes(rig.next()));
    }
    assert_eq!(shown[0], [10; 96]);
    // A narrower picture lies in the middle of the sensor.
    assert_eq!(shown[1][..12], [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 0]);
    assert_eq!(shown[2], [10; 96]);
    rig.stop();
    rig.write(SIM_IMAGE_FOLDER, b"");
    assert_eq!([rig.u32(WIDTH), rig.u32(HEIGHT)], [16, 8]);
}

#[test]
fn an_image_that_cannot_be_decoded_fails_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("a.png")).unwrap();
    let mut encoder = png::Encoder::new(file, 16, 8);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[7; 128]).unwrap();
    std::fs::write(folder.path().join("b.jpg"), "no image").unwrap();
    let rig = Rig::open(SMALL);
    rig.write(SIM_IMAGE_FOLDER, folder.path().to_str().unwrap().as_bytes());
    assert_eq!(rig.try_write(ACQUISITION_START, &[1, 0, 0, 0]), status::INVALID_VALUE);
    assert!(last_text().contains("b.jpg"), "{}", last_text());
}
