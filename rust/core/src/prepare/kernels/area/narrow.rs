//! The area mean of a mosaic that shrinks less than about four times, down first, then across.
//!
//! Here an output pixel looks at few rows, most of which another one looks at as well, so sums across
//! are made of sums down and not of samples. A row of the mosaic has a colour in even columns or in
//! odd ones, and green in the others. With `a` a row's or column's weight in the mean and `c` that of
//! its colour, which are [`Factors::of_mean`] and [`Factors::color`], a sample counts
//!
//! ```text
//! red, blue   c down  x  c across
//! green       c down  x  a across  +  a down  x  c across
//! ```
//!
//! So rows with their colour in even columns give three sums of each two columns: `c` times the even
//! and `c` times the odd one, and `a` times the odd one; the other rows likewise. As long as the ratio
//! of heights is a simple one weights fit bytes and sums fit 16 bits: products of four rows of a kind
//! are added in two instructions.

use super::super::affine::Planes;
#[cfg(target_arch = "x86_64")]
use super::super::avx512;
use super::super::{Instructions, Kernels};
use super::held::Ahead;
use super::{Finish, Held, Rounding};
use crate::prepare::demosaic::Phase;
use crate::prepare::geometry::Geometry;
use crate::prepare::level::Level;
use crate::prepare::picture::{Columns, Picture, planes};
use crate::prepare::resize_area_mosaic::{BIAS, Factors, Window, total};

/// Rows of a kind that an output row looks at.
pub(in super::super) const ROWS: usize = 4;

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in crate::prepare) struct Narrow<L> {
    engine: Engine,
    down: Vec<Down>,
    held: Held<L>,
    starts: Vec<usize>,
    width: usize,
}

#[derive(Clone, Debug)]
enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Narrow),
}

/// The rows that an output row looks at.
#[derive(Clone, Debug)]
struct Down {
    rows: std::ops::Range<u32>,
    /// Of those with a colour in even columns, and of those with one in odd columns.
    kinds: [Kind; 2],
}

/// Rows of a kind; those that are none weigh nothing.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Kind {
    /// Which of the rows that the output row looks at.
    rows: [usize; ROWS],
    pub(in super::super) color: [i8; ROWS],
    pub(in super::super) of_mean: [i8; ROWS],
}

impl Kind {
    /// None where the rows are too many, or weights or sums too great.
    fn new(rows: &[(usize, Factors)]) -> Option<Self> {
        let mut kind = Self::default();
        if rows.len() > ROWS {
            return None;
        }
        let sum: u32 = rows.iter().map(|(_, factors)| factors.color()).sum();
        if 255 * sum > i16::MAX as u32 {
            return None;
        }
        for (at, (row, factors)) in rows.iter().enumerate() {
            kind.rows[at] = *row;
            kind.color[at] = i8::try_from(factors.color()).ok()?;
            kind.of_mean[at] = i8::try_from(factors.of_mean).ok()?;
        }
        Some(kind)
    }
}

impl<L: Level> Narrow<L> {
    /// For a Bayer mosaic of that size and its windows; none where these kernels cannot do it.
    pub(in crate::prepare) fn new(
        kernels: Kernels,
        geometry: &Geometry,
        [across, down]: [&[Window]; 2],
        (width, _): (u32, u32),
        phase: Phase,
    ) -> Option<Self> {
        // Kernels know bytes only.
        L::bytes(&[])?;
        let down: Option<Vec<Down>> = down
            .iter()
            .map(|window| {
                let of_kind = |parity: usize| {
                    let rows = window.factors.iter().copied().enumerate();
                    let rows: Vec<_> = rows
                        .filter(|(at, _)| phase.colored(window.first as usize + at) == parity)
                        .collect();
                    Kind::new(&rows)
                };
                let rows = window.first..window.first + window.factors.len() as u32;
                Some(Down { rows, kinds: [of_kind(0)?, of_kind(1)?] })
            })
            .collect();
        let down = down?;
        let total = total(&geometry.x, &geometry.y);
        if 255 * total > i32::MAX as u64 {
            return None;
        }
        let finish = Finish::new(1, total, BIAS, Rounding::Up);
        let width = width as usize;
        let engine: Engine = match kernels.0 {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => {
                Engine::Avx512(avx512::Narrow::new(token, across, width, finish, phase.red_x)?)
            }
            _ => return None,
        };
        let rows = down.iter().map(|down| down.rows.len()).max()?;
        let columns = Columns::Range { first: 0, count: width };
        let held = Held::new(rows, columns, 1);
        Some(Self { engine, down, held, starts: Vec::with_capacity(rows), width })
    }

    /// Output row `y`; rows come in order.
    pub(in crate::prepare) fn row(
        &mut self,
        y: usize,
        picture: &mut Picture<'_, L>,
        out: &mut [L],
    ) {
        let Some(out) = L::bytes_mut(out) else { return };
        let shown = out.len() / 3;
        self.row_into(y, picture, Planes::Levels(planes(out, shown)));
    }

    /// The same, to levels or to a tensor's elements.
    pub(in crate::prepare) fn row_into(
        &mut self,
        y: usize,
        picture: &mut Picture<'_, L>,
        out: Planes<'_>,
    ) {
        let Self { engine, down, held, starts, width } = self;
        if y == 0 {
            held.restart();
        }
        let Down { rows, kinds } = &down[y];
        let next = down.get(y + 1).map_or(rows.end, |next| next.rows.end);
        let ahead = match picture.raw() {
            Some((bytes, stride, bits)) => {
                let bytes = bytes.get(rows.end as usize * stride..).unwrap_or_default();
                let rows = next.saturating_sub(rows.end) as usize;
                Ahead { bytes, stride, rows, bits }
            }
            None => Ahead::none(),
        };
        let bytes = match picture.plain() {
            Some((bytes, stride)) => {
                starts.clear();
                starts.extend(rows.clone().map(|y| y as usize * stride));
                bytes
            }
            None => L::bytes(held.rows(rows.clone(), picture, starts)).unwrap_or_default(),
        };
        let line = |row: usize| &bytes[starts[row]..][..*width];
        let lines = kinds.each_ref().map(|kind| kind.rows.map(line));
        match *engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(ref mut narrow) => narrow.row(lines, kinds, ahead, out),
        }
    }
}
