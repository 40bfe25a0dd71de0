//! Bilinear demosaicing, bit for bit as `cv2.cvtColor` with `COLOR_Bayer..2RGB` does it.
//!
//! A missing colour is the rounded mean of its two or four nearest neighbours. Pixels of the
//! picture's outermost rows and columns repeat the finished pixel inside of them. PFNC names a
//! filter by its first two colours, OpenCV 4's old constants by those of the second row and
//! column: PFNC `BayerRG` is `COLOR_BayerRGGB2RGB`, formerly spelt `COLOR_BayerBG2RGB`.

use super::kernels::{Kernels, Portable};
use super::level::Level;
use crate::frame::Bayer;

/// Least side of a picture: below it no pixel has all its neighbours.
pub(super) const LEAST_SIDE: u32 = 3;

/// Where the red samples of a mosaic lie: their columns' and rows' parities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) red_x: usize,
    pub(super) red_y: usize,
}

impl Phase {
    pub(super) fn of(bayer: Bayer) -> Self {
        let (red_x, red_y) = match bayer {
            Bayer::RG => (0, 0),
            Bayer::GR => (1, 0),
            Bayer::GB => (0, 1),
            Bayer::BG => (1, 1),
        };
        Self { red_x, red_y }
    }

    /// Whether row `y` holds red beside green; else blue.
    pub(super) fn is_red_row(self, y: usize) -> bool {
        y % 2 == self.red_y
    }

    /// Parity of the columns of row `y` that are not green.
    pub(super) fn colored(self, y: usize) -> usize {
        if self.is_red_row(y) { self.red_x } else { 1 - self.red_x }
    }
}

/// A row of the mosaic with its neighbours, and which colours it holds.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a, L> {
    above: &'a [L],
    here: &'a [L],
    below: &'a [L],
    /// Whether this row holds red beside green; else blue.
    red_row: bool,
    /// Parity of the columns that are not green.
    colored: usize,
}

impl<'a, L: Level> Lines<'a, L> {
    /// The row that row `y` of `height >= 3` repeats, or is.
    pub(super) fn middle(y: usize, height: usize) -> usize {
        y.clamp(1, height - 2)
    }

    /// Row `y` of a mosaic, which has one above and one below; `line` gives those three.
    pub(super) fn new(bayer: Bayer, y: usize, line: impl Fn(usize) -> &'a [L]) -> Self {
        let phase = Phase::of(bayer);
        let (red_row, colored) = (phase.is_red_row(y), phase.colored(y));
        Self { above: line(y - 1), here: line(y), below: line(y + 1), red_row, colored }
    }

    /// Red, green and blue of column `x`.
    #[inline]
    pub(super) fn pixel(&self, x: usize) -> [L; 3] {
        let x = x.clamp(1, self.here.len() - 2);
        let neighbours = |line: &'a [L]| -> [L; 3] {
            line[x - 1..x + 2].try_into().expect("three columns were taken")
        };
        let (above, here, below) =
            (neighbours(self.above), neighbours(self.here), neighbours(self.below));
        let [of_row, green, of_column] = if x % 2 == self.colored {
            at_color(above, here, below)
        } else {
            at_green(above, here, below)
        };
        if self.red_row { [of_row, green, of_column] } else { [of_column, green, of_row] }
    }

    /// Planes of red, green and blue, from column `first` on.
    pub(super) fn fill(&self, kernels: Kernels, first: usize, planes: [&mut [L]; 3]) {
        let (end, width) = (first + planes[0].len(), self.here.len());
        // What lies between the outermost columns goes in one sweep.
        let (begin, last) = (first.max(1), end.min(width - 1));
        let [reds, greens, blues] = planes;
        if begin < last {
            let inside = begin - first..last - first;
            let (of_row, of_column) = if self.red_row {
                (&mut reds[inside.clone()], &mut blues[inside.clone()])
            } else {
                (&mut blues[inside.clone()], &mut reds[inside.clone()])
            };
            let near = |line: &'a [L]| &line[begin - 1..last + 1];
            let lines = [near(self.above), near(self.here), near(self.below)];
            let planes = [of_row, &mut greens[inside], of_column];
            kernels.run(Sweep { lines, colored: begin % 2 == self.colored, planes });
        }
        for x in [first, end - 1] {
            if x < begin || x >= last {
                [reds[x - first], greens[x - first], blues[x - first]] = self.pixel(x);
            }
        }
    }
}

/// Fills planes of the row's own colour, green and the other colour. `lines` hold one column more
/// on either side; `colored` says whether the first pixel is not green.
struct Sweep<'a, L> {
    lines: [&'a [L]; 3],
    colored: bool,
    planes: [&'a mut [L]; 3],
}

impl<L: Level> Portable for Sweep<'_, L> {
    #[inline(always)]
    fn run(self) {
        let [above, here, below] = self.lines;
        let [of_row, green, of_column] = self.planes;
        let count = of_row.len();
        let (above, here, below) = (&above[..count + 2], &here[..count + 2], &below[..count + 2]);
        let (green, of_column) = (&mut green[..count], &mut of_column[..count]);
        for x in 0..count {
            let at_color = at_color(
                [above[x], above[x + 1], above[x + 2]],
                [here[x], here[x + 1], here[x + 2]],
                [below[x], below[x + 1], below[x + 2]],
            );
            let at_green = at_green(
                [above[x], above[x + 1], above[x + 2]],
                [here[x], here[x + 1], here[x + 2]],
                [below[x], below[x + 1], below[x + 2]],
            );
            let pixel = if (x % 2 == 0) == self.colored { at_color } else { at_green };
            [of_row[x], green[x], of_column[x]] = pixel;
        }
    }
}

/// At a red or blue pixel: its own colour, green, and the other one.
#[inline(always)]
fn at_color<L: Level>(above: [L; 3], here: [L; 3], below: [L; 3]) -> [L; 3] {
    let green = L::mean_4([above[1], here[0], here[2], below[1]]);
    [here[1], green, L::mean_4([above[0], above[2], below[0], below[2]])]
}

/// At a green pixel: the colour of its row, green, and that of its column.
#[inline(always)]
fn at_green<L: Level>(above: [L; 3], here: [L; 3], below: [L; 3]) -> [L; 3] {
    [L::mean_2(here[0], here[2]), here[1], L::mean_2(above[1], below[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<'a>(bayer: Bayer, y: usize, height: usize, picture: &'a [u8]) -> Lines<'a, u8> {
        let width = picture.len() / height;
        let y = Lines::<u8>::middle(y, height);
        Lines::new(bayer, y, |y| &picture[y * width..][..width])
    }

    /// A mosaic of one colour for red, green and blue each.
    fn mosaic(bayer: Bayer, width: usize, height: usize, rgb: [u8; 3]) -> Vec<u8> {
        let cell = match bayer {
            Bayer::RG => [0, 1, 1, 2],
            Bayer::GR => [1, 0, 2, 1],
            Bayer::GB => [1, 2, 0, 1],
            Bayer::BG => [2, 1, 1, 0],
        };
        (0..width * height).map(|at| rgb[cell[(at / width % 2) * 2 + at % width % 2]]).collect()
    }

    #[test]
    fn one_colour_stays_one_colour_in_every_phase() {
        for bayer in [Bayer::RG, Bayer::GR, Bayer::GB, Bayer::BG] {
            for (width, height) in [(3, 3), (4, 3), (7, 6)] {
                let picture = mosaic(bayer, width, height, [200, 90, 13]);
                for y in 0..height {
                    let lines = lines(bayer, y, height, &picture);
                    for x in 0..width {
                        assert_eq!(lines.pixel(x), [200, 90, 13], "{bayer:?} {x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn means_round_half_up() {
        assert_eq!(u8::mean_2(1, 2), 2);
        assert_eq!(u8::mean_4([0, 0, 1, 1]), 1);
        assert_eq!(u8::mean_4([0, 0, 0, 1]), 0);
        assert_eq!(u8::mean_4([255; 4]), 255);
        assert_eq!(u16::mean_4([65_535; 4]), 65_535);
    }

    #[test]
    fn borders_repeat_the_pixel_inside() {
        let picture: Vec<u8> = (0..30).map(|at| (at * 37 % 251) as u8).collect();
        let lines = |y| lines(Bayer::RG, y, 5, &picture);
        assert_eq!(lines(0).pixel(0), lines(1).pixel(1));
        assert_eq!(lines(4).pixel(5), lines(3).pixel(4));
    }

    #[test]
    fn a_sweep_equals_its_pixels_wherever_it_begins() {
        let picture: Vec<u8> = (0..55).map(|at| (at * 97 % 256) as u8).collect();
        for bayer in [Bayer::RG, Bayer::GR, Bayer::GB, Bayer::BG] {
            for y in 0..5 {
                let lines = lines(bayer, y, 5, &picture);
                for first in 0..11 {
                    for end in first + 1..=11 {
                        let [mut reds, mut greens, mut blues] =
                            [0; 3].map(|_| vec![0; end - first]);
                        lines.fill(Kernels::scalar(), first, [&mut reds, &mut greens, &mut blues]);
                        for (index, x) in (first..end).enumerate() {
                            let swept = [reds[index], greens[index], blues[index]];
                            assert_eq!(swept, lines.pixel(x), "{bayer:?} {y} {first}..{end} {x}");
                        }
                    }
                }
            }
        }
    }
}
