//! One model, opened: what its file says about itself, and the session that runs it.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use ort_sys::{
    ONNXTensorElementDataType as Onnx, ONNXType, OrtModelMetadata, OrtSession, OrtStatusPtr,
    OrtTypeInfo,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::external;
use super::options::{Options, Provider};
use super::runtime::{Runtime, listening, text};
use super::settings::{self, Settings};
use crate::batch::ElementType;
use crate::error::{Error, Result};

/// One dimension of a tensor, as the model declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// A number.
    Fixed(usize),
    /// Free: the model's symbol for it, or `name[axis]` of the tensor when it has none.
    Free(String),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Free(symbol) => f.write_str(symbol),
        }
    }
}

/// An input or output, as the model declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its element type; `None` for one that is not handled here, or for what is not a tensor.
    pub element: Option<ElementType>,
    /// Its dimensions.
    pub dims: Vec<Dim>,
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = self.element.map_or("unsupported type", ElementType::as_str);
        let dims: Vec<_> = self.dims.iter().map(ToString::to_string).collect();
        write!(f, "{} {element}[{}]", self.name, dims.join(", "))
    }
}

/// A file beside the model with weights of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExternalFile {
    /// Relative to the model's folder.
    pub location: String,
    /// Of its bytes, in hex.
    pub sha256: String,
}

/// A model's file, and what it says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Of its bytes, in hex.
    pub sha256: String,
    /// Its external data, by location.
    pub external: Vec<ExternalFile>,
    /// What exported it.
    pub producer: String,
    /// The graph's name.
    pub graph: String,
    /// Its version, when one is set.
    pub version: Option<i64>,
    /// `metadata_props`.
    pub metadata: BTreeMap<String, String>,
}

/// Which of the providers that were asked for a session runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Started {
    /// By ONNX Runtime's names, the preferred one first: what it cannot compute, the next one does.
    pub providers: Vec<String>,
    /// Those that were preferred and could not start, each with the reason.
    pub skipped: Vec<(String, String)>,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.providers.join(", "))?;
        for (provider, why) in &self.skipped {
            write!(f, "; {provider} cannot start: {why}")?;
        }
        Ok(())
    }
}

/// A model that is ready to run. Any thread may run it at any time; give each worker its own, so
/// that they share no thread pool.
pub struct Session {
    pub(super) runtime: Arc<Runtime>,
    pub(super) raw: *mut OrtSession,
    file: ModelFile,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    started: Started,
    options: Options,
}

// SAFETY: ONNX Runtime documents sessions as safe to run from several threads at once, and to be
// released from any.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

impl Session {
    /// Opens the model at `path`; its external data is found beside it.
    ///
    /// A provider that cannot start is skipped when another one follows it in `options`; which ones
    /// are in use is told by [`started`](Self::started).
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be read, [`Error::Invalid`] for options that ONNX Runtime
    /// does not know, [`Error::Model`] with its words when it refuses.
    pub fn open(runtime: &Arc<Runtime>, path: &Path, options: &Options) -> Result<Self> {
        settings::check(runtime, options)?;
        let mut bytes = Vec::new();
        let read = file(path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| Error::io(path, error))?;
        let external = external_files(path, &bytes)?;
        let sha256 = hex(&Sha256::digest(&bytes));

        let refused = |problem| Error::Model { model: path.display().to_string(), problem };
        let file = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::invalid("model", "its path contains a NUL"))?;
        // The very bytes that were hashed, even if the file is being replaced; with external data
        // ONNX Runtime has to know the folder.
        let from = if external.is_empty() { Source::Bytes(&bytes) } else { Source::File(&file) };
        let (raw, started) = start(runtime, options, from).map_err(refused)?;
        let mut session = Self {
            runtime: Arc::clone(runtime),
            raw,
            file: ModelFile {
                path: path.to_owned(),
                sha256,
                external,
                producer: String::new(),
                graph: String::new(),
                version: None,
                metadata: BTreeMap::new(),
            },
            inputs: Vec::new(),
            outputs: Vec::new(),
            started,
            options: options.clone(),
        };
        session.read_metadata().map_err(refused)?;
        session.inputs = session.tensors(true).map_err(refused)?;
        session.outputs = session.tensors(false).map_err(refused)?;
        Ok(session)
    }

    /// The library that runs it.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The model's file.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// What goes in.
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// What comes out.
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// The providers that it runs on.
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether its tensors lie in memory that is not the CPU's.
    pub fn has_own_memory(&self) -> bool {
        self.started.providers.first().is_some_and(|name| settings::has_own_memory(name))
    }

    /// An error about this model that lists its inputs and outputs.
    pub(crate) fn refuse(&self, problem: impl fmt::Display) -> Error {
        let list = |tensors: &[TensorInfo]| {
            tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let (inputs, outputs) = (list(&self.inputs), list(&self.outputs));
        self.error(format!("{problem}; inputs: {inputs}; outputs: {outputs}"))
    }

    /// An error about this model.
    pub(super) fn error(&self, problem: String) -> Error {
        Error::Model { model: self.file.path.display().to_string(), problem }
    }

    fn read_metadata(&mut self) -> std::result::Result<(), String> {
        let (runtime, api) = (&self.runtime, self.runtime.api);
        let mut raw = ptr::null_mut();
        // SAFETY: a valid session and a writable out pointer.
        runtime.check(unsafe { (api.SessionGetModelMetadata)(self.raw, &raw mut raw) })?;
        let metadata = Metadata { runtime, raw };
        self.file.producer = metadata.text(api.ModelMetadataGetProducerName)?;
        self.file.graph = metadata.text(api.ModelMetadataGetGraphName)?;
        let mut version = 0;
        // SAFETY: valid metadata and a writable out pointer.
        runtime.check(unsafe { (api.ModelMetadataGetVersion)(raw, &raw mut version) })?;
        // A version that is not set reads as the greatest number.
        self.file.version = (version != i64::MAX).then_some(version);
        self.file.metadata = metadata.map()?;
        Ok(())
    }

    fn tensors(&self, inputs: bool) -> std::result::Result<Vec<TensorInfo>, String> {
        let (runtime, api) = (&self.runtime, self.runtime.api);
        let (count, name, info) = if inputs {
            (api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo)
        } else {
            (api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo)
        };
        let mut tensors = 0;
        // SAFETY: a valid session and a writable out pointer.
        runtime.check(unsafe { count(self.raw, &raw mut tensors) })?;
        let describe = |index| {
            let mut text = ptr::null_mut();
            let mut raw = ptr::null_mut();
            // SAFETY: a valid session, index < count, writable out pointers; the name is ours to
            // free, the type info is released by its owner below.
            let name = unsafe {
                runtime.check(name(self.raw, index, runtime.allocator, &raw mut text))?;
                runtime.take_text(text)
            };
            // SAFETY: as above.
            runtime.check(unsafe { info(self.raw, index, &raw mut raw) })?;
            TypeInfo { runtime, raw }.describe(name)
        };
        (0..tensors).map(describe).collect()
    }
}

/// Where ONNX Runtime reads a model from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a CStr),
}

/// Creates the session on the first of the providers that can start, and those after it.
fn start(
    runtime: &Runtime,
    options: &Options,
    from: Source<'_>,
) -> std::result::Result<(*mut OrtSession, Started), String> {
    let mut skipped = Vec::new();
    let mut rest = options.providers.as_slice();
    loop {
        let why = match listening(|| create(runtime, options, rest, from)) {
            Ok(raw) => {
                let providers = rest.iter().map(|provider| provider.name.clone()).collect();
                return Ok((raw, Started { providers, skipped }));
            }
            Err(why) => why.trim().to_owned(),
        };
        match rest.split_first() {
            Some((first, others)) if !others.is_empty() => {
                let named = why.strip_prefix(&format!("{}: ", first.name));
                let why = named.map_or(why.clone(), str::to_owned);
                tracing::warn!("{} cannot start: {why}", first.name);
                skipped.push((first.name.clone(), why));
                rest = others;
            }
            _ => return Err(why),
        }
    }
}

fn create(
    runtime: &Runtime,
    options: &Options,
    providers: &[Provider],
    from: Source<'_>,
) -> std::result::Result<*mut OrtSession, String> {
    let settings = Settings::new(runtime, &options.session, providers)?;
    let (api, mut raw) = (runtime.api, ptr::null_mut());
    // SAFETY: environment and settings are valid, a path is terminated, `raw` is writable; bytes
    // outlive the call, which copies what it needs.
    let status = unsafe {
        match from {
            Source::Bytes(bytes) => {
                let (start, length) = (bytes.as_ptr().cast(), bytes.len());
                (api.CreateSessionFromArray)(runtime.env, start, length, settings.raw, &raw mut raw)
            }
            Source::File(file) => {
                (api.CreateSession)(runtime.env, file.as_ptr(), settings.raw, &raw mut raw)
            }
        }
    };
    runtime.check(status)?;
    Ok(raw)
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: created by CreateSession, released once; nobody runs it, since each `Bound` holds
        // the `Arc` that this lives in.
        unsafe { (self.runtime.api.ReleaseSession)(self.raw) };
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.file.path.display())
    }
}

/// `OrtModelMetadata`, released with the value.
struct Metadata<'a> {
    runtime: &'a Runtime,
    raw: *mut OrtModelMetadata,
}

impl Metadata<'_> {
    fn text(
        &self,
        get: unsafe extern "system" fn(
            *const OrtModelMetadata,
            *mut ort_sys::OrtAllocator,
            *mut *mut c_char,
        ) -> OrtStatusPtr,
    ) -> std::result::Result<String, String> {
        let mut value = ptr::null_mut();
        // SAFETY: valid metadata, allocator and out pointer; the string is ours to free.
        unsafe {
            self.runtime.check(get(self.raw, self.runtime.allocator, &raw mut value))?;
            Ok(self.runtime.take_text(value))
        }
    }

    fn map(&self) -> std::result::Result<BTreeMap<String, String>, String> {
        let (runtime, api) = (self.runtime, self.runtime.api);
        let mut keys: *mut *mut c_char = ptr::null_mut();
        let mut count = 0;
        let mut map = BTreeMap::new();
        // SAFETY: valid metadata and out pointers. With a count above 0, `keys` holds that many
        // strings; they and the list itself are ours to free, each key after its last use.
        unsafe {
            let status = (api.ModelMetadataGetCustomMetadataMapKeys)(
                self.raw,
                runtime.allocator,
                &raw mut keys,
                &raw mut count,
            );
            runtime.check(status)?;
            for index in 0..usize::try_from(count).unwrap_or(0) {
                let key = *keys.add(index);
                let mut value = ptr::null_mut();
                let status = (api.ModelMetadataLookupCustomMetadataMap)(
                    self.raw,
                    runtime.allocator,
                    key,
                    &raw mut value,
                );
                runtime.check(status)?;
                map.insert(runtime.take_text(key), runtime.take_text(value));
            }
            if !keys.is_null() {
                runtime.check((api.AllocatorFree)(runtime.allocator, keys.cast()))?;
            }
        }
        Ok(map)
    }
}

impl Drop for Metadata<'_> {
    fn drop(&mut self) {
        // SAFETY: got from SessionGetModelMetadata, released once.
        unsafe { (self.runtime.api.ReleaseModelMetadata)(self.raw) };
    }
}

/// `OrtTypeInfo`, released with the value.
struct TypeInfo<'a> {
    runtime: &'a Runtime,
    raw: *mut OrtTypeInfo,
}

impl TypeInfo<'_> {
    fn describe(&self, name: String) -> std::result::Result<TensorInfo, String> {
        let (runtime, api) = (self.runtime, self.runtime.api);
        // Numbers of enums are read as integers: a newer library may know more of them than we.
        let (mut kind, mut element, mut rank) = (0_i32, 0_i32, 0);
        let mut shape = ptr::null();
        // SAFETY: valid type info and out pointers; ONNXType is an i32.
        unsafe {
            runtime.check((api.GetOnnxTypeFromTypeInfo)(self.raw, (&raw mut kind).cast()))?;
            if kind != ONNXType::ONNX_TYPE_TENSOR as i32 {
                return Ok(TensorInfo { name, element: None, dims: Vec::new() });
            }
            runtime.check((api.CastTypeInfoToTensorInfo)(self.raw, &raw mut shape))?;
            runtime.check((api.GetTensorElementType)(shape, (&raw mut element).cast()))?;
            runtime.check((api.GetDimensionsCount)(shape, &raw mut rank))?;
        }
        let mut sizes = vec![0_i64; rank];
        let mut symbols = vec![ptr::null(); rank];
        // SAFETY: the shape lives as long as the type info; both lists have `rank` places.
        unsafe {
            runtime.check((api.GetDimensions)(shape, sizes.as_mut_ptr(), rank))?;
            runtime.check((api.GetSymbolicDimensions)(shape, symbols.as_mut_ptr(), rank))?;
        }
        let dim = |axis: usize| match usize::try_from(sizes[axis]) {
            Ok(size) => Dim::Fixed(size),
            // SAFETY: terminated strings that live as long as the type info.
            Err(_) => match unsafe { text(symbols[axis]) } {
                symbol if symbol.is_empty() => Dim::Free(format!("{name}[{axis}]")),
                symbol => Dim::Free(symbol),
            },
        };
        let dims = (0..rank).map(dim).collect();
        Ok(TensorInfo { name, element: from_onnx(element), dims })
    }
}

impl Drop for TypeInfo<'_> {
    fn drop(&mut self) {
        // SAFETY: got from SessionGet...TypeInfo, released once.
        unsafe { (self.runtime.api.ReleaseTypeInfo)(self.raw) };
    }
}

const TYPES: [(ElementType, Onnx); 7] = [
    (ElementType::Float32, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT),
    (ElementType::Float16, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16),
    (ElementType::Float64, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE),
    (ElementType::Uint8, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8),
    (ElementType::Int32, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32),
    (ElementType::Int64, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64),
    (ElementType::Bool, Onnx::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL),
];

pub(super) fn from_onnx(number: i32) -> Option<ElementType> {
    TYPES.iter().find(|(_, onnx)| *onnx as i32 == number).map(|(element, _)| *element)
}

pub(super) fn to_onnx(element: ElementType) -> Onnx {
    TYPES
        .iter()
        .find(|(ours, _)| *ours == element)
        .map(|(_, onnx)| *onnx)
        .expect("every element type is in the table")
}

fn external_files(model: &Path, bytes: &[u8]) -> Result<Vec<ExternalFile>> {
    let folder = model.parent().unwrap_or(Path::new("."));
    let wrong = |problem: String| Error::Model { model: model.display().to_string(), problem };
    let hashed = |location: String| {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(&location).components().all(inside) {
            return Err(wrong(format!(
                "its external data {location:?} lies outside of its folder"
            )));
        }
        let sha256 = file(&folder.join(&location)).and_then(hashed_in_parts);
        let sha256 = sha256.map_err(|error| {
            wrong(format!(
                "its external data {location:?}: {error}; it belongs beside the model, as it was \
                 exported"
            ))
        })?;
        Ok(ExternalFile { location, sha256 })
    };
    external::locations(bytes).into_iter().map(hashed).collect()
}

/// Opens what can be read to its end: neither a folder, nor a pipe, nor a device.
fn file(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// The hash of a file that may be too large to be read at once.
fn hashed_in_parts(mut file: File) -> io::Result<String> {
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&part[..length]),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
