//! Criterion over alignment, and over all of a comparison, with each set of kernels that this machine
//! has: a real board where the test data are beside the checkout, else a drawn one.
//!
//! ```text
//! cargo bench -p smartqc-core --bench align -- '640 two r12'
//! ```

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use smartqc_core::align::{Aligner, Golden, Levels, Settings};
use smartqc_core::prepare::Kernels;
use smartqc_core::source::photo::Photo;

/// Golden picture and part, 640 x 640.
fn board() -> (Vec<u8>, Vec<u8>) {
    let data = std::env::var_os("SMARTQC_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let read = |name: &str| Photo::read(&data.join("deeppcb").join(name)).ok().map(|p| p.pixels);
    let golden = read("pairs/50600003_reference.png");
    match (golden, read("units/50600003_good.png")) {
        (Some(golden), Some(part)) if golden.len() == 640 * 640 => (golden, part),
        _ => {
            eprintln!("no test data: a drawn board stands in");
            let trace = |at: usize| {
                let (x, y) = (at % 640, at / 640);
                if (x / 24 + y / 40).is_multiple_of(3) || (x * 7 + y * 3) % 97 < 20 {
                    255
                } else {
                    0
                }
            };
            let golden: Vec<u8> = (0..640 * 640).map(trace).collect();
            let part = (0..640 * 640).map(|at| golden[(at + 2 * 640 + 3) % (640 * 640)]).collect();
            (golden, part)
        }
    }
}

/// The picture side by side until it has this size.
fn tiled(pixels: &[u8], [width, height]: [usize; 2]) -> Vec<u8> {
    (0..width * height).map(|at| pixels[at / width % 640 * 640 + at % width % 640]).collect()
}

fn align(criterion: &mut Criterion) {
    let (golden, part) = board();
    let two = Levels::Two { above: 127 };
    let grey = Levels::Grey { edge: 16, tolerance: 24 };
    for (name, size, levels, radius_px) in [
        ("640 two r5", [640, 640], two, 5),
        ("640 two r8", [640, 640], two, 8),
        ("640 two r12", [640, 640], two, 12),
        ("640 grey r12", [640, 640], grey, 12),
        ("12mp two r12", [4096, 3072], two, 12),
        ("12mp two r40", [4096, 3072], two, 40),
        ("12mp grey r12", [4096, 3072], grey, 12),
    ] {
        let settings = Settings { radius_px, ..Settings::new(levels) };
        let (golden, part) = (tiled(&golden, size), tiled(&part, size));
        let golden = Golden::new(&settings, size, &golden, None, None).expect("it is handled");
        let golden = Arc::new(golden);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements((size[0] * size[1]) as u64));
        for kernels in Kernels::available() {
            if kernels.name() == "scalar" && size[0] > 640 {
                continue;
            }
            let mut aligner = Aligner::with_kernels(Arc::clone(&golden), kernels);
            let id = |what: &str| BenchmarkId::new(what, kernels.name());
            group.bench_function(id("align"), |bencher| {
                bencher.iter(|| black_box(aligner.align(&part).expect("it fits").whole));
            });
            group.bench_function(id("compare"), |bencher| {
                bencher.iter(|| black_box(aligner.compare(&part).expect("it fits")));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = align
}
criterion_main!(benches);
