use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use smartqc_core::error::Error;
use smartqc_core::infer::{
    Bound, Dim, ExecutionMode, GraphOptimizationLevel, Options, Provider, Runtime, Session,
};

use crate::{library, model, open};

#[test]
fn the_same_library_is_loaded_once() {
    let Some(path) = library() else { return };
    let first = Runtime::load(&path).unwrap();
    let again = Runtime::load(&path.parent().unwrap().join(".").join(path.file_name().unwrap()));
    assert!(Arc::ptr_eq(&first, &again.unwrap()));
    assert!(first.version().starts_with("1."), "{}", first.version());
    assert!(first.available_providers().iter().any(|p| p == "CPUExecutionProvider"));
}

/// A stand-in for onnxruntime 1.16, as a shared library built by the system's compiler.
#[test]
fn a_library_that_is_too_old_is_refused_with_what_to_install() {
    let folder = scratch("old");
    let source = folder.join("old.c");
    fs::write(
        &source,
        "static const char *version(void) { return \"1.16.3\"; }\n\
         static const void *api(unsigned v) { return (void *)0; }\n\
         static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base\n\
             = { api, version };\n\
         const void *OrtGetApiBase(void) { return &base; }\n",
    )
    .unwrap();
    let library = folder.join("libonnxruntime.so.1.16.3");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.unwrap().success());
    let error = Runtime::load(&library).unwrap_err().to_string();
    assert!(error.contains("1.16.3") && error.contains("1.17 or newer"), "{error}");
    assert!(error.contains("pip install"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

/// In a process of its own, with a home of its own: onnxruntime 1.32 writes telemetry files there
/// unless it is told not to before it is loaded.
#[test]
fn nothing_is_written_at_home() {
    let Some(_) = library() else { return };
    if env::var_os("SMARTQC_TEST_CHILD").is_some() {
        let mut bound = Bound::new(open("dynamic.onnx").unwrap(), 2, &[]).unwrap();
        bound.run(2).unwrap();
        return;
    }
    let home = scratch("home");
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "runtime::nothing_is_written_at_home"])
        .env("SMARTQC_TEST_CHILD", "1")
        .env("HOME", &home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("TMPDIR", &home)
        .current_dir(&home)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    let written: Vec<PathBuf> = fs::read_dir(&home).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(written.is_empty(), "{written:?}");
    fs::remove_dir(home).unwrap();
}

#[test]
fn a_session_tells_what_its_file_says() {
    let Some(session) = open("dynamic.onnx") else { return };
    let [input] = session.inputs() else { panic!("{:?}", session.inputs()) };
    assert_eq!(input.to_string(), "image float32[N, 3, 8, 8]");
    assert_eq!(session.outputs()[0].to_string(), "scores float32[N, 2]");
    assert_eq!(input.dims[0], Dim::Free("N".to_owned()));
    let file = session.file();
    assert_eq!((file.producer.as_str(), file.graph.as_str()), ("smartqc tests", "dynamic"));
    assert_eq!(file.version, None);
    assert_eq!(file.metadata.keys().collect::<Vec<_>>(), ["smartqc.contract"]);
    assert!(file.external.is_empty());
    let sum = Command::new("sha256sum").arg(&file.path).output().unwrap().stdout;
    assert_eq!(String::from_utf8(sum).unwrap().split(' ').next().unwrap(), file.sha256);
}

#[test]
fn the_hash_covers_weights_beside_the_model() {
    let Some(session) = open("external.onnx") else { return };
    let [file] = &session.file().external[..] else { panic!("{:?}", session.file()) };
    assert_eq!(file.location, "external.data");
    let sum = Command::new("sha256sum").arg(model("external.data")).output().unwrap().stdout;
    assert_eq!(String::from_utf8(sum).unwrap().split(' ').next().unwrap(), file.sha256);
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let open = |path: &Path, options: &Options| Session::open(&runtime, path, options).unwrap_err();
    let options = Options::default();

    let error = open(&model("truncated.onnx"), &options);
    assert!(matches!(&error, Error::Model { model, .. } if model.ends_with("truncated.onnx")));
    let error = open(&model("none.onnx"), &options);
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("none.onnx")), "{error}");

    let folder = scratch("moved");
    let moved = folder.join("external.onnx");
    fs::copy(model("external.onnx"), &moved).unwrap();
    let error = open(&moved, &options);
    assert!(matches!(&error, Error::Model { .. }), "{error}");
    assert!(error.to_string().contains("\"external.data\": No such file"), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

fn options_for(providers: &[&str]) -> Options {
    let providers = providers.iter().map(|name| (*name).into()).collect();
    Options { providers, ..Options::default() }
}

#[test]
fn a_provider_that_this_build_lacks_is_refused_with_those_it_has() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let options = options_for(&["CUDAExecutionProvider"]);
    let error = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap_err().to_string();
    assert!(error.contains("CUDAExecutionProvider: not in this ONNX Runtime"), "{error}");
    assert!(error.contains("CPUExecutionProvider"), "{error}");
}

#[test]
fn a_provider_that_cannot_start_is_skipped_and_said_when_another_follows() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let options = options_for(&["CUDAExecutionProvider", "CPUExecutionProvider"]);
    let session = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap();
    assert_eq!(session.started().providers, ["CPUExecutionProvider"]);
    let (skipped, why) = &session.started().skipped[0];
    assert!(skipped == "CUDAExecutionProvider" && why.contains("not in this"), "{why}");
    let said = session.started().to_string();
    assert!(said.starts_with("CPUExecutionProvider; CUDAExecutionProvider cannot start"), "{said}");
}

#[test]
fn a_name_that_no_build_knows_is_refused_whatever_follows() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let options = options_for(&["cudaexecutionprovider", "CPUExecutionProvider"]);
    let error = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap_err().to_string();
    assert!(error.contains("did you mean \"CUDAExecutionProvider\"?"), "{error}");
    let error = Session::open(&runtime, &model("dynamic.onnx"), &options_for(&[])).unwrap_err();
    assert!(error.to_string().contains("none is named"), "{error}");
}

#[test]
fn options_go_to_onnx_runtime_and_its_refusal_comes_back() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let mut options = Options::default();
    options.session.graph_optimization_level = GraphOptimizationLevel::OrtDisableAll;
    options.session.enable_cpu_mem_arena = false;
    options.session.execution_mode = ExecutionMode::OrtParallel;
    options.session.inter_op_num_threads = 2;
    options.session.config.insert("session.intra_op.allow_spinning".into(), "1".into());
    let session = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap();
    let mut bound = Bound::new(Arc::new(session), 1, &[]).unwrap();
    bound.run(1).unwrap();

    // That entries arrive shows in what they break: this file is not of that format.
    options.session.config.insert("session.load_model_format".into(), "ORT".into());
    let error = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap_err();
    assert!(matches!(&error, Error::Model { .. }), "{error}");
    let options = Options {
        providers: vec![Provider {
            name: "CPUExecutionProvider".into(),
            options: [("device_id".to_owned(), "0".to_owned())].into(),
        }],
        ..Options::default()
    };
    let error = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap_err().to_string();
    assert!(error.contains("takes no options"), "{error}");
}

#[test]
fn a_free_dimension_can_be_fixed_by_its_symbol() {
    let Some(path) = library() else { return };
    let runtime = Runtime::load(&path).unwrap();
    let mut options = Options::default();
    options.session.free_dimension_overrides.insert("N".into(), 3);
    let session = Session::open(&runtime, &model("dynamic.onnx"), &options).unwrap();
    assert_eq!(session.inputs()[0].dims[0], Dim::Fixed(3));
    assert_eq!(Bound::new(Arc::new(session), 1, &[]).unwrap().fixed_batch(), Some(3));
}

/// With the library of `onnxruntime-openvino` or `onnxruntime-gpu` in `SMARTQC_ORT_OTHER`, and the
/// provider in `SMARTQC_ORT_PROVIDER`: it starts and agrees with the CPU, or says why it cannot.
#[test]
fn another_builds_provider_starts_and_agrees_or_says_why_not() {
    let (Some(other), Some(provider)) =
        (env::var_os("SMARTQC_ORT_OTHER"), env::var("SMARTQC_ORT_PROVIDER").ok())
    else {
        eprintln!("skipped: SMARTQC_ORT_OTHER and SMARTQC_ORT_PROVIDER are not set");
        return;
    };
    let runtime = Runtime::load(Path::new(&other)).unwrap();
    let scores = |options: &Options| {
        let session = Session::open(&runtime, &model("dynamic.onnx"), options).unwrap();
        eprintln!("{}", session.started());
        let started = session.started().clone();
        let mut bound = Bound::new(Arc::new(session), 2, &[]).unwrap();
        bound.input(0).row_of::<f32>(0).unwrap().fill(0.9);
        bound.input(0).row_of::<f32>(1).unwrap().fill(0.2);
        let outputs = bound.run(2).unwrap();
        let rows = (0..2).flat_map(|row| outputs.tensor(0).row_as_f32(row)).collect::<Vec<_>>();
        (started, rows)
    };
    let (_, expected) = scores(&Options::default());
    let (started, found) = scores(&options_for(&[&provider, "CPUExecutionProvider"]));
    for (a, b) in expected.iter().zip(&found) {
        assert!((a - b).abs() < 1e-3, "{expected:?} {found:?}");
    }
    let alone = Session::open(&runtime, &model("dynamic.onnx"), &options_for(&[&provider]));
    match alone {
        Ok(_) => assert_eq!(started.providers[0], provider),
        Err(why) => {
            assert_eq!(started.providers, ["CPUExecutionProvider"]);
            assert!(why.to_string().contains(&provider), "{why}");
        }
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("smartqc-infer-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}
