//! From a URI to an open device: which file, which device of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smartqc_gentl::{
    Access, Device, DeviceInfo, Interface, InterfaceInfo, Producer, Status, Stream, search_folders,
};

use super::{GentlUri, failed};
use crate::error::{Error, Result};

/// How long interfaces and devices are looked for.
pub(crate) const SEARCH: Duration = Duration::from_secs(1);
/// How long a lost device is looked for at each attempt.
const LOOK: Duration = Duration::from_millis(200);

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

/// An opened device, and how many buffers its stream wants.
pub(super) struct Opened {
    pub(super) device: Arc<Device>,
    pub(super) row: DeviceInfo,
    pub(super) least: usize,
}

pub(super) fn open(uri: &str, parsed: &GentlUri) -> Result<Opened> {
    let path = find_producer(uri, &parsed.producer)?;
    let producer = Producer::open(&path).map_err(|e| refused(uri, &e))?;
    let (interface, row) = find_device(uri, &producer, &parsed.device)?;
    let device = interface.open_device(&row.id, parsed.access).map_err(|e| refused(uri, &e))?;
    // Opened once more at the start: by then the features may want another stream setup.
    let least = first_stream(uri, &device)
        .and_then(|stream| stream.least_buffers().map_err(|e| failed(uri, &e)));
    let least = match least {
        // Who only reads may have no stream.
        Err(_) if parsed.access == Access::ReadOnly => 1,
        least => least?,
    };
    Ok(Opened { device, row, least })
}

/// Opens a device again that was there as `known`: by its serial number, where it has one.
///
/// It is looked for on the interface where it was, and, when `everywhere`, on all of its producer's.
pub(super) fn reopen(
    uri: &str,
    interface: &Arc<Interface>,
    known: &DeviceInfo,
    access: Access,
    everywhere: bool,
) -> Result<Arc<Device>> {
    let here = interface.devices(LOOK).map(|rows| {
        let rows: Vec<_> = rows.into_iter().map(|row| (Arc::clone(interface), row)).collect();
        the_same(rows, known)
    });
    let found = match here {
        Ok(Some(found)) => Some(found),
        _ if everywhere => {
            let all = devices(interface.producer()).map_err(|e| failed(uri, &e))?;
            the_same(all, known)
        }
        here => here.map_err(|e| failed(uri, &e))?,
    };
    let (interface, row) = found.ok_or_else(|| Error::NotFound {
        uri: uri.into(),
        problem: format!("no device with serial number {:?} is there now", known.serial),
    })?;
    interface.open_device(&row.id, access).map_err(|e| refused(uri, &e))
}

/// The device that is known by this row: the one of its serial number, and of its id where several
/// have that number (viky's three all have "0"), or none.
fn the_same<T>(rows: Vec<(T, DeviceInfo)>, known: &DeviceInfo) -> Option<(T, DeviceInfo)> {
    let is_it = |row: &DeviceInfo| row.serial == known.serial && !known.serial.is_empty();
    let several = rows.iter().filter(|(_, row)| is_it(row)).count() != 1;
    let is_it = |row: &DeviceInfo| row.serial == known.serial && (!several || row.id == known.id);
    rows.into_iter().find(|(_, row)| is_it(row))
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
    // By its name, also where another name leads to the same file.
    let found = folders.iter().map(|folder| folder.join(producer)).find(|path| path.is_file());
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

/// An interface and the devices on it.
type Rows = (Arc<Interface>, Vec<DeviceInfo>);

/// Every interface of a producer, with the devices on it, or why they can't be listed.
pub(crate) fn listed(
    producer: &Arc<Producer>,
) -> smartqc_gentl::Result<Vec<(InterfaceInfo, smartqc_gentl::Result<Rows>)>> {
    let devices = |row: InterfaceInfo| {
        let opened = producer.interface(&row.id);
        let rows = opened.and_then(|interface| {
            let rows = interface.devices(SEARCH)?;
            Ok((interface, rows))
        });
        (row, rows)
    };
    Ok(producer.interfaces(SEARCH)?.into_iter().map(devices).collect())
}

/// Every device of a producer, with the interface it is on; an interface that can't be opened has
/// none.
fn devices(producer: &Arc<Producer>) -> smartqc_gentl::Result<Vec<(Arc<Interface>, DeviceInfo)>> {
    let mut found = Vec::new();
    let mut failure = None;
    for (_, rows) in listed(producer)? {
        match rows {
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
    let rows: Vec<&DeviceInfo> = all.iter().map(|(_, row)| row).collect();
    let named = named(&rows, wanted);
    let index = match (named.as_slice(), wanted) {
        ([only], _) => Some(*only),
        ([], "") => Some(0),
        (_, number) => number.parse().ok().filter(|index| *index < all.len()),
    };
    match index {
        Some(index) => {
            let (interface, row) = all.swap_remove(index);
            match row.problem {
                Some(problem) if row.id.is_empty() => {
                    Err(Error::Camera { uri: uri.into(), problem })
                }
                _ => Ok((interface, row)),
            }
        }
        None if named.len() > 1 => Err(Error::NotFound {
            uri: uri.into(),
            problem: format!("{} devices are called {wanted:?}; use an index", named.len()),
        }),
        None => {
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

/// The rows that are called so, by serial number, id or their user's name.
fn named(rows: &[&DeviceInfo], wanted: &str) -> Vec<usize> {
    let is_it =
        |row: &DeviceInfo| row.serial == wanted || row.id == wanted || row.user_name == wanted;
    (0..rows.len()).filter(|&index| !wanted.is_empty() && is_it(rows[index])).collect()
}

/// What to open a listed device by: a name that is its alone, else its place in the list.
pub(crate) fn name_of(rows: &[&DeviceInfo], index: usize) -> String {
    let names = [&rows[index].serial, &rows[index].id];
    let own = names.into_iter().find(|name| named(rows, name) == [index]);
    own.cloned().unwrap_or_else(|| index.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, serial: &str) -> (u8, DeviceInfo) {
        (0, DeviceInfo { id: id.into(), serial: serial.into(), ..DeviceInfo::default() })
    }

    #[test]
    fn every_listed_device_has_a_name_that_opens_it() {
        let names = |rows: &[(&str, &str)]| {
            let rows: Vec<DeviceInfo> = rows.iter().map(|(id, serial)| row(id, serial).1).collect();
            let rows: Vec<&DeviceInfo> = rows.iter().collect();
            (0..rows.len()).map(|index| name_of(&rows, index)).collect::<Vec<_>>()
        };
        assert_eq!(names(&[("a", "7"), ("b", "8")]), ["7", "8"]);
        assert_eq!(names(&[("a", "7"), ("b", "7"), ("c", "")]), ["a", "b", "c"]);
        // One camera that two interfaces see.
        assert_eq!(names(&[("a", "7"), ("a", "7"), ("b", "")]), ["0", "1", "b"]);
        assert_eq!(names(&[("a", "b"), ("b", "")]), ["a", "1"]);
        assert_eq!(names(&[("", ""), ("", "")]), ["0", "1"]);
    }

    #[test]
    fn a_camera_is_known_again_by_its_serial_number_and_by_its_id_where_that_is_not_enough() {
        let found = |rows: &[(u8, DeviceInfo)], id: &str, serial: &str| {
            the_same(rows.to_vec(), &row(id, serial).1).map(|(_, row)| row.id)
        };
        let rows = [row("a", "1"), row("b", "2"), row("c", "0"), row("d", "0"), row("e", "")];
        // Its id may change with the place where it is plugged in.
        assert_eq!(found(&rows, "x", "2").as_deref(), Some("b"));
        assert_eq!(found(&rows, "d", "0").as_deref(), Some("d"));
        assert_eq!(found(&rows, "e", "").as_deref(), Some("e"));
        assert_eq!(found(&rows, "x", "0"), None);
        assert_eq!(found(&rows, "a", "7"), None, "another camera took its place");
    }
}
