//! The area mean of packed samples, see [`area`](super::super::area).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::area::{Finish, Mix, Rows};
use super::super::unpack::Fields;
use super::{Avx512, V, first_bytes, levels, store_sixteen};

/// The pass across and down.
#[derive(Clone, Debug)]
pub(in super::super) struct Packed {
    token: Avx512,
    /// For eight output pixels as many as each has pieces.
    eights: Vec<Eight>,
    each: usize,
    /// Where in eight bytes the bits of each sample begin.
    first_bits: [u8; 64],
    /// From the pieces of eight output pixels to their sums: for each vector of pieces, the first of an
    /// output pixel, the second and so on.
    joins: Vec<Join>,
    /// For each vector of pieces the sums of the row in which the latest edge lies.
    before: Vec<[i32; 16]>,
    row_bytes: usize,
}

/// Eight pieces side by side.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Eight {
    /// Which of the row's 64 bytes each byte of the pieces is.
    index: [u8; 64],
    weights: [i8; 64],
    /// Those of the 64 bytes that lie in the row.
    mask: u64,
    base: usize,
}

#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Join {
    index: [u64; 8],
    /// The output pixels that have such a piece in the vector.
    wanted: u8,
}

impl Packed {
    /// For windows by columns from `first` on. None where pieces lie too far apart, where there are too
    /// many, or where a weight does not fit a byte.
    pub(in super::super) fn new(
        token: Avx512,
        across: &[(u32, Vec<[u32; 1]>)],
        first: u32,
        fields: &Fields,
        row_bytes: usize,
    ) -> Option<Self> {
        let Fields { first_bits: bits, unit, unit_bytes } = fields;
        // From one piece to the next.
        let step = bits.len() / unit * unit;
        let begin = |column: u32| (column + first) as usize / unit * unit;
        let pieces_of = |(column, weights): &(u32, Vec<[u32; 1]>)| {
            let end = (column + first) as usize + weights.len() - begin(*column);
            1 + end.saturating_sub(bits.len()).div_ceil(step)
        };
        let each = across.iter().map(pieces_of).max()?;
        if each > 8 {
            return None;
        }
        let count = across.len().next_multiple_of(8) * each;
        // Of each piece where it begins in the row, and its weights.
        let mut pieces = vec![(0, [0_i8; 8]); count];
        for (window, (column, weights)) in across.iter().enumerate() {
            let begin = begin(*column);
            let mut offset = (column + first) as usize - begin;
            let mut weights = weights.iter().map(|[weight]| *weight);
            for (at, piece) in pieces[window * each..][..each].iter_mut().enumerate() {
                piece.0 = (begin + at * step) / unit * unit_bytes;
                // The last one may have more samples than lie from one to the next.
                let samples = if at + 1 == each { bits.len() } else { step };
                for place in offset.min(samples)..samples {
                    piece.1[place] = i8::try_from(weights.next().unwrap_or_default()).ok()?;
                }
                offset = offset.saturating_sub(samples);
            }
        }
        let mut eights = Vec::with_capacity(count / 8);
        for some in pieces.chunks(8) {
            let used = || some.iter().filter(|(_, weights)| *weights != [0; 8]);
            let base = used().map(|(begin, _)| *begin).min().unwrap_or_default();
            let mask = first_bytes(row_bytes.checked_sub(base)?);
            let mut eight = Eight { index: [0; 64], weights: [0; 64], mask, base };
            for (slot, (begin, weights)) in some.iter().enumerate() {
                for (place, &weight) in weights.iter().enumerate().filter(|(_, w)| **w != 0) {
                    // The sample's bits lie in these bytes.
                    let (bit, to) = (usize::from(bits[place]), 8 * slot);
                    for byte in bit / 8..=bit.div_ceil(8) {
                        let from = begin + byte - base;
                        eight.index[to + byte] = u8::try_from(from).ok().filter(|&at| at < 64)?;
                    }
                    eight.weights[to + place] = weight;
                }
            }
            eights.push(eight);
        }
        let mut joins = vec![Join { index: [0; 8], wanted: 0 }; each * each];
        for pixel in 0..8 {
            for at in 0..each {
                let piece = pixel * each + at;
                let join = &mut joins[piece / 8 * each + at];
                join.index[pixel] = (piece % 8) as u64;
                join.wanted |= 1 << pixel;
            }
        }
        let mut first_bits = [0; 64];
        for eight in first_bits.chunks_exact_mut(8) {
            eight[..bits.len()].copy_from_slice(bits);
        }
        let before = vec![[0; 16]; eights.len()];
        Some(Self { token, eights, each, first_bits, joins, before, row_bytes })
    }

    pub(in super::super) fn restart(&mut self) {
        self.before.fill([0; 16]);
    }

    /// An output row, or none of the edge above the first one. With `edge` the last of `rows` is that of
    /// the edge.
    pub(in super::super) fn row(
        &mut self,
        rows: Rows<'_>,
        edge: bool,
        mix: Mix,
        finish: &Finish,
        out: &mut [u8],
    ) {
        let last = rows.bytes.len().checked_sub(self.row_bytes);
        assert!(
            rows.starts.iter().all(|&start| last.is_some_and(|last| start <= last)),
            "a row of {} B leaves the picture's bytes",
            self.row_bytes
        );
        let _proof = self.token;
        // SAFETY: the token proves the features, and all rows lie within their bytes.
        unsafe { self.run(rows, edge, mix, finish, out) };
    }

    /// # Safety
    /// From each start on `row_bytes` lie within the rows' bytes.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
    unsafe fn run(
        &mut self,
        rows: Rows<'_>,
        edge: bool,
        mix: Mix,
        finish: &Finish,
        out: &mut [u8],
    ) {
        let none = _mm512_setzero_si512();
        let first_bits = load(&self.first_bits);
        let whole = _mm512_set1_epi32(mix.whole);
        let [of_before, of_edge] = mix.shares;
        let (of_before, of_edge) = (_mm512_set1_epi32(of_before), _mm512_set1_epi32(of_edge));
        let (inside, on_edge) = rows.starts.split_at(rows.starts.len() - usize::from(edge));
        let (pairs, single) = inside.as_chunks::<2>();
        let mut fetched = 0;
        let mut out = out.chunks_mut(8);
        let vectors = self.eights.chunks_exact(self.each);
        for (eights, before) in vectors.zip(self.before.chunks_exact_mut(self.each)) {
            let mut sums = none;
            let joins = self.joins.chunks_exact(self.each);
            for ((eight, before), joins) in eights.iter().zip(before).zip(joins) {
                rows.ahead.fetch(&mut fetched, eight.base);
                let weights = load(&eight.weights);
                let (mut near, mut far, mut edges) = (none, none, none);
                let from = rows.bytes.as_ptr().wrapping_add(eight.base);
                let (mask, index) = (eight.mask, load(&eight.index));
                // A macro, since a closure would be compiled without these instructions.
                macro_rules! row {
                    ($start:expr) => {{
                        // SAFETY: the mask leaves out what lies beyond the row; bytes that are masked
                        // out are not accessed.
                        let bytes = unsafe {
                            _mm512_maskz_loadu_epi8(mask, from.wrapping_add($start).cast())
                        };
                        let pieces = _mm512_permutexvar_epi8(index, bytes);
                        _mm512_multishift_epi64_epi8(first_bits, pieces)
                    }};
                }
                for &[first, second] in pairs {
                    near = _mm512_dpbusd_epi32(near, row!(first), weights);
                    far = _mm512_dpbusd_epi32(far, row!(second), weights);
                }
                for &start in single {
                    near = _mm512_dpbusd_epi32(near, row!(start), weights);
                }
                for &start in on_edge {
                    edges = _mm512_dpbusd_epi32(edges, row!(start), weights);
                }
                let all = _mm512_mullo_epi32(_mm512_add_epi32(near, far), whole);
                let before_this = _mm512_mullo_epi32(load(before), of_before);
                let all = _mm512_add_epi32(all, _mm512_mullo_epi32(edges, of_edge));
                let all = _mm512_sub_epi32(all, before_this);
                // SAFETY: 64 bytes of a reference are written, which has 64.
                unsafe { _mm512_storeu_si512(before.as_mut_ptr().cast(), edges) };
                for join in joins {
                    let part = _mm512_maskz_permutexvar_epi64(join.wanted, load(&join.index), all);
                    sums = _mm512_add_epi32(sums, part);
                }
            }
            if let Some(out) = out.next() {
                // Both halves of a piece.
                let sums = _mm512_add_epi32(sums, _mm512_srli_epi64::<32>(sums));
                let sums = _mm512_zextsi256_si512(_mm512_cvtepi64_epi32(sums));
                store_sixteen(out, levels(finish, 0, sums));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load<T, const N: usize>(lanes: &[T; N]) -> V {
    const { assert!(size_of::<T>() * N == 64) };
    // SAFETY: 64 bytes of a reference are read, which has 64.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}
