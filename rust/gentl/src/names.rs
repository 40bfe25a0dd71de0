//! Names that a producer gives: text that should be ASCII or UTF-8, and identifiers by which it
//! wants to find its modules again, byte by byte.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// The text before the first 0. What is no UTF-8 is read as Latin-1, as old systems wrote it: so
/// two names that differ stay different.
pub(crate) fn words(bytes: &[u8]) -> String {
    let bytes = before_0(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn before_0(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

/// The identifiers of one module's children that were no UTF-8.
#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<String, CString>>);

impl Names {
    /// An identifier in words. How its producer writes it is remembered where words would not tell.
    pub(crate) fn learn(&self, written: &[u8]) -> String {
        let (name, written) = (words(written), before_0(written));
        if name.as_bytes() != written
            && let Ok(written) = CString::new(written)
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(name.clone(), written);
        }
        name
    }

    /// The identifier as its producer takes it.
    pub(crate) fn written(&self, name: &str) -> Result<CString> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(written) => Ok(written.clone()),
            None => CString::new(name).map_err(|_| Error::BadId { id: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_goes_back_as_its_producer_wrote_it() {
        let names = Names::default();
        for written in [&b"cam-1"[..], "Süd".as_bytes(), b"S\xfcd", b"S\xe4d", b"\xff\xfe"] {
            let name = names.learn(&[written, b"\0rest"].concat());
            assert_eq!(names.written(&name).unwrap().as_bytes(), written);
        }
        assert_eq!(words(b"S\xfcd"), "Süd");
        assert_ne!(words(b"S\xfcd"), words(b"S\xe4d"), "two cameras stay two");
        assert_eq!(names.written("unlisted").unwrap().as_bytes(), b"unlisted");
        assert!(names.written("a\0b").is_err());
    }
}
