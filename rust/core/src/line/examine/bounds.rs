//! What this machine allows a line: reading, preparing and running, and nothing around them.

use std::hint::black_box;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use super::{Desk, Examiner};
use crate::error::{Error, Result};
use crate::frame::{Frame, FrameInfo, PixelFormat};
use crate::source::push::Push;

/// Bytes of synthetic pictures that all threads go through together, so that none waits in a cache.
const MEMORY_BYTES: usize = 128 << 20;
/// A thread's pictures, at least and at most.
const PICTURES: (usize, usize) = (2, 512);
/// Every thread does one thing for so long, and so often at least; then the next.
const SLICE: (Duration, u64) = (Duration::from_millis(20), 3);

/// What one frame costs a thread while every worker does the same; means, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Frames that were prepared and run back to back, by all threads.
    pub frames: u64,
    /// Reading each of its bytes once: no pass over it costs less.
    pub read_s: f64,
    /// Preparing it for every model that sees it, and nothing else.
    pub prepare_s: f64,
    /// Running the models on rows that are already there, and nothing else.
    pub run_s: f64,
    /// Preparing, running and deciding, back to back: what a line's worker does at best.
    pub both_s: f64,
}

#[derive(Clone, Copy)]
enum Task {
    Read,
    Prepare,
    Run,
    Both,
}

const TASKS: [Task; 4] = [Task::Read, Task::Prepare, Task::Run, Task::Both];

/// A worker's place, and the pictures that it goes through.
struct Bench<'a> {
    desk: &'a mut Desk,
    view: u8,
    frames: Vec<Frame>,
    next: usize,
}

impl Examiner {
    /// Measures on synthetic pictures (noise) for about that long, all workers at the same time. Each
    /// of the four things is done for some milliseconds, then the next, over and over, so that what
    /// else goes on meanwhile falls on all of them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a camera that the recipe does not name, and a picture without a pixel;
    /// what preparing such pictures and running the models say.
    pub fn bounds(
        &self,
        camera: Option<&str>,
        size: [u32; 2],
        format: PixelFormat,
        budget: Duration,
    ) -> Result<Bounds> {
        let view = self.view(camera)?;
        let mut desks: Vec<_> = self
            .desks
            .iter()
            .map(|desk| desk.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let share = MEMORY_BYTES / desks.len().max(1);
        let mut benches = Vec::with_capacity(desks.len());
        for desk in &mut desks {
            let frames = pictures(share, size, format)?;
            benches.push(Bench { desk, view, frames, next: 0 });
        }
        // Plans are made for the first picture, and sessions warm up in their first runs.
        for bench in &mut benches {
            bench.step(Task::Both)?;
        }
        let mut sums = [(0.0, 0_u64); TASKS.len()];
        let until = Instant::now() + budget;
        while sums[0].1 == 0 || Instant::now() < until {
            for (task, sum) in TASKS.into_iter().zip(&mut sums) {
                let (seconds, count) = together(&mut benches, task)?;
                *sum = (sum.0 + seconds, sum.1 + count);
            }
        }
        let [read_s, prepare_s, run_s, both_s] =
            sums.map(|(seconds, count)| seconds / count.max(1) as f64);
        let [.., (_, frames)] = sums;
        Ok(Bounds { frames, read_s, prepare_s, run_s, both_s })
    }
}

/// One slice on every thread: seconds and frames, summed over the threads.
fn together(benches: &mut [Bench<'_>], task: Task) -> Result<(f64, u64)> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> =
            benches.iter_mut().map(|bench| scope.spawn(move || bench.slice(task, begin))).collect();
        threads.into_iter().try_fold((0.0, 0), |sum, thread| {
            let lost = |_| Err(Error::invalid("bounds", "its thread has panicked"));
            let (seconds, count) = thread.join().unwrap_or_else(lost)?;
            Ok((sum.0 + seconds, sum.1 + count))
        })
    })
}

impl Bench<'_> {
    fn slice(&mut self, task: Task, begin: Instant) -> Result<(f64, u64)> {
        let rows = self.desk.kit.max_batch() as u64;
        let (from, mut steps) = (Instant::now(), 0);
        while steps < SLICE.1 || begin.elapsed() < SLICE.0 {
            self.step(task)?;
            steps += 1;
        }
        Ok((from.elapsed().as_secs_f64(), steps * rows))
    }

    /// One batch.
    fn step(&mut self, task: Task) -> Result<()> {
        let rows = self.desk.kit.max_batch();
        if let Task::Run = task {
            return self.desk.kit.rehearse(rows);
        }
        for row in 0..rows {
            self.next = (self.next + 1) % self.frames.len();
            let frame = &self.frames[self.next];
            if let Task::Read = task {
                black_box(sum(frame.image()));
            } else {
                self.desk.kit.prepare(frame, self.view, row)?;
            }
        }
        if let Task::Both = task {
            self.desk.kit.run(rows)?;
            black_box(self.desk.kit.decision(0));
        }
        Ok(())
    }
}

/// Reads all of it, as fast as memory gives it.
fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<64>();
    let mut sums = [0_u64; 8];
    for word in words {
        let (parts, _) = word.as_chunks::<8>();
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*part));
        }
    }
    sums.iter().fold(0, |all, one| all ^ one)
}

/// Noise, in so many bytes.
fn pictures(memory: usize, size: [u32; 2], format: PixelFormat) -> Result<Vec<Frame>> {
    let bytes = format.row_bytes(size[0]) * size[1] as usize * format.planes();
    if bytes == 0 {
        return Err(Error::invalid("size", format!("{} x {}: not a pixel", size[0], size[1])));
    }
    let mut picture = vec![0; bytes];
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    for word in picture.chunks_mut(8) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        word.copy_from_slice(&noise.to_le_bytes()[..word.len()]);
    }
    let count = (memory / bytes).clamp(PICTURES.0, PICTURES.1);
    let push = Push::new("bounds", count);
    let info = FrameInfo::packed(size[0], size[1], format, 0);
    (0..count).map(|_| push.submit(&picture, info, Duration::from_secs(1))).collect()
}
