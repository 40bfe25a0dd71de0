//! The session's file: one JSON object a line, in the order in which things happened.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Entry, Part};
use crate::decide::Detection;
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    session: String,
    out: BufWriter<File>,
}

impl Journal {
    /// A new file named after the time; a second session of the same second gets a number.
    pub(super) fn create(dir: &Path, line: &str, now_ns: i64) -> Result<Self> {
        let started = jiff::Timestamp::now();
        let stem = started.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut session = stem.clone();
        for number in 2.. {
            let path = dir.join(format!("{session}.jsonl"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut journal = Self { path, session, out: BufWriter::new(file) };
                    let head = json!({
                        "kind": "session",
                        "line": line,
                        "started": started.to_string(),
                        "monotonic_ns": now_ns,
                        "smartqc": env!("CARGO_PKG_VERSION"),
                    });
                    journal.line(&head)?;
                    journal.flush()?;
                    return Ok(journal);
                }
                Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {
                    session = format!("{stem}-{number}");
                }
                Err(why) => return Err(Error::io(path, why)),
            }
        }
        unreachable!("numbers do not end")
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Writes one entry; `flush` when nothing else waits, so that the file is never far behind.
    pub(super) fn write(&mut self, entry: &Entry, image: Option<&str>, flush: bool) -> Result<()> {
        self.line(&object(entry, image))?;
        if flush { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|why| Error::io(&self.path, why))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        writeln!(self.out, "{value}").map_err(|why| Error::io(&self.path, why))
    }
}

/// Makes sure that the folder is there.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|why| Error::io(path, why))
}

fn object(entry: &Entry, image: Option<&str>) -> Value {
    match entry {
        Entry::Recipe(recipe) => {
            let mut value = json!(recipe);
            value["kind"] = "recipe".into();
            value
        }
        Entry::Part(part, _) => part_object(part, image),
        Entry::Disposition(part, disposition, at_ns) => json!({
            "kind": "disposition", "part": part, "disposition": disposition, "at_ns": at_ns,
        }),
        Entry::LateVerdict(part, verdict, at_ns) => json!({
            "kind": "late_verdict", "part": part, "verdict": verdict, "at_ns": at_ns,
        }),
        Entry::Challenge { at_ns, result } => {
            let part = |(part, became): &(u64, &str)| json!({ "part": part, "became": became });
            let parts: Vec<Value> = result.parts.iter().map(part).collect();
            json!({
                "kind": "challenge", "at_ns": at_ns, "passed": result.passed, "parts": parts,
            })
        }
        Entry::Event { at_ns, kind, severity } => json!({
            "kind": "event", "at_ns": at_ns, "event": kind, "severity": severity,
        }),
    }
}

fn part_object(part: &Part, image: Option<&str>) -> Value {
    let mut object = json!({
        "kind": "part",
        "part": part.part,
        "outcome": part.outcome,
        "reason": part.reason,
        "class": part.class,
        "score": part.score,
        "scores": part.scores.as_slice(),
        "recipe": part.revision,
        "announced_ns": part.announced_ns,
        "captured_ns": part.captured_ns,
        "verdict_ns": part.verdict_ns,
        "committed_ns": part.committed_ns,
        "slack_ns": part.slack_ns,
        "length_mm": part.length_mm,
        "frame_id": part.frame_id,
        "true_part": part.true_part,
        "image": image,
    });
    if let Some(findings) = &part.findings {
        object["detections"] = findings.detections.iter().map(detection_object).collect();
        if !findings.fits.is_empty() {
            // How the part lies under a golden one, in the golden picture's pixels.
            let fits = findings.fits.iter().map(|(model, fit)| {
                json!({
                    "model": model,
                    "whole": fit.whole,
                    "cells": fit.cells,
                    "residual": fit.residual,
                    "at_limit": fit.at_limit,
                    "compared": fit.compared,
                })
            });
            object["fits"] = fits.collect();
        }
    }
    object
}

fn detection_object(found: &Detection) -> Value {
    let mut object = json!({
        "model": found.model,
        "class": found.class,
        "score": found.score,
        "box": found.corners,
        "area": found.area,
    });
    if let Some(oriented) = found.oriented {
        object["oriented"] = json!(oriented);
    }
    object
}
