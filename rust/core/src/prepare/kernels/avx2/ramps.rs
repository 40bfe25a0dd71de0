//! Pillow's BILINEAR across pixels of three or four bytes, see [`ramps`](super::super::ramps).
//!
//! Two segments side by side fill a vector, channel beside channel in lanes of four bytes: a step takes
//! four pixels of each. The first vector of a row has the first segment, for which no output pixel
//! falls, in its upper half; every other one gives two output pixels, of which the left one rises in
//! the vector before.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::super::level::Level;
use super::super::filter::{HALF, Window};
use super::super::ramps::{Line, Segments, clear};
use super::{Avx2, prefetch_lines};

/// Pixels of a segment that a step takes.
const STEP: usize = 4;
/// The most steps. So many pixels times their places fit 16 bits.
const MOST: usize = 5;
/// Bytes of a row's end: of all groups whose loads would leave the row, and of those loads.
const TAIL: usize = 512;

/// All segments of a row of such pixels.
#[derive(Clone, Debug)]
pub(in super::super) struct Ramps {
    token: Avx2,
    groups: Vec<Group>,
    /// What several groups have in common: where the ratio of sides is a simple one, all but a few.
    tables: Vec<Table>,
    steps: usize,
    /// Groups whose loads end with the row at the latest.
    inside: usize,
    /// How far from a level a sum may lie, so that it is rounded to that one.
    clear: f32,
    /// For each output pixel the first pixel of its window, and the weights from there on.
    windows: Vec<(usize, Box<[i32]>)>,
    channels: usize,
    /// Bytes of a row, and of an output row.
    width: usize,
    shown: usize,
}

/// Two segments: where their bytes begin.
#[derive(Clone, Copy, Debug)]
struct Group {
    begin: [usize; 2],
    table: usize,
}

#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(32))]
struct Table {
    /// Of each step which of its half's 16 bytes each byte is; 0x80 for none.
    index: [[u8; 32]; MOST],
    /// Start and slope in levels.
    rising: [[f32; 8]; 2],
    falling: [[f32; 8]; 2],
}

/// Bytes from the beginning of a segment to the end of what is loaded of it.
const fn loaded(channels: usize, steps: usize) -> usize {
    STEP * channels * (steps - 1) + 16
}

impl Ramps {
    /// For rows of `width` pixels. None where windows are not made of two segments each, and where
    /// segments are too long.
    pub(in super::super) fn new(
        token: Avx2,
        windows: &[Window<'_>],
        width: usize,
        channels: usize,
    ) -> Option<Self> {
        let segments = Segments::of(windows)?;
        let edges = &segments.edges;
        let lines: Vec<_> = windows
            .iter()
            .enumerate()
            .map(|(at, window)| segments.halves(at, window).map(Line::nearest))
            .collect();
        let longest = edges.windows(2).map(|edge| edge[1] - edge[0]).max()?;
        let steps = longest.div_ceil(STEP).max(1);
        if !matches!(channels, 3 | 4) || steps > MOST {
            return None;
        }
        let (mut groups, mut tables) = (Vec::new(), Vec::new());
        let count = windows.len() + 1;
        for group in 0..=windows.len().div_ceil(2) {
            let mut table =
                Table { index: [[0x80; 32]; MOST], rising: [[0.0; 8]; 2], falling: [[0.0; 8]; 2] };
            let mut begin = [0; 2];
            for (half, begin) in begin.iter_mut().enumerate() {
                let segment = (2 * group + half).checked_sub(1).filter(|&at| at < count);
                // What lies beside the first and the last one counts nothing, wherever it is.
                let beside = if group == 0 { 0 } else { count - 1 };
                *begin = edges[segment.unwrap_or(beside)] * channels;
                let Some(at) = segment else { continue };
                let rising = lines.get(at).map_or(Line::default(), |lines| lines[0]);
                let falling = at.checked_sub(1).map_or(Line::default(), |at| lines[at][1]);
                for channel in 0..channels {
                    let lane = 4 * half + channel;
                    for number in 0..2 {
                        table.rising[number][lane] = rising.numbers[number];
                        table.falling[number][lane] = falling.numbers[number];
                    }
                    for k in 0..edges[at + 1] - edges[at] {
                        let byte = (k % STEP * channels + channel) as u8;
                        table.index[k / STEP][4 * lane + k % STEP] = byte;
                    }
                }
            }
            let known = tables.iter().position(|known| *known == table);
            let table = known.unwrap_or_else(|| {
                tables.push(table);
                tables.len() - 1
            });
            groups.push(Group { begin, table });
        }
        let (bytes, shown) = (width * channels, windows.len() * channels);
        let fits = |group: &Group| group.begin[1] + loaded(channels, steps) <= bytes;
        let inside = groups.iter().take_while(|group| fits(group)).count();
        let begin = groups.get(inside).map_or(bytes, |group| group.begin[0]);
        if bytes.checked_sub(begin)? + loaded(channels, steps) > TAIL {
            return None;
        }
        Some(Self {
            token,
            groups,
            tables,
            steps,
            inside,
            clear: clear(lines.iter().copied()),
            windows: windows.iter().map(|(first, weights)| (*first, Box::from(*weights))).collect(),
            channels,
            width: bytes,
            shown,
        })
    }

    /// A row of pixels, into an output row. What lies `ahead` is wanted next.
    pub(in super::super) fn across(&self, line: &[u8], ahead: &[u8], out: &mut [u8]) {
        assert!(line.len() == self.width && out.len() == self.shown, "a row as long as the plan's");
        let _proof = self.token;
        macro_rules! by_steps {
            ($($steps:literal)*) => {
                // SAFETY: the token proves the features.
                unsafe {
                    match (self.channels, self.steps) {
                        $((3, $steps) => self.row::<3, $steps>(line, ahead, out),)*
                        $((_, $steps) => self.row::<4, $steps>(line, ahead, out),)*
                        _ => {}
                    }
                }
            };
        }
        by_steps!(1 2 3 4 5);
    }

    /// `C` channels, in `S` steps.
    #[target_feature(enable = "avx2,fma")]
    fn row<const C: usize, const S: usize>(&self, line: &[u8], ahead: &[u8], out: &mut [u8]) {
        let (inside, outside) = self.groups.split_at(self.inside);
        let mut fetched = 0;
        let mut rising = _mm256_setzero_ps();
        for (index, group) in inside.iter().enumerate() {
            while 64 * fetched <= group.begin[0] && 64 * fetched < ahead.len() {
                prefetch_lines(ahead[64 * fetched..].as_ptr(), 1);
                fetched += 1;
            }
            rising = self.group::<C, S>((index, group), line, 0, rising, line, out);
        }
        let Some(first) = outside.first() else { return };
        let (mut tail, from) = ([0; TAIL], first.begin[0]);
        tail[..line.len() - from].copy_from_slice(&line[from..]);
        for (index, group) in (self.inside..).zip(outside) {
            rising = self.group::<C, S>((index, group), &tail, from, rising, line, out);
        }
    }

    /// What a group gives to the next one's output pixels; writes those of its own. `bytes` are the row's
    /// from byte `from` on.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn group<const C: usize, const S: usize>(
        &self,
        (index, group): (usize, &Group),
        bytes: &[u8],
        from: usize,
        before: __m256,
        line: &[u8],
        out: &mut [u8],
    ) -> __m256 {
        let table = &self.tables[group.table];
        // No `map`: its code would be that of a machine without these features.
        let near = &bytes[group.begin[0] - from..][..loaded(C, S)];
        let far = &bytes[group.begin[1] - from..][..loaded(C, S)];
        let [all, placed] = sums::<C, S>(table, [near, far]);
        let [start, slope] = load_line(&table.rising);
        let [end, fall] = load_line(&table.falling);
        let rising = _mm256_fmadd_ps(placed, slope, _mm256_mul_ps(all, start));
        let falling = _mm256_fmadd_ps(placed, fall, _mm256_mul_ps(all, end));
        let Some(pixel) = (2 * index).checked_sub(2) else { return rising };
        let sum = _mm256_add_ps(_mm256_permute2f128_ps::<0x21>(before, rising), falling);
        let levels = _mm256_cvtps_epi32(sum);
        let rest = _mm256_sub_ps(sum, _mm256_cvtepi32_ps(levels));
        let rest = _mm256_andnot_ps(_mm256_set1_ps(-0.0), rest);
        let unclear = _mm256_cmp_ps::<_CMP_GT_OQ>(rest, _mm256_set1_ps(self.clear));
        let pixels = if _mm256_movemask_ps(unclear) == 0 {
            let in_order = if C == 3 { 0x80_08_04_00_u32 } else { 0x0C_08_04_00 } as i32;
            let bytes = _mm256_shuffle_epi8(levels, _mm256_set1_epi32(in_order));
            let (low, high) = (_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
            let (low, high) = (_mm_cvtsi128_si32(low) as u32, _mm_cvtsi128_si32(high) as u32);
            u64::from(low) | u64::from(high) << (8 * C)
        } else {
            self.exact::<C>(line, pixel)
        };
        let out = &mut out[pixel * C..];
        match out.first_chunk_mut::<8>() {
            // Of three channels the last two bytes are overwritten by the next group.
            Some(out) => *out = pixels.to_le_bytes(),
            None => {
                let count = out.len().min(2 * C);
                out[..count].copy_from_slice(&pixels.to_le_bytes()[..count]);
            }
        }
        rising
    }

    /// The bytes of an output pixel and of the next one, by all of their weights.
    #[cold]
    fn exact<const C: usize>(&self, line: &[u8], pixel: usize) -> u64 {
        let mut bytes = [0; 8];
        let (pixels, _) = line.as_chunks::<C>();
        for ((first, weights), out) in self.windows[pixel..].iter().zip(bytes.chunks_exact_mut(C)) {
            for (channel, out) in out.iter_mut().enumerate() {
                let levels = pixels[*first..].iter().map(|pixel| pixel[channel]);
                let products = levels.zip(weights).map(|(level, &weight)| level.times(weight));
                *out = u8::filtered(HALF + products.sum::<i32>());
            }
        }
        u64::from_le_bytes(bytes)
    }
}

/// The sums of a group's segments, lane by lane: of levels, and of levels times their places.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sums<const C: usize, const S: usize>(table: &Table, [near, far]: [&[u8]; 2]) -> [__m256; 2] {
    let ones = _mm256_set1_epi8(1);
    let (mut all, mut placed) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for step in 0..S {
        let (near, far) = (&near[STEP * C * step..][..16], &far[STEP * C * step..][..16]);
        // SAFETY: 16 bytes of either slice are read, which have as many, and 32 of a reference.
        let (low, high, index) = unsafe {
            (
                _mm_loadu_si128(near.as_ptr().cast()),
                _mm_loadu_si128(far.as_ptr().cast()),
                _mm256_loadu_si256(table.index[step].as_ptr().cast()),
            )
        };
        let bytes = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high);
        let levels = _mm256_shuffle_epi8(bytes, index);
        let places = _mm256_set1_epi32(0x0302_0100 + 0x0404_0404 * step as i32);
        all = _mm256_add_epi16(all, _mm256_maddubs_epi16(levels, ones));
        placed = _mm256_add_epi16(placed, _mm256_maddubs_epi16(levels, places));
    }
    let pairs = _mm256_set1_epi16(1);
    [
        _mm256_cvtepi32_ps(_mm256_madd_epi16(all, pairs)),
        _mm256_cvtepi32_ps(_mm256_madd_epi16(placed, pairs)),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_line(line: &[[f32; 8]; 2]) -> [__m256; 2] {
    // SAFETY: 32 bytes of references each are read.
    unsafe { [_mm256_loadu_ps(line[0].as_ptr()), _mm256_loadu_ps(line[1].as_ptr())] }
}
