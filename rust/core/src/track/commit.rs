//! When an outcome is frozen, and what follows from it.
//!
//! With ejectors a part is committed when the first of them would have to be told; without, when
//! its last view has spoken or its budget is spent.

use super::event::{Action, Cause, Committed};
use super::part::{Part, Sent, Stage, View};
use super::setup::OnUnjudged;
use super::silence::Silence;
use super::{Camera, Stopping, Tracker, combine, earlier};
use crate::actuate::{Key, UNJUDGED_CLASS};
use crate::clock::MS;
use crate::outcome::{Disposition, Outcome, Reason};

/// A part that is still far away is looked at this often at most: less than it takes from where
/// its ejector might be told to where it is.
const LOOK_NS: i64 = MS / 4;

impl Tracker {
    /// When an open part has to be committed, or looked at again; `None` when only the belt's next
    /// movement can tell.
    pub(super) fn commit_due_ns(&mut self, index: usize, now_ns: i64) -> Option<i64> {
        if !self.setup.ejectors.is_empty()
            && let Some(lead_mm) = self.lead_mm(index, now_ns)
        {
            let left_mm = self.first_send_mm - lead_mm;
            if left_mm > 0.0 {
                let soonest_ns =
                    Self::reached_ns(now_ns, left_mm, super::FASTEST * self.max_speed_mm_s)?;
                return Some(soonest_ns.max(now_ns + LOOK_NS));
            }
            let ejectors = 0..self.setup.ejectors.len();
            let strokes = ejectors.filter_map(|ejector| self.stroke(index, ejector, now_ns));
            return strokes.map(|stroke| stroke.send_ns).min();
        }
        let part = self.parts.get(index);
        let said = part.views[..self.setup.views.len()].iter().all(|v| matches!(v, View::Said(_)));
        if said || part.ambiguous {
            return Some(now_ns);
        }
        if let Some(due_ns) = part.budget_due_ns {
            return Some(due_ns);
        }
        let left_mm = self.last_seen_mm - self.lead_mm(index, now_ns)?;
        if left_mm > 0.0 {
            return Self::reached_ns(now_ns, left_mm, self.position.speed_mm_s())
                .map(|reached_ns| reached_ns.max(now_ns + 1));
        }
        let due_ns = now_ns + self.setup.budget_ns;
        self.parts.get_mut(index).budget_due_ns = Some(due_ns);
        Some(due_ns)
    }

    /// When the verdict on a part is needed, at full speed and at the speed of now.
    pub(super) fn work_due_ns(&self, index: usize, now_ns: i64) -> (i64, i64) {
        let Some(lead_mm) = self.lead_mm(index, now_ns).filter(|_| !self.setup.ejectors.is_empty())
        else {
            let part = self.parts.get(index);
            let due_ns = part.budget_due_ns.unwrap_or(now_ns + self.setup.budget_ns);
            return (due_ns, due_ns);
        };
        let (mut due_ns, mut live_due_ns) = (i64::MAX, i64::MAX);
        for ejector in 0..self.setup.ejectors.len() {
            due_ns = due_ns.min(self.soonest_send_ns(index, ejector, lead_mm, now_ns));
            if let Some(stroke) = self.stroke(index, ejector, now_ns) {
                live_due_ns = live_due_ns.min(stroke.send_ns);
            }
        }
        // A speed is measured in whole counts and may seem a little more than the greatest.
        (due_ns.min(live_due_ns), live_due_ns)
    }

    /// Freezes a part's outcome, `forced` or as its views say.
    pub(super) fn commit(
        &mut self,
        index: usize,
        due_ns: i64,
        now_ns: i64,
        forced: Option<Reason>,
        actions: &mut Vec<Action>,
    ) {
        let part = *self.parts.get(index);
        let (mut outcome, score) =
            combine::combine(self.setup.policy.combine, &part, self.setup.views.len());
        if let Some(reason) = forced {
            outcome = Outcome::Unjudged(reason);
        } else {
            self.count_missed(&part, actions);
        }
        let remove = self.freeze(&part, outcome, score, due_ns, now_ns, actions);
        let class = match outcome {
            Outcome::Reject(class) => class,
            Outcome::Pass | Outcome::Unjudged(_) => UNJUDGED_CLASS,
        };
        let located = part.origin_mm.is_some() && !self.setup.ejectors.is_empty();
        self.parts.get_mut(index).unwanted = remove.is_some();
        self.parts.get_mut(index).stage = match remove {
            Some(ejector) if located && forced.is_none() => Stage::Firing { ejector, class },
            Some(_) => {
                let quiet = forced.is_some();
                return self.refuse(index, (!quiet).then_some(Cause::Refused), actions);
            }
            None if located => Stage::Passing,
            None => Stage::Gone,
        };
        if remove.is_none() && part.collateral {
            let disposition = Disposition::Collateral;
            actions.push(Action::Disposition { part: part.id, disposition });
        }
    }

    /// Counts an outcome and tells it; the ejector that is to remove the part, if one is.
    pub(super) fn freeze(
        &mut self,
        part: &Part,
        outcome: Outcome,
        score: Option<f32>,
        due_ns: i64,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<u8> {
        let policy = &self.setup.policy;
        let removes = match outcome {
            Outcome::Pass => false,
            Outcome::Reject(_) => true,
            Outcome::Unjudged(_) => policy.on_unjudged == OnUnjudged::Reject,
        };
        let stops = matches!(outcome, Outcome::Unjudged(reason) if reason != Reason::Stopped)
            && policy.on_unjudged == OnUnjudged::Stop;
        let remove =
            (removes && !self.setup.ejectors.is_empty()).then(|| policy.routes.ejector(outcome));
        let latest_ns = if self.setup.ejectors.is_empty() {
            part.budget_due_ns.unwrap_or(now_ns + self.setup.budget_ns)
        } else {
            due_ns
        };
        self.counts.commit(outcome);
        actions.push(Action::Commit(Committed {
            part: part.id,
            outcome,
            score,
            unjudged: combine::unjudged(part, self.setup.views.len()),
            remove,
            announced_ns: part.announced_ns,
            committed_ns: now_ns,
            verdict_ns: part.verdict_ns,
            slack_ns: part.verdict_ns.map(|verdict_ns| latest_ns - verdict_ns),
            origin_mm: part.origin_mm,
            length_mm: part.length_mm,
        }));
        if outcome != Outcome::Unjudged(Reason::Stopped) && !self.challenges(part.id) {
            self.alarms.outcome(outcome, &self.setup.limits, actions);
        }
        if stops {
            self.alarms.stop(Cause::UnjudgedPart, actions);
        }
        remove
    }

    /// Where parts are is not known any more: what is open keeps its budget, what should be removed
    /// cannot be.
    pub(super) fn void_positions(&mut self, cause: Cause, now_ns: i64, actions: &mut Vec<Action>) {
        self.alarms.stop(cause, actions);
        self.known_from_mm = None;
        self.eye.lead_mm = None;
        for index in 0..self.parts.len() {
            let part = self.parts.get_mut(index);
            part.origin_mm = None;
            match part.stage {
                Stage::Open => {
                    part.budget_due_ns.get_or_insert(now_ns + self.setup.budget_ns);
                }
                Stage::Firing { .. } => self.refuse(index, Some(Cause::Refused), actions),
                Stage::Passing => part.stage = Stage::Gone,
                Stage::Sent { .. } | Stage::Gone => {}
            }
        }
    }

    pub(super) fn camera_lost(&mut self, view: u8, now_ns: i64, actions: &mut Vec<Action>) {
        let index = usize::from(view);
        if index >= self.setup.views.len() {
            return;
        }
        let camera = &mut self.cameras[index];
        camera.lost_since_ns.get_or_insert(now_ns);
        camera.silence = Silence::default();
        self.alarms.alarm(Cause::CameraLost, actions);
        for part in self.parts.live() {
            let part = self.parts.get_mut(part);
            if let (true, View::Waiting(reason)) = (part.open(), &mut part.views[index]) {
                *reason = Some(Reason::CameraLost);
            }
        }
    }

    /// Nothing comes of a camera any more, since somebody wants it so: no alarm, and its view of
    /// each part that it has not seen is missing.
    pub(super) fn camera_stopped(&mut self, view: u8) {
        let index = usize::from(view);
        if index >= self.setup.views.len() {
            return;
        }
        self.cameras[index] = Camera { stopped: true, ..Camera::default() };
        self.no_camera_lost();
        for part in self.parts.live() {
            let part = self.parts.get_mut(part);
            if let (true, View::Waiting(reason)) = (part.open(), &mut part.views[index]) {
                reason.get_or_insert(Reason::NoView);
            }
        }
    }

    /// A camera delivers again. It may count its triggers and its frames anew.
    pub(super) fn camera_runs(&mut self, view: u8) {
        if let Some(camera) = self.cameras.get_mut(usize::from(view)) {
            *camera = Camera::default();
        }
        self.no_camera_lost();
    }

    fn no_camera_lost(&mut self) {
        if self.cameras.iter().all(|camera| camera.lost_since_ns.is_none()) {
            self.alarms.over(Cause::CameraLost);
        }
    }

    /// Asks for a stop when a camera was gone too long; when the next one will have been.
    pub(super) fn check_cameras(&mut self, now_ns: i64, actions: &mut Vec<Action>) -> Option<i64> {
        let mut next = None;
        for camera in &self.cameras[..self.setup.views.len()] {
            let Some(since_ns) = camera.lost_since_ns else {
                continue;
            };
            let due_ns = since_ns + self.setup.limits.lost_ns;
            if now_ns >= due_ns {
                self.alarms.stop(Cause::CameraLost, actions);
            } else {
                next = earlier(next, Some(due_ns));
            }
        }
        next
    }

    pub(super) fn abort(&mut self, now_ns: i64, actions: &mut Vec<Action>) {
        self.alarms.stop(Cause::Aborted, actions);
        self.stopping = Some(Stopping { since_ns: now_ns, drain_ns: now_ns });
    }

    /// The end: nothing stays in flight, nothing fires any more.
    pub(super) fn end_all(&mut self, now_ns: i64, actions: &mut Vec<Action>) {
        self.end_challenge(now_ns, actions);
        for index in self.parts.live() {
            if self.parts.get(index).open() {
                self.commit(index, now_ns, now_ns, Some(Reason::Stopped), actions);
            }
            let id = self.parts.get(index).id;
            let part = self.parts.get_mut(index);
            match &mut part.stage {
                Stage::Sent { fire_ns, ejector, command, .. } if *fire_ns > now_ns => {
                    if *command == Sent::Accepted {
                        *command = Sent::Cancelling;
                        let (session, ejector) = (self.setup.session, *ejector);
                        actions.push(Action::Cancel(Key { session, part: id, ejector }));
                    }
                }
                Stage::Firing { .. } => self.refuse(index, None, actions),
                _ => part.stage = Stage::Gone,
            }
            // Where it is does not matter any more.
            if self.parts.get(index).stage == Stage::Passing {
                self.parts.get_mut(index).stage = Stage::Gone;
            }
        }
    }
}
