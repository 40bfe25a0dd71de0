//! The area mean in one pass over a picture's rows: what the kernels need to know of a plan.
//!
//! **Across**, each output pixel has a *window* of bytes around the columns that it looks at, with a
//! weight for each. Some windows lie side by side in a vector, so that one shuffle fetches them and
//! one multiplication weighs them. A window of 16 bytes is as wide as shrinking twelve times asks
//! for; wider ones are cut into pieces whose sums are added afterwards.
//!
//! **Down**, the edge between two output rows falls into row `b` of the picture, a share of `f / whole`
//! below its upper edge. With `D(y)` what row `y` gives across, an output row is
//!
//! ```text
//! whole * (D(b) + D(b + 1) + ... + D(b' - 1))  +  f' * D(b')  -  f * D(b)
//! ```
//!
//! where `b'`, `f'` is the next edge. So the kernels only add rows up, with small whole factors that
//! fit 16 bits, into sums of 32 bits: one, *inside*, from `b` on, and one of the row of the next
//! *edge*. The formula is computed where the sums are, if what it gives fits 32 bits ([`Mix`]): what
//! runs over on the way comes back. The last step, once for each output pixel, is done in float64,
//! with the formula where it did not fit: all these numbers are whole and below 2^53, so exact. Then
//! comes a multiplication with the reciprocal of the weights' total, whose error is far smaller than
//! the distance of any quotient from a half that it is not (see [`Rounding`]).
//!
//! In a Bayer mosaic `D(y)` is a row of the demosaiced picture, hence made of three rows: its
//! own with [`Factors::color`] twice or [`Factors::green`], and its neighbours with `color` or
//! `of_mean` once. Added up from row to row, the rows inside a sum count four times in red and blue,
//! and with `green` + 2 `of_mean` in green.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

#[cfg(target_arch = "x86_64")]
mod body;
#[cfg(target_arch = "x86_64")]
mod bytes;
mod finish;
mod groups;
mod held;
mod narrow;
mod packed;
mod spans;
mod windows;

#[cfg(target_arch = "x86_64")]
pub(super) use body::area_loops;
#[cfg(target_arch = "x86_64")]
pub(super) use bytes::byte_loops;
pub(in crate::prepare) use finish::Rounding;
pub(super) use finish::{Finish, Mix, Sums};
pub(super) use groups::{Bytes, Group, Place, groups, mono_bytes, mosaic_bytes};
pub(super) use held::{Ahead, MosaicRows, Rows};
pub(in crate::prepare) use narrow::Narrow;
pub(super) use narrow::{Kind, ROWS};
pub(in crate::prepare) use packed::Packed;
pub(super) use spans::Task;
pub(super) use windows::{Piece, Pieces};

use held::Held;
use spans::{Share, Span, spans_of};

use super::super::demosaic::Phase;
use super::super::geometry::Geometry;
use super::super::level::Level;
use super::super::picture::{Columns, Picture};
use super::super::resize_area::edges;
use super::super::resize_area_mosaic::{BIAS, Factors, Window, total};
use super::{Instructions, Kernels};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in crate::prepare) struct Fused<L> {
    engine: Engine,
    /// The edge above the first row, and the rows.
    spans: Vec<Span>,
    /// For each edge, its row's share above it.
    shares: Vec<f64>,
    /// Pieces of an output pixel, and output pixels.
    each: usize,
    shown: usize,
    /// Of a mosaic one, else one for each plane.
    sums: Vec<Sums>,
    finish: Finish,
    held: Held<L>,
    starts: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Area),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Area),
}

/// The windows of a set of kernels.
#[derive(Clone, Debug)]
pub(super) enum Across {
    Mono(Pieces<1>),
    Mosaic(Pieces<3>),
}

impl<L: Level> Fused<L> {
    /// For a Bayer mosaic of `size`; none where these kernels cannot do it.
    pub(in crate::prepare) fn mosaic(
        kernels: Kernels,
        geometry: &Geometry,
        across: &[Window],
        size: (u32, u32),
        phase: Phase,
    ) -> Option<Self> {
        let weights = |factors: &Factors| [factors.color(), factors.of_mean, factors.green()];
        let windows: Vec<_> = across
            .iter()
            .map(|window| (window.first, window.factors.iter().map(weights).collect()))
            .collect();
        let pieces = Pieces::new(&windows, Some(phase.red_x), size.0 as usize)?;
        let height = size.1;
        let spans = spans_of(&geometry.y, |rows, _| Span::of_mosaic(rows, height, phase));
        // The greatest weight that is made of others must fit 16 bits as well.
        let most = |which: fn(Factors) -> u32| {
            across.iter().flat_map(|window| &window.factors).map(|&one| which(one)).max()
        };
        let [color, of_mean, green] =
            [most(Factors::color)?, most(|one| one.of_mean)?, most(Factors::green)?];
        let fits = |share: Share| {
            let (own, neighbour) = (share.own as u32, share.neighbour as u32);
            let greatest = color * (2 * own + neighbour);
            greatest.max(green * own + of_mean * neighbour) <= i16::MAX as u32
        };
        let odd = spans.iter().filter_map(|span| match span {
            Span::Odd(tasks) => Some(tasks.iter().flat_map(|task| [task.inside, task.edge])),
            _ => None,
        });
        let plain = Share { own: 1, neighbour: 2 };
        if !odd.flatten().chain([plain]).all(fits) {
            return None;
        }
        let total = total(&geometry.x, &geometry.y);
        let rows = spans.iter().map(Span::rows).max()?;
        let most = 4 * 255 * rows as u64 * u64::from(edges(&geometry.x).total);
        let finish = |whole| Finish::new(whole, total, BIAS, Rounding::Up);
        let columns = Columns::Range { first: 0, count: size.0 as usize };
        Self::new(kernels, Across::Mosaic(pieces), (columns, 1), geometry, spans, most, finish)
    }

    /// For planes of bytes.
    pub(in crate::prepare) fn planes(
        kernels: Kernels,
        geometry: &Geometry,
        across: &[(u32, Vec<[u32; 1]>)],
        planes: usize,
        rounding: Rounding,
    ) -> Option<Self> {
        let (first, width) = (geometry.x.first as usize, geometry.x.source as usize);
        let pieces = Pieces::new(across, None, width)?;
        let spans = spans_of(&geometry.y, |rows, edge| Span::Mono { rows, edge });
        let (x, y) = (edges(&geometry.x), edges(&geometry.y));
        let total = u64::from(x.total) * u64::from(y.total);
        let rows = spans.iter().map(Span::rows).max()?;
        let most = 255 * rows as u64 * u64::from(x.total);
        let finish = |whole| Finish::new(whole, total, [0; 3], rounding);
        let columns = Columns::Range { first, count: width };
        Self::new(kernels, Across::Mono(pieces), (columns, planes), geometry, spans, most, finish)
    }

    /// For so many planes of those columns. `most` is the greatest sum that may come together.
    fn new(
        kernels: Kernels,
        across: Across,
        (columns, planes): (Columns, usize),
        geometry: &Geometry,
        spans: Vec<Span>,
        most: u64,
        finish: impl Fn(u32) -> Finish,
    ) -> Option<Self> {
        // Kernels know bytes only.
        L::bytes(&[])?;
        if most > i32::MAX as u64 {
            return None;
        }
        let shown = geometry.x.shown as usize;
        let each = match &across {
            Across::Mono(pieces) => pieces.each,
            Across::Mosaic(pieces) => pieces.each,
        };
        let edges = edges(&geometry.y);
        let finish = finish(edges.whole);
        let fits = finish.fits;
        let engine: Engine = match kernels.0 {
            Instructions::Scalar => return None,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => Engine::Avx2(avx2::Area::new(token, &across, fits)?),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => Engine::Avx512(avx512::Area::new(token, &across, fits)?),
        };
        let rows = spans.iter().map(|span| span.range().len()).max()?;
        let sums = Sums::new((each * shown).next_multiple_of(8), engine.groups());
        Some(Self {
            engine,
            spans,
            finish,
            shares: edges.at.iter().map(|&(_, share)| f64::from(share)).collect(),
            each,
            shown,
            // Vectors of pieces may reach beyond the last.
            sums: vec![sums; planes],
            held: Held::new(rows, columns, planes),
            starts: Vec::with_capacity(rows),
        })
    }

    /// Output row `y`; rows come in order.
    pub(in crate::prepare) fn row(
        &mut self,
        y: usize,
        picture: &mut Picture<'_, L>,
        out: &mut [L],
    ) {
        let Some(out) = L::bytes_mut(out) else { return };
        if y == 0 {
            self.held.restart();
            self.sums.iter_mut().for_each(Sums::restart);
            if self.shares[0] != 0.0 {
                self.add_up(0, picture);
                self.next_edge();
            }
        }
        self.add_up(y + 1, picture);
        let shares = [self.shares[y], self.shares[y + 1]];
        let planes = self.sums.len();
        for (sums, out) in self.sums.iter().zip(out.chunks_exact_mut(out.len() / planes)) {
            match self.engine {
                #[cfg(target_arch = "x86_64")]
                Engine::Avx2(ref area) => area.finish(self.finish, sums, shares, out),
                #[cfg(target_arch = "x86_64")]
                Engine::Avx512(ref area) => area.finish(self.finish, sums, shares, out),
            }
        }
        self.next_edge();
    }

    fn next_edge(&mut self) {
        for Sums { inside, edge, before, .. } in &mut self.sums {
            std::mem::swap(if self.engine.is_mono() { inside } else { edge }, before);
        }
    }

    fn add_up(&mut self, index: usize, picture: &mut Picture<'_, L>) {
        let Self { engine, spans, sums, held, starts, .. } = self;
        let span = &spans[index];
        // The span before the first edge has none before.
        let before = index.checked_sub(1).map_or(0.0, |before| self.shares[before]);
        let mix = self.finish.mix([before, self.shares[index]]);
        // Rows that the next span has and this one has not.
        let end = span.range().end;
        let next = spans.get(index + 1).map_or(end, |next| next.range().end);
        let width = held.width;
        let ahead = match picture.raw() {
            Some((bytes, stride, bits)) => {
                let from = end as usize * stride + held.first * bits / 8;
                let bytes = bytes.get(from..).unwrap_or_default();
                Ahead { bytes, stride, rows: next.saturating_sub(end) as usize, bits }
            }
            None => Ahead::none(),
        };
        let bytes = match picture.plain() {
            Some((bytes, stride)) => {
                let start = |y: u32| y as usize * stride + held.first;
                starts.clear();
                starts.extend(span.range().map(start));
                bytes
            }
            None => L::bytes(held.rows(span.range(), picture, starts)).unwrap_or_default(),
        };
        for (plane, sums) in sums.iter_mut().enumerate() {
            // A row has all its planes side by side.
            let ahead = if plane == 0 { ahead } else { Ahead::none() };
            let rows = Rows { bytes: &bytes[plane * width..], starts, ahead };
            match span {
                Span::Mono { edge, .. } => engine.mono(rows, *edge, mix, sums),
                Span::Plain { red, .. } => engine.mosaic(rows, *red, mix, sums),
                Span::Odd(tasks) => engine.odd_mosaic(rows, tasks, mix, sums),
            }
            if self.each > 1 {
                sums.join(self.each, self.shown);
            }
        }
    }
}

// Patterns by place, since on other processors there is no engine to refer to.
impl Engine {
    fn is_mono(&self) -> bool {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(ref area) => area.is_mono(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(ref area) => area.is_mono(),
        }
    }

    fn groups(&self) -> usize {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(ref area) => area.groups(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(ref area) => area.groups(),
        }
    }

    fn mono(&self, rows: Rows<'_>, edge: bool, mix: Option<Mix>, sums: &mut Sums) {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(ref area) => area.mono(rows, edge, mix, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(ref area) => area.mono(rows, edge, mix, sums),
        }
    }

    fn mosaic(&self, rows: Rows<'_>, red: bool, mix: Option<Mix>, sums: &mut Sums) {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(ref area) => area.mosaic(rows, red, mix, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(ref area) => area.mosaic(rows, red, mix, sums),
        }
    }

    fn odd_mosaic(&self, rows: Rows<'_>, tasks: &[Task], mix: Option<Mix>, sums: &mut Sums) {
        match *self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(ref area) => area.odd_mosaic(rows, tasks, mix, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(ref area) => area.odd_mosaic(rows, tasks, mix, sums),
        }
    }
}
