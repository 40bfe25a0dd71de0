//! `cv2.INTER_LINEAR` on bytes, and what `cv2.INTER_AREA` does where it enlarges: two taps an axis
//! in OpenCV's fixed point, bit for bit.
//!
//! Coefficients of bytes have 11 bits. Deeper levels are weighed in float32 by OpenCV; here in 20
//! bits, which differs by one level at most, and in neither does the order of sums matter.

use super::geometry::{Axis, Geometry};
use super::kernels::Kernels;
use super::kernels::linear::Mosaic;
use super::kernels::linear_pixels::Pixels;
use super::level::Level;
use super::picture::{Columns, Picture, Reader};

/// Where the two taps of an output pixel lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taps {
    /// Centres of pixels correspond: `INTER_LINEAR`.
    Centres,
    /// Corners correspond, and a pixel stays as it is unless an edge falls into it:
    /// `INTER_AREA` where at least one axis enlarges.
    Edges,
}

/// Two neighbours and their weights, which sum to about [`Level::LINEAR_ONE`].
#[derive(Clone, Copy, Debug)]
struct Tap {
    at: [u32; 2],
    weight: [i32; 2],
}

/// The resizer with its scratch.
#[derive(Clone, Debug)]
pub(super) struct Linear<L: Level> {
    /// Taps of an output row, as indices into `columns`.
    across: Vec<Tap>,
    /// Taps of the rows, in rows of the picture.
    down: Vec<Tap>,
    columns: Columns,
    /// The columns of one row, plane after plane, as everywhere.
    pixels: Vec<L>,
    /// The last two rows, resized across, and which they are.
    rows: [Vec<L::Sum>; 2],
    held: [Option<u32>; 2],
    mosaic: Option<Mosaic<L>>,
    of_pixels: Option<Pixels<L>>,
}

impl<L: Level> Linear<L> {
    /// Levels come out `gain` times as large.
    pub(super) fn new(
        geometry: &Geometry,
        taps: Taps,
        reader: &Reader<L>,
        gain: i32,
        kernels: Kernels,
    ) -> Self {
        let channels = reader.channels();
        let mut across = table(&geometry.x, taps, L::LINEAR_ONE);
        across.iter_mut().for_each(|tap| tap.weight = tap.weight.map(|weight| weight * gain));
        let down = table(&geometry.y, taps, L::LINEAR_ONE);
        let plain: Vec<_> = across.iter().map(|tap| (tap.at, tap.weight)).collect();
        let mosaic = reader
            .mosaic()
            .and_then(|phase| Mosaic::new(kernels, &plain, &geometry.y, reader.size(), phase));
        let of_pixels = Pixels::new(kernels, &plain, reader);
        let (first, count) = (geometry.x.first, geometry.x.source as usize);
        let mut picked: Vec<u32> = across.iter().flat_map(|tap| tap.at).collect();
        picked.sort_unstable();
        picked.dedup();
        // Where it shrinks a lot only the columns that have a tap are read, and demosaiced; one by
        // one, which costs several times what a column of a sweep does.
        let columns = if 4 * picked.len() < count {
            for tap in &mut across {
                tap.at = tap.at.map(|x| picked.partition_point(|&column| column < x) as u32);
            }
            Columns::Picked(picked.into())
        } else {
            for tap in &mut across {
                tap.at = tap.at.map(|x| x - first);
            }
            Columns::Range { first: first as usize, count }
        };
        let pixels = vec![L::default(); columns.count() * channels];
        let row = vec![L::Sum::default(); across.len() * channels];
        let rows = [row.clone(), row];
        Self { across, down, columns, pixels, rows, held: [None; 2], mosaic, of_pixels }
    }

    pub(super) fn restart(&mut self) {
        self.held = [None; 2];
        if let Some(mosaic) = &mut self.mosaic {
            mosaic.restart();
        }
        if let Some(pixels) = &mut self.of_pixels {
            pixels.restart();
        }
    }

    /// Whether a kernel does it.
    pub(super) fn is_fused(&self) -> bool {
        self.mosaic.is_some() || self.of_pixels.is_some()
    }

    /// Whether a mosaic's samples are wanted.
    pub(super) fn wants_samples(&self) -> bool {
        self.mosaic.is_some()
    }

    /// The rows that have a tap.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> {
        self.down.iter().flat_map(|tap| tap.at)
    }

    /// Output row `y`.
    pub(super) fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        let Tap { at: [upper, lower], weight } = self.down[y];
        let next = self.down.get(y + 1).map_or(upper, |tap| tap.at[0]);
        if let Some(mosaic) = &mut self.mosaic {
            return mosaic.row(([upper, lower], weight), next, picture, out);
        }
        if let Some(pixels) = &mut self.of_pixels {
            return pixels.row(([upper, lower], weight), next, picture, out);
        }
        if self.held[1] == Some(upper) {
            self.rows.swap(0, 1);
            self.held.swap(0, 1);
        }
        self.hold(0, upper, picture);
        if lower != upper {
            self.hold(1, lower, picture);
        }
        let second = &self.rows[usize::from(lower != upper)];
        for ((out, &upper), &lower) in out.iter_mut().zip(&self.rows[0]).zip(second) {
            *out = L::mixed([upper, lower], weight);
        }
    }

    /// Makes `rows[slot]` the picture's row `y`.
    fn hold(&mut self, slot: usize, y: u32, picture: &mut Picture<'_, L>) {
        if self.held[slot] == Some(y) {
            return;
        }
        self.held[slot] = Some(y);
        picture.read(y as usize, &self.columns, &mut self.pixels);
        let planes = self.pixels.chunks_exact(self.columns.count());
        for (out, plane) in self.rows[slot].chunks_exact_mut(self.across.len()).zip(planes) {
            for (out, &Tap { at: [left, right], weight }) in out.iter_mut().zip(&self.across) {
                let (left, right) = (plane[left as usize], plane[right as usize]);
                *out = left.times(weight[0]) + right.times(weight[1]);
            }
        }
    }
}

/// Taps of the pixels of an axis that are shown, in the picture's coordinates. A tap outside becomes
/// the edge's pixel and keeps its weight; giving all weight to one tap instead would sometimes differ
/// in a bit, since each tap of a column is cut off for itself.
fn table(axis: &Axis, taps: Taps, one: f32) -> Vec<Tap> {
    // OpenCV has the inverse scale rounded first.
    let inverse = f64::from(axis.resized) / f64::from(axis.source);
    let scale = 1.0 / inverse;
    let last = i64::from(axis.source) - 1;
    (axis.skip..axis.skip + axis.shown)
        .map(|index| {
            let (at, share) = match taps {
                Taps::Centres => {
                    let position = ((f64::from(index) + 0.5) * scale - 0.5) as f32;
                    (position.floor() as i64, position - position.floor())
                }
                Taps::Edges => {
                    let at = (f64::from(index) * scale).floor();
                    let over = (f64::from(index + 1) - (at + 1.0) * inverse) as f32;
                    (at as i64, if over <= 0.0 { 0.0 } else { over - over.floor() })
                }
            };
            let place = |at: i64| at.clamp(0, last) as u32 + axis.first;
            let weight = |share: f32| (share * one).round_ties_even() as i32;
            Tap { at: [place(at), place(at + 1)], weight: [weight(1.0 - share), weight(share)] }
        })
        .collect()
}
