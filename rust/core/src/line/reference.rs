//! A picture that is the same for every part, such as a golden one: a PNG file, prepared once as the
//! camera's pictures are.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use png::{ColorType, Decoder, Transformations};

use crate::error::{Error, Result};
use crate::frame::PixelFormat;
use crate::prepare::{Plan, Spec};

/// The bytes of a tensor's row with the picture of this file.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read, [`Error::Invalid`] for one that is no PNG or does
/// not suit `spec`.
pub(super) fn row(path: &Path, spec: &Spec) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|why| Error::io(path, why))?;
    let wrong = |problem: String| Error::invalid(path.display().to_string(), problem);
    let undecodable = |why: png::DecodingError| wrong(format!("{why}; a PNG file is expected"));
    let mut decoder = Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let bytes = reader.output_buffer_size().ok_or_else(|| wrong("it is too large".into()))?;
    let mut pixels = vec![0; bytes];
    let info = reader.next_frame(&mut pixels).map_err(undecodable)?;
    pixels.truncate(info.buffer_size());
    let format = match info.color_type {
        // A recorded mosaic stays one, and says which.
        ColorType::Grayscale => mosaic(reader.info()).unwrap_or(PixelFormat::MONO8),
        ColorType::GrayscaleAlpha => {
            let mut at = 0;
            pixels.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            PixelFormat::MONO8
        }
        ColorType::Rgb => PixelFormat::RGB8,
        ColorType::Rgba => PixelFormat::RGBA8,
        ColorType::Indexed => return Err(wrong("its palette cannot be read".into())),
    };
    let suits = |why: Error| wrong(why.to_string());
    let mut plan = Plan::new(spec, info.width, info.height, format).map_err(suits)?;
    let mut row = vec![0; plan.row_bytes()];
    let stride = pixels.len() / info.height.max(1) as usize;
    plan.run(&pixels, stride, &mut row).map_err(suits)?;
    Ok(row)
}

fn mosaic(info: &png::Info<'_>) -> Option<PixelFormat> {
    let text = info.uncompressed_latin1_text.iter().find(|text| text.keyword == "PixelFormat")?;
    PixelFormat::from_name(&text.text).filter(|format| format.bits_per_pixel() == 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::{Dtype, Resize};

    fn write(name: &str, color: ColorType, pixels: &[u8]) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("smartqc-{}-{name}.png", std::process::id()));
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 2, 1);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        path
    }

    #[test]
    fn a_picture_becomes_a_row_whatever_its_channels() {
        let spec = Spec { dtype: Dtype::Uint8, ..Spec::new(Resize::Nearest, [2, 1]) };
        for (name, color, pixels) in [
            ("rgb", ColorType::Rgb, &[10, 20, 30, 40, 50, 60][..]),
            ("rgba", ColorType::Rgba, &[10, 20, 30, 255, 40, 50, 60, 0]),
        ] {
            let row = row(&write(name, color, pixels), &spec).unwrap();
            assert_eq!(row, [10, 40, 20, 50, 30, 60], "{name}");
        }
        for (name, color, pixels) in [
            ("grey", ColorType::Grayscale, &[7, 9][..]),
            ("grey-alpha", ColorType::GrayscaleAlpha, &[7, 255, 9, 0]),
        ] {
            let row = row(&write(name, color, pixels), &spec).unwrap();
            assert_eq!(row, [7, 9, 7, 9, 7, 9], "{name}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_with_its_path() {
        let path = std::env::temp_dir().join(format!("smartqc-{}-none.png", std::process::id()));
        std::fs::write(&path, "no picture").unwrap();
        let spec = Spec::new(Resize::Nearest, [2, 1]);
        let error = row(&path, &spec).unwrap_err().to_string();
        assert!(error.contains("none.png") && error.contains("PNG"), "{error}");
        let error = row(Path::new("nowhere.png"), &spec).unwrap_err().to_string();
        assert!(error.contains("nowhere.png"), "{error}");
    }
}
