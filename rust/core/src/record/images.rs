//! Images beside the journal, the oldest going first when there are too many bytes of them.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::journal::make_folder;
use super::picture_file::{self, FileKind};
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

/// The recorder keeps what a replay reads again: formats of 8 bits a sample.
fn encode(path: &Path, frame: &Frame) -> Result<()> {
    let format = frame.info().pixel_format;
    match format {
        PixelFormat::RGB8 | PixelFormat::BGR8 | PixelFormat::RGBA8 => {}
        format if format.bits_per_pixel() == 8 => {}
        format => {
            let supported = "Mono8, Bayer..8, RGB8, BGR8, RGBa8".into();
            return Err(Error::UnsupportedFormat { format: format.to_string(), supported });
        }
    }
    picture_file::write_as(FileKind::Png, path, frame)
}
