//! An ejector's face, swept through time.
//!
//! Nothing here asks where a part *should* be hit. The face stands across a stretch of the belt for
//! a stretch of time; a part is wherever the belt has carried it; what they share is measured.

use crate::feed::Part;
use crate::ledger::{Ignored, StrokeId, StrokeState, Touch};
use crate::motion::Motion;
use crate::rng::Rng;
use crate::setup::{EjectorFaultKind, EjectorModel, ns};

/// Overlaps up to this are rounding: the clock's ns is 2e-6 mm at 2 m/s.
const HAIR_MM: f64 = 1e-5;

/// A stroke whose face is out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sweep {
    pub(crate) stroke: StrokeId,
    pub(crate) begins_ns: i64,
    /// When the hit is over.
    pub(crate) hit_ns: i64,
}

#[derive(Debug)]
pub(crate) struct Ejector {
    model: EjectorModel,
    index: usize,
    start_ns: i64,
    ready_ns: i64,
    /// The stroke whose face is out now: one at most, since the next waits until it has recovered.
    pub(crate) out: Option<Sweep>,
}

/// What a part felt of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Felt {
    at_ns: i64,
    overlap_mm: f64,
    held_mm: f64,
}

impl Ejector {
    pub(crate) fn new(model: &EjectorModel, index: usize, start_ns: i64) -> Ejector {
        Ejector { model: model.clone(), index, start_ns, ready_ns: i64::MIN, out: None }
    }

    pub(crate) fn model(&self) -> &EjectorModel {
        &self.model
    }

    /// Decides what a command given now does, and reserves the ejector for it.
    pub(crate) fn command(&mut self, at_ns: i64, pulse_ns: i64, mut rng: Rng) -> StrokeState {
        let model = &self.model;
        let dead_ms = rng.around(model.dead_ms, model.dead_jitter_ms);
        let mut dead = rng.chance(model.dead_share);
        let mut slow = rng.chance(model.slow_share);
        let mut stuck = rng.chance(model.stuck_share);
        let at_s = at_ns.saturating_sub(self.start_ns) as f64 * 1e-9;
        for fault in &model.faults {
            if (fault.from_s..fault.to_s).contains(&at_s) {
                match fault.kind {
                    EjectorFaultKind::Dead => dead = true,
                    EjectorFaultKind::Slow => slow = true,
                    EjectorFaultKind::StuckOut => stuck = true,
                }
            }
        }
        if pulse_ns < ns(model.least_pulse_ms) {
            return StrokeState::Ignored(Ignored::ShortPulse);
        }
        let late_ms = if slow { model.slow_ms } else { 0.0 };
        let begins_ns = at_ns.saturating_add(ns(dead_ms + late_ms));
        if begins_ns < self.ready_ns {
            return StrokeState::Ignored(Ignored::Busy);
        }
        if dead {
            return StrokeState::Ignored(Ignored::Dead);
        }
        let out_ns = if stuck {
            ns(model.stuck_ms.max(model.occupied_ms))
        } else {
            ns(model.occupied_ms).max(pulse_ns)
        };
        let ends_ns = begins_ns.saturating_add(out_ns);
        self.ready_ns = ends_ns.saturating_add(ns(model.recover_ms));
        StrokeState::Made {
            begins_ns,
            hit_ns: begins_ns.saturating_add(ns(model.hit_ms)),
            ends_ns,
            faulty: slow || stuck,
        }
    }

    /// Sweeps the face over a part from the beginning of the effect until `until_ns` (the end, or
    /// when the part went); `None` when they never met.
    pub(crate) fn feel(
        &self,
        sweep: &Sweep,
        until_ns: i64,
        part: &Part,
        motion: &Motion,
    ) -> Option<Felt> {
        let near_mm = self.model.at_mm - self.model.face_mm / 2.0;
        let far_mm = self.model.at_mm + self.model.face_mm / 2.0;
        let lead_at = |at_ns| part.lead_mm(motion.position_mm(at_ns));
        let shared = |lead_mm: f64| {
            let rear_mm = lead_mm - part.length_mm;
            (lead_mm.min(far_mm) - rear_mm.max(near_mm)).max(0.0)
        };
        let first = lead_at(sweep.begins_ns);
        let last = lead_at(until_ns);
        // The belt never runs backwards, so the part moved through every place from first to last,
        // and most of the face was on it where their middles were closest.
        let middle = (near_mm + far_mm + part.length_mm) / 2.0;
        let overlap_mm = shared(middle.min(last).max(first));
        if overlap_mm <= HAIR_MM {
            return None;
        }
        // The overlap only grows and then shrinks: over the hit it is least at one of its ends.
        let held_mm = if until_ns < sweep.hit_ns {
            0.0
        } else {
            shared(first).min(shared(lead_at(sweep.hit_ns)))
        };
        let met_ns = motion.reach_ns(part.belt_at_lead(near_mm)).unwrap_or(sweep.begins_ns);
        Some(Felt { at_ns: met_ns.min(until_ns).max(sweep.begins_ns), overlap_mm, held_mm })
    }

    /// Whether a part that felt this goes off the belt; if so, whether the hit was whole.
    pub(crate) fn removes(&self, felt: &Felt, part: &Part) -> Option<bool> {
        let whole = felt.held_mm >= self.model.face_mm - HAIR_MM;
        let grip_mm = self.model.grip_share * self.model.face_mm.min(part.length_mm);
        let gripped = felt.held_mm > HAIR_MM && felt.held_mm >= grip_mm - HAIR_MM;
        (whole || gripped).then_some(whole)
    }

    pub(crate) fn touch(&self, sweep: &Sweep, part: &Part, felt: &Felt, removed: bool) -> Touch {
        Touch {
            part: part.number,
            stroke: sweep.stroke,
            ejector: self.index,
            at_ns: felt.at_ns,
            overlap_mm: felt.overlap_mm,
            held_mm: felt.held_mm,
            removed,
        }
    }
}
