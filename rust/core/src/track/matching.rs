//! Whose a frame is: the part that must have been before the camera when it was exposed. Never by
//! counting frames.

use super::Tracker;
use super::event::{Action, Judge, Seen};
use super::part::View;
use super::setup::AnnouncedBy;
use crate::clock::SEC;
use crate::frame::Disorder;
use crate::outcome::{PartId, Reason, ViewVerdict};

/// What the parts say to a frame.
enum Found {
    None,
    One(usize),
    /// The nearest of several.
    Several(usize),
}

impl Tracker {
    pub(super) fn frame(&mut self, seen: Seen, now_ns: i64, actions: &mut Vec<Action>) {
        let view = usize::from(seen.view);
        let before = actions.len();
        if view >= self.setup.views.len() {
            self.stray(seen.view, actions);
            return;
        }
        self.cameras[view].silence.broken(seen.captured_ns, now_ns);
        let at_mm = self.position.latched(seen.encoder_count, seen.captured_ns);
        let announces = self.setup.announced_by == AnnouncedBy::Frame && view == self.first_view;
        match seen.disorder {
            // A second time it shows no second part, and is no reason to doubt the first.
            Some(Disorder::Repeated) => {
                self.stray(seen.view, actions);
                return self.place_of_frame(before, now_ns, actions);
            }
            Some(Disorder::Late) if announces => {
                self.late(seen, at_mm, now_ns, actions);
                return self.place_of_frame(before, now_ns, actions);
            }
            // Nobody was told of it: it announces as any other does.
            Some(Disorder::Late | Disorder::Overtaken) => {}
            None => self.cameras[view].last_id = Some(seen.frame_id),
        }
        // A camera without a belt may well be given two pictures of one instant.
        let found = match at_mm {
            Some(at_mm) if !announces || self.setup.belt.is_some() => self.find(seen, at_mm),
            _ => Found::None,
        };
        let found = match found {
            Found::None if !announces => self.counted(seen, at_mm).map_or(found, Found::One),
            other => other,
        };
        if let (Found::One(index), Some(counter)) = (&found, seen.counter) {
            let part = self.parts.get(*index).id as i64;
            self.cameras[view].counted_from = Some(part.wrapping_sub(counter as i64));
        }
        match found {
            Found::None if announces => {
                match self.announce_by_frame(seen, at_mm, now_ns, actions) {
                    Some(index) => self.take(index, seen, now_ns, actions),
                    None => self.untaken(seen, before, actions),
                }
            }
            Found::None => self.stray(seen.view, actions),
            Found::One(index) => {
                self.explain_missing(index, view);
                self.take(index, seen, now_ns, actions);
            }
            Found::Several(nearest) => {
                self.explain_missing(nearest, view);
                self.unjudged(nearest, seen.view, Reason::Ambiguous, actions);
            }
        }
        self.place_of_frame(before, now_ns, actions);
    }

    /// Frames of no part are a reason to look, once the line knows every part on the belt.
    fn place_of_frame(&mut self, before: usize, now_ns: i64, actions: &mut Vec<Action>) {
        let stray = matches!(actions[before..].last(), Some(Action::Stray { .. }));
        if self.setup.ejectors.is_empty() || self.ready(now_ns) {
            self.alarms.frame(stray, actions);
        }
    }

    /// The parts in the window; of several, each is ambiguous.
    fn find(&mut self, seen: Seen, at_mm: f64) -> Found {
        let view = usize::from(seen.view);
        let error_ns = if seen.encoder_count.is_some() { 0 } else { seen.error_ns };
        let window_ns = self.setup.views[view].window_ns + error_ns;
        let window_mm = self.max_speed_mm_s * window_ns as f64 / SEC as f64;
        let off_mm = |index: usize| {
            let origin_mm = self.parts.get(index).origin_mm?;
            Some((at_mm - origin_mm - self.seen_at_mm(index, view)).abs())
        };
        let fits = |index: usize| self.fits(index, view, at_mm, window_mm);
        let (mut nearest, mut fitting) = (None, 0);
        for index in (0..self.parts.len()).filter(|&index| fits(index)) {
            fitting += 1;
            let off_mm = off_mm(index);
            if nearest.is_none_or(|(_, least_mm)| off_mm < least_mm) {
                nearest = Some((index, off_mm));
            }
        }
        match (nearest, fitting) {
            (None, _) => Found::None,
            (Some((index, _)), 1) => Found::One(index),
            (Some((nearest, _)), _) => {
                // The camera counts its triggers, and one of these is the part of this one.
                if let Some(counted) = self.by_counter(seen).filter(|&index| fits(index)) {
                    return Found::One(counted);
                }
                for index in 0..self.parts.len() {
                    if self.fits(index, view, at_mm, window_mm) && self.parts.get(index).open() {
                        self.parts.get_mut(index).ambiguous = true;
                    }
                }
                Found::Several(nearest)
            }
        }
    }

    fn fits(&self, index: usize, view: usize, at_mm: f64, window_mm: f64) -> bool {
        let origin_mm = self.parts.get(index).origin_mm;
        origin_mm.is_some_and(|origin_mm| {
            (at_mm - origin_mm - self.seen_at_mm(index, view)).abs() <= window_mm
        })
    }

    /// Where this part's leading edge is when a camera sees it: of a part whose length the eye has
    /// measured, the camera sees its own middle.
    pub(super) fn seen_at_mm(&self, index: usize, view: usize) -> f64 {
        let camera = &self.setup.views[view];
        match (camera.behind_lead_mm, self.parts.get(index).length_mm) {
            (None, Some(length_mm)) => camera.at_mm + length_mm / 2.0,
            _ => self.seen_mm[view],
        }
    }

    /// The part of this trigger by the camera's own count, which the last frame that was placed has
    /// tied to the parts; only one that still waits for this camera's frame.
    fn by_counter(&self, seen: Seen) -> Option<usize> {
        let view = usize::from(seen.view);
        let from = self.cameras[view].counted_from?;
        let part = from.checked_add(i64::try_from(seen.counter?).ok()?)?;
        let index = self.parts.find(u64::try_from(part).ok()?)?;
        let part = self.parts.get(index);
        (part.open() && matches!(part.views[view], View::Waiting(_))).then_some(index)
    }

    /// The part of a frame that position cannot place: nobody knows where it was exposed, or where
    /// the part is.
    fn counted(&self, seen: Seen, at_mm: Option<f64>) -> Option<usize> {
        let unplaced =
            |index: &usize| at_mm.is_none() || self.parts.get(*index).origin_mm.is_none();
        self.by_counter(seen).filter(unplaced)
    }

    /// The frame is this part's.
    pub(super) fn take(
        &mut self,
        index: usize,
        seen: Seen,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) {
        let part = self.parts.get_mut(index);
        let open = part.open();
        let view = &mut part.views[usize::from(seen.view)];
        let reason = if !open {
            Reason::Late
        } else if !matches!(view, View::Waiting(_)) {
            part.ambiguous = true;
            Reason::Ambiguous
        } else if part.ambiguous {
            Reason::Ambiguous
        } else if seen.incomplete {
            *view = View::Said(ViewVerdict::Unjudged(Reason::Incomplete));
            Reason::Incomplete
        } else {
            *view = View::Judging;
            let part = part.id;
            let (due_ns, live_due_ns) = self.work_due_ns(index, now_ns);
            actions.push(Action::Judge(Judge { part, view: seen.view, due_ns, live_due_ns }));
            return;
        };
        self.unjudged(index, seen.view, reason, actions);
    }

    /// Older parts that still wait for a frame of this camera had theirs lost, if it says that it
    /// lost some: frames of one camera come in order.
    fn explain_missing(&mut self, matched: usize, view: usize) {
        let mut lost = std::mem::take(&mut self.cameras[view].lost_frames);
        for index in (0..matched).rev() {
            if lost == 0 {
                return;
            }
            let part = self.parts.get_mut(index);
            if !part.open() {
                return;
            }
            if let View::Waiting(reason @ None) = &mut part.views[view] {
                *reason = Some(Reason::LostFrame);
                lost -= 1;
            }
        }
    }

    fn unjudged(&self, index: usize, view: u8, reason: Reason, actions: &mut Vec<Action>) {
        actions.push(Action::Unjudged { part: self.parts.get(index).id, view, reason });
    }

    pub(super) fn stray(&mut self, view: u8, actions: &mut Vec<Action>) {
        self.stray_frames += 1;
        actions.push(Action::Stray { view });
    }

    /// The frame announced a part that found no place, or came after the end.
    fn untaken(&mut self, seen: Seen, before: usize, actions: &mut Vec<Action>) {
        let announced = actions[before..].iter().find_map(|action| match action {
            Action::Announced { part, .. } => Some(*part),
            _ => None,
        });
        match announced {
            Some(part) => {
                let (view, reason) = (seen.view, Reason::Overload);
                actions.push(Action::Unjudged { part, view, reason });
            }
            None => self.stray(seen.view, actions),
        }
    }

    pub(super) fn verdict(
        &mut self,
        part: PartId,
        view: u8,
        verdict: ViewVerdict,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) {
        let found = self.parts.find(part).map(|index| self.parts.get_mut(index));
        let awaited = found.filter(|part| {
            part.open() && part.views.get(usize::from(view)) == Some(&View::Judging)
        });
        match awaited {
            Some(part) => {
                part.views[usize::from(view)] = View::Said(sound(verdict));
                part.verdict_ns = Some(now_ns);
            }
            None => actions.push(Action::LateVerdict { part, view, verdict }),
        }
    }
}

/// A score that is no number is no verdict.
pub(crate) fn sound(verdict: ViewVerdict) -> ViewVerdict {
    match verdict {
        ViewVerdict::Pass { score } | ViewVerdict::Reject { score, .. } if !score.is_finite() => {
            ViewVerdict::Unjudged(Reason::ModelError)
        }
        sound => sound,
    }
}
