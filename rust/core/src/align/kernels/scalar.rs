//! What the kernels compute.

use super::Band;

pub(super) fn count(band: &Band<'_>, counts: &mut [u16]) {
    let lanes = band.lanes();
    if !band.add {
        counts.fill(0);
    }
    for (shift, counts) in counts.chunks_exact_mut(lanes).enumerate() {
        for row in 0..band.rows {
            let part = &band.part[row * band.stride..][..band.stride];
            let template = &band.template[(row + shift) * band.template_stride..][..band.stride];
            let valid = band.valid.map(|valid| &valid[row * band.stride..][..band.stride]);
            for (lane, count) in counts.iter_mut().enumerate() {
                let cell = |bits: &[u8]| u16::from_le_bytes([bits[2 * lane], bits[2 * lane + 1]]);
                let differ = (cell(part) ^ cell(template)) & valid.map_or(u16::MAX, cell);
                *count += differ.count_ones() as u16;
            }
        }
    }
}

pub(super) fn exceeds(a: &[u8], b: &[u8], by: &[u8], bits: &mut [u8]) {
    let eights = a.chunks(8).zip(b.chunks(8)).zip(by.chunks(8));
    for (((a, b), by), bits) in eights.zip(bits) {
        *bits = 0;
        for (at, ((a, b), by)) in a.iter().zip(b).zip(by).enumerate() {
            *bits |= u8::from(a.saturating_sub(*b) > *by) << at;
        }
    }
}
