//! A snapshot of how a line goes.

use smartqc_gentl::StreamStatistics;

use super::deadline::Report;
use super::tally::Spread;
use crate::outcome::{Counts, Disposition};
use crate::record;

/// A snapshot; everything in it was true at one moment or another of the last milliseconds, and the
/// counts are of one single moment.
#[derive(Clone, Debug)]
pub struct Stats {
    /// The parts.
    pub counts: Counts,
    /// The line thread's own words; `None` before the start.
    pub report: Option<Report>,
    /// Exposure of the view that decided to the last verdict.
    pub trigger_to_verdict: Spread,
    /// Time left between the last verdict and the latest possible commit.
    /// 0 for a verdict that came after it.
    pub slack: Spread,
    /// Dispositions told so far, in the order of the enumeration.
    pub dispositions: [(Disposition, u64); 6],
    /// By camera.
    pub cameras: Vec<CameraStats>,
    /// Frames judged by workers.
    pub judged: u64,
    /// Workers' time in preparing, summed, s.
    pub prepare_s: f64,
    /// Workers' time in the model and its head, summed, s.
    pub run_s: f64,
    /// Frames of which the worker's CPU time beside these two was measured: of every sixteenth batch,
    /// from the end of its run to the next one's beginning.
    pub beside_frames: u64,
    /// That CPU time, summed, s.
    pub beside_cpu_s: f64,
    /// Pictures copied into slots by `submit`.
    pub copied: u64,
    /// Model runs that took longer than `hang_s` and were asked to end.
    pub runs_ended: u64,
    /// Workers that did not come back even so, and were replaced.
    pub workers_replaced: u64,
    /// Verdicts that the line thread had no room for; their parts are late.
    pub verdicts_refused: u64,
    /// Results that nobody read in time.
    pub results_dropped: u64,
    /// Events that nobody read in time.
    pub events_dropped: u64,
    /// Frames worth keeping (rejects, unjudged, sampled passes) that the quota had no room for.
    pub frames_not_kept: u64,
    /// The recorder's counts, where there is one.
    pub record: Option<record::Counts>,
    /// The stop request that holds.
    pub stop_requested: Option<&'static str>,
    /// Revision of the recipe that is loaded.
    pub recipe_revision: u32,
    /// The execution providers that run its model, and why not those that were preferred.
    pub provider: String,
}

/// A camera's counts.
#[derive(Clone, Debug)]
pub struct CameraStats {
    /// Its name in the configuration.
    pub name: String,
    /// Frames that came.
    pub frames: u64,
    /// Of these, with pixels missing.
    pub incomplete: u64,
    /// Numbered by the camera, never delivered.
    pub lost: u64,
    /// Delivered after a later one, or twice.
    pub disordered: u64,
    /// Waits that failed.
    pub errors: u64,
    /// Frames that the line thread had no room for.
    pub refused: u64,
    /// Whether it is gone.
    pub gone: bool,
    /// Whether somebody has stopped it.
    pub stopped: bool,
    /// How often it was gone and came back.
    pub recoveries: u64,
    /// What its producer counts of the present run, where it does.
    pub producer: Option<StreamStatistics>,
}
