//! From a camera's bytes to a row of the model's input, in one pass.
//!
//! A [`Spec`] says what the model wants, a [`Plan`] is a spec made ready for one size and format of
//! pictures. The order of the steps, and what their borders see:
//!
//! 1. *unpack* ([`unpack`]) samples of any format to grey levels, on the way through the table of
//!    black level, white balance and gamma, if there is one ([`curve`]);
//! 2. *demosaic* ([`demosaic`]): neighbours are those of the whole picture, also outside the crop,
//!    so a crop shows what the same place of the uncropped picture shows, whatever its Bayer phase;
//!    or luma and chroma to colours ([`yuv`]);
//! 3. *crop, turn, flip* ([`geometry`]); 4. *grey*, where the model wants one channel;
//! 5. *resize* ([`resize_linear`], [`resize_area`], [`resize_antialias`], [`resize_nearest`]) of
//!    levels to levels; it sees nothing outside the crop;
//! 6. *pad or cut* ([`geometry`]); 7. *normalise and lay out* ([`write`]).
//!
//! Rows stream through as planes: an output row pulls the input rows that it needs, and the only
//! memory beside picture and tensor are a few rows of scratch, allocated with the plan (and 32
//! columns, where the picture is turned by a quarter). Grey levels are bytes, or 16 bits where more
//! than eight of a sample are wanted ([`level`]). All of it is
//! integer arithmetic up to the last step, which is a table, so other implementations of this pass
//! can be held against this one bit for bit.

mod curve;
mod demosaic;
mod explain;
mod geometry;
mod kernels;
mod level;
mod picture;
mod resize_antialias;
mod resize_area;
mod resize_area_mosaic;
mod resize_linear;
mod resize_nearest;
mod spec;
mod unpack;
mod write;
mod yuv;

use geometry::Geometry;
use kernels::area::Narrow;
use level::Level;
use picture::{Picture, Reader};
use resize_antialias::{Antialias, Filter};
use resize_area::Area;
use resize_area_mosaic::AreaMosaic;
use resize_linear::{Linear, Taps};
use resize_nearest::{Nearest, Rule};
use write::Writer;

pub use explain::{Cost, Explanation};
pub use kernels::Kernels;
pub use picture::{FORMATS, unsupported};
pub use spec::{Color, Depth, Dtype, Fit, Flip, Layout, Resize, Spec};
pub use unpack::unpack;

use crate::error::Result;
use crate::frame::{Frame, PixelFormat};

/// A [`Spec`] made ready for pictures of one size and format, with all the scratch it needs.
///
/// One thread uses it at a time; each worker has its own.
#[derive(Clone, Debug)]
pub struct Plan {
    width: u32,
    height: u32,
    format: PixelFormat,
    row_shape: [usize; 3],
    row_bytes: usize,
    geometry: Geometry,
    spec: Spec,
    kernels: Kernels,
    passes: Passes,
}

/// The passes, by the type of the levels that they hand on.
#[derive(Clone, Debug)]
enum Passes {
    Bytes(Scalar<u8>),
    Deep(Scalar<u16>),
}

/// The passes in plain code.
#[derive(Clone, Debug)]
struct Scalar<L: Level> {
    reader: Reader<L>,
    resizer: Resizer<L>,
    /// One resized row, plane after plane.
    line: Vec<L>,
    writer: Writer,
}

#[derive(Clone, Debug)]
enum Resizer<L: Level> {
    Nearest(Nearest),
    Linear(Box<Linear<L>>),
    Area(Box<Area<L>>),
    AreaMosaic(Box<AreaMosaic<L>>),
    Antialias(Box<Antialias<L>>),
}

impl Plan {
    /// For pictures of `width` x `height` pixels of `format`.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field of the spec, [`Error::UnsupportedFormat`].
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    /// [`Error::UnsupportedFormat`]: crate::error::Error::UnsupportedFormat
    pub fn new(spec: &Spec, width: u32, height: u32, format: PixelFormat) -> Result<Self> {
        Self::with_kernels(spec, width, height, format, Kernels::chosen()?)
    }

    /// [`Plan::new`] on those kernels, whatever the environment says. The rows are the same.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_kernels(
        spec: &Spec,
        width: u32,
        height: u32,
        format: PixelFormat,
        kernels: Kernels,
    ) -> Result<Self> {
        spec.check()?;
        let sides = 1..=spec::MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) {
            let problem = format!("{width} x {height}; sides of 1 to {} are handled", sides.end());
            return Err(spec::invalid("picture", problem));
        }
        let (_, bits, _) = picture::described(format)?;
        let lost = match spec.depth {
            Some(Depth::Full) => 0,
            Some(Depth::Eight) => bits - 8,
            None if bits == 8 => 0,
            None => {
                let problem = format!(
                    "{format} has {bits} bits: say \"8bit\" for the eight highest, which is what a \
                     model saw that was trained on 8-bit pictures, or \"full\""
                );
                return Err(spec::invalid("depth", problem));
            }
        };
        let geometry = Geometry::new(spec, width, height)?;
        let size = (width, height);
        let passes = if bits - lost == 8 && spec.resize != Resize::LinearFloat {
            Passes::Bytes(Scalar::new(spec, &geometry, size, format, lost, kernels)?)
        } else {
            Passes::Deep(Scalar::new(spec, &geometry, size, format, lost, kernels)?)
        };
        let [out_width, out_height] = spec.size.map(|side| side as usize);
        let out_channels = spec.color.channels();
        Ok(Self {
            width,
            height,
            format,
            row_shape: match spec.layout {
                Layout::Nchw => [out_channels, out_height, out_width],
                Layout::Nhwc => [out_height, out_width, out_channels],
            },
            row_bytes: out_channels * out_height * out_width * spec.dtype.bytes(),
            geometry,
            spec: spec.clone(),
            kernels,
            passes,
        })
    }

    /// Shape of a row in elements: (channels, height, width), or (height, width, channels) for
    /// [`Layout::Nhwc`].
    pub fn row_shape(&self) -> [usize; 3] {
        self.row_shape
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Writes all of `row` from a picture whose rows lie `stride` bytes apart in `image`; the last
    /// one may lack its padding. Allocates nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `image`, `stride` or `row` are too short; `row` is then untouched.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    pub fn run(&mut self, image: &[u8], stride: usize, row: &mut [u8]) -> Result<()> {
        if row.len() != self.row_bytes {
            let problem = format!("{} B, but a row has {}", row.len(), self.row_bytes);
            return Err(spec::invalid("row", problem));
        }
        match &mut self.passes {
            Passes::Bytes(scalar) => scalar.run(&self.geometry, image, stride, row),
            Passes::Deep(scalar) => scalar.run(&self.geometry, image, stride, row),
        }
    }

    /// [`Plan::run`] on a frame.
    ///
    /// # Errors
    /// [`Error::Invalid`] also when the frame's size or format is not what the plan was made for,
    /// as with a frame that was cut short.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    pub fn run_frame(&mut self, frame: &Frame, row: &mut [u8]) -> Result<()> {
        let info = frame.info();
        let found = (info.width, info.height, info.pixel_format);
        if found != (self.width, self.height, self.format) {
            let problem = format!(
                "frame {} is {} x {} {}, expected {} x {} {}",
                info.frame_id, found.0, found.1, found.2, self.width, self.height, self.format
            );
            return Err(spec::invalid("picture", problem));
        }
        self.run(frame.image(), info.stride, row)
    }

    /// What reads and resizes; writing may be on vectors where that is not.
    fn kernel(&self) -> &'static str {
        let fused = match &self.passes {
            Passes::Bytes(scalar) => scalar.resizer.is_fused(),
            Passes::Deep(scalar) => scalar.resizer.is_fused(),
        };
        if fused { self.kernels.name() } else { Kernels::scalar().name() }
    }

    /// The camera's coordinates of a point of the tensor, both in pixels from the outer corner of
    /// pixel (0, 0). Not clipped: points on a letterbox's border lie outside the picture.
    pub fn to_camera(&self, x: f32, y: f32) -> (f32, f32) {
        self.geometry.to_camera(x, y)
    }
}

impl<L: Level> Scalar<L> {
    fn new(
        spec: &Spec,
        geometry: &Geometry,
        size: (u32, u32),
        format: PixelFormat,
        lost: u32,
        kernels: Kernels,
    ) -> Result<Self> {
        let (_, bits, _) = picture::described(format)?;
        let reader = Reader::new(spec, size, format, lost)?.on(kernels);
        let channels = reader.channels();
        // What is not to be rounded uses all of 16 bits.
        let gain = if spec.resize == Resize::LinearFloat { 16 - (bits - lost) } else { 0 };
        let white = ((1 << (bits - lost)) - 1) << gain;
        let resizer = Resizer::new(spec.resize, geometry, &reader, 1 << gain, kernels);
        Ok(Self {
            reader: if resizer.wants_samples() { reader.of_samples() } else { reader },
            resizer,
            line: vec![L::default(); geometry.x.shown as usize * channels],
            writer: Writer::new(spec, geometry, channels, white, kernels),
        })
    }

    fn run(
        &mut self,
        geometry: &Geometry,
        image: &[u8],
        stride: usize,
        row: &mut [u8],
    ) -> Result<()> {
        let mut picture = self.reader.open(image, stride)?;
        self.resizer.restart();
        let axis = geometry.y;
        for y in 0..axis.size {
            let shown = y.checked_sub(axis.pad).filter(|&y| y < axis.shown);
            if let (Some(from), Some(narrow)) = (shown, self.resizer.narrow())
                && let Some(planes) = self.writer.planes(y as usize, row)
            {
                narrow.row_into(from as usize, &mut picture, planes);
                continue;
            }
            let pixels = shown.map(|y| match self.resizer.line(y as usize, &picture) {
                Some(line) => line,
                None => {
                    self.resizer.row(y as usize, &mut picture, &mut self.line);
                    &self.line[..]
                }
            });
            self.writer.line(y as usize, pixels, row);
        }
        Ok(())
    }
}

impl<L: Level> Resizer<L> {
    fn new(
        resize: Resize,
        geometry: &Geometry,
        reader: &Reader<L>,
        gain: i32,
        kernels: Kernels,
    ) -> Self {
        let Geometry { x, y, .. } = geometry;
        let linear =
            |taps| Self::Linear(Box::new(Linear::new(geometry, taps, reader, gain, kernels)));
        let antialias =
            |filter| Self::Antialias(Box::new(Antialias::new(geometry, filter, reader, kernels)));
        if (x.source, y.source) == (x.resized, y.resized) && gain == 1 {
            return Self::Nearest(Nearest::new(geometry, Rule::Corner));
        }
        match resize {
            Resize::Nearest => Self::Nearest(Nearest::new(geometry, Rule::Corner)),
            Resize::NearestPil => Self::Nearest(Nearest::new(geometry, Rule::Centre)),
            Resize::Linear | Resize::LinearFloat => linear(Taps::Centres),
            Resize::Area if x.source < x.resized || y.source < y.resized => linear(Taps::Edges),
            Resize::Area => match reader.mosaic() {
                Some(phase) => {
                    let area = AreaMosaic::new(geometry, reader.size(), phase, kernels);
                    Self::AreaMosaic(Box::new(area))
                }
                None => Self::Area(Box::new(Area::new(geometry, reader, kernels))),
            },
            Resize::Antialias => antialias(Filter::Bilinear),
            Resize::AntialiasCubic => antialias(Filter::Bicubic),
        }
    }

    /// Whether a kernel does it.
    fn is_fused(&self) -> bool {
        match self {
            Self::Area(area) => area.is_fused(),
            Self::AreaMosaic(area) => area.is_fused(),
            Self::Linear(linear) => linear.is_fused(),
            Self::Antialias(antialias) => antialias.is_fused(),
            Self::Nearest(_) => false,
        }
    }

    /// Whether it demosaics by itself.
    fn wants_samples(&self) -> bool {
        match self {
            Self::AreaMosaic(_) => true,
            Self::Linear(linear) => linear.wants_samples(),
            Self::Nearest(_) | Self::Area(_) | Self::Antialias(_) => false,
        }
    }

    /// The picture's rows that are looked at, in any order; `None` for all of the crop.
    fn rows(&self) -> Option<Vec<u32>> {
        match self {
            Self::Nearest(nearest) => Some(nearest.rows().to_vec()),
            Self::Linear(linear) => Some(linear.rows().collect()),
            Self::Area(_) | Self::AreaMosaic(_) | Self::Antialias(_) => None,
        }
    }

    /// Forgets the rows of the picture before.
    fn restart(&mut self) {
        match self {
            Self::Nearest(_) => {}
            Self::Linear(linear) => linear.restart(),
            Self::Area(area) => area.restart(),
            Self::AreaMosaic(_) => {}
            Self::Antialias(antialias) => antialias.restart(),
        }
    }

    /// What writes rows as a tensor's elements, if anything does.
    fn narrow(&mut self) -> Option<&mut Narrow<L>> {
        match self {
            Self::AreaMosaic(area) => area.narrow(),
            _ => None,
        }
    }

    /// Output row `y` of those shown, where it lies in the picture as it is.
    fn line<'a>(&self, y: usize, picture: &Picture<'a, L>) -> Option<&'a [L]> {
        match self {
            Self::Nearest(nearest) => nearest.line(y, picture),
            _ => None,
        }
    }

    /// Output row `y` of those shown; rows come in order.
    fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        match self {
            Self::Nearest(nearest) => nearest.row(y, picture, out),
            Self::Linear(linear) => linear.row(y, picture, out),
            Self::Area(area) => area.row(y, picture, out),
            Self::AreaMosaic(area) => area.row(y, picture, out),
            Self::Antialias(antialias) => antialias.row(y, picture, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameInfo, FreeList, Slots};

    fn noise(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| ((at * 2_654_435_761) >> 13) as u8).collect()
    }

    fn bytes(width: u32, height: u32) -> Spec {
        Spec { dtype: Dtype::Uint8, ..Spec::new(Resize::Nearest, [width, height]) }
    }

    #[test]
    fn a_crop_shows_what_the_whole_picture_shows_there() {
        let image = noise(11 * 9);
        let mut whole = vec![0; 3 * 11 * 9];
        let format = PixelFormat::BAYER_GB8;
        Plan::new(&bytes(11, 9), 11, 9, format).unwrap().run(&image, 11, &mut whole).unwrap();
        for (left, top) in [(0, 0), (1, 0), (0, 1), (3, 4)] {
            let (width, height) = (11 - left, 9 - top);
            let spec = Spec {
                crop: Some([left as u32, top as u32, width as u32, height as u32]),
                ..bytes(width as u32, height as u32)
            };
            let mut cropped = vec![0; 3 * width * height];
            Plan::new(&spec, 11, 9, format).unwrap().run(&image, 11, &mut cropped).unwrap();
            for (at, line) in cropped.chunks(width).enumerate() {
                let (plane, y) = (at / height, at % height + top);
                assert_eq!(line, &whole[(plane * 9 + y) * 11 + left..][..width]);
            }
        }
    }

    #[test]
    fn a_padded_frame_gives_the_row_of_its_pixels() {
        let image = noise(8 * 6);
        let free = FreeList::new(1);
        let slots = Slots::new(1, 200, 1, Box::new(free.clone()));
        let mut slot = free.take(&slots).unwrap();
        for (y, line) in image.chunks(8).enumerate() {
            slot.bytes_mut()[16 + y * 20..][..8].copy_from_slice(line);
        }
        let mut info = FrameInfo::packed(8, 6, PixelFormat::BAYER_RG8, 0);
        (info.offset, info.stride, info.filled) = (16, 20, 16 + 5 * 20 + 8);
        let frame = slot.publish(info);
        let spec = Spec::new(Resize::Linear, [5, 4]);
        let mut plan = Plan::new(&spec, 8, 6, PixelFormat::BAYER_RG8).unwrap();
        let (mut from_frame, mut from_image) =
            (vec![0; plan.row_bytes()], vec![1; plan.row_bytes()]);
        plan.run_frame(&frame, &mut from_frame).unwrap();
        plan.run(&image, 8, &mut from_image).unwrap();
        assert_eq!(from_frame, from_image);
    }

    #[test]
    fn a_frame_that_was_cut_short_is_refused_and_the_row_stays() {
        let free = FreeList::new(1);
        let slots = Slots::new(1, 48, 1, Box::new(free.clone()));
        let mut info = FrameInfo::packed(8, 6, PixelFormat::MONO8, 0);
        info.filled = 40;
        let frame = free.take(&slots).unwrap().publish(info);
        let mut plan = Plan::new(&bytes(4, 4), 8, 6, PixelFormat::MONO8).unwrap();
        let mut row = vec![7; plan.row_bytes()];
        let error = plan.run_frame(&frame, &mut row).unwrap_err().to_string();
        assert!(error.contains("8 x 5 Mono8, expected 8 x 6 Mono8"), "{error}");
        assert!(row.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_row_of_another_length_is_refused() {
        let mut plan = Plan::new(&bytes(4, 4), 8, 6, PixelFormat::MONO8).unwrap();
        let error = plan.run(&[0; 48], 8, &mut [0; 47]).unwrap_err().to_string();
        assert!(error.starts_with("prepare.row: 47 B"), "{error}");
    }

    #[test]
    fn pictures_without_end_are_refused() {
        assert!(Plan::new(&bytes(4, 4), 0, 6, PixelFormat::MONO8).is_err());
        assert!(Plan::new(&bytes(4, 4), 70_000, 6, PixelFormat::MONO8).is_err());
    }
}
