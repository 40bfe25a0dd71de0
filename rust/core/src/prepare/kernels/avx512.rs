//! AVX-512 with VBMI and VNNI: Ice Lake, Zen 4 and later.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::level::FILTER_BITS;
use super::area::{Across, Finish, Pieces, Rows, Sums, Task};
use super::area_body::area_loops;
use super::unpack::Pattern;
use super::{Portable, prefetch};

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }
}

impl Avx512 {
    /// See [`Portable`].
    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma")]
        fn run(work: impl Portable) {
            work.run();
        }
        // SAFETY: the token proves the features.
        unsafe { run(work) }
    }
}

type Token = Avx512;
type V = __m512i;

/// Windows side by side: 4 of 16 bytes or 8 of 8, taken from 64 bytes of a row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Group<const N: usize> {
    /// Of each kind those of even bytes, then those of odd ones.
    weights: [[i16; 32]; N],
    /// Which of the 64 bytes each byte of the windows is.
    index: [u8; 64],
    /// Those of the 64 bytes that lie in the row.
    mask: u64,
    /// Column of the first.
    base: usize,
}

impl<const N: usize> Group<N> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 64 bytes of a reference are read.
        unsafe { _mm512_loadu_si512(self.weights[of].as_ptr().cast()) }
    }
}

/// None where windows lie too far apart.
fn groups<const N: usize, const M: usize>(all: &Pieces<N>) -> Option<Vec<Group<M>>> {
    let count = 64 / all.bytes;
    all.pieces
        .chunks(count)
        .map(|pieces| {
            let base = pieces.iter().map(|piece| piece.start).min()?.max(0) as usize;
            let mut group = Group {
                weights: [[0; 32]; M],
                index: [0; 64],
                mask: u64::MAX >> 64_usize.saturating_sub(all.width.checked_sub(base)?),
                base,
            };
            for (at, piece) in pieces.iter().enumerate() {
                // Sums of narrow windows come out in two vectors, of every other one.
                let slot = if all.bytes == 8 { at % 4 * 2 + at / 4 } else { at };
                for (byte, weights) in piece.weights.iter().enumerate() {
                    if weights.iter().all(|&weight| weight == 0) {
                        continue;
                    }
                    let from = piece.start + byte as i64 - base as i64;
                    let to = slot * all.bytes + byte;
                    group.index[to] = u8::try_from(from).ok().filter(|&from| from < 64)?;
                    for (kind, &weight) in weights.iter().enumerate() {
                        group.weights[2 * kind + to % 2][to / 2] = weight;
                    }
                }
            }
            Some(group)
        })
        .collect()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn load<const N: usize>(group: &Group<N>, rows: Rows<'_>, row: usize) -> V {
    let start = rows.starts[row] + group.base;
    // SAFETY: the mask leaves out what lies beyond the row, and `Area::check` saw that the row lies
    // within `rows.bytes`; bytes that are masked out are not accessed. `base` is within the row.
    let bytes = unsafe {
        let from = rows.bytes.as_ptr().add(start);
        _mm512_maskz_loadu_epi8(group.mask, from.cast())
    };
    // SAFETY: 64 bytes of a reference are read.
    let index = unsafe { _mm512_loadu_si512(group.index.as_ptr().cast()) };
    _mm512_permutexvar_epi8(index, bytes)
}

/// Has the rows that come next fetched to the second-level cache.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn ahead<const N: usize>(group: &Group<N>, rows: Rows<'_>) {
    for &start in rows.ahead {
        let at = rows.bytes.as_ptr().wrapping_add(start + group.base);
        _mm_prefetch::<_MM_HINT_T1>(at.cast());
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn zero() -> V {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(value: i16) -> V {
    _mm512_set1_epi16(value)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn even(bytes: V) -> V {
    _mm512_and_si512(bytes, _mm512_set1_epi16(0xFF))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn odd(bytes: V) -> V {
    _mm512_srli_epi16::<8>(bytes)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn mul(a: V, b: V) -> V {
    _mm512_mullo_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: V, b: V) -> V {
    _mm512_add_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_sums(a: V, b: V) -> V {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn fourfold(a: V) -> V {
    _mm512_slli_epi32::<2>(a)
}

#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot(sums: V, levels: V, weights: V) -> V {
    _mm512_dpwssd_epi32(sums, levels, weights)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: V, at: usize, out: &mut [[i32; 4]]) {
    let out = &mut out[at..at + 4];
    // SAFETY: 64 bytes of a reference are written.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) }
}

/// Sums of red and green, and of blue, each in two halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn across(rg: V, b: V) -> V {
    add_sums(_mm512_unpacklo_epi64(rg, b), _mm512_unpackhi_epi64(rg, b))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halves(sums: V) -> V {
    add_sums(sums, _mm512_shuffle_epi32::<0x4E>(sums))
}

/// Adds up the sums of each window, channel beside channel.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_rgb<const NARROW: bool>([r, g, b]: [V; 3], index: usize, out: &mut [[i32; 4]]) {
    let none = _mm512_setzero_si512();
    let (low, high) = (_mm512_unpacklo_epi32(r, g), _mm512_unpackhi_epi32(r, g));
    let (low_b, high_b) = (_mm512_unpacklo_epi32(b, none), _mm512_unpackhi_epi32(b, none));
    if NARROW {
        store(across(low, low_b), 8 * index, out);
        store(across(high, high_b), 8 * index + 4, out);
    } else {
        let sums = across(_mm512_add_epi32(low, high), _mm512_add_epi32(low_b, high_b));
        store(sums, 4 * index, out);
    }
}

/// Adds up the sums of each window, those inside beside those of the edge.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_pair<const NARROW: bool>(inside: V, edge: V, index: usize, out: &mut [[i32; 4]]) {
    let (low, high) = (_mm512_unpacklo_epi32(inside, edge), _mm512_unpackhi_epi32(inside, edge));
    if NARROW {
        store(halves(low), 8 * index, out);
        store(halves(high), 8 * index + 4, out);
    } else {
        store(halves(_mm512_add_epi32(low, high)), 4 * index, out);
    }
}

area_loops!("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,fma");

/// Words of four bytes out of a row, sixteen at once.
#[derive(Clone, Debug)]
pub(super) struct Picks {
    token: Avx512,
    groups: Vec<Spread>,
    /// Bytes of a row.
    width: usize,
}

/// Sixteen words within 256 bytes of a row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Spread {
    /// Which of the first 256 bytes each byte is, modulo 128.
    index: [u8; 64],
    /// Those that lie in the second half of them.
    far: u64,
    base: usize,
    window: Window,
}

/// Up to 256 bytes of a row, of which those that lie in the row are loaded.
#[derive(Clone, Copy, Debug)]
struct Window {
    masks: [u64; 4],
    /// Vectors that hold something wanted: 1, 2 or 4.
    vectors: usize,
}

impl Window {
    /// For `length` bytes of a row of `width`, from `base` on.
    fn new(base: usize, length: usize, width: usize) -> Option<Self> {
        let vectors = match length.div_ceil(64) {
            0 | 1 => 1,
            2 => 2,
            3 | 4 => 4,
            _ => return None,
        };
        let left = width.checked_sub(base)?;
        let mask = |at: usize| match left.saturating_sub(64 * at) {
            0 => 0,
            left => u64::MAX >> 64_usize.saturating_sub(left),
        };
        Some(Self { masks: [0, 1, 2, 3].map(mask), vectors })
    }
}

/// The first `N` vectors of a window.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn window<const N: usize>(window: &Window, line: &[u8], base: usize) -> [V; N] {
    let mut vectors = [zero(); N];
    for (at, vector) in vectors.iter_mut().enumerate() {
        let from = line.as_ptr().wrapping_add(base + 64 * at);
        // SAFETY: `Window::new` masked out what lies beyond the row, whose length every caller
        // checks; bytes that are masked out are not accessed.
        *vector = unsafe { _mm512_maskz_loadu_epi8(window.masks[at], from.cast()) };
    }
    vectors
}

/// Bytes of a window; those of `far` in its second half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn fetch<const N: usize>(window: &[V; N], index: &[u8; 64], far: u64) -> V {
    // SAFETY: 64 bytes of a reference are read.
    let index = unsafe { _mm512_loadu_si512(index.as_ptr().cast()) };
    // Branches on a const parameter are taken at compile time.
    if N == 1 {
        _mm512_permutexvar_epi8(index, window[0])
    } else if N == 2 {
        _mm512_permutex2var_epi8(window[0], index, window[1])
    } else {
        let near = _mm512_permutex2var_epi8(window[0], index, window[1]);
        let beyond = _mm512_permutex2var_epi8(window[2], index, window[3]);
        _mm512_mask_blend_epi8(far, near, beyond)
    }
}

impl Picks {
    /// For words that begin there, ascending, in rows of that many bytes. None where they lie too
    /// far apart.
    pub(super) fn new(token: Avx512, starts: &[u32], width: usize) -> Option<Self> {
        let groups: Option<_> = starts
            .chunks(16)
            .map(|starts| {
                let base = *starts.first()? as usize;
                let last = *starts.last()? as usize;
                let window = Window::new(base, last + 4 - base, width)?;
                let (mut index, mut far) = ([0; 64], 0);
                for (word, &start) in starts.iter().enumerate() {
                    for byte in 0..4 {
                        let from = start as usize + byte - base;
                        index[4 * word + byte] = (from % 128) as u8;
                        far |= u64::from(from >= 128) << (4 * word + byte);
                    }
                }
                Some(Spread { index, far, base, window })
            })
            .collect();
        Some(Self { token, groups: groups?, width })
    }

    /// The words of a row.
    pub(super) fn pick(&self, line: &[u8], ahead: &[u8], words: &mut [u32]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
        fn pick(groups: &[Spread], line: &[u8], ahead: &[u8], words: &mut [u32]) {
            let (chunks, _) = words.as_chunks_mut::<16>();
            for (group, words) in groups.iter().zip(chunks) {
                let Spread { index, far, base, window: of } = group;
                if let Some(ahead) = ahead.get(*base..) {
                    prefetch(&ahead[..ahead.len().min(64 * of.vectors)]);
                }
                let picked = match of.vectors {
                    1 => fetch(&window::<1>(of, line, *base), index, *far),
                    2 => fetch(&window::<2>(of, line, *base), index, *far),
                    _ => fetch(&window::<4>(of, line, *base), index, *far),
                };
                // SAFETY: 64 bytes of a reference are written.
                unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), picked) };
            }
        }
        assert_eq!(line.len(), self.width, "a row as long as the plan's");
        let _proof = self.token;
        // SAFETY: the token proves the features.
        unsafe { pick(&self.groups, line, ahead, words) }
    }
}

/// Pillow's filter across, sixteen output pixels at once: four pixels of each one's window after
/// the other.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    token: Avx512,
    groups: Vec<Sixteen>,
    steps: Vec<Step>,
    /// The most vectors of a window.
    vectors: usize,
    shown: usize,
    width: usize,
}

#[derive(Clone, Debug)]
struct Sixteen {
    base: usize,
    window: Window,
    steps: std::ops::Range<usize>,
}

#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Step {
    /// See [`Spread`].
    index: [u8; 64],
    /// Signed digits of the weights to the base of 256, the lowest first.
    digits: [[i8; 64]; 3],
    far: u64,
}

impl Filter {
    /// None where output pixels lie too far apart.
    pub(super) fn new(token: Avx512, windows: &[(usize, &[i32])], width: usize) -> Option<Self> {
        let (mut groups, mut steps) = (Vec::new(), Vec::new());
        for sixteen in windows.chunks(16) {
            let base = sixteen.iter().map(|(first, _)| *first).min()?;
            let end = sixteen.iter().map(|(first, weights)| first + weights.len()).max()?;
            let window = Window::new(base, end - base, width)?;
            let begin = steps.len();
            let longest = sixteen.iter().map(|(_, weights)| weights.len()).max()?;
            for step in 0..longest.div_ceil(4) {
                let mut one = Step { index: [0; 64], digits: [[0; 64]; 3], far: 0 };
                for (lane, (first, weights)) in sixteen.iter().enumerate() {
                    for (byte, &weight) in weights.iter().skip(4 * step).take(4).enumerate() {
                        let (from, to) = (first + 4 * step + byte - base, 4 * lane + byte);
                        one.index[to] = (from % 128) as u8;
                        one.far |= u64::from(from >= 128) << to;
                        let mut rest = weight;
                        for digits in &mut one.digits[..2] {
                            digits[to] = rest as i8;
                            rest = (rest - i32::from(digits[to])) >> 8;
                        }
                        one.digits[2][to] = i8::try_from(rest).ok()?;
                    }
                }
                steps.push(one);
            }
            groups.push(Sixteen { base, window, steps: begin..steps.len() });
        }
        let vectors = groups.iter().map(|group| group.window.vectors).max()?;
        Some(Self { token, groups, steps, vectors, shown: windows.len(), width })
    }

    /// One plane or three of rows, into planes of output rows.
    pub(super) fn across(&self, planes: &[u8], out: &mut [u8]) {
        let count = planes.len() / self.width;
        assert!(planes.len() == count * self.width && out.len() == count * self.shown);
        let _proof = self.token;
        // SAFETY: the token proves the features.
        unsafe {
            match (count, self.vectors) {
                (3, 1) => self.rows::<3, 1>(planes, out),
                (3, 2) => self.rows::<3, 2>(planes, out),
                (3, _) => self.rows::<3, 4>(planes, out),
                (_, 1) => self.rows::<1, 1>(planes, out),
                (_, 2) => self.rows::<1, 2>(planes, out),
                (_, _) => self.rows::<1, 4>(planes, out),
            }
        }
    }

    /// `P` planes, from windows of `N` vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn rows<const P: usize, const N: usize>(&self, planes: &[u8], out: &mut [u8]) {
        let half = _mm512_set1_epi32(1 << (FILTER_BITS - 1));
        for (at, group) in self.groups.iter().enumerate() {
            let mut windows = [[zero(); N]; P];
            for (plane, of_plane) in windows.iter_mut().enumerate() {
                let line = &planes[plane * self.width..][..self.width];
                *of_plane = window(&group.window, line, group.base);
            }
            let mut sums = [[zero(); 3]; P];
            for step in &self.steps[group.steps.clone()] {
                // SAFETY: 64 bytes of a reference each are read.
                let digits = unsafe {
                    [
                        _mm512_loadu_si512(step.digits[0].as_ptr().cast()),
                        _mm512_loadu_si512(step.digits[1].as_ptr().cast()),
                        _mm512_loadu_si512(step.digits[2].as_ptr().cast()),
                    ]
                };
                for plane in 0..P {
                    let levels = fetch(&windows[plane], &step.index, step.far);
                    for digit in 0..3 {
                        let sum = &mut sums[plane][digit];
                        *sum = _mm512_dpbusd_epi32(*sum, levels, digits[digit]);
                    }
                }
            }
            for (plane, [low, middle, high]) in sums.into_iter().enumerate() {
                let upper = _mm512_add_epi32(_mm512_slli_epi32::<8>(high), middle);
                let sum = _mm512_add_epi32(_mm512_slli_epi32::<8>(upper), low);
                let sum = _mm512_add_epi32(sum, half);
                let level = _mm512_srai_epi32::<{ FILTER_BITS }>(sum);
                let level = _mm512_cvtusepi32_epi8(_mm512_max_epi32(level, zero()));
                let shown = self.shown - 16 * at;
                let out = &mut out[plane * self.shown + 16 * at..][..shown.min(16)];
                let mask = u16::MAX >> (16 - out.len());
                // SAFETY: only as many bytes are written as `out` has.
                unsafe { _mm_mask_storeu_epi8(out.as_mut_ptr().cast(), mask, level) };
            }
        }
    }
}

/// Pixels of three bytes to planes, 64 at a time; says how many. What lies `ahead` is wanted next.
pub(super) fn split_threes(
    token: Avx512,
    pixels: &[u8],
    ahead: &[u8],
    planes: [&mut [u8]; 3],
) -> usize {
    /// Of the bytes of 64 pixels those of a plane: from the first two vectors, then from all.
    const INDEX: [[[u8; 64]; 2]; 3] = {
        let mut index = [[[0; 64]; 2]; 3];
        let mut plane = 0;
        while plane < 3 {
            let mut pixel = 0;
            while pixel < 64 {
                let from = 3 * pixel + plane;
                if from < 128 {
                    index[plane][0][pixel] = from as u8;
                    index[plane][1][pixel] = pixel as u8;
                } else {
                    index[plane][1][pixel] = (from - 64) as u8;
                }
                pixel += 1;
            }
            plane += 1;
        }
        index
    };
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn split(pixels: &[u8], ahead: &[u8], planes: [&mut [u8]; 3]) -> usize {
        let (chunks, _) = pixels.as_chunks::<192>();
        let [a, b, c] = planes;
        let (a, b, c) = (a.as_chunks_mut().0, b.as_chunks_mut().0, c.as_chunks_mut().0);
        let mut done = 0;
        for (pixels, ((a, b), c)) in chunks.iter().zip(a.iter_mut().zip(b).zip(c)) {
            if let Some(ahead) = ahead.get(3 * done..3 * done + 192) {
                prefetch(ahead);
            }
            for (plane, out) in [a, b, c].into_iter().enumerate() {
                let out: &mut [u8; 64] = out;
                let [near, all] = &INDEX[plane];
                // SAFETY: 192 bytes and twice 64 of references are read, and 64 written.
                unsafe {
                    let from = pixels.as_ptr();
                    let first = _mm512_loadu_si512(from.cast());
                    let second = _mm512_loadu_si512(from.add(64).cast());
                    let third = _mm512_loadu_si512(from.add(128).cast());
                    let near = _mm512_loadu_si512(near.as_ptr().cast());
                    let all = _mm512_loadu_si512(all.as_ptr().cast());
                    let two = _mm512_permutex2var_epi8(first, near, second);
                    let three = _mm512_permutex2var_epi8(two, all, third);
                    _mm512_storeu_si512(out.as_mut_ptr().cast(), three);
                }
            }
            done += 64;
        }
        done
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { split(pixels, ahead, planes) }
}

/// See [`Pattern`]; 32 samples at once, as far as whole vectors can be read. Says how many.
pub(super) fn unpack(token: Avx512, pattern: &Pattern, line: &[u8], out: &mut [u8]) -> usize {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    fn run(pattern: &Pattern, line: &[u8], out: &mut [u8]) -> usize {
        // SAFETY: 64 bytes of references each are read.
        let (index, factors) = unsafe {
            (
                _mm512_loadu_si512(pattern.index.as_ptr().cast()),
                _mm512_loadu_si512(pattern.factors.as_ptr().cast()),
            )
        };
        let (chunks, _) = out.as_chunks_mut::<32>();
        let mut done = 0;
        for (at, out) in chunks.iter_mut().enumerate() {
            let bytes = line.get(4 * at * pattern.step..).and_then(|rest| rest.first_chunk::<64>());
            let Some(bytes) = bytes else { break };
            // SAFETY: 64 bytes of a reference are read.
            let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
            let levels = odd(mul(_mm512_permutexvar_epi8(index, bytes), factors));
            // SAFETY: 32 bytes of a reference are written.
            unsafe {
                _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(levels));
            }
            done += 32;
        }
        done
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(pattern, line, out) }
}
