//! A camera's picture as rows of planes: all the reds of a row, all its greens, all its blues; or
//! one plane of grey.

use super::demosaic::{self, Lines};
use super::spec::{Color, invalid};
use crate::error::{Error, Result};
use crate::frame::{Bayer, PixelFormat};

/// What the bytes of a picture are, and what is wanted of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reader {
    pixels: Pixels,
    gray: bool,
    width: usize,
    height: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pixels {
    Mono,
    Rgb,
    Bgr,
    Bayer(Bayer),
}

impl Reader {
    /// For pictures of that size and format, read for a tensor of that `color`.
    pub(super) fn new(width: u32, height: u32, format: PixelFormat, color: Color) -> Result<Self> {
        let pixels = match format {
            PixelFormat::MONO8 => Pixels::Mono,
            PixelFormat::RGB8 => Pixels::Rgb,
            PixelFormat::BGR8 => Pixels::Bgr,
            _ => Pixels::Bayer(format.bayer().ok_or_else(|| unsupported(format))?),
        };
        if matches!(pixels, Pixels::Bayer(_)) && width.min(height) < demosaic::LEAST_SIDE {
            let problem = format!("{width} x {height} {format}: demosaicing needs 3 x 3 pixels");
            return Err(invalid("picture", problem));
        }
        let gray = color == Color::Gray;
        Ok(Self { pixels, gray, width: width as usize, height: height as usize })
    }

    /// Channels of the pixels that are read: 1 for monochrome pictures and grey tensors, else 3.
    pub(super) fn channels(&self) -> usize {
        if self.gray || self.pixels == Pixels::Mono { 1 } else { 3 }
    }

    /// Bytes of a row without padding.
    pub(super) fn row_bytes(&self) -> usize {
        match self.pixels {
            Pixels::Mono | Pixels::Bayer(_) => self.width,
            Pixels::Rgb | Pixels::Bgr => 3 * self.width,
        }
    }

    /// Its bytes, checked: `stride` apart, the last row with or without its padding.
    pub(super) fn open<'a>(&self, bytes: &'a [u8], stride: usize) -> Result<Picture<'a>> {
        let row_bytes = self.row_bytes();
        if stride < row_bytes {
            let problem = format!("{stride} B, but a row has {row_bytes}");
            return Err(invalid("stride", problem));
        }
        let needed = (self.height - 1)
            .checked_mul(stride)
            .and_then(|all_but_one| all_but_one.checked_add(row_bytes));
        if needed.is_none_or(|needed| bytes.len() < needed) {
            let problem = format!(
                "{} B, but {} rows of {row_bytes} B, {stride} B apart, need more",
                bytes.len(),
                self.height
            );
            return Err(invalid("picture", problem));
        }
        Ok(Picture { reader: *self, bytes, stride })
    }
}

/// The pixel formats that can be prepared.
pub const FORMATS: [PixelFormat; 7] = [
    PixelFormat::MONO8,
    PixelFormat::RGB8,
    PixelFormat::BGR8,
    PixelFormat::BAYER_RG8,
    PixelFormat::BAYER_GR8,
    PixelFormat::BAYER_GB8,
    PixelFormat::BAYER_BG8,
];

/// The error about a format that cannot be prepared, by its PFNC name or number.
pub fn unsupported(format: impl ToString) -> Error {
    let supported = FORMATS.map(|known| known.to_string()).join(", ");
    Error::UnsupportedFormat { format: format.to_string(), supported }
}

/// Columns of a picture that are wanted: all of a range, or only those that something looks at.
#[derive(Clone, Debug)]
pub(super) enum Columns {
    /// `count` columns from `first` on.
    Range { first: usize, count: usize },
    /// These, ascending.
    Picked(Box<[u32]>),
}

impl Columns {
    /// How many.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Range { count, .. } => *count,
            Self::Picked(columns) => columns.len(),
        }
    }

    #[inline]
    fn at(&self, index: usize) -> usize {
        match self {
            Self::Range { first, .. } => first + index,
            Self::Picked(columns) => columns[index] as usize,
        }
    }
}

/// A picture in somebody's memory.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    reader: Reader,
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Picture<'a> {
    fn line(&self, y: usize) -> &'a [u8] {
        &self.bytes[y * self.stride..][..self.reader.row_bytes()]
    }

    /// Writes those columns of row `y` to `out`: `Reader::channels` planes as long as there are
    /// columns, red first.
    pub(super) fn read(&self, y: usize, columns: &Columns, out: &mut [u8]) {
        match self.reader.pixels {
            Pixels::Mono => {
                let line = self.line(y);
                match columns {
                    Columns::Range { first, count } => {
                        out.copy_from_slice(&line[*first..first + count]);
                    }
                    Columns::Picked(columns) => {
                        for (&x, out) in columns.iter().zip(out) {
                            *out = line[x as usize];
                        }
                    }
                }
            }
            Pixels::Rgb => {
                let (pixels, _) = self.line(y).as_chunks::<3>();
                self.convert(columns, out, |x| pixels[x]);
            }
            Pixels::Bgr => {
                let (pixels, _) = self.line(y).as_chunks::<3>();
                self.convert(columns, out, |x| {
                    let [blue, green, red] = pixels[x];
                    [red, green, blue]
                });
            }
            Pixels::Bayer(bayer) => {
                let lines = Lines::new(bayer, y, self.reader.height, |y| self.line(y));
                match columns {
                    Columns::Range { first, .. } if !self.reader.gray => {
                        lines.fill(*first, planes(out, columns.count()));
                    }
                    _ => self.convert(columns, out, |x| lines.pixel(x)),
                }
            }
        }
    }

    fn convert(&self, columns: &Columns, out: &mut [u8], rgb: impl Fn(usize) -> [u8; 3]) {
        if self.reader.gray {
            for (index, out) in out.iter_mut().enumerate() {
                *out = luma(rgb(columns.at(index)));
            }
        } else {
            let count = columns.count();
            let [reds, greens, blues] = planes(out, count);
            for index in 0..count {
                [reds[index], greens[index], blues[index]] = rgb(columns.at(index));
            }
        }
    }
}

/// Three planes of `count` bytes each.
fn planes(row: &mut [u8], count: usize) -> [&mut [u8]; 3] {
    let (reds, rest) = row.split_at_mut(count);
    let (greens, blues) = rest.split_at_mut(count);
    [reds, greens, blues]
}

/// BT.601 luma in 15-bit fixed point, as `cv2.cvtColor` to grey has it.
#[inline]
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 9798 * u32::from(red) + 19235 * u32::from(green) + 3735 * u32::from(blue);
    ((sum + (1 << 14)) >> 15) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_keeps_grey_grey() {
        for level in 0..=255 {
            assert_eq!(luma([level; 3]), level);
        }
        assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])], [76, 150, 29]);
    }

    #[test]
    fn an_unknown_format_is_named_with_the_known_ones() {
        let error = Reader::new(8, 8, PixelFormat::MONO12P, Color::Rgb).unwrap_err().to_string();
        assert!(error.contains("Mono12p") && error.contains("BayerBG8"), "{error}");
        assert!(Reader::new(2, 8, PixelFormat::BAYER_RG8, Color::Rgb).is_err());
    }

    #[test]
    fn short_bytes_and_strides_are_refused() {
        let reader = Reader::new(4, 3, PixelFormat::MONO8, Color::Rgb).unwrap();
        assert!(reader.open(&[0; 24], 10).is_ok(), "the last row needs no padding");
        assert!(reader.open(&[0; 23], 10).is_err());
        assert!(reader.open(&[0; 24], 3).is_err());
        assert!(reader.open(&[0; 24], usize::MAX).is_err());
    }

    #[test]
    fn picked_columns_equal_those_of_the_whole_row() {
        let bytes: Vec<u8> = (0..60).map(|at| (at * 83 % 256) as u8).collect();
        for (format, stride) in [
            (PixelFormat::MONO8, 5),
            (PixelFormat::BGR8, 15),
            (PixelFormat::RGB8, 15),
            (PixelFormat::BAYER_GB8, 5),
        ] {
            for color in [Color::Rgb, Color::Gray] {
                let reader = Reader::new(5, 4, format, color).unwrap();
                let picture = reader.open(&bytes, stride).unwrap();
                let channels = reader.channels();
                let (mut row, mut picked) = (vec![0; 5 * channels], vec![0; 2 * channels]);
                picture.read(2, &Columns::Range { first: 0, count: 5 }, &mut row);
                picture.read(2, &Columns::Picked([1, 4].into()), &mut picked);
                for (picked, row) in picked.chunks(2).zip(row.chunks(5)) {
                    assert_eq!(picked, [row[1], row[4]]);
                }
            }
        }
    }
}
