//! Alignment, and all of a comparison, beside what the machine allows, taking turns in one run: a real
//! board where the test data are beside the checkout, else a drawn one.
//!
//! ```text
//! cargo bench -p smartqc-core --bench align                      # every case, 20 rounds
//! cargo bench -p smartqc-core --bench align -- '640 two' 100     # cases with that in their name
//! ```
//!
//! A round is one block of 20 ms of each contender. A figure is the least time of all blocks, and in
//! brackets the median. `read` sums the part's bytes up, once. `count` counts the bits that differ
//! between the part and one other picture, both within the first cache, as often as there are shifts
//! to be tried: all within the radius, and of a large picture, which is searched by bands first, those
//! within 2 px. No search that looks at each cell under each of these shifts can be faster.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smartqc_core::align::{Aligner, Golden, Levels, Settings};
use smartqc_core::prepare::Kernels;
use smartqc_core::source::photo::Photo;

const BLOCK: Duration = Duration::from_millis(20);

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

/// Reads all of it, as fast as memory gives it.
fn read(bytes: &[u8]) -> u64 {
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

/// How many bits differ.
#[inline(always)]
fn differ(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
}

/// The same with a set's instructions.
fn counted(kernels: Kernels, a: &[u64], b: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,popcnt")]
        fn avx2(a: &[u64], b: &[u64]) -> u64 {
            differ(a, b)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq")]
        fn avx512(a: &[u64], b: &[u64]) -> u64 {
            differ(a, b)
        }
        match kernels.name() {
            // SAFETY: a set is only there where the machine has its instructions, and this one is asked for.
            "avx512" if is_x86_feature_detected!("avx512vpopcntdq") => unsafe { avx512(a, b) },
            // SAFETY: as above.
            "avx2" | "avx512" if is_x86_feature_detected!("popcnt") => unsafe { avx2(a, b) },
            _ => differ(a, b),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = kernels;
        differ(a, b)
    }
}

struct Case {
    name: &'static str,
    size: [usize; 2],
    levels: Levels,
    radius_px: usize,
    /// How far the part lies off, to the right and downwards.
    off: usize,
}

impl Case {
    /// Words to be compared by whoever looks at each cell under each shift.
    fn words(&self) -> usize {
        let planes = if matches!(self.levels, Levels::Grey { .. }) { 4 } else { 1 };
        let far = if self.size[0] > 640 { 2 } else { self.radius_px };
        planes * (2 * far + 1).pow(2) * self.size[0] * self.size[1] / 64
    }
}

/// Milliseconds of one call, least and median of all blocks.
fn block(mut call: impl FnMut()) -> Vec<f64> {
    call();
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || begin.elapsed() < BLOCK {
        let start = Instant::now();
        call();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times
}

fn race(case: &Case, board: &[Vec<u8>; 2], rounds: usize) {
    let settings = Settings { radius_px: case.radius_px, ..Settings::new(case.levels) };
    let [golden, mut part] = board.each_ref().map(|pixels| tiled(pixels, case.size));
    let pixels = part.len();
    part.copy_within(..pixels - case.off * (case.size[0] + 1), case.off * (case.size[0] + 1));
    let golden = Golden::new(&settings, case.size, &golden, None, None).expect("it is handled");
    let golden = Arc::new(golden);
    let sets: Vec<Kernels> = Kernels::available()
        .into_iter()
        .filter(|set| set.name() != "scalar" || case.size[0] <= 640)
        .collect();
    let mut aligners: Vec<Aligner> =
        sets.iter().map(|set| Aligner::with_kernels(Arc::clone(&golden), *set)).collect();
    // Two bands of cells lie within any first cache.
    let words: [Vec<u64>; 2] = [1, 3].map(|by: u64| (0..1024).map(|at| at * by).collect());
    let mut times = vec![Vec::new(); 1 + 3 * sets.len()];
    for _ in 0..rounds {
        times[0].extend(block(|| {
            black_box(read(&part));
        }));
        for (at, (set, aligner)) in sets.iter().zip(&mut aligners).enumerate() {
            times[1 + 3 * at].extend(block(|| {
                for _ in 0..case.words() / 1024 {
                    black_box(counted(*set, black_box(&words[0]), black_box(&words[1])));
                }
            }));
            times[2 + 3 * at].extend(block(|| {
                black_box(aligner.align(&part).expect("it fits"));
            }));
            times[3 + 3 * at].extend(block(|| {
                black_box(aligner.compare(&part).expect("it fits"));
            }));
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    let say = |what: &str, at: usize| {
        let (least, median) = (times[at][0], times[at][times[at].len() / 2]);
        print!("  {what:16} {least:8.3} ms ({median:8.3})");
    };
    println!("{}", case.name);
    say("read", 0);
    println!();
    for (at, set) in sets.iter().enumerate() {
        let bound = times[1 + 3 * at][0];
        say(&format!("count {}", set.name()), 1 + 3 * at);
        println!();
        for (what, place) in [("align", 2 + 3 * at), ("compare", 3 + 3 * at)] {
            say(&format!("{what} {}", set.name()), place);
            println!("  {:6.2} x count", times[place][0] / bound);
        }
    }
}

fn main() {
    let (mut wanted, mut rounds) = (String::new(), 20);
    for argument in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        match argument.parse() {
            Ok(number) => rounds = number,
            Err(_) => wanted = argument,
        }
    }
    let (golden, part) = board();
    let two = Levels::Two { above: 127 };
    let grey = Levels::Grey { edge: 16, tolerance: 24 };
    let (small, large) = ([640, 640], [4096, 3072]);
    let case = |name, size, levels, radius_px| Case { name, size, levels, radius_px, off: 0 };
    let cases = [
        case("640 two r5", small, two, 5),
        case("640 two r8", small, two, 8),
        case("640 two r12", small, two, 12),
        Case { off: 10, ..case("640 two r12, 10 px off", small, two, 12) },
        case("640 grey r12", small, grey, 12),
        case("12mp two r12", large, two, 12),
        case("12mp two r40", large, two, 40),
        case("12mp grey r12", large, grey, 12),
    ];
    let board = [golden, part];
    for case in cases.iter().filter(|case| case.name.contains(&wanted)) {
        race(case, &board, rounds);
    }
}
