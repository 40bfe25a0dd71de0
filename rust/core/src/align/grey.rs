//! What grey levels need beside: the part in the template's light, and its pixels beyond their limits.

use super::bits::Bits;
use super::kernels::{CELL, Kernels, Portable};
use super::template::{Golden, Look};

/// Memory for comparing grey levels.
#[derive(Debug)]
pub(super) struct Grey {
    /// How far each pixel may be off.
    pub(super) tolerance: Vec<u8>,
    /// The part in the template's light.
    pub(super) lit: Vec<u8>,
    /// Sums of the part's and of the template's levels, cell by cell, and of a row over those around.
    sums: Vec<[u32; 2]>,
    line: Vec<[u32; 2]>,
    /// How much brighter each cell of a row is made, in 256ths.
    gains: Vec<u16>,
    zeros: Vec<u8>,
    /// Least and greatest of three rows, one pixel more to each side.
    spans: [Vec<u8>; 2],
    /// How far the pixels of a row lie beyond what their neighbours span.
    away: Vec<u8>,
    /// Where the template lies beyond what the part's pixels span.
    missing: Bits,
}

/// Brings the part to the template's light, cell by cell: shading and exposure are no difference.
pub(super) struct Light<'a> {
    pub(super) grey: &'a mut Grey,
    pub(super) part: &'a [u8],
    pub(super) template: &'a [u8],
    /// What is compared: nothing else says how light it is.
    pub(super) care: &'a Bits,
    pub(super) size: [usize; 2],
}

impl Portable for Light<'_> {
    #[inline(always)]
    fn run(self) {
        // Over so many cells to each side that a defect does not light itself away.
        const NEAR: usize = 3;
        let Self { grey, part, template, care, size: [width, height] } = self;
        let Grey { lit, sums, line, gains, .. } = grey;
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        sums.fill([0; 2]);
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let cells = &mut sums[y / CELL * columns..][..columns];
            let levels = part[row.clone()].chunks(CELL).zip(template[row].chunks(CELL));
            let (cared, _) = care.row(y).as_chunks::<2>();
            for (sum, ((part, template), cared)) in cells.iter_mut().zip(levels.zip(cared)) {
                let cared = u16::from_le_bytes(*cared);
                // A whole cell is as many pixels as the compiler knows of.
                let of = |pixels: &[u8]| match <&[u8; CELL]>::try_from(pixels) {
                    Ok(pixels) if cared == u16::MAX => {
                        pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>()
                    }
                    _ if cared == 0 => 0,
                    _ => {
                        let one = |(at, pixel): (usize, &u8)| {
                            u32::from(*pixel) * u32::from(cared >> at & 1)
                        };
                        pixels.iter().enumerate().map(one).sum::<u32>()
                    }
                };
                (sum[0], sum[1]) = (sum[0] + of(part), sum[1] + of(template));
            }
        }
        for row in 0..rows {
            line.fill([0; 2]);
            for row in row.saturating_sub(NEAR)..(row + NEAR + 1).min(rows) {
                for (sum, cell) in line.iter_mut().zip(&sums[row * columns..]) {
                    *sum = [sum[0] + cell[0], sum[1] + cell[1]];
                }
            }
            for (column, gain) in gains.iter_mut().enumerate() {
                let near = &line[column.saturating_sub(NEAR)..(column + NEAR + 1).min(columns)];
                let [seen, wanted] =
                    [0, 1].map(|of: usize| near.iter().map(|sum| u64::from(sum[of])).sum::<u64>());
                // More than four times brighter or darker is another picture.
                *gain = match wanted {
                    0 if seen == 0 => 256,
                    _ => (wanted * 256 / seen.max(1)).clamp(64, 1024) as u16,
                };
            }
            for y in row * CELL..((row + 1) * CELL).min(height) {
                let row = y * width..(y + 1) * width;
                let (lit, _) = lit[row.clone()].as_chunks_mut::<CELL>();
                let (part, _) = part[row].as_chunks::<CELL>();
                for ((lit, part), gain) in lit.iter_mut().zip(part).zip(&*gains) {
                    *lit = part.map(|pixel| brightened(pixel, *gain));
                }
            }
            // A last cell that is not whole.
            let first = width / CELL * CELL;
            for y in row * CELL..((row + 1) * CELL).min(height) {
                for at in y * width + first..(y + 1) * width {
                    lit[at] = brightened(part[at], gains[columns - 1]);
                }
            }
        }
    }
}

/// A level, so many 256ths brighter.
#[inline(always)]
fn brightened(level: u8, gain: u16) -> u8 {
    ((u32::from(level) * u32::from(gain) + 128) >> 8).min(255) as u8
}

/// How far the pixels of a row lie below or above what those around each of them span in another picture.
struct Away<'a> {
    levels: &'a [u8],
    /// The row in the other picture, with that above and that below.
    rows: [&'a [u8]; 3],
    spans: &'a mut [Vec<u8>; 2],
    away: &'a mut [u8],
}

impl Portable for Away<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { levels, rows: [above, own, below], spans: [low, high], away } = self;
        let width = levels.len();
        let (above, own, below) = (&above[..width], &own[..width], &below[..width]);
        let (low, high) = (&mut low[..width + 2], &mut high[..width + 2]);
        for x in 0..width {
            low[x + 1] = above[x].min(own[x]).min(below[x]);
            high[x + 1] = above[x].max(own[x]).max(below[x]);
        }
        for side in [&mut *low, &mut *high] {
            (side[0], side[width + 1]) = (side[1], side[width]);
        }
        let lows = [0, 1, 2].map(|by: usize| &low[by..by + width]);
        let highs = [0, 1, 2].map(|by: usize| &high[by..by + width]);
        let away = &mut away[..width];
        for x in 0..width {
            let least = lows[0][x].min(lows[1][x]).min(lows[2][x]);
            let greatest = highs[0][x].max(highs[1][x]).max(highs[2][x]);
            let (under, over) =
                (least.saturating_sub(levels[x]), levels[x].saturating_sub(greatest));
            away[x] = under.max(over);
        }
    }
}

impl Grey {
    pub(super) fn new(golden: &Golden) -> Self {
        let (width, height) = (golden.width, golden.height);
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        let tolerance = match &golden.look {
            Look::Grey { least, tolerance: None } => vec![*least; width],
            _ => vec![0; width * height],
        };
        Self {
            tolerance,
            lit: vec![0; width * height],
            sums: vec![[0; 2]; columns * rows],
            line: vec![[0; 2]; columns],
            gains: vec![0; columns],
            zeros: vec![0; width],
            spans: [vec![0; width + 2], vec![0; width + 2]],
            away: vec![0; width],
            missing: Bits::new(width, height),
        }
    }

    /// Pixels of the part beyond what the template's around them span: an edge between two pixels may fall to
    /// either side. That leaves the middle of a line that is gone, so beside these pixels it is also asked
    /// where the template lies beyond what the part's span.
    pub(super) fn beyond(
        &mut self,
        template: &[u8],
        [width, height]: [usize; 2],
        kernels: Kernels,
        difference: &mut Bits,
    ) {
        let Self { tolerance, lit, zeros, spans, away, missing, .. } = self;
        for y in 0..height {
            // The same for all rows, or one of its own.
            let first = if tolerance.len() == width { 0 } else { y * width };
            let tolerance = &tolerance[first..first + width];
            let both = [(&lit[..], template, &mut *difference), (template, &lit[..], missing)];
            for (levels, other, bits) in both {
                let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)]
                    .map(|y| &other[y * width..(y + 1) * width]);
                let levels = &levels[y * width..(y + 1) * width];
                kernels.run(Away { levels, rows, spans, away });
                kernels.exceeds(away, zeros, tolerance, bits.pixels_mut(y));
            }
        }
        missing.keep_beside(difference);
        std::mem::swap(missing, difference);
    }
}
