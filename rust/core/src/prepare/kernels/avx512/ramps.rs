//! Pillow's BILINEAR across, see [`ramps`](super::super::ramps).
//!
//! Where a sum is not clear the rests are summed as well: they fit a
//! byte, as `k` does. So a segment has four sums of products of bytes: of levels, of `k` times levels, and
//! of rests times levels for either side; `start` and `slope` multiply sums and not pixels. Sums
//! may run over 32 bits on the way, and what they come to in the end fits: the arithmetic is that of
//! 2^32.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::level::FILTER_BITS;
use super::super::filter;
use super::super::prefetch_lines;
use super::super::ramps::{self, Segments, clear};
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
    /// How far from a level a sum without rests may lie, so that it is rounded to that one.
    clear: f32,
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
    /// Both lines in levels, to be used without rests.
    quick_rising: [[f32; 16]; 2],
    quick_falling: [[f32; 16]; 2],
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
    /// In levels, without rests.
    quick: ramps::Line,
}

impl Line {
    /// None where the weights are no line.
    fn through(weights: &[i32]) -> Option<Self> {
        let quick = ramps::Line::nearest(weights);
        let [first, .., last] = weights else {
            let start = weights.first().copied().unwrap_or_default();
            return Some(Self { start, slope: 0, rests: vec![0; weights.len()], quick });
        };
        let steps = weights.len() as i32 - 1;
        let slope = (last - first + steps / 2).div_euclid(steps);
        let beside = |(k, &weight): (usize, &i32)| weight - slope * k as i32;
        let starts = || weights.iter().enumerate().map(beside);
        let start = starts().min()?.midpoint(starts().max()?);
        let rests: Option<_> = starts().map(|at| i8::try_from(at - start).ok()).collect();
        Some(Self { start, slope, rests: rests?, quick })
    }
}

impl Ramps {
    /// For rows of `width` pixels. None where windows are not made of two segments each, where weights
    /// are no lines, and where segments are too long.
    pub(in super::super) fn new(
        token: Avx512,
        windows: &[filter::Window<'_>],
        width: usize,
        channels: usize,
    ) -> Option<Self> {
        let segments = Segments::of(windows)?;
        let edges = &segments.edges;
        let lines: Option<Vec<_>> = windows
            .iter()
            .enumerate()
            .map(|(at, window)| {
                let [rising, falling] = segments.halves(at, window);
                Some([Line::through(rising)?, Line::through(falling)?])
            })
            .collect();
        let lines = lines?;
        let clear = clear(lines.iter().map(|lines| lines.each_ref().map(|line| line.quick)));
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
                quick_rising: [[0.0; 16]; 2],
                quick_falling: [[0.0; 16]; 2],
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
                    for at in 0..2 {
                        table.quick_rising[at][lane] = rising.quick.numbers[at];
                        table.quick_falling[at][lane] = falling.quick.numbers[at];
                    }
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
        Some(Self { token, groups, tables, vectors, lanes, clear, moved, width, shown })
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
        let clear = _mm512_set1_ps(self.clear);
        let used = u16::MAX >> (16 - self.lanes);
        let mut before = [_mm512_setzero_ps(); 2];
        for index in 0..=self.groups.len() {
            let now = match self.groups.get(index) {
                Some(group) => {
                    if !ahead.is_empty() {
                        prefetch_lines(ahead.as_ptr().wrapping_add(group.base), N);
                    }
                    let window = window::<N>(&group.window, line, group.base);
                    quick_sums(&self.tables[group.table], &window)
                }
                None => [_mm512_setzero_ps(); 2],
            };
            let [rising, falling] = std::mem::replace(&mut before, now);
            // What falls belongs to the output pixel of the segment before.
            let falling = _mm512_permutex2var_ps(falling, moved, now[1]);
            // There may be one group more than there are sixteens of output.
            let at = index.wrapping_sub(1).saturating_mul(self.lanes);
            if at >= out.len() {
                continue;
            }
            let out = &mut out[at..];
            let sum = _mm512_add_ps(rising, falling);
            // What rounding to a whole number takes away.
            let rest = _mm512_abs_ps(_mm512_reduce_ps::<0>(sum));
            let unclear = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(rest, clear);
            let levels = if unclear & used == 0 {
                _mm512_cvtps_epi32(sum)
            } else {
                self.exact::<N>(line, index - 1)
            };
            // What the lanes that are not in use leave behind is overwritten by the next group.
            let count = out.len().min(16);
            store_sixteen(&mut out[..count], _mm512_cvtepi32_epi8(levels));
        }
    }

    /// The levels of the output pixels for which that group's segments rise, with rests.
    #[cold]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn exact<const N: usize>(&self, line: &[u8], index: usize) -> V {
        let mut both = [[_mm512_setzero_si512(); 2]; 2];
        for (sums, group) in both.iter_mut().zip(&self.groups[index..]) {
            let window = window::<N>(&group.window, line, group.base);
            *sums = exact_sums(&self.tables[group.table], &window);
        }
        let [[rising, falling], [_, next]] = both;
        let falling = _mm512_permutex2var_epi32(falling, load(&self.moved), next);
        let half = _mm512_set1_epi32(1 << (FILTER_BITS - 1));
        let sum = _mm512_add_epi32(_mm512_add_epi32(rising, falling), half);
        _mm512_srai_epi32::<{ FILTER_BITS }>(sum)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[i32; 16]) -> V {
    // SAFETY: 64 bytes of a reference are read.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_line(line: &[[f32; 16]; 2]) -> [__m512; 2] {
    // SAFETY: 64 bytes of references each are read.
    unsafe { [_mm512_loadu_ps(line[0].as_ptr()), _mm512_loadu_ps(line[1].as_ptr())] }
}

/// What a group's segments give, in levels and but for the rests, to the output pixels for which they
/// rise and to those for which they fall.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn quick_sums<const N: usize>(table: &Table, window: &[V; N]) -> [__m512; 2] {
    let (ones, four) = (_mm512_set1_epi8(1), _mm512_set1_epi8(4));
    let mut places = _mm512_set1_epi32(0x0302_0100);
    let (mut all, mut placed) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for step in &table.steps {
        let levels = fetch(window, &step.index, step.far, step.wanted);
        all = _mm512_dpbusd_epi32(all, levels, ones);
        placed = _mm512_dpbusd_epi32(placed, levels, places);
        places = _mm512_add_epi8(places, four);
    }
    // 24 bits hold both.
    let (all, placed) = (_mm512_cvtepi32_ps(all), _mm512_cvtepi32_ps(placed));
    let [start, slope] = load_line(&table.quick_rising);
    let [end, fall] = load_line(&table.quick_falling);
    [
        _mm512_fmadd_ps(placed, slope, _mm512_mul_ps(all, start)),
        _mm512_fmadd_ps(placed, fall, _mm512_mul_ps(all, end)),
    ]
}

/// The same in units of the weights, with the rests.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn exact_sums<const N: usize>(table: &Table, window: &[V; N]) -> [V; 2] {
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
