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

use super::super::demosaic::Phase;
use super::super::geometry::{Axis, Geometry};
use super::super::level::Level;
use super::super::picture::{Columns, Picture};
use super::super::resize_area::edges;
use super::super::resize_area_mosaic::{BIAS, Factors, Window, total};
use super::{Instructions, Kernels};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// A window of an output pixel, or a piece of one. In a mosaic a byte has three weights,
/// [`Factors::color`], `of_mean` and [`Factors::green`], else one.
#[derive(Clone, Debug)]
pub(super) struct Piece<const N: usize> {
    /// Column of its first byte, which may lie before the picture.
    pub(super) start: i64,
    /// The weights of its bytes.
    pub(super) weights: Vec<[i16; N]>,
}

/// All windows of an output row, cut into `each` pieces of `bytes` each.
#[derive(Clone, Debug)]
pub(super) struct Pieces<const N: usize> {
    pub(super) bytes: usize,
    pub(super) each: usize,
    pub(super) pieces: Vec<Piece<N>>,
    /// Columns of the picture.
    pub(super) width: usize,
}

impl<const N: usize> Pieces<N> {
    /// `first` columns and weights of each output pixel; a window begins at a column of that
    /// `parity`, if there is one. None where a weight does not fit 16 bits.
    fn new(windows: &[(u32, Vec<[u32; N]>)], parity: Option<usize>, width: usize) -> Option<Self> {
        let start = |first: u32| {
            let first = i64::from(first);
            let odd = parity.is_some_and(|parity| first.rem_euclid(2) != parity as i64);
            first - i64::from(odd)
        };
        let length = |(first, weights): &(u32, Vec<[u32; N]>)| {
            (i64::from(*first) - start(*first)) as usize + weights.len()
        };
        let longest = windows.iter().map(length).max()?;
        let bytes = if longest <= 8 { 8 } else { 16 };
        let each = longest.div_ceil(bytes);
        let mut pieces = Vec::with_capacity(each * windows.len());
        for (first, weights) in windows {
            let start = start(*first);
            let mut of_bytes = vec![[0; N]; each * bytes];
            let begin = (i64::from(*first) - start) as usize;
            for (to, from) in of_bytes[begin..].iter_mut().zip(weights) {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = i16::try_from(from).ok()?;
                }
            }
            pieces.extend(of_bytes.chunks(bytes).enumerate().map(|(at, weights)| Piece {
                start: start + (at * bytes) as i64,
                weights: weights.to_vec(),
            }));
        }
        Some(Self { bytes, each, pieces, width })
    }
}

/// Rows of a picture, or of what was unpacked of it: where each begins in `bytes`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) starts: &'a [usize],
    pub(super) ahead: Ahead<'a>,
}

/// Rows of the picture that will be wanted soon.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    pub(super) bytes: &'a [u8],
    /// Where in them each begins.
    pub(super) starts: &'a [usize],
    /// Of a pixel.
    pub(super) bits: usize,
    /// Cache lines of a group of windows.
    pub(super) lines: usize,
}

/// A row of a mosaic with its factors in the sum inside and in that of the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) y: u32,
    /// Whether it holds red beside green; else blue.
    pub(super) red: bool,
    pub(super) inside: Share,
    pub(super) edge: Share,
}

impl Task {
    fn new(y: u32, red: bool) -> Self {
        Self { y, red, inside: Share::default(), edge: Share::default() }
    }
}

/// How often a row counts as itself, and as somebody's neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) own: i16,
    pub(super) neighbour: i16,
}

/// How an output row comes of its sums, in whole numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    pub(super) whole: i32,
    /// Of the edge before and of this one.
    pub(super) shares: [i32; 2],
}

/// How quotients are rounded, whose error is below 2^-43.
///
/// A sum divided by a `total` below 2^34 that does not lie just between two grey levels lies at
/// least 2^-39 (with a bias in 32nds) or 2^-33 (without) away from there. So it is enough to move it
/// by something between that and the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Rounding {
    /// Halves go up: something is added.
    Up,
    /// Halves go to even: all is rounded to a multiple of 2^-36 first.
    ToEven,
}

/// Adding it leaves a number of less than 2^51 rounded to even in the lowest bits.
const TO_WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
/// Adding and subtracting it rounds a number below 2^15 to a multiple of 2^-36.
const TO_36_BITS: f64 = 1.5 * (1_u64 << 16) as f64;
const NUDGE: f64 = 1.0 / (1_u64 << 41) as f64;

/// From sums to grey levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    whole: u32,
    reciprocal: f64,
    /// Whether what an output row comes to always fits 32 bits.
    fits: bool,
    /// What is added to a quotient.
    bias: [f64; 3],
    rounding: Rounding,
}

impl Finish {
    pub(super) fn new(whole: u32, total: u64, bias: [u32; 3], rounding: Rounding) -> Self {
        let nudge = if rounding == Rounding::Up { NUDGE } else { 0.0 };
        Self {
            whole,
            fits: 255 * total <= i32::MAX as u64,
            reciprocal: 1.0 / total as f64,
            bias: bias.map(|bias| f64::from(bias) / 32.0 + nudge),
            rounding,
        }
    }

    /// What the kernels are to do with their sums.
    fn mix(&self, shares: [f64; 2]) -> Option<Mix> {
        let shares = shares.map(|share| share as i32);
        self.fits.then_some(Mix { whole: self.whole as i32, shares })
    }

    /// The sum of an output pixel: exact as long as everything here is below 2^53.
    #[inline(always)]
    fn sum(self, inside: i32, [edge, before]: [i32; 2], shares: [f64; 2]) -> f64 {
        let edges = shares[1] * f64::from(edge) - shares[0] * f64::from(before);
        f64::from(self.whole) * f64::from(inside) + edges
    }

    /// Reciprocal and bias of a channel in float32, for those who know how far that reaches.
    #[inline(always)]
    pub(super) fn rounded(self, channel: usize) -> [f32; 2] {
        [self.reciprocal as f32, self.bias[channel] as f32]
    }

    /// The grey level of a sum.
    #[inline(always)]
    pub(super) fn level(self, channel: usize, sum: f64) -> u8 {
        let mut quotient = sum * self.reciprocal + self.bias[channel];
        if self.rounding == Rounding::ToEven {
            quotient = (quotient + TO_36_BITS) - TO_36_BITS;
        }
        (quotient + TO_WHOLE).to_bits() as u8
    }

    /// The planes of an output row. Portable; each set of kernels has it compiled for itself.
    #[inline(always)]
    pub(super) fn planes(self, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
        let shown = out.len() / 3;
        let (reds, rest) = out.split_at_mut(shown);
        let (greens, blues) = rest.split_at_mut(shown);
        let inside = &sums.inside[..shown];
        if self.fits {
            for at in 0..shown {
                let [red, green, blue, _] = inside[at].map(f64::from);
                reds[at] = self.level(0, red);
                greens[at] = self.level(1, green);
                blues[at] = self.level(2, blue);
            }
            return;
        }
        let (edge, before) = (&sums.edge[..shown], &sums.before[..shown]);
        for at in 0..shown {
            let (inside, edge, before) = (inside[at], edge[at], before[at]);
            reds[at] = self.level(0, self.sum(inside[0], [edge[0], before[0]], shares));
            greens[at] = self.level(1, self.sum(inside[1], [edge[1], before[1]], shares));
            blues[at] = self.level(2, self.sum(inside[2], [edge[2], before[2]], shares));
        }
    }

    /// The same for one plane, where `inside` holds both sums.
    #[inline(always)]
    pub(super) fn plane(self, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
        if self.fits {
            for (out, sum) in out.iter_mut().zip(&sums.inside) {
                *out = self.level(0, f64::from(sum[0]));
            }
            return;
        }
        for ((out, now), before) in out.iter_mut().zip(&sums.inside).zip(&sums.before) {
            *out = self.level(0, self.sum(now[0], [now[1], before[1]], shares));
        }
    }
}

/// What the kernels add up for each piece of a window: its channels inside, and at the edge. Of a
/// single channel both stand in `inside`.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) inside: Vec<[i32; 4]>,
    pub(super) edge: Vec<[i32; 4]>,
    /// The edge before.
    before: Vec<[i32; 4]>,
    /// The edge before, where kernels do all of it: of each group of pieces the lanes of each channel.
    pub(super) lanes: Vec<[[i32; 16]; 3]>,
}

impl Sums {
    fn new(pieces: usize, groups: usize) -> Self {
        let zeros = vec![[0; 4]; pieces];
        let lanes = vec![[[0; 16]; 3]; groups];
        Self { inside: zeros.clone(), edge: zeros.clone(), before: zeros, lanes }
    }

    fn restart(&mut self) {
        self.before.fill([0; 4]);
        self.lanes.fill([[0; 16]; 3]);
    }

    /// Adds the pieces of each window up, `each` at a time.
    fn join(&mut self, each: usize, windows: usize) {
        for sums in [&mut self.inside, &mut self.edge] {
            for window in 0..windows {
                let mut sum = [0; 4];
                for piece in &sums[window * each..][..each] {
                    for (sum, &part) in sum.iter_mut().zip(piece) {
                        *sum += part;
                    }
                }
                sums[window] = sum;
            }
        }
    }
}

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in super::super) struct Fused<L> {
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
    ahead: Vec<usize>,
}

/// What an output row adds up.
#[derive(Clone, Debug)]
enum Span {
    /// Of a monochrome picture: `rows` inside, and that of the edge if a share of it is above.
    Mono { rows: std::ops::Range<u32>, edge: bool },
    /// Of a mosaic, at least two `rows` inside and the edge, far from the picture's borders.
    Plain { rows: std::ops::Range<u32>, red: bool },
    /// Of a mosaic: any others.
    Odd(Box<[Task]>),
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
    pub(in super::super) fn mosaic(
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
    pub(in super::super) fn planes(
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
        let engine: Engine = match kernels.0 {
            Instructions::Scalar => return None,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => Engine::Avx2(avx2::Area::new(token, &across)?),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => Engine::Avx512(avx512::Area::new(token, &across)?),
        };
        let edges = edges(&geometry.y);
        let rows = spans.iter().map(|span| span.range().len()).max()?;
        let sums = Sums::new((each * shown).next_multiple_of(8), engine.groups());
        Some(Self {
            engine,
            spans,
            finish: finish(edges.whole),
            shares: edges.at.iter().map(|&(_, share)| f64::from(share)).collect(),
            each,
            shown,
            // Vectors of pieces may reach beyond the last.
            sums: vec![sums; planes],
            held: Held::new(rows, columns, planes),
            starts: Vec::with_capacity(rows),
            ahead: Vec::with_capacity(rows),
        })
    }

    /// Output row `y`; rows come in order.
    pub(in super::super) fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
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
        let Self { engine, spans, sums, held, starts, ahead, .. } = self;
        let span = &spans[index];
        // The span before the first edge has none before.
        let before = index.checked_sub(1).map_or(0.0, |before| self.shares[before]);
        let mix = self.finish.mix([before, self.shares[index]]);
        ahead.clear();
        let (raw, stride, bits) = picture.raw().unwrap_or((&[], 0, 0));
        if bits > 0 {
            // Rows that the next span has and this one has not.
            let next = spans.get(index + 1).map_or(0..0, Span::range);
            let start = |y: u32| y as usize * stride + held.first * bits / 8;
            ahead.extend((span.range().end..next.end).map(start));
        }
        let width = held.width;
        let group_bytes = width * bits / 8 / engine.groups();
        let lines = ((group_bytes + 32) / 64).max(1);
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
            let ahead = if plane == 0 { &ahead[..] } else { &[] };
            let ahead = Ahead { bytes: raw, starts: ahead, bits, lines };
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

/// The latest rows of a picture whose bytes are not its levels: row `y` lies at place `y % count`.
#[derive(Clone, Debug)]
pub(super) struct Held<L> {
    levels: Vec<L>,
    columns: Columns,
    /// The first of these columns, and how many there are.
    first: usize,
    width: usize,
    planes: usize,
    count: usize,
    /// Rows from this one on have not been read.
    next: u32,
}

impl<L: Level> Held<L> {
    pub(super) fn new(rows: usize, columns: Columns, planes: usize) -> Self {
        let (first, width) = (columns.at(0), columns.count());
        let levels = vec![L::default(); rows * width * planes];
        Self { levels, columns, first, width, planes, count: rows, next: 0 }
    }

    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Reads what is missing of those rows, which are at most `count` and lie no further up than the
    /// last ones did, and says where in the levels each begins.
    pub(super) fn rows(
        &mut self,
        rows: std::ops::Range<u32>,
        picture: &mut Picture<'_, L>,
        starts: &mut Vec<usize>,
    ) -> &[L] {
        let row = self.width * self.planes;
        let start = |y: u32| y as usize % self.count * row;
        for y in self.next.max(rows.start)..rows.end {
            let line = &mut self.levels[start(y)..][..row];
            picture.read(y as usize, &self.columns, line);
        }
        self.next = self.next.max(rows.end);
        starts.clear();
        starts.extend(rows.map(start));
        &self.levels
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

/// The span before the first edge, which has an edge only, and those of the output rows.
fn spans_of(axis: &Axis, span: impl Fn(std::ops::Range<u32>, bool) -> Span) -> Vec<Span> {
    let edges = edges(axis).at;
    let first = std::iter::once(edges[0].0..edges[0].0);
    let rows = first.chain(edges.windows(2).map(|pair| pair[0].0..pair[1].0));
    rows.zip(&edges).map(|(rows, edge)| span(rows, edge.1 != 0)).collect()
}

impl Span {
    fn of_mosaic(rows: std::ops::Range<u32>, height: u32, phase: Phase) -> Self {
        if rows.len() >= 2 && rows.start >= 1 && rows.end <= height - 2 {
            let red = phase.is_red_row(rows.start as usize - 1);
            return Self::Plain { rows, red };
        }
        let inside = |at: u32| at.clamp(1, height - 2);
        let edge = inside(rows.end);
        let from = inside(rows.start).min(edge) - 1;
        let mut tasks: Vec<_> =
            (from..=edge + 1).map(|y| Task::new(y, phase.is_red_row(y as usize))).collect();
        let mut count = |row: u32, share: fn(&mut Task) -> &mut Share| {
            for (y, own) in [(row - 1, 0), (row, 1), (row + 1, 0)] {
                let share = share(&mut tasks[(y - from) as usize]);
                share.own += own;
                share.neighbour += 1 - own;
            }
        };
        count(edge, |task| &mut task.edge);
        rows.for_each(|row| count(inside(row), |task| &mut task.inside));
        Self::Odd(tasks.into())
    }

    /// The rows of the picture that it looks at.
    fn range(&self) -> std::ops::Range<u32> {
        match self {
            Self::Mono { rows, edge } => rows.start..rows.end + u32::from(*edge),
            Self::Plain { rows, .. } => rows.start - 1..rows.end + 2,
            Self::Odd(tasks) => {
                let last = tasks.last().map_or(0, |task| task.y + 1);
                tasks.first().map_or(last, |task| task.y)..last
            }
        }
    }

    /// Rows inside, borders included.
    fn rows(&self) -> usize {
        match self {
            Self::Mono { rows, .. } | Self::Plain { rows, .. } => rows.len(),
            Self::Odd(tasks) => tasks.len(),
        }
    }
}
