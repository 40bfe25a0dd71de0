//! Every set of kernels that this machine has gives the bytes that scalar code gives, and reads none
//! beyond the picture's.
//!
//! Pictures lie at the very end of their allocation, exactly as long as they must be, so that a load
//! too far is seen by valgrind, by the address sanitizer, and here where a page that nobody may read
//! follows.
#![allow(unsafe_code)]

use proptest::prelude::*;
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{
    Color, Depth, Dtype, FORMATS, Fit, Flip, Kernels, Layout, Plan, Resize, Spec,
};

/// Bytes that end where memory ends.
struct Cliff {
    pages: *mut libc::c_void,
    mapped: usize,
    from: usize,
    length: usize,
}

impl Cliff {
    fn new(bytes: &[u8]) -> Self {
        let page = 4096;
        let usable = bytes.len().next_multiple_of(page).max(page);
        let mapped = usable + page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new private mapping; nothing else knows of it.
        let pages = unsafe { libc::mmap(std::ptr::null_mut(), mapped, access, flags, -1, 0) };
        assert_ne!(pages, libc::MAP_FAILED);
        let from = usable - bytes.len();
        // SAFETY: `from` to `usable` lies in the mapping and is written to by nobody else; the last
        // page is part of the mapping.
        unsafe {
            let to = pages.cast::<u8>().add(from);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
            assert_eq!(libc::mprotect(pages.byte_add(usable), page, libc::PROT_NONE), 0);
        }
        Self { pages, mapped, from, length: bytes.len() }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: initialised by `new`, lives as long as `self`, written by nobody.
        unsafe { std::slice::from_raw_parts(self.pages.cast::<u8>().add(self.from), self.length) }
    }
}

impl Drop for Cliff {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; `bytes` cannot outlive `self`.
        unsafe { libc::munmap(self.pages, self.mapped) };
    }
}

#[derive(Clone, Debug)]
struct Job {
    format: PixelFormat,
    width: u32,
    height: u32,
    gap: usize,
    spec: Spec,
    seed: u64,
}

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    (0..bytes)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let level = (state >> 56) as u8;
            // Some black and white, so that sums come near their limits.
            match (state >> 40) & 7 {
                0 => 0,
                1 => 255,
                _ => level,
            }
        })
        .collect()
}

impl Job {
    fn row(&self, kernels: Kernels, image: &[u8]) -> Vec<u8> {
        let Self { format, width, height, gap, spec, .. } = self;
        let mut plan = Plan::with_kernels(spec, *width, *height, *format, kernels)
            .expect("the spec fits the picture");
        let stride = format.row_bytes(*width) + gap;
        let mut row = vec![0xDB; plan.row_bytes()];
        // Twice, so that whatever the first one left behind would be seen.
        plan.run(image, stride, &mut row).expect("the picture fits the plan");
        row.fill(0xDB);
        plan.run(image, stride, &mut row).expect("the picture fits the plan");
        row
    }

    fn check(&self) {
        self.check_with(|bytes| noise(bytes, self.seed));
    }

    /// With a picture of so many bytes.
    fn check_with(&self, picture: impl Fn(usize) -> Vec<u8>) {
        let row_bytes = self.format.row_bytes(self.width);
        let rows = self.height as usize * self.format.planes();
        let bytes = (rows - 1) * (row_bytes + self.gap) + row_bytes;
        let image = Cliff::new(&picture(bytes));
        let expected = self.row(Kernels::scalar(), image.bytes());
        for kernels in Kernels::available() {
            let row = self.row(kernels, image.bytes());
            if row != expected {
                let at = row.iter().zip(&expected).position(|(a, b)| a != b);
                panic!("{}: byte {at:?} is wrong, {self:?}", kernels.name());
            }
        }
    }
}

const RESIZES: [Resize; 7] = [
    Resize::Linear,
    Resize::LinearFloat,
    Resize::Area,
    Resize::Antialias,
    Resize::AntialiasCubic,
    Resize::Nearest,
    Resize::NearestPil,
];

/// Sides around those of vectors, and any others.
fn side() -> impl Strategy<Value = u32> {
    prop_oneof![
        3_u32..140,
        (1_u32..5, 0_u32..5).prop_map(|(vectors, off)| 32 * vectors + off - 2),
        140_u32..400,
    ]
}

fn turned((quarters, flipped): (u32, bool)) -> (u32, Flip) {
    (90 * quarters, if flipped { Flip::Horizontal } else { Flip::None })
}

fn jobs() -> impl Strategy<Value = Job> {
    let choices = (
        prop::sample::select(FORMATS),
        prop::sample::select(&RESIZES),
        prop::sample::select(&[Fit::Stretch, Fit::Letterbox, Fit::CenterCrop]),
        prop::sample::select(&[Color::Rgb, Color::Bgr, Color::Gray]),
        prop::sample::select(&[Dtype::Float32, Dtype::Float16, Dtype::Uint8]),
        prop::sample::select(&[Layout::Nchw, Layout::Nhwc]),
        prop_oneof![4 => Just((0, Flip::None)), 1 => (0_u32..4, any::<bool>()).prop_map(turned)],
        prop::sample::select(&[Depth::Eight, Depth::Eight, Depth::Full]),
    );
    let crop = prop::option::of((0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64, 0.0..1.0_f64));
    let sizes = (side(), side(), 1_u32..100, 1_u32..100, 0_usize..70);
    (choices, sizes, crop, any::<u64>(), 0_usize..6).prop_map(
        |(
            ((format, _), resize, fit, color, dtype, layout, (turn, flip), depth),
            sizes,
            crop,
            seed,
            numbers,
        )| {
            let (width, height, out_width, out_height, gap) = sizes;
            // YUV pairs pixels.
            let width = if format.name().is_some_and(|name| name.contains("422")) {
                width & !1
            } else {
                width
            };
            let mut spec = Spec::new(resize, [out_width, out_height]);
            (spec.turn, spec.flip, spec.depth) = (turn, flip, Some(depth));
            if dtype == Dtype::Uint8 {
                spec.depth = Some(Depth::Eight);
            }
            (spec.fit, spec.color, spec.dtype, spec.layout) = (fit, color, dtype, layout);
            if dtype != Dtype::Uint8 {
                match numbers {
                    0 => (spec.mean, spec.std) = (vec![0.485], vec![0.229]),
                    1 => (spec.scale, spec.mean) = (1.0, vec![127.5]),
                    2 => spec.std = vec![0.3],
                    3 => (spec.gamma, spec.black_level) = (0.45, 3.0),
                    4 if !format.name().is_some_and(|name| name.starts_with("Mono")) => {
                        spec.white_balance = Some([1.9, 1.0, 0.75]);
                    }
                    _ => {}
                }
            }
            spec.crop = crop.map(|(x, y, w, h)| {
                let inside =
                    |share: f64, side: u32| ((share * f64::from(side)) as u32).min(side - 1);
                let (x, y) = (inside(x, width), inside(y, height));
                [x, y, 1 + inside(w, width - x), 1 + inside(h, height - y)]
            });
            Job { format, width, height, gap, spec, seed }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn kernels_equal_scalar_code(job in jobs()) {
        job.check();
    }
}

/// Formats that kernels read in ways of their own.
const FORMATS_OF_KERNELS: [PixelFormat; 10] = [
    PixelFormat::MONO8,
    PixelFormat::MONO12,
    PixelFormat::MONO12_PACKED,
    PixelFormat::BAYER_RG8,
    PixelFormat::BAYER_GR8,
    PixelFormat::MONO10P,
    PixelFormat::MONO12P,
    PixelFormat::RGB8,
    PixelFormat::BGR8,
    PixelFormat::RGBA8,
];

/// The cases that kernels are made for, at their ratios and around the widths of vectors.
#[test]
fn kernels_equal_scalar_code_at_every_width() {
    let shrinking = [(1, 1), (5, 4), (10, 3), (7, 2), (11, 1), (45, 4), (12, 1), (13, 1), (31, 1)];
    for format in FORMATS_OF_KERNELS {
        for resize in [Resize::Area, Resize::Linear, Resize::Antialias] {
            for width in (15..=70).step_by(if format == PixelFormat::BAYER_RG8 { 1 } else { 3 }) {
                for (over, under) in shrinking {
                    let size = [(width * under / over).max(1), (width * under / over).max(1)];
                    let spec = Spec {
                        dtype: Dtype::Uint8,
                        depth: Some(Depth::Eight),
                        ..Spec::new(resize, size)
                    };
                    let (height, seed) = (width + 5, u64::from(width));
                    Job { format, width, height, gap: 0, spec, seed }.check();
                }
            }
        }
    }
}

/// Rows as long as real ones, of which a kernel sees several vectors at once.
#[test]
fn kernels_equal_scalar_code_on_long_rows() {
    for format in FORMATS_OF_KERNELS {
        for resize in [Resize::Area, Resize::Linear, Resize::Antialias, Resize::AntialiasCubic] {
            for (width, out_width) in
                [(1280, 640), (2448, 640), (2448, 224), (1936, 160), (1000, 63), (1001, 1000)]
            {
                let spec = Spec {
                    dtype: Dtype::Uint8,
                    depth: Some(Depth::Eight),
                    ..Spec::new(resize, [out_width, 4])
                };
                let (height, seed) = (4 * width / out_width + 3, u64::from(width));
                Job { format, width, height, gap: 3, spec, seed }.check();
            }
        }
    }
}

/// Windows that are cut into pieces, of which the last one of a row may be empty and lie beyond it.
#[test]
fn kernels_equal_scalar_code_where_windows_are_wide() {
    for format in FORMATS_OF_KERNELS {
        for (width, out_width) in [(95, 3), (94, 3), (31, 1), (318, 5), (317, 5), (129, 2)] {
            let spec = Spec {
                dtype: Dtype::Uint8,
                depth: Some(Depth::Eight),
                ..Spec::new(Resize::Area, [out_width, 2])
            };
            Job { format, width, height: 9, gap: 0, spec, seed: width.into() }.check();
        }
    }
}

/// Many output rows of the ratios for which sums fit 16 bits, and of others.
#[test]
fn kernels_equal_scalar_code_down_many_rows() {
    for format in FORMATS_OF_KERNELS {
        for (height, out_height) in [(64, 20), (128, 40), (81, 27), (100, 50), (320, 35), (301, 34)]
        {
            for (width, out_width) in [(153, 40), (459, 120), (128, 64), (130, 31), (306, 28)] {
                let spec = Spec {
                    dtype: Dtype::Uint8,
                    depth: Some(Depth::Eight),
                    ..Spec::new(Resize::Area, [out_width, out_height])
                };
                let seed = u64::from(width * height);
                Job { format, width, height, gap: 1, spec, seed }.check();
            }
        }
    }
}

/// Kernels round what lies in the middle of two levels as scalar code does, where float32 could not say.
#[test]
fn sums_in_the_middle_of_two_levels_are_rounded_alike() {
    for format in [PixelFormat::MONO8, PixelFormat::BAYER_RG8, PixelFormat::RGB8] {
        for resize in [Resize::Area, Resize::Antialias] {
            for (width, out_width) in [(640, 160), (640, 320), (612, 160), (600, 54), (306, 80)] {
                let spec = Spec { dtype: Dtype::Uint8, ..Spec::new(resize, [out_width, 40]) };
                let job = Job { format, width, height: 128, gap: 0, spec, seed: 1 };
                // Of two neighbouring levels as many of the one as of the other.
                job.check_with(|bytes| (0..bytes).map(|at| 100 + (at / 2 % 2) as u8).collect());
                job.check_with(|bytes| {
                    noise(bytes, 5).iter().map(|level| 100 + level % 2).collect()
                });
                job.check_with(|bytes| vec![255; bytes]);
            }
        }
    }
}
