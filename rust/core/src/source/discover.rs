//! What cameras there are.

use std::path::PathBuf;

use smartqc_gentl::{AccessStatus, DeviceInfo, Error, producers_in};

use super::gentl::{GentlUri, folders, listed, name_of};

/// One camera that a producer sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// What to open it by.
    pub uri: String,
    /// Who made it.
    pub vendor: String,
    /// Its type.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// The name its user gave it.
    pub user_name: String,
    /// Its producer's name of it, for people.
    pub display_name: String,
    /// Version of its firmware.
    pub version: String,
    /// Its producer's identifier of it.
    pub id: String,
    /// The interface it is on: its producer's identifier, and its name for people.
    pub interface: [String; 2],
    /// Transport layer: `GEV`, `U3V`, `Custom` and others.
    pub tl_type: String,
    /// Whether it can be opened now: `free`, `read-only`, `no access`, `in use`, `open here` or
    /// `unknown`.
    pub access: &'static str,
    /// Its producer's file.
    pub producer: PathBuf,
}

/// A producer that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerFailure {
    /// Its file.
    pub producer: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// Nothing, but that other code of this process has it open.
    pub is_open_elsewhere: bool,
}

/// An interface (a network card, a frame grabber, a USB host) that a producer sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceRow {
    /// Its producer's file.
    pub producer: PathBuf,
    /// Its producer's identifier of it.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// Transport layer: `GEV`, `U3V`, `Custom` and others.
    pub tl_type: String,
    /// How many devices are on it.
    pub devices: usize,
    /// Why it could not be looked at.
    pub problem: Option<String>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The cameras, in the order of their producers.
    pub cameras: Vec<CameraInfo>,
    /// All interfaces, also those without a camera.
    pub interfaces: Vec<InterfaceRow>,
    /// The producers that failed.
    pub failures: Vec<ProducerFailure>,
    /// The folders that were searched.
    pub folders: Vec<PathBuf>,
}

/// Lists the devices of every producer in `GENICAM_GENTL64_PATH` and the folders added to it; takes
/// as long as the producers search their networks.
pub fn discover() -> Discovery {
    let mut found = Discovery { folders: folders(), ..Discovery::default() };
    for producer in producers_in(found.folders.clone()) {
        let path = producer.path;
        match producer.opened.and_then(|opened| listed(&opened)) {
            Ok(listed) => {
                let mut rows = Vec::new();
                for (row, devices) in listed {
                    if let Err(error) = &devices {
                        let problem = format!("interface {}: {error}", row.display_name);
                        let (producer, is_open_elsewhere) = (path.clone(), false);
                        let failure = ProducerFailure { producer, problem, is_open_elsewhere };
                        found.failures.push(failure);
                    }
                    found.interfaces.push(InterfaceRow {
                        producer: path.clone(),
                        id: row.id.clone(),
                        display_name: row.display_name.clone(),
                        tl_type: row.tl_type.clone(),
                        devices: devices.as_ref().map_or(0, |(_, rows)| rows.len()),
                        problem: devices.as_ref().err().map(ToString::to_string),
                    });
                    let devices = devices.into_iter().flat_map(|(_, rows)| rows);
                    rows.extend(devices.map(|device| (row.clone(), device)));
                }
                let known: Vec<&DeviceInfo> = rows.iter().map(|(_, row)| row).collect();
                let names: Vec<String> =
                    (0..known.len()).map(|index| name_of(&known, index)).collect();
                for ((interface, row), name) in rows.into_iter().zip(names) {
                    if let Some(problem) = row.problem {
                        let problem = format!("interface {}: {problem}", interface.display_name);
                        let (producer, is_open_elsewhere) = (path.clone(), false);
                        let failure = ProducerFailure { producer, problem, is_open_elsewhere };
                        found.failures.push(failure);
                    }
                    // Without an id it can't be opened.
                    if row.id.is_empty() {
                        continue;
                    }
                    found.cameras.push(CameraInfo {
                        uri: GentlUri::of(&path, &name),
                        vendor: row.vendor,
                        model: row.model,
                        serial: row.serial,
                        user_name: row.user_name,
                        display_name: row.display_name,
                        version: row.version,
                        id: row.id,
                        interface: [interface.id, interface.display_name],
                        tl_type: row.tl_type,
                        access: access_word(row.access),
                        producer: path.clone(),
                    });
                }
            }
            Err(error) => {
                let is_open_elsewhere = matches!(error, Error::OpenElsewhere { .. });
                let (producer, problem) = (path, error.to_string());
                found.failures.push(ProducerFailure { producer, problem, is_open_elsewhere });
            }
        }
    }
    found
}

/// The word for an access status.
pub(crate) fn access_word(status: AccessStatus) -> &'static str {
    match status {
        AccessStatus::Unknown => "unknown",
        AccessStatus::ReadWrite => "free",
        AccessStatus::ReadOnly => "read-only",
        AccessStatus::NoAccess => "no access",
        AccessStatus::Busy => "in use",
        AccessStatus::OpenReadWrite | AccessStatus::OpenReadOnly => "open here",
    }
}
