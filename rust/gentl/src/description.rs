//! The description file of a port: where its URL points, unzipped.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A GenICam description file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Where it came from.
    pub url: String,
    /// The XML text.
    pub xml: String,
}

/// The largest description that is read or unzipped; real ones stay below 5 MB.
const MAX_BYTES: u64 = 64 << 20;

/// Where a URL points.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Registers { address: u64, length: u64 },
    File(PathBuf),
}

impl Description {
    /// Fetches the file that a port's URL names, from registers through `read` or from the disk. The
    /// URL and what it leads to are a camera's words, and may be anything.
    ///
    /// # Errors
    /// [`Error::Description`] that names what is wrong; what `read` says.
    pub fn load(url: &str, read: impl FnOnce(u64, &mut [u8]) -> Result<()>) -> Result<Self> {
        load(url, read)
    }
}

fn load(url: &str, read: impl FnOnce(u64, &mut [u8]) -> Result<()>) -> Result<Description> {
    let wrong = |reason: String| Error::Description { url: url.to_owned(), reason };
    let bytes = match place(url).map_err(&wrong)? {
        Place::Registers { address, length } if length <= MAX_BYTES => {
            let mut bytes = vec![0; length as usize];
            read(address, &mut bytes)?;
            bytes
        }
        Place::Registers { length, .. } => {
            return Err(wrong(format!("{length} bytes are too many for a description")));
        }
        Place::File(path) => file(&path).map_err(|e| wrong(format!("{}: {e}", path.display())))?,
    };
    let xml = text(bytes).map_err(&wrong)?;
    Ok(Description { url: url.to_owned(), xml })
}

/// Reads a plain file of bearable size: a device or a pipe may have no end.
fn file(path: &Path) -> Result<Vec<u8>, String> {
    let known = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !known.is_file() || known.len() > MAX_BYTES {
        return Err(format!("is no file of at most {MAX_BYTES} bytes"));
    }
    std::fs::read(path).map_err(|e| e.to_string())
}

/// Parses `local:[///]name;ADDRESS;LENGTH[?SchemaVersion=x.y.z]` and `file:[//][/]path[?...]`.
fn place(url: &str) -> Result<Place, String> {
    let (scheme, rest) = url.split_once(':').ok_or("has no scheme")?;
    let rest = rest.split_once("?SchemaVersion").map_or(rest, |(before, _)| before);
    match scheme.to_ascii_lowercase().as_str() {
        "local" => {
            let mut fields = rest.split(';').skip(1).map(|field| {
                let digits = field.trim().trim_start_matches("0x").trim_start_matches("0X");
                u64::from_str_radix(digits, 16)
                    .map_err(|_| format!("{field:?} is no hexadecimal number"))
            });
            match (fields.next(), fields.next()) {
                (Some(address), Some(length)) => {
                    Ok(Place::Registers { address: address?, length: length? })
                }
                _ => Err("names no address and length".to_owned()),
            }
        }
        "file" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            Ok(Place::File(PathBuf::from(percent_decoded(path))))
        }
        other => Err(format!("the scheme {other:?} is not supported, only local and file")),
    }
}

/// Resolves `%20` and its like.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The XML text of a file that may be zipped, with the 0 bytes that pad a register block removed.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    let bytes = if bytes.starts_with(b"PK") { unzipped(bytes)? } else { bytes };
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let bytes = bytes[..end].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes[..end]);
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn unzipped(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let broken = |e: &dyn std::fmt::Display| format!("is no readable zip archive: {e}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let index = archive
        .file_names()
        .position(|name| name.is_ok_and(|name| name.to_ascii_lowercase().ends_with(".xml")))
        .unwrap_or(0);
    let file = archive.by_index(index).map_err(|e| broken(&e))?;
    let mut xml = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut xml).map_err(|e| broken(&e))?;
    if xml.len() as u64 > MAX_BYTES {
        return Err(format!("unzips to more than {MAX_BYTES} bytes"));
    }
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn at(address: u64, length: u64) -> Place {
        Place::Registers { address, length }
    }

    #[test]
    fn register_urls_are_read_in_every_spelling() {
        assert_eq!(place("local:a.xml;F0000000;1a0"), Ok(at(0xf000_0000, 0x1a0)));
        assert_eq!(place("Local:///a.zip;0x10;20?SchemaVersion=1.1.0"), Ok(at(0x10, 0x20)));
        assert_eq!(place("LOCAL:a.xml;10;20\u{20}"), Ok(at(0x10, 0x20)));
    }

    #[test]
    fn file_urls_are_read_in_every_spelling() {
        let file = |path: &str| Ok(Place::File(path.into()));
        assert_eq!(place("file:///opt/my%20cam.xml?SchemaVersion=1.1.0"), file("/opt/my cam.xml"));
        assert_eq!(place("File:/opt/100%.xml"), file("/opt/100%.xml"));
    }

    #[test]
    fn bad_urls_are_errors_that_name_the_fault() {
        for (url, fault) in [
            ("a.xml", "no scheme"),
            ("local:a.xml", "no address"),
            ("local:a.xml;10", "no address"),
            ("local:a.xml;zz;10", "hexadecimal"),
            ("http://cam/a.xml", "not supported"),
        ] {
            assert!(place(url).unwrap_err().contains(fault), "{url}");
        }
        let endless = load("file:///dev/zero", |_, _| panic!("read"));
        assert!(endless.unwrap_err().to_string().contains("no file"));
        let absurd = load("local:a.xml;0;FFFFFFFFFFFFFFF", |_, _| panic!("read"));
        assert!(absurd.unwrap_err().to_string().contains("too many"));
    }

    #[test]
    fn descriptions_are_unzipped_and_stripped_of_padding() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("a.xml", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(b"<x/>\0\0").unwrap();
        let mut archive = writer.finish().unwrap().into_inner();
        archive.extend([0; 5]);
        let length = format!("local:a.zip;0;{:x}", archive.len());
        let loaded = load(&length, |_, data| {
            data.copy_from_slice(&archive);
            Ok(())
        });
        assert_eq!(loaded.unwrap().xml, "<x/>");
        assert_eq!(text(b"\xef\xbb\xbf<x/>\0".to_vec()).unwrap(), "<x/>");
        assert!(text(b"PK\x03\x04 broken".to_vec()).unwrap_err().contains("zip"));
        assert!(text(vec![0; 8]).unwrap_err().contains("empty"));
    }
}
