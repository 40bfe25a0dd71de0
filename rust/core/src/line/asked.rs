//! What a line answers: its recipe, its events, its figures, the ledger of a simulated world.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::bounded;

use super::camera;
use super::deadline::{Message, Report};
use super::outlet::Event;
use super::recipe::Recipe;
use super::running::{ANSWER, Line, State, lock};
use super::simulation::{self, LedgerRow};
use super::stats::{CameraStats, Stats};
use crate::outcome::Disposition;
use crate::record;

impl Line {
    /// The recipe that is loaded.
    pub fn recipe(&self) -> Arc<Recipe> {
        Arc::clone(&lock(&self.loaded))
    }

    /// The events since the last call, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.events.drain()
    }

    /// How it goes.
    pub fn stats(&self) -> Stats {
        let report = self.report();
        let tally = self.tally.snapshot();
        let costs = &self.shop.costs;
        let seconds = |ns: &AtomicU64| ns.load(Ordering::Relaxed) as f64 / 1e9;
        let dispositions = [
            Disposition::None,
            Disposition::Commanded,
            Disposition::Confirmed,
            Disposition::Unconfirmed,
            Disposition::Refused,
            Disposition::Collateral,
        ];
        let controls = lock(&self.controls);
        let camera = |(view, (name, counts)): (usize, &(String, Arc<camera::Counts>))| {
            let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
            CameraStats {
                name: name.clone(),
                frames: get(&counts.frames),
                incomplete: get(&counts.incomplete),
                lost: get(&counts.lost),
                disordered: get(&counts.disordered),
                errors: get(&counts.errors),
                refused: get(&counts.refused),
                gone: counts.gone.load(Ordering::Relaxed),
                stopped: counts.stopped.load(Ordering::Relaxed),
                recoveries: get(&counts.recoveries),
                producer: controls.get(view).and_then(|control| control.as_ref()?.statistics()),
            }
        };
        Stats {
            counts: report.as_ref().map(|report| report.counts).unwrap_or_default(),
            report,
            trigger_to_verdict: tally.trigger_to_verdict,
            slack: tally.slack,
            dispositions: dispositions.map(|d| (d, tally.dispositions[d as usize])),
            cameras: self.cameras.iter().enumerate().map(camera).collect(),
            judged: costs.frames.load(Ordering::Relaxed),
            prepare_s: seconds(&costs.prepare_ns),
            run_s: seconds(&costs.run_ns),
            beside_frames: costs.beside_frames.load(Ordering::Relaxed),
            beside_cpu_s: seconds(&costs.beside_ns),
            copied: self.copied.load(Ordering::Relaxed),
            runs_ended: self.shop.runs_ended.load(Ordering::Relaxed),
            workers_replaced: self.shop.workers_replaced.load(Ordering::Relaxed),
            verdicts_refused: self.shop.refused.load(Ordering::Relaxed),
            results_dropped: self.results.dropped(),
            events_dropped: self.events.dropped(),
            frames_not_kept: self.shop.quotas.iter().map(|quota| quota.refused()).sum(),
            record: self.record_counts(),
            stop_requested: self.stop_requested.get(),
            recipe_revision: self.recipe().revision,
            provider: self.recipe().providers(),
        }
    }

    fn report(&self) -> Option<Report> {
        if let Some(last) = lock(&self.last_report).clone() {
            return Some(last);
        }
        if matches!(*lock(&self.state), State::Built(_) | State::Ended) {
            return None;
        }
        let (answer, question) = bounded(1);
        self.tell(Message::Report(answer));
        // The thread may have ended between the look and the question.
        let answer = question.recv_timeout(ANSWER).ok().or_else(|| lock(&self.last_report).clone());
        let mut known = lock(&self.known);
        if answer.is_some() {
            known.clone_from(&answer);
        }
        known.clone()
    }

    /// What physically happened to every part of a simulated world; empty for a real one.
    /// `bad(picture)` is the truth about a picture.
    pub fn ledger(&self, bad: &dyn Fn(u64) -> bool) -> Vec<LedgerRow> {
        let (Some(world), Some(witness)) = (&self.world, &self.witness) else { return Vec::new() };
        let removes_unjudged =
            self.plant.value.verdict.on_unjudged == super::plant::OnUnjudged::Reject;
        let strokes = world.strokes();
        world.with_ledger(|ledger| {
            simulation::ledger(ledger, witness, &strokes, removes_unjudged, bad)
        })
    }

    /// Whether everything has come to its end; results may still wait to be read.
    pub fn ended(&self) -> bool {
        matches!(*lock(&self.state), State::Ended)
    }

    fn record_counts(&self) -> Option<record::Counts> {
        let recorder = lock(&self.recorder);
        recorder.as_ref().map(|recorder| recorder.counts()).or_else(|| *lock(&self.recorded))
    }
}
