//! When a face that comes across a moving belt hits one part whole and spares its neighbours.
//!
//! In the frame of the part: `c` is the centre of the face, forward from the part's middle, at the
//! instant the effect begins. The face then moves backwards through the part at the belt's speed.

use super::setup::Ejector;
use crate::clock::SEC;

/// Free belt around a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gaps {
    pub(super) ahead_mm: f64,
    pub(super) behind_mm: f64,
}

/// Where a stroke may begin, as a range of `c`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from_mm: f64,
    pub(super) to_mm: f64,
}

impl Window {
    pub(super) fn width_mm(self) -> f64 {
        self.to_mm - self.from_mm
    }

    pub(super) fn middle_mm(self) -> f64 {
        (self.from_mm + self.to_mm) / 2.0
    }

    fn and(self, other: Self) -> Self {
        Self { from_mm: self.from_mm.max(other.from_mm), to_mm: self.to_mm.min(other.to_mm) }
    }
}

/// One ejector against one length of part at one speed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry<'a> {
    pub(super) ejector: &'a Ejector,
    pub(super) part_mm: f64,
    pub(super) speed_mm_s: f64,
}

impl Geometry<'_> {
    fn travel_mm(&self, for_ns: i64) -> f64 {
        self.speed_mm_s * for_ns as f64 / SEC as f64
    }

    /// How long the face is in the way: a longer pulse holds it there.
    pub(super) fn out_ns(&self) -> i64 {
        self.ejector.occupied_ns.max(self.ejector.pulse_ns)
    }

    /// The whole face is on the part during the whole hit.
    pub(super) fn hits(&self) -> Window {
        let (half_face, half_part) = (self.ejector.face_mm / 2.0, self.part_mm / 2.0);
        Window {
            from_mm: half_face + self.travel_mm(self.ejector.hit_ns) - half_part,
            to_mm: half_part - half_face,
        }
    }

    /// The face touches neither neighbour until it is out of the way.
    pub(super) fn spares(&self, gaps: Gaps) -> Window {
        let (half_face, half_part) = (self.ejector.face_mm / 2.0, self.part_mm / 2.0);
        Window {
            from_mm: half_face + self.travel_mm(self.out_ns()) - half_part - gaps.behind_mm,
            to_mm: half_part + gaps.ahead_mm - half_face,
        }
    }

    /// Both.
    pub(super) fn clean(&self, gaps: Gaps) -> Window {
        self.hits().and(self.spares(gaps))
    }

    /// Where the leading edge is when the command must be given for the effect to begin at `c_mm`.
    pub(super) fn lead_at_command_mm(&self, c_mm: f64) -> f64 {
        self.ejector.at_mm + self.part_mm / 2.0 - c_mm - self.travel_mm(self.ejector.dead_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::setup::tests::pusher;

    fn at(ejector: &Ejector, part_mm: f64, speed_mm_s: f64) -> Geometry<'_> {
        Geometry { ejector, part_mm, speed_mm_s }
    }

    #[test]
    fn the_effect_lies_around_the_middle_of_the_part() {
        let ejector = pusher();
        let geometry = at(&ejector, 100.0, 1000.0);
        let lead_mm = geometry.lead_at_command_mm(geometry.hits().middle_mm());
        // D + L/2 - v (t_dead + t_hit / 2), D being the way from the eye.
        assert!((lead_mm - (700.0 + 50.0 - 1000.0 * (0.012 + 0.015 / 2.0))).abs() < 1e-9);
    }

    #[test]
    fn a_pusher_that_sweeps_more_than_part_and_gaps_spares_no_neighbour() {
        let slow = Ejector { occupied_ns: SEC / 5, ..pusher() };
        let gaps = Gaps { ahead_mm: 60.0, behind_mm: 60.0 };
        assert!(at(&slow, 100.0, 1000.0).clean(gaps).width_mm() < 0.0);
        assert!(at(&pusher(), 100.0, 1000.0).clean(gaps).width_mm() > 30.0);
    }

    #[test]
    fn a_small_tablet_is_hit_whole_only_by_a_short_blow() {
        // 12 mm, 0.5 m/s, 5 mm jet: less than 14 ms.
        let jet = |hit_ms: i64| Ejector { face_mm: 5.0, hit_ns: hit_ms * 1_000_000, ..pusher() };
        assert!(at(&jet(13), 12.0, 500.0).hits().width_mm() > 0.0);
        assert!(at(&jet(15), 12.0, 500.0).hits().width_mm() < 0.0);
    }
}
