//! Pictures as Python hands them in: arrays of a format's shape and type.

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use smartqc_core::error::Error;
use smartqc_core::frame::{Content, Element, Packing, PixelFormat};
use smartqc_core::prepare::unsupported;

use crate::errors::to_py;

/// An array's bytes, row after row without padding, and what they are.
pub(crate) struct Picture {
    buffer: PyBuffer<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: PixelFormat,
}

impl Picture {
    /// The array itself where it is contiguous, else a copy. Without a name, (height, width) of
    /// uint8 is Mono8 and (height, width, 3) is RGB8.
    pub(crate) fn of(array: &Bound<'_, PyAny>, name: Option<&str>) -> PyResult<Self> {
        let numpy = array.py().import("numpy")?;
        let array = numpy.getattr("asarray")?.call1((array,))?;
        let dtype = array.getattr("dtype")?;
        let kind: String = dtype.getattr("kind")?.extract()?;
        let item_bytes: usize = dtype.getattr("itemsize")?.extract()?;
        let shape: Vec<usize> = array.getattr("shape")?.extract()?;
        let item_bytes = if kind == "u" { item_bytes } else { 0 };
        let (format, width, height) =
            described(name, item_bytes, &shape).map_err(|problem| match problem {
                Problem::Format(error) => to_py(error),
                Problem::Array(wanted) => {
                    to_py(Error::invalid("array", format!("{dtype} of shape {shape:?}{wanted}")))
                }
            })?;
        let bytes = numpy
            .getattr("ascontiguousarray")?
            .call1((array, format!("<u{item_bytes}")))?
            .call_method1("view", ("u1",))?;
        Ok(Self { buffer: PyBuffer::get(&bytes)?, width, height, format })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        crate::bytes::of(&self.buffer)
    }
}

enum Problem {
    Format(Error),
    /// What is wanted instead.
    Array(String),
}

/// Format, width and height of an array of unsigned items.
fn described(
    name: Option<&str>,
    item_bytes: usize,
    shape: &[usize],
) -> Result<(PixelFormat, u32, u32), Problem> {
    let format = match (name, item_bytes, shape) {
        (Some(name), ..) => {
            PixelFormat::from_name(name).ok_or_else(|| Problem::Format(unsupported(name)))?
        }
        (None, 1, [_, _]) => PixelFormat::MONO8,
        (None, 1, [_, _, 3]) => PixelFormat::RGB8,
        _ => {
            let known = "without pixel_format, uint8 of (height, width) is Mono8 and of (height, \
                         width, 3) is RGB8";
            return Err(Problem::Array(format!("; {known}")));
        }
    };
    let form = match Form::of(format) {
        Some(Form::Elements(..) | Form::ElementPlanes(..)) | None => {
            return Err(Problem::Format(unsupported(format)));
        }
        Some(form) => form,
    };
    let wanted = || Problem::Array(format!(", but {format} is {}", form.text()));
    let (height, width) = match (form, item_bytes, shape) {
        (Form::Flat, 1, &[height, width])
        | (Form::Words, 2, &[height, width])
        | (Form::Planes, 1, &[3, height, width]) => (height, width),
        (Form::Channels(count), 1, &[height, width, channels]) if channels == count => {
            (height, width)
        }
        (Form::Packed, 1, &[height, bytes]) => {
            // Every pixel more makes a row longer by a byte at least, so the length tells them.
            let width = bytes.saturating_mul(8) / format.bits_per_pixel() as usize;
            let side = u32::try_from(width).map_err(|_| wanted())?;
            if format.row_bytes(side) != bytes {
                return Err(wanted());
            }
            (height, width)
        }
        _ => return Err(wanted()),
    };
    let side = |side: usize| u32::try_from(side).ok().filter(|side| *side > 0);
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok((format, width, height)),
        _ => Err(Problem::Array(" holds no picture".to_owned())),
    }
}

/// How pictures of a format look as arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A byte a pixel.
    Flat,
    /// 16 bits a pixel.
    Words,
    /// Some bytes a pixel.
    Channels(usize),
    /// Red, green and blue pictures.
    Planes,
    /// Rows of packed bytes.
    Packed,
    /// So many elements a pixel, of which no picture is made.
    Elements(usize, Element),
    /// The same, each of them in a plane of its own.
    ElementPlanes(usize, Element),
}

impl Form {
    /// `None` for formats that have no name here.
    pub(crate) fn of(format: PixelFormat) -> Option<Self> {
        let Some((_, packing)) = format.samples() else {
            let (count, element) = format.elements()?;
            let is_planar = format.planes() > 1;
            let form = if is_planar { Self::ElementPlanes } else { Self::Elements };
            return Some(form(count, element));
        };
        Some(match (format.content()?, packing) {
            (Content::Bytes { each, .. }, _) => Self::Channels(each),
            (Content::RgbPlanar, _) => Self::Planes,
            (Content::Yuv422 { .. }, _) => Self::Channels(2),
            (Content::Mono | Content::Bayer(_), Packing::Byte) => Self::Flat,
            (Content::Mono | Content::Bayer(_), Packing::Word) => Self::Words,
            (Content::Mono | Content::Bayer(_), Packing::Dense | Packing::Paired) => Self::Packed,
        })
    }

    fn text(self) -> String {
        match self {
            Self::Flat => "uint8 of (height, width)".to_owned(),
            Self::Words => "uint16 of (height, width)".to_owned(),
            Self::Channels(count) => format!("uint8 of (height, width, {count})"),
            Self::Planes => "uint8 of (3, height, width)".to_owned(),
            Self::Packed => "uint8 of (height, bytes of a packed row)".to_owned(),
            Self::Elements(count, element) => {
                format!("{} of (height, width, {count})", dtype(element))
            }
            Self::ElementPlanes(count, element) => {
                format!("{} of ({count}, height, width)", dtype(element))
            }
        }
    }
}

fn dtype(element: Element) -> &'static str {
    match element {
        Element::U8 => "uint8",
        Element::U16 => "uint16",
        Element::F32 => "float32",
    }
}
