//! What grey levels need beside: the part in the template's light, and its pixels beyond their limits.

use super::bits::Bits;
use super::kernels::{CELL, Kernels, Portable};

/// Memory for comparing grey levels.
#[derive(Debug)]
pub(super) struct Grey {
    pub(super) low: Vec<u8>,
    pub(super) high: Vec<u8>,
    /// The part in the template's light.
    pub(super) lit: Vec<u8>,
    /// Sums of the part's and of the template's levels, cell by cell, and of a row over those around.
    sums: Vec<[u32; 2]>,
    line: Vec<[u32; 2]>,
    /// How much brighter each cell of a row is made, in 256ths.
    gains: Vec<u16>,
    zeros: Vec<u8>,
    found: [Vec<u8>; 2],
}

/// Brings the part to the template's light, cell by cell: shading and exposure are no difference.
pub(super) struct Light<'a> {
    pub(super) grey: &'a mut Grey,
    pub(super) part: &'a [u8],
    pub(super) template: &'a [u8],
    pub(super) size: [usize; 2],
}

impl Portable for Light<'_> {
    #[inline(always)]
    fn run(self) {
        // Over so many cells to each side that a defect does not light itself away.
        const NEAR: usize = 3;
        let Self { grey, part, template, size: [width, height] } = self;
        let Grey { lit, sums, line, gains, .. } = grey;
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        sums.fill([0; 2]);
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let cells = &mut sums[y / CELL * columns..][..columns];
            let levels = part[row.clone()].chunks(CELL).zip(template[row].chunks(CELL));
            for (sum, (part, template)) in cells.iter_mut().zip(levels) {
                // A whole cell is as many pixels as the compiler knows of.
                let of = |pixels: &[u8]| match <&[u8; CELL]>::try_from(pixels) {
                    Ok(pixels) => pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>(),
                    Err(_) => pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>(),
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
                *gain = (wanted * 256 / seen.max(1)).clamp(64, 1024) as u16;
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

impl Grey {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        Self {
            low: vec![0; width * height],
            high: vec![0; width * height],
            lit: vec![0; width * height],
            sums: vec![[0; 2]; columns * rows],
            line: vec![[0; 2]; columns],
            gains: vec![0; columns],
            zeros: vec![0; width],
            found: [vec![0; width.div_ceil(8)], vec![0; width.div_ceil(8)]],
        }
    }

    /// Pixels below their least or above their greatest level.
    pub(super) fn beyond(
        &mut self,
        [width, height]: [usize; 2],
        kernels: Kernels,
        difference: &mut Bits,
    ) {
        let [below, above] = &mut self.found;
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let (lit, low) = (&self.lit[row.clone()], &self.low[row.clone()]);
            kernels.exceeds(low, lit, &self.zeros, below);
            kernels.exceeds(lit, &self.high[row], &self.zeros, above);
            let both = below.iter().zip(&*above).map(|(below, above)| below | above);
            difference.pixels_mut(y).iter_mut().zip(both).for_each(|(to, from)| *to = from);
        }
    }
}
