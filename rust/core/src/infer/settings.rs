//! Session options and execution providers, handed to ONNX Runtime.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr;

use ort_sys::{ExecutionMode as OrtMode, GraphOptimizationLevel as OrtLevel, OrtSessionOptions};

use super::options::{
    CPU, ExecutionMode, GraphOptimizationLevel as Level, Options, Provider, SessionOptions,
};
use super::runtime::Runtime;
use crate::error::{Error, Result};

/// Names of providers that some build of ONNX Runtime has: anything else is a slip of the pen.
const KNOWN: [&str; 20] = [
    "AclExecutionProvider",
    "ArmNNExecutionProvider",
    "AzureExecutionProvider",
    "CANNExecutionProvider",
    CPU,
    "CUDAExecutionProvider",
    "CoreMLExecutionProvider",
    "DmlExecutionProvider",
    "DnnlExecutionProvider",
    "MIGraphXExecutionProvider",
    "NnapiExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
    "OpenVINOExecutionProvider",
    "QNNExecutionProvider",
    "ROCMExecutionProvider",
    "RknpuExecutionProvider",
    "TensorrtExecutionProvider",
    "VitisAIExecutionProvider",
    "WebGpuExecutionProvider",
    "XnnpackExecutionProvider",
];

/// Providers whose tensors do not lie in the CPU's memory.
const OWN_MEMORY: [&str; 6] = [
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
    "NvTensorRTRTXExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "DmlExecutionProvider",
];

/// Whether a provider computes in memory of its own.
pub(super) fn has_own_memory(provider: &str) -> bool {
    OWN_MEMORY.contains(&provider)
}

/// Refuses names that no build of ONNX Runtime knows, and options that it would not look at.
pub(super) fn check(runtime: &Runtime, options: &Options) -> Result<()> {
    options.session.check()?;
    if options.providers.is_empty() {
        return Err(Error::invalid("providers", format!("none is named; the least is [{CPU:?}]")));
    }
    let known = |name: &str| {
        KNOWN.contains(&name) || runtime.available_providers().iter().any(|there| there == name)
    };
    let Some(unknown) = options.providers.iter().find(|provider| !known(&provider.name)) else {
        return Ok(());
    };
    let meant = KNOWN.iter().find(|name| name.eq_ignore_ascii_case(&unknown.name));
    let meant = meant.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
    let problem = format!(
        "{} is no execution provider of ONNX Runtime{meant}; this {} has {}",
        unknown.name,
        runtime.version(),
        runtime.available_providers().join(", ")
    );
    Err(Error::invalid("providers", problem))
}

/// `OrtSessionOptions`, released with the value.
pub(super) struct Settings<'a> {
    runtime: &'a Runtime,
    pub(super) raw: *mut OrtSessionOptions,
}

impl<'a> Settings<'a> {
    /// With the session options, and these providers in their order.
    pub(super) fn new(
        runtime: &'a Runtime,
        options: &SessionOptions,
        providers: &[Provider],
    ) -> std::result::Result<Self, String> {
        let mut raw = ptr::null_mut();
        // SAFETY: a writable out pointer.
        runtime.check(unsafe { (runtime.api.CreateSessionOptions)(&raw mut raw) })?;
        let settings = Self { runtime, raw };
        settings.set(options)?;
        for provider in providers {
            settings.append(provider).map_err(|why| format!("{}: {why}", provider.name))?;
        }
        Ok(settings)
    }

    fn set(&self, options: &SessionOptions) -> std::result::Result<(), String> {
        let (runtime, api, raw) = (self.runtime, self.runtime.api, self.raw);
        let mode = match options.execution_mode {
            ExecutionMode::OrtSequential => OrtMode::ORT_SEQUENTIAL,
            ExecutionMode::OrtParallel => OrtMode::ORT_PARALLEL,
        };
        let level = match options.graph_optimization_level {
            Level::OrtDisableAll => OrtLevel::ORT_DISABLE_ALL,
            Level::OrtEnableBasic => OrtLevel::ORT_ENABLE_BASIC,
            Level::OrtEnableExtended => OrtLevel::ORT_ENABLE_EXTENDED,
            Level::OrtEnableLayout => OrtLevel::ORT_ENABLE_LAYOUT,
            Level::OrtEnableAll => OrtLevel::ORT_ENABLE_ALL,
        };
        let (pattern, arena) = (options.enable_mem_pattern, options.enable_cpu_mem_arena);
        let pattern = if pattern { api.EnableMemPattern } else { api.DisableMemPattern };
        let arena = if arena { api.EnableCpuMemArena } else { api.DisableCpuMemArena };
        // SAFETY: valid options, for the life of `self`.
        unsafe {
            let (intra, inter) = (options.intra_op_num_threads, options.inter_op_num_threads);
            runtime.check((api.SetIntraOpNumThreads)(raw, i32::from(intra)))?;
            runtime.check((api.SetInterOpNumThreads)(raw, i32::from(inter)))?;
            runtime.check((api.SetSessionExecutionMode)(raw, mode))?;
            runtime.check((api.SetSessionGraphOptimizationLevel)(raw, level))?;
            runtime.check(pattern(raw))?;
            runtime.check(arena(raw))?;
            if let Some(level) = options.log_severity_level {
                runtime.check((api.SetSessionLogSeverityLevel)(raw, i32::from(level)))?;
            }
        }
        for (symbol, size) in &options.free_dimension_overrides {
            let symbol = c_string(symbol)?;
            // SAFETY: valid options and a terminated string that outlives the call.
            runtime.check(unsafe {
                (api.AddFreeDimensionOverrideByName)(raw, symbol.as_ptr(), *size)
            })?;
        }
        // Threads that spin between runs take the cores from other workers.
        let mut entries: BTreeMap<&str, &str> =
            [("session.intra_op.allow_spinning", "0"), ("session.inter_op.allow_spinning", "0")]
                .into();
        entries.extend(options.config.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        for (key, value) in entries {
            let (key, value) = (c_string(key)?, c_string(value)?);
            // SAFETY: valid options and terminated strings that outlive the call.
            let status = unsafe { (api.AddSessionConfigEntry)(raw, key.as_ptr(), value.as_ptr()) };
            runtime.check(status)?;
        }
        Ok(())
    }

    /// Each provider has its own way of being told its options.
    fn append(&self, provider: &Provider) -> std::result::Result<(), String> {
        let (runtime, api, raw) = (self.runtime, self.runtime.api, self.raw);
        if !runtime.available_providers().contains(&provider.name) {
            let has = runtime.available_providers().join(", ");
            return Err(format!("not in this ONNX Runtime {}, which has {has}", runtime.version()));
        }
        let options = Pairs::new(&provider.options)?;
        let (keys, values, count) = (options.keys.as_ptr(), options.values.as_ptr(), options.len());
        match provider.name.as_str() {
            CPU if count > 0 => Err("it takes no options".to_owned()),
            CPU => Ok(()),
            "CUDAExecutionProvider" => {
                let mut cuda = ptr::null_mut();
                // SAFETY: `cuda` is made, filled, copied into the session options and released;
                // keys and values are terminated and outlive the calls.
                unsafe {
                    runtime.check((api.CreateCUDAProviderOptions)(&raw mut cuda))?;
                    let told = (api.UpdateCUDAProviderOptions)(cuda, keys, values, count);
                    let appended = runtime.check(told).and_then(|()| {
                        let append = api.SessionOptionsAppendExecutionProvider_CUDA_V2;
                        runtime.check(append(raw, cuda))
                    });
                    (api.ReleaseCUDAProviderOptions)(cuda);
                    appended
                }
            }
            "TensorrtExecutionProvider" => {
                let mut trt = ptr::null_mut();
                // SAFETY: as above.
                unsafe {
                    runtime.check((api.CreateTensorRTProviderOptions)(&raw mut trt))?;
                    let told = (api.UpdateTensorRTProviderOptions)(trt, keys, values, count);
                    let appended = runtime.check(told).and_then(|()| {
                        let append = api.SessionOptionsAppendExecutionProvider_TensorRT_V2;
                        runtime.check(append(raw, trt))
                    });
                    (api.ReleaseTensorRTProviderOptions)(trt);
                    appended
                }
            }
            "OpenVINOExecutionProvider" => {
                let append = api.SessionOptionsAppendExecutionProvider_OpenVINO_V2;
                // SAFETY: keys and values are terminated and outlive the call, which copies them.
                runtime.check(unsafe { append(raw, keys, values, count) })
            }
            name => {
                // Versions differ in which spelling they take here.
                let short = name.strip_suffix("ExecutionProvider").unwrap_or(name);
                let append = |name: &str| {
                    let name = c_string(name)?;
                    let append = api.SessionOptionsAppendExecutionProvider;
                    // SAFETY: as above, and so is the name.
                    runtime.check(unsafe { append(raw, name.as_ptr(), keys, values, count) })
                };
                let mut refusal = String::new();
                for spelling in [&short.to_uppercase(), short, name] {
                    match append(spelling) {
                        Ok(()) => return Ok(()),
                        Err(why) if why.contains("nknown provider") => refusal = why,
                        // Not its name is wrong, but what came with it, or its device.
                        Err(why) => return Err(why),
                    }
                }
                Err(refusal)
            }
        }
    }
}

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        // SAFETY: created by CreateSessionOptions, released once.
        unsafe { (self.runtime.api.ReleaseSessionOptions)(self.raw) };
    }
}

/// Keys and values as ONNX Runtime wants them.
struct Pairs {
    _owned: Vec<CString>,
    keys: Vec<*const c_char>,
    values: Vec<*const c_char>,
}

impl Pairs {
    fn new(options: &BTreeMap<String, String>) -> std::result::Result<Self, String> {
        let mut pairs = Self { _owned: Vec::new(), keys: Vec::new(), values: Vec::new() };
        for (key, value) in options {
            let (key, value) = (c_string(key)?, c_string(value)?);
            // The bytes stay where they are when the strings move into the list.
            pairs.keys.push(key.as_ptr());
            pairs.values.push(value.as_ptr());
            pairs._owned.extend([key, value]);
        }
        Ok(pairs)
    }

    fn len(&self) -> usize {
        self.keys.len()
    }
}

fn c_string(text: &str) -> std::result::Result<CString, String> {
    CString::new(text).map_err(|_| format!("{text:?} contains a NUL"))
}
