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

/// A part whose frame seems to be lost waits for it so long, and no longer than any other: frames
/// that overtake each other come one after the other.
const LATE_NS: i64 = 50 * MS;

/// Of more that are lost at once none is waited for: that is no overtaking, and the places of their
/// parts are wanted.
const MOST_LATE: u64 = 8;

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
        let (last_id, views) = (self.cameras[index].last_id, self.setup.views.len());
        let view = match last_id {
            Some(_) if lost <= MOST_LATE => View::Waiting(Some(Reason::LostFrame)),
            _ => View::Said(ViewVerdict::Unjudged(Reason::LostFrame)),
        };
        let due_ns = now_ns + LATE_NS.min(self.setup.budget_ns);
        for nth in 1..=lost {
            if let Some(part) = self.announce(now_ns, None, now_ns, actions) {
                let part = self.parts.get_mut(part);
                part.views[..views].fill(view);
                part.lost_id = last_id.map(|id| id.wrapping_add(nth));
                part.budget_due_ns = Some(due_ns);
            }
        }
    }

    /// A frame that was told as lost has come: it is of the part that was announced then, and of no
    /// part where that is forgotten.
    pub(super) fn late(
        &mut self,
        seen: Seen,
        at_mm: Option<f64>,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) {
        let lost_with = |&index: &usize| self.parts.get(index).lost_id == Some(seen.frame_id);
        let Some(index) = (0..self.parts.len()).rev().find(lost_with) else {
            self.stray(seen.view, actions);
            return;
        };
        let origin_mm = at_mm.map(|mm| mm - self.seen_mm[usize::from(seen.view)]);
        let budget_due_ns = self.budget_due_ns(seen.captured_ns, origin_mm);
        let part = self.parts.get_mut(index);
        part.lost_id = None;
        if part.open() {
            (part.origin_mm, part.budget_due_ns) = (origin_mm, budget_due_ns);
        }
        self.take(index, seen, now_ns, actions);
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
        part.budget_due_ns = self.budget_due_ns(at_ns, origin_mm);
        let index = self.parts.push(&part);
        if index.is_none() {
            self.overload(part, now_ns, actions);
        }
        index
    }

    /// When a part is committed that has passed the last camera at this instant, as one has of which
    /// nobody knows where it is.
    fn budget_due_ns(&self, at_ns: i64, origin_mm: Option<f64>) -> Option<i64> {
        let passed = self.position.at(at_ns).zip(origin_mm).is_none_or(|(now_mm, origin)| {
            // A frame's own part is where the camera sees it, but for rounding.
            now_mm - origin >= self.last_seen_mm - 1e-6
        });
        passed.then(|| at_ns.saturating_add(self.setup.budget_ns))
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

#[cfg(test)]
mod tests {
    use super::super::event::{Event, Judge};
    use super::super::setup::Setup;
    use super::*;
    use crate::frame::Disorder;

    struct Bench {
        tracker: Tracker,
        now_ns: i64,
    }

    impl Bench {
        fn new() -> Self {
            Self { tracker: Tracker::new(Setup::camera_only()).unwrap(), now_ns: 0 }
        }

        fn tell(&mut self, event: Event) -> Vec<Action> {
            let mut actions = Vec::new();
            self.tracker.on(event, self.now_ns, &mut actions);
            assert!(self.tracker.counts().reconcile());
            actions
        }

        /// Whose the frame is that comes 10 ms after whatever came before.
        fn frame(&mut self, frame_id: u64, disorder: Option<Disorder>) -> Action {
            self.now_ns += 10 * MS;
            let captured_ns = self.now_ns;
            let seen = Seen { captured_ns, frame_id, disorder, ..Seen::default() };
            let is_answer = |action: &Action| {
                matches!(action, Action::Judge(_) | Action::Unjudged { .. } | Action::Stray { .. })
            };
            let answers: Vec<_> =
                self.tell(Event::Frame(seen)).into_iter().filter(is_answer).collect();
            let [answer] = answers[..] else { panic!("{answers:?}") };
            answer
        }

        fn judged(&mut self, frame_id: u64, disorder: Option<Disorder>) -> u64 {
            match self.frame(frame_id, disorder) {
                Action::Judge(Judge { part, view: 0, .. }) => part,
                other => panic!("{other:?}"),
            }
        }

        fn lost(&mut self, lost: u64) -> Vec<Action> {
            self.tell(Event::Gap { view: 0, lost })
        }
    }

    #[test]
    fn a_frame_that_comes_late_is_of_the_part_that_its_gap_announced() {
        let mut bench = Bench::new();
        assert_eq!(bench.judged(7, None), 1);
        bench.lost(2);
        assert_eq!(bench.judged(10, None), 4);
        assert_eq!(bench.judged(9, Some(Disorder::Late)), 3);
        assert_eq!(bench.judged(8, Some(Disorder::Late)), 2);
        assert_eq!((bench.tracker.counts().announced, bench.tracker.stray_frames()), (4, 0));
        // Its place is taken now.
        assert_eq!(bench.frame(8, Some(Disorder::Late)), Action::Stray { view: 0 });
        assert_eq!(bench.judged(11, None), 5);
    }

    #[test]
    fn a_lost_frame_is_waited_for_a_moment_and_announces_nothing_after_that() {
        let mut bench = Bench::new();
        bench.judged(1, None);
        let is_commit = |action: &Action| matches!(action, Action::Commit(_));
        assert!(!bench.lost(1).iter().any(is_commit));
        bench.now_ns += LATE_NS;
        let outcome = bench.tell(Event::Tick).into_iter().find_map(|action| match action {
            Action::Commit(committed) => Some((committed.part, committed.outcome)),
            _ => None,
        });
        assert_eq!(outcome, Some((2, Outcome::Unjudged(Reason::LostFrame))));
        let too_late = Action::Unjudged { part: 2, view: 0, reason: Reason::Late };
        assert_eq!(bench.frame(2, Some(Disorder::Late)), too_late);
        assert_eq!(bench.tracker.counts().announced, 2);
    }

    #[test]
    fn a_frame_that_comes_twice_is_one_part() {
        let mut bench = Bench::new();
        assert_eq!(bench.judged(1, None), 1);
        assert_eq!(bench.frame(1, Some(Disorder::Repeated)), Action::Stray { view: 0 });
        assert_eq!(bench.judged(2, None), 2);
        let counts = bench.tracker.counts();
        assert_eq!((counts.announced, counts.in_flight, bench.tracker.stray_frames()), (2, 2, 1));
    }

    #[test]
    fn a_frame_that_the_first_has_overtaken_is_a_part_of_its_own() {
        let mut bench = Bench::new();
        assert_eq!(bench.judged(2, None), 1);
        assert_eq!(bench.judged(1, Some(Disorder::Overtaken)), 2);
        // What is missing after it is counted from the later one.
        bench.lost(1);
        assert_eq!(bench.judged(4, None), 4);
        assert_eq!(bench.judged(3, Some(Disorder::Late)), 3);
        let counts = bench.tracker.counts();
        assert_eq!((counts.announced, counts.in_flight, bench.tracker.stray_frames()), (4, 4, 0));
    }

    #[test]
    fn pictures_without_numbers_and_long_gaps_are_not_waited_for() {
        let mut bench = Bench::new();
        let is_commit = |action: &&Action| matches!(action, Action::Commit(_));
        assert_eq!(bench.lost(1).iter().filter(is_commit).count(), 1);
        bench.judged(1, None);
        assert_eq!(bench.lost(MOST_LATE + 1).iter().filter(is_commit).count(), 9);
        assert_eq!(bench.lost(MOST_LATE).iter().filter(is_commit).count(), 0);
    }
}
