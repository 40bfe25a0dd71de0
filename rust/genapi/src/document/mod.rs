//! From bytes to text: zipped or plain, in any encoding that its first bytes or its declaration
//! name.

mod entities;
mod pull;

use std::borrow::Cow;
use std::io::Read;

pub(crate) use self::pull::{Pull, Token};
use crate::error::{Error, Result};

/// Bytes that a description may have, unpacked. The largest known one has 3 MB.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// The text of a description that may be zipped.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Cow::Owned(decode(&unzip(bytes)?)?.into_owned()));
    }
    decode(bytes)
}

/// The first file of the archive that ends in `.xml`, or the first one.
fn unzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let broken = |e: &dyn std::fmt::Display| Error::Unreadable(format!("its archive: {e}"));
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let named = archive
        .file_names()
        .position(|name| name.is_ok_and(|name| name.to_lowercase().ends_with(".xml")));
    let file = archive.by_index(named.unwrap_or(0)).map_err(|e| broken(&e))?;
    let mut unpacked = Vec::new();
    // The size that the archive states is only a claim.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut unpacked).map_err(|e| broken(&e))?;
    Ok(unpacked)
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { what: "bytes", limit: MAX_BYTES });
    }
    // Descriptions from a camera's memory are often padded.
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[..bytes.len() - padding];
    if let Some(text) = utf32(bytes) {
        return Ok(Cow::Owned(text));
    }
    let encoding = match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if bytes.starts_with(b"<\0") => encoding_rs::UTF_16LE,
        None if bytes.starts_with(b"\0<") => encoding_rs::UTF_16BE,
        None => match declared(bytes) {
            None => encoding_rs::UTF_8,
            Some(label) => {
                let known = encoding_rs::Encoding::for_label(label);
                // A document that could be read this far is not in UTF-16, whatever it says.
                known.map(encoding_rs::Encoding::output_encoding).ok_or_else(|| {
                    let label = String::from_utf8_lossy(label);
                    Error::Unreadable(format!("its encoding {label} is not known"))
                })?
            }
        },
    };
    let odd = bytes.len() % 2 == 1;
    let utf16 = encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE;
    // The last 0 of a UTF-16 text may be half of its last character.
    let restored;
    let bytes = if utf16 && odd {
        restored = [bytes, &[0]].concat();
        return Ok(Cow::Owned(encoding.decode(&restored).0.into_owned()));
    } else {
        bytes
    };
    let (text, _, malformed) = encoding.decode(bytes);
    if malformed && encoding == encoding_rs::UTF_8 {
        // Cameras exist that say UTF-8 and write their units in Latin 1.
        return Ok(encoding_rs::WINDOWS_1252.decode(bytes).0);
    }
    Ok(text)
}

/// The text where its first bytes are those of UTF-32 with or without its mark, whose last zeros
/// were taken for padding.
fn utf32(bytes: &[u8]) -> Option<String> {
    let first = bytes.get(..4)?;
    let (big, marked) = match first {
        [0, 0, 0xFE, 0xFF] => (true, true),
        [0xFF, 0xFE, 0, 0] => (false, true),
        [0, 0, 0, b'<'] => (true, false),
        [b'<', 0, 0, 0] => (false, false),
        _ => return None,
    };
    let unit = |four: &[u8]| {
        let mut whole = [0; 4];
        whole[..four.len()].copy_from_slice(four);
        let code = if big { u32::from_be_bytes(whole) } else { u32::from_le_bytes(whole) };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    Some(bytes.chunks(4).skip(usize::from(marked)).map(unit).collect())
}

/// The encoding that the XML declaration names.
fn declared(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(256)];
    let start = head.windows(5).position(|five| five == b"<?xml")?;
    let end = start + head[start..].windows(2).position(|two| two == b"?>")?;
    let declaration = &head[start..end];
    let key = declaration.windows(8).position(|eight| eight == b"encoding")?;
    let rest = &declaration[key + 8..];
    let quote = rest.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let value = &rest[quote + 1..];
    let end = value.iter().position(|byte| *byte == rest[quote])?;
    Some(&value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<?xml version=\"1.0\" encoding=\"ENC\"?><a>\u{b5}s</a>";

    #[test]
    fn the_declared_encoding_is_used() {
        let latin =
            encoding_rs::WINDOWS_1252.encode(&XML.replace("ENC", "iso-8859-1")).0.into_owned();
        assert!(text(&latin).unwrap().contains("<a>\u{b5}s</a>"));
        let japanese = "<?xml version='1.0' encoding='Shift_JIS'?><a>\u{89d2}</a>";
        let bytes = encoding_rs::SHIFT_JIS.encode(japanese).0.into_owned();
        assert!(text(&bytes).unwrap().contains('\u{89d2}'));
    }

    #[test]
    fn utf_16_is_read_with_and_without_its_mark_and_padding() {
        for mark in [true, false] {
            for big in [true, false] {
                for padding in [0, 2, 3] {
                    let units = XML.replace("ENC", "UTF-16");
                    let units = mark.then_some('\u{feff}').into_iter().chain(units.chars());
                    let mut bytes: Vec<u8> = units
                        .map(|c| c as u16)
                        .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                        .collect();
                    bytes.resize(bytes.len() + padding, 0);
                    let text = text(&bytes).unwrap();
                    assert!(text.ends_with("<a>\u{b5}s</a>"), "{mark} {big} {padding}: {text}");
                }
            }
        }
    }

    #[test]
    fn utf_32_is_read_with_and_without_its_mark_and_padding() {
        for mark in [true, false] {
            for big in [true, false] {
                for padding in [0, 4, 7] {
                    let chars = XML.replace("ENC", "UTF-32");
                    let chars = mark.then_some('\u{feff}').into_iter().chain(chars.chars());
                    let mut bytes: Vec<u8> = chars
                        .map(u32::from)
                        .flat_map(|c| if big { c.to_be_bytes() } else { c.to_le_bytes() })
                        .collect();
                    bytes.resize(bytes.len() + padding, 0);
                    let text = text(&bytes).unwrap();
                    assert!(text.ends_with("<a>\u{b5}s</a>"), "{mark} {big} {padding}: {text}");
                }
            }
        }
        assert!(text(&[0, 0, 0, b'<', 0, 0x11, 0, 0]).unwrap().ends_with('\u{fffd}'));
    }

    #[test]
    fn an_unknown_encoding_is_said_by_its_name() {
        let problem = text(XML.replace("ENC", "EBCDIC-XX").as_bytes()).unwrap_err().to_string();
        assert!(problem.contains("EBCDIC-XX"), "{problem}");
    }

    #[test]
    fn latin_1_that_claims_to_be_utf_8_is_still_read() {
        let bytes = encoding_rs::WINDOWS_1252.encode(&XML.replace("ENC", "utf-8")).0.into_owned();
        assert!(text(&bytes).unwrap().contains("\u{b5}s"));
    }

    #[test]
    fn an_archive_is_unpacked_within_limits() {
        use std::io::Write;
        for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
            let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            archive.start_file("readme.txt", options).unwrap();
            archive.write_all(b"not this one").unwrap();
            archive.start_file("camera.XML", options).unwrap();
            archive.write_all(XML.replace("ENC", "utf-8").as_bytes()).unwrap();
            let bytes = archive.finish().unwrap().into_inner();
            assert!(text(&bytes).unwrap().contains("\u{b5}s"));
            assert!(matches!(text(&bytes[..bytes.len() - 30]), Err(Error::Unreadable(_))));
        }
        let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        bomb.start_file("a.xml", zip::write::SimpleFileOptions::default()).unwrap();
        for _ in 0..MAX_BYTES / 65536 + 1 {
            bomb.write_all(&[b' '; 65536]).unwrap();
        }
        let bytes = bomb.finish().unwrap().into_inner();
        assert!(matches!(text(&bytes), Err(Error::TooLarge { .. })));
    }
}
