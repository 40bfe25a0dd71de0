//! The golden picture, made ready for comparing parts with it.

use super::bits::Bits;
use super::kernels::{CELL, Kernels};
use super::{Levels, MOST_LOCAL, STAY, Settings};
use crate::error::{Error, Result};

/// Sides that are handled: one window at least, and coordinates that fit in 16 bits.
const SIDES: std::ops::RangeInclusive<usize> = 64..=1 << 14;
/// What a pixel away from the best shift of the whole picture costs, of pictures half of whose bits are set.
const PENALTY: usize = 31;
const LEAST_PENALTY: usize = 4;
/// How much smaller the picture is that a wide search starts on.
pub(super) const COARSE: usize = 4;

/// A golden picture with all that is worked out of it beforehand; all workers share one.
#[derive(Clone, Debug)]
pub struct Golden {
    pub(super) settings: Settings,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
    /// What is compared.
    pub(super) care: Bits,
    /// Pixels that are.
    pub(super) cared: usize,
    pub(super) features: Planes,
    /// For a search too wide for the full size, and what of it counts where that is not simply all.
    pub(super) coarse: Option<(Planes, Option<Bits>)>,
    /// What a pixel away from the best shift of the whole picture costs a cell.
    pub(super) penalty: usize,
    /// Bits that count, where they are not simply all.
    pub(super) valid: Option<Bits>,
    pub(super) look: Look,
}

/// What is compared after alignment.
#[derive(Clone, Debug)]
pub(super) enum Look {
    /// Bits.
    Two(Bits),
    /// Grey levels: how far each pixel may be off, where that is not the same for all.
    Grey { least: u8, tolerance: Option<Vec<u8>> },
}

impl Golden {
    /// From grey levels, row after row, of a picture of `size` (columns, rows). `care` is 0 where
    /// nothing is compared. `tolerance`, for [`Levels::Grey`], is how far each pixel may be off
    /// beyond the setting's; without one no pixel may.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a size that is not handled, a picture, mask or tolerance of another
    /// size, or settings out of range.
    pub fn new(
        settings: &Settings,
        size: [usize; 2],
        pixels: &[u8],
        care: Option<&[u8]>,
        tolerance: Option<&[u8]>,
    ) -> Result<Self> {
        settings.check()?;
        let [width, height] = size;
        if !SIDES.contains(&width) || !SIDES.contains(&height) {
            let problem = format!("{width} x {height}; sides of {SIDES:?} are handled");
            return Err(Error::invalid("golden", problem));
        }
        let count = width * height;
        let given = [("pixels", Some(pixels)), ("mask", care), ("tolerance", tolerance)];
        for (what, bytes) in given {
            if let Some(bytes) = bytes.filter(|bytes| bytes.len() != count) {
                let problem = format!("{} B for {width} x {height} pixels", bytes.len());
                return Err(Error::invalid(format!("golden {what}"), problem));
            }
        }
        let mut seen = Bits::new(width, height);
        let zeros = vec![0; width];
        for y in 0..height {
            match care {
                Some(care) => {
                    let row = &care[y * width..][..width];
                    Kernels::Scalar.exceeds(row, &zeros, &zeros, seen.pixels_mut(y));
                }
                None => {
                    Kernels::Scalar.exceeds(&vec![1; width], &zeros, &zeros, seen.pixels_mut(y))
                }
            }
        }
        let whole = width.is_multiple_of(CELL) && height.is_multiple_of(CELL);
        let cared = seen.count();
        let valid = (!whole || cared < count).then(|| seen.clone());
        let mut work = Features::new(settings.levels, width, height);
        work.read(pixels, Kernels::Scalar);
        let reach = settings.radius_px;
        let furthest = (reach + 1).max(STAY + settings.searched_px());
        let features = Planes::new(&work.planes, furthest);
        let coarse = (reach > MOST_LOCAL).then(|| {
            let [small_width, small_height] = [width / COARSE, height / COARSE];
            let mut small = vec![0; small_width * small_height];
            shrink(pixels, width, &mut small, small_width);
            let mut work = Features::new(settings.levels, small_width, small_height);
            work.read(&small, Kernels::Scalar);
            let planes = Planes::new(&work.planes, (reach + 1).div_ceil(COARSE));
            (planes, (cared < count).then(|| shrunk(&seen)))
        });
        let penalty = penalty(settings.levels, &work.planes, count);
        let look = match settings.levels {
            Levels::Two { .. } => Look::Two(work.planes.swap_remove(0)),
            Levels::Grey { tolerance: least, .. } => {
                let beyond = |map: &u8| map.saturating_add(least);
                Look::Grey {
                    least,
                    tolerance: tolerance.map(|map| map.iter().map(beyond).collect()),
                }
            }
        };
        Ok(Self {
            settings: settings.clone(),
            width,
            height,
            pixels: pixels.to_vec(),
            cared,
            care: seen,
            features,
            coarse,
            penalty,
            valid,
            look,
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.width, self.height]
    }

    /// How parts are compared with it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn cares_for_all(&self) -> bool {
        self.cared == self.width * self.height
    }

    /// Share of the picture that is compared, 0..1.
    pub fn cared_for(&self) -> f64 {
        self.cared as f64 / (self.width * self.height) as f64
    }
}

/// Means of squares of [`COARSE`] pixels.
pub(super) fn shrink(pixels: &[u8], width: usize, small: &mut [u8], small_width: usize) {
    let area = (COARSE * COARSE) as u32;
    for (y, row) in small.chunks_exact_mut(small_width).enumerate() {
        for (x, mean) in row.iter_mut().enumerate() {
            let mut sum = area / 2;
            for line in 0..COARSE {
                let from = &pixels[(COARSE * y + line) * width + COARSE * x..][..COARSE];
                sum += from.iter().map(|pixel| u32::from(*pixel)).sum::<u32>();
            }
            *mean = (sum / area) as u8;
        }
    }
}

/// Squares of [`COARSE`] pixels that are set altogether.
fn shrunk(bits: &Bits) -> Bits {
    let mut small = Bits::new(bits.width / COARSE, bits.height / COARSE);
    for y in 0..small.height {
        for x in 0..small.width {
            let row = |line: usize| bits.read(COARSE * x, COARSE * y + line, COARSE);
            let all = (0..COARSE).all(|line| row(line) == (1 << COARSE) - 1);
            small.row_mut(y)[x / 8] |= u8::from(all) << (x % 8);
        }
    }
    small
}

/// What a pixel away from the best shift of the whole picture costs: 0.0015 of all bits. Of grey levels few
/// bits are set, and a wrong shift makes as few of them differ: there it is less.
fn penalty(levels: Levels, planes: &[Bits], pixels: usize) -> usize {
    match levels {
        Levels::Two { .. } => PENALTY,
        Levels::Grey { .. } => {
            let set: usize = planes.iter().map(Bits::count).sum();
            let share = set as f64 / (planes.len() * pixels) as f64;
            let differ = 4.0 * share * (1.0 - share);
            ((PENALTY as f64 * differ).round() as usize).clamp(LEAST_PENALTY, PENALTY)
        }
    }
}

/// What alignment compares: bits of a picture, in one plane or several.
#[derive(Clone, Debug)]
pub(super) struct Features {
    levels: Levels,
    pub(super) planes: Vec<Bits>,
    /// A row of zeros, and one of the level or the edge.
    zeros: Vec<u8>,
    above: Vec<u8>,
}

impl Features {
    pub(super) fn new(levels: Levels, width: usize, height: usize) -> Self {
        let (planes, above) = match levels {
            Levels::Two { above } => (1, above),
            Levels::Grey { edge, .. } => (4, edge),
        };
        Self {
            levels,
            planes: vec![Bits::new(width, height); planes],
            zeros: vec![0; width],
            above: vec![above; width],
        }
    }

    /// Of two levels, whether a pixel is bright. Of grey, whether it becomes brighter or darker to
    /// the right and downwards: what light changes slowly changes none of that.
    pub(super) fn read(&mut self, pixels: &[u8], kernels: Kernels) {
        let (width, height) = (self.planes[0].width, self.planes[0].height);
        for y in 0..height {
            let row = &pixels[y * width..][..width];
            match (self.levels, &mut self.planes[..]) {
                (Levels::Two { .. }, [bright]) => {
                    kernels.exceeds(row, &self.zeros, &self.above, bright.pixels_mut(y));
                }
                (Levels::Grey { .. }, [brighter, darker, below_brighter, below_darker]) => {
                    // The last two columns and rows have no neighbour: they stay 0.
                    let inner = width - 2;
                    let by = &self.above[..inner];
                    let (left, right) = (&row[..inner], &row[2..]);
                    let bytes = inner.div_ceil(8);
                    kernels.exceeds(right, left, by, &mut brighter.pixels_mut(y)[..bytes]);
                    kernels.exceeds(left, right, by, &mut darker.pixels_mut(y)[..bytes]);
                    if y + 2 < height {
                        let under = &pixels[(y + 2) * width..][..width];
                        let by = &self.above;
                        kernels.exceeds(under, row, by, below_brighter.pixels_mut(y));
                        kernels.exceeds(row, under, by, below_darker.pixels_mut(y));
                    }
                }
                _ => {}
            }
        }
    }
}

/// The template's bits under every shift: eight copies, each a bit further left, so that any shift is
/// a place to read bytes from. Beyond its border the border goes on.
#[derive(Clone, Debug)]
pub(super) struct Planes {
    /// Of the template.
    pub(super) width: usize,
    pub(super) height: usize,
    reach: usize,
    pub(super) stride: usize,
    rows: usize,
    bytes: Vec<u8>,
}

impl Planes {
    fn new(planes: &[Bits], reach: usize) -> Self {
        let (width, height, own) = (planes[0].width, planes[0].height, planes[0].stride);
        let before = reach.div_ceil(8);
        let stride = own + 2 * before + 1;
        let rows = height.next_multiple_of(CELL) + 2 * reach;
        let mut bytes = Vec::with_capacity(planes.len() * 8 * rows * stride + 64);
        let mut wide = vec![0; stride + 1];
        for plane in planes {
            for shift in 0..8 {
                for row in 0..rows {
                    let y = row.saturating_sub(reach).min(height - 1);
                    let fill = |set: bool| if set { 0xFF } else { 0 };
                    wide.fill(fill(plane.get(width - 1, y)));
                    wide[..before].fill(fill(plane.get(0, y)));
                    let inside = plane.row(y);
                    wide[before..before + width / 8].copy_from_slice(&inside[..width / 8]);
                    if width % 8 > 0 {
                        let beyond = 0xFF << (width % 8);
                        let byte = &mut wide[before + width / 8];
                        *byte = (*byte & beyond) | inside[width / 8];
                    }
                    bytes.extend(wide.windows(2).map(|pair| {
                        let both = u16::from_le_bytes([pair[0], pair[1]]);
                        (both >> shift) as u8
                    }));
                }
            }
        }
        bytes.extend([0; 64]);
        Self { width, height, reach, stride, rows, bytes }
    }

    /// The bytes from row `y + dy`, column `dx` on.
    pub(super) fn under(&self, plane: usize, y: usize, [dx, dy]: [i32; 2]) -> &[u8] {
        let reach = self.reach as i32;
        debug_assert!(dx.abs() <= reach && dy.abs() <= reach);
        let column = (dx + 8 * reach.div_euclid(8) + if reach % 8 > 0 { 8 } else { 0 }) as usize;
        let row = (y as i32 + dy + reach) as usize;
        let first = ((plane * 8 + column % 8) * self.rows + row) * self.stride;
        &self.bytes[first + column / 8..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::tests::noise;

    #[test]
    fn planes_show_the_template_under_every_shift_and_its_border_beyond() {
        let (width, height, reach) = (77, 66, 13);
        let mut features = Features::new(Levels::Two { above: 127 }, width, height);
        features.read(&noise(width * height, 5), Kernels::Scalar);
        let planes = Planes::new(&features.planes, reach);
        let bright = &features.planes[0];
        for (dx, dy) in [(0, 0), (-13, 13), (13, -13), (5, -8), (-8, 1), (8, 0), (-1, 7)] {
            for (x, y) in [(0, 0), (76, 65), (40, 30), (3, 65), (76, 1)] {
                let bit = planes.under(0, y, [dx, dy])[x / 8] >> (x % 8) & 1 == 1;
                let at = |from: usize, by: i32, side: usize| {
                    (from as i32 + by).clamp(0, side as i32 - 1) as usize
                };
                assert_eq!(
                    bit,
                    bright.get(at(x, dx, width), at(y, dy, height)),
                    "{dx} {dy} {x} {y}"
                );
            }
        }
    }

    #[test]
    fn light_that_changes_slowly_changes_no_feature_of_grey() {
        let (width, height) = (64, 64);
        let levels = Levels::Grey { edge: 16, tolerance: 20 };
        let pixel =
            |at: usize| if (at % 64 / 8 + at / 64 / 8).is_multiple_of(2) { 60 } else { 200 };
        let lit: Vec<u8> = (0..width * height).map(pixel).collect();
        let shaded: Vec<u8> = lit
            .iter()
            .enumerate()
            .map(|(at, pixel)| (f64::from(*pixel) * (1.0 - 0.4 * (at % 64) as f64 / 64.0)) as u8)
            .collect();
        let mut a = Features::new(levels, width, height);
        let mut b = a.clone();
        a.read(&lit, Kernels::Scalar);
        b.read(&shaded, Kernels::Scalar);
        for (a, b) in a.planes.iter().zip(&b.planes) {
            assert!(a.count() > 0);
            assert_eq!(a.rows_from(0), b.rows_from(0));
        }
    }
}
