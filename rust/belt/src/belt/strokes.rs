//! What ejectors do to parts: from the command to the contact and the bin.

use super::{Belt, Due, StationKind};
use crate::eject::Sweep;
use crate::event::Event;
use crate::feed::Part;
use crate::ledger::{Fate, Ignored, StrokeId, StrokeRecord, StrokeState};
use crate::rng::{Rng, Stream};

impl Belt {
    /// The device gets a command.
    pub(super) fn decide(&mut self, stroke: StrokeId, events: &mut Vec<Event>) {
        let seed = self.setup.seed;
        let record = *self.ledger.stroke_mut(stroke);
        let state = match self.ejectors.get_mut(record.ejector) {
            None => StrokeState::Ignored(Ignored::NoEjector),
            Some(ejector) => {
                let draw = Rng::of(seed, Stream::Stroke(record.ejector), u64::from(stroke.0));
                ejector.command(self.now_ns, record.pulse_ns, draw)
            }
        };
        self.ledger.stroke_mut(stroke).state = state;
        match state {
            // All three now: the next stroke may begin at the very instant this one ends.
            StrokeState::Made { begins_ns, hit_ns, ends_ns, .. } => {
                self.set(begins_ns, Due::Begin(stroke));
                self.set(hit_ns, Due::Hit(record.ejector));
                self.set(ends_ns, Due::End(record.ejector));
            }
            StrokeState::Ignored(why) => events.push(Event::Ignored {
                ejector: record.ejector,
                stroke,
                at_ns: self.now_ns,
                why,
            }),
            StrokeState::Waiting | StrokeState::Cancelled => {}
        }
    }

    pub(super) fn begin(&mut self, stroke: StrokeId, events: &mut Vec<Event>) {
        let StrokeRecord { ejector, state, .. } = *self.ledger.stroke_mut(stroke);
        let StrokeState::Made { begins_ns, hit_ns, .. } = state else {
            return;
        };
        self.ejectors[ejector].out = Some(Sweep { stroke, begins_ns, hit_ns });
        events.push(Event::Effect { ejector, stroke, begins: true, at_ns: self.now_ns });
    }

    /// The hit is over: what it held is gone.
    pub(super) fn hit(&mut self, index: usize, events: &mut Vec<Event>) {
        let Some(sweep) = self.ejectors[index].out else {
            return;
        };
        for live in 0..self.live.len() {
            let part = self.live[live];
            let ejector = &self.ejectors[index];
            if !self.is_on_belt(&part) {
                continue;
            }
            let felt = ejector.feel(&sweep, self.now_ns, &part, &self.motion);
            let Some((felt, clean)) =
                felt.and_then(|felt| Some((felt, ejector.removes(&felt, &part)?)))
            else {
                continue;
            };
            self.ledger.add_contact(ejector.touch(&sweep, &part, &felt, true));
            self.remove(live, index, sweep.stroke, clean, events);
        }
        self.settle();
    }

    fn is_on_belt(&self, part: &Part) -> bool {
        self.ledger.part(part.number).is_some_and(|record| record.fate == Fate::OnBelt)
    }

    fn remove(
        &mut self,
        live: usize,
        ejector: usize,
        stroke: StrokeId,
        clean: bool,
        events: &mut Vec<Event>,
    ) {
        self.live[live].gone = true;
        let part = self.live[live];
        let fate = Fate::Removed { ejector, stroke, clean };
        self.leave(part, fate, events);
        // A long part may be pushed out of the eye's beam.
        let eye_rear = self.stations.iter().find_map(|station| match station.kind {
            StationKind::EyeRear => Some(station.next),
            _ => None,
        });
        if eye_rear == Some(part.number) {
            self.beam_clears(&part);
        }
        if let Some(confirm) = &self.setup.ejectors[ejector].confirm {
            let stream = Stream::Confirm(ejector);
            let missed = Rng::of(self.setup.seed, stream, part.number).chance(confirm.missed_share);
            let at_ns = self.after_ms(confirm.delay_ms);
            if !missed {
                let part = Some(part.number);
                self.set(at_ns, Due::Confirm { ejector, part });
            }
        }
    }

    /// The face is out of the way: whatever it met beside the hit was touched.
    pub(super) fn end(&mut self, index: usize, events: &mut Vec<Event>) {
        let Some(sweep) = self.ejectors[index].out.take() else {
            return;
        };
        let ejector = &self.ejectors[index];
        for part in &self.live {
            if !self.is_on_belt(part) {
                continue;
            }
            if let Some(felt) = ejector.feel(&sweep, self.now_ns, part, &self.motion) {
                self.ledger.add_contact(ejector.touch(&sweep, part, &felt, false));
            }
        }
        let removed = self.ledger.stroke_mut(sweep.stroke).removed;
        if removed == 0
            && let Some(confirm) = &ejector.model().confirm
        {
            // Strokes count from the far end, so that none shares a draw with a part.
            let index_of_draw = !u64::from(sweep.stroke.0);
            let stream = Stream::Confirm(index);
            if Rng::of(self.setup.seed, stream, index_of_draw).chance(confirm.false_share) {
                let at_ns = self.after_ms(confirm.delay_ms);
                let due = Due::Confirm { ejector: index, part: None };
                self.set(at_ns, due);
            }
        }
        events.push(Event::Effect {
            ejector: index,
            stroke: sweep.stroke,
            begins: false,
            at_ns: self.now_ns,
        });
    }

    /// Takes a part off the belt; faces that are out have touched it until now and no longer.
    pub(super) fn leave(&mut self, part: Part, fate: Fate, events: &mut Vec<Event>) {
        let remover = match fate {
            Fate::Removed { ejector, .. } => Some(ejector),
            Fate::Kept | Fate::OnBelt => None,
        };
        for (index, ejector) in self.ejectors.iter().enumerate() {
            if let Some(sweep) = ejector.out
                && remover != Some(index)
                && let Some(felt) = ejector.feel(&sweep, self.now_ns, &part, &self.motion)
            {
                self.ledger.add_contact(ejector.touch(&sweep, &part, &felt, false));
            }
        }
        self.ledger.leave(part.number, self.now_ns, fate);
        events.push(Event::Left { part: part.number, at_ns: self.now_ns, fate });
    }
}
