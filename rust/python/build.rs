//! Builds the simulated camera's GenTL producer beside the extension.
//!
//! The producer must be a library of its own: exported from the extension, its symbols would drag
//! Python's into every program that opens it. An inner cargo on the outer target directory would
//! wait for its lock for ever, hence a target directory of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the outer build sets for this very package, and the inner one must not inherit.
const NOT_INHERITED: &[&str] = &[
    "CARGO_FEATURE_",
    "CARGO_CFG_",
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "DEP_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "PROFILE",
    "NUM_JOBS",
    "OPT_LEVEL",
    "DEBUG",
    "RUSTC_WORKSPACE_WRAPPER",
];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .join("../..")
        .canonicalize()
        .expect("the workspace lies two folders up");
    for path in ["rust/simcam", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let library = build_producer(&root, &out.join("simcam-target"));
    std::fs::copy(&library, out.join("simcam.cti"))
        .unwrap_or_else(|why| panic!("{}: {why}", library.display()));
}

fn build_producer(root: &Path, target_dir: &Path) -> PathBuf {
    let target = env::var("TARGET").expect("set by cargo");
    // A debug build of the extension gets a producer as it is tested: optimised all the same,
    // since it renders pictures.
    let profile = if env::var("PROFILE").as_deref() == Ok("release") { "release" } else { "dev" };
    let mut cargo = Command::new(env::var_os("CARGO").expect("set by cargo"));
    cargo.current_dir(root).args([
        "rustc",
        "-p",
        "smartqc-simcam",
        "--lib",
        "--crate-type",
        "cdylib",
    ]);
    cargo
        .args(["--locked", "--profile", profile, "--target", &target, "--target-dir"])
        .arg(target_dir);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| NOT_INHERITED.iter().any(|p| name.starts_with(p))) {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status().expect("cargo starts, since it started this");
    assert!(status.success(), "the simulated camera's producer does not build: {status}");
    let folder = if profile == "release" { "release" } else { "debug" };
    let name = format!("{}smartqc_simcam{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    target_dir.join(target).join(folder).join(name)
}
