//! What a line keeps: one JSON line for everything that happened to a part, and its image.
//!
//! A session is one file, `DIR/SESSION.jsonl`; images lie in `DIR/images/SESSION-PART-VIEW.png` as
//! the camera gave them (a Bayer mosaic stays one; the PNG's `PixelFormat` says which). Records
//! are never dropped in silence: [`Recorder::put`] says so when the queue is full, and the line
//! then asks for a stop. Images may be, and are counted.

mod images;
mod journal;
pub mod picture_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use serde::Serialize;

use crate::decide::{Findings, Scores};
use crate::error::{Error, Result};
use crate::frame::Kept;
use crate::outcome::{Disposition, PartId};
use images::Images;
use journal::Journal;

/// Records that may wait for the disk.
pub(crate) const QUEUE: usize = 8192;

/// Where records go and how much may lie there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder; made when missing.
    pub dir: PathBuf,
    /// Bytes of images above which the oldest go.
    pub max_bytes: u64,
}

/// Names that the numbers of later entries refer to: written once when a recipe is loaded.
#[derive(Clone, Debug, Serialize)]
pub struct Recipe {
    /// Counts up with each recipe of a session.
    pub revision: u32,
    /// What is made.
    pub product: String,
    /// The model's file.
    pub model: String,
    /// SHA-256 of the model, hexadecimal.
    pub model_sha256: String,
    /// The execution providers that run it, and why not those that were preferred.
    pub providers: String,
    /// What the model was understood to be.
    pub contract: String,
    /// Class names by number.
    pub classes: Vec<String>,
    /// Threshold of each class.
    pub thresholds: Vec<f32>,
}

/// One part at its commit.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its number.
    pub part: PartId,
    /// `pass`, `reject` or `unjudged`.
    pub outcome: &'static str,
    /// Why not judged.
    pub reason: Option<&'static str>,
    /// Class number of a reject.
    pub class: Option<u16>,
    /// Greatest defect score.
    pub score: Option<f32>,
    /// Scores of the view that decided.
    pub scores: Scores,
    /// What was found in that view, where its models find things.
    pub findings: Option<Arc<Findings>>,
    /// Recipe that judged it.
    pub revision: u32,
    /// Times, ns of `CLOCK_MONOTONIC`.
    pub announced_ns: i64,
    /// Exposure of the view that decided.
    pub captured_ns: Option<i64>,
    /// Last verdict.
    pub verdict_ns: Option<i64>,
    /// Commit.
    pub committed_ns: i64,
    /// Time left between the last verdict and the latest possible commit.
    pub slack_ns: Option<i64>,
    /// Its length, where the eye measured it.
    pub length_mm: Option<f64>,
    /// Frame number of the camera.
    pub frame_id: Option<u64>,
    /// Ground truth of a simulated camera.
    pub true_part: Option<u64>,
}

/// Something worth keeping. Parts are by far the most, and boxing them would allocate for each.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Entry {
    /// A recipe is in use from here on.
    Recipe(Box<Recipe>),
    /// A part is committed; its image is kept where one is given.
    Part(Part, Option<Image>),
    /// What became of a part at the ejector.
    Disposition(PartId, Disposition, i64),
    /// A verdict that came after the commit.
    LateVerdict(PartId, &'static str, i64),
    /// Parts that were known to be bad, and what became of them.
    Challenge {
        /// When it was over.
        at_ns: i64,
        /// What came of it.
        result: Challenge,
    },
    /// An alarm, a loss, a stop request.
    Event {
        /// When.
        at_ns: i64,
        /// Kind, in one word.
        kind: &'static str,
        /// How much it asks of people.
        severity: &'static str,
    },
}

/// What came of a challenge.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Whether every part was rejected and left.
    pub passed: bool,
    /// Its parts, and `ejected`, `not_ejected`, `not_rejected` or `not_seen`.
    pub parts: Vec<(PartId, &'static str)>,
}

/// A picture to keep.
#[derive(Debug)]
pub struct Image {
    /// The camera's index.
    pub view: u8,
    /// The picture; its slot is free again when it is written.
    pub frame: Kept,
}

/// What was written so far.
#[derive(Debug, Default)]
struct Shared {
    records: AtomicU64,
    records_lost: AtomicU64,
    images: AtomicU64,
    images_dropped: AtomicU64,
    failed: AtomicBool,
}

/// A snapshot of the recorder's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines written.
    pub records: u64,
    /// Lines that could not be kept; the line asks for a stop at the first.
    pub records_lost: u64,
    /// Images written.
    pub images: u64,
    /// Images that could not be written.
    pub images_dropped: u64,
}

/// The thread that writes; dropping it writes all that waits and ends it.
#[derive(Debug)]
pub struct Recorder {
    queue: Option<Sender<Entry>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    session: String,
}

impl Recorder {
    /// Makes the folder, the session's file and the thread.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder cannot be made or written.
    pub fn open(settings: &Settings, line: &str, now_ns: i64) -> Result<Self> {
        let images = Images::open(settings.dir.join("images"), settings.max_bytes)?;
        let journal = Journal::create(&settings.dir, line, now_ns)?;
        let session = journal.session().to_owned();
        let (queue, entries) = bounded(QUEUE);
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("smartqc-record".into())
                .spawn(move || write_all(&entries, journal, images, &shared))
                .map_err(|why| Error::io(&settings.dir, why))?
        };
        Ok(Self { queue: Some(queue), thread: Some(thread), shared, session })
    }

    /// Queues an entry, never waiting; `false` when it could not be kept, or the disk failed.
    pub fn put(&self, entry: Entry) -> bool {
        let Some(queue) = &self.queue else { return false };
        match queue.try_send(entry) {
            Ok(()) => !self.shared.failed.load(Ordering::Relaxed),
            Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) => {
                let with_image = matches!(lost, Entry::Part(_, Some(_)));
                self.shared.records_lost.fetch_add(1, Ordering::Relaxed);
                self.shared.images_dropped.fetch_add(with_image.into(), Ordering::Relaxed);
                false
            }
        }
    }

    /// What was written so far.
    pub fn counts(&self) -> Counts {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            records: get(&self.shared.records),
            records_lost: get(&self.shared.records_lost),
            images: get(&self.shared.images),
            images_dropped: get(&self.shared.images_dropped),
        }
    }

    /// Writes all that waits and ends; the last counts.
    pub fn finish(mut self) -> Counts {
        self.join();
        self.counts()
    }

    fn join(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the thread itself.
            let _ = thread.join();
        }
    }

    /// Name of an image in the record folder.
    pub fn image_name(&self, part: PartId, view: u8) -> String {
        image_name(&self.session, part, view)
    }
}

fn image_name(session: &str, part: PartId, view: u8) -> String {
    format!("images/{session}-{part:08}-{view}.png")
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.join();
    }
}

fn write_all(entries: &Receiver<Entry>, mut journal: Journal, mut images: Images, shared: &Shared) {
    let fail = |what: &str, why: &Error| {
        if !shared.failed.swap(true, Ordering::Relaxed) {
            tracing::error!("recording failed ({what}): {why}");
        }
    };
    for entry in entries {
        let mut image = None;
        if let Entry::Part(part, Some(kept)) = &entry {
            let name = image_name(journal.session(), part.part, kept.view);
            match images.write(&name, kept.frame.frame()) {
                Ok(()) => {
                    shared.images.fetch_add(1, Ordering::Relaxed);
                    image = Some(name);
                }
                Err(why) => {
                    shared.images_dropped.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!("image dropped: {why}");
                }
            }
        }
        match journal.write(&entry, image.as_deref(), entries.is_empty()) {
            Ok(()) => {
                shared.records.fetch_add(1, Ordering::Relaxed);
            }
            Err(why) => {
                shared.records_lost.fetch_add(1, Ordering::Relaxed);
                fail("record", &why);
            }
        }
    }
    if let Err(why) = journal.flush() {
        fail("flush", &why);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::align::Fit;
    use crate::decide::Detection;
    use crate::frame::{FrameInfo, FreeList, PixelFormat, Quota, Slots};

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("smartqc-record-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn part(number: PartId) -> Part {
        Part {
            part: number,
            outcome: "reject",
            reason: None,
            class: Some(1),
            score: Some(0.75),
            scores: two_scores(),
            findings: None,
            revision: 1,
            announced_ns: 1,
            captured_ns: Some(2),
            verdict_ns: Some(3),
            committed_ns: 4,
            slack_ns: Some(5),
            length_mm: None,
            frame_id: Some(6),
            true_part: None,
        }
    }

    fn two_scores() -> Scores {
        let mut scores = Scores::default();
        scores.add(0, 0.25);
        scores.add(1, 0.75);
        scores
    }

    fn lines(dir: &std::path::Path) -> Vec<serde_json::Value> {
        let file = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
            .unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn picture(free: &FreeList, slots: &Slots) -> Kept {
        // A slot that is no longer held is free a moment later.
        let mut slot = loop {
            match free.take(slots) {
                Some(slot) => break slot,
                None => std::thread::yield_now(),
            }
        };
        slot.bytes_mut().iter_mut().enumerate().for_each(|(i, byte)| *byte = i as u8);
        let frame = slot.publish(FrameInfo::packed(8, 4, PixelFormat::BAYER_RG8, 0));
        Quota::new(1).keep(frame).unwrap()
    }

    #[test]
    fn a_closed_recorder_has_written_everything() {
        let dir = folder("all");
        let settings = Settings { dir: dir.clone(), max_bytes: 1 << 20 };
        let recorder = Recorder::open(&settings, "line 3", 0).unwrap();
        for number in 1..=500 {
            assert!(recorder.put(Entry::Part(part(number), None)));
        }
        assert_eq!(recorder.finish(), Counts { records: 500, ..Counts::default() });
        let lines = lines(&dir);
        assert_eq!(lines[0]["kind"], "session");
        assert_eq!(lines[0]["line"], "line 3");
        assert_eq!(lines.len(), 501);
        assert_eq!(lines[500]["part"], 500);
        assert_eq!(lines[500]["scores"], serde_json::json!([[1, 0.75], [0, 0.25]]));
        assert_eq!(lines[500]["slack_ns"], 5);
    }

    #[test]
    fn what_was_found_is_written_in_the_pixels_of_the_camera() {
        let dir = folder("found");
        let upright = Detection {
            model: 0,
            class: 2,
            score: 0.5,
            corners: [1.0, 2.0, 11.0, 7.0],
            oriented: None,
            area: 50.0,
            mask: None,
        };
        let turned = Detection { oriented: Some([6.0, 4.5, 10.0, 5.0, 0.25]), ..upright };
        let mut found = Findings { detections: vec![upright, turned], ..Findings::default() };
        let fit = Fit {
            whole: [3, -2],
            cells: [[2, 4], [-2, -1]],
            residual: 0.25,
            at_limit: 0.5,
            compared: 1.0,
        };
        found.fits.push((1, fit));
        let settings = Settings { dir: dir.clone(), max_bytes: 1 };
        let recorder = Recorder::open(&settings, "line", 0).unwrap();
        recorder.put(Entry::Part(Part { findings: Some(Arc::new(found)), ..part(1) }, None));
        recorder.put(Entry::Part(part(2), None));
        recorder.finish();
        let written = lines(&dir);
        let box_ = json!({
            "model": 0, "class": 2, "score": 0.5, "box": [1.0, 2.0, 11.0, 7.0], "area": 50.0
        });
        let mut oriented = box_.clone();
        oriented["oriented"] = json!([6.0, 4.5, 10.0, 5.0, 0.25]);
        assert_eq!(written[1]["detections"], json!([box_, oriented]));
        let lies = json!({
            "model": 1, "whole": [3, -2], "cells": [[2, 4], [-2, -1]],
            "residual": 0.25, "at_limit": 0.5, "compared": 1.0
        });
        assert_eq!(written[1]["fits"], json!([lies]));
        assert_eq!(written[2].get("detections"), None, "a classifier finds nothing");
    }

    #[test]
    fn an_image_is_written_as_captured_and_its_slot_freed() {
        let dir = folder("image");
        let free = FreeList::new(1);
        let slots = Slots::new(1, 32, 1, Box::new(free.clone()));
        let frame = picture(&free, &slots);
        let settings = Settings { dir: dir.clone(), max_bytes: 1 << 20 };
        let recorder = Recorder::open(&settings, "line", 0).unwrap();
        let name = recorder.image_name(7, 0);
        assert!(recorder.put(Entry::Part(part(7), Some(Image { view: 0, frame }))));
        drop(recorder);
        assert_eq!(slots.held(), 0);
        assert_eq!(lines(&dir)[1]["image"], name);
        let decoder = png::Decoder::new(std::io::BufReader::new(
            std::fs::File::open(dir.join(&name)).unwrap(),
        ));
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        assert_eq!(bytes, (0..32).collect::<Vec<u8>>());
        let text = &reader.info().uncompressed_latin1_text;
        assert!(text.iter().any(|t| t.keyword == "PixelFormat" && t.text == "BayerRG8"));
    }

    #[test]
    fn the_oldest_images_go_when_the_folder_is_full() {
        let dir = folder("retention");
        let free = FreeList::new(1);
        let slots = Slots::new(1, 32, 1, Box::new(free.clone()));
        let settings = Settings { dir: dir.clone(), max_bytes: 400 };
        for session in 0..2 {
            let recorder = Recorder::open(&settings, "line", session).unwrap();
            for number in 1..=5 {
                let frame = picture(&free, &slots);
                recorder.put(Entry::Part(part(number), Some(Image { view: 0, frame })));
            }
        }
        let sizes: Vec<u64> = std::fs::read_dir(dir.join("images"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert!(!sizes.is_empty() && sizes.iter().sum::<u64>() <= 400, "{sizes:?}");
    }

    #[test]
    fn files_that_are_somebody_elses_stay() {
        let dir = folder("others");
        std::fs::create_dir_all(dir.join("images")).unwrap();
        let names = ["10_0000.png", "20260101T000000Z.png", "20260101T000000Z-00000001-0.png"];
        for name in names {
            std::fs::write(dir.join("images").join(name), [0; 500]).unwrap();
        }
        let free = FreeList::new(1);
        let slots = Slots::new(1, 32, 1, Box::new(free.clone()));
        let settings = Settings { dir: dir.clone(), max_bytes: 400 };
        let recorder = Recorder::open(&settings, "line", 0).unwrap();
        let image = Image { view: 0, frame: picture(&free, &slots) };
        recorder.put(Entry::Part(part(1), Some(image)));
        assert_eq!(recorder.finish().images, 1);
        let stays = names.map(|name| dir.join("images").join(name).exists());
        assert_eq!(stays, [true, true, false], "only the recorder's own makes room");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_with_its_path() {
        let file = folder("file");
        std::fs::write(&file, "").unwrap();
        let settings = Settings { dir: file.join("sub"), max_bytes: 1 };
        let why = Recorder::open(&settings, "line", 0).unwrap_err().to_string();
        assert!(why.contains("smartqc-record"), "{why}");
    }
}
