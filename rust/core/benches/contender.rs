//! `prepare` beside `fast_image_resize` and beside what memory allows, taking turns in one run.
//!
//! ```text
//! cargo bench -p smartqc-core --bench contender                   # every case, 40 rounds
//! cargo bench -p smartqc-core --bench contender -- linear 100     # cases with that in their name
//! cargo bench -p smartqc-core --bench contender -- serve          # blocks on order, for bench/prepare.py
//! ```
//!
//! A round is one block of 20 ms of each contender. A figure is the least time of all blocks, and in
//! brackets the median; a ratio is that of least times to the case's bound: a machine that does other
//! things as well makes times longer, never shorter.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use fast_image_resize as fir;
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Depth, Dtype, Fit, Kernels, Layout, Plan, Resize, Spec};

/// Frames take turns in so much memory that none waits in a cache.
const FRAMES_BYTES: usize = 160 << 20;
const BLOCK: Duration = Duration::from_millis(20);

struct Case {
    name: &'static str,
    format: PixelFormat,
    size: (u32, u32),
    spec: Spec,
    /// What the ratio is to, and what it should be at most.
    bound: &'static str,
    goal: f64,
}

fn cases() -> Vec<Case> {
    const CAMERA: (u32, u32) = (2448, 2048);
    let spec = |resize, side| Spec { depth: Some(Depth::Eight), ..Spec::new(resize, [side, side]) };
    let case = |name, format, resize, side, bound, goal| {
        let spec = spec(resize, side);
        Case { name, format, size: CAMERA, spec, bound, goal }
    };
    let letterbox = |case: Case| Case { spec: Spec { fit: Fit::Letterbox, ..case.spec }, ..case };
    let plain = |name, dtype, layout| {
        let spec = Spec { dtype, layout, ..spec(Resize::Linear, 640) };
        let (format, size) = (PixelFormat::MONO8, (640, 640));
        Case { name, format, size, spec, bound: "read + write", goal: 1.2 }
    };
    use PixelFormat as F;
    use Resize::{Antialias, Area, Linear};
    vec![
        case("BayerRG8 linear 224", F::BAYER_RG8, Linear, 224, "read rows", 1.5),
        case("BayerRG8 area 224", F::BAYER_RG8, Area, 224, "read", 2.2),
        case("BayerRG8 area 640", F::BAYER_RG8, Area, 640, "read + write", 4.0),
        letterbox(case(
            "BayerRG8 letterbox linear 640",
            F::BAYER_RG8,
            Linear,
            640,
            "read + write",
            3.0,
        )),
        case("RGB8 antialias 224", F::RGB8, Antialias, 224, "fast_image_resize", 1.0),
        case("Mono8 area 224", F::MONO8, Area, 224, "read", 1.7),
        case("Mono12p area 224", F::MONO12P, Area, 224, "read", 1.7),
        plain("Mono8 same size 640", Dtype::Float32, Layout::Nchw),
        plain("Mono8 same size 640 NHWC", Dtype::Float32, Layout::Nhwc),
        plain("Mono8 same size 640 float16", Dtype::Float16, Layout::Nchw),
        // No goals, but what models and cameras ask for as well.
        case("Mono8 linear 224", F::MONO8, Linear, 224, "read rows", f64::NAN),
        case("Mono8 antialias 224", F::MONO8, Antialias, 224, "fast_image_resize", f64::NAN),
        case("BayerRG8 antialias 224", F::BAYER_RG8, Antialias, 224, "read", f64::NAN),
        case("BayerRG12p area 224", F::BAYER_RG12P, Area, 224, "read", f64::NAN),
        case("RGB8 linear 224", F::RGB8, Linear, 224, "read rows", f64::NAN),
        case("RGB8 area 224", F::RGB8, Area, 224, "read", f64::NAN),
    ]
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
    fn new(case: Case) -> Result<Self, Box<dyn Error>> {
        let (format, (width, height)) = (case.format, case.size);
        let stride = format.row_bytes(width);
        let bytes = stride * height as usize;
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
                Plan::with_kernels(&case.spec, width, height, format, kernels)
                    .map(|plan| (kernels.name(), plan))
            })
            .collect();
        let plans = plans?;
        let tensor = vec![0; plans["scalar"].row_bytes()];
        let [width, height] = case.spec.size;
        let resized = fir::images::Image::new(width, height, pixel_type(format));
        let resizer = fir::Resizer::new();
        Ok(Self { case, stride, frames, next: 0, tensor, plans, resizer, resized })
    }

    /// Who takes part: the bounds, the crate where it knows the format and the kind, the kernels.
    fn contenders(&self) -> Vec<&'static str> {
        let mut all = vec!["read"];
        if !all.contains(&self.case.bound) {
            all.push(self.case.bound);
        }
        let known = matches!(self.case.format, PixelFormat::MONO8 | PixelFormat::RGB8);
        let kind = matches!(self.case.spec.resize, Resize::Antialias | Resize::Area);
        if known && kind && !all.contains(&"fast_image_resize") {
            all.push("fast_image_resize");
        }
        all.extend(Kernels::available().iter().map(|kernels| kernels.name()));
        all
    }

    /// One frame by one contender.
    fn run(&mut self, contender: &str) -> Result<(), Box<dyn Error>> {
        self.next = (self.next + 1) % self.frames.len();
        let frame = &self.frames[self.next];
        match contender {
            "read" => {
                black_box(sum(frame));
            }
            "read rows" => {
                black_box(touched(&self.case).fold(0, |all, y| {
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
                let Case { size: (width, height), format, spec, .. } = &self.case;
                let pixels = pixel_type(*format);
                let from = fir::images::ImageRef::new(*width, *height, frame, pixels)?;
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
    ) -> Result<Vec<Duration>, Box<dyn Error>> {
        self.run(contender)?;
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.is_empty() || begin.elapsed() < length {
            let start = Instant::now();
            self.run(contender)?;
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

fn pixel_type(format: PixelFormat) -> fir::PixelType {
    if format == PixelFormat::RGB8 { fir::PixelType::U8x3 } else { fir::PixelType::U8 }
}

/// The rows of a frame that linear resizing looks at: two, and with a mosaic one more on either side.
fn touched(case: &Case) -> impl Iterator<Item = usize> {
    let (height, out) = (case.size.1 as usize, case.spec.size[1] as usize);
    let beside = usize::from(case.format == PixelFormat::BAYER_RG8);
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

fn race(case: Case, rounds: usize) -> Result<(), Box<dyn Error>> {
    let mut ready = Ready::new(case)?;
    let contenders = ready.contenders();
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        // Plain code takes so long that a few blocks say enough.
        for (contender, times) in contenders.iter().zip(&mut times) {
            if *contender != "scalar" || round < 3 {
                times.extend(ready.block(contender, BLOCK)?);
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let at = contenders.iter().position(|&contender| contender == ready.case.bound);
    let bound = times[at.ok_or("a case without its bound")?][0];
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!("{}", ready.case.name);
    for (contender, times) in contenders.iter().zip(&times) {
        let (least, median) = (times[0], times[times.len() / 2]);
        let ratio = micros(least) / micros(bound);
        print!("  {contender:18} {:9.1} us ({:9.1})", micros(least), micros(median));
        print!("  {ratio:7.2} x {}", ready.case.bound);
        match Kernels::available().last() {
            Some(fastest) if fastest.name() == *contender && ready.case.goal.is_finite() => {
                println!("  (goal {})", ready.case.goal);
            }
            _ => println!(),
        }
    }
    Ok(())
}

/// Answers lines `CASE<tab>CONTENDER<tab>SECONDS` with the least and the median time of a frame in
/// microseconds; `smartqc` is the fastest set of kernels.
fn serve() -> Result<(), Box<dyn Error>> {
    let mut ready: Option<Ready> = None;
    for order in std::io::stdin().lines() {
        let order = order?;
        let [case, contender, seconds] = order.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("{order:?}: three words are expected").into());
        };
        if ready.as_ref().is_none_or(|ready| ready.case.name != case) {
            // One case's frames at a time: they are large.
            drop(ready.take());
            let case = cases().into_iter().find(|one| one.name == case).ok_or("no such case")?;
            ready = Some(Ready::new(case)?);
        }
        let fastest = Kernels::available().last().copied().unwrap_or_else(Kernels::scalar);
        let contender = if contender == "smartqc" { fastest.name() } else { contender };
        let length = Duration::try_from_secs_f64(seconds.parse()?)?;
        let ready = ready.as_mut().ok_or("a case is ready")?;
        let mut times = ready.block(contender, length)?;
        times.sort_unstable();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        println!("{:.1}\t{:.1}", micros(times[0]), micros(times[times.len() / 2]));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "serve") {
        return serve();
    }
    let (mut wanted, mut rounds) = (String::new(), 40);
    for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        match argument.parse() {
            Ok(number) => rounds = number,
            Err(_) => wanted = argument,
        }
    }
    // One case's frames at a time: they are large.
    for case in cases().into_iter().filter(|case| case.name.contains(&wanted)) {
        race(case, rounds)?;
    }
    Ok(())
}
