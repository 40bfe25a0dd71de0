//! Position first: fire when the leading edge is where it must be, recomputed at every reading of
//! the encoder until the command is out; and never on a belt that stands.

use super::Tracker;
use super::event::{Action, Cause};
use super::geometry::{Gaps, Geometry, Window};
use super::part::{Sent, Stage};
use super::setup::{AnnouncedBy, OnCrowded};
use crate::actuate::{Answer, Command, Key};
use crate::outcome::{ClassId, Disposition};

/// Parts to either side of one among which its neighbours are: some have no place, or were struck.
const NEIGHBOURS: usize = 8;

/// One part's stroke at the speed of now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    /// When the device has to be told: its lead and our guard before the command's instant.
    pub(super) send_ns: i64,
    fire_ns: i64,
    earliest_ns: i64,
    latest_ns: i64,
    /// No instant spares both neighbours; the window is that of the hit alone.
    crowded: bool,
    /// No instant hits the part whole.
    impossible: bool,
}

impl Tracker {
    /// The stroke of an ejector on a part; `None` while the belt stands or the part cannot be placed.
    pub(super) fn stroke(&self, index: usize, ejector: usize, now_ns: i64) -> Option<Stroke> {
        let speed_mm_s = self.position.speed_mm_s();
        let lead_mm = self.lead_mm(index, now_ns)?;
        if speed_mm_s <= 0.0 {
            return None;
        }
        let device = &self.setup.ejectors[ejector].device;
        let geometry = self.geometry(index, ejector, speed_mm_s);
        let (window, crowded) = self.window(&geometry, self.gaps(index, lead_mm));
        let at_ns = |c_mm: f64| {
            let left_mm = geometry.lead_at_command_mm(c_mm) - lead_mm;
            Self::reached_ns(now_ns, left_mm, speed_mm_s)
        };
        let fire_ns = at_ns(window.middle_mm())?;
        Some(Stroke {
            send_ns: fire_ns - device.lead_ns - self.setup.guard_ns,
            fire_ns,
            earliest_ns: at_ns(window.to_mm)?,
            latest_ns: at_ns(window.from_mm)?,
            crowded,
            impossible: window.width_mm() <= 0.0,
        })
    }

    fn geometry(&self, index: usize, ejector: usize, speed_mm_s: f64) -> Geometry<'_> {
        let ejector = &self.setup.ejectors[ejector];
        Geometry { ejector, part_mm: self.length_mm(index), speed_mm_s }
    }

    /// How long a part is: as the eye has measured it, else as parts are.
    fn length_mm(&self, index: usize) -> f64 {
        self.parts.get(index).length_mm.unwrap_or(self.part_mm)
    }

    /// The window, and whether it had to give up on the neighbours.
    fn window(&self, geometry: &Geometry<'_>, gaps: Gaps) -> (Window, bool) {
        let clean = geometry.clean(gaps);
        if clean.width_mm() > 0.0 { (clean, false) } else { (geometry.hits(), true) }
    }

    /// When an ejector would have to be told if the belt ran at full speed from now on.
    pub(super) fn soonest_send_ns(
        &self,
        index: usize,
        ejector: usize,
        lead_mm: f64,
        now_ns: i64,
    ) -> i64 {
        let geometry = self.geometry(index, ejector, self.max_speed_mm_s);
        let left_mm = geometry.lead_at_command_mm(geometry.hits().middle_mm()) - lead_mm;
        let lead_ns = self.setup.ejectors[ejector].device.lead_ns + self.setup.guard_ns;
        Self::reached_ns(now_ns, left_mm, self.max_speed_mm_s).unwrap_or(i64::MAX) - lead_ns
    }

    /// Free belt around a part: what was struck is not there any more, and behind the last part
    /// nothing has come to the eye yet.
    fn gaps(&self, index: usize, lead_mm: f64) -> Gaps {
        let Some(origin_mm) = self.parts.get(index).origin_mm else {
            return Gaps { ahead_mm: 0.0, behind_mm: 0.0 };
        };
        let near = |other: usize| {
            let part = self.parts.get(other);
            Some((part.origin_mm.filter(|_| !part.struck)?, self.length_mm(other)))
        };
        let length_mm = self.length_mm(index);
        let (mut ahead, mut behind) = (None::<(f64, f64)>, None::<(f64, f64)>);
        for is_before in [true, false] {
            // Parts are in their order but for those whose frames were overtaken, so that the second
            // on its side is far enough.
            let mut settled = 0;
            for far in 1..=NEIGHBOURS {
                let after = Some(index + far).filter(|&other| other < self.parts.len());
                let other = if is_before { index.checked_sub(far) } else { after };
                let Some(other) = other else { break };
                let Some(part) = near(other) else { continue };
                let is_ahead = part.0 <= origin_mm;
                let nearest = if is_ahead { &mut ahead } else { &mut behind };
                if nearest.is_none_or(|known| is_ahead == (known.0 < part.0)) {
                    *nearest = Some(part);
                }
                settled += u32::from(is_ahead == is_before);
                if settled == 2 {
                    break;
                }
            }
        }
        let least_mm = self.setup.belt.as_ref().map_or(0.0, |belt| belt.least_gap_mm);
        let unseen_mm = match self.setup.announced_by {
            AnnouncedBy::Sensor | AnnouncedBy::Call => (lead_mm - length_mm).max(least_mm),
            AnnouncedBy::Frame => least_mm,
        };
        let gap =
            |front_mm: f64, length_mm: f64, back_mm: f64| (back_mm - front_mm - length_mm).max(0.0);
        Gaps {
            ahead_mm: ahead
                .map_or(f64::INFINITY, |(ahead_mm, long_mm)| gap(ahead_mm, long_mm, origin_mm)),
            behind_mm: behind
                .map_or(unseen_mm, |(behind_mm, _)| gap(origin_mm, length_mm, behind_mm)),
        }
    }

    /// Fires if it is time; when to look again.
    pub(super) fn fire(
        &mut self,
        index: usize,
        ejector: u8,
        class: ClassId,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<i64> {
        let place = usize::from(ejector);
        let stroke = self.stroke(index, place, now_ns)?;
        if now_ns < stroke.send_ns {
            return Some(stroke.send_ns);
        }
        let model = self.setup.ejectors[place];
        let soonest_ns = now_ns + model.device.lead_ns;
        let fire_ns = stroke.fire_ns.max(soonest_ns).max(self.free_again_ns[place]);
        if stroke.impossible || fire_ns > stroke.latest_ns {
            self.refuse(index, Some(Cause::Refused), actions);
            return None;
        }
        if stroke.crowded {
            self.alarms.alarm(Cause::Crowded, actions);
            if self.setup.policy.on_crowded == OnCrowded::Stop {
                self.refuse(index, Some(Cause::Crowded), actions);
                return None;
            }
            self.book_collateral(index, actions);
        }
        let part = self.parts.get_mut(index);
        part.stage = Stage::Sent { ejector, class, fire_ns, command: Sent::Asked };
        let key = Key { session: self.setup.session, part: part.id, ejector };
        let command = Command {
            key,
            fire_ns,
            earliest_ns: stroke.earliest_ns,
            latest_ns: stroke.latest_ns,
            fire_count: self.position.count_at(now_ns, fire_ns),
            pulse_ns: model.pulse_ns,
            class,
        };
        actions.push(Action::Fire { command, due_ns: stroke.send_ns });
        None
    }

    /// Both neighbours may be hit: no instant would have spared them.
    fn book_collateral(&mut self, index: usize, actions: &mut Vec<Action>) {
        let neighbours = [index.checked_sub(1), Some(index + 1)];
        let len = self.parts.len();
        for near in neighbours.into_iter().flatten().filter(|&near| near < len) {
            let part = self.parts.get_mut(near);
            let before = std::mem::replace(&mut part.collateral, true);
            // What is open yet is told after its commit.
            if part.stage == Stage::Passing && !part.unwanted && !before {
                let (part, disposition) = (part.id, Disposition::Collateral);
                actions.push(Action::Disposition { part, disposition });
            }
        }
    }

    /// What the device answered.
    pub(super) fn answered(&mut self, key: Key, answer: Answer, actions: &mut Vec<Action>) {
        let Some(index) = self.sent_index(key) else {
            return;
        };
        let place = usize::from(key.ejector);
        let model = self.setup.ejectors[place];
        let part = self.parts.get_mut(index);
        match (&mut part.stage, answer) {
            (Stage::Sent { fire_ns, command, .. }, Answer::Accepted(_) | Answer::Duplicate(_)) => {
                *command = Sent::Accepted;
                let out_ns = model.occupied_ns.max(model.pulse_ns);
                part.struck = true;
                part.free_before_ns = self.free_again_ns[place];
                self.free_again_ns[place] = *fire_ns + out_ns + model.recover_ns;
                let disposition = Disposition::Commanded;
                actions.push(Action::Disposition { part: part.id, disposition });
            }
            _ => self.refuse(index, Some(Cause::Refused), actions),
        }
    }

    /// Looks after a command that is out; when to look again.
    pub(super) fn sent(
        &mut self,
        index: usize,
        now_ns: i64,
        actions: &mut Vec<Action>,
    ) -> Option<i64> {
        let stands = self.position.speed_mm_s() <= 0.0;
        let session = self.setup.session;
        let part = self.parts.get_mut(index);
        let Stage::Sent { ejector, fire_ns, command, .. } = &mut part.stage else {
            return None;
        };
        let model = &self.setup.ejectors[usize::from(*ejector)];
        if !matches!(command, Sent::Accepted | Sent::Firm) {
            return None;
        }
        if now_ns < *fire_ns {
            if stands && model.device.can_cancel && *command == Sent::Accepted {
                *command = Sent::Cancelling;
                actions.push(Action::Cancel(Key { session, part: part.id, ejector: *ejector }));
                return None;
            }
            return Some(*fire_ns);
        }
        let over_ns = if model.device.confirms {
            *fire_ns + model.confirm_ns
        } else {
            *fire_ns + model.dead_ns + model.occupied_ns
        };
        if now_ns < over_ns {
            return Some(over_ns);
        }
        if model.device.confirms {
            self.unconfirmed(index, actions);
        } else {
            part.stage = Stage::Gone;
        }
        None
    }

    /// Whether a command was taken back in time: if so the part is fired at when the belt runs again.
    pub(super) fn cancelled(&mut self, key: Key, done: bool) {
        let Some(index) = self.sent_index(key) else {
            return;
        };
        let place = usize::from(key.ejector);
        let part = self.parts.get_mut(index);
        if let Stage::Sent { ejector, class, command, .. } = &mut part.stage {
            if done {
                part.struck = false;
                self.free_again_ns[place] = part.free_before_ns;
                part.stage = Stage::Firing { ejector: *ejector, class: *class };
            } else {
                *command = Sent::Firm;
            }
        }
    }

    /// The device did not fire after all.
    pub(super) fn dropped(&mut self, key: Key, actions: &mut Vec<Action>) {
        if let Some(index) = self.sent_index(key) {
            self.refuse(index, Some(Cause::Refused), actions);
        }
    }

    /// Whether the part was seen to leave.
    pub(super) fn confirmed(&mut self, key: Key, seen: bool, actions: &mut Vec<Action>) {
        let Some(index) = self.sent_index(key) else {
            return;
        };
        if !seen {
            return self.unconfirmed(index, actions);
        }
        let part = self.parts.get_mut(index);
        part.stage = Stage::Gone;
        let (part, disposition) = (part.id, Disposition::Confirmed);
        actions.push(Action::Disposition { part, disposition });
    }

    fn unconfirmed(&mut self, index: usize, actions: &mut Vec<Action>) {
        self.parts.get_mut(index).struck = false;
        self.leave_on_belt(index, Disposition::Unconfirmed, actions);
        self.alarms.stop(Cause::Unconfirmed, actions);
    }

    /// A part that should go stays on the belt, and `cause` asks for a stop.
    pub(super) fn refuse(&mut self, index: usize, cause: Option<Cause>, actions: &mut Vec<Action>) {
        self.parts.get_mut(index).struck = false;
        self.leave_on_belt(index, Disposition::Refused, actions);
        if let Some(cause) = cause {
            self.alarms.stop(cause, actions);
        }
    }

    fn leave_on_belt(&mut self, index: usize, disposition: Disposition, actions: &mut Vec<Action>) {
        let part = self.parts.get_mut(index);
        part.stage = if part.origin_mm.is_some() { Stage::Passing } else { Stage::Gone };
        actions.push(Action::Disposition { part: part.id, disposition });
    }

    /// Watches a part that stays until it is past the last station; when that will be.
    pub(super) fn pass_by(&mut self, index: usize, now_ns: i64) -> Option<i64> {
        let past_mm = self.last_station_mm + self.part_mm;
        let left_mm = self.lead_mm(index, now_ns).map_or(0.0, |lead_mm| past_mm - lead_mm);
        if left_mm <= 0.0 {
            self.parts.get_mut(index).stage = Stage::Gone;
            return None;
        }
        let reached_ns = Self::reached_ns(now_ns, left_mm, self.position.speed_mm_s())?;
        Some(reached_ns.max(now_ns + 1))
    }

    fn sent_index(&self, key: Key) -> Option<usize> {
        let index = self.parts.find(key.part)?;
        let ours = key.session == self.setup.session;
        match self.parts.get(index).stage {
            Stage::Sent { ejector, .. } if ours && ejector == key.ejector => Some(index),
            _ => None,
        }
    }
}
