//! A camera's picture as rows of planes: all the reds of a row, all its greens, all its blues; or
//! one plane of grey. Turned and flipped as the spec says, so that nobody after this knows of it.

use super::curve::Curves;
use super::demosaic::{self, Lines, Phase};
use super::geometry::Orientation;
use super::kernels::Kernels;
use super::kernels::unpack::Fields;
use super::level::Level;
use super::spec::{Color, Spec, invalid};
use super::unpack::{Map, Unpack};
use super::yuv;
use crate::error::{Error, Result};
use crate::frame::{Content, Packing, PixelFormat};

/// Camera columns that a quarter turn reads at once: a cache line of bytes holds twice as many.
const BLOCK: usize = 32;

/// What the bytes of a picture are, and what is wanted of them.
#[derive(Clone, Debug)]
pub(super) struct Reader<L> {
    source: Source<L>,
    rows: Rows<L>,
    tile: Tile<L>,
}

/// The reader without its scratch.
#[derive(Clone, Debug)]
struct Source<L> {
    content: Content,
    /// For pictures of one sample a pixel.
    unpack: Unpack<L>,
    /// For pictures of three: what the levels of each channel become.
    curves: Option<[Box<[L]>; 3]>,
    gray: bool,
    width: usize,
    height: usize,
    planes: usize,
    row_bytes: usize,
    orientation: Orientation,
    kernels: Kernels,
}

/// Content, bits and packing of a format that can be prepared.
pub(super) fn described(format: PixelFormat) -> Result<(Content, u32, Packing)> {
    let (content, samples) = (format.content(), format.samples());
    let (Some(content), Some((bits, packing))) = (content, samples) else {
        return Err(unsupported(format));
    };
    Ok((content, bits, packing))
}

impl<L: Level> Reader<L> {
    /// For pictures of that size and format. `shift` bits of each sample are lost on the way to `L`.
    pub(super) fn new(
        spec: &Spec,
        (width, height): (u32, u32),
        format: PixelFormat,
        shift: u32,
    ) -> Result<Self> {
        let (content, bits, packing) = described(format)?;
        if matches!(content, Content::Bayer(_)) && width.min(height) < demosaic::LEAST_SIDE {
            let problem = format!("{width} x {height} {format}: demosaicing needs 3 x 3 pixels");
            return Err(invalid("picture", problem));
        }
        if matches!(content, Content::Yuv422 { .. }) && width % 2 == 1 {
            let problem = format!("{width} x {height} {format}: two pixels share their chroma");
            return Err(invalid("picture", problem));
        }
        let curves = Curves::of(spec, format)?.map(|curves| curves.tables(bits, shift));
        let (map, curves) = match (content, curves) {
            (Content::Mono | Content::Bayer(_), Some(tables)) => {
                (Map::Tables(super::curve::in_cells(content, tables)), None)
            }
            (_, curves) => (Map::Shift(shift), curves),
        };
        let orientation = Orientation::new(spec, width, height);
        let gray = spec.color == Color::Gray;
        let source = Source {
            content,
            unpack: Unpack { packing, bits, map, high: None },
            curves,
            gray,
            width: width as usize,
            height: height as usize,
            planes: format.planes(),
            row_bytes: format.row_bytes(width),
            orientation,
            kernels: Kernels::scalar(),
        };
        let kept = if source.unpack.is_plain() { 0 } else { source.width };
        let block = if orientation.transposed { BLOCK * source.channels() } else { 0 };
        Ok(Self {
            rows: Rows::new(kept),
            tile: Tile {
                held: None,
                // Nearest, where it enlarges, wants a row of the camera more than once.
                levels: vec![L::default(); block * source.height.max(spec.size[0] as usize)],
                band: vec![L::default(); block],
            },
            source,
        })
    }

    /// The same, read with these kernels.
    pub(super) fn on(mut self, kernels: Kernels) -> Self {
        self.source.kernels = kernels;
        self.source.unpack.on(kernels);
        self
    }

    /// The phase of the mosaic, turned, if it is one whose colours are wanted.
    pub(super) fn mosaic(&self) -> Option<Phase> {
        let Source { content: Content::Bayer(bayer), gray: false, width, height, .. } = self.source
        else {
            return None;
        };
        let Phase { red_x, red_y } = Phase::of(bayer);
        let Orientation { transposed, mirror_x, mirror_y, .. } = self.source.orientation;
        let red_x = if mirror_x { (width - 1 + red_x) % 2 } else { red_x };
        let red_y = if mirror_y { (height - 1 + red_y) % 2 } else { red_y };
        let (red_x, red_y) = if transposed { (red_y, red_x) } else { (red_x, red_y) };
        Some(Phase { red_x, red_y })
    }

    /// The same picture, but a mosaic's samples are read as one channel, whatever their colour.
    pub(super) fn of_samples(mut self) -> Self {
        self.source.content = Content::Mono;
        self
    }

    /// Bytes of a pixel, if its channels are bytes of the picture that nobody has to touch.
    pub(super) fn pixel_bytes(&self) -> Option<usize> {
        self.source.pixel_bytes()
    }

    /// Where the eight highest bits of samples lie, and the bytes of a row, if that is all there is to a
    /// picture of one channel.
    pub(super) fn packed(&self) -> Option<(&Fields, usize)> {
        let Source { content, orientation, unpack, row_bytes, .. } = &self.source;
        let high = unpack.high.as_ref()?;
        let is_plain = *content == Content::Mono && !orientation.is_turned();
        (is_plain && L::bytes(&[]).is_some()).then_some((high.fields(), *row_bytes))
    }

    /// Bytes of a pixel, and which of them each plane holds: of such a picture, and of one channel.
    pub(super) fn pixel_order(&self) -> Option<(usize, &'static [usize])> {
        match self.source.content {
            Content::Mono => Some((1, &[0])),
            Content::Bytes { each, rgb } if self.source.pixel_bytes().is_some() => {
                Some((each, if rgb[0] == 0 { &[0, 1, 2] } else { &[2, 1, 0] }))
            }
            _ => None,
        }
    }

    /// Width and height of the turned picture.
    pub(super) fn size(&self) -> (u32, u32) {
        let (width, height) = (self.source.width as u32, self.source.height as u32);
        if self.source.orientation.transposed { (height, width) } else { (width, height) }
    }

    /// Channels of the pixels that are read: 1 for monochrome pictures and grey tensors, else 3.
    pub(super) fn channels(&self) -> usize {
        self.source.channels()
    }

    /// Its bytes, checked: `stride` apart, the last row with or without its padding.
    pub(super) fn open<'a>(&'a mut self, bytes: &'a [u8], stride: usize) -> Result<Picture<'a, L>> {
        let Source { row_bytes, height, planes, .. } = self.source;
        if stride < row_bytes {
            let problem = format!("{stride} B, but a row has {row_bytes}");
            return Err(invalid("stride", problem));
        }
        let needed = (height * planes - 1)
            .checked_mul(stride)
            .and_then(|all_but_one| all_but_one.checked_add(row_bytes));
        if needed.is_none_or(|needed| bytes.len() < needed) {
            let problem = format!(
                "{} B, but {} rows of {row_bytes} B, {stride} B apart, need more",
                bytes.len(),
                height * planes
            );
            return Err(invalid("picture", problem));
        }
        self.rows.held = [None; 3];
        self.tile.held = None;
        let lines = Bytes { bytes, stride, row_bytes };
        let Self { source, rows, tile } = self;
        Ok(Picture { camera: Camera { source, lines, rows }, tile })
    }
}

impl<L: Level> Source<L> {
    fn channels(&self) -> usize {
        if self.gray || self.content == Content::Mono { 1 } else { 3 }
    }

    fn pixel_bytes(&self) -> Option<usize> {
        if self.orientation.is_turned() || L::borrowed(&[]).is_none() {
            return None;
        }
        match self.content {
            Content::Mono => self.unpack.is_plain().then_some(1),
            Content::Bytes { each, .. } if !self.gray && self.curves.is_none() => Some(each),
            _ => None,
        }
    }
}

/// The pixel formats that can be prepared.
pub const FORMATS: &[(PixelFormat, &str)] = PixelFormat::NAMED;

/// The error about a format that cannot be prepared, by its PFNC name or number.
pub fn unsupported(format: impl ToString) -> Error {
    let names: Vec<&str> = FORMATS.iter().map(|(_, name)| *name).collect();
    let (names, format) = (names.join(", "), format.to_string());
    let known = PixelFormat::from_name(&format);
    let instead = if known.is_some_and(|format| format.deep_rgb().is_some()) {
        "set PixelFormat to RGB8 or BGR8, or take frame.to_rgb(), which has the 8 highest bits"
    } else if known.is_some_and(|format| format.elements().is_some()) {
        "it holds no picture: frame.pixels is an array of it"
    } else {
        "set the camera's PixelFormat to one of these"
    };
    Error::UnsupportedFormat { format, supported: format!("{names}; {instead}") }
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

    /// The one with that index.
    #[inline]
    pub(super) fn at(&self, index: usize) -> usize {
        match self {
            Self::Range { first, .. } => first + index,
            Self::Picked(columns) => columns[index] as usize,
        }
    }
}

/// A picture in somebody's memory, turned and flipped.
pub(super) struct Picture<'a, L> {
    camera: Camera<'a, L>,
    tile: &'a mut Tile<L>,
}

/// The picture as the camera gave it.
struct Camera<'a, L> {
    source: &'a Source<L>,
    lines: Bytes<'a>,
    rows: &'a mut Rows<L>,
}

/// A picture's bytes, row by row.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    bytes: &'a [u8],
    stride: usize,
    row_bytes: usize,
}

impl<'a> Bytes<'a> {
    fn line(&self, y: usize) -> &'a [u8] {
        &self.bytes[y * self.stride..][..self.row_bytes]
    }

    /// That row, if there is one.
    fn get(&self, y: usize) -> &'a [u8] {
        let line = self.bytes.get(y * self.stride..).unwrap_or_default();
        line.get(..self.row_bytes).unwrap_or_default()
    }
}

/// A block of the camera's columns as rows, for a picture that is turned by a quarter.
#[derive(Clone, Debug)]
struct Tile<L> {
    /// The first of its columns. It holds the rows that the plan's resizer wants, which are always
    /// the same.
    held: Option<usize>,
    /// For each column of the camera, each channel.
    levels: Vec<L>,
    /// A row of the block.
    band: Vec<L>,
}

/// The latest rows that were unpacked: row y lies in `rows[y % 3]`, so three neighbours fit.
#[derive(Clone, Debug)]
struct Rows<L> {
    rows: [Vec<L>; 3],
    /// Which row, and which of its columns.
    held: [Option<(usize, usize, usize)>; 3],
}

impl<L: Level> Rows<L> {
    fn new(width: usize) -> Self {
        Self { rows: [0; 3].map(|_| vec![L::default(); width]), held: [None; 3] }
    }
}

impl<'a, L: Level> Picture<'a, L> {
    /// The picture's bytes and how far apart its rows lie in them, if they are the levels of its
    /// only channel and nothing is turned.
    pub(super) fn plain(&self) -> Option<(&'a [u8], usize)> {
        let Bytes { bytes, stride, .. } = self.camera.lines;
        (self.camera.source.pixel_bytes() == Some(1)).then_some((bytes, stride))
    }

    /// The picture's bytes as they lie in memory, how far apart its rows lie in them and how many bits
    /// a pixel has, where a row of the picture is a row of the camera's.
    pub(super) fn raw(&self) -> Option<(&'a [u8], usize, usize)> {
        let Source { content, orientation, row_bytes, width, .. } = self.camera.source;
        if orientation.is_turned() || *content == Content::RgbPlanar {
            return None;
        }
        let Bytes { bytes, stride, .. } = self.camera.lines;
        Some((bytes, stride, row_bytes * 8 / width))
    }

    /// Whether [`Reader::pixel_bytes`] are some.
    pub(super) fn has_pixels(&self) -> bool {
        self.camera.source.pixel_bytes().is_some()
    }

    /// From the first to the last of those columns of row `y`, where the picture has pixels; nothing
    /// where it has none or no such row.
    pub(super) fn pixels(&self, y: usize, columns: &Columns) -> &'a [u8] {
        let each = self.camera.source.pixel_bytes().unwrap_or_default();
        let (first, last) = (columns.at(0), columns.at(columns.count() - 1));
        let line = self.camera.lines.get(y);
        line.get(first * each..(last + 1) * each).unwrap_or_default()
    }

    /// Such pixels to planes, red first.
    pub(super) fn planes_of(&self, pixels: &[u8], out: &mut [L]) {
        let Source { content, kernels, .. } = self.camera.source;
        let Content::Bytes { each, rgb } = *content else {
            return out.copy_from_slice(L::borrowed(pixels).unwrap_or_default());
        };
        kernels.split_pixels(pixels, &[], each, rgb[0] == 0, out);
    }

    /// Writes those columns of row `y` to `out`: `Reader::channels` planes as long as there are
    /// columns, red first. A plan asks for the same columns in every row.
    pub(super) fn read(&mut self, y: usize, columns: &Columns, out: &mut [L]) {
        let source = self.camera.source;
        let orientation = source.orientation;
        if orientation.transposed {
            let x = if orientation.mirror_x { source.width - 1 - y } else { y };
            self.tile.read(x, columns, &mut self.camera, out);
        } else {
            let y = if orientation.mirror_y { source.height - 1 - y } else { y };
            self.camera.read(y, columns, orientation.mirror_x, out);
        }
    }
}

impl<L: Level> Tile<L> {
    /// The camera's column `x` at the camera's rows `columns`.
    fn read(&mut self, x: usize, columns: &Columns, camera: &mut Camera<'_, L>, out: &mut [L]) {
        let Source { orientation, width, height, .. } = *camera.source;
        let (count, channels) = (columns.count(), camera.source.channels());
        let begin = x / BLOCK * BLOCK;
        if self.held != Some(begin) {
            self.held = Some(begin);
            let block = BLOCK.min(width - begin);
            let band = &mut self.band[..block * channels];
            let wanted = Columns::Range { first: begin, count: block };
            for index in 0..count {
                let y = columns.at(index);
                let y = if orientation.mirror_y { height - 1 - y } else { y };
                camera.read(y, &wanted, false, band);
                for (channel, plane) in band.chunks_exact(block).enumerate() {
                    for (column, &level) in plane.iter().enumerate() {
                        self.levels[(column * channels + channel) * count + index] = level;
                    }
                }
            }
        }
        let row = count * channels;
        out.copy_from_slice(&self.levels[(x - begin) * row..][..row]);
    }
}

impl<L: Level> Camera<'_, L> {
    /// Those columns of the camera's row `y`; `mirrored` ones count from the right.
    fn read(&mut self, y: usize, columns: &Columns, mirrored: bool, out: &mut [L]) {
        let Source { content, width, height, gray, .. } = *self.source;
        let count = columns.count();
        let at = |index| {
            let x = columns.at(index);
            if mirrored { width - 1 - x } else { x }
        };
        // From the leftmost column to one after the rightmost.
        let (left, right) = (at(0).min(at(count - 1)), at(0).max(at(count - 1)) + 1);
        match content {
            // All that is wanted, without a detour.
            Content::Mono
                if matches!(columns, Columns::Range { .. })
                    && !(mirrored || self.source.unpack.is_plain()) =>
            {
                let lines = [self.lines.line(y), self.lines.get(y + 1)];
                self.source.unpack.row(y, lines, left, out);
            }
            Content::Mono => {
                self.hold(y, left, right);
                let line = self.levels(y);
                if matches!(columns, Columns::Range { .. }) {
                    out.copy_from_slice(&line[left..right]);
                    if mirrored {
                        out.reverse();
                    }
                } else {
                    for (index, out) in out.iter_mut().enumerate() {
                        *out = line[at(index)];
                    }
                }
            }
            Content::Bayer(bayer) => {
                let middle = Lines::<L>::middle(y, height);
                // Kernels like to begin where a byte does.
                let (first, end) = (left.saturating_sub(2) / 8 * 8, (right + 2).min(width));
                for y in middle - 1..=middle + 1 {
                    self.hold(y, first, end);
                }
                let lines = Lines::new(bayer, middle, |y| self.levels(y));
                match columns {
                    Columns::Range { .. } if !gray => {
                        lines.fill(self.source.kernels, left, planes(out, count));
                        if mirrored {
                            out.chunks_exact_mut(count).for_each(<[L]>::reverse);
                        }
                    }
                    _ => self.convert(at, out, |x| lines.pixel(x)),
                }
            }
            Content::Bytes { each, rgb } => {
                let line = self.lines.line(y);
                if let Columns::Range { .. } = columns
                    && !(gray || mirrored || self.source.curves.is_some())
                {
                    let pixels = &line[left * each..right * each];
                    // Of the next row, so that memory has time while this one is resized.
                    let ahead = self.lines.get(y + 1).get(left * each..).unwrap_or_default();
                    let kernels = self.source.kernels;
                    return kernels.split_pixels(pixels, ahead, each, rgb[0] == 0, out);
                }
                self.convert(at, out, |x| self.curved(rgb.map(|channel| line[x * each + channel])));
            }
            Content::RgbPlanar => {
                let lines = [0, 1, 2].map(|plane| self.lines.line(plane * height + y));
                self.convert(at, out, |x| self.curved(lines.map(|line| line[x])));
            }
            Content::Yuv422 { luma, chroma } => {
                let line = self.lines.line(y);
                self.convert(at, out, |x| {
                    let (luma, pair) = (line[2 * x + luma], x / 2 * 4 + chroma);
                    self.curved(yuv::rgb(luma, line[pair], line[pair + 2]))
                });
            }
        }
    }

    /// Makes sure that those columns of row `y` are unpacked.
    fn hold(&mut self, y: usize, first: usize, end: usize) {
        let unpack = &self.source.unpack;
        let slot = y % 3;
        if unpack.is_plain() || self.rows.held[slot] == Some((y, first, end)) {
            return;
        }
        self.rows.held[slot] = Some((y, first, end));
        let lines = [self.lines.line(y), self.lines.get(y + 1)];
        unpack.row(y, lines, first, &mut self.rows.rows[slot][first..end]);
    }

    /// Row `y`, whose columns that anybody looks at are held.
    fn levels(&self, y: usize) -> &[L] {
        match L::borrowed(self.lines.line(y)) {
            Some(levels) if self.source.unpack.is_plain() => levels,
            _ => &self.rows.rows[y % 3],
        }
    }

    fn curved(&self, rgb: [u8; 3]) -> [L; 3] {
        match &self.source.curves {
            None => rgb.map(|level| L::of(level.into())),
            Some(curves) => [0, 1, 2].map(|c| curves[c][usize::from(rgb[c])]),
        }
    }

    fn convert(&self, at: impl Fn(usize) -> usize, out: &mut [L], rgb: impl Fn(usize) -> [L; 3]) {
        if self.source.gray {
            for (index, out) in out.iter_mut().enumerate() {
                *out = luma(rgb(at(index)));
            }
        } else {
            let count = out.len() / 3;
            let [reds, greens, blues] = planes(out, count);
            for index in 0..count {
                [reds[index], greens[index], blues[index]] = rgb(at(index));
            }
        }
    }
}

/// Three planes of `count` levels each.
pub(super) fn planes<L>(row: &mut [L], count: usize) -> [&mut [L]; 3] {
    let (reds, rest) = row.split_at_mut(count);
    let (greens, blues) = rest.split_at_mut(count);
    [reds, greens, blues]
}

/// BT.601 luma in 15-bit fixed point, as `cv2.cvtColor` to grey has it.
#[inline]
fn luma<L: Level>(rgb: [L; 3]) -> L {
    let [red, green, blue] = rgb.map(Into::into);
    L::of((9798 * red + 19235 * green + 3735 * blue + (1 << 14)) >> 15)
}

#[cfg(test)]
mod tests {
    use super::super::spec::{Flip, Resize};
    use super::*;

    fn spec(color: Color) -> Spec {
        Spec { color, ..Spec::new(Resize::Nearest, [8, 8]) }
    }

    fn reader(spec: &Spec, width: u32, height: u32, format: PixelFormat) -> Result<Reader<u8>> {
        let (_, bits, _) = described(format)?;
        Reader::new(spec, (width, height), format, bits - 8)
    }

    #[test]
    fn luma_keeps_grey_grey() {
        for level in 0..=255 {
            assert_eq!(luma::<u8>([level; 3]), level);
        }
        let pure = [[255, 0, 0], [0, 255, 0], [0, 0, 255]].map(luma::<u8>);
        assert_eq!(pure, [76, 150, 29]);
        assert_eq!(luma::<u16>([65_535; 3]), 65_535);
    }

    #[test]
    fn an_unknown_format_is_named_with_the_known_ones() {
        let unknown = PixelFormat(0x0123_4567);
        let error = reader(&spec(Color::Rgb), 8, 8, unknown).unwrap_err().to_string();
        assert!(error.contains("0x01234567") && error.contains("BayerBG12Packed"), "{error}");
        assert!(reader(&spec(Color::Rgb), 2, 8, PixelFormat::BAYER_RG8).is_err());
        assert!(reader(&spec(Color::Rgb), 5, 8, PixelFormat::YUV422_8).is_err());
    }

    #[test]
    fn short_bytes_and_strides_are_refused() {
        let mut mono = reader(&spec(Color::Rgb), 4, 3, PixelFormat::MONO8).unwrap();
        assert!(mono.open(&[0; 24], 10).is_ok(), "the last row needs no padding");
        assert!(mono.open(&[0; 23], 10).is_err());
        assert!(mono.open(&[0; 24], 3).is_err());
        assert!(mono.open(&[0; 24], usize::MAX).is_err());
        let mut planar = reader(&spec(Color::Rgb), 4, 3, PixelFormat::RGB8_PLANAR).unwrap();
        assert!(planar.open(&[0; 36], 4).is_ok());
        assert!(planar.open(&[0; 35], 4).is_err());
    }

    #[test]
    fn picked_columns_equal_those_of_the_whole_row() {
        let bytes: Vec<u8> = (0..200).map(|at| (at * 83 % 256) as u8).collect();
        for &(format, name) in FORMATS {
            for (color, turn, flip) in [
                (Color::Rgb, 0, Flip::None),
                (Color::Gray, 0, Flip::Horizontal),
                (Color::Rgb, 90, Flip::Vertical),
                (Color::Rgb, 180, Flip::None),
                (Color::Gray, 270, Flip::None),
            ] {
                let spec = Spec { turn, flip, ..spec(color) };
                let mut reader = reader(&spec, 6, 6, format).unwrap();
                let (stride, channels) = (format.row_bytes(6), reader.channels());
                let (mut row, mut picked) = (vec![0; 6 * channels], vec![0; 2 * channels]);
                let mut whole = reader.open(&bytes, stride).unwrap();
                whole.read(2, &Columns::Range { first: 0, count: 6 }, &mut row);
                let mut sparse = reader.open(&bytes, stride).unwrap();
                sparse.read(2, &Columns::Picked([1, 4].into()), &mut picked);
                for (picked, row) in picked.chunks(2).zip(row.chunks(6)) {
                    assert_eq!(picked, [row[1], row[4]], "{name} {turn} {flip:?}");
                }
            }
        }
    }
}
