//! One picture as a PNG or TIFF file, as it was captured: samples keep their values and all their
//! bits, a mosaic stays a mosaic, and the file says which format it was.
//!
//! More than 8 bits are stored in 16, unpacked and not stretched: of Mono12, white is 4095. An
//! ordinary viewer shows such a picture dark.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::Tag;

use crate::error::{Error, Result};
use crate::frame::{Content, Frame, Packing, PixelFormat};
use crate::prepare;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Portable Network Graphics, losslessly compressed.
    Png,
    /// Tagged Image File Format, not compressed.
    Tiff,
}

impl FileKind {
    /// By the name's end.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what is known.
    pub fn of(path: &Path) -> Result<Self> {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or("").to_lowercase();
        match end.as_str() {
            "png" => Ok(Self::Png),
            "tif" | "tiff" => Ok(Self::Tiff),
            _ => Err(Error::invalid(
                path.display().to_string(),
                "pictures are written as .png, .tif or .tiff",
            )),
        }
    }
}

/// Samples that follow each other without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Samples {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

/// A picture ready to be written.
#[derive(Clone, Debug)]
struct Stored {
    width: u32,
    height: u32,
    channels: usize,
    samples: Samples,
    /// What it then is.
    format: String,
}

/// Writes a frame as captured, as a PNG or TIFF by the name's end. Half a file is removed.
///
/// # Errors
/// [`Error::Invalid`] for another end, or a frame without a pixel; [`Error::UnsupportedFormat`];
/// [`Error::Io`].
pub fn write(path: &Path, frame: &Frame) -> Result<()> {
    write_as(FileKind::of(path)?, path, frame)
}

/// Writes 8-bit colours, row after row of `width` pixels.
///
/// # Errors
/// As [`write`].
pub fn write_rgb(path: &Path, width: u32, rgb: &[u8]) -> Result<()> {
    let kind = FileKind::of(path)?;
    let row = 3 * width as usize;
    if row == 0 || rgb.is_empty() || !rgb.len().is_multiple_of(row) {
        return Err(Error::invalid("rgb", format!("{} B in rows of {row}", rgb.len())));
    }
    let height = (rgb.len() / row) as u32;
    let samples = Samples::Bytes(rgb.to_vec());
    let format = PixelFormat::RGB8.to_string();
    finish(kind, path, &Stored { width, height, channels: 3, samples, format })
}

pub(super) fn write_as(kind: FileKind, path: &Path, frame: &Frame) -> Result<()> {
    finish(kind, path, &stored(frame)?)
}

fn stored(frame: &Frame) -> Result<Stored> {
    let info = frame.info();
    let format = info.pixel_format;
    let (width, height) = (info.width, info.height);
    if width == 0 || height == 0 {
        let problem = format!("frame {} has no pixel ({width} x {height})", info.frame_id);
        return Err(Error::invalid("picture", problem));
    }
    let row = format.row_bytes(width);
    let rows = |plane: usize| {
        let first = plane * info.stride * height as usize;
        frame.image()[first..].chunks(info.stride).take(height as usize).map(|line| &line[..row])
    };
    if let Some((bits, places)) = format.deep_rgb() {
        let mut words = Vec::with_capacity(3 * width as usize * height as usize);
        for pixel in rows(0).flat_map(|line| line.chunks_exact(6)) {
            words.extend(places.map(|at| u16::from_le_bytes([pixel[2 * at], pixel[2 * at + 1]])));
        }
        let (samples, format) = (Samples::Words(words), format!("RGB{bits}"));
        return Ok(Stored { width, height, channels: 3, samples, format });
    }
    let packing = format.samples().map(|(_, packing)| packing);
    let (channels, samples, format) = match (format.content(), packing) {
        (Some(Content::Mono | Content::Bayer(_)), Some(Packing::Byte)) => {
            (1, Samples::Bytes(rows(0).flatten().copied().collect()), format.to_string())
        }
        (Some(Content::Mono | Content::Bayer(_)), Some(_)) => {
            let mut words = vec![0; width as usize * height as usize];
            prepare::unpack(frame, &mut words)?;
            (1, Samples::Words(words), unpacked_name(format))
        }
        (Some(Content::Bytes { each, rgb }), _) => {
            // Files know no BGR: such a picture is stored, and named, as the RGB that it then is.
            let mut bytes = Vec::with_capacity(row * height as usize);
            for pixel in rows(0).flat_map(|line| line.chunks_exact(each)) {
                bytes.extend(rgb.iter().map(|&channel| pixel[channel]));
                bytes.extend(pixel.get(3));
            }
            let stored = if each == 4 { PixelFormat::RGBA8 } else { PixelFormat::RGB8 };
            (each, Samples::Bytes(bytes), stored.to_string())
        }
        (Some(Content::RgbPlanar), _) => {
            let planes = rows(0).flatten().zip(rows(1).flatten()).zip(rows(2).flatten());
            let bytes = planes.flat_map(|((r, g), b)| [*r, *g, *b]).collect();
            (3, Samples::Bytes(bytes), PixelFormat::RGB8.to_string())
        }
        (Some(Content::Yuv422 { .. } | Content::Mono | Content::Bayer(_)) | None, _) => {
            let supported = "formats of one sample a pixel, RGB and BGR; take its colours first";
            return Err(Error::UnsupportedFormat {
                format: format.to_string(),
                supported: supported.into(),
            });
        }
    };
    Ok(Stored { width, height, channels, samples, format })
}

/// `Mono12` for `Mono12p` and `Mono12Packed`.
fn unpacked_name(format: PixelFormat) -> String {
    let name = format.to_string();
    let short = name.strip_suffix("Packed").or_else(|| name.strip_suffix('p')).unwrap_or(&name);
    short.to_owned()
}

fn finish(kind: FileKind, path: &Path, stored: &Stored) -> Result<()> {
    let file = File::create(path).map_err(|why| Error::io(path, why))?;
    let mut file = BufWriter::new(file);
    let written = match kind {
        FileKind::Png => png(&mut file, stored),
        FileKind::Tiff => tiff(&mut file, stored),
    };
    let written = written.and_then(|()| file.flush());
    written.map_err(|why| Error::io(path, why)).inspect_err(|_| {
        // Half a picture is none.
        let _ = std::fs::remove_file(path);
    })
}

fn png(file: &mut impl Write, stored: &Stored) -> std::io::Result<()> {
    let mut encoder = png::Encoder::new(file, stored.width, stored.height);
    encoder.set_color(match stored.channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_compression(png::Compression::Fast);
    encoder.add_text_chunk("PixelFormat".into(), stored.format.clone())?;
    match &stored.samples {
        Samples::Bytes(bytes) => {
            encoder.set_depth(png::BitDepth::Eight);
            encoder.write_header()?.write_image_data(bytes)?;
        }
        Samples::Words(words) => {
            encoder.set_depth(png::BitDepth::Sixteen);
            // PNG 7.1: the high byte first.
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            encoder.write_header()?.write_image_data(&bytes)?;
        }
    }
    Ok(())
}

fn tiff(file: &mut (impl Write + Seek), stored: &Stored) -> std::io::Result<()> {
    match (&stored.samples, stored.channels) {
        (Samples::Words(words), 1) => tiff_of::<Gray16>(file, stored, words),
        (Samples::Words(words), _) => tiff_of::<RGB16>(file, stored, words),
        (Samples::Bytes(bytes), 1) => tiff_of::<Gray8>(file, stored, bytes),
        (Samples::Bytes(bytes), 3) => tiff_of::<RGB8>(file, stored, bytes),
        (Samples::Bytes(bytes), _) => tiff_of::<RGBA8>(file, stored, bytes),
    }
}

fn tiff_of<C: ColorType>(
    file: &mut (impl Write + Seek),
    stored: &Stored,
    samples: &[C::Inner],
) -> std::io::Result<()>
where
    [C::Inner]: TiffValue,
{
    let wrote = || -> tiff::TiffResult<()> {
        let mut tiff = TiffEncoder::new(file)?;
        let mut image = tiff.new_image::<C>(stored.width, stored.height)?;
        let said = format!("PixelFormat={}", stored.format);
        image.encoder().write_tag(Tag::ImageDescription, said.as_str())?;
        image.write_data(samples)
    };
    wrote().map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameInfo, FreeList, Slots};

    fn frame(format: PixelFormat, (width, height): (u32, u32), pad: usize, bytes: &[u8]) -> Frame {
        let free = FreeList::new(1);
        let slots = Slots::new(1, bytes.len(), 64, Box::new(free.clone()));
        let mut slot = free.take(&slots).unwrap();
        slot.bytes_mut().copy_from_slice(bytes);
        let packed = FrameInfo::packed(width, height, format, 0);
        slot.publish(FrameInfo { stride: packed.stride + pad, filled: bytes.len(), ..packed })
    }

    fn stored_of(format: PixelFormat, size: (u32, u32), pad: usize, bytes: &[u8]) -> Stored {
        stored(&frame(format, size, pad, bytes)).unwrap()
    }

    #[test]
    fn deep_samples_keep_their_values_and_lose_their_packing() {
        let packed = stored_of(PixelFormat::MONO12P, (2, 1), 0, &[0x23, 0xC1, 0xAB]);
        assert_eq!(packed.samples, Samples::Words(vec![0x123, 0xABC]));
        assert_eq!(packed.format, "Mono12");
        let words = stored_of(PixelFormat::BAYER_RG12, (1, 2), 1, &[0x34, 0x02, 9, 0xFF, 0x0F]);
        assert_eq!(words.samples, Samples::Words(vec![0x234, 0xFFF]));
        assert_eq!(words.format, "BayerRG12");
        assert_eq!(unpacked_name(PixelFormat::BAYER_RG12_PACKED), "BayerRG12");
    }

    #[test]
    fn colours_are_stored_red_first_and_without_padding() {
        let bgr = stored_of(PixelFormat::BGR8, (1, 2), 1, &[1, 2, 3, 9, 4, 5, 6]);
        assert_eq!(bgr.samples, Samples::Bytes(vec![3, 2, 1, 6, 5, 4]));
        assert_eq!((bgr.channels, bgr.format.as_str()), (3, "RGB8"));
        let bgra = stored_of(PixelFormat::BGRA8, (1, 1), 0, &[1, 2, 3, 4]);
        assert_eq!(bgra.samples, Samples::Bytes(vec![3, 2, 1, 4]));
        let planar = stored_of(PixelFormat::RGB8_PLANAR, (2, 1), 0, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(planar.samples, Samples::Bytes(vec![1, 3, 5, 2, 4, 6]));
    }

    #[test]
    fn deep_colours_keep_their_values() {
        let format = PixelFormat::from_name("BGR12").unwrap();
        let bgr = stored_of(format, (1, 2), 1, &[3, 0, 2, 0, 1, 5, 9, 6, 0, 5, 0, 4, 0]);
        assert_eq!(bgr.samples, Samples::Words(vec![0x501, 2, 3, 4, 5, 6]));
        assert_eq!((bgr.channels, bgr.format.as_str()), (3, "RGB12"));
    }

    #[test]
    fn what_can_not_be_written_is_said_before_there_is_a_file() {
        let yuv = frame(PixelFormat::YUV422_8, (2, 1), 0, &[0; 4]);
        let path = std::env::temp_dir().join(format!("smartqc-none-{}.png", std::process::id()));
        assert!(matches!(write(&path, &yuv), Err(Error::UnsupportedFormat { .. })));
        let grey = frame(PixelFormat::MONO8, (2, 1), 0, &[0; 2]);
        let why = write(&path.with_extension("bmp"), &grey).unwrap_err().to_string();
        assert!(why.contains(".tiff"), "{why}");
        let none = frame(PixelFormat::MONO8, (2, 0), 0, &[0; 2]);
        assert!(write(&path, &none).unwrap_err().to_string().contains("no pixel"));
        assert!(write_rgb(&path, 2, &[0; 7]).is_err());
        assert!(!path.exists());
    }
}
