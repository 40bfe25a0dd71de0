//! Any spec on any picture: an error or a row, and the same row whoever computes it.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{
    Color, Depth, Dtype, FORMATS, Fit, Flip, Kernels, Layout, Plan, Resize, Spec,
};

#[derive(Debug)]
struct Job {
    spec: Spec,
    format: PixelFormat,
    width: u32,
    height: u32,
    /// Bytes between rows.
    gap: usize,
    seed: u64,
}

impl<'a> Arbitrary<'a> for Job {
    fn arbitrary(of: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let side = |of: &mut Unstructured<'a>| of.int_in_range(1..=90_u32);
        let (width, height) = (of.int_in_range(1..=200)?, side(of)?);
        let resize = *of.choose(&[
            Resize::Linear,
            Resize::LinearFloat,
            Resize::Area,
            Resize::Antialias,
            Resize::AntialiasCubic,
            Resize::Nearest,
            Resize::NearestPil,
        ])?;
        let mut spec = Spec::new(resize, [side(of)?, side(of)?]);
        if of.arbitrary()? {
            spec.crop = Some(
                [of.arbitrary::<u8>()?, of.arbitrary()?, of.arbitrary()?, of.arbitrary()?]
                    .map(u32::from),
            );
        }
        spec.fit = *of.choose(&[Fit::Stretch, Fit::Letterbox, Fit::CenterCrop])?;
        if spec.fit == Fit::CenterCrop && of.arbitrary()? {
            spec.shorter_side = Some(of.int_in_range(1..=120)?);
        }
        spec.depth =
            *of.choose(&[None, Some(Depth::Eight), Some(Depth::Eight), Some(Depth::Full)])?;
        spec.turn = *of.choose(&[0, 0, 0, 90, 180, 270])?;
        spec.flip = *of.choose(&[Flip::None, Flip::None, Flip::Horizontal, Flip::Vertical])?;
        spec.color = *of.choose(&[Color::Rgb, Color::Bgr, Color::Gray])?;
        spec.layout = *of.choose(&[Layout::Nchw, Layout::Nhwc])?;
        spec.dtype = *of.choose(&[Dtype::Float32, Dtype::Float16, Dtype::Uint8])?;
        spec.pad_value = of.arbitrary()?;
        if of.ratio(1, 4)? {
            spec.gamma = f64::from(of.int_in_range(1..=40_u8)?) / 10.0;
            spec.black_level = f64::from(of.int_in_range(0..=300_u16)?);
        }
        if of.ratio(1, 4)? {
            spec.white_balance = Some([1.5, 1.0, 0.5]);
        }
        let (format, _) = *of.choose(FORMATS)?;
        let gap = usize::from(of.int_in_range(0..=40_u8)?);
        Ok(Self { spec, format, width, height, gap, seed: of.arbitrary()? })
    }
}

/// Noise with flat rows in it, which reach the ends of the range.
fn picture(bytes: usize, mut seed: u64) -> Vec<u8> {
    seed |= 1;
    (0..bytes)
        .map(|at| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            match (at / 97) % 7 {
                0 => 255,
                1 => 0,
                _ => (seed >> 24) as u8,
            }
        })
        .collect()
}

fuzz_target!(|job: Job| {
    let Job { spec, format, width, height, gap, seed } = &job;
    let Ok(mut plan) = Plan::new(spec, *width, *height, *format) else { return };
    let row_bytes = format.row_bytes(*width);
    let stride = row_bytes + gap;
    let rows = *height as usize * format.planes();
    let image = picture(row_bytes * rows, *seed);
    // The last row without its padding, in memory of just that length.
    let padded = |fill: u8| {
        let mut padded = vec![fill; stride * rows - gap];
        for (line, pixels) in padded.chunks_mut(stride).zip(image.chunks(row_bytes)) {
            line[..row_bytes].copy_from_slice(pixels);
        }
        padded
    };
    let mut expected = vec![0xA5; plan.row_bytes()];
    plan.run(&image, row_bytes, &mut expected).expect("the picture fits");
    for fill in [0x00, 0xFF] {
        let mut row = vec![!0xA5; plan.row_bytes()];
        plan.run(&padded(fill), stride, &mut row).expect("the picture fits");
        assert!(row == expected, "padding or the run before shows: {job:?}");
    }
    for kernels in Kernels::available() {
        let mut plan = Plan::with_kernels(spec, *width, *height, *format, kernels)
            .expect("what one set of kernels takes all take");
        let mut row = vec![0x5A; plan.row_bytes()];
        plan.run(&padded(0xFF), stride, &mut row).expect("the picture fits");
        assert!(row == expected, "{} differs: {job:?}", kernels.name());
    }
    plan.run(&image[1..], row_bytes, &mut expected).expect_err("a byte is missing");
    let shape = plan.row_shape();
    for at in [[0.0, 0.0], [shape[2] as f32, shape[1] as f32]] {
        let (x, y) = plan.to_camera(at[0], at[1]);
        assert!(x.is_finite() && y.is_finite());
    }
});
