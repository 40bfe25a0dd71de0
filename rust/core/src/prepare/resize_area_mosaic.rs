//! The area mean of a Bayer mosaic, without demosaicing any pixel of it.
//!
//! Bilinear demosaicing weighs the samples of a mosaic, and so does an area mean; one after the
//! other they are one weighted mean, whose weights are products of one factor across and one down.
//! With `a` the weight of a row or column in the mean (0 outside the span) and `n` the sum of its two
//! neighbours' weights, a sample of the mosaic counts
//!
//! ```text
//! red, blue   (2 a + n) down  x  (2 a + n) across                  / 4
//! green       ((4 a + n) down  x  a across  +  a down  x  n across) / 4
//! ```
//!
//! since a red or blue sample lends half of itself to each neighbour in its row and in its column and
//! a quarter to those across corners, a green one a quarter to each of its four neighbours.
//! All of this is whole numbers, see [`resize_area`](super::resize_area).
//!
//! OpenCV demosaics to bytes before it resizes, and rounds half up at each pixel: a mean of two is
//! 1/4 too high on average, one of four 1/8. The pixels of a plane that are means make that 5/32 of a
//! grey level in red and blue and 1/16 in green, which [`BIAS`] adds, so that what is left of the
//! difference is noise: never more than one grey level, and less than a tenth on average. A mean
//! just between two grey levels goes up.

use super::demosaic::Phase;
use super::geometry::{Axis, Geometry};
use super::kernels::Kernels;
use super::kernels::area::{Fused, Narrow};
use super::level::Level;
use super::picture::{Columns, Picture};
use super::resize_area::spans;

/// What OpenCV's rounding adds to red, green and blue on average, in 32nds of a grey level.
pub(super) const BIAS: [u32; 3] = [5, 2, 5];

/// Factors of a row or column in the weight of a sample, up to the common divisor 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Factors {
    /// Its weight in the mean.
    pub(super) of_mean: u32,
    /// The sum of its neighbours' weights.
    pub(super) of_neighbours: u32,
}

impl Factors {
    /// Of a red or blue sample.
    pub(super) fn color(self) -> u32 {
        2 * self.of_mean + self.of_neighbours
    }

    /// Of a green sample, where the other axis has `of_mean`; where that has `of_neighbours` this
    /// one has `of_mean`.
    pub(super) fn green(self) -> u32 {
        4 * self.of_mean + self.of_neighbours
    }
}

/// The rows or columns that an output pixel looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: u32,
    pub(super) factors: Vec<Factors>,
}

/// Windows of the pixels of an axis that are shown; `side` is the picture's. As in demosaicing, the
/// outermost rows and columns repeat those inside of them.
pub(super) fn windows(axis: &Axis, side: u32) -> Vec<Window> {
    let spans = spans(axis, axis.first);
    let inside = |at: u32| at.clamp(1, side - 2);
    spans
        .spans
        .iter()
        .map(|span| {
            let first = inside(span.first) - 1;
            let mut of_mean = vec![0; (inside(span.last) + 2 - first) as usize];
            for at in span.first..=span.last {
                of_mean[(inside(at) - first) as usize] += span.weight(at, spans.whole);
            }
            let weight =
                |at: Option<usize>| at.and_then(|at| of_mean.get(at)).copied().unwrap_or(0);
            let factors = (0..of_mean.len()).map(|at| Factors {
                of_mean: of_mean[at],
                of_neighbours: weight(at.checked_sub(1)) + weight(Some(at + 1)),
            });
            Window { first, factors: factors.collect() }
        })
        .collect()
}

/// The resizer with its scratch.
#[derive(Clone, Debug)]
pub(super) struct AreaMosaic<L: Level> {
    phase: Phase,
    across: Vec<Window>,
    down: Vec<Window>,
    /// Weights of an output pixel, summed.
    total: u64,
    /// The columns that output pixels look at.
    columns: Columns,
    left: usize,
    /// Their samples in one row.
    samples: Vec<L>,
    /// Samples weighed down the rows of a window, column by column. In every other row those of a
    /// column are green: then with [`Factors::green`] and with [`Factors::of_mean`].
    color: Vec<L::Sum>,
    green: Vec<L::Sum>,
    green_of_mean: Vec<L::Sum>,
    fused: Option<Fused<L>>,
    narrow: Option<Narrow<L>>,
}

impl<L: Level> AreaMosaic<L> {
    /// For axes that do not enlarge, and pictures of that size.
    pub(super) fn new(
        geometry: &Geometry,
        (width, height): (u32, u32),
        phase: Phase,
        kernels: Kernels,
    ) -> Self {
        let Geometry { x, y, .. } = geometry;
        let (across, down) = (windows(x, width), windows(y, height));
        let left = across[0].first as usize;
        let right = across.last().map_or(left, |last| last.first as usize + last.factors.len());
        let sums = vec![L::Sum::default(); right - left];
        let size = (width, height);
        let narrow = Narrow::new(kernels, geometry, [&across, &down], size, phase);
        let fused = || Fused::mosaic(kernels, geometry, &across, size, phase);
        Self {
            phase,
            fused: if narrow.is_some() { None } else { fused() },
            narrow,
            total: total(x, y),
            columns: Columns::Range { first: left, count: right - left },
            left,
            samples: vec![L::default(); right - left],
            color: sums.clone(),
            green: sums.clone(),
            green_of_mean: sums,
            across,
            down,
        }
    }

    /// Whether a kernel does it.
    pub(super) fn is_fused(&self) -> bool {
        self.fused.is_some() || self.narrow.is_some()
    }

    /// What writes output rows as a tensor's elements, if anything does.
    pub(super) fn narrow(&mut self) -> Option<&mut Narrow<L>> {
        self.narrow.as_mut()
    }

    /// Output row `y`; rows come in order. The picture is one of samples.
    pub(super) fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        if let Some(narrow) = &mut self.narrow {
            return narrow.row(y, picture, out);
        }
        if let Some(fused) = &mut self.fused {
            return fused.row(y, picture, out);
        }
        self.sum_down(y, picture);
        self.sum_across(out);
    }

    fn sum_down(&mut self, y: usize, picture: &mut Picture<'_, L>) {
        let Self { color, green, green_of_mean, samples, left, .. } = self;
        for sums in [&mut *color, green, green_of_mean] {
            sums.fill(L::Sum::default());
        }
        let window = &self.down[y];
        for (y, factors) in (window.first as usize..).zip(&window.factors) {
            picture.read(y, &self.columns, samples);
            let [of_color, of_green, of_mean] =
                [factors.color(), factors.green(), factors.of_mean].map(|factor| factor as i32);
            let colored = (self.phase.colored(y) + *left) % 2;
            let count = samples.len();
            let (color, samples) = (&mut color[..count], &samples[..count]);
            let (green, green_of_mean) = (&mut green[..count], &mut green_of_mean[..count]);
            for x in (colored..count).step_by(2) {
                color[x] += samples[x].times(of_color);
            }
            for x in (1 - colored..count).step_by(2) {
                green[x] += samples[x].times(of_green);
                green_of_mean[x] += samples[x].times(of_mean);
            }
        }
    }

    fn sum_across(&self, out: &mut [L]) {
        let shown = self.across.len();
        for (index, window) in self.across.iter().enumerate() {
            let mut rgb = [0; 3];
            for (x, factors) in (window.first as usize..).zip(&window.factors) {
                let at = x - self.left;
                let [color, green, green_of_mean] = [&self.color, &self.green, &self.green_of_mean]
                    .map(|sums| {
                        let sum: i64 = sums[at].into();
                        sum as u64
                    });
                let channel = if x % 2 == self.phase.red_x { 0 } else { 2 };
                rgb[channel] += u64::from(factors.color()) * color;
                rgb[1] += u64::from(factors.of_mean) * green
                    + u64::from(factors.of_neighbours) * green_of_mean;
            }
            for ((channel, sum), bias) in rgb.into_iter().enumerate().zip(BIAS) {
                out[channel * shown + index] = L::of(mean(sum, self.total, bias));
            }
        }
    }
}

/// Sum of the weights of an output pixel.
pub(super) fn total(x: &Axis, y: &Axis) -> u64 {
    4 * u64::from(spans(x, 0).total) * u64::from(spans(y, 0).total)
}

/// The quotient and its bias in 32nds, rounded half up; of levels never more than the greatest.
fn mean(sum: u64, total: u64, bias: u32) -> u32 {
    ((32 * sum + (u64::from(bias) + 16) * total) / (32 * total)) as u32
}

#[cfg(test)]
mod tests {
    use super::super::demosaic::Lines;
    use super::super::geometry::Orientation;
    use super::super::picture::Reader;
    use super::super::spec::{Resize, Spec};
    use super::*;
    use crate::frame::{Bayer, PixelFormat};

    fn axis(first: u32, source: u32, resized: u32) -> Axis {
        Axis { first, source, resized, skip: 0, shown: resized, pad: 0, size: resized }
    }

    /// Each output pixel's mean of the demosaiced picture, four times and unrounded at every pixel.
    fn demosaiced_mean(bayer: Bayer, of: [usize; 2], x: &Axis, y: &Axis, image: &[u8]) -> Vec<f64> {
        let [width, height] = of;
        let mut means = vec![0.0; 3 * (x.shown * y.shown) as usize];
        let (across, down) = (spans(x, x.first), spans(y, y.first));
        for (row, down_span) in down.spans.iter().enumerate() {
            for (column, span) in across.spans.iter().enumerate() {
                let mut sums = [0.0; 3];
                for at_y in down_span.first..=down_span.last {
                    for at_x in span.first..=span.last {
                        let weight =
                            span.weight(at_x, across.whole) * down_span.weight(at_y, down.whole);
                        let pixel = exact_pixel(bayer, of, at_x as usize, at_y as usize, image);
                        for (sum, level) in sums.iter_mut().zip(pixel) {
                            *sum += f64::from(weight) * level;
                        }
                    }
                }
                let total = f64::from(across.total) * f64::from(down.total);
                for (channel, sum) in sums.into_iter().enumerate() {
                    let plane = channel * (x.shown * y.shown) as usize;
                    means[plane + row * x.shown as usize + column] = sum / total;
                }
            }
        }
        assert_eq!(image.len(), width * height);
        means
    }

    /// Bilinear demosaicing without any rounding: that of pictures whose levels are multiples of
    /// four rounds nothing, so a quarter of it is exact.
    fn exact_pixel(
        bayer: Bayer,
        [width, height]: [usize; 2],
        x: usize,
        y: usize,
        image: &[u8],
    ) -> [f64; 3] {
        let fourfold = |bits: u8| -> Vec<u8> {
            image.iter().map(|&level| (level >> bits & 15) << 2).collect()
        };
        let pixel = |image: &[u8]| {
            let y = Lines::<u8>::middle(y, height);
            Lines::new(bayer, y, |y| &image[y * width..][..width])
                .pixel(x)
                .map(|level| f64::from(level) / 4.0)
        };
        let (low, high) = (pixel(&fourfold(0)), pixel(&fourfold(4)));
        std::array::from_fn(|channel| low[channel] + 16.0 * high[channel])
    }

    #[test]
    fn it_is_the_mean_of_the_demosaiced_picture() {
        for (bayer, (width, height), x, y) in [
            (Bayer::RG, (13, 11), axis(0, 13, 4), axis(0, 11, 3)),
            (Bayer::GR, (12, 12), axis(0, 12, 6), axis(0, 12, 1)),
            (Bayer::GB, (15, 9), axis(3, 9, 5), axis(2, 7, 7)),
            (Bayer::BG, (7, 14), axis(6, 1, 1), axis(13, 1, 1)),
            (Bayer::RG, (3, 3), axis(0, 3, 2), axis(0, 3, 3)),
        ] {
            let image: Vec<u8> = (0..width * height).map(|at| (at * 97 % 256) as u8).collect();
            let expected = demosaiced_mean(bayer, [width, height], &x, &y, &image);
            let spec = Spec::new(Resize::Area, [x.shown, y.shown]);
            let orientation = Orientation::new(&spec, width as u32, height as u32);
            let geometry = Geometry { orientation, x, y };
            let size = (width as u32, height as u32);
            let mut area = AreaMosaic::new(&geometry, size, Phase::of(bayer), Kernels::scalar());
            let format = match bayer {
                Bayer::RG => PixelFormat::BAYER_RG8,
                Bayer::GR => PixelFormat::BAYER_GR8,
                Bayer::GB => PixelFormat::BAYER_GB8,
                Bayer::BG => PixelFormat::BAYER_BG8,
            };
            let mut reader = Reader::<u8>::new(&spec, size, format, 0).unwrap().of_samples();
            let mut picture = reader.open(&image, width).unwrap();
            let shown = x.shown as usize;
            let mut line = vec![0; 3 * shown];
            for row in 0..y.shown as usize {
                area.row(row, &mut picture, &mut line);
                for (at, &level) in line.iter().enumerate() {
                    let plane = (at / shown) * shown * y.shown as usize;
                    let exact = expected[plane + row * shown + at % shown];
                    let biased = exact + f64::from(BIAS[at / shown]) / 32.0;
                    assert!(
                        (f64::from(level) - biased).abs() <= 0.5 + 1e-9,
                        "{bayer:?} {at} {row}"
                    );
                }
            }
        }
    }
}
