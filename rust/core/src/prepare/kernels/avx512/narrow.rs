//! The area mean of a mosaic that shrinks little, see [`area`](super::super::area).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::resize_area_mosaic::Window;
use super::super::affine::Planes;
use super::super::area::{Ahead, Finish, Kind, ROWS};
use super::{Avx512, V, levels, numbers, store_numbers, store_sixteen};

/// Columns of a block, and those of a parity among them.
const BLOCK: usize = 64;
const HALF: usize = BLOCK / 2;

/// A row's bytes, even columns in the lower halves of all quarters, odd ones in the upper halves: so
/// unpacking gives either in order.
const APART: [u8; 64] = {
    let mut apart = [0; 64];
    let mut at = 0;
    while at < 64 {
        let (quarter, byte) = (at / 16, at % 16);
        apart[at] = (2 * (8 * quarter + byte % 8) + byte / 8) as u8;
        at += 1;
    }
    apart
};

/// The pass across and down.
#[derive(Clone, Debug)]
pub(in super::super) struct Narrow {
    token: Avx512,
    width: usize,
    /// For each kind of rows, sums of even and of odd columns weighed with the weights of colours, and
    /// those of green columns weighed with those of the mean.
    sums: [Sums; 2],
    groups: Vec<Group>,
    /// What several groups have in common: where the ratio of widths is a simple one, all but a few.
    tables: Vec<Table>,
    shown: usize,
    /// Planes of the colours in even columns and in odd ones.
    planes: [usize; 2],
    finish: Finish,
}

#[derive(Clone, Debug)]
struct Sums {
    even: Vec<i16>,
    odd: Vec<i16>,
    green: Vec<i16>,
}

/// Sixteen output pixels.
#[derive(Clone, Debug)]
struct Group {
    /// Where the first one begins among the columns of a parity.
    base: usize,
    table: usize,
}

#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
struct Table {
    /// Of the 32 columns of a parity from a group's base on, the first two of each output pixel.
    index: [u16; 32],
    steps: Vec<Step>,
}

/// Two columns of either parity of each output pixel, with their weights.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
struct Step {
    color: [[i16; 32]; 2],
    of_mean: [[i16; 32]; 2],
}

impl Narrow {
    /// None where output pixels lie too far apart, or weights are too great.
    pub(in super::super) fn new(
        token: Avx512,
        across: &[Window],
        width: usize,
        finish: Finish,
        red_x: usize,
    ) -> Option<Self> {
        let (mut groups, mut tables) = (Vec::new(), Vec::new());
        let mut end = 0;
        for windows in across.chunks(16) {
            let base = windows.iter().map(|window| window.first as usize / 2).min()?;
            let columns = |window: &Window| window.first as usize % 2 + window.factors.len();
            let steps = windows.iter().map(columns).max()?.div_ceil(4);
            let blank = Step { color: [[0; 32]; 2], of_mean: [[0; 32]; 2] };
            let mut table = Table { index: [0; 32], steps: vec![blank; steps] };
            for (lane, window) in windows.iter().enumerate() {
                let first = window.first as usize / 2 - base;
                if first > 30 {
                    return None;
                }
                table.index[2 * lane] = first as u16;
                table.index[2 * lane + 1] = first as u16 + 1;
                let columns = (window.first as usize % 2..).zip(&window.factors);
                for (column, factors) in columns {
                    let (step, parity) = (&mut table.steps[column / 4], column % 2);
                    let to = 2 * lane + column / 2 % 2;
                    step.color[parity][to] = i16::try_from(factors.color()).ok()?;
                    step.of_mean[parity][to] = i16::try_from(factors.of_mean).ok()?;
                }
            }
            end = end.max(base + 2 * steps + 32);
            let known = tables.iter().position(|known| *known == table);
            let table = known.unwrap_or_else(|| {
                tables.push(table);
                tables.len() - 1
            });
            groups.push(Group { base, table });
        }
        let sums = vec![0; end.max(width.div_ceil(BLOCK) * HALF)];
        let sums = Sums { even: sums.clone(), odd: sums.clone(), green: sums };
        Some(Self {
            token,
            width,
            sums: [sums.clone(), sums],
            groups,
            tables,
            shown: across.len(),
            planes: if red_x == 0 { [0, 2] } else { [2, 0] },
            finish,
        })
    }

    /// An output row of rows of each kind, to planes of red, green and blue. What lies `ahead` is wanted
    /// next.
    pub(in super::super) fn row(
        &mut self,
        lines: [[&[u8]; ROWS]; 2],
        kinds: &[Kind; 2],
        ahead: Ahead<'_>,
        out: Planes<'_>,
    ) {
        assert!(lines.as_flattened().iter().all(|line| line.len() == self.width), "whole rows");
        let [of_even, of_odd] = &mut self.sums;
        let [near, far] = ahead.halves();
        let _proof = self.token;
        // SAFETY: the token proves the features, and rows are as long as `width`.
        unsafe {
            down::<0>(self.width, lines[0], &kinds[0], near, of_even);
            down::<1>(self.width, lines[1], &kinds[1], far, of_odd);
            self.across(out);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn across(&self, mut out: Planes<'_>) {
        let [of_even, of_odd] = &self.sums;
        for (at, group) in self.groups.iter().enumerate() {
            let Table { index, steps } = &self.tables[group.table];
            let index = load(index);
            let none = _mm512_setzero_si512();
            let (mut first, mut last, mut green) = (none, none, [none; 2]);
            for (step, Step { color, of_mean }) in steps.iter().enumerate() {
                let base = group.base + 2 * step;
                let color = [load(&color[0]), load(&color[1])];
                let of_mean = [load(&of_mean[0]), load(&of_mean[1])];
                first = dot(first, fetch(&of_even.even, base, index), color[0]);
                last = dot(last, fetch(&of_odd.odd, base, index), color[1]);
                green[0] = dot(green[0], fetch(&of_even.odd, base, index), of_mean[1]);
                green[1] = dot(green[1], fetch(&of_odd.even, base, index), of_mean[0]);
                green[0] = dot(green[0], fetch(&of_even.green, base, index), color[1]);
                green[1] = dot(green[1], fetch(&of_odd.green, base, index), color[0]);
            }
            let green = _mm512_add_epi32(green[0], green[1]);
            let [of_first, _] = self.planes;
            let sums = if of_first == 0 { [first, green, last] } else { [last, green, first] };
            let place = 16 * at..self.shown.min(16 * at + 16);
            match &mut out {
                Planes::Levels(planes) => {
                    for (plane, sums) in sums.into_iter().enumerate() {
                        let levels = levels(&self.finish, plane, sums);
                        store_sixteen(&mut planes[plane][place.clone()], levels);
                    }
                }
                Planes::Numbers(planes) => {
                    for (plane, sums) in sums.into_iter().enumerate() {
                        let (out, how) = &mut planes[plane];
                        let numbers = numbers(&self.finish, plane, sums, *how);
                        store_numbers(&mut out[place.clone()], numbers);
                    }
                }
            }
        }
    }
}

/// Sums of rows whose colours lie in columns of that parity.
///
/// # Safety
/// All lines are `width` long.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
unsafe fn down<const PARITY: usize>(
    width: usize,
    lines: [&[u8]; ROWS],
    kind: &Kind,
    ahead: Ahead<'_>,
    sums: &mut Sums,
) {
    // SAFETY: 64 bytes of a reference are read.
    let apart = unsafe { _mm512_loadu_si512(APART.as_ptr().cast()) };
    let [color, of_mean] = [pairs(kind.color), pairs(kind.of_mean)];
    let blocks = width.div_ceil(BLOCK);
    let (evens, _) = sums.even.as_chunks_mut::<HALF>();
    let (odds, _) = sums.odd.as_chunks_mut::<HALF>();
    let (greens, _) = sums.green.as_chunks_mut::<HALF>();
    let sums = evens.iter_mut().zip(odds).zip(greens).take(blocks);
    let mut fetched = 0;
    for (block, ((even, odd), green)) in sums.enumerate() {
        let at = block * BLOCK;
        ahead.fetch(&mut fetched, at);
        let mask = u64::MAX >> BLOCK.saturating_sub(width - at);
        let mut rows = [_mm512_setzero_si512(); ROWS];
        for (row, line) in rows.iter_mut().zip(lines) {
            // SAFETY: the mask leaves out what lies beyond the line, which is `width` long; bytes that
            // are masked out are not accessed.
            let bytes = unsafe { _mm512_maskz_loadu_epi8(mask, line.as_ptr().add(at).cast()) };
            *row = _mm512_permutexvar_epi8(apart, bytes);
        }
        let [a, b, c, d] = rows;
        let of_even = [_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d)];
        let of_odd = [_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d)];
        keep(even, weighed(of_even, color));
        keep(odd, weighed(of_odd, color));
        keep(green, weighed(if PARITY == 0 { of_odd } else { of_even }, of_mean));
    }
}

/// Weights of the first two rows in all lanes, and those of the last two.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn pairs([a, b, c, d]: [i8; ROWS]) -> [V; 2] {
    let pair = |a: i8, b: i8| i16::from_le_bytes([a as u8, b as u8]);
    [_mm512_set1_epi16(pair(a, b)), _mm512_set1_epi16(pair(c, d))]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn weighed([near, far]: [V; 2], weights: [V; 2]) -> V {
    let (near, far) =
        (_mm512_maddubs_epi16(near, weights[0]), _mm512_maddubs_epi16(far, weights[1]));
    _mm512_add_epi16(near, far)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn keep(sums: &mut [i16; HALF], lanes: V) {
    // SAFETY: 64 bytes of a reference are written, which has 64.
    unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), lanes) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load<T>(lanes: &[T; 32]) -> V {
    const { assert!(size_of::<T>() == 2) };
    // SAFETY: 64 bytes of a reference are read, which has 64.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

/// Two neighbouring columns of each output pixel.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fetch(sums: &[i16], base: usize, index: V) -> V {
    let columns = &sums[base..base + HALF];
    // SAFETY: 64 bytes of a reference are read, which has 64.
    let columns = unsafe { _mm512_loadu_si512(columns.as_ptr().cast()) };
    _mm512_permutexvar_epi16(index, columns)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot(sums: V, columns: V, weights: V) -> V {
    _mm512_dpwssd_epi32(sums, columns, weights)
}
