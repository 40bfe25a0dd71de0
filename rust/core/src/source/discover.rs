//! What cameras there are.

use std::path::PathBuf;

use smartqc_gentl::{AccessStatus, DeviceInfo, producers_in};

use super::gentl::{GentlUri, devices, folders};

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
    /// Its producer's identifier of it.
    pub id: String,
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
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The cameras, in the order of their producers.
    pub cameras: Vec<CameraInfo>,
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
        match producer.opened.and_then(|opened| devices(&opened)) {
            Ok(rows) => {
                let serials: Vec<String> = rows.iter().map(|(_, row)| row.serial.clone()).collect();
                for (index, (_, row)) in rows.into_iter().enumerate() {
                    let unique =
                        serials.iter().filter(|serial| **serial == row.serial).count() == 1;
                    let name = match &row {
                        DeviceInfo { serial, .. } if unique && !serial.is_empty() => serial.clone(),
                        DeviceInfo { id, .. } if !id.is_empty() => id.clone(),
                        _ => index.to_string(),
                    };
                    found.cameras.push(CameraInfo {
                        uri: GentlUri::of(&path, &name),
                        vendor: row.vendor,
                        model: row.model,
                        serial: row.serial,
                        user_name: row.user_name,
                        id: row.id,
                        tl_type: row.tl_type,
                        access: access(row.access),
                        producer: path.clone(),
                    });
                }
            }
            Err(error) => {
                found.failures.push(ProducerFailure { producer: path, problem: error.to_string() })
            }
        }
    }
    found
}

fn access(status: AccessStatus) -> &'static str {
    match status {
        AccessStatus::Unknown => "unknown",
        AccessStatus::ReadWrite => "free",
        AccessStatus::ReadOnly => "read-only",
        AccessStatus::NoAccess => "no access",
        AccessStatus::Busy => "in use",
        AccessStatus::OpenReadWrite | AccessStatus::OpenReadOnly => "open here",
    }
}
