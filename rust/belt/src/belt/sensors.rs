//! What the photo-eye and the cameras' triggers make of a part that passes.

use super::{Belt, Due};
use crate::feed::Part;
use crate::rng::{Rng, Stream};
use crate::setup::ns;

impl Belt {
    pub(super) fn eye_front(&mut self, part: &Part) {
        if self.beam_dark {
            return;
        }
        self.beam_dark = true;
        if self.edge(part, true)
            && let Some(record) = self.ledger.part_mut(part.number)
        {
            record.eye_seen = true;
        }
    }

    pub(super) fn eye_rear(&mut self, part: &Part) {
        let blind_mm = self.setup.eye.blind_gap_mm;
        let follower = self.live(part.number + 1);
        if follower.is_some_and(|next| next.gap_ahead_mm <= blind_mm) {
            return;
        }
        self.beam_clears(part);
    }

    pub(super) fn beam_clears(&mut self, part: &Part) {
        self.beam_dark = false;
        self.edge(part, false);
    }

    /// The beam changed: what the eye makes of it. Returns whether it signals the edge.
    fn edge(&mut self, part: &Part, rising: bool) -> bool {
        let eye = &self.setup.eye;
        let mut rng = Rng::of(self.setup.seed, Stream::Eye { rising }, part.number);
        let delay_ms = eye.delay_ms + rng.between(0.0, eye.jitter_ms);
        let signals = !rng.chance(eye.missed_share);
        let bounces = if signals && rng.chance(eye.bounce_share) { 1 + rng.below(3) } else { 0 };
        let phantom_ms = (!rising && rng.chance(eye.phantom_share)).then(|| rng.between(1.0, 20.0));
        let bounce_ms = eye.bounce_ms;
        let at_ns = self.after_ms(delay_ms);
        let own = Some(part.number);
        if signals {
            self.set(at_ns, Due::Eye { rising, part: own });
        }
        for bounce in 0..bounces {
            let slot_ms = bounce_ms / bounces as f64;
            let back_ms = slot_ms * (bounce as f64 + rng.between(0.1, 0.5));
            let again_ms = slot_ms * (bounce as f64 + rng.between(0.5, 0.9));
            for (rising, after_ms) in [(!rising, back_ms), (rising, again_ms)] {
                let at_ns = at_ns.saturating_add(ns(after_ms));
                self.set(at_ns, Due::Eye { rising, part: own });
            }
        }
        if let Some(after_ms) = phantom_ms {
            for (rising, after_ms) in [(true, after_ms), (false, after_ms + 1.0)] {
                let at_ns = at_ns.saturating_add(ns(bounce_ms + after_ms));
                self.set(at_ns, Due::Eye { rising, part: None });
            }
        }
        signals
    }

    pub(super) fn trigger(&mut self, camera: usize, part: &Part) {
        let model = &self.setup.cameras[camera];
        let mut rng = Rng::of(self.setup.seed, Stream::Camera(camera), part.number);
        let at_ns = self.after_ms(rng.between(0.0, model.jitter_ms));
        if rng.chance(model.missed_share) {
            return;
        }
        let double_ns = at_ns.saturating_add(ns(model.double_after_ms));
        let doubles = rng.chance(model.double_share);
        let part = part.number;
        self.set(at_ns, Due::Trigger { camera, part });
        if doubles {
            self.set(double_ns, Due::Trigger { camera, part });
        }
    }
}
