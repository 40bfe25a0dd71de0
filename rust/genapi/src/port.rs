//! Where registers lie: the device, a buffer's chunks, an event's data.

use std::sync::{Mutex, PoisonError};

use crate::access::AccessMode;

/// Why a port did not read or write, in the transport's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

impl PortError {
    /// An error with these words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// Access to registers by address.
///
/// A map calls its ports while it holds its own lock, one call after another, so a port must not
/// call back into the map.
pub trait Port: Send + Sync {
    /// Fills `data` with the bytes from `address` on.
    ///
    /// # Errors
    /// When not all bytes could be read.
    fn read(&self, address: u64, data: &mut [u8]) -> std::result::Result<(), PortError>;

    /// Writes `data` to `address`.
    ///
    /// # Errors
    /// When not all bytes could be written.
    fn write(&self, address: u64, data: &[u8]) -> std::result::Result<(), PortError>;

    /// What the port allows as a whole.
    fn access(&self) -> AccessMode {
        AccessMode::ReadWrite
    }
}

/// A port over bytes in memory that begin at address 0: chunks, events, tests.
#[derive(Debug, Default)]
pub struct MemoryPort {
    bytes: Mutex<Vec<u8>>,
    writable: bool,
}

impl MemoryPort {
    /// A port that can be read and written.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Mutex::new(bytes.into()), writable: true }
    }

    /// A port that can only be read.
    pub fn read_only(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Mutex::new(bytes.into()), writable: false }
    }

    /// A copy of the bytes as they are now.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The part of `length` bytes that `count` bytes at `address` are.
fn part(length: usize, address: u64, count: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(address).ok()?;
    let end = start.checked_add(count)?;
    (end <= length).then_some(start..end)
}

impl Port for MemoryPort {
    fn read(&self, address: u64, data: &mut [u8]) -> std::result::Result<(), PortError> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let part = part(bytes.len(), address, data.len())
            .ok_or_else(|| PortError(format!("there are only {} bytes", bytes.len())))?;
        data.copy_from_slice(&bytes[part]);
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> std::result::Result<(), PortError> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let part = part(bytes.len(), address, data.len())
            .ok_or_else(|| PortError(format!("there are only {} bytes", bytes.len())))?;
        bytes[part].copy_from_slice(data);
        Ok(())
    }

    fn access(&self) -> AccessMode {
        if self.writable { AccessMode::ReadWrite } else { AccessMode::ReadOnly }
    }
}
