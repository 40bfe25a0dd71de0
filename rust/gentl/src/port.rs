//! A port: the registers of a module, and the description of what they mean.
#![allow(unsafe_code)]

use std::fmt;
use std::sync::{PoisonError, TryLockError};

use crate::abi::{self, Handle, RegisterEntry};
use crate::description::Description;
use crate::error::{Error, Result, Status};
use crate::library::Library;
use crate::module::{Module, OwnedHandle};

/// Register access to one module, by address.
///
/// Thread safe: accesses to one device, through whichever of its ports, happen one after another.
/// Keeps its module open.
pub struct Port {
    module: Module,
    handle: OwnedHandle,
}

/// What a port says of itself; texts it does not answer are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortInfo {
    /// Identifier of the module.
    pub id: String,
    /// Vendor of the module.
    pub vendor: String,
    /// Model of the module.
    pub model: String,
    /// Transport layer type.
    pub tl_type: String,
    /// Which module: `TLSystem`, `TLInterface`, `TLDevice`, `TLDataStream`, `TLBuffer` or `Device`
    /// (the camera itself).
    pub module: String,
    /// Version of the module.
    pub version: String,
    /// Name of the port node in the description that belongs to it.
    pub port_name: String,
    /// Whether multi-byte registers are big endian.
    pub big_endian: bool,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether it can be written.
    pub writable: bool,
}

impl Port {
    pub(crate) fn new(module: Module, handle: Handle) -> Self {
        Self { module, handle: OwnedHandle(handle) }
    }

    fn library(&self) -> &'static Library {
        self.module.library()
    }

    /// Fills `data` from the registers at `address`.
    ///
    /// # Errors
    /// When the producer refuses, or moves fewer bytes than asked for.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<()> {
        let library = self.library();
        let wanted = data.len();
        let mut moved = wanted;
        let _alone = self.module.port_access().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the module is open; buffer and size belong together and live through the call.
        library.call("GCReadPort", |f| unsafe {
            (f.GCReadPort)(self.handle.0, address, data.as_mut_ptr().cast(), &mut moved)
        })?;
        whole(library, address, wanted, moved)
    }

    /// As [`Port::read`], unless another access to the device goes on: then nothing is read, and
    /// that is said by `false`. For asking whether a device lives.
    ///
    /// # Errors
    /// As for [`Port::read`].
    pub fn read_if_idle(&self, address: u64, data: &mut [u8]) -> Result<bool> {
        let library = self.library();
        let wanted = data.len();
        let mut moved = wanted;
        let _alone = match self.module.port_access().try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        // SAFETY: as for reading.
        library.call("GCReadPort", |f| unsafe {
            (f.GCReadPort)(self.handle.0, address, data.as_mut_ptr().cast(), &mut moved)
        })?;
        whole(library, address, wanted, moved).map(|()| true)
    }

    /// Writes `data` to the registers at `address`.
    ///
    /// # Errors
    /// When the producer refuses, or moves fewer bytes than asked for.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<()> {
        let library = self.library();
        let wanted = data.len();
        let mut moved = wanted;
        let _alone = self.module.port_access().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as for reading.
        library.call("GCWritePort", |f| unsafe {
            (f.GCWritePort)(self.handle.0, address, data.as_ptr().cast(), &mut moved)
        })?;
        whole(library, address, wanted, moved)
    }

    /// Reads several places, in one call where the producer can.
    ///
    /// # Errors
    /// As for [`Port::read`]; what was read before the failing place is filled.
    pub fn read_many(&self, places: &mut [(u64, &mut [u8])]) -> Result<()> {
        let Some(read) = self.library().functions().GCReadPortStacked else {
            return places.iter_mut().try_for_each(|(address, data)| self.read(*address, data));
        };
        let mut entries: Vec<RegisterEntry> = places
            .iter_mut()
            .map(|(address, data)| RegisterEntry {
                address: *address,
                buffer: data.as_mut_ptr().cast(),
                size: data.len(),
            })
            .collect();
        let mut count = entries.len();
        let _alone = self.module.port_access().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the entries point into `places`, which is borrowed through the call.
        self.library().call("GCReadPortStacked", |_| unsafe {
            read(self.handle.0, entries.as_mut_ptr(), &mut count)
        })?;
        self.all_whole(&entries, count, places.iter().map(|(_, data)| data.len()))
    }

    /// Writes several places in their order, in one call where the producer can.
    ///
    /// # Errors
    /// As for [`Port::write`]; what stands before the failing place is written.
    pub fn write_many(&self, places: &[(u64, &[u8])]) -> Result<()> {
        let Some(write) = self.library().functions().GCWritePortStacked else {
            return places.iter().try_for_each(|(address, data)| self.write(*address, data));
        };
        let mut entries: Vec<RegisterEntry> = places
            .iter()
            .map(|(address, data)| RegisterEntry {
                address: *address,
                buffer: data.as_ptr().cast_mut().cast(),
                size: data.len(),
            })
            .collect();
        let mut count = entries.len();
        let _alone = self.module.port_access().lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the entries point into `places`; a producer only reads from what it is to write.
        self.library().call("GCWritePortStacked", |_| unsafe {
            write(self.handle.0, entries.as_mut_ptr(), &mut count)
        })?;
        self.all_whole(&entries, count, places.iter().map(|(_, data)| data.len()))
    }

    fn all_whole(
        &self,
        entries: &[RegisterEntry],
        done: usize,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<()> {
        for (index, (entry, wanted)) in entries.iter().zip(wanted).enumerate() {
            let moved = if index < done { entry.size } else { 0 };
            whole(self.library(), entry.address, wanted, moved)?;
        }
        Ok(())
    }

    /// What the port says of itself.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn info(&self) -> Result<PortInfo> {
        let library = self.library();
        let Some(get_info) = library.functions().GCGetPortInfo else {
            return Ok(PortInfo { readable: true, writable: true, ..PortInfo::default() });
        };
        let text = |command| -> Result<String> {
            // SAFETY: the module is open; the tail comes from `info_text`.
            let answer = library.info_text("GCGetPortInfo", |_, t, buffer, size| unsafe {
                get_info(self.handle.0, command, t, buffer, size)
            })?;
            Ok(answer.unwrap_or_default())
        };
        let flag = |command, otherwise: bool| -> Result<bool> {
            // SAFETY: as above.
            let answer = library.info_number("GCGetPortInfo", |_, t, buffer, size| unsafe {
                get_info(self.handle.0, command, t, buffer, size)
            })?;
            Ok(answer.map_or(otherwise, |byte| byte != 0))
        };
        Ok(PortInfo {
            id: text(abi::port::ID)?,
            vendor: text(abi::port::VENDOR)?,
            model: text(abi::port::MODEL)?,
            tl_type: text(abi::port::TLTYPE)?,
            module: text(abi::port::MODULE)?,
            version: text(abi::port::VERSION)?,
            port_name: text(abi::port::PORTNAME)?,
            big_endian: flag(abi::port::BIG_ENDIAN, false)?,
            readable: flag(abi::port::READ, true)?,
            writable: flag(abi::port::WRITE, true)?,
        })
    }

    /// The URLs of the port's description files, best first.
    ///
    /// # Errors
    /// When the producer fails.
    pub fn urls(&self) -> Result<Vec<String>> {
        let library = self.library();
        let functions = library.functions();
        let mut urls = Vec::new();
        if let Some((count_urls, url_info)) =
            functions.GCGetNumPortURLs.zip(functions.GCGetPortURLInfo)
        {
            let mut count = 0;
            // SAFETY: the module is open and the out pointer lives.
            let code = library.raw(|_| unsafe { count_urls(self.handle.0, &mut count) })?;
            for index in 0..if code == Status(0) { count.min(64) } else { 0 } {
                // SAFETY: as above; the tail comes from `info_text`.
                let url = library.info_text("GCGetPortURLInfo", |_, t, buffer, size| unsafe {
                    url_info(self.handle.0, index, abi::url::URL, t, buffer, size)
                })?;
                urls.extend(url.filter(|url| !url.is_empty()));
            }
        }
        if urls.is_empty()
            && let Some(get_url) = functions.GCGetPortURL
        {
            // The old call answers a list; its first text is what every producer serves.
            // SAFETY: the module is open; buffer and size come from `text`.
            let url = library.text("GCGetPortURL", |_, text, size| unsafe {
                get_url(self.handle.0, text, size)
            })?;
            urls.extend(Some(url).filter(|url| !url.is_empty()));
        }
        Ok(urls)
    }

    /// The GenICam description (XML) of the registers: the first of the URLs that can be had.
    ///
    /// # Errors
    /// When the port names no description, or none of those that it names can be read.
    pub fn description(&self) -> Result<Description> {
        let mut failure =
            Error::Description { url: String::new(), reason: "the port names none".to_owned() };
        for url in self.urls()? {
            match Description::load(&url, |address, data| self.read(address, data)) {
                Ok(description) => return Ok(description),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn whole(library: &Library, address: u64, wanted: usize, moved: usize) -> Result<()> {
    if moved == wanted {
        return Ok(());
    }
    Err(Error::ShortAccess { producer: library.name().to_owned(), address, wanted, moved })
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").field("producer", &self.library().name()).finish_non_exhaustive()
    }
}
