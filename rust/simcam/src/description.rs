//! The description file of the remote device: plain, as a ZIP archive, on disk, or broken on demand.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::camera::Camera;
use crate::faults::FaultKind;
use crate::port::XML_ADDRESS;

const XML: &[u8] = include_bytes!("../xml/remote_device.xml");
/// How the file comes to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In the port's address space.
    Xml,
    /// There too, as an archive.
    Zip,
    /// On the host's disk.
    File,
}

/// What all forms are called, but for the extension.
const NAME: &str = "smartqc_simcam_remote_device";

/// The bytes that lie at [`XML_ADDRESS`].
pub(crate) fn bytes(camera: &Camera) -> Cow<'static, [u8]> {
    if camera.holds(FaultKind::XmlBadZip).is_some() {
        return Cow::Owned([&b"PK\x03\x04"[..], &XML[..4096]].concat());
    }
    let whole = if camera.description == Form::Zip { archive() } else { XML };
    if let Some(share) = camera.holds(FaultKind::XmlTruncated) {
        return Cow::Borrowed(&whole[..(whole.len() as f64 * share) as usize]);
    }
    if camera.holds(FaultKind::XmlNotWellFormed).is_some() {
        let text = String::from_utf8_lossy(XML).replacen("</Category>", "</Kategory><", 1);
        return Cow::Owned(text.into_bytes());
    }
    Cow::Borrowed(whole)
}

pub(crate) fn file_name(camera: &Camera) -> String {
    let is_archive =
        camera.description == Form::Zip || camera.holds(FaultKind::XmlBadZip).is_some();
    format!("{NAME}.{}", if is_archive { "zip" } else { "xml" })
}

/// Bytes that the address tells.
pub(crate) fn told_size(camera: &Camera) -> usize {
    let more = camera.holds(FaultKind::XmlWrongLength).unwrap_or(0.0);
    bytes(camera).len().saturating_add(more as usize)
}

/// The address, where it is not one of the port's: the file on disk, or nonsense on demand.
pub(crate) fn other_url(camera: &Camera) -> Option<String> {
    bad_url(camera).or_else(|| {
        let path = path_on_disk(camera)?;
        // The three slashes before the path and the version behind it may be left out, and are:
        // consumers disagree about whether the last of three belongs to the path.
        Some(format!("file:{}", path.display()))
    })
}

/// Where the file lies, if it comes on disk; it is written when it is first asked for.
pub(crate) fn path_on_disk(camera: &Camera) -> Option<PathBuf> {
    if camera.description != Form::File {
        return None;
    }
    let path = disk_path();
    if !path.exists() {
        fs::write(&path, XML).ok()?;
    }
    Some(path)
}

/// Each process and each copy of this library has its own, since any of them may remove it.
fn disk_path() -> PathBuf {
    let library = XML.as_ptr() as usize;
    std::env::temp_dir().join(format!("{NAME}_{}_{library:x}.xml", std::process::id()))
}

/// Takes away what was written.
pub(crate) fn remove_files() {
    // It may never have been written.
    let _ = fs::remove_file(disk_path());
}

/// An address that leads nowhere, if that is the fault.
fn bad_url(camera: &Camera) -> Option<String> {
    let name = file_name(camera);
    Some(match camera.holds(FaultKind::XmlBadUrl)? as u32 {
        0 => String::new(),
        1 => "local:".to_owned(),
        2 => format!("local:{name};here;there"),
        3 => format!("http://camera.invalid/{name}"),
        4 => format!("local:{name};FFFFFFFFFFFFFFFF;FFFFFFFFFFFFFFFF"),
        _ => format!("ftp:{name};;;;{XML_ADDRESS:X}?"),
    })
}

fn archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| zip(&format!("{NAME}.xml"), XML))
}

/// A ZIP archive of one deflated file.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("writing to memory cannot fail");
    let packed = encoder.finish().expect("writing to memory cannot fail");
    // Version, flags, method (8 = deflate), time, date (1 January 2026), check sum and sizes.
    let mut common = Vec::new();
    for value in [20u16, 0, 8, 0, (2026 - 1980) << 9 | 1 << 5 | 1] {
        common.extend(value.to_le_bytes());
    }
    for value in [crc.sum(), packed.len() as u32, content.len() as u32] {
        common.extend(value.to_le_bytes());
    }
    common.extend((name.len() as u16).to_le_bytes());
    common.extend(0u16.to_le_bytes());
    let mut archive = [&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed].concat();
    let directory_at = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\x00");
    archive.extend(&common);
    // No comment, first disk, no attributes, and the file begins at 0.
    archive.extend([0; 14]);
    archive.extend(name.as_bytes());
    let directory_bytes = archive.len() as u32 - directory_at;
    archive.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    archive.extend(directory_bytes.to_le_bytes());
    archive.extend(directory_at.to_le_bytes());
    archive.extend([0; 2]);
    archive
}
