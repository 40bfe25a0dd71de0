//! How a part begins: an edge of the photo-eye, a frame, a call, or an exposure that was lost.

use super::event::{Action, Cause, Seen};
use super::part::{Part, Stage, View};
use super::setup::AnnouncedBy;
use super::{Tracker, combine};
use crate::clock::MS;
use crate::outcome::{Disposition, Outcome, Reason, ViewVerdict};
use crate::sense::Edge;

/// A beam that was free for less is still the same part's: edges bounce.
const BOUNCE_NS: i64 = 3 * MS;

/// A camera that lost more frames than this has not lost them: its numbers jumped.
const MOST_LOST: u64 = 1000;

/// What the photo-eye showed last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Eye {
    covered: bool,
    freed_ns: Option<i64>,
    /// The belt's position at the last part's leading edge.
    pub(super) lead_mm: Option<f64>,
}

impl Tracker {
    pub(super) fn edge(&mut self, edge: Edge, now_ns: i64, actions: &mut Vec<Action>) {
        if self.setup.announced_by != AnnouncedBy::Sensor {
            return;
        }
        let at_mm = self.position.latched(edge.count, edge.at_ns);
        let since_lead_mm = at_mm.zip(self.eye.lead_mm).map(|(at, lead)| at - lead);
        let bounced = self.eye.freed_ns.is_some_and(|freed| edge.at_ns - freed < BOUNCE_NS);
        let was_covered = std::mem::replace(&mut self.eye.covered, edge.covered);
        match (was_covered, edge.covered) {
            (false, true) if !bounced => self.leading_edge(edge, at_mm, now_ns, actions),
            (false, true) => {}
            // The eye missed a rear: what covers it now is another part if the belt went on.
            (true, true) => {
                if since_lead_mm.is_some_and(|mm| mm > 0.75 * self.part_mm) {
                    self.leading_edge(edge, at_mm, now_ns, actions);
                }
            }
            (true, false) => {
                self.eye.freed_ns = Some(edge.at_ns);
                self.rear(edge, since_lead_mm, now_ns, actions);
            }
            // The eye missed a leading edge: the part began one length before its rear.
            (false, false) => {
                if !bounced {
                    self.eye.freed_ns = Some(edge.at_ns);
                    let origin_mm = at_mm.map(|mm| mm - self.part_mm);
                    self.eye.lead_mm = origin_mm;
                    self.announce(edge.at_ns, origin_mm, now_ns, actions);
                }
            }
        }
    }

    fn leading_edge(
        &mut self,
        edge: Edge,
        at_mm: Option<f64>,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) {
        let since_mm = at_mm.zip(self.eye.lead_mm).map(|(at, lead)| at - lead);
        if since_mm.is_some_and(|mm| mm < 0.1 * self.part_mm) {
            // Two parts at one position: the belt moved and the encoder did not.
            self.position.forget();
            self.void_positions(Cause::EncoderStuck, now_ns, actions);
            self.eye.lead_mm = None;
            self.announce(edge.at_ns, None, now_ns, actions);
            return;
        }
        self.eye.lead_mm = at_mm;
        self.announce(edge.at_ns, at_mm, now_ns, actions);
    }

    /// How long a darkness was, is how long its part is; one as long as several parts was several
    /// that touch.
    fn rear(&mut self, edge: Edge, length_mm: Option<f64>, now_ns: i64, actions: &mut Vec<Action>) {
        let (Some(length_mm), Some(lead_mm)) = (length_mm, self.eye.lead_mm) else {
            return;
        };
        let parts = (length_mm / self.part_mm).round();
        let each_mm = length_mm / parts.max(1.0);
        self.measured(lead_mm, each_mm);
        if parts < 2.0 {
            return;
        }
        self.alarms.alarm(Cause::TouchingParts, actions);
        for part in 1..(parts as u64).min(MOST_LOST) {
            let origin_mm = lead_mm + each_mm * part as f64;
            self.eye.lead_mm = Some(origin_mm);
            self.announce(edge.at_ns, Some(origin_mm), now_ns, actions);
            self.measured(origin_mm, each_mm);
        }
    }

    /// The part that was announced last is so long; one that differs by half from what parts are is
    /// an edge that was missed, or dust, and keeps the length that parts have.
    fn measured(&mut self, origin_mm: f64, length_mm: f64) {
        let Some(last) = self.parts.len().checked_sub(1) else {
            return;
        };
        let plausible = (0.5..1.5).contains(&(length_mm / self.part_mm));
        let part = self.parts.get_mut(last);
        if part.origin_mm == Some(origin_mm) {
            part.length_mm = plausible.then_some(length_mm);
        }
    }

    pub(super) fn call(&mut self, at_ns: i64, now_ns: i64, actions: &mut Vec<Action>) {
        if self.setup.announced_by == AnnouncedBy::Call {
            let origin_mm = self.position.at(at_ns);
            self.announce(at_ns, origin_mm, now_ns, actions);
        }
    }

    /// A frame of the first camera announces its own part.
    pub(super) fn announce_by_frame(
        &mut self,
        seen: Seen,
        at_mm: Option<f64>,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<usize> {
        let origin_mm = at_mm.map(|mm| mm - self.seen_mm[usize::from(seen.view)]);
        self.announce(seen.captured_ns, origin_mm, now_ns, actions)
    }

    /// A camera lost frames. The first one's announce their parts, which nobody can place; any
    /// other's are a reason for the parts whose frame is missing when the next frame comes.
    pub(super) fn gap(&mut self, view: u8, lost: u64, now_ns: i64, actions: &mut Vec<Action>) {
        let index = usize::from(view);
        if index >= self.setup.views.len() || lost == 0 {
            return;
        }
        if lost > MOST_LOST {
            self.alarms.alarm(Cause::FrameIdJump, actions);
            return;
        }
        if self.setup.announced_by != AnnouncedBy::Frame || index != self.first_view {
            self.cameras[index].lost_frames += lost;
            return;
        }
        for _ in 0..lost {
            if let Some(part) = self.announce(now_ns, None, now_ns, actions) {
                let lost = View::Said(ViewVerdict::Unjudged(Reason::LostFrame));
                self.parts.get_mut(part).views[..self.setup.views.len()].fill(lost);
            }
        }
    }

    /// There is a new part; its index, unless there is no place for it or the line is ending.
    pub(super) fn announce(
        &mut self,
        at_ns: i64,
        origin_mm: Option<f64>,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<usize> {
        if self.stopping.is_some_and(|stopping| at_ns > stopping.since_ns) {
            return None;
        }
        let mut part = Part::new(self.next_part, at_ns, origin_mm);
        self.next_part += 1;
        self.counts.announce();
        actions.push(Action::Announced { part: part.id, at_ns });
        for (view, camera) in part.views.iter_mut().zip(&self.cameras) {
            if camera.lost_since_ns.is_some() {
                *view = View::Waiting(Some(Reason::CameraLost));
            } else if camera.stopped {
                *view = View::Waiting(Some(Reason::NoView));
            }
        }
        let passed = self.position.at(at_ns).zip(origin_mm).is_none_or(|(now_mm, origin)| {
            // A frame's own part is where the camera sees it, but for rounding.
            now_mm - origin >= self.last_seen_mm - 1e-6
        });
        if passed {
            part.budget_due_ns = Some(at_ns.saturating_add(self.setup.budget_ns));
        }
        let index = self.parts.push(&part);
        if index.is_none() {
            self.overload(part, now_ns, actions);
        }
        index
    }

    /// Nothing is lost: a part for which there is no place has its outcome at once.
    fn overload(&mut self, mut part: Part, now_ns: i64, actions: &mut Vec<Action>) {
        let overload = ViewVerdict::Unjudged(Reason::Overload);
        part.views = [View::Said(overload); super::MOST_VIEWS];
        part.stage = Stage::Gone;
        let (outcome, score) =
            combine::combine(self.setup.policy.combine, &part, self.setup.views.len());
        debug_assert_eq!(outcome, Outcome::Unjudged(Reason::Overload));
        let remove = self.freeze(&part, outcome, score, now_ns, now_ns, actions);
        self.alarms.alarm(Cause::Overload, actions);
        if remove.is_some() {
            let (part, disposition) = (part.id, Disposition::Refused);
            actions.push(Action::Disposition { part, disposition });
            self.alarms.stop(Cause::Refused, actions);
        }
    }
}
