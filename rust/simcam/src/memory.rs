//! The memory of an announced buffer.
#![allow(unsafe_code)]

use crate::abi::status;
use crate::error::{Fault, Result};

/// Memory that frames are written into, the consumer's or our own.
#[derive(Debug)]
pub(crate) struct Memory {
    base: usize,
    size: usize,
    /// What `base` points to when it is ours; never touched but through `base`.
    owned: Option<Vec<u8>>,
}

impl Memory {
    /// The consumer's memory.
    ///
    /// # Safety
    /// Until this value is dropped `size` bytes from `base` are writable, and whenever the buffer
    /// is queued nobody else writes them.
    pub(crate) unsafe fn announced(base: usize, size: usize) -> Result<Self> {
        if base == 0 || size == 0 {
            return Err(Fault::new(
                status::INVALID_PARAMETER,
                "a buffer needs memory: pass a pointer and a size above 0",
            ));
        }
        Ok(Self { base, size, owned: None })
    }

    /// Memory of our own, zeroed, from a multiple of `alignment` on.
    pub(crate) fn allocated(size: usize, alignment: usize) -> Result<Self> {
        if size == 0 {
            return Err(Fault::new(status::INVALID_PARAMETER, "a buffer of 0 bytes"));
        }
        let mut memory = Vec::new();
        let all = size.saturating_add(alignment - 1);
        memory.try_reserve_exact(all).map_err(|_| {
            Fault::new(status::OUT_OF_MEMORY, format!("no memory for a buffer of {size} bytes"))
        })?;
        memory.resize(all, 0);
        let base = (memory.as_mut_ptr() as usize).next_multiple_of(alignment);
        Ok(Self { base, size, owned: Some(memory) })
    }

    pub(crate) fn base(&self) -> usize {
        self.base
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.owned.is_some()
    }

    /// Copies bytes to an offset, through the tone table if there is one, as far as they fit.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8], tone: Option<&[u8; 256]>) {
        let count = bytes.len().min(self.size.saturating_sub(offset));
        if count == 0 {
            return;
        }
        let bytes = &bytes[..count];
        // SAFETY: by the constructors' promise [base, base + size) is writable, and
        // offset + count <= size. A raw pointer, because a consumer may look at the memory at any
        // time and a reference would claim that nobody does.
        unsafe {
            let to = (self.base as *mut u8).add(offset);
            match tone {
                None => std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count),
                Some(tone) => {
                    for (index, &byte) in bytes.iter().enumerate() {
                        to.add(index).write(tone[usize::from(byte)]);
                    }
                }
            }
        }
    }
}
