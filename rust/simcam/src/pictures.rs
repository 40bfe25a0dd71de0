//! What the sensor sees: photographs or a pattern, as finished frames in the camera's pixel format.
//!
//! All of them are made when the acquisition starts, so that a frame costs a copy and nothing else.
//! With noise each picture is kept in up to [`NOISE_VARIANTS`] versions, which the frames take in
//! turn; fewer when they would not fit into the device's memory limit.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::abi::status;
use crate::decode::{self, Raster};
use crate::error::{Fault, Result};
use crate::faults::mix;
use crate::formats::{PixelFormat, Samples};
use crate::library::lock;

/// Versions of each picture that differ in their noise.
const NOISE_VARIANTS: usize = 4;
/// Pictures after which the moving pattern repeats.
const PATTERN_PICTURES: usize = 8;
/// Pixels by which the moving pattern shifts from picture to picture.
const PATTERN_STEP: usize = 32;
/// Fractional bits of a grey level from 0 to 255, which is what samples are before they are packed.
const FRACTION_BITS: u32 = 8;
/// What lies behind a row.
const PADDING: u8 = 0xA5;
/// White.
const SAMPLE_MAX: u32 = 255 << FRACTION_BITS;

/// What a frame may consist of, numbered as `ComponentSelector` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// The image, in the camera's pixel format.
    Intensity = 0,
    /// 255 where the grey level is at least [`CONFIDENT`], else 0.
    Confidence = 1,
    /// A tilted plane: column + 2 x row + 64 x picture.
    Range = 2,
}

impl Component {
    pub(crate) const ALL: [Self; 3] = [Self::Intensity, Self::Confidence, Self::Range];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Intensity => "Intensity",
            Self::Confidence => "Confidence",
            Self::Range => "Range",
        }
    }

    /// The number that the SFNC gives such a component.
    pub(crate) fn purpose(self) -> u64 {
        match self {
            Self::Intensity => 1,
            Self::Range => 4,
            Self::Confidence => 6,
        }
    }
}

/// The least grey level of which the camera is confident.
const CONFIDENT: u16 = 32;
/// PFNC `Confidence8`.
const CONFIDENCE_8: u32 = 0x0108_00C6;
/// PFNC `Coord3D_C16`.
const COORD_3D_C16: u32 = 0x0110_00B8;

/// Where one component lies in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) component: Component,
    /// From the first byte of the frame.
    pub(crate) offset: usize,
    pub(crate) size: usize,
    /// By the PFNC.
    pub(crate) format: u32,
}

/// The components of a frame, each from a multiple of 8 bytes on.
pub(crate) fn parts(
    format: PixelFormat,
    region: Region,
    enabled: [bool; Component::ALL.len()],
    line_padding: usize,
) -> Vec<Part> {
    let (width, height) = (region.width as usize, region.height as usize);
    let mut parts: Vec<Part> = Vec::with_capacity(Component::ALL.len());
    for (component, _) in Component::ALL.into_iter().zip(enabled).filter(|(_, enabled)| *enabled) {
        let (row, format) = match component {
            Component::Intensity => (format.row_bytes(width) + line_padding, format as u32),
            Component::Confidence => (width, CONFIDENCE_8),
            Component::Range => (2 * width, COORD_3D_C16),
        };
        let end = parts.last().map_or(0, |part| part.offset + part.size);
        let offset = end.next_multiple_of(8);
        parts.push(Part { component, offset, size: row * height, format });
    }
    parts
}

/// Bytes of a frame of these parts.
pub(crate) fn frame_bytes(parts: &[Part]) -> usize {
    parts.last().map_or(0, |part| part.offset + part.size)
}

/// A picture that the camera makes up, numbered as `TestPattern` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestPattern {
    /// The folder's images; without a folder a diagonal ramp that moves by 32 pixels a picture.
    Off = 0,
    Black = 1,
    White = 2,
    GreyHorizontalRamp = 3,
    GreyVerticalRamp = 4,
    ColorBar = 5,
}

impl TestPattern {
    pub(crate) fn from_register(value: u32) -> Option<Self> {
        [
            Self::Off,
            Self::Black,
            Self::White,
            Self::GreyHorizontalRamp,
            Self::GreyVerticalRamp,
            Self::ColorBar,
        ]
        .into_iter()
        .find(|pattern| *pattern as u32 == value)
    }
}

/// The part of the sensor that is read out; all four numbers are even, so that a mosaic's phase
/// does not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// All that decides how the pictures come out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scene {
    /// Empty: the pattern.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) pattern: TestPattern,
    pub(crate) sensor: (u32, u32),
    pub(crate) region: Region,
    pub(crate) format: PixelFormat,
    pub(crate) components: [bool; Component::ALL.len()],
    /// Bytes after each row of the image.
    pub(crate) line_padding: usize,
    /// Standard deviation of the noise, in grey levels.
    pub(crate) noise: f64,
    /// Share of the light that is missing in the corners.
    pub(crate) shading: f64,
    pub(crate) seed: u64,
    pub(crate) memory_limit: usize,
}

/// The finished images of a scene.
pub(crate) struct Pictures {
    images: Vec<Vec<u8>>,
    variants: usize,
}

impl Pictures {
    /// A single picture without a pixel, for tests that look at none.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Self {
        Self { images: vec![Vec::new()], variants: 1 }
    }

    /// Number of different pictures, noise apart.
    pub(crate) fn count(&self) -> u32 {
        (self.images.len() / self.variants) as u32
    }

    /// The image of picture `index`, with the noise that frame `frame_id` has.
    pub(crate) fn image(&self, index: u32, frame_id: u64) -> &[u8] {
        let variant = (frame_id % self.variants as u64) as usize;
        &self.images[index as usize * self.variants + variant]
    }

    /// Decodes and renders the whole scene, on all cores.
    pub(crate) fn prepare(scene: &Scene) -> Result<Self> {
        let count = scene.picture_count();
        let variants = scene.variants()?;
        let shade = scene.shade();
        let noise = scene.noise_table();
        let next = AtomicUsize::new(0);
        let finished = Mutex::new(Vec::new());
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return;
                }
                let images: Result<Vec<Vec<u8>>> = scene.picture(index).map(|picture| {
                    let clean = scene.expose(&picture, shade.as_deref());
                    let others = scene.other_parts(&picture, index, shade.as_deref());
                    (0..variants)
                        .map(|variant| {
                            let noise = noise.as_deref();
                            let samples =
                                develop(&clean, noise, scene.format, scene.seed, index, variant);
                            let mut frame = scene.pad(scene.format.pack(&samples));
                            frame.extend_from_slice(&others);
                            frame
                        })
                        .collect()
                });
                lock(&finished).push((index, images));
            }
        };
        let helpers = std::thread::available_parallelism().map_or(1, usize::from).min(count) - 1;
        std::thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(work);
            }
            work();
        });
        let mut finished = std::mem::take(&mut *lock(&finished));
        finished.sort_by_key(|(index, _)| *index);
        let mut images = Vec::with_capacity(count * variants);
        for (_, of_one_picture) in finished {
            images.extend(of_one_picture?);
        }
        Ok(Self { images, variants })
    }
}

/// One picture before the sensor.
enum Picture {
    Photograph { raster: Raster, left: isize, top: isize },
    Pattern { pattern: TestPattern, shift: usize, sensor_width: usize },
}

impl Picture {
    /// Grey and colour at a sensor coordinate; black where a photograph does not reach.
    fn at(&self, x: usize, y: usize) -> (u16, [u16; 3]) {
        let whole = |level: u8| u16::from(level) << FRACTION_BITS;
        match self {
            Self::Photograph { raster, left, top } => {
                let (x, y) = (x as isize + left, y as isize + top);
                if x < 0 || y < 0 || x as usize >= raster.width || y as usize >= raster.height {
                    return (0, [0; 3]);
                }
                let at = (y as usize * raster.width + x as usize) * raster.channels;
                if raster.channels == 1 {
                    let grey = whole(raster.pixels[at]);
                    (grey, [grey; 3])
                } else {
                    let [red, green, blue] =
                        [raster.pixels[at], raster.pixels[at + 1], raster.pixels[at + 2]];
                    // The weights of ITU-R BT.601, in 256ths.
                    let luma = 77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue);
                    (luma as u16, [red, green, blue].map(whole))
                }
            }
            Self::Pattern { pattern, shift, sensor_width } => {
                let grey = match pattern {
                    TestPattern::Off => {
                        // Below half a grey level, so that formats of 8 bits show the ramp alone.
                        let fine = (37 * x + 11 * y) as u16 & 0x7F;
                        let ramp = (x + y + shift) as u8;
                        return (
                            whole(ramp) | fine,
                            [ramp, x as u8, y as u8].map(|level| whole(level) | fine),
                        );
                    }
                    TestPattern::Black => 0,
                    TestPattern::White => 255,
                    TestPattern::GreyHorizontalRamp => x as u8,
                    TestPattern::GreyVerticalRamp => y as u8,
                    TestPattern::ColorBar => {
                        // White, yellow, cyan, green, magenta, red, blue, black.
                        let bar = 7 - (x * 8 / sensor_width).min(7);
                        let [red, green, blue] =
                            [bar & 2, bar & 4, bar & 1].map(|bit| if bit == 0 { 0 } else { 255 });
                        return (whole((bar * 36) as u8), [red, green, blue].map(whole));
                    }
                };
                (whole(grey), [whole(grey); 3])
            }
        }
    }
}

impl Scene {
    fn parts(&self) -> Vec<Part> {
        parts(self.format, self.region, self.components, self.line_padding)
    }

    /// Bytes of one finished frame.
    pub(crate) fn image_bytes(&self) -> usize {
        frame_bytes(&self.parts())
    }

    /// Number of pictures, noise apart.
    pub(crate) fn picture_count(&self) -> usize {
        match self.pattern {
            TestPattern::Off if self.files.is_empty() => PATTERN_PICTURES,
            TestPattern::Off => self.files.len(),
            _ => 1,
        }
    }

    /// Puts the padding behind each row.
    fn pad(&self, image: Vec<u8>) -> Vec<u8> {
        if self.line_padding == 0 {
            return image;
        }
        let row = self.format.row_bytes(self.region.width as usize);
        let padding = vec![PADDING; self.line_padding];
        image.chunks(row).flat_map(|row| [row, &padding].concat()).collect()
    }

    fn variants(&self) -> Result<usize> {
        let once = self.picture_count() * self.image_bytes();
        if once > self.memory_limit {
            return Err(Fault::new(
                status::RESOURCE_EXHAUSTED,
                format!(
                    "{} images of {} bytes exceed this device's limit of {} MiB for prepared \
                     images; use fewer or smaller ones, or raise memory_mb in its configuration",
                    self.picture_count(),
                    self.image_bytes(),
                    self.memory_limit >> 20
                ),
            ));
        }
        let wanted = if self.noise > 0.0 { NOISE_VARIANTS } else { 1 };
        Ok(wanted.min(self.memory_limit / once))
    }

    fn picture(&self, index: usize) -> Result<Picture> {
        if self.pattern != TestPattern::Off || self.files.is_empty() {
            return Ok(Picture::Pattern {
                pattern: self.pattern,
                shift: PATTERN_STEP * index,
                sensor_width: self.sensor.0 as usize,
            });
        }
        let raster = decode::decode(&self.files[index])?;
        // A photograph of another size than the sensor lies in its centre; of an odd one the last
        // row or column falls off.
        let left = (raster.width as isize - self.sensor.0 as isize).div_euclid(2);
        let top = (raster.height as isize - self.sensor.1 as isize).div_euclid(2);
        Ok(Picture::Photograph { raster, left, top })
    }

    /// Light per pixel in 65,536ths, falling with the square of the distance from the centre.
    fn shade(&self) -> Option<Vec<u32>> {
        if self.shading == 0.0 {
            return None;
        }
        let centre = (f64::from(self.sensor.0) / 2.0, f64::from(self.sensor.1) / 2.0);
        let corner = centre.0 * centre.0 + centre.1 * centre.1;
        let Region { x, y, width, height } = self.region;
        let mut shade = Vec::with_capacity(width as usize * height as usize);
        for row in y..y + height {
            let dy = f64::from(row) + 0.5 - centre.1;
            for column in x..x + width {
                let dx = f64::from(column) + 0.5 - centre.0;
                let light = 1.0 - self.shading * (dx * dx + dy * dy) / corner;
                shade.push((light * 65536.0).round() as u32);
            }
        }
        Some(shade)
    }

    /// Draws from a normal distribution, with [`FRACTION_BITS`].
    fn noise_table(&self) -> Option<Vec<i32>> {
        if self.noise == 0.0 {
            return None;
        }
        let mut random = SplitMix(self.seed ^ 0x6E6F_6973_6521);
        let scale = self.noise * f64::from(1 << FRACTION_BITS);
        let mut table = Vec::with_capacity(1 << 16);
        while table.len() < 1 << 16 {
            // Box and Muller's transform: two uniform numbers give one normal one.
            let radius = (-2.0 * random.unit().ln()).sqrt();
            let angle = std::f64::consts::TAU * random.unit();
            table.push((scale * radius * angle.cos()).round() as i32);
        }
        Some(table)
    }

    /// The samples of an image without noise, with [`FRACTION_BITS`].
    fn expose(&self, picture: &Picture, shade: Option<&[u32]>) -> Vec<u16> {
        let Region { x, y, width, height } = self.region;
        let kind = self.format.samples();
        let pixels = width as usize * height as usize;
        let mut samples = Vec::with_capacity(pixels * self.format.samples_per_pixel());
        let mut pixel = 0;
        // The colours of the left pixel of a pair that shares its chroma.
        let mut left = [0i32; 3];
        for row in y as usize..(y + height) as usize {
            for column in x as usize..(x + width) as usize {
                let light = shade.map_or(65536, |shade| shade[pixel]);
                pixel += 1;
                let attenuate = |value: u16| ((u64::from(value) * u64::from(light)) >> 16) as u16;
                let (grey, colour) = picture.at(column, row);
                match kind {
                    Samples::Mono => samples.push(attenuate(grey)),
                    Samples::Mosaic(cell) => {
                        let channel = cell[(row & 1) * 2 + (column & 1)];
                        samples.push(attenuate(colour[channel]));
                    }
                    Samples::Colours(colours) => samples.extend(colours.iter().map(|&channel| {
                        colour.get(channel).map_or(SAMPLE_MAX as u16, |value| attenuate(*value))
                    })),
                    Samples::Yuv422 { luma_first } => {
                        let now = colour.map(|value| i32::from(attenuate(value)));
                        if pixel % 2 == 1 {
                            left = now;
                        } else {
                            samples.extend(yuv_pair(left, now, luma_first));
                        }
                    }
                }
            }
        }
        samples
    }

    /// The bytes that follow the image: the other components, and what lies between them.
    fn other_parts(&self, picture: &Picture, index: usize, shade: Option<&[u32]>) -> Vec<u8> {
        let parts = self.parts();
        let first = parts.first().map_or(0, |part| part.size);
        let mut bytes = vec![0; frame_bytes(&parts) - first];
        let Region { x, y, width, height } = self.region;
        for part in &parts[1..] {
            let into = &mut bytes[part.offset - first..][..part.size];
            for row in 0..height as usize {
                for column in 0..width as usize {
                    let pixel = row * width as usize + column;
                    let (column, row) = (x as usize + column, y as usize + row);
                    if part.component == Component::Range {
                        let range = (column + 2 * row + 64 * index) as u16;
                        into[2 * pixel..][..2].copy_from_slice(&range.to_le_bytes());
                    } else {
                        let light = shade.map_or(65536, |shade| shade[pixel]);
                        let (grey, _) = picture.at(column, row);
                        let grey = (u64::from(grey) * u64::from(light)) >> 16;
                        let is_bright = grey >= u64::from(CONFIDENT) << FRACTION_BITS;
                        into[pixel] = if is_bright { 255 } else { 0 };
                    }
                }
            }
        }
        bytes
    }
}

/// Two pixels that share their chroma, as ITU-R BT.601 weighs them, over the full range.
fn yuv_pair(left: [i32; 3], right: [i32; 3], luma_first: bool) -> [u16; 4] {
    let weigh = |[red, green, blue]: [i32; 3], weights: [i32; 3], half: i32| {
        let sum = red * weights[0] + green * weights[1] + blue * weights[2];
        (((sum + 500) / 1000) + half).clamp(0, SAMPLE_MAX as i32) as u16
    };
    let luma = |colour| weigh(colour, [299, 587, 114], 0);
    let mean: [i32; 3] = std::array::from_fn(|channel| (left[channel] + right[channel]) / 2);
    let half = 128 << FRACTION_BITS;
    let blue = weigh(mean, [-169, -331, 500], half);
    let red = weigh(mean, [500, -419, -81], half);
    let (left, right) = (luma(left), luma(right));
    if luma_first { [left, blue, right, red] } else { [blue, left, red, right] }
}

/// Adds one version of the noise and rounds to the levels of the format.
fn develop(
    clean: &[u16],
    noise: Option<&[i32]>,
    format: PixelFormat,
    seed: u64,
    picture: usize,
    variant: usize,
) -> Vec<u16> {
    let (bits, _) = format.packing();
    let most = (1u64 << bits) - 1;
    let round = |value: i32| {
        let sample = u64::from(value.clamp(0, SAMPLE_MAX as i32).unsigned_abs());
        ((sample * most + u64::from(SAMPLE_MAX) / 2) / u64::from(SAMPLE_MAX)) as u16
    };
    let Some(noise) = noise else {
        return clean.iter().map(|&sample| round(i32::from(sample))).collect();
    };
    let mut random = SplitMix(seed ^ ((picture as u64) << 32) ^ (variant as u64 + 1));
    let mut image = Vec::with_capacity(clean.len());
    for four in clean.chunks(4) {
        let mut draw = random.next();
        for &sample in four {
            image.push(round(i32::from(sample) + noise[draw as u16 as usize]));
            draw >>= 16;
        }
    }
    image
}

/// SplitMix64, a small generator whose stream is the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        let mixed = mix(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed
    }

    /// In (0, 1], so that its logarithm is finite.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(format: PixelFormat) -> Scene {
        Scene {
            files: Vec::new(),
            pattern: TestPattern::Off,
            sensor: (16, 8),
            region: Region { x: 0, y: 0, width: 16, height: 8 },
            format,
            components: [true, false, false],
            line_padding: 0,
            noise: 0.0,
            shading: 0.0,
            seed: 1,
            memory_limit: 1 << 20,
        }
    }

    #[test]
    fn the_moving_pattern_is_the_documented_ramp() {
        let pictures = Pictures::prepare(&scene(PixelFormat::Mono8)).unwrap();
        assert_eq!(pictures.count(), 8);
        for index in 0..8 {
            let image = pictures.image(index, 0);
            for (at, &byte) in image.iter().enumerate() {
                assert_eq!(byte, (at % 16 + at / 16 + 32 * index as usize) as u8);
            }
        }
    }

    #[test]
    fn each_mosaic_samples_the_colour_under_its_filter() {
        let rgb = Pictures::prepare(&scene(PixelFormat::RGB8)).unwrap();
        let rgb = rgb.image(3, 0);
        for (format, filters) in [
            (PixelFormat::BayerRG8, "RGGB"),
            (PixelFormat::BayerGR8, "GRBG"),
            (PixelFormat::BayerGB8, "GBRG"),
            (PixelFormat::BayerBG8, "BGGR"),
        ] {
            let mosaic = Pictures::prepare(&scene(format)).unwrap();
            let mosaic = mosaic.image(3, 0);
            for y in 0..8 {
                for x in 0..16 {
                    let filter = filters.as_bytes()[(y % 2) * 2 + x % 2];
                    let channel = match filter {
                        b'R' => 0,
                        b'G' => 1,
                        _ => 2,
                    };
                    assert_eq!(mosaic[y * 16 + x], rgb[(y * 16 + x) * 3 + channel], "{filters}");
                }
            }
        }
    }

    #[test]
    fn bgr_is_rgb_turned_round() {
        let rgb = Pictures::prepare(&scene(PixelFormat::RGB8)).unwrap();
        let bgr = Pictures::prepare(&scene(PixelFormat::BGR8)).unwrap();
        for (a, b) in rgb.image(1, 0).chunks(3).zip(bgr.image(1, 0).chunks(3)) {
            assert_eq!([a[0], a[1], a[2]], [b[2], b[1], b[0]]);
        }
    }

    #[test]
    fn a_region_is_cut_from_the_whole_sensor() {
        let whole = Pictures::prepare(&scene(PixelFormat::BayerRG8)).unwrap();
        let mut part = scene(PixelFormat::BayerRG8);
        part.region = Region { x: 4, y: 2, width: 8, height: 4 };
        let part = Pictures::prepare(&part).unwrap();
        for y in 0..4 {
            let from = (y + 2) * 16 + 4;
            assert_eq!(part.image(2, 0)[y * 8..][..8], whole.image(2, 0)[from..][..8]);
        }
    }

    #[test]
    fn noise_has_the_asked_for_spread_and_differs_between_frames() {
        let mut noisy = scene(PixelFormat::Mono8);
        noisy.pattern = TestPattern::GreyVerticalRamp;
        noisy.sensor = (200, 200);
        noisy.region = Region { x: 0, y: 60, width: 200, height: 100 };
        noisy.noise = 3.0;
        let pictures = Pictures::prepare(&noisy).unwrap();
        assert_ne!(pictures.image(0, 0), pictures.image(0, 1));
        assert_eq!(pictures.image(0, 0), pictures.image(0, 4));
        let image = pictures.image(0, 0);
        let errors =
            image.iter().enumerate().map(|(at, &byte)| f64::from(byte) - (60 + at / 200) as f64);
        let variance = errors.map(|error| error * error).sum::<f64>() / image.len() as f64;
        assert!((variance.sqrt() - 3.0).abs() < 0.1, "{}", variance.sqrt());
    }

    #[test]
    fn shading_darkens_the_corners_and_not_the_centre() {
        let mut shaded = scene(PixelFormat::Mono8);
        shaded.pattern = TestPattern::White;
        shaded.sensor = (64, 64);
        shaded.region = Region { x: 0, y: 0, width: 64, height: 64 };
        shaded.shading = 0.5;
        let pictures = Pictures::prepare(&shaded).unwrap();
        let image = pictures.image(0, 0);
        assert_eq!(image[32 * 64 + 32], 255);
        assert!((i32::from(image[0]) - 131).abs() <= 2, "{}", image[0]);
    }

    #[test]
    fn noise_variants_give_way_to_the_memory_limit_and_pictures_do_not() {
        let mut tight = scene(PixelFormat::Mono8);
        tight.noise = 1.0;
        tight.memory_limit = 16 * 8 * 8 * 2;
        let pictures = Pictures::prepare(&tight).unwrap();
        assert_eq!((pictures.count(), pictures.variants), (8, 2));
        tight.memory_limit = 16 * 8 * 8 - 1;
        let fault = Pictures::prepare(&tight).err().unwrap();
        assert_eq!(fault.code, status::RESOURCE_EXHAUSTED);
    }

    #[test]
    fn deep_formats_show_the_ramp_with_finer_steps() {
        let pictures = Pictures::prepare(&scene(PixelFormat::Mono12)).unwrap();
        for (at, bytes) in pictures.image(1, 0).chunks(2).enumerate() {
            let (x, y) = (at % 16, at / 16);
            let level = (x + y + 32) as f64 + ((37 * x + 11 * y) & 0x7F) as f64 / 256.0;
            let wanted = (level * 4095.0 / 255.0).round() as u16;
            assert_eq!(u16::from_le_bytes([bytes[0], bytes[1]]), wanted);
        }
        let packed = Pictures::prepare(&scene(PixelFormat::Mono12p)).unwrap();
        let samples = PixelFormat::Mono12p.unpack(packed.image(1, 0));
        assert_eq!(PixelFormat::Mono12.pack(&samples), pictures.image(1, 0));
    }

    #[test]
    fn grey_has_no_chroma_and_colour_has() {
        let mut bars = scene(PixelFormat::YUV422_8);
        bars.pattern = TestPattern::ColorBar;
        let pictures = Pictures::prepare(&bars).unwrap();
        // White and yellow, two columns each: luma, blue difference, luma, red difference.
        assert_eq!(pictures.image(0, 0)[..8], [255, 128, 255, 128, 226, 1, 226, 149]);
        bars.format = PixelFormat::YUV422_8_UYVY;
        let turned = Pictures::prepare(&bars).unwrap();
        assert_eq!(turned.image(0, 0)[..8], [128, 255, 128, 255, 1, 226, 149, 226]);
    }

    #[test]
    fn components_follow_the_image_from_multiples_of_eight_on() {
        let mut three = scene(PixelFormat::Mono8);
        three.region = Region { x: 2, y: 4, width: 10, height: 2 };
        three.components = [true; 3];
        let pictures = Pictures::prepare(&three).unwrap();
        let offsets: Vec<_> = three.parts().iter().map(|part| (part.offset, part.size)).collect();
        assert_eq!(offsets, [(0, 20), (24, 20), (48, 40)]);
        for (index, confidence) in [(0, 0), (1, 255)] {
            let frame = pictures.image(index as u32, 0);
            assert_eq!(frame.len(), 88);
            for pixel in 0..20 {
                let (x, y) = (2 + pixel % 10, 4 + pixel / 10);
                assert_eq!(frame[pixel], (x + y + 32 * index) as u8);
                assert_eq!(frame[24 + pixel], confidence);
                let range = u16::from_le_bytes([frame[48 + 2 * pixel], frame[49 + 2 * pixel]]);
                assert_eq!(range, (x + 2 * y + 64 * index) as u16);
            }
        }
    }
}
