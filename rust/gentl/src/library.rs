//! A producer's library: loaded once, never unloaded, and the one door to its functions.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library as Loaded, RTLD_LOCAL, RTLD_NOW};

use crate::abi::{Functions, TYPE_STRING};
use crate::error::{Error, Result, Status};
use crate::names::words;
use crate::shared::Shared;
use crate::system::Producer;

/// A loaded producer. Lives as long as the process: its threads and exit handlers would not survive
/// an unload.
pub(crate) struct Library {
    functions: Functions,
    path: PathBuf,
    name: String,
    opened_by: AtomicU32,
    pub(crate) producer: Shared<Producer>,
    /// What it was found not to know, whichever of its devices is asked.
    pub(crate) unknown: Unknown,
}

/// Questions that a producer has answered with "not implemented", and calls that it exports and
/// does not carry out. A bit stands for the command of its number.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    pub(crate) buffer_info: AtomicU32,
    pub(crate) part_info: AtomicU32,
    pub(crate) stacked_buffer_info: AtomicBool,
    pub(crate) stacked_part_info: AtomicBool,
}

/// Loaded libraries by device and inode, which is how the loader tells them apart: a link to a
/// library is the same library, a copy is another.
static LOADED: Mutex<BTreeMap<(u64, u64), &'static Library>> = Mutex::new(BTreeMap::new());

impl Library {
    /// Loads the library, or finds it among those that this process has loaded.
    pub(crate) fn load(path: &Path) -> Result<&'static Self> {
        let unloadable = |reason: String| Error::Load { path: path.to_owned(), reason };
        let canonical = path.canonicalize().map_err(|e| unloadable(e.to_string()))?;
        let file = canonical.metadata().map_err(|e| unloadable(e.to_string()))?;
        // The loader would wait for ever for somebody to write into a pipe.
        if !file.is_file() {
            return Err(unloadable("it is no regular file".into()));
        }
        let key = (file.dev(), file.ino());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = loaded.get(&key) {
            return Ok(library);
        }
        // SAFETY: loading runs the library's initialisers; that it is sound is what a user states
        // by naming it or by its place in GENICAM_GENTL64_PATH.
        let handle = unsafe { Loaded::open(Some(&canonical), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|e| unloadable(loader_words(&e)))?;
        // SAFETY: as above for the types; the handle is leaked below, so the library stays.
        let functions = unsafe { Functions::resolve(&handle) }
            .map_err(|symbol| Error::NotAProducer { path: path.to_owned(), symbol })?;
        std::mem::forget(handle);
        let name = canonical.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let library = Box::leak(Box::new(Self {
            functions,
            path: canonical,
            name,
            opened_by: AtomicU32::new(0),
            producer: Shared::new(),
            unknown: Unknown::default(),
        }));
        loaded.insert(key, library);
        Ok(library)
    }

    /// As [`Library::load`], with other functions in place of some of its own.
    #[cfg(test)]
    pub(crate) fn tampered(path: &Path, change: impl FnOnce(&mut Functions)) {
        let library = Self::load(path).unwrap();
        let mut functions = library.functions;
        change(&mut functions);
        let file = library.path.metadata().unwrap();
        let library = Box::leak(Box::new(Self {
            functions,
            path: library.path.clone(),
            name: library.name.clone(),
            opened_by: AtomicU32::new(0),
            producer: Shared::new(),
            unknown: Unknown::default(),
        }));
        LOADED.lock().unwrap().insert((file.dev(), file.ino()), library);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The functions, for asking whether an optional one is exported.
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Notes that this process initialises the library now.
    pub(crate) fn opened_here(&self) {
        self.opened_by.store(std::process::id(), Ordering::Relaxed);
    }

    /// Whether this process is the one that initialised the library.
    pub(crate) fn is_ours(&self) -> bool {
        self.opened_by.load(Ordering::Relaxed) == std::process::id()
    }

    /// Refuses when this process is a fork of the one that initialised the library.
    pub(crate) fn ours(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        let opened_by = self.opened_by.load(Ordering::Relaxed);
        Err(Error::Forked { producer: self.name.clone(), opened_by })
    }

    /// Calls one function and returns its raw code, or says that the process has forked.
    pub(crate) fn raw(&self, call: impl FnOnce(&Functions) -> i32) -> Result<Status> {
        self.ours()?;
        Ok(Status(call(&self.functions)))
    }

    /// Calls one function and turns a failure into an error with the producer's words.
    pub(crate) fn call(
        &self,
        function: &'static str,
        call: impl FnOnce(&Functions) -> i32,
    ) -> Result<()> {
        match self.raw(call)? {
            Status(code) if code >= 0 => Ok(()),
            status => Err(self.failed(function, status)),
        }
    }

    /// The error for a code that was just returned on this thread.
    pub(crate) fn failed(&self, function: &'static str, status: Status) -> Error {
        Error::Call { producer: self.name.clone(), function, status, text: self.last_error(status) }
    }

    /// The producer's words for `status`; empty when it remembers another error.
    fn last_error(&self, status: Status) -> String {
        let mut text = [0_u8; 1024];
        let mut size = text.len();
        let mut code = 0;
        // SAFETY: the buffer and its size belong together, all pointers live through the call.
        let answer = unsafe {
            (self.functions.GCGetLastError)(&mut code, text.as_mut_ptr().cast(), &mut size)
        };
        if answer == 0 && code == status.0 { words(&text) } else { String::new() }
    }

    /// A text that is fetched by a call for its size and a second one for its bytes.
    pub(crate) fn text(
        &self,
        function: &'static str,
        ask: impl Fn(&Functions, *mut c_char, *mut usize) -> i32,
    ) -> Result<String> {
        Ok(words(&self.written(function, ask)?))
    }

    /// As [`Library::text`], as its producer wrote it; with a 0 at its end, perhaps.
    pub(crate) fn written(
        &self,
        function: &'static str,
        ask: impl Fn(&Functions, *mut c_char, *mut usize) -> i32,
    ) -> Result<Vec<u8>> {
        let mut size = 0;
        self.call(function, |f| ask(f, std::ptr::null_mut(), &mut size))?;
        let mut text = vec![0_u8; size.clamp(1, MAX_TEXT)];
        size = text.len();
        self.call(function, |f| ask(f, text.as_mut_ptr().cast(), &mut size))?;
        Ok(text)
    }

    /// A text that an information function answers, `None` when it has no answer.
    pub(crate) fn info_text(
        &self,
        function: &'static str,
        ask: impl Fn(&Functions, *mut i32, *mut c_void, *mut usize) -> i32,
    ) -> Result<Option<String>> {
        answered(self.text(function, |f, text, size| {
            let mut data_type = TYPE_STRING;
            ask(f, &mut data_type, text.cast(), size)
        }))
    }

    /// A number that an information function answers, `None` when it has no answer.
    ///
    /// Believes the size, not the type: a producer was met that says INT32 and gives eight bytes.
    pub(crate) fn info_number(
        &self,
        function: &'static str,
        ask: impl Fn(&Functions, *mut i32, *mut c_void, *mut usize) -> i32,
    ) -> Result<Option<u64>> {
        let mut scratch = 0_u64;
        let (mut data_type, mut size) = (0, size_of_val(&scratch));
        answered(
            self.call(function, |f| ask(f, &mut data_type, (&raw mut scratch).cast(), &mut size)),
        )
        .map(|answer| answer.map(|()| narrow(scratch, size)))
    }
}

/// The longest text that is asked for; a producer that claims more is wrong.
const MAX_TEXT: usize = 1 << 20;

/// Turns any failure of the producer into `None`: for questions that a camera works without.
pub(crate) fn optional<T>(answer: Result<Option<T>>) -> Result<Option<T>> {
    match answer {
        Err(Error::Call { .. }) => Ok(None),
        answer => answer,
    }
}

/// Turns "no answer" into `None` and leaves failures.
fn answered<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Call { status, .. }) if status.is_no_answer() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value of the first `size` bytes of a scratch that was zero before.
pub(crate) fn narrow(scratch: u64, size: usize) -> u64 {
    let mut bytes = scratch.to_ne_bytes();
    if size < bytes.len() {
        if cfg!(target_endian = "little") {
            bytes[size..].fill(0);
        } else {
            let unused = bytes.len() - size;
            bytes.rotate_right(unused);
        }
    }
    u64::from_ne_bytes(bytes)
}

/// The loader's own message, which `libloading` keeps in the source of its error.
fn loader_words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| source.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_the_size_that_was_answered() {
        let scratch = u64::from_ne_bytes([0x01, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        if cfg!(target_endian = "little") {
            assert_eq!(narrow(scratch, 1), 1);
            assert_eq!(narrow(scratch, 4), 0xffff_ff01);
            assert_eq!(narrow(scratch, 8), 0xffff_ff01);
        }
    }

    #[test]
    fn only_a_failing_producer_is_passed_over_by_an_optional_question() {
        let failed = |status| Error::Call {
            producer: "cam.cti".into(),
            function: "DSGetInfo",
            status,
            text: String::new(),
        };
        assert_eq!(optional(Ok(Some(1))).unwrap(), Some(1));
        for status in [Status::INVALID_PARAMETER, Status::IO, Status(-12345)] {
            assert_eq!(optional::<u64>(Err(failed(status))).unwrap(), None);
        }
        // Of a question that must be answered, the failure is told; no answer is none.
        assert_eq!(answered::<u64>(Err(failed(Status::INVALID_PARAMETER))).unwrap(), None);
        assert!(answered::<u64>(Err(failed(Status::IO))).is_err());
        let forked = Error::Forked { producer: "cam.cti".into(), opened_by: 1 };
        assert!(optional::<u64>(Err(forked)).is_err());
    }

    #[test]
    fn a_pipe_is_no_library_and_nobody_waits_for_its_writer() {
        let pipe = std::env::temp_dir().join(format!("gentl-pipe-{}.cti", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let Err(error) = Library::load(&pipe) else { panic!("loaded") };
        std::fs::remove_file(&pipe).unwrap();
        assert!(error.to_string().contains("regular file"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_with_the_loaders_words() {
        let Err(error) = Library::load(Path::new("/etc/hostname")) else { panic!("loaded") };
        assert!(matches!(error, Error::Load { .. }), "{error}");
        let Err(error) = Library::load(Path::new("/nowhere/cam.cti")) else { panic!("loaded") };
        assert!(error.to_string().contains("/nowhere/cam.cti"), "{error}");
    }

    #[test]
    fn a_library_without_the_functions_is_no_producer() {
        let Some(libm) = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/libm.so.6"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            eprintln!("skipped: no libm found to load");
            return;
        };
        let Err(error) = Library::load(Path::new(libm)) else { panic!("loaded") };
        assert!(matches!(error, Error::NotAProducer { symbol: "GCInitLib", .. }), "{error}");
    }
}
