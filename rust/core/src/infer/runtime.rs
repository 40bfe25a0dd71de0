//! The library: that of the PyPI wheel `onnxruntime`, loaded at run time from the path given.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use libloading::Library;
use ort_sys::{
    ORT_API_VERSION, OrtAllocator, OrtApi, OrtApiBase, OrtEnv, OrtLoggingLevel, OrtMemoryInfo,
    OrtStatusPtr,
};

use crate::error::{Error, Result};

/// Read by onnxruntime 1.32 when its library is loaded; without it, `CreateEnv` writes files under
/// the user's cache directory and announces an address to send them to.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Every library that was loaded, for the life of the process: unloading one with running thread
/// pools is not safe, and ONNX Runtime wants one environment.
static LOADED: Mutex<Vec<Arc<Runtime>>> = Mutex::new(Vec::new());

thread_local! {
    /// The last error that ONNX Runtime has logged on this thread, while somebody listens.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does `work`, and adds to its failure what ONNX Runtime logged as an error meanwhile: of a provider
/// that cannot start, its status often says no more than that.
pub(super) fn listening<T>(
    work: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    HEARD.set(Some(String::new()));
    let done = work();
    let heard = HEARD.take().unwrap_or_default();
    done.map_err(|why| {
        let (why, said) = (plain(&why), plain(&heard));
        if said.is_empty() || why.contains(said) {
            why.to_owned()
        } else {
            format!("{why}: {said}")
        }
    })
}

/// The message without the source file and the function that ONNX Runtime puts before it.
fn plain(logged: &str) -> &str {
    let line = logged.trim();
    if !line.starts_with('/') {
        return line;
    }
    let (mut depth, mut signature) = (0, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '(' => (depth, signature) = (depth + 1, true),
            ')' => depth -= 1,
            ' ' if signature && depth == 0 => return line[at..].trim(),
            _ => {}
        }
    }
    line
}

/// ONNX Runtime, loaded and initialised once per process and library.
pub struct Runtime {
    path: PathBuf,
    version: String,
    providers: Vec<String>,
    pub(super) api: &'static OrtApi,
    pub(super) env: *const OrtEnv,
    /// ONNX Runtime's own allocator, for the strings that it returns.
    pub(super) allocator: *mut OrtAllocator,
    /// Says "plain memory of the CPU" of the tensors that we own.
    pub(super) cpu_memory: *const OrtMemoryInfo,
}

// SAFETY: all pointers are to objects that live as long as the process and that ONNX Runtime allows
// to be used from any thread at once.
unsafe impl Send for Runtime {}
// SAFETY: as above.
unsafe impl Sync for Runtime {}

impl Runtime {
    /// Loads the library at `path` (`libonnxruntime.so.*`), or returns the one that was loaded from
    /// there before.
    ///
    /// Sets the environment variable `ORT_DISABLE_TELEMETRY=1` first unless it is set: nothing is
    /// written or sent.
    ///
    /// # Errors
    /// [`Error::Runtime`] when there is no such library, or when it is older than 1.17.
    pub fn load(path: &Path) -> Result<Arc<Self>> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = |problem: String| Error::Runtime { problem };
        let path = path
            .canonicalize()
            .map_err(|error| problem(format!("no library at {}: {error}", path.display())))?;
        if let Some(runtime) = loaded.iter().find(|runtime| runtime.path == path) {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Self::open(path)?);
        loaded.push(Arc::clone(&runtime));
        Ok(runtime)
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, such as `1.32.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The execution providers that this build knows, by ONNX Runtime's names. Knowing one does not
    /// mean that its device and driver are there.
    pub fn available_providers(&self) -> &[String] {
        &self.providers
    }

    fn open(path: PathBuf) -> Result<Self> {
        let problem = |problem: String| Error::Runtime { problem };
        if std::env::var_os(NO_TELEMETRY).is_none() {
            // SAFETY: the standard library serialises this with every access of Rust's, and glibc
            // with every `setenv`; it happens once, before the library that reads it is loaded.
            unsafe { std::env::set_var(NO_TELEMETRY, "1") };
        }
        // SAFETY: the initialisers of a shared library run here; that the file is ONNX Runtime's
        // is for the caller to see to, as with every plug-in.
        let library = unsafe { Library::new(&path) }.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.to_string());
            problem(format!("{} cannot be loaded: {cause}", path.display()))
        })?;
        type Entry = unsafe extern "system" fn() -> *const OrtApiBase;
        // SAFETY: the signature of `OrtGetApiBase` never changed since 1.0.
        let entry = unsafe { library.get::<Entry>(b"OrtGetApiBase\0") }.map_err(|_| {
            problem(format!("{} is not ONNX Runtime's library: no OrtGetApiBase", path.display()))
        })?;
        // SAFETY: the function takes nothing and returns a static table, or NULL.
        let base = unsafe { entry().as_ref() };
        let base = base.ok_or_else(|| problem(format!("{} has no API", path.display())))?;
        // SAFETY: returns a static string.
        let version = unsafe { text((base.GetVersionString)()) };
        let too_old = || {
            problem(format!(
                "{} is version {version}, and 1.{ORT_API_VERSION} or newer is needed",
                path.display()
            ))
        };
        // Asking an old library for a newer API makes it print to stderr, so look at its version.
        if minor(&version).is_some_and(|minor| minor < ORT_API_VERSION) {
            return Err(too_old());
        }
        // SAFETY: returns a static table of at least this version, or NULL.
        let api = unsafe { (base.GetApi)(ORT_API_VERSION).as_ref() }.ok_or_else(too_old)?;
        // From here on the library stays: its threads and our function pointers point into it.
        std::mem::forget(library);

        let checked = |status| check(api, status).map_err(problem);
        let mut env = ptr::null_mut();
        let mut allocator = ptr::null_mut();
        let mut cpu_memory = ptr::null_mut();
        // SAFETY: valid out pointers, a static id and a logger that lives as long as the process.
        unsafe {
            checked((api.CreateEnvWithCustomLogger)(
                log,
                ptr::null_mut(),
                OrtLoggingLevel::ORT_LOGGING_LEVEL_WARNING,
                c"smartqc".as_ptr(),
                &raw mut env,
            ))?;
            checked((api.GetAllocatorWithDefaultOptions)(&raw mut allocator))?;
            checked((api.CreateCpuMemoryInfo)(
                ort_sys::OrtAllocatorType::OrtDeviceAllocator,
                ort_sys::OrtMemType::OrtMemTypeDefault,
                &raw mut cpu_memory,
            ))?;
        }
        let providers = providers(api).map_err(problem)?;
        Ok(Self { path, version, providers, api, env, allocator, cpu_memory })
    }

    /// `Err` with ONNX Runtime's message when a call failed; frees the status.
    pub(super) fn check(&self, status: OrtStatusPtr) -> std::result::Result<(), String> {
        check(self.api, status)
    }

    /// Takes over a string that ONNX Runtime allocated.
    ///
    /// # Safety
    /// `string` is NULL, or terminated, and from this runtime's `allocator`, and not used after.
    pub(super) unsafe fn take_text(&self, string: *mut c_char) -> String {
        // SAFETY: promised by the caller.
        unsafe {
            let copy = text(string);
            if !string.is_null() {
                // Freeing reports no failure that could be acted upon.
                let _ = self.check((self.api.AllocatorFree)(self.allocator, string.cast()));
            }
            copy
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({} {})", self.version, self.path.display())
    }
}

/// The second number of `1.32.0`.
fn minor(version: &str) -> Option<u32> {
    let mut numbers = version.split('.');
    (numbers.next()? == "1").then(|| numbers.next()?.parse().ok())?
}

fn check(api: &OrtApi, status: OrtStatusPtr) -> std::result::Result<(), String> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: a status that is not NULL is ours: its message lives until it is released, once.
    unsafe {
        let message = text((api.GetErrorMessage)(status.0));
        (api.ReleaseStatus)(status.0);
        Err(message)
    }
}

fn providers(api: &OrtApi) -> std::result::Result<Vec<String>, String> {
    let mut names = ptr::null_mut();
    let mut count = 0;
    // SAFETY: valid out pointers; on success `names` holds `count` strings until it is released.
    unsafe {
        check(api, (api.GetAvailableProviders)(&raw mut names, &raw mut count))?;
        let list = (0..usize::try_from(count).unwrap_or(0)).map(|i| text(*names.add(i))).collect();
        check(api, (api.ReleaseAvailableProviders)(names, count))?;
        Ok(list)
    }
}

/// A copy of a C string; empty for NULL.
///
/// # Safety
/// `string` is NULL or terminated.
pub(super) unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// What ONNX Runtime has to say goes where everything else is logged, not to stderr.
unsafe extern "system" fn log(
    _: *mut c_void,
    severity: OrtLoggingLevel,
    category: *const c_char,
    _: *const c_char,
    _: *const c_char,
    message: *const c_char,
) {
    // A subscriber that panics must not unwind into C++.
    let _ = catch_unwind(|| {
        // SAFETY: ONNX Runtime passes terminated strings that live during the call.
        let (category, message) = unsafe { (text(category), text(message)) };
        if severity as i32 >= 3 {
            // A thread that is ending listens no more.
            let _ = HEARD.try_with(|heard| {
                if let Ok(mut heard) = heard.try_borrow_mut()
                    && let Some(heard) = heard.as_mut()
                {
                    heard.clone_from(&message);
                }
            });
        }
        match severity as i32 {
            ..=1 => tracing::debug!(target: "onnxruntime", category, "{message}"),
            2 => tracing::warn!(target: "onnxruntime", category, "{message}"),
            _ => tracing::error!(target: "onnxruntime", category, "{message}"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_logged_says_why_and_not_where() {
        let logged = "/onnxruntime/core/openvino_provider_factory.cc:141 std::string \
                      onnxruntime::ParseDeviceType(std::shared_ptr<OVCore>, const Options&) \
                      [OpenVINO] Device GPU is not available\n";
        assert_eq!(plain(logged), "[OpenVINO] Device GPU is not available");
        let logged = "/onnxruntime/factory.cc:232 onnxruntime::Parse(const Map&, Info&)::<lambda()> \
                      Invalid provider_option key: device_tpye";
        assert_eq!(plain(logged), "Invalid provider_option key: device_tpye");
        assert_eq!(plain("no (device) there"), "no (device) there");
        assert_eq!(plain("/a line that is no place"), "/a line that is no place");
    }

    #[test]
    fn the_minor_version_is_read_and_a_strange_one_is_left_to_the_library() {
        assert_eq!(minor("1.16.3"), Some(16));
        assert_eq!(minor("1.32.0-dev"), Some(32));
        assert_eq!(minor("2.0.0"), None);
        assert_eq!(minor("banana"), None);
    }

    #[test]
    fn a_library_that_is_missing_or_another_one_is_refused_with_what_to_install() {
        let missing = Runtime::load(Path::new("/nowhere/libonnxruntime.so")).unwrap_err();
        assert!(missing.to_string().contains("no library at /nowhere/libonnxruntime.so"));
        assert!(missing.to_string().contains("pip install"));
        let text = Runtime::load(Path::new(env!("CARGO_MANIFEST_PATH"))).unwrap_err();
        assert!(text.to_string().contains("cannot be loaded"), "{text}");
    }
}
