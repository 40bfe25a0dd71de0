//! From a URI to an open device: which file, which device of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smartqc_gentl::{
    Access, Device, DeviceInfo, Interface, Producer, Status, Stream, cti_files, search_folders,
};

use super::{GentlUri, failed};
use crate::error::{Error, Result};

/// How long interfaces and devices are looked for.
pub(crate) const SEARCH: Duration = Duration::from_secs(1);

static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Adds a folder in which producers are looked for after those of `GENICAM_GENTL64_PATH`; a host
/// registers where it keeps its own.
pub fn add_folder(folder: impl Into<PathBuf>) {
    let folder = folder.into();
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if !folders.contains(&folder) {
        folders.push(folder);
    }
}

/// The folders in which producers are looked for, in this order.
pub fn folders() -> Vec<PathBuf> {
    let mut folders = search_folders();
    folders.extend(FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
    folders
}

/// An opened device with a stream that is only asked what it needs.
pub(super) struct Opened {
    pub(super) device: Arc<Device>,
    pub(super) row: DeviceInfo,
    pub(super) stream: Arc<Stream>,
}

pub(super) fn open(uri: &str, parsed: &GentlUri) -> Result<Opened> {
    let path = find_producer(uri, &parsed.producer)?;
    let producer = Producer::open(&path).map_err(|e| refused(uri, &e))?;
    let (interface, row) = find_device(uri, &producer, &parsed.device)?;
    let device = interface.open_device(&row.id, Access::Exclusive).map_err(|e| refused(uri, &e))?;
    let stream = first_stream(uri, &device)?;
    Ok(Opened { device, row, stream })
}

/// Opens the device's first stream.
pub(super) fn first_stream(uri: &str, device: &Arc<Device>) -> Result<Arc<Stream>> {
    let ids = device.stream_ids().map_err(|e| failed(uri, &e))?;
    let id = ids.first().ok_or_else(|| Error::Camera {
        uri: uri.into(),
        problem: "it has no data stream, and so no images".into(),
    })?;
    device.open_stream(id).map_err(|e| refused(uri, &e))
}

/// A path as it is; a bare file name from the folders.
fn find_producer(uri: &str, producer: &Path) -> Result<PathBuf> {
    if producer.components().count() > 1 || producer.exists() {
        return Ok(producer.to_owned());
    }
    let folders = folders();
    let found = cti_files(folders.clone())
        .into_iter()
        .find(|path| path.file_name() == producer.file_name());
    found.ok_or_else(|| {
        let listed: Vec<String> =
            folders.iter().map(|folder| folder.display().to_string()).collect();
        Error::NotFound {
            uri: uri.into(),
            problem: format!(
                "no {} in GENICAM_GENTL64_PATH or smartqc's own folders ({})",
                producer.display(),
                if listed.is_empty() { "none".into() } else { listed.join(", ") }
            ),
        }
    })
}

/// Every device of a producer, with the interface it is on; an interface that can't be opened has
/// none.
pub(crate) fn devices(
    producer: &Arc<Producer>,
) -> smartqc_gentl::Result<Vec<(Arc<Interface>, DeviceInfo)>> {
    let mut found = Vec::new();
    let mut failure = None;
    for row in producer.interfaces(SEARCH)? {
        let listed = producer
            .interface(&row.id)
            .and_then(|interface| Ok((Arc::clone(&interface), interface.devices(SEARCH)?)));
        match listed {
            Ok((interface, rows)) => {
                found.extend(rows.into_iter().map(|row| (Arc::clone(&interface), row)));
            }
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

fn find_device(
    uri: &str,
    producer: &Arc<Producer>,
    wanted: &str,
) -> Result<(Arc<Interface>, DeviceInfo)> {
    let mut all = devices(producer).map_err(|e| failed(uri, &e))?;
    let is_it =
        |row: &DeviceInfo| row.serial == wanted || row.id == wanted || row.user_name == wanted;
    let named: Vec<usize> =
        (0..all.len()).filter(|&i| !wanted.is_empty() && is_it(&all[i].1)).collect();
    let index = match (named.as_slice(), wanted) {
        ([only], _) => Some(*only),
        ([], "") => Some(0),
        ([], number) => number.parse().ok(),
        (several, _) => {
            return Err(Error::NotFound {
                uri: uri.into(),
                problem: format!("{} devices are called {wanted:?}; use an index", several.len()),
            });
        }
    };
    match index {
        Some(index) if index < all.len() => Ok(all.swap_remove(index)),
        _ => {
            let names: Vec<&str> = all.iter().map(|(_, row)| row.id.as_str()).collect();
            Err(Error::NotFound {
                uri: uri.into(),
                problem: match names.as_slice() {
                    [] => format!("{} sees no device", producer.name()),
                    names => format!("no device {wanted:?} among {}", names.join(", ")),
                },
            })
        }
    }
}

/// A refused opening: in use, not there, or a failure.
fn refused(uri: &str, error: &smartqc_gentl::Error) -> Error {
    let problem = error.to_string();
    match error.status() {
        Some(Status::RESOURCE_IN_USE | Status::BUSY | Status::ACCESS_DENIED) => {
            Error::InUse { uri: uri.into(), problem }
        }
        Some(Status::INVALID_ID) => Error::NotFound { uri: uri.into(), problem },
        _ => Error::Camera { uri: uri.into(), problem },
    }
}
