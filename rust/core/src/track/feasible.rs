//! Whether a line can work at all: refused when it is configured, with the figures, rather than at
//! night with parts on the belt.

use super::geometry::{Gaps, Geometry};
use super::setup::{Belt, Ejector, MOST_EJECTORS, MOST_VIEWS, Motion, Setup};
use crate::clock::{MS, SEC};
use crate::error::{Error, Result};
use crate::sense::Latch;

/// Lengths and speeds beyond this are slips of the keyboard.
const SANE: f64 = 1e7;

impl Setup {
    /// Checks that every part can be matched, judged and removed at full speed.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number that means nothing, [`Error::Infeasible`] with the figures for
    /// a plant that cannot work.
    pub fn check(&self) -> Result<()> {
        self.check_numbers()?;
        let Some(belt) = &self.belt else {
            return self.check_without_belt();
        };
        self.check_matching(belt)?;
        for (index, ejector) in self.ejectors.iter().enumerate() {
            self.check_stroke(belt, index, ejector)?;
            self.check_decision(belt, index, ejector)?;
        }
        self.check_transit(belt)
    }

    fn check_numbers(&self) -> Result<()> {
        count("views", self.views.len(), 1, MOST_VIEWS)?;
        count("ejectors", self.ejectors.len(), 0, MOST_EJECTORS)?;
        count("capacity", self.capacity, 1, 1 << 20)?;
        time("announce_error", self.announce_error_ns)?;
        time("budget", self.budget_ns)?;
        time("guard", self.guard_ns)?;
        time("decision", self.decision_ns)?;
        time("lost", self.limits.lost_ns)?;
        share("unjudged_share", self.limits.unjudged_share)?;
        share("reject_share", self.limits.reject_share)?;
        for view in &self.views {
            length("camera at_mm", view.at_mm, 0.0)?;
            length("camera behind_lead_mm", view.behind_lead_mm.unwrap_or(0.0), 0.0)?;
            time("camera window", view.window_ns)?;
        }
        for ejector in &self.ejectors {
            length("reject at_mm", ejector.at_mm, 0.0)?;
            length("reject face_mm", ejector.face_mm, f64::MIN_POSITIVE)?;
            time("reject dead", ejector.dead_ns)?;
            time("reject hit", ejector.hit_ns)?;
            time("reject occupied", ejector.occupied_ns)?;
            time("reject recover", ejector.recover_ns)?;
            time("reject pulse", ejector.pulse_ns)?;
            time("reject confirm", ejector.confirm_ns)?;
            time("lead of the ejector's device", ejector.device.lead_ns)?;
        }
        let routes = &self.policy.routes;
        for &ejector in routes.by_class.iter().chain([&routes.others]) {
            if !self.ejectors.is_empty() && usize::from(ejector) >= self.ejectors.len() {
                let problem = format!("ejector {ejector}, but there are {}", self.ejectors.len());
                return Err(Error::invalid("routes", problem));
            }
        }
        if let Some(belt) = &self.belt {
            length("max_speed_mm_s", belt.max_speed_mm_s, f64::MIN_POSITIVE)?;
            length("part_mm", belt.part_mm, f64::MIN_POSITIVE)?;
            length("least_gap_mm", belt.least_gap_mm, 0.0)?;
            share("slip", belt.slip)?;
            length("max_accel_mm_s2", belt.max_accel_mm_s2, 0.0)?;
            match belt.motion {
                Motion::Encoder { mm_per_count, count_bits, .. } => {
                    length("mm_per_count", mm_per_count, f64::MIN_POSITIVE)?;
                    count("count_bits", count_bits as usize, 8, 64)?;
                }
                Motion::Steady { speed_mm_s } => {
                    length("speed_mm_s", speed_mm_s, f64::MIN_POSITIVE)?;
                }
            }
        }
        Ok(())
    }

    fn check_without_belt(&self) -> Result<()> {
        if !self.ejectors.is_empty() {
            return infeasible(
                "an ejector needs a position, and nothing moves: describe the belt ([belt] \
                 max_speed_mm_s, part_mm, least_gap_mm, encoder)",
            );
        }
        if self.views.iter().any(|view| view.at_mm != 0.0) {
            return infeasible(
                "cameras at different places see a part at different times, which needs [belt]; \
                 without one every camera stands at at_mm = 0",
            );
        }
        Ok(())
    }

    fn check_matching(&self, belt: &Belt) -> Result<()> {
        let pitch_mm = belt.part_mm + belt.least_gap_mm;
        for (index, view) in self.views.iter().enumerate() {
            let window_mm = belt.max_speed_mm_s * view.window_ns as f64 / SEC as f64;
            if 2.0 * window_mm >= pitch_mm {
                return infeasible(format!(
                    "camera {index}: a frame may be {window_mm:.1} mm off ({:.1} ms at {:.0} mm/s) \
                     and parts come every {pitch_mm:.1} mm, so that it would fit two; window_ms \
                     has to stay below {:.1}",
                    ms(view.window_ns),
                    belt.max_speed_mm_s,
                    pitch_mm / 2.0 / belt.max_speed_mm_s * 1e3,
                ));
            }
        }
        Ok(())
    }

    fn check_stroke(&self, belt: &Belt, index: usize, ejector: &Ejector) -> Result<()> {
        let Belt { max_speed_mm_s: speed, part_mm, least_gap_mm: gap_mm, .. } = *belt;
        let geometry = Geometry { ejector, part_mm, speed_mm_s: speed };
        let hits_mm = geometry.hits().width_mm();
        if hits_mm <= 0.0 {
            return infeasible(format!(
                "ejector {index}: a face of {:.1} mm that must act for {:.1} ms cannot hit a part \
                 of {part_mm:.1} mm whole at {speed:.0} mm/s ({:.1} mm are missing): a narrower \
                 face, a shorter hit or a slower belt",
                ejector.face_mm,
                ms(ejector.hit_ns),
                -hits_mm,
            ));
        }
        let width_mm = geometry.clean(Gaps { ahead_mm: gap_mm, behind_mm: gap_mm }).width_mm();
        if width_mm <= 0.0 {
            return infeasible(format!(
                "ejector {index}: while it is out for {:.1} ms at {speed:.0} mm/s its face sweeps \
                 {:.1} mm, and no instant spares both neighbours {gap_mm:.1} mm away ({:.1} mm are \
                 missing): larger gaps, a faster ejector or a slower belt",
                ms(geometry.out_ns()),
                speed * geometry.out_ns() as f64 / SEC as f64 + ejector.face_mm,
                -width_mm,
            ));
        }
        let error_mm = self.tracking_error_mm(belt, ejector);
        if error_mm > width_mm / 2.0 {
            return infeasible(format!(
                "ejector {index}: its window is {width_mm:.1} mm wide at {speed:.0} mm/s, and the \
                 position of a part at it is only known to +-{error_mm:.1} mm: a hardware latch, \
                 a nearer ejector or a slower belt",
            ));
        }
        let again_ns = geometry.out_ns() + ejector.recover_ns;
        let pitch_ns = (part_mm + gap_mm) / speed * SEC as f64;
        if pitch_ns < again_ns as f64 {
            return infeasible(format!(
                "ejector {index}: parts come every {:.1} ms at {speed:.0} mm/s and it strikes every \
                 {:.1} ms at most (occupied_ms + recover_ms)",
                pitch_ns / MS as f64,
                ms(again_ns),
            ));
        }
        let ahead_ns = ejector.device.lead_ns + self.guard_ns;
        let queued = (ahead_ns as f64 / pitch_ns).ceil() as usize + 1;
        if queued > ejector.device.queue {
            return infeasible(format!(
                "ejector {index}: {queued} commands may be waiting at once (lead and guard are \
                 {:.1} ms, parts come every {:.1} ms) and it queues {}",
                ms(ahead_ns),
                pitch_ns / MS as f64,
                ejector.device.queue,
            ));
        }
        Ok(())
    }

    /// How wrong a part's position at the ejector may be.
    pub(super) fn tracking_error_mm(&self, belt: &Belt, ejector: &Ejector) -> f64 {
        let (reading_ns, count_mm) = match belt.motion {
            Motion::Encoder { mm_per_count, latch: Latch::Hardware, .. } => (0, mm_per_count),
            Motion::Encoder { mm_per_count, latch: Latch::Sampled { error_ns, .. }, .. } => {
                (error_ns, mm_per_count)
            }
            Motion::Steady { .. } => (0, 0.0),
        };
        let late_ns = self.announce_error_ns + reading_ns + ejector.device.jitter_ns;
        let timing_mm = belt.max_speed_mm_s * late_ns as f64 / SEC as f64;
        // Between two polls the position is a straight line, and a belt that speeds up is none.
        let s = |ns: i64| ns as f64 / SEC as f64;
        let bend_mm = match belt.motion {
            Motion::Encoder { latch: Latch::Sampled { period_ns, .. }, .. } => {
                belt.max_accel_mm_s2 * s(period_ns).powi(2) / 8.0
            }
            Motion::Encoder { latch: Latch::Hardware, .. } | Motion::Steady { .. } => 0.0,
        };
        // The command is given so early, by the speed of then.
        let ahead_s =
            s(ejector.device.lead_ns + self.guard_ns + ejector.dead_ns + ejector.hit_ns / 2);
        let predicted_mm = belt.max_accel_mm_s2 * ahead_s.powi(2) / 2.0;
        timing_mm + bend_mm + predicted_mm + belt.slip * ejector.at_mm + count_mm
    }

    fn check_decision(&self, belt: &Belt, index: usize, ejector: &Ejector) -> Result<()> {
        let Belt { max_speed_mm_s: speed, part_mm, least_gap_mm, .. } = *belt;
        let geometry = Geometry { ejector, part_mm, speed_mm_s: speed };
        let gaps = Gaps { ahead_mm: least_gap_mm, behind_mm: least_gap_mm };
        let fire_mm = geometry.lead_at_command_mm(geometry.clean(gaps).middle_mm());
        let capture_mm = (0..self.views.len()).map(|view| self.seen_mm(view)).fold(0.0, f64::max);
        let needed_ns = self.decision_ns + ejector.device.lead_ns + self.guard_ns;
        let needed_mm = speed * needed_ns as f64 / SEC as f64;
        if capture_mm + needed_mm > fire_mm {
            let left_ms = (fire_mm - capture_mm) / speed * 1e3;
            return infeasible(format!(
                "ejector {index}: from the last camera's exposure (leading edge at {capture_mm:.1} \
                 mm) to the command ({fire_mm:.1} mm) a part takes {left_ms:.1} ms at {speed:.0} \
                 mm/s, but the decision needs {:.1} ms and the command {:.1} ms: an ejector \
                 further on, a faster model or a slower belt",
                ms(self.decision_ns),
                ms(ejector.device.lead_ns + self.guard_ns),
            ));
        }
        Ok(())
    }

    fn check_transit(&self, belt: &Belt) -> Result<()> {
        let stations = self.ejectors.iter().map(|ejector| ejector.at_mm + ejector.face_mm);
        let travel_mm = stations
            .chain((0..self.views.len()).map(|view| self.seen_mm(view)))
            .fold(0.0, f64::max)
            + belt.part_mm;
        let parts = (travel_mm / (belt.part_mm + belt.least_gap_mm)).ceil() as usize + 1;
        if parts > self.capacity {
            return infeasible(format!(
                "{parts} parts may be on the way at once and the line remembers {}",
                self.capacity
            ));
        }
        if let Motion::Encoder { mm_per_count, count_bits, .. } = belt.motion {
            let range_mm = mm_per_count * 2f64.powi(count_bits as i32);
            if travel_mm > range_mm / 2.0 {
                return infeasible(format!(
                    "a part travels {travel_mm:.0} mm and a counter of {count_bits} bits at \
                     {mm_per_count} mm per count rolls over every {range_mm:.0} mm: more than half \
                     of that cannot be told apart",
                ));
            }
        }
        Ok(())
    }
}

fn ms(ns: i64) -> f64 {
    ns as f64 / MS as f64
}

fn infeasible<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::Infeasible(why.into()))
}

fn count(what: &str, count: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(Error::invalid(what, format!("{count}; allowed: {least} to {most}")))
}

fn time(what: &str, ns: i64) -> Result<()> {
    if (0..=3600 * SEC).contains(&ns) {
        return Ok(());
    }
    Err(Error::invalid(what, format!("{} ms; allowed: 0 to an hour", ms(ns))))
}

fn length(what: &str, value: f64, least: f64) -> Result<()> {
    if value.is_finite() && (least..=SANE).contains(&value) {
        return Ok(());
    }
    let allowed = if least > 0.0 { "more than 0" } else { "0 or more" };
    Err(Error::invalid(what, format!("{value}; allowed: {allowed}, at most {SANE}")))
}

fn share(what: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(what, format!("{value}; allowed: 0 to 1")))
}

#[cfg(test)]
mod tests {
    use super::super::setup::tests::{boards, pusher};
    use super::*;
    use crate::track::View;

    fn refusal(setup: &Setup) -> String {
        match setup.check() {
            Err(Error::Infeasible(why)) => why,
            other => panic!("expected a refusal with figures, got {other:?}"),
        }
    }

    fn with(change: impl FnOnce(&mut Setup, &mut Belt, &mut Ejector)) -> Setup {
        let mut setup = boards();
        let (mut belt, mut ejector) = (setup.belt.clone().unwrap(), pusher());
        change(&mut setup, &mut belt, &mut ejector);
        setup.belt = Some(belt);
        setup.ejectors = vec![ejector];
        setup
    }

    #[test]
    fn the_example_works() {
        boards().check().unwrap();
        Setup::camera_only().check().unwrap();
    }

    #[test]
    fn every_infeasible_line_is_refused_with_figures() {
        let cases = [
            (with(|_, _, e| e.hit_ns = 60 * MS), "cannot hit"),
            (with(|_, _, e| e.occupied_ns = 200 * MS), "spares both"),
            (with(|s, _, _| s.announce_error_ns = 20 * MS), "only known to"),
            (with(|_, b, _| b.slip = 0.05), "only known to"),
            (with(|s, b, _| (s.guard_ns, b.max_accel_mm_s2) = (60 * MS, 8000.0)), "only known to"),
            (
                with(|_, b, _| {
                    // A PLC that is polled every 20 ms: half a round trip is 10 mm at 1 m/s.
                    let latch = Latch::Sampled { period_ns: 20 * MS, error_ns: 20 * MS };
                    b.motion = Motion::Encoder { mm_per_count: 0.1, count_bits: 32, latch };
                }),
                "only known to",
            ),
            (with(|_, _, e| e.recover_ns = 120 * MS), "strikes every"),
            (with(|_, _, e| e.device.queue = 1), "it queues 1"),
            (with(|s, _, _| s.decision_ns = 600 * MS), "the decision needs"),
            (with(|s, _, _| s.capacity = 3), "remembers 3"),
            (with(|s, _, _| s.views[0].window_ns = 90 * MS), "fit two"),
            (
                with(|_, b, _| {
                    let (mm_per_count, count_bits, latch) = (0.01, 16, Latch::Hardware);
                    b.motion = Motion::Encoder { mm_per_count, count_bits, latch };
                }),
                "rolls over",
            ),
        ];
        for (setup, says) in cases {
            let why = refusal(&setup);
            assert!(why.contains(says) && why.contains(char::is_numeric), "{says:?} in {why:?}");
        }
    }

    #[test]
    fn without_a_belt_nothing_moves() {
        let camera = Setup::camera_only();
        let ejector = Setup { ejectors: vec![pusher()], ..camera.clone() };
        assert!(refusal(&ejector).contains("[belt]"));
        let apart = vec![View::default(), View { at_mm: 50.0, ..View::default() }];
        assert!(refusal(&Setup { views: apart, ..camera }).contains("[belt]"));
    }

    #[test]
    fn numbers_that_mean_nothing_are_named() {
        for setup in [
            with(|_, b, _| b.part_mm = f64::NAN),
            with(|_, b, _| b.max_speed_mm_s = 0.0),
            with(|_, _, e| e.face_mm = -1.0),
            with(|s, _, _| s.policy.routes.others = 3),
            with(|s, _, _| s.views.clear()),
        ] {
            assert!(matches!(setup.check(), Err(Error::Invalid { .. })), "{setup:?}");
        }
    }
}
