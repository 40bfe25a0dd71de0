//! Masks from prototypes: each detection weighs them, and where the sum is above 0 is its mask.
//!
//! The sum is enlarged to the size of the model's input first, by half-pixel bilinear interpolation,
//! then cut at 0 and at the box: in another order, edges come out otherwise.

use super::findings::{Arrays, Mask};

/// The prototypes of one picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prototypes<'a> {
    /// [count, rows, columns].
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Prototypes<'_> {
    /// One of them.
    pub(super) fn only(&self, index: usize) -> Option<Self> {
        let size = self.rows * self.columns;
        let values = self.values.get(index * size..)?.get(..size)?;
        Some(Self { values, ..*self })
    }
}

/// Memory for one mask at a time.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// The weighted sum, as large as a prototype.
    sum: Vec<f32>,
    /// Two of its rows, mixed.
    line: Vec<f32>,
    /// For each column of the input: the two columns of the sum, and the share of the second.
    across: Vec<(u32, u32, f32)>,
    down: Vec<(u32, u32, f32)>,
}

/// What became of a mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Drawn {
    /// It covers so many pixels of the input, and lies there if it was kept.
    Pixels(usize, Option<Mask>),
    /// The model gave what is no number.
    Nonsense,
}

impl Masks {
    pub(super) fn new(rows: usize, columns: usize, width: usize, height: usize) -> Self {
        Self {
            sum: vec![0.0; rows * columns],
            line: vec![0.0; columns],
            across: taps(columns, width),
            down: taps(rows, height),
        }
    }

    /// The mask of a detection with these weights, within a box of the input's pixels.
    pub(super) fn draw(
        &mut self,
        prototypes: &Prototypes<'_>,
        weights: &[f32],
        [x1, y1, x2, y2]: [f32; 4],
        arrays: Option<&mut Arrays>,
    ) -> Drawn {
        let inside = |from: f32, to: f32, taps: &[(u32, u32, f32)]| {
            // From the first pixel that is not before `from` to the last that is before `to`.
            let length = taps.len() as f32;
            let (from, to) = (from.ceil().clamp(0.0, length), to.ceil().clamp(0.0, length));
            from as usize..(to as usize).max(from as usize)
        };
        let (columns, rows) = (inside(x1, x2, &self.across), inside(y1, y2, &self.down));
        if columns.is_empty() || rows.is_empty() {
            return Drawn::Pixels(0, None);
        }
        let needed = |taps: &[(u32, u32, f32)]| {
            taps.first().map_or(0, |first| first.0 as usize)
                ..taps.last().map_or(0, |last| last.1 as usize + 1)
        };
        let (left_right, top_down) =
            (needed(&self.across[columns.clone()]), needed(&self.down[rows.clone()]));
        let stride = prototypes.columns;
        for y in top_down.clone() {
            let line = y * stride + left_right.start..y * stride + left_right.end;
            let sum = &mut self.sum[line.clone()];
            sum.fill(0.0);
            for (weight, plane) in
                weights.iter().zip(prototypes.values.chunks(prototypes.rows * stride))
            {
                for (sum, value) in sum.iter_mut().zip(&plane[line.clone()]) {
                    *sum += weight * value;
                }
            }
            if !sum.iter().sum::<f32>().is_finite() {
                return Drawn::Nonsense;
            }
        }
        let mask = arrays.map(|arrays| {
            let first_bit = arrays.room(columns.len() * rows.len());
            let mask = Mask {
                x: columns.start as u16,
                y: rows.start as u16,
                width: columns.len() as u16,
                height: rows.len() as u16,
                first_bit,
            };
            (arrays, mask)
        });
        let (mut arrays, mask) = match mask {
            Some((arrays, mask)) => (Some(arrays), Some(mask)),
            None => (None, None),
        };
        let mut pixels = 0;
        let mut bit = mask.map_or(0, |mask| mask.first_bit);
        for y in rows {
            let (upper, lower, share) = self.down[y];
            let row = |y: u32| {
                y as usize * stride + left_right.start..y as usize * stride + left_right.end
            };
            let (upper, lower) = (&self.sum[row(upper)], &self.sum[row(lower)]);
            let line = &mut self.line[left_right.clone()];
            for ((mixed, upper), lower) in line.iter_mut().zip(upper).zip(lower) {
                *mixed = upper * (1.0 - share) + lower * share;
            }
            for &(left, right, share) in &self.across[columns.clone()] {
                let (left, right) = (self.line[left as usize], self.line[right as usize]);
                if left * (1.0 - share) + right * share > 0.0 {
                    pixels += 1;
                    if let Some(arrays) = arrays.as_deref_mut() {
                        arrays.set(bit);
                    }
                }
                bit += 1;
            }
        }
        Drawn::Pixels(pixels, mask)
    }
}

/// Where each of `to` pixels lies among `from` pixels that cover the same length.
fn taps(from: usize, to: usize) -> Vec<(u32, u32, f32)> {
    let step = from as f32 / to.max(1) as f32;
    let tap = |at: usize| {
        let place = ((at as f32 + 0.5) * step - 0.5).max(0.0);
        let first = (place as usize).min(from.saturating_sub(1));
        let second = (first + 1).min(from.saturating_sub(1));
        (first as u32, second as u32, place - first as f32)
    };
    (0..to).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prototypes 2 x 2; the first is above 0 on the left, the second on the right.
    const HALVES: [f32; 8] = [1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0];

    fn draw(weights: &[f32], corners: [f32; 4]) -> (usize, Vec<String>) {
        let mut arrays = Arrays::default();
        let prototypes = Prototypes { values: &HALVES, rows: 2, columns: 2 };
        let drawn = Masks::new(2, 2, 8, 8).draw(&prototypes, weights, corners, Some(&mut arrays));
        let Drawn::Pixels(pixels, mask) = drawn else { panic!("{drawn:?}") };
        let Some(mask) = mask else { return (pixels, Vec::new()) };
        let line = |y| {
            (0..8).map(|x| if arrays.covers(&mask, x, y) { '#' } else { '.' }).collect::<String>()
        };
        (pixels, (0..8).map(line).collect())
    }

    #[test]
    fn a_mask_is_where_the_weighed_prototypes_are_above_zero_within_the_box() {
        let (pixels, lines) = draw(&[1.0, 0.0], [1.2, 2.0, 7.0, 4.0]);
        assert_eq!(pixels, 4);
        assert_eq!(lines[2], "..##....");
        assert_eq!(lines[3], lines[2]);
        assert_eq!((lines[1].as_str(), lines[4].as_str()), ("........", "........"));
        let (pixels, lines) = draw(&[0.0, 1.0], [-5.0, -5.0, 50.0, 1.0]);
        assert_eq!((pixels, lines[0].as_str()), (4, "....####"));
    }

    #[test]
    fn nothing_is_left_of_a_mask_that_is_nowhere_above_zero() {
        assert_eq!(draw(&[1.0, 1.0], [0.0, 0.0, 8.0, 8.0]).0, 0);
        assert_eq!(draw(&[1.0, 0.0], [9.0, 0.0, 12.0, 8.0]).0, 0);
        assert_eq!(draw(&[1.0, 0.0], [3.0, 3.0, 3.0, 3.0]).0, 0);
    }

    #[test]
    fn prototypes_that_are_no_numbers_are_noticed() {
        let prototypes = Prototypes { values: &[f32::NAN; 8], rows: 2, columns: 2 };
        let drawn =
            Masks::new(2, 2, 8, 8).draw(&prototypes, &[1.0, 0.0], [0.0, 0.0, 8.0, 8.0], None);
        assert_eq!(drawn, Drawn::Nonsense);
    }
}
