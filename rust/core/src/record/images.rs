//! Images beside the journal, the oldest going first when there are too many bytes of them.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::journal::make_folder;
use crate::error::{Error, Result};
use crate::frame::{Frame, PixelFormat};

#[derive(Debug)]
pub(super) struct Images {
    folder: PathBuf,
    /// Oldest first; names begin with the session's time and the part's number.
    files: VecDeque<(PathBuf, u64)>,
    bytes: u64,
    max_bytes: u64,
}

impl Images {
    /// Makes the folder and counts the images that earlier sessions left in it; other files there
    /// are somebody else's, and stay.
    pub(super) fn open(folder: PathBuf, max_bytes: u64) -> Result<Self> {
        make_folder(&folder)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|why| Error::io(&folder, why))? {
            let entry = entry.map_err(|why| Error::io(&folder, why))?;
            let path = entry.path();
            if entry.file_name().to_str().is_some_and(is_ours) {
                files.push((path, entry.metadata().map_or(0, |data| data.len())));
            }
        }
        files.sort();
        let bytes = files.iter().map(|(_, size)| size).sum();
        Ok(Self { folder, files: files.into(), bytes, max_bytes })
    }

    /// Writes a frame as captured. `name` is relative to the record folder, as the journal has it.
    pub(super) fn write(&mut self, name: &str, frame: &Frame) -> Result<()> {
        let path = self.folder.parent().unwrap_or(&self.folder).join(name);
        encode(&path, frame).inspect_err(|_| {
            // Half an image is none, and nobody would count its bytes.
            let _ = fs::remove_file(&path);
        })?;
        let size = fs::metadata(&path).map_err(|why| Error::io(&path, why))?.len();
        self.files.push_back((path, size));
        self.bytes += size;
        while self.bytes > self.max_bytes {
            let Some((oldest, size)) = self.files.pop_front() else { break };
            // Somebody may have tidied up by hand; what is gone needs no room.
            let _ = fs::remove_file(oldest);
            self.bytes -= size;
        }
        Ok(())
    }
}

/// Whether a file has a name of the recorder's own: `SESSION-PART-VIEW.png`.
fn is_ours(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((stem, rest)) = name.strip_suffix(".png").and_then(|name| name.split_once("Z-"))
    else {
        return false;
    };
    let stem = stem.split_once('T').is_some_and(|(date, time)| {
        date.len() == 8 && time.len() == 6 && digits(date) && digits(time)
    });
    stem && (2..=3).contains(&rest.split('-').count()) && rest.split('-').all(digits)
}

fn encode(path: &PathBuf, frame: &Frame) -> Result<()> {
    let info = frame.info();
    let colour = match info.pixel_format {
        PixelFormat::RGB8 | PixelFormat::BGR8 => png::ColorType::Rgb,
        PixelFormat::RGBA8 => png::ColorType::Rgba,
        format if format.bits_per_pixel() == 8 => png::ColorType::Grayscale,
        format => {
            let supported = "Mono8, Bayer..8, RGB8, BGR8, RGBa8".into();
            return Err(Error::UnsupportedFormat { format: format.to_string(), supported });
        }
    };
    let invalid = |why: png::EncodingError| Error::io(path, std::io::Error::other(why));
    let file = File::create(path).map_err(|why| Error::io(path, why))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), info.width, info.height);
    encoder.set_color(colour);
    encoder.set_compression(png::Compression::Fast);
    // PNG knows no BGR: such a picture is stored, and named, as the RGB8 that it then is.
    let swap = info.pixel_format == PixelFormat::BGR8;
    let stored = if swap { PixelFormat::RGB8 } else { info.pixel_format };
    encoder.add_text_chunk("PixelFormat".into(), stored.to_string()).map_err(invalid)?;
    let mut writer = encoder.write_header().map_err(invalid)?;
    let row = info.pixel_format.row_bytes(info.width);
    let mut rows = writer.stream_writer().map_err(invalid)?;
    let mut buffer = Vec::with_capacity(row);
    for line in frame.image().chunks(info.stride).take(info.height as usize) {
        buffer.clear();
        buffer.extend_from_slice(&line[..row]);
        if swap {
            buffer.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
        }
        rows.write_all(&buffer).map_err(|why| Error::io(path, why))?;
    }
    rows.finish().map_err(invalid)
}
