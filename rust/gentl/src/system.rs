//! A producer's system module: the library initialised, its interfaces listed.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::abi::{Handle, tl};
use crate::error::{Error, Result, Status};
use crate::event::{Event, EventKind};
use crate::interface::{Interface, InterfaceInfo};
use crate::library::Library;
use crate::module::{Module, OwnedHandle};
use crate::names::Names;
use crate::port::Port;
use crate::shared::Shared;

/// Interfaces of a producer, and devices of an interface, that are listed: more is a wrong number.
pub(crate) const MOST_LISTED: u32 = 1024;

/// The environment variable that names the folders of the installed producers.
pub const SEARCH_VARIABLE: &str = "GENICAM_GENTL64_PATH";

/// An opened producer (`.cti`), shared by all who open the same file in this process.
///
/// Closed when its last holder (a module below holds it too) is dropped; a later opening starts
/// afresh. The library itself stays loaded.
pub struct Producer {
    pub(crate) library: &'static Library,
    pub(crate) handle: OwnedHandle,
    /// The standard wants the calls that list or open modules on one thread at a time.
    lists: Mutex<()>,
    port_access: Mutex<()>,
    pub(crate) interfaces: Mutex<BTreeMap<String, Arc<Shared<Interface>>>>,
    /// Of its interfaces.
    pub(crate) names: Names,
}

/// What a producer says of itself; texts it does not answer are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Unique identifier.
    pub id: String,
    /// Who made it.
    pub vendor: String,
    /// Its name.
    pub model: String,
    /// Its own version.
    pub version: String,
    /// Transport layer type, `Mixed` when it serves several.
    pub tl_type: String,
    /// Name for people.
    pub display_name: String,
    /// Version of GenTL it implements, if it says so.
    pub gentl_version: Option<(u32, u32)>,
}

impl Producer {
    /// Opens the producer in the file, or shares the one that is open.
    ///
    /// The path may be a link; a copied file is another producer to the loader.
    ///
    /// # Errors
    /// When the file can't be loaded, is no producer, or refuses to initialise.
    pub fn open(path: impl AsRef<Path>) -> Result<Arc<Self>> {
        let library = Library::load(path.as_ref())?;
        let producer = library.producer.get(|| Self::initialise(library))?;
        // An instance inherited through a fork must be refused, and left as it is.
        library.ours()?;
        Ok(producer)
    }

    fn initialise(library: &'static Library) -> Result<Self> {
        library.opened_here();
        let elsewhere = |error: Error| match error.status() {
            Some(Status::RESOURCE_IN_USE) => {
                Error::OpenElsewhere { producer: library.name().to_owned() }
            }
            _ => error,
        };
        // SAFETY: no arguments.
        library.call("GCInitLib", |f| unsafe { (f.GCInitLib)() }).map_err(elsewhere)?;
        let mut handle: Handle = null_mut();
        // SAFETY: the out pointer lives through the call.
        let opened = library.call("TLOpen", |f| unsafe { (f.TLOpen)(&mut handle) });
        if let Err(error) = opened {
            // SAFETY: the library was initialised above and nothing is open.
            let _ = library.call("GCCloseLib", |f| unsafe { (f.GCCloseLib)() });
            return Err(elsewhere(error));
        }
        Ok(Self {
            library,
            handle: OwnedHandle(handle),
            lists: Mutex::new(()),
            port_access: Mutex::new(()),
            interfaces: Mutex::new(BTreeMap::new()),
            names: Names::default(),
        })
    }

    /// The canonical path of the file.
    pub fn path(&self) -> &Path {
        self.library.path()
    }

    /// The file's name, as errors cite it.
    pub fn name(&self) -> &str {
        self.library.name()
    }

    /// What the producer says of itself.
    ///
    /// # Errors
    /// When the producer fails; a question without an answer leaves its field empty.
    pub fn info(&self) -> Result<ProducerInfo> {
        let text = |command| -> Result<String> {
            // SAFETY: the system handle is open; the tail comes from `info_text`.
            let answer = self.library.info_text("TLGetInfo", |f, t, buffer, size| unsafe {
                (f.TLGetInfo)(self.handle.0, command, t, buffer, size)
            })?;
            Ok(answer.unwrap_or_default())
        };
        let number = |command| -> Result<Option<u32>> {
            // SAFETY: as above.
            let answer = self.library.info_number("TLGetInfo", |f, t, buffer, size| unsafe {
                (f.TLGetInfo)(self.handle.0, command, t, buffer, size)
            })?;
            Ok(answer.map(|n| n as u32))
        };
        Ok(ProducerInfo {
            id: text(tl::ID)?,
            vendor: text(tl::VENDOR)?,
            model: text(tl::MODEL)?,
            version: text(tl::VERSION)?,
            tl_type: text(tl::TLTYPE)?,
            display_name: text(tl::DISPLAYNAME)?,
            gentl_version: number(tl::GENTL_VER_MAJOR)?.zip(number(tl::GENTL_VER_MINOR)?),
        })
    }

    /// Looks for interfaces for at most `timeout` and lists them.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn interfaces(&self, timeout: Duration) -> Result<Vec<InterfaceInfo>> {
        let _alone = self.list_access();
        let library = self.library;
        let mut changed = 0;
        // SAFETY: the handle is open and the out pointer lives through the call.
        library.call("TLUpdateInterfaceList", |f| unsafe {
            (f.TLUpdateInterfaceList)(self.handle.0, &mut changed, millis(timeout))
        })?;
        let mut count = 0;
        // SAFETY: as above.
        library.call("TLGetNumInterfaces", |f| unsafe {
            (f.TLGetNumInterfaces)(self.handle.0, &mut count)
        })?;
        (0..count.min(MOST_LISTED)).map(|index| InterfaceInfo::read(self, index)).collect()
    }

    /// Opens the interface, or shares the one that is open.
    ///
    /// # Errors
    /// When there is no such interface or the producer refuses.
    pub fn interface(self: &Arc<Self>, id: &str) -> Result<Arc<Interface>> {
        let shared = {
            let mut interfaces = self.interfaces.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(interfaces.entry(id.to_owned()).or_insert_with(|| Arc::new(Shared::new())))
        };
        shared.get(|| Interface::open(self, id, Arc::clone(&shared)))
    }

    /// Registers the system's module event.
    ///
    /// # Errors
    /// NOT_IMPLEMENTED when the producer has none, RESOURCE_IN_USE when it is registered already.
    pub fn event(self: &Arc<Self>, kind: EventKind) -> Result<Event> {
        Event::register(Module::System(Arc::clone(self)), kind)
    }

    /// The port of the system module, whose features describe the producer.
    pub fn port(self: &Arc<Self>) -> Port {
        Port::new(Module::System(Arc::clone(self)), self.handle.0)
    }

    pub(crate) fn list_access(&self) -> MutexGuard<'_, ()> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn port_access(&self) -> &Mutex<()> {
        &self.port_access
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let library = self.library;
        // In a fork the producer's threads are gone; closing would wait for them for ever.
        if !library.is_ours() {
            return;
        }
        library.producer.close(|| {
            // SAFETY: no module below lives, since each holds this one.
            let _ = library.call("TLClose", |f| unsafe { (f.TLClose)(self.handle.0) });
            // SAFETY: the system was closed.
            let _ = library.call("GCCloseLib", |f| unsafe { (f.GCCloseLib)() });
        });
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// A producer file that was found, and whether it could be opened.
#[derive(Debug)]
pub struct Found {
    /// Where it lies.
    pub path: PathBuf,
    /// The producer, or why it can't be used.
    pub opened: Result<Arc<Producer>>,
}

/// Opens every producer of the folders named by `GENICAM_GENTL64_PATH`; one that fails is a row
/// with its error.
pub fn producers() -> Vec<Found> {
    producers_in(search_folders())
}

/// Opens every producer of the folders; one that fails is a row with its error.
pub fn producers_in(folders: impl IntoIterator<Item = PathBuf>) -> Vec<Found> {
    cti_files(folders)
        .into_iter()
        .map(|path| Found { opened: Producer::open(&path), path })
        .collect()
}

/// The folders that `GENICAM_GENTL64_PATH` names, in its order.
pub fn search_folders() -> Vec<PathBuf> {
    std::env::var_os(SEARCH_VARIABLE)
        .map(|value| std::env::split_paths(&value).filter(|p| !p.as_os_str().is_empty()).collect())
        .unwrap_or_default()
}

/// The `.cti` files in the folders, sorted within each; a folder that can't be read holds none. A
/// file that can be reached by several ways is one producer, and listed once.
pub fn cti_files(folders: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("cti")))
            .collect();
        found.sort();
        files.extend(found);
    }
    let mut seen = std::collections::BTreeSet::new();
    // As the loader tells libraries apart; a pipe would block it, and a folder is none.
    files.retain(|path| {
        let file = path.metadata().ok().filter(Metadata::is_file);
        file.is_some_and(|file| seen.insert((file.dev(), file.ino())))
    });
    files
}

/// A time-out as the standard counts it.
pub(crate) fn millis(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cti_files_are_found_and_each_once() {
        let folder = std::env::temp_dir().join(format!("gentl-scan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["b.cti", "a.CTI", "c.so"] {
            std::fs::write(folder.join(name), b"").unwrap();
        }
        let found = cti_files([folder.clone(), folder.clone(), "/nowhere".into()]);
        assert_eq!(found, [folder.join("a.CTI"), folder.join("b.cti")]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_producer_that_is_reached_twice_is_listed_once_and_a_pipe_is_none() {
        let folder = std::env::temp_dir().join(format!("gentl-ways-{}", std::process::id()));
        let [one, two] = ["one", "two"].map(|name| folder.join(name));
        std::fs::create_dir_all(one.join("folder.cti")).unwrap();
        std::fs::write(one.join("a.cti"), b"").unwrap();
        std::os::unix::fs::symlink(one.join("a.cti"), one.join("b.cti")).unwrap();
        std::os::unix::fs::symlink(one.join("gone.cti"), one.join("c.cti")).unwrap();
        std::os::unix::fs::symlink(&one, &two).unwrap();
        let made = std::process::Command::new("mkfifo").arg(one.join("pipe.cti")).status();
        assert!(made.unwrap().success());
        let found = cti_files([one.clone(), two]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [one.join("a.cti")]);
    }
}
