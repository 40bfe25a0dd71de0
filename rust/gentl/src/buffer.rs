//! What a producer says of a delivered buffer.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

use crate::abi::{BufferQuestion, Handle};
use crate::error::{Result, Status};
use crate::library::{Library, narrow};

/// Kinds of payload in a buffer (`BUFFER_INFO_PAYLOADTYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadType {
    /// One uncompressed image.
    Image,
    /// Bytes without a layout.
    Raw,
    /// A file.
    File,
    /// Chunks with an image among them (deprecated by the standard, still in use).
    ChunkData,
    /// A JPEG image.
    Jpeg,
    /// A JPEG 2000 image.
    Jpeg2000,
    /// H.264 video.
    H264,
    /// Chunks without an image.
    ChunkOnly,
    /// Known to the device's maker.
    DeviceSpecific,
    /// Several parts, each with its own layout.
    MultiPart,
    /// A GenDC container.
    GenDc,
    /// Another number.
    Other(u64),
}

impl From<u64> for PayloadType {
    fn from(number: u64) -> Self {
        match number {
            1 => Self::Image,
            2 => Self::Raw,
            3 => Self::File,
            4 => Self::ChunkData,
            5 => Self::Jpeg,
            6 => Self::Jpeg2000,
            7 => Self::H264,
            8 => Self::ChunkOnly,
            9 => Self::DeviceSpecific,
            10 => Self::MultiPart,
            11 => Self::GenDc,
            other => Self::Other(other),
        }
    }
}

/// What the producer says of a delivered buffer; `None` where it has no answer, which for the
/// image's geometry means "as the camera's features say".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BufferInfo {
    /// Whether it holds new data; false for a buffer that a flush brought.
    pub is_new: bool,
    /// Whether parts of the data are missing, or nobody knows.
    pub incomplete: bool,
    /// Whether the data did not fit.
    pub larger_than_buffer: bool,
    /// Whether chunks lie in the buffer.
    pub contains_chunks: bool,
    /// Whether an image lies in the buffer.
    pub image_present: Option<bool>,
    /// Bytes really written.
    pub size_filled: Option<usize>,
    /// Bytes that were meant to be written, lost ones included.
    pub data_size: Option<usize>,
    /// What the buffer holds.
    pub payload_type: Option<PayloadType>,
    /// Bytes from the buffer's start to the image.
    pub image_offset: Option<usize>,
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
    /// Bytes after the image.
    pub y_padding: Option<usize>,
    /// Pixel format, a PFNC number unless the namespace says otherwise.
    pub pixel_format: Option<u64>,
    /// Namespace of the pixel format: 0 unknown, 1 GEV 1.x, 2 IIDC, 3 PFNC 16 bit, 4 PFNC 32 bit.
    pub pixel_namespace: Option<u64>,
    /// Byte order of multi-byte pixels: 0 unknown, 1 little, 2 big.
    pub pixel_endianness: Option<i32>,
    /// The camera's count of frames; may start at 0 or 1 and wrap at 16 bits.
    pub frame_id: Option<u64>,
    /// Time of the capture in the camera's ticks.
    pub timestamp_ticks: Option<u64>,
    /// Time of the capture in ns of the camera's clock.
    pub timestamp_ns: Option<u64>,
    /// Identifier of the layout of the chunks; an unchanged one means an unchanged layout.
    pub chunk_layout_id: Option<u64>,
    /// Bytes of chunk data that came.
    pub chunk_bytes: Option<usize>,
}

/// One chunk of a buffer, as the producer parsed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Chunk {
    /// The `ChunkID` of the description.
    pub id: u64,
    /// Bytes from the buffer's start.
    pub offset: isize,
    /// Bytes.
    pub length: usize,
}

/// `BUFFER_INFO_*` commands that are asked.
mod command {
    pub(super) const TIMESTAMP: usize = 3;
    pub(super) const NEW_DATA: usize = 4;
    pub(super) const IS_INCOMPLETE: usize = 7;
    pub(super) const SIZE_FILLED: usize = 9;
    pub(super) const WIDTH: usize = 10;
    pub(super) const HEIGHT: usize = 11;
    pub(super) const XOFFSET: usize = 12;
    pub(super) const YOFFSET: usize = 13;
    pub(super) const XPADDING: usize = 14;
    pub(super) const YPADDING: usize = 15;
    pub(super) const FRAMEID: usize = 16;
    pub(super) const IMAGEPRESENT: usize = 17;
    pub(super) const IMAGEOFFSET: usize = 18;
    pub(super) const PAYLOADTYPE: usize = 19;
    pub(super) const PIXELFORMAT: usize = 20;
    pub(super) const PIXELFORMAT_NAMESPACE: usize = 21;
    pub(super) const DELIVERED_IMAGEHEIGHT: usize = 22;
    pub(super) const DELIVERED_CHUNKPAYLOADSIZE: usize = 23;
    pub(super) const CHUNKLAYOUTID: usize = 24;
    pub(super) const PIXEL_ENDIANNESS: usize = 26;
    pub(super) const DATA_SIZE: usize = 27;
    pub(super) const TIMESTAMP_NS: usize = 28;
    pub(super) const DATA_LARGER_THAN_BUFFER: usize = 29;
    pub(super) const CONTAINS_CHUNKDATA: usize = 30;

    pub(super) const ALL: [usize; 24] = [
        TIMESTAMP,
        NEW_DATA,
        IS_INCOMPLETE,
        SIZE_FILLED,
        WIDTH,
        HEIGHT,
        XOFFSET,
        YOFFSET,
        XPADDING,
        YPADDING,
        FRAMEID,
        IMAGEPRESENT,
        IMAGEOFFSET,
        PAYLOADTYPE,
        PIXELFORMAT,
        PIXELFORMAT_NAMESPACE,
        DELIVERED_IMAGEHEIGHT,
        DELIVERED_CHUNKPAYLOADSIZE,
        CHUNKLAYOUTID,
        PIXEL_ENDIANNESS,
        DATA_SIZE,
        TIMESTAMP_NS,
        DATA_LARGER_THAN_BUFFER,
        CONTAINS_CHUNKDATA,
    ];
}

const COMMANDS: usize = 32;

/// A result that no producer returns: the question was not looked at.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

/// Answers by command number.
struct Answers {
    numbers: [Option<u64>; COMMANDS],
    /// A question failed whose answer says whether the data are whole.
    is_doubtful: bool,
}

impl Answers {
    fn size(&self, command: usize) -> Option<usize> {
        self.numbers[command].and_then(|n| usize::try_from(n).ok())
    }

    fn flag(&self, command: usize) -> Option<bool> {
        self.numbers[command].map(|byte| byte != 0)
    }

    /// Notes whether what must be answered was not: then nothing vouches for the buffer. A producer
    /// that says it does not implement the question has no such answer for any buffer; of the other
    /// two, those before GenTL 1.2 may not know.
    fn judge(&mut self, skipped: u32, results: &[i32; COMMANDS]) {
        let asked = |command: usize| skipped & (1 << command) == 0;
        let failed = |command: usize| asked(command) && results[command] != 0;
        let unknown = Status(results[command::IS_INCOMPLETE]) == Status::NOT_IMPLEMENTED;
        let broke = |command: usize| failed(command) && !Status(results[command]).is_no_answer();
        self.is_doubtful = failed(command::IS_INCOMPLETE) && !unknown
            || broke(command::NEW_DATA)
            || broke(command::PAYLOADTYPE);
    }
}

impl From<Answers> for BufferInfo {
    fn from(answers: Answers) -> Self {
        use command::*;
        Self {
            is_new: answers.flag(NEW_DATA).unwrap_or(true),
            incomplete: answers.is_doubtful || answers.flag(IS_INCOMPLETE).unwrap_or(false),
            larger_than_buffer: answers.flag(DATA_LARGER_THAN_BUFFER).unwrap_or(false),
            contains_chunks: answers.flag(CONTAINS_CHUNKDATA).unwrap_or(false),
            image_present: answers.flag(IMAGEPRESENT),
            size_filled: answers.size(SIZE_FILLED),
            data_size: answers.size(DATA_SIZE),
            payload_type: answers.numbers[PAYLOADTYPE].map(PayloadType::from),
            image_offset: answers.size(IMAGEOFFSET),
            width: answers.size(WIDTH),
            height: answers.size(HEIGHT),
            delivered_height: answers.size(DELIVERED_IMAGEHEIGHT),
            x_offset: answers.size(XOFFSET),
            y_offset: answers.size(YOFFSET),
            x_padding: answers.size(XPADDING),
            y_padding: answers.size(YPADDING),
            pixel_format: answers.numbers[PIXELFORMAT],
            pixel_namespace: answers.numbers[PIXELFORMAT_NAMESPACE],
            pixel_endianness: answers.numbers[PIXEL_ENDIANNESS].map(|n| n as i32),
            frame_id: answers.numbers[FRAMEID],
            timestamp_ticks: answers.numbers[TIMESTAMP],
            timestamp_ns: answers.numbers[TIMESTAMP_NS],
            chunk_layout_id: answers.numbers[CHUNKLAYOUTID],
            chunk_bytes: answers.size(DELIVERED_CHUNKPAYLOADSIZE),
        }
    }
}

/// Asks a stream's buffers, and remembers which questions have no answer: those that the producer
/// does not implement for good, those that are not available until the next start.
pub(crate) struct Questions {
    /// One bit per command that was answered with "not now".
    unanswerable: AtomicU32,
}

impl Questions {
    pub(crate) fn new() -> Self {
        Self { unanswerable: AtomicU32::new(0) }
    }

    /// Forgets what can't be answered, since the camera may be configured otherwise now.
    pub(crate) fn forget(&self) {
        self.unanswerable.store(0, Ordering::Relaxed);
    }

    /// Asks all that may be answered of a valid buffer. Allocates nothing.
    pub(crate) fn ask(
        &self,
        library: &Library,
        stream: Handle,
        buffer: Handle,
    ) -> Result<BufferInfo> {
        let unknown = &library.unknown;
        let skip =
            self.unanswerable.load(Ordering::Relaxed) | unknown.buffer_info.load(Ordering::Relaxed);
        let mut answers = Answers { numbers: [None; COMMANDS], is_doubtful: false };
        let mut results = [NOT_ASKED; COMMANDS];
        if !unknown.stacked_buffer_info.load(Ordering::Relaxed) {
            ask_stacked(library, stream, buffer, skip, &mut answers, &mut results)?;
        }
        for command in command::ALL {
            if skip & (1 << command) == 0 && results[command] == NOT_ASKED {
                let (mut data_type, mut scratch) = (0, 0_u64);
                let mut size = size_of_val(&scratch);
                // SAFETY: stream and buffer are valid, the scratch belongs to its size.
                let status = library.raw(|f| unsafe {
                    let scratch = (&raw mut scratch).cast();
                    let command = command as i32;
                    (f.DSGetBufferInfo)(stream, buffer, command, &mut data_type, scratch, &mut size)
                })?;
                results[command] = status.0;
                answers.numbers[command] = (status == Status(0)).then(|| narrow(scratch, size));
            }
        }
        answers.judge(skip, &results);
        let info = BufferInfo::from(answers);
        // A broken image may lack what the next one has; so may one of several payload types, and
        // then the answer is NO_DATA, which is not remembered.
        if info.is_new && !info.incomplete {
            let answered = |wanted: &[Status]| {
                let is_so = |command: &usize| wanted.contains(&Status(results[*command]));
                command::ALL.into_iter().filter(is_so).fold(0_u32, |mask, bit| mask | 1 << bit)
            };
            unknown.buffer_info.fetch_or(answered(&[Status::NOT_IMPLEMENTED]), Ordering::Relaxed);
            let not_now = answered(&[Status::NOT_AVAILABLE, Status::ERROR]);
            self.unanswerable.fetch_or(not_now, Ordering::Relaxed);
        }
        Ok(info)
    }
}

fn ask_stacked(
    library: &Library,
    stream: Handle,
    buffer: Handle,
    skip: u32,
    answers: &mut Answers,
    results: &mut [i32; COMMANDS],
) -> Result<()> {
    let Some(stacked) = library.functions().DSGetBufferInfoStacked else {
        return Ok(());
    };
    let mut scratch = [0_u64; COMMANDS];
    let nothing = BufferQuestion {
        command: 0,
        data_type: 0,
        buffer: std::ptr::null_mut(),
        size: 0,
        result: NOT_ASKED,
    };
    let mut questions = [nothing; command::ALL.len()];
    let mut count = 0;
    let first = scratch.as_mut_ptr();
    for command in command::ALL {
        if skip & (1 << command) == 0 {
            questions[count] = BufferQuestion {
                command: command as i32,
                // SAFETY: all commands are below COMMANDS, the length of the scratch.
                buffer: unsafe { first.add(command) }.cast(),
                size: size_of::<u64>(),
                ..nothing
            };
            count += 1;
        }
    }
    // SAFETY: stream and buffer are valid; each question points at its own eight bytes of
    // scratch, which is not touched otherwise before the call returns.
    let status =
        library.raw(|_| unsafe { stacked(stream, buffer, questions.as_mut_ptr(), count) })?;
    if status == Status::NOT_IMPLEMENTED {
        library.unknown.stacked_buffer_info.store(true, Ordering::Relaxed);
        return Ok(());
    }
    // Whatever the code of the whole call, each question has its own result; those that were
    // left out are asked one by one.
    for question in &questions[..count] {
        let (command, result, size) = (question.command as usize, question.result, question.size);
        if command < COMMANDS {
            results[command] = result;
            answers.numbers[command] = (result == 0).then(|| narrow(scratch[command], size));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(answered: &[(usize, u64)], failed: &[(usize, Status)], skipped: u32) -> BufferInfo {
        let mut answers = Answers { numbers: [None; COMMANDS], is_doubtful: false };
        let mut results = [Status::NOT_AVAILABLE.0; COMMANDS];
        for (command, number) in answered {
            (answers.numbers[*command], results[*command]) = (Some(*number), 0);
        }
        for (command, status) in failed {
            results[*command] = status.0;
        }
        answers.judge(skipped, &results);
        BufferInfo::from(answers)
    }

    #[test]
    fn a_buffer_of_which_nothing_is_known_is_not_whole() {
        use command::*;
        assert!(!info(&[(IS_INCOMPLETE, 0)], &[], 0).incomplete);
        assert!(info(&[(IS_INCOMPLETE, 1)], &[], 0).incomplete);
        assert!(info(&[], &[], 0).incomplete, "not available is no answer for all buffers");
        for status in [Status::ERROR, Status::IO, Status::INVALID_HANDLE] {
            assert!(info(&[(PAYLOADTYPE, 1)], &[(IS_INCOMPLETE, status)], 0).incomplete);
        }
        // A producer that has no such question, as it has just said, or before.
        assert!(!info(&[], &[(IS_INCOMPLETE, Status::NOT_IMPLEMENTED)], 0).incomplete);
        assert!(!info(&[], &[], 1 << IS_INCOMPLETE).incomplete);
        // The other two may be younger than the producer, but they must not fail.
        for command in [NEW_DATA, PAYLOADTYPE] {
            let said = |status| info(&[(IS_INCOMPLETE, 0)], &[(command, status)], 0).incomplete;
            assert!(!said(Status::ERROR) && !said(Status::INVALID_PARAMETER));
            assert!(said(Status::IO) && said(Status::INVALID_HANDLE));
        }
    }
}
