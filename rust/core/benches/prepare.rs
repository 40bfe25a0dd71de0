//! Criterion over the cases of `bench/README.md`, in bytes of picture a second, with each set of
//! kernels that this machine has.
//!
//! ```text
//! cargo bench -p smartqc-core --bench prepare -- 'BayerRG8 area 224'
//! ```

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Depth, Fit, Kernels, Plan, Resize, Spec};

/// Frames take turns in so much memory that none waits in a cache.
const FRAMES_BYTES: usize = 160 << 20;

/// Format, picture, kind, output side, fit.
type Case = (PixelFormat, (u32, u32), Resize, u32, Fit);

const CASES: [Case; 9] = [
    (PixelFormat::BAYER_RG8, (2448, 2048), Resize::Area, 224, Fit::Stretch),
    (PixelFormat::BAYER_RG8, (2448, 2048), Resize::Area, 640, Fit::Stretch),
    (PixelFormat::BAYER_RG8, (2448, 2048), Resize::Linear, 224, Fit::Stretch),
    (PixelFormat::BAYER_RG8, (2448, 2048), Resize::Linear, 640, Fit::Letterbox),
    (PixelFormat::BAYER_RG8, (2448, 2048), Resize::Antialias, 224, Fit::Stretch),
    (PixelFormat::MONO8, (2448, 2048), Resize::Area, 224, Fit::Stretch),
    (PixelFormat::MONO12P, (2448, 2048), Resize::Area, 224, Fit::Stretch),
    (PixelFormat::MONO8, (640, 640), Resize::Linear, 640, Fit::Stretch),
    (PixelFormat::RGB8, (2448, 2048), Resize::Antialias, 224, Fit::Stretch),
];

fn prepare(criterion: &mut Criterion) {
    for (format, (width, height), resize, side, fit) in CASES {
        let depth = (format == PixelFormat::MONO12P).then_some(Depth::Eight);
        let spec = Spec { fit, depth, ..Spec::new(resize, [side, side]) };
        let stride = format.row_bytes(width);
        let bytes = stride * height as usize;
        let noise = |at: usize| ((at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8;
        let frames: Vec<Vec<u8>> =
            (0..FRAMES_BYTES.div_ceil(bytes)).map(|_| (0..bytes).map(noise).collect()).collect();
        let name = format!("{format} {resize:?} {side} {fit:?}").to_lowercase();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(bytes as u64));
        for kernels in Kernels::available() {
            let plan = Plan::with_kernels(&spec, width, height, format, kernels);
            let mut plan = plan.expect("the spec fits the picture");
            let mut row = vec![0; plan.row_bytes()];
            let mut next = frames.iter().cycle();
            group.bench_function(BenchmarkId::from_parameter(kernels.name()), |bencher| {
                bencher.iter(|| {
                    let frame = next.next().expect("there are frames");
                    plan.run(frame, stride, &mut row).expect("the picture fits the plan");
                    black_box(&row);
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = prepare
}
criterion_main!(benches);
