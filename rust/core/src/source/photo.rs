//! Photographs from files, as a camera would have delivered them: PNG and JPEG, 8 bits a sample.

use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::Path;

use png::{ColorType, Decoder, Transformations};
use zune_jpeg::JpegDecoder;

use crate::error::{Error, Result};
use crate::frame::PixelFormat;

/// Bytes of a photograph's pixels: more comes from no camera, and a few bytes may claim it.
const MOST_BYTES: usize = 1 << 30;

/// One photograph; rows lie back to back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What its bytes are; a recorded mosaic stays one.
    pub format: PixelFormat,
    /// Its bytes.
    pub pixels: Vec<u8>,
}

impl Photo {
    /// Reads a PNG or JPEG file, whatever it is called; 16 bits become 8.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::Invalid`] for one that cannot be
    /// decoded.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |problem: String| Error::invalid(path.display().to_string(), problem);
        let file = File::open(path).map_err(|why| Error::io(path, why))?;
        let mut decoder = Decoder::new(BufReader::new(file));
        decoder.set_transformations(Transformations::normalize_to_color8());
        match decoder.read_info() {
            Ok(reader) => decode(reader).map_err(wrong),
            Err(_) => {
                let bytes = fs::read(path).map_err(|why| Error::io(path, why))?;
                if !bytes.starts_with(&[0xFF, 0xD8]) {
                    let tiff = [b"II*\0", b"MM\0*"].iter().any(|magic| bytes.starts_with(*magic));
                    let what = if tiff { "a TIFF file" } else { "neither a PNG nor a JPEG file" };
                    return Err(wrong(format!("{what}; PNG (also 16 bits) and JPEG are read")));
                }
                let mut decoder = JpegDecoder::new(Cursor::new(bytes));
                let pixels = decoder.decode().map_err(|why| wrong(why.to_string()))?;
                let (width, height) =
                    decoder.dimensions().ok_or_else(|| wrong("it has no size".into()))?;
                let grey = pixels.len() == width * height;
                let format = if grey { PixelFormat::MONO8 } else { PixelFormat::RGB8 };
                Ok(Self { width: width as u32, height: height as u32, format, pixels })
            }
        }
    }
}

fn decode(mut reader: png::Reader<BufReader<File>>) -> std::result::Result<Photo, String> {
    let bytes = reader.output_buffer_size().filter(|bytes| *bytes <= MOST_BYTES);
    let bytes = bytes.ok_or_else(|| {
        let (width, height) = (reader.info().width, reader.info().height);
        format!("{width} x {height} pixels are too many: up to {} MiB are read", MOST_BYTES >> 20)
    })?;
    let mut pixels = vec![0; bytes];
    let info = reader.next_frame(&mut pixels).map_err(|why| why.to_string())?;
    pixels.truncate(info.buffer_size());
    let format = match info.color_type {
        ColorType::Grayscale => mosaic(reader.info()).unwrap_or(PixelFormat::MONO8),
        ColorType::GrayscaleAlpha => {
            pixels = pixels.chunks_exact(2).map(|pixel| pixel[0]).collect();
            PixelFormat::MONO8
        }
        ColorType::Rgb => PixelFormat::RGB8,
        ColorType::Rgba => PixelFormat::RGBA8,
        ColorType::Indexed => return Err("its palette cannot be read".into()),
    };
    Ok(Photo { width: info.width, height: info.height, format, pixels })
}

fn mosaic(info: &png::Info<'_>) -> Option<PixelFormat> {
    let text = info.uncompressed_latin1_text.iter().find(|text| text.keyword == "PixelFormat")?;
    PixelFormat::from_name(&text.text).filter(|format| format.bits_per_pixel() == 8)
}
