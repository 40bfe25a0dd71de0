//! Data streams, their buffers, and the parts of these.
#![allow(unsafe_code, non_snake_case)]

use std::ffi::c_void;

use super::{export, handle, not_implemented, number, readable};
use crate::abi::{
    BufferInfoStacked, BufferPartInfoStacked, Handle, SingleChunkData, status, stop_flag,
};
use crate::answers;
use crate::error::{Fault, Result, guard};
use crate::frame::ChunkContent;
use crate::info::{put, put_answer};
use crate::library::{self, Object};
use crate::memory::Memory;

export! {
    fn DSClose(stream: Handle) {
        library::stream(number(stream))?;
        library::close(number(stream));
        Ok(())
    }

    fn DSGetInfo(
        stream: Handle, command: i32, data_type: *mut i32, buffer: *mut c_void, size: *mut usize,
    ) {
        let stream = library::stream(number(stream))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answers::stream(&stream, command)?, data_type, buffer, size) }
    }

    fn DSGetParentDev(stream: Handle, device: *mut Handle) {
        library::stream(number(stream))?;
        let parent = library::parent(number(stream))?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the device", device, handle(parent)) }
    }

    fn DSAnnounceBuffer(
        stream: Handle, memory: *mut c_void, size: usize, user: *mut c_void, buffer: *mut Handle,
    ) {
        // SAFETY: announcing is the caller's promise that the memory stays until it is revoked and
        // is the producer's to write while the buffer is queued.
        let memory = unsafe { Memory::announced(memory as usize, size)? };
        // SAFETY: see the top of `exports`.
        unsafe { announce(stream, memory, user, buffer) }
    }

    fn DSAllocAndAnnounceBuffer(
        stream: Handle, size: usize, user: *mut c_void, buffer: *mut Handle,
    ) {
        let alignment = library::stream(number(stream))?.camera.dialect.buffer_alignment;
        // SAFETY: see the top of `exports`.
        unsafe { announce(stream, Memory::allocated(size, alignment)?, user, buffer) }
    }

    fn DSAnnounceCompositeBuffer(
        stream: Handle, _count: usize, _segments: *mut *mut c_void, _sizes: *mut usize,
        _user: *mut c_void, _buffer: *mut Handle,
    ) {
        library::stream(number(stream))?;
        not_implemented("composite buffers")
    }

    fn DSRevokeBuffer(
        stream: Handle, buffer: Handle, memory: *mut *mut c_void, user: *mut *mut c_void,
    ) {
        let (base, pointer) = library::stream(number(stream))?.revoke(number(buffer))?;
        library::forget(number(buffer));
        // SAFETY: see the top of `exports`; both may be NULL.
        unsafe {
            if !memory.is_null() {
                memory.write_unaligned(base as *mut c_void);
            }
            if !user.is_null() {
                user.write_unaligned(pointer as *mut c_void);
            }
        }
        Ok(())
    }

    fn DSQueueBuffer(stream: Handle, buffer: Handle) {
        library::stream(number(stream))?.queue(number(buffer))
    }

    fn DSFlushQueue(stream: Handle, operation: i32) {
        library::stream(number(stream))?.flush(operation)
    }

    fn DSStartAcquisition(stream: Handle, flags: i32, frames: u64) {
        let stream = library::stream(number(stream))?;
        if flags != 0 {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("{flags} is no start flag: 0 is the only one"),
            ));
        }
        stream.start(frames)
    }

    fn DSStopAcquisition(stream: Handle, flags: i32) {
        let stream = library::stream(number(stream))?;
        // A fill is a copy in memory, done in no time, so both end it by waiting.
        if !matches!(flags, stop_flag::DEFAULT | stop_flag::KILL) {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                format!("{flags} is no stop flag: 0 default, 1 kill"),
            ));
        }
        stream.stop()
    }

    fn DSGetBufferID(stream: Handle, index: u32, buffer: *mut Handle) {
        let number = library::stream(number(stream))?.buffer_at(index as usize)?;
        // SAFETY: see the top of `exports`.
        unsafe { put("the buffer", buffer, handle(number)) }
    }

    fn DSGetBufferInfo(
        stream: Handle, buffer: Handle, command: i32,
        data_type: *mut i32, into: *mut c_void, size: *mut usize,
    ) {
        let stream = library::stream(number(stream))?;
        let view = stream.view(number(buffer))?;
        let answer = answers::buffer(&view, &stream.camera.dialect, command)?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answer, data_type, into, size) }
    }

    fn DSGetBufferInfoStacked(
        stream: Handle, buffer: Handle, entries: *mut BufferInfoStacked, count: usize,
    ) {
        let stream = library::stream(number(stream))?;
        let view = stream.view(number(buffer))?;
        let dialect = &stream.camera.dialect;
        if entries.is_null() {
            return Err(Fault::null("the stack"));
        }
        for index in 0..count {
            // SAFETY: see the top of `exports`; the entries are packed, so no reference is made.
            unsafe {
                let entry = entries.add(index);
                let (data_type, size) = (&raw mut (*entry).data_type, &raw mut (*entry).size);
                let answered = answers::buffer(&view, dialect, (*entry).command)
                    .and_then(|answer| put_answer(&answer, data_type, (*entry).buffer, size));
                let result = answered.map_or_else(|fault| fault.code, |()| status::SUCCESS);
                (&raw mut (*entry).result).write_unaligned(result);
            }
        }
        Ok(())
    }

    fn DSGetBufferChunkData(
        stream: Handle, buffer: Handle, chunks: *mut SingleChunkData, count: *mut usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        let present = view.content.and_then(|content| content.chunks).ok_or_else(|| {
            Fault::new(status::NO_DATA, "the buffer holds no chunks; see ChunkModeActive")
        })?;
        // SAFETY: see the top of `exports`.
        unsafe {
            let room = readable(count)?;
            count.write_unaligned(present.len());
            if chunks.is_null() {
                return Ok(());
            }
            if room < present.len() {
                return Err(Fault::new(
                    status::BUFFER_TOO_SMALL,
                    format!("room for {room} chunks, there are {}", present.len()),
                ));
            }
            for (index, ChunkContent { id, offset, length }) in present.into_iter().enumerate() {
                chunks.add(index).write_unaligned(SingleChunkData { id, offset, length });
            }
        }
        Ok(())
    }
}

unsafe fn announce(
    stream: Handle,
    memory: Memory,
    user: *mut c_void,
    buffer: *mut Handle,
) -> Result<()> {
    let opened = library::stream(number(stream))?;
    if buffer.is_null() {
        return Err(Fault::null("the buffer"));
    }
    let announced = opened.announce(memory, user as usize)?;
    library::insert(announced, number(stream), Object::Buffer(opened))?;
    // SAFETY: not NULL, and writable by the caller's promise.
    unsafe { put("the buffer", buffer, handle(announced)) }
}

// The parts of a multi-part payload.
export! {
    fn DSGetNumBufferParts(stream: Handle, buffer: Handle, count: *mut u32) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        let parts = answers::parts(&view)?.len() as u32;
        // SAFETY: see the top of `exports`.
        unsafe { put("the count", count, parts) }
    }

    fn DSGetBufferPartInfo(
        stream: Handle, buffer: Handle, part: u32, command: i32,
        data_type: *mut i32, into: *mut c_void, size: *mut usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        // SAFETY: see the top of `exports`.
        unsafe { put_answer(&answers::part(&view, part, command)?, data_type, into, size) }
    }

    fn DSGetBufferPartInfoStacked(
        stream: Handle, buffer: Handle, entries: *mut BufferPartInfoStacked, count: usize,
    ) {
        let view = library::stream(number(stream))?.view(number(buffer))?;
        answers::parts(&view)?;
        if entries.is_null() {
            return Err(Fault::null("the stack"));
        }
        for index in 0..count {
            // SAFETY: see the top of `exports`; the entries are packed, so no reference is made.
            unsafe {
                let entry = entries.add(index);
                let (data_type, size) = (&raw mut (*entry).data_type, &raw mut (*entry).size);
                let answered = answers::part(&view, (*entry).part, (*entry).command)
                    .and_then(|answer| put_answer(&answer, data_type, (*entry).buffer, size));
                let result = answered.map_or_else(|fault| fault.code, |()| status::SUCCESS);
                (&raw mut (*entry).result).write_unaligned(result);
            }
        }
        Ok(())
    }
}

// What this camera's buffers do not have: flows and segments.
export! {
    fn DSGetNumFlows(stream: Handle, _count: *mut u32) {
        library::stream(number(stream))?;
        not_implemented("flows")
    }

    fn DSGetFlowInfo(
        stream: Handle, _flow: u32, _command: i32,
        _data_type: *mut i32, _into: *mut c_void, _size: *mut usize,
    ) {
        library::stream(number(stream))?;
        not_implemented("flows")
    }

    fn DSGetNumBufferSegments(stream: Handle, buffer: Handle, _count: *mut u32) {
        library::stream(number(stream))?.view(number(buffer))?;
        not_implemented("segments")
    }

    fn DSGetBufferSegmentInfo(
        stream: Handle, buffer: Handle, _segment: u32, _command: i32,
        _data_type: *mut i32, _into: *mut c_void, _size: *mut usize,
    ) {
        library::stream(number(stream))?.view(number(buffer))?;
        not_implemented("segments")
    }
}
