//! Pillow's BILINEAR across where it shrinks, by the shape of its weights.
//!
//! Between the centres of two neighbouring output pixels lies a *segment* of the row's pixels, which
//! counts in these two and in no other: less and less in the left one, more and more in the right
//! one, each along a line but for what rounding did to its weights. With `k` counted from the
//! segment's first pixel
//!
//! ```text
//! weight(k) = start + slope * k + rest(k)
//! ```
//!
//! where the rests are a few units and fit a byte, as `k` does. So a segment has four sums of products
//! of bytes: of levels, of `k` times levels, and of rests times levels for either side; `start` and
//! `slope` multiply sums and not pixels. That is two thirds of the products that digits of weights
//! need, and half of the bytes to fetch, since no pixel is looked at twice. Sums may run over 32
//! bits on the way, and what they come to in the end fits: the arithmetic is that of 2^32.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::level::FILTER_BITS;
use super::{Avx512, V, Window, fetch, store_sixteen, window};

/// All segments of a row whose pixels are `channels` bytes.
#[derive(Clone, Debug)]
pub(in super::super) struct Ramps {
    token: Avx512,
    groups: Vec<Group>,
    /// What several groups have in common: where the ratio of sides is a simple one, all but a few.
    tables: Vec<Table>,
    /// The most vectors of a window.
    vectors: usize,
    /// Lanes in use: those of as many segments as fit sixteen.
    lanes: usize,
    /// Lanes moved by one segment, to where those of the next group begin.
    moved: [i32; 16],
    /// Bytes of a row, and of an output row.
    width: usize,
    shown: usize,
}

/// Segments side by side, channel beside channel in lanes of four bytes.
#[derive(Clone, Debug)]
struct Group {
    base: usize,
    window: Window,
    table: usize,
}

#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
struct Table {
    rising: [[i32; 16]; 2],
    falling: [[i32; 16]; 2],
    steps: Vec<Step>,
}

/// Four pixels of each segment.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
struct Step {
    /// Which of the window's bytes each byte is, see [`fetch`].
    index: [u8; 64],
    /// Of the rising line and of the falling one.
    rests: [[i8; 64]; 2],
    far: u64,
    wanted: u64,
}

/// The weights of one output pixel in one segment.
#[derive(Clone, Debug, Default)]
struct Line {
    start: i32,
    slope: i32,
    rests: Vec<i8>,
}

impl Line {
    /// None where the weights are no line.
    fn through(weights: &[i32]) -> Option<Self> {
        let [first, .., last] = weights else {
            let start = weights.first().copied().unwrap_or_default();
            return Some(Self { start, slope: 0, rests: vec![0; weights.len()] });
        };
        let steps = weights.len() as i32 - 1;
        let slope = (last - first + steps / 2).div_euclid(steps);
        let beside = |(k, &weight): (usize, &i32)| weight - slope * k as i32;
        let starts = || weights.iter().enumerate().map(beside);
        let start = starts().min()?.midpoint(starts().max()?);
        let rests: Option<_> = starts().map(|at| i8::try_from(at - start).ok()).collect();
        Some(Self { start, slope, rests: rests? })
    }
}

impl Ramps {
    /// For rows of `width` pixels. None where windows are not made of two segments each, where weights
    /// are no lines, and where segments are too long.
    pub(in super::super) fn new(
        token: Avx512,
        windows: &[(usize, &[i32])],
        width: usize,
        channels: usize,
    ) -> Option<Self> {
        let end = |at: usize| windows[at].0 + windows[at].1.len();
        let last = windows.len().checked_sub(2)?;
        // Segment i rises for output pixel i and falls for the one before.
        let firsts = windows.iter().map(|(first, _)| *first);
        let edges: Vec<usize> = firsts.chain([end(last), end(last + 1)]).collect();
        let two = |at: usize| end(at) == edges[at + 2];
        if !edges.is_sorted() || !(0..windows.len()).all(two) {
            return None;
        }
        let lines: Option<Vec<_>> = windows
            .iter()
            .enumerate()
            .map(|(at, (_, weights))| {
                let (rising, falling) = weights.split_at(edges[at + 1] - edges[at]);
                Some([Line::through(rising)?, Line::through(falling)?])
            })
            .collect();
        let lines = lines?;
        let segments: Vec<_> = edges.windows(2).map(|edge| edge[0]..edge[1]).collect();
        let each = 16 / channels;
        let (mut groups, mut tables) = (Vec::new(), Vec::new());
        for (group, some) in segments.chunks(each).enumerate() {
            let base = some.first()?.start * channels;
            let length = some.last()?.end * channels - base;
            let window = Window::new(base, length, width * channels)?;
            let longest = some.iter().map(ExactSizeIterator::len).max()?;
            if longest > 128 {
                return None;
            }
            let blank = Step { index: [0; 64], rests: [[0; 64]; 2], far: 0, wanted: 0 };
            let mut table = Table {
                rising: [[0; 16]; 2],
                falling: [[0; 16]; 2],
                steps: vec![blank; longest.div_ceil(4)],
            };
            for (at, segment) in some.iter().enumerate() {
                let index = group * each + at;
                let none = Line::default();
                let rising = lines.get(index).map_or(&none, |lines| &lines[0]);
                let falling = index.checked_sub(1).map_or(&none, |index| &lines[index][1]);
                for channel in 0..channels {
                    let lane = at * channels + channel;
                    table.rising[0][lane] = rising.start;
                    table.rising[1][lane] = rising.slope;
                    table.falling[0][lane] = falling.start;
                    table.falling[1][lane] = falling.slope;
                    for (k, pixel) in segment.clone().enumerate() {
                        let (from, to) = (pixel * channels + channel - base, 4 * lane + k % 4);
                        let step = &mut table.steps[k / 4];
                        step.index[to] = (from % 128) as u8;
                        step.far |= u64::from(from >= 128) << to;
                        step.wanted |= 1 << to;
                        step.rests[0][to] = rising.rests.get(k).copied().unwrap_or_default();
                        step.rests[1][to] = falling.rests.get(k).copied().unwrap_or_default();
                    }
                }
            }
            let known = tables.iter().position(|known| *known == table);
            let table = known.unwrap_or_else(|| {
                tables.push(table);
                tables.len() - 1
            });
            groups.push(Group { base, window, table });
        }
        let lanes = each * channels;
        let mut moved = [0; 16];
        for (lane, from) in moved.iter_mut().enumerate() {
            let to = lane + channels;
            // Sixteen and more are lanes of the next group.
            *from = if to < lanes { to } else { to - lanes + 16 } as i32;
        }
        let vectors = groups.iter().map(|group| group.window.vectors).max()?;
        let (width, shown) = (width * channels, windows.len() * channels);
        Some(Self { token, groups, tables, vectors, lanes, moved, width, shown })
    }

    /// Rows, into output rows. What lies `ahead` of the first one is wanted next.
    pub(in super::super) fn across(&self, lines: &[u8], ahead: &[u8], out: &mut [u8]) {
        let count = lines.len() / self.width;
        assert!(lines.len() == count * self.width && out.len() == count * self.shown);
        let _proof = self.token;
        let rows = lines.chunks_exact(self.width).zip(out.chunks_exact_mut(self.shown));
        for (at, (line, out)) in rows.enumerate() {
            let ahead = if at == 0 { ahead } else { &[] };
            // SAFETY: the token proves the features.
            unsafe {
                match self.vectors {
                    1 => self.row::<1>(line, ahead, out),
                    2 => self.row::<2>(line, ahead, out),
                    3 => self.row::<3>(line, ahead, out),
                    _ => self.row::<4>(line, ahead, out),
                }
            }
        }
    }

    /// From windows of `N` vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn row<const N: usize>(&self, line: &[u8], ahead: &[u8], out: &mut [u8]) {
        let moved = load(&self.moved);
        let mut outputs = (0..out.len()).step_by(self.lanes);
        let mut before: Option<[V; 2]> = None;
        for group in &self.groups {
            if let Some(ahead) = ahead.get(group.base..) {
                super::super::prefetch(&ahead[..ahead.len().min(64 * N)]);
            }
            let table = &self.tables[group.table];
            let window = window::<N>(&group.window, line, group.base);
            let [rising, falling] = sums(table, &window);
            if let Some([rising, falling_before]) = before {
                let falling = _mm512_permutex2var_epi32(falling_before, moved, falling);
                write(_mm512_add_epi32(rising, falling), outputs.next().map(|at| &mut out[at..]));
            }
            before = Some([rising, falling]);
        }
        if let Some([rising, falling]) = before {
            let none = _mm512_setzero_si512();
            let falling = _mm512_permutex2var_epi32(falling, moved, none);
            write(_mm512_add_epi32(rising, falling), outputs.next().map(|at| &mut out[at..]));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[i32; 16]) -> V {
    // SAFETY: 64 bytes of a reference are read.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

/// What a group's segments give to the output pixels where they rise, and to those where they fall.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn sums<const N: usize>(table: &Table, window: &[V; N]) -> [V; 2] {
    let (ones, four) = (_mm512_set1_epi8(1), _mm512_set1_epi8(4));
    let mut places = _mm512_set1_epi32(0x0302_0100);
    let none = _mm512_setzero_si512();
    let (mut all, mut placed, mut of_rising, mut of_falling) = (none, none, none, none);
    for step in &table.steps {
        let levels = fetch(window, &step.index, step.far, step.wanted);
        // SAFETY: 64 bytes of references each are read.
        let (rising, falling) = unsafe {
            (
                _mm512_loadu_si512(step.rests[0].as_ptr().cast()),
                _mm512_loadu_si512(step.rests[1].as_ptr().cast()),
            )
        };
        all = _mm512_dpbusd_epi32(all, levels, ones);
        placed = _mm512_dpbusd_epi32(placed, levels, places);
        of_rising = _mm512_dpbusd_epi32(of_rising, levels, rising);
        of_falling = _mm512_dpbusd_epi32(of_falling, levels, falling);
        places = _mm512_add_epi8(places, four);
    }
    let line = |[start, slope]: &[[i32; 16]; 2]| [load(start), load(slope)];
    let ([start, slope], [end, fall]) = (line(&table.rising), line(&table.falling));
    let rising =
        _mm512_add_epi32(_mm512_mullo_epi32(all, start), _mm512_mullo_epi32(placed, slope));
    let falling = _mm512_add_epi32(_mm512_mullo_epi32(all, end), _mm512_mullo_epi32(placed, fall));
    [_mm512_add_epi32(rising, of_rising), _mm512_add_epi32(falling, of_falling)]
}

/// Rounds sums to levels. `rest` begins with theirs; what the lanes that are not in use leave behind
/// them is overwritten by the next group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn write(sums: V, rest: Option<&mut [u8]>) {
    let Some(rest) = rest else { return };
    let half = _mm512_set1_epi32(1 << (FILTER_BITS - 1));
    let level = _mm512_srai_epi32::<{ FILTER_BITS }>(_mm512_add_epi32(sums, half));
    let level = _mm512_cvtusepi32_epi8(_mm512_max_epi32(level, _mm512_setzero_si512()));
    let count = rest.len().min(16);
    store_sixteen(&mut rest[..count], level);
}
