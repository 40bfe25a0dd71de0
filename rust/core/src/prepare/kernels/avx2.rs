//! AVX2: x86 since Haswell and the first Zen.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::level::FILTER_BITS;
use super::Portable;
use super::affine::How;
use super::area::{
    Across, Finish, Mix, Piece, Pieces, Placed, Rows, Sums, Task, area_loops, byte_loops,
};
use super::unpack::Pattern;

/// The proof that this machine has these instructions.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Self(()))
    }
}

impl Avx2 {
    /// See [`Portable`].
    pub(super) fn run(self, work: impl Portable) {
        #[target_feature(enable = "avx2,fma")]
        fn run(work: impl Portable) {
            work.run();
        }
        // SAFETY: the token proves the features.
        unsafe { run(work) }
    }
}

/// Has bytes that will soon be wanted fetched to the second-level cache.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: every x86-64 has SSE, and a hint accesses nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
}

/// The same for so many cache lines, wherever they lie.
#[inline(always)]
pub(super) fn prefetch_lines(from: *const u8, lines: usize) {
    for line in 0..lines {
        // SAFETY: every x86-64 has SSE, and a hint accesses nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.wrapping_add(64 * line).cast()) };
    }
}

type Token = Avx2;
type V = __m256i;

/// Where windows side by side lie: 2 of 16 bytes or 4 of 8, taken from 16 bytes of a row for each half.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
struct Place {
    /// Which of its half's 16 bytes each byte of the windows is; 0x80 for none.
    index: [u8; 32],
    /// Columns of the first byte of each half.
    base: [usize; 2],
}

/// Windows side by side.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
struct Group<const N: usize> {
    /// Of each kind those of even bytes, then those of odd ones.
    weights: [[i16; 16]; N],
    place: Place,
}

/// The same where weights fit bytes. Of a mosaic: colour, `of_mean` and green of rows that hold red,
/// then of those that hold blue.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
struct Bytes<const N: usize> {
    weights: [[i8; 32]; N],
    place: Place,
}

/// Two products with greater weights may not fit 16 bits.
const MOST_WEIGHT: i8 = 64;

impl<const N: usize> Group<N> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 32 bytes of a reference are read.
        unsafe { _mm256_loadu_si256(self.weights[of].as_ptr().cast()) }
    }
}

impl<const N: usize> Bytes<N> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn weights(&self, of: usize) -> V {
        // SAFETY: 32 bytes of a reference are read.
        unsafe { _mm256_loadu_si256(self.weights[of].as_ptr().cast()) }
    }
}

/// Groups of windows, which are told places in a group with the bytes that lie there. None
/// where windows lie too far apart, where the picture is narrower than a load, or where a weight does
/// not fit.
fn grouped<const N: usize, G>(
    all: &Pieces<N>,
    blank: impl Fn(Place) -> G,
    place: impl Fn(&mut G) -> &mut Place,
    bytes: impl Fn(&Piece<N>) -> Option<Vec<Placed<N>>>,
    weigh: impl Fn(&mut G, usize, Placed<N>) -> Option<()>,
) -> Option<Vec<G>> {
    let count = 32 / all.bytes;
    let most = all.width.checked_sub(16)? as i64;
    all.pieces
        .chunks(count)
        .map(|pieces| {
            // Of narrow windows each half holds two, but not neighbours: sums of narrow windows come
            // out in two vectors, of every other one.
            let first = |half: usize| pieces.get(half).or(pieces.first());
            let base =
                [first(0)?.start, first(1)?.start].map(|start| start.clamp(0, most) as usize);
            let mut group = blank(Place { index: [0x80; 32], base });
            for (at, piece) in pieces.iter().enumerate() {
                let half = at % 2;
                let slot = if all.bytes == 8 { half * 2 + at / 2 } else { half };
                for placed in bytes(piece)? {
                    if placed.weights == [0; N] {
                        continue;
                    }
                    let from = piece.start + placed.byte as i64 - base[half] as i64;
                    let to = slot * all.bytes + placed.place;
                    place(&mut group).index[to] = u8::try_from(from).ok().filter(|&at| at < 16)?;
                    weigh(&mut group, to, placed)?;
                }
            }
            Some(group)
        })
        .collect()
}

/// None where windows lie too far apart, or the picture is narrower than a load.
fn groups<const N: usize, const M: usize>(all: &Pieces<N>) -> Option<Vec<Group<M>>> {
    grouped(
        all,
        |place| Group { weights: [[0; 16]; M], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, placed| {
            for (kind, &weight) in placed.weights.iter().enumerate() {
                group.weights[2 * kind + to % 2][to / 2] = weight;
            }
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
fn mono_bytes(all: &Pieces<1>) -> Option<Vec<Bytes<1>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; 32]; 1], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, Placed { weights: [weight], .. }| {
            group.weights[0][to] = i8::try_from(weight).ok().filter(|&at| at <= MOST_WEIGHT)?;
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
fn mosaic_bytes(all: &Pieces<3>) -> Option<Vec<Bytes<6>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; 32]; 6], place },
        |group| &mut group.place,
        |piece| piece.by_color(MOST_WEIGHT),
        |group, to, Placed { byte, weights, .. }| {
            let weights = weights.map(|weight| weight as i8);
            // Rows that hold red have it in even bytes, those that hold blue in odd ones.
            let (color, green) = if byte % 2 == 0 { (0, 4) } else { (3, 1) };
            group.weights[color][to] = weights[0];
            group.weights[green][to] = weights[1];
            group.weights[green + 1][to] = weights[2];
            Some(())
        },
    )
}

impl Place {
    /// Where it is: there are not enough registers to keep it in.
    #[inline(always)]
    fn lens(&self) -> &Self {
        self
    }

    #[inline(always)]
    fn column(&self) -> usize {
        self.base[0]
    }
}

/// The windows of the row that begins there.
#[inline]
#[target_feature(enable = "avx2")]
fn load(lens: &Place, rows: Rows<'_>, start: usize) -> V {
    // SAFETY: both bases are at most the row's length less 16, and `Area::check` saw that all rows lie
    // within `rows.bytes`.
    let bytes = unsafe {
        let row = rows.bytes.as_ptr().add(start);
        let low = _mm_loadu_si128(row.add(lens.base[0]).cast());
        let high = _mm_loadu_si128(row.add(lens.base[1]).cast());
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
    };
    // SAFETY: 32 bytes of a reference are read.
    let index = unsafe { _mm256_loadu_si256(lens.index.as_ptr().cast()) };
    _mm256_shuffle_epi8(bytes, index)
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> V {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat(value: i16) -> V {
    _mm256_set1_epi16(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn even(bytes: V) -> V {
    _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF))
}

#[inline]
#[target_feature(enable = "avx2")]
fn odd(bytes: V) -> V {
    _mm256_srli_epi16::<8>(bytes)
}

#[inline]
#[target_feature(enable = "avx2")]
fn mul(a: V, b: V) -> V {
    _mm256_mullo_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: V, b: V) -> V {
    _mm256_add_epi16(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_sums(a: V, b: V) -> V {
    _mm256_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn sub_sums(a: V, b: V) -> V {
    _mm256_sub_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn mul_sums(a: V, b: V) -> V {
    _mm256_mullo_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn splat_sums(value: i32) -> V {
    _mm256_set1_epi32(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(of: &[i32; 16]) -> V {
    // SAFETY: 32 bytes of a reference are read, which has 64.
    unsafe { _mm256_loadu_si256(of.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn keep_lanes(sums: V, of: &mut [i32; 16]) {
    // SAFETY: 32 bytes of a reference are written, which has 64.
    unsafe { _mm256_storeu_si256(of.as_mut_ptr().cast(), sums) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn fourfold(a: V) -> V {
    _mm256_slli_epi32::<2>(a)
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot(sums: V, levels: V, weights: V) -> V {
    _mm256_add_epi32(sums, _mm256_madd_epi16(levels, weights))
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_bytes(a: V, b: V) -> V {
    _mm256_add_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn sub_bytes(a: V, b: V) -> V {
    _mm256_sub_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn quarters([a, b, c, d]: [i32; 4]) -> V {
    _mm256_setr_epi32(a, b, c, d, a, b, c, d)
}

#[inline]
#[target_feature(enable = "avx2")]
fn shift(sums: V, counts: V) -> V {
    _mm256_sllv_epi32(sums, counts)
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot_bytes(sums: V, levels: V, weights: V) -> V {
    let pairs = _mm256_maddubs_epi16(levels, weights);
    add_sums(sums, _mm256_madd_epi16(pairs, splat(1)))
}

/// Adds up the sums of each window: colour and green of rows that hold red, green and colour of those
/// that hold blue.
#[inline]
#[target_feature(enable = "avx2")]
fn store_kinds<const NARROW: bool>([of_red, of_blue]: [V; 2], index: usize, out: &mut [[i32; 4]]) {
    if NARROW {
        store(channels(_mm256_unpacklo_epi64(of_red, of_blue)), 4 * index, out);
        store(channels(_mm256_unpackhi_epi64(of_red, of_blue)), 4 * index + 2, out);
    } else {
        store(channels(_mm256_hadd_epi32(of_red, of_blue)), 2 * index, out);
    }
}

/// From red, green, green, blue to red, green, blue.
#[inline]
#[target_feature(enable = "avx2")]
fn channels(sums: V) -> V {
    let moved = _mm256_shuffle_epi32::<0b00_11_10_00>(sums);
    let moved = _mm256_blend_epi32::<0b0110_0110>(zero(), moved);
    add_sums(moved, _mm256_blend_epi32::<0b0011_0011>(zero(), sums))
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(sums: V, at: usize, out: &mut [[i32; 4]]) {
    let out = &mut out[at..at + 2];
    // SAFETY: 32 bytes of a reference are written.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums) }
}

/// Sums of red and green, and of blue, each in two halves.
#[inline]
#[target_feature(enable = "avx2")]
fn across(rg: V, b: V) -> V {
    add_sums(_mm256_unpacklo_epi64(rg, b), _mm256_unpackhi_epi64(rg, b))
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(sums: V) -> V {
    add_sums(sums, _mm256_shuffle_epi32::<0x4E>(sums))
}

/// Adds up the sums of each window, channel beside channel.
#[inline]
#[target_feature(enable = "avx2")]
fn store_rgb<const NARROW: bool>([r, g, b]: [V; 3], index: usize, out: &mut [[i32; 4]]) {
    let none = _mm256_setzero_si256();
    let (low, high) = (_mm256_unpacklo_epi32(r, g), _mm256_unpackhi_epi32(r, g));
    let (low_b, high_b) = (_mm256_unpacklo_epi32(b, none), _mm256_unpackhi_epi32(b, none));
    if NARROW {
        store(across(low, low_b), 4 * index, out);
        store(across(high, high_b), 4 * index + 2, out);
    } else {
        store(across(add_sums(low, high), add_sums(low_b, high_b)), 2 * index, out);
    }
}

/// Adds up the sums of each window, those inside beside those of the edge.
#[inline]
#[target_feature(enable = "avx2")]
fn store_pair<const NARROW: bool>(inside: V, edge: V, index: usize, out: &mut [[i32; 4]]) {
    let (low, high) = (_mm256_unpacklo_epi32(inside, edge), _mm256_unpackhi_epi32(inside, edge));
    if NARROW {
        store(halves(low), 4 * index, out);
        store(halves(high), 4 * index + 2, out);
    } else {
        store(halves(add_sums(low, high)), 2 * index, out);
    }
}

area_loops!("avx2,fma");
byte_loops!("avx2,fma");

/// Pixels that a window is read in.
const TAPS: usize = 16;
/// Bits of a weight's lower digit; the upper one fits 16 bits.
const LOW_BITS: u32 = 11;

/// Pillow's filter across, one output pixel's window after the other.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    token: Avx2,
    /// Where each output pixel's window begins, in fours.
    starts: Vec<[usize; 4]>,
    /// Of each, `chunks` times the upper digits of weights and the lower ones.
    weights: Vec<[[i16; TAPS]; 2]>,
    chunks: usize,
    shown: usize,
    width: usize,
}

impl Filter {
    /// None where rows are narrower than a window's vectors.
    pub(super) fn new(token: Avx2, windows: &[(usize, &[i32])], width: usize) -> Option<Self> {
        let chunks = windows.iter().map(|(_, weights)| weights.len().div_ceil(TAPS)).max()?;
        let most = width.checked_sub(chunks * TAPS)?;
        let (mut starts, mut weights) = (Vec::new(), Vec::new());
        for four in windows.chunks(4) {
            let of = |at: usize| four[at.min(four.len() - 1)];
            starts.push([0, 1, 2, 3].map(|at| of(at).0.min(most)));
            for at in 0..4 {
                let (first, digits) = of(at);
                let before = first - first.min(most);
                let mut of_bytes = vec![0; before];
                of_bytes.extend_from_slice(digits);
                // A window that was moved ends with the row all the same.
                of_bytes.resize(chunks * TAPS, 0);
                for chunk in of_bytes.as_chunks::<TAPS>().0 {
                    let mut both = [[0; TAPS]; 2];
                    for (tap, &weight) in chunk.iter().enumerate() {
                        both[0][tap] = i16::try_from(weight >> LOW_BITS).ok()?;
                        both[1][tap] = (weight & ((1 << LOW_BITS) - 1)) as i16;
                    }
                    weights.push(both);
                }
            }
        }
        Some(Self { token, starts, weights, chunks, shown: windows.len(), width })
    }

    /// Planes of rows, into planes of output rows.
    pub(super) fn across(&self, planes: &[u8], out: &mut [u8]) {
        let _proof = self.token;
        for (plane, out) in planes.chunks_exact(self.width).zip(out.chunks_exact_mut(self.shown)) {
            // SAFETY: the token proves the features; `plane` is `width` long.
            unsafe { self.plane(plane, out) };
        }
    }

    /// # Safety
    /// `plane` is `width` long.
    #[target_feature(enable = "avx2")]
    unsafe fn plane(&self, plane: &[u8], out: &mut [u8]) {
        let half = _mm_set1_epi32(1 << (FILTER_BITS - 1));
        let of_fours = self.weights.chunks_exact(4 * self.chunks);
        for ((starts, weights), out) in self.starts.iter().zip(of_fours).zip(out.chunks_mut(4)) {
            let mut sums = [zero(); 4];
            for (at, (sum, weights)) in
                sums.iter_mut().zip(weights.chunks_exact(self.chunks)).enumerate()
            {
                let (mut high, mut low) = (zero(), zero());
                for (chunk, [of_high, of_low]) in weights.iter().enumerate() {
                    // SAFETY: `new` saw that a window's chunks end with the row at the latest, which
                    // is as long as the plane; and 32 bytes of a reference each are read.
                    let (bytes, of_high, of_low) = unsafe {
                        let from = plane.as_ptr().add(starts[at] + chunk * TAPS);
                        (
                            _mm_loadu_si128(from.cast()),
                            _mm256_loadu_si256(of_high.as_ptr().cast()),
                            _mm256_loadu_si256(of_low.as_ptr().cast()),
                        )
                    };
                    let levels = _mm256_cvtepu8_epi16(bytes);
                    high = dot(high, levels, of_high);
                    low = dot(low, levels, of_low);
                }
                *sum = add_sums(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
            }
            let [a, b, c, d] = sums;
            let eighths = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
            let (near, far) =
                (_mm256_castsi256_si128(eighths), _mm256_extracti128_si256::<1>(eighths));
            let sums = _mm_add_epi32(_mm_add_epi32(near, far), half);
            let levels = _mm_srai_epi32::<{ FILTER_BITS as i32 }>(sums);
            let words = _mm_packs_epi32(levels, levels);
            let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words)).to_le_bytes();
            let count = out.len();
            out.copy_from_slice(&bytes[..count]);
        }
    }
}

/// See [`Pattern`]; 16 samples at once, as far as whole vectors can be read. Says how many.
pub(super) fn unpack(token: Avx2, pattern: &Pattern, line: &[u8], out: &mut [u8]) -> usize {
    #[target_feature(enable = "avx2")]
    fn run(pattern: &Pattern, line: &[u8], out: &mut [u8]) -> usize {
        // SAFETY: 16 bytes of references each are read.
        let (index, factors) = unsafe {
            (
                _mm_loadu_si128(pattern.index.as_ptr().cast()),
                _mm_loadu_si128(pattern.factors.as_ptr().cast()),
            )
        };
        let (index, factors) =
            (_mm256_broadcastsi128_si256(index), _mm256_broadcastsi128_si256(factors));
        let (chunks, _) = out.as_chunks_mut::<16>();
        let mut done = 0;
        for (at, out) in chunks.iter_mut().enumerate() {
            let Some(bytes) = line.get(2 * at * pattern.step..) else { break };
            if bytes.len() < pattern.step + 16 {
                break;
            }
            // SAFETY: 16 bytes from the beginning and from `step` on are there, as was just seen.
            let (low, high) = unsafe {
                let from = bytes.as_ptr();
                (_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(pattern.step).cast()))
            };
            let bytes = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high);
            let levels = odd(mul(_mm256_shuffle_epi8(bytes, index), factors));
            let (low, high) =
                (_mm256_castsi256_si128(levels), _mm256_extracti128_si256::<1>(levels));
            // SAFETY: 16 bytes of a reference are written.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_packus_epi16(low, high)) };
            done += 16;
        }
        done
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(pattern, line, out) }
}

/// Levels as float32.
pub(super) fn float32(token: Avx2, levels: &[u8], how: How, out: &mut [[u8; 4]]) {
    #[target_feature(enable = "avx2,fma")]
    fn run<const SCALE: bool>(levels: &[u8], how: How, out: &mut [[u8; 4]]) {
        let [scale, rest] = how.scale.map(|scale| _mm256_set1_ps(scale));
        let (mean, std) = (_mm256_set1_ps(how.mean), _mm256_set1_ps(how.std));
        let (eights, last) = levels.as_chunks::<8>();
        let (outs, last_out) = out.as_chunks_mut::<8>();
        for (levels, out) in eights.iter().zip(outs) {
            // SAFETY: 8 bytes of a reference are read, and 32 of one written, which have as many.
            unsafe {
                let bytes = _mm_loadl_epi64(levels.as_ptr().cast());
                let levels = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
                let scaled = _mm256_fmadd_ps(levels, scale, _mm256_mul_ps(levels, rest));
                let numbers =
                    if SCALE { scaled } else { _mm256_div_ps(_mm256_sub_ps(scaled, mean), std) };
                _mm256_storeu_ps(out.as_mut_ptr().cast(), numbers);
            }
        }
        how.write(last, last_out);
    }
    assert_eq!(levels.len(), out.len());
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe {
        if how.is_scale() {
            run::<true>(levels, how, out);
        } else {
            run::<false>(levels, how, out);
        }
    }
}

/// Levels as float16.
pub(in super::super) fn float16(token: Avx2, levels: &[u8], how: How, out: &mut [[u8; 2]]) {
    #[target_feature(enable = "avx2,fma,f16c")]
    fn run(levels: &[u8], how: How, out: &mut [[u8; 2]]) {
        let (eights, rest) = levels.as_chunks::<8>();
        let (near, far) = out.split_at_mut(8 * eights.len());
        for (levels, out) in eights.iter().zip(near.as_chunks_mut().0) {
            of_some(how.numbers(levels), out);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let mut halves = [[0; 2]; 8];
        of_some(how.numbers(&last), &mut halves);
        far.copy_from_slice(&halves[..far.len()]);
    }
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn of_some(numbers: [f32; 8], out: &mut [[u8; 2]; 8]) {
        // SAFETY: 32 bytes of a reference are read, and 16 of one written, which have as many.
        unsafe {
            let numbers = _mm256_loadu_ps(numbers.as_ptr());
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(numbers);
            _mm_storeu_si128(out.as_mut_ptr().cast(), halves);
        }
    }
    let _proof = token;
    // SAFETY: the token proves the features.
    unsafe { run(levels, how, out) }
}
