//! The data stream: announced buffers, their way through the queues, and how a frame fills one.
//!
//! ```text
//!            queue                 fill                    EventGetData
//! unqueued --------> input queue --------> output queue ----------------> unqueued
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::abi::{self, queue_op, status};
use crate::camera::Camera;
use crate::error::{Fault, Result};
use crate::event::{self, Gate};
use crate::frame::{Content, Frame, Shown};
use crate::library::{self, lock};
use crate::memory::Memory;

/// The only data stream of a device.
pub(crate) struct Stream {
    pub(crate) camera: Arc<Camera>,
    /// How often the camera had been lost before.
    losses: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order of their announcement.
    buffers: Vec<Buffer>,
    input: VecDeque<usize>,
    filling: Option<usize>,
    output: VecDeque<usize>,
    started: bool,
    /// Frames that the engine still takes.
    left: u64,
    delivered: u64,
    started_frames: u64,
    underruns: u64,
    gate: Gate,
}

/// One announced buffer.
#[derive(Debug)]
struct Buffer {
    handle: usize,
    memory: Arc<Memory>,
    user: usize,
    /// What the last frame left.
    content: Option<Content>,
    /// False for a buffer that a flush delivered.
    has_new_data: bool,
    /// The image that still lies in it.
    shown: Option<Shown>,
}

/// The stream's numbers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) delivered: u64,
    pub(crate) started_frames: u64,
    pub(crate) underruns: u64,
    pub(crate) announced: usize,
    pub(crate) queued: usize,
    pub(crate) awaiting: usize,
    pub(crate) is_grabbing: bool,
}

/// One buffer as it is now.
pub(crate) struct BufferView {
    pub(crate) base: usize,
    pub(crate) size: usize,
    pub(crate) user: usize,
    pub(crate) is_queued: bool,
    pub(crate) is_acquiring: bool,
    pub(crate) has_new_data: bool,
    pub(crate) content: Option<Content>,
}

impl State {
    fn buffer(&mut self, handle: usize) -> Result<&mut Buffer> {
        self.buffers.iter_mut().find(|buffer| buffer.handle == handle).ok_or_else(|| {
            Fault::new(
                status::INVALID_HANDLE,
                format!("0x{handle:x} is no buffer announced to this stream"),
            )
        })
    }

    fn is_queued(&self, handle: usize) -> bool {
        self.filling == Some(handle)
            || self.input.contains(&handle)
            || self.output.contains(&handle)
    }

    fn put_out(&mut self, handle: usize) {
        self.output.push_back(handle);
        self.gate.count();
    }

    /// Takes the input buffer that suits a frame best.
    fn choose(&mut self, frame: &Frame<'_>) -> Option<usize> {
        let fits = |state: &Self, handle: &usize| {
            let buffer = state.buffers.iter().find(|buffer| buffer.handle == *handle);
            buffer.and_then(|buffer| buffer.shown).is_some_and(|shown| frame.is_shown_by(shown))
        };
        let at = if frame.prefers_a_buffer_that_shows_it() {
            self.input.iter().position(|handle| fits(self, handle)).unwrap_or(0)
        } else {
            0
        };
        self.input.remove(at)
    }
}

impl Stream {
    pub(crate) fn new(camera: Arc<Camera>) -> Self {
        let losses = camera.link.losses();
        Self { camera, losses, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Fails once the device was lost after this stream had been opened.
    pub(crate) fn check_alive(&self) -> Result<()> {
        self.camera.check_alive(self.losses)
    }

    /// Takes a buffer in and tells its handle.
    pub(crate) fn announce(&self, memory: Memory, user: usize) -> Result<usize> {
        let alignment = self.camera.dialect.buffer_alignment;
        if !memory.base().is_multiple_of(alignment) {
            return Err(Fault::new(
                status::INVALID_BUFFER,
                format!("0x{:x} is no multiple of {alignment}: see BUF_ALIGNMENT", memory.base()),
            ));
        }
        let mut state = lock(&self.state);
        if state.buffers.iter().any(|buffer| buffer.memory.base() == memory.base()) {
            return Err(Fault::new(status::RESOURCE_IN_USE, "this memory is announced already"));
        }
        if state.buffers.first().is_some_and(|buffer| buffer.memory.is_ours() != memory.is_ours()) {
            return Err(Fault::new(
                status::RESOURCE_IN_USE,
                "a stream takes either the consumer's memory or the producer's, not both",
            ));
        }
        let handle = library::new_handle();
        state.buffers.push(Buffer {
            handle,
            memory: Arc::new(memory),
            user,
            content: None,
            has_new_data: false,
            shown: None,
        });
        Ok(handle)
    }

    /// Gives a buffer up: its memory (0 for memory of our own) and its user pointer.
    pub(crate) fn revoke(&self, handle: usize) -> Result<(usize, usize)> {
        let mut state = lock(&self.state);
        state.buffer(handle)?;
        if state.is_queued(handle) {
            return Err(Fault::new(
                status::BUSY,
                "the buffer is in a queue: flush it with ALL_DISCARD before revoking",
            ));
        }
        let at = state.buffers.iter().position(|buffer| buffer.handle == handle);
        let buffer = state.buffers.remove(at.expect("found above, under the same lock"));
        let memory = &buffer.memory;
        Ok((if memory.is_ours() { 0 } else { memory.base() }, buffer.user))
    }

    pub(crate) fn queue(&self, handle: usize) -> Result<()> {
        let mut state = lock(&self.state);
        state.buffer(handle)?;
        if state.is_queued(handle) {
            return Err(Fault::new(status::RESOURCE_IN_USE, "the buffer is in a queue already"));
        }
        state.input.push_back(handle);
        Ok(())
    }

    /// The handle of a buffer by its place in the order of announcement.
    pub(crate) fn buffer_at(&self, index: usize) -> Result<usize> {
        let state = lock(&self.state);
        state.buffers.get(index).map(|buffer| buffer.handle).ok_or_else(|| {
            Fault::new(
                status::INVALID_INDEX,
                format!("buffer {index}: {} are announced", state.buffers.len()),
            )
        })
    }

    pub(crate) fn flush(&self, operation: i32) -> Result<()> {
        let mut state = self.lock_between_fills();
        match operation {
            queue_op::INPUT_TO_OUTPUT => {
                while let Some(handle) = state.input.pop_front() {
                    state.buffer(handle)?.has_new_data = false;
                    state.put_out(handle);
                }
            }
            queue_op::OUTPUT_DISCARD => state.output.clear(),
            queue_op::ALL_TO_INPUT | queue_op::UNQUEUED_TO_INPUT => {
                if operation == queue_op::ALL_TO_INPUT {
                    state.output.clear();
                }
                let unqueued = state.buffers.iter().map(|buffer| buffer.handle);
                let unqueued: Vec<usize> =
                    unqueued.filter(|handle| !state.is_queued(*handle)).collect();
                state.input.extend(unqueued);
            }
            queue_op::ALL_DISCARD => {
                state.input.clear();
                state.output.clear();
            }
            _ => {
                return Err(Fault::new(
                    status::INVALID_PARAMETER,
                    format!("{operation} is no queue operation: 0 to 4 are"),
                ));
            }
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Starts the engine for `frames`; the remote device is started apart.
    pub(crate) fn start(&self, frames: u64) -> Result<()> {
        self.check_alive()?;
        let payload = self.camera.payload_bytes();
        let mut state = lock(&self.state);
        if state.started {
            return Err(Fault::new(status::RESOURCE_IN_USE, "the acquisition is started already"));
        }
        if frames == 0 {
            return Err(Fault::new(status::INVALID_PARAMETER, "0 frames asked for"));
        }
        let buffers_min = self.camera.dialect.buffers_min;
        if state.buffers.len() < buffers_min {
            return Err(Fault::new(
                status::INVALID_BUFFER,
                format!("{} buffers announced, at least {buffers_min} wanted", state.buffers.len()),
            ));
        }
        if let Some(buffer) = state.buffers.iter().find(|buffer| buffer.memory.size() < payload) {
            return Err(Fault::new(
                status::BUFFER_TOO_SMALL,
                format!(
                    "a buffer of {} bytes, frames of {payload}: see PayloadSize",
                    buffer.memory.size()
                ),
            ));
        }
        state.started = true;
        state.left = frames;
        state.delivered = 0;
        Ok(())
    }

    /// Stops the engine once the buffer being filled is complete; buffers stay where they are.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut state = self.lock_between_fills();
        if !state.started {
            return Err(Fault::new(status::RESOURCE_IN_USE, "the acquisition is not started"));
        }
        state.started = false;
        Ok(())
    }

    /// Ends everything: the engine, the waits, the buffers.
    pub(crate) fn close(&self) {
        self.camera.detach(self);
        let mut state = self.lock_between_fills();
        state.started = false;
        state.gate.unregister();
        state.input.clear();
        state.output.clear();
        state.buffers.clear();
        self.changed.notify_all();
    }

    fn lock_between_fills(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        while state.filling.is_some() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Writes a frame into a queued buffer and delivers it; without one the frame is lost.
    pub(crate) fn fill(&self, frame: &Frame<'_>) {
        let mut state = lock(&self.state);
        if !state.started || state.left == 0 {
            return;
        }
        state.started_frames += 1;
        let Some(handle) = state.choose(frame) else {
            state.underruns += 1;
            return;
        };
        let Ok(buffer) = state.buffer(handle) else { return };
        let (memory, shown) = (buffer.memory.clone(), buffer.shown);
        state.filling = Some(handle);
        drop(state);

        // The consumer can't take its memory back meanwhile: the buffer is being filled, hence queued.
        let (content, shown) = frame.write(&memory, shown);

        let mut state = lock(&self.state);
        if let Ok(buffer) = state.buffer(handle) {
            buffer.content = Some(content);
            buffer.shown = shown;
            buffer.has_new_data = true;
        }
        state.filling = None;
        state.put_out(handle);
        state.delivered += 1;
        if state.left != abi::INFINITE {
            state.left -= 1;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next buffer of the output queue: its handle and user pointer.
    pub(crate) fn take_output(&self, registration: u64, timeout_ms: u64) -> Result<(usize, usize)> {
        event::wait(&self.state, &self.changed, timeout_ms, |state| {
            state.gate.check(registration)?;
            let Some(handle) = state.output.pop_front() else { return Ok(None) };
            let buffer = state.buffer(handle)?;
            let lies = buffer.has_new_data
                && buffer.content.as_ref().is_some_and(|content| content.event_lies);
            let user = buffer.user;
            // Neither is anybody's: handles are multiples of 16 and far smaller.
            Ok(Some(if lies { (usize::MAX - 6, user ^ 0x5A5A_5A5A_5A5A) } else { (handle, user) }))
        })
    }

    pub(crate) fn discard_output(&self) {
        lock(&self.state).output.clear();
    }

    pub(crate) fn register_new_buffer(&self) -> u64 {
        lock(&self.state).gate.register()
    }

    pub(crate) fn with_gate<T>(&self, body: impl FnOnce(&mut Gate) -> T) -> T {
        let answer = body(&mut lock(&self.state).gate);
        self.changed.notify_all();
        answer
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = lock(&self.state);
        Counts {
            delivered: state.delivered,
            started_frames: state.started_frames,
            underruns: state.underruns,
            announced: state.buffers.len(),
            queued: state.input.len() + usize::from(state.filling.is_some()),
            awaiting: state.output.len(),
            is_grabbing: state.started && state.left > 0,
        }
    }

    pub(crate) fn view(&self, handle: usize) -> Result<BufferView> {
        let mut state = lock(&self.state);
        let is_queued = state.is_queued(handle);
        let is_acquiring = state.filling == Some(handle);
        let buffer = state.buffer(handle)?;
        Ok(BufferView {
            base: buffer.memory.base(),
            size: buffer.memory.size(),
            user: buffer.user,
            is_queued,
            is_acquiring,
            has_new_data: buffer.has_new_data,
            content: buffer.content.clone(),
        })
    }
}
