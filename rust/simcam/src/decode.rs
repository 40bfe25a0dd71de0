//! PNG and JPEG files as 8-bit grey or RGB pixels.

use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::abi::status;
use crate::error::{Fault, Result};

/// One decoded photograph.
pub(crate) struct Raster {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// 1 = grey, 3 = red, green, blue.
    pub(crate) channels: usize,
    pub(crate) pixels: Vec<u8>,
}

/// The `.png`, `.jpg` and `.jpeg` files of a folder, by name.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| {
        Fault::new(
            status::INVALID_VALUE,
            format!("{}: the image folder cannot be read: {error}", folder.display()),
        )
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_png(&path) || is_jpeg(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Fault::new(
            status::INVALID_VALUE,
            format!("{}: no .png, .jpg or .jpeg file in the image folder", folder.display()),
        ));
    }
    files.sort();
    Ok(files)
}

/// Width and height of an image file, in pixels, from its header.
pub(crate) fn size(path: &Path) -> Result<(u32, u32)> {
    if is_png(path) {
        let reader = png_decoder(path)?.read_info().map_err(|error| undecodable(path, &error))?;
        let info = reader.info();
        Ok((info.width, info.height))
    } else {
        let mut decoder = jpeg_decoder(path)?;
        decoder.decode_headers().map_err(|error| undecodable(path, &error))?;
        let (width, height) =
            decoder.dimensions().ok_or_else(|| undecodable(path, &"it has no size"))?;
        Ok((width as u32, height as u32))
    }
}

/// Decodes a whole image file; an alpha channel is dropped, 16 bits become 8.
pub(crate) fn decode(path: &Path) -> Result<Raster> {
    if is_png(path) { decode_png(path) } else { decode_jpeg(path) }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

fn is_png(path: &Path) -> bool {
    has_extension(path, "png")
}

fn is_jpeg(path: &Path) -> bool {
    has_extension(path, "jpg") || has_extension(path, "jpeg")
}

fn undecodable(path: &Path, reason: &dyn std::fmt::Display) -> Fault {
    Fault::new(
        status::INVALID_VALUE,
        format!("{}: the image cannot be decoded: {reason}", path.display()),
    )
}

fn png_decoder(path: &Path) -> Result<png::Decoder<BufReader<File>>> {
    let file = File::open(path).map_err(|error| undecodable(path, &error))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    Ok(decoder)
}

fn decode_png(path: &Path) -> Result<Raster> {
    let failed = |error: png::DecodingError| undecodable(path, &error);
    let mut reader = png_decoder(path)?.read_info().map_err(failed)?;
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| undecodable(path, &"it does not fit into memory"))?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(failed)?;
    pixels.truncate(info.buffer_size());
    let (samples, kept) = match info.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (2, 1),
        png::ColorType::Rgb => (3, 3),
        png::ColorType::Rgba => (4, 3),
        png::ColorType::Indexed => {
            return Err(undecodable(path, &"its palette was not expanded"));
        }
    };
    if samples != kept {
        pixels = pixels.chunks_exact(samples).flat_map(|pixel| &pixel[..kept]).copied().collect();
    }
    Ok(Raster { width: info.width as usize, height: info.height as usize, channels: kept, pixels })
}

fn jpeg_decoder(path: &Path) -> Result<JpegDecoder<Cursor<Vec<u8>>>> {
    let bytes = fs::read(path).map_err(|error| undecodable(path, &error))?;
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    Ok(JpegDecoder::new_with_options(Cursor::new(bytes), options))
}

fn decode_jpeg(path: &Path) -> Result<Raster> {
    let mut decoder = jpeg_decoder(path)?;
    let pixels = decoder.decode().map_err(|error| undecodable(path, &error))?;
    let (width, height) =
        decoder.dimensions().ok_or_else(|| undecodable(path, &"it has no size"))?;
    Ok(Raster { width, height, channels: 3, pixels })
}
