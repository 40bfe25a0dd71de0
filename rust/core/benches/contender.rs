//! `prepare` beside `fast_image_resize` and the memory's own speed, told what to do line by line, so
//! that whoever drives it can let the contenders take turns.
//!
//! ```text
//! > case {"name": "area 224", "format": "BayerRG8", "width": 2448, ..., "spec": {...}}
//! > block area 224|ours|0.2
//! 5 1034567 ...        (nanoseconds of each frame)
//! ```

use std::collections::HashMap;
use std::hint::black_box;
use std::io::BufRead;
use std::time::{Duration, Instant};

use fast_image_resize as fir;
use serde::Deserialize;
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Kernels, Plan, Resize, Spec};

/// Frames take turns in so much memory that none waits in a cache.
const FRAMES_BYTES: usize = 160 << 20;

#[derive(Deserialize)]
struct Case {
    name: String,
    format: String,
    width: u32,
    height: u32,
    spec: Spec,
}

/// A case with its frames and its tensor.
struct Ready {
    case: Case,
    stride: usize,
    frames: Vec<Vec<u8>>,
    next: usize,
    tensor: Vec<u8>,
    /// A plan for each set of kernels.
    plans: HashMap<&'static str, Plan>,
    resizer: fir::Resizer,
    resized: fir::images::Image<'static>,
}

impl Ready {
    fn new(case: Case) -> Result<Self, Box<dyn std::error::Error>> {
        let format = PixelFormat::from_name(&case.format).ok_or("unknown format")?;
        let stride = format.row_bytes(case.width);
        let bytes = stride * case.height as usize;
        let mut state = 1_u64;
        let frames = (0..FRAMES_BYTES.div_ceil(bytes))
            .map(|_| {
                let noise = |_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                };
                (0..bytes).map(noise).collect()
            })
            .collect();
        let plans: Result<HashMap<_, _>, _> = Kernels::available()
            .into_iter()
            .map(|kernels| {
                let plan = Plan::with_kernels(&case.spec, case.width, case.height, format, kernels);
                plan.map(|plan| (kernels.name(), plan))
            })
            .collect();
        let plans = plans?;
        let tensor = vec![0; plans["scalar"].row_bytes()];
        let [width, height] = case.spec.size;
        let resized = fir::images::Image::new(width, height, pixel_type(&case.format));
        Ok(Self {
            case,
            stride,
            frames,
            next: 0,
            tensor,
            plans,
            resizer: fir::Resizer::new(),
            resized,
        })
    }

    /// One frame by one contender.
    fn run(&mut self, contender: &str) -> Result<(), Box<dyn std::error::Error>> {
        self.next = (self.next + 1) % self.frames.len();
        let frame = &self.frames[self.next];
        match contender {
            "read" => {
                black_box(sum(frame));
            }
            "read rows" => {
                black_box(touched(&self.case, self.stride).fold(0, |all, y| {
                    let row = &frame[y * self.stride..][..self.stride];
                    all ^ sum(row)
                }));
            }
            "read + write" => {
                black_box(sum(frame));
                let (words, _) = self.tensor.as_chunks_mut::<8>();
                words.fill(black_box([1; 8]));
            }
            "fast_image_resize" => {
                let Case { width, height, format, spec, .. } = &self.case;
                let from = fir::images::ImageRef::new(*width, *height, frame, pixel_type(format))?;
                let filter = match spec.resize {
                    Resize::Area => fir::FilterType::Box,
                    _ => fir::FilterType::Bilinear,
                };
                let options =
                    fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter));
                self.resizer.resize(&from, &mut self.resized, &options)?;
                black_box(self.resized.buffer());
            }
            kernels => {
                let plan = self.plans.get_mut(kernels).ok_or("no such contender")?;
                plan.run(frame, self.stride, &mut self.tensor)?;
                black_box(&self.tensor);
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        contender: &str,
        length: Duration,
    ) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
        self.run(contender)?;
        let begin = Instant::now();
        let mut times = Vec::with_capacity(4096);
        while begin.elapsed() < length {
            let start = Instant::now();
            self.run(contender)?;
            times.push(start.elapsed().as_nanos() as u64);
        }
        Ok(times)
    }
}

fn pixel_type(format: &str) -> fir::PixelType {
    if format == "RGB8" { fir::PixelType::U8x3 } else { fir::PixelType::U8 }
}

/// The rows of a frame that linear resizing looks at: two, and with a mosaic one more on either side.
fn touched(case: &Case, _: usize) -> impl Iterator<Item = usize> {
    let (height, out) = (case.height as usize, case.spec.size[1] as usize);
    let beside = usize::from(case.format.starts_with("Bayer"));
    let mut next = 0;
    (0..out).flat_map(move |y| {
        let at = ((y as f64 + 0.5) * height as f64 / out as f64 - 0.5).max(0.0) as usize;
        let rows = at.saturating_sub(beside).max(next)..(at + 2 + beside).min(height);
        next = next.max(rows.end);
        rows
    })
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
    sums.iter().fold(0, |all, &one| all ^ one)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut cases = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if let Some(case) = line.strip_prefix("case ") {
            let case: Case = serde_json::from_str(case)?;
            // One case's frames at a time: they are large.
            cases.clear();
            cases.insert(case.name.clone(), Ready::new(case)?);
            println!("ready");
        } else if let Some(block) = line.strip_prefix("block ") {
            let fields: Vec<&str> = block.split('|').collect();
            let [case, contender, seconds] = fields[..] else {
                return Err("case|contender|s".into());
            };
            let ready = cases.get_mut(case).ok_or("unknown case")?;
            let times = ready.block(contender, Duration::from_secs_f64(seconds.parse()?))?;
            let times: Vec<_> = times.iter().map(u64::to_string).collect();
            println!("{}", times.join(" "));
        }
    }
    Ok(())
}
