//! Pillow's `Image.resize` on bytes with BILINEAR or BICUBIC, bit for bit: a filter that grows with
//! the shrinking, once across and once down, each in 22-bit fixed point and rounded to levels. On
//! deeper levels Pillow sums in float64, from which this differs by one of them at most.
//!
//! The order of the two matters to a bit. Pillow 13 goes down first where that saves work; before,
//! it always went across first, which differs (mostly by one grey level) only where the height
//! loses more than twice as many pixels as the width.

use super::geometry::{Axis, Geometry};
use super::kernels::Kernels;
use super::kernels::filter::{self, Ring};
use super::kernels::ramps;
use super::level::{FILTER_BITS, Level};
use super::picture::{Columns, Picture, Reader};

const HALF: i32 = 1 << (FILTER_BITS - 1);
/// So many rows before it is resized a row is fetched, which takes memory as long as resizing some.
const AHEAD: usize = 2;

/// The filter's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    Bilinear,
    Bicubic,
}

impl Filter {
    /// Half its width, in source pixels when enlarging.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// Its height at a distance from the centre.
    fn at(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            // Keys' cubic with a = -1/2.
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            _ => 0.0,
        }
    }
}

/// One axis: for each pixel shown the first source pixel and its weights.
#[derive(Clone, Debug)]
struct Windows {
    /// First source pixel, and where its weights begin and end.
    windows: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
}

impl Windows {
    fn of(&self, index: usize) -> (usize, &[i32]) {
        let (first, weights) = &self.windows[index];
        (*first, &self.weights[weights.clone()])
    }

    fn all(&self) -> Vec<filter::Window<'_>> {
        (0..self.windows.len()).map(|index| self.of(index)).collect()
    }

    fn longest(&self) -> usize {
        self.windows.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1)
    }
}

/// Which way is resized first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AcrossFirst,
    DownFirst,
}

impl Order {
    fn of(geometry: &Geometry) -> Self {
        let lost = |axis: &Axis| i64::from(axis.source) - i64::from(axis.resized);
        let (columns, rows) = (lost(&geometry.x), lost(&geometry.y));
        if rows > 0 && rows > 2 * columns { Self::DownFirst } else { Self::AcrossFirst }
    }
}

/// The resizer with its scratch.
#[derive(Clone, Debug)]
pub(super) struct Antialias<L: Level> {
    order: Order,
    across: Windows,
    down: Windows,
    columns: Columns,
    /// A row as wide as the crop: one of the picture, or what going down made of some.
    wide: Vec<L>,
    /// The latest rows, resized across or not, as many as an output row can look at: row y of the
    /// crop lies at place `y % count`.
    ring: Vec<L>,
    count: usize,
    /// The crop's next row to read.
    next: usize,
    /// Where the crop begins.
    top: usize,
    sums: Vec<L::Sum>,
    kernel: Option<filter::Filter>,
    /// The kernel down, where it knows a faster way for these weights.
    slopes: Option<ramps::Down>,
    /// Where the kernel takes a picture's own bytes: an output row of such pixels.
    pixels: Option<Vec<L>>,
}

impl<L: Level> Antialias<L> {
    pub(super) fn new(
        geometry: &Geometry,
        filter: Filter,
        reader: &Reader<L>,
        kernels: Kernels,
    ) -> Self {
        let Geometry { x, y, .. } = geometry;
        let order = Order::of(geometry);
        let (across, down) = (windows(x, filter), windows(y, filter));
        let of_windows = across.all();
        let source = x.source as usize;
        let of_pixels = reader.pixel_bytes().and_then(|each| {
            Some((filter::Filter::of_pixels(kernels, &of_windows, source, each)?, each))
        });
        let channels = of_pixels.as_ref().map_or(reader.channels(), |(_, each)| *each);
        let (wide, narrow) = (source * channels, x.shown as usize * channels);
        let pixels = of_pixels.is_some().then(|| vec![L::default(); narrow]);
        let held = match order {
            Order::AcrossFirst => narrow,
            Order::DownFirst => wide,
        };
        let kernel = match of_pixels {
            Some((kernel, _)) => Some(kernel),
            // Kernels know bytes only.
            None => L::bytes(&[]).and_then(|_| filter::Filter::new(kernels, &of_windows, source)),
        };
        let slopes = kernel.as_ref().and_then(|_| ramps::Down::new(kernels, &down.all(), held));
        Self {
            order,
            kernel,
            slopes,
            pixels,
            columns: Columns::Range { first: x.first as usize, count: source },
            wide: vec![L::default(); wide],
            ring: vec![L::default(); held * down.longest()],
            count: down.longest(),
            next: 0,
            top: y.first as usize,
            sums: vec![L::Sum::default(); held],
            across,
            down,
        }
    }

    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Whether a kernel does it.
    pub(super) fn is_fused(&self) -> bool {
        self.kernel.is_some()
    }

    /// Output row `y`; rows must come in order.
    pub(super) fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        match self.pixels.take() {
            Some(mut pixels) => {
                self.resized(y, true, picture, &mut pixels);
                picture.planes_of(L::bytes(&pixels).unwrap_or_default(), out);
                self.pixels = Some(pixels);
            }
            None => self.resized(y, false, picture, out),
        }
    }

    /// The same, of planes or of a picture's own pixels.
    fn resized(&mut self, y: usize, of_pixels: bool, picture: &mut Picture<'_, L>, out: &mut [L]) {
        let Self { order, columns, wide, ring, count, next, top, sums, kernel, slopes, .. } = self;
        let across = |wide: &[L], ahead: &[u8], out: &mut [L]| {
            if let (Some(kernel), Some(wide)) = (&kernel, L::bytes(wide))
                && let Some(out) = L::bytes_mut(out)
            {
                return kernel.across(wide, ahead, out);
            }
            across(&self.across, wide, columns.count(), out);
        };
        let (first, weights) = self.down.of(y);
        let held = sums.len();
        *next = first.max(*next);
        while *next < first + weights.len() {
            let (source, row) = (*top + *next, &mut ring[*next % *count * held..][..held]);
            *next += 1;
            if of_pixels && let Some(line) = L::borrowed(picture.pixels(source, columns)) {
                match order {
                    Order::AcrossFirst => {
                        across(line, picture.pixels(source + AHEAD, columns), row)
                    }
                    Order::DownFirst => row.copy_from_slice(line),
                }
                continue;
            }
            match order {
                Order::AcrossFirst => {
                    picture.read(source, columns, wide);
                    across(wide, &[], row);
                }
                Order::DownFirst => picture.read(source, columns, row),
            }
        }
        let mut down = |out: &mut [L]| {
            if let (Some(kernel), Some(ring)) = (&kernel, L::bytes(ring))
                && let Some(out) = L::bytes_mut(out)
            {
                let ring = Ring::new(ring, held, first);
                return match slopes {
                    Some(slopes) => slopes.row(y, kernel, ring, weights, out),
                    None => kernel.down(ring, weights, out),
                };
            }
            sums.fill(HALF.into());
            for (source, &weight) in (first..).zip(weights) {
                let row = &ring[source % *count * held..][..held];
                for (sum, &level) in sums.iter_mut().zip(row) {
                    *sum += level.times(weight);
                }
            }
            to_levels(sums, out);
        };
        match order {
            Order::AcrossFirst => down(out),
            Order::DownFirst => {
                down(wide);
                across(wide, &[], out);
            }
        }
    }
}

fn to_levels<L: Level>(sums: &[L::Sum], out: &mut [L]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out = L::filtered(sum);
    }
}

/// Resizes the planes of `pixels` across.
fn across<L: Level>(windows: &Windows, pixels: &[L], width: usize, out: &mut [L]) {
    let planes = pixels.chunks_exact(width);
    for (out, plane) in out.chunks_exact_mut(windows.windows.len()).zip(planes) {
        for (index, out) in out.iter_mut().enumerate() {
            let (first, weights) = windows.of(index);
            let covered = &plane[first..first + weights.len()];
            let products = covered.iter().zip(weights).map(|(&level, &w)| level.times(w));
            *out = L::filtered(L::Sum::from(HALF) + products.sum());
        }
    }
}

/// Windows of the pixels of an axis that are shown, in the crop's coordinates.
fn windows(axis: &Axis, filter: Filter) -> Windows {
    let scale = f64::from(axis.source) / f64::from(axis.resized);
    let stretch = scale.max(1.0);
    let (support, shrink) = (filter.support() * stretch, 1.0 / stretch);
    let mut all = Windows { windows: Vec::new(), weights: Vec::new() };
    for index in axis.skip..axis.skip + axis.shown {
        let centre = (f64::from(index) + 0.5) * scale;
        // Casts cut towards zero, and a negative number becomes 0, which is Pillow's own clamp.
        let first = (centre - support + 0.5) as u32;
        let end = ((centre + support + 0.5) as u32).min(axis.source);
        let heights = || (first..end).map(|at| filter.at((f64::from(at) - centre + 0.5) * shrink));
        let total: f64 = heights().sum();
        let begin = all.weights.len();
        all.weights.extend(heights().map(|height| {
            let share = if total == 0.0 { height } else { height / total };
            (share * f64::from(1 << FILTER_BITS) + 0.5_f64.copysign(share)) as i32
        }));
        all.windows.push((first as usize, begin..all.weights.len()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(source: u32, resized: u32) -> Axis {
        Axis { first: 0, source, resized, skip: 0, shown: resized, pad: 0, size: resized }
    }

    #[test]
    fn weights_sum_to_one() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (source, resized) in [(600, 160), (7, 50), (5, 5), (1, 9), (9, 1)] {
                let windows = windows(&axis(source, resized), filter);
                for index in 0..resized as usize {
                    let (_, weights) = windows.of(index);
                    let sum: i32 = weights.iter().sum();
                    assert!((sum - (1 << FILTER_BITS)).abs() <= weights.len() as i32);
                }
            }
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let windows = windows(&axis(9, 9), Filter::Bicubic);
        let pixels: Vec<u8> = (0..9).map(|at| at * 28).collect();
        let mut out = vec![0; 9];
        across(&windows, &pixels, 9, &mut out);
        assert_eq!(out, pixels);
    }
}
