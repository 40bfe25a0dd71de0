//! Samples out of bytes: one row of a monochrome or Bayer picture as grey levels.

use super::kernels::Kernels;
use super::kernels::unpack::High;
use super::level::Level;
use super::picture::described;
use super::spec::invalid;
use crate::error::{Error, Result};
use crate::frame::{Content, Frame, Packing};

/// The samples of a monochrome or Bayer frame as the camera gave them (0 to 4095 for 12 bits),
/// whatever their packing, row after row.
///
/// # Errors
/// [`Error::UnsupportedFormat`] for frames of several channels; [`Error::Invalid`] when `out` has
/// not one place for each pixel.
pub fn unpack(frame: &Frame, out: &mut [u16]) -> Result<()> {
    let info = frame.info();
    let (content, bits, packing) = described(info.pixel_format)?;
    if !matches!(content, Content::Mono | Content::Bayer(_)) {
        return Err(Error::UnsupportedFormat {
            format: info.pixel_format.to_string(),
            supported: "formats of one sample a pixel, such as Mono12p and BayerRG12".to_owned(),
        });
    }
    let (width, height) = (info.width as usize, info.height as usize);
    if out.len() != width * height {
        let problem = format!("{} samples, but the frame has {width} x {height}", out.len());
        return Err(invalid("out", problem));
    }
    let unpack = Unpack::<u16> { packing, bits, map: Map::Shift(0), high: None };
    let rows = frame.image().chunks(info.stride.max(1)).zip(out.chunks_mut(width.max(1)));
    rows.enumerate().for_each(|(y, (line, out))| unpack.row(y, [line, &[]], 0, out));
    Ok(())
}

/// How samples become levels.
#[derive(Clone, Debug)]
pub(super) enum Map<L> {
    /// Shifted right, so that only the high bits stay; 0 keeps all.
    Shift(u32),
    /// Looked up: a table for even columns and one for odd ones, for even rows and for odd ones.
    /// Each is as long as there are samples, 2 to the bits.
    Tables([[std::sync::Arc<[L]>; 2]; 2]),
}

/// How the samples of a row lie and what they become.
#[derive(Clone, Debug)]
pub(super) struct Unpack<L> {
    pub(super) packing: Packing,
    /// Bits of a sample.
    pub(super) bits: u32,
    pub(super) map: Map<L>,
    /// What does it faster, where only the eight highest bits are wanted.
    pub(super) high: Option<High>,
}

impl<L: Level> Unpack<L> {
    /// The same with these kernels.
    pub(super) fn on(&mut self, kernels: Kernels) {
        if matches!(self.map, Map::Shift(lost) if lost + 8 == self.bits) {
            self.high = High::new(kernels, self.packing, self.bits);
        }
    }

    /// Whether a row's bytes are its levels.
    pub(super) fn is_plain(&self) -> bool {
        let bytes = L::borrowed(&[]).is_some();
        bytes && self.packing == Packing::Byte && matches!(self.map, Map::Shift(0))
    }

    /// Levels of `out.len()` columns from `first` on, of row `y`, whose bytes are `line`. A row that
    /// lies `ahead` is wanted next.
    pub(super) fn row(&self, y: usize, [line, ahead]: [&[u8]; 2], first: usize, out: &mut [L]) {
        let (first, out) = match &self.high {
            // Here a sample begins with a byte.
            Some(high) if first.is_multiple_of(8) => {
                let begin = first / 8 * self.bytes_of_8();
                let ahead = ahead.get(begin..).unwrap_or_default();
                let done = high.run(&line[begin..], ahead, out);
                (first + done, &mut out[done..])
            }
            _ => (first, out),
        };
        match &self.map {
            Map::Shift(4)
                if (self.packing, self.bits) == (Packing::Dense, 12) && first.is_multiple_of(2) =>
            {
                // The eight highest bits of Mono12p, pair by pair: the commonest packed case.
                let (pairs, rest) = out.as_chunks_mut::<2>();
                let (triples, _) = line[first / 2 * 3..].as_chunks::<3>();
                for (pair, &[low, middle, high]) in pairs.iter_mut().zip(triples) {
                    *pair = [low >> 4 | middle << 4, high].map(|level| L::of(level.into()));
                }
                let first = first + 2 * pairs.len();
                self.each(line, first, rest, |_, sample| L::of(sample >> 4));
            }
            &Map::Shift(bits) => self.each(line, first, out, |_, sample| L::of(sample >> bits)),
            Map::Tables(tables) => {
                let tables = &tables[y % 2];
                self.each(line, first, out, |x, sample| tables[x % 2][sample as usize]);
            }
        }
    }

    fn bytes_of_8(&self) -> usize {
        match self.packing {
            Packing::Byte => 8,
            Packing::Word => 16,
            Packing::Dense => self.bits as usize,
            Packing::Paired => 12,
        }
    }

    fn each(&self, line: &[u8], first: usize, out: &mut [L], level: impl Fn(usize, u32) -> L) {
        let mask = (1 << self.bits) - 1;
        let columns = (first..).zip(out);
        match self.packing {
            Packing::Byte => columns.for_each(|(x, out)| *out = level(x, line[x].into())),
            Packing::Word => {
                let (words, _) = line.as_chunks::<2>();
                columns.for_each(|(x, out)| {
                    *out = level(x, u32::from(u16::from_le_bytes(words[x])) & mask);
                });
            }
            Packing::Dense => columns.for_each(|(x, out)| {
                // Of 10 and 12 bits, every sample begins in one byte and ends in the next.
                let bit = x * self.bits as usize;
                let word = u16::from_le_bytes([line[bit / 8], line[bit / 8 + 1]]);
                *out = level(x, u32::from(word) >> (bit % 8) & mask);
            }),
            Packing::Paired => columns.for_each(|(x, out)| {
                let at = x / 2 * 3;
                let low = self.bits - 8;
                let (high, shift) = if x % 2 == 0 { (line[at], 0) } else { (line[at + 2], 4) };
                let rest = u32::from(line[at + 1]) >> shift & ((1 << low) - 1);
                *out = level(x, u32::from(high) << low | rest);
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packing: Packing, bits: u32, line: &[u8], first: usize, count: usize) -> Vec<u16> {
        let unpack = Unpack { packing, bits, map: Map::Shift(0), high: None };
        let mut out = vec![0; count];
        unpack.row(0, [line, &[]], first, &mut out);
        out
    }

    #[test]
    fn dense_samples_begin_at_the_lowest_bit() {
        // 0x123 and 0xABC, and half a pair.
        let line = [0x23, 0xC1, 0xAB, 0x45, 0xF6];
        assert_eq!(unpacked(Packing::Dense, 12, &line, 0, 3), [0x123, 0xABC, 0x645]);
        // 1, 2, 3, 4 in ten bits each.
        let line = [0x01, 0x08, 0x30, 0x00, 0x01];
        assert_eq!(unpacked(Packing::Dense, 10, &line, 0, 4), [1, 2, 3, 4]);
        assert_eq!(unpacked(Packing::Dense, 10, &line, 2, 2), [3, 4]);
    }

    #[test]
    fn paired_samples_share_the_middle_byte() {
        let line = [0x12, 0xC3, 0xAB, 0x45, 0xF6];
        assert_eq!(unpacked(Packing::Paired, 12, &line, 0, 3), [0x123, 0xABC, 0x456]);
        // Of ten bits, the middle byte holds two of each in the lower bits of its halves.
        let line = [0xFF, 0x12, 0x80];
        assert_eq!(unpacked(Packing::Paired, 10, &line, 0, 2), [0x3FE, 0x201]);
    }

    #[test]
    fn a_frame_gives_its_samples_without_padding() {
        use crate::frame::{FrameInfo, FreeList, PixelFormat, Slots};

        let free = FreeList::new(1);
        let slots = Slots::new(1, 9, 64, Box::new(free.clone()));
        let mut slot = free.take(&slots).unwrap();
        slot.bytes_mut().copy_from_slice(&[0x23, 0xC1, 0xAB, 9, 9, 0x56, 0x84, 0x97, 9]);
        let packed = FrameInfo::packed(2, 2, PixelFormat::MONO12P, 0);
        let frame = slot.publish(FrameInfo { stride: 5, filled: 9, ..packed });
        let mut out = [0; 4];
        unpack(&frame, &mut out).unwrap();
        assert_eq!(out, [0x123, 0xABC, 0x456, 0x978]);
        assert!(unpack(&frame, &mut out[..3]).unwrap_err().to_string().contains("2 x 2"));
        drop(frame);
        let rgb = FrameInfo::packed(1, 1, PixelFormat::RGB8, 0);
        let frame = free.take(&slots).unwrap().publish(rgb);
        assert!(matches!(unpack(&frame, &mut out), Err(Error::UnsupportedFormat { .. })));
    }

    #[test]
    fn words_lose_what_lies_above_their_bits() {
        assert_eq!(unpacked(Packing::Word, 12, &[0x23, 0xF1, 0xFF, 0x0F], 0, 2), [0x123, 0xFFF]);
    }

    #[test]
    fn a_table_knows_its_row_and_column() {
        let table = |level: u8| std::sync::Arc::from(vec![level; 256]);
        let tables = [[table(1), table(2)], [table(3), table(4)]];
        let unpack =
            Unpack::<u8> { packing: Packing::Byte, bits: 8, map: Map::Tables(tables), high: None };
        let mut out = [0; 3];
        unpack.row(4, [&[9; 5], &[]], 1, &mut out);
        assert_eq!(out, [2, 1, 2]);
        unpack.row(1, [&[9; 5], &[]], 2, &mut out);
        assert_eq!(out, [3, 4, 3]);
    }
}
