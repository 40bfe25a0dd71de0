//! Cameras that say nothing though parts passed them. A triggered camera is rightly silent between
//! two parts, so only a part that it should have seen can show that it is gone.

use super::event::Action;
use super::part::{Part, View};
use super::{Tracker, earlier};
use crate::clock::{MS, SEC};

/// So many parts in a row without a frame are a reason to doubt their camera ...
const DOUBTFUL: u32 = 2;

/// ... and one is, when its frame is overdue by this, beside what the camera's frames take.
const OVERDUE_NS: i64 = 500 * MS;

/// A frame that took longer is no measure of what the next one takes.
const MOST_LATENCY_NS: i64 = 2 * SEC;

/// Of how a camera's frames come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// Parts in a row that it should have seen, and that it sent nothing of.
    missed: u32,
    /// When the first part passed of which nothing has come, and nothing of a later one either.
    since_ns: Option<i64>,
    /// How long its frames take from the exposure to here: the slowest ones, slowly forgotten.
    latency_ns: i64,
    doubted: bool,
}

impl Silence {
    /// Its frame of this instant is here.
    pub(super) fn broken(&mut self, captured_ns: i64, now_ns: i64) {
        let took_ns = now_ns.saturating_sub(captured_ns).clamp(0, MOST_LATENCY_NS);
        let latency_ns = took_ns.max(self.latency_ns - self.latency_ns / 8);
        *self = Self { latency_ns, ..Self::default() };
    }

    /// When there is reason for doubt, if nothing comes until then.
    fn due_ns(&self) -> Option<i64> {
        self.since_ns.filter(|_| !self.doubted).map(|since_ns| since_ns + self.patience_ns())
    }

    fn patience_ns(&self) -> i64 {
        OVERDUE_NS + 2 * self.latency_ns
    }

    fn doubt(&mut self, view: usize, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.doubted, true) {
            actions.push(Action::Doubt { view: view as u8 });
        }
    }
}

impl Tracker {
    /// Notes that an open part has passed cameras that sent nothing of it; when it has to be looked
    /// at again for that.
    pub(super) fn await_frames(&mut self, index: usize, now_ns: i64) -> Option<i64> {
        let views = self.setup.views.len();
        let part = self.parts.get(index);
        if !part.views[..views].contains(&View::Waiting(None)) {
            return None;
        }
        if now_ns < part.passes_ns {
            return Some(part.passes_ns.saturating_add(OVERDUE_NS));
        }
        let (mut next, mut passes_ns) = (None, i64::MAX);
        for view in 0..views {
            if self.parts.get(index).views[view] != View::Waiting(None) {
                continue;
            }
            let Some(left_mm) = self.left_mm(index, view, now_ns) else { return next };
            let passed_ns = Self::reached_ns(now_ns, left_mm, self.position.speed_mm_s());
            let silence = &mut self.cameras[view].silence;
            if left_mm > 0.0 {
                next = earlier(next, passed_ns.map(|at_ns| at_ns + silence.patience_ns()));
                let fastest_mm_s = super::FASTEST * self.max_speed_mm_s;
                let soonest_ns = Self::reached_ns(now_ns, left_mm, fastest_mm_s);
                passes_ns = passes_ns.min(soonest_ns.unwrap_or(now_ns));
            } else {
                passes_ns = now_ns;
                // On a belt that stands nobody knows since when.
                let passed_ns = passed_ns.unwrap_or(now_ns);
                let since_ns = silence.since_ns.get_or_insert(passed_ns);
                *since_ns = passed_ns.min(*since_ns);
            }
        }
        self.parts.get_mut(index).passes_ns = passes_ns;
        next
    }

    /// How far a part has to go until no frame of it can be exposed any more; `None` while nobody knows
    /// where it is.
    fn left_mm(&self, index: usize, view: usize, now_ns: i64) -> Option<f64> {
        let window_mm = self.max_speed_mm_s * self.setup.views[view].window_ns as f64 / SEC as f64;
        Some(self.seen_at_mm(index, view) + window_mm - self.lead_mm(index, now_ns)?)
    }

    /// Doubts the cameras whose frames are overdue; when the next one's will be.
    pub(super) fn doubt_silent(&mut self, now_ns: i64, actions: &mut Vec<Action>) -> Option<i64> {
        let mut next = None;
        let views = self.setup.views.len();
        for (view, camera) in self.cameras[..views].iter_mut().enumerate() {
            let due_ns = camera.silence.due_ns();
            if due_ns.is_some_and(|due_ns| now_ns >= due_ns) {
                camera.silence.doubt(view, actions);
            } else {
                next = earlier(next, due_ns);
            }
        }
        next
    }

    /// A part is committed: a frame that is missing without a reason may be the first sign of a
    /// camera that is gone.
    pub(super) fn count_missed(&mut self, part: &Part, actions: &mut Vec<Action>) {
        for (view, seen) in part.views.iter().enumerate().take(self.setup.views.len()) {
            if *seen == View::Waiting(None) {
                let silence = &mut self.cameras[view].silence;
                silence.missed = silence.missed.saturating_add(1);
                if silence.missed >= DOUBTFUL {
                    silence.doubt(view, actions);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{Event, Seen};
    use super::super::setup::{AnnouncedBy, Belt, Motion, Setup, View as Place};
    use super::*;
    use crate::outcome::{Outcome, Reason};
    use crate::sense::{Latch, Reading};

    /// Calls announce, and two cameras see a part where it is announced.
    fn setup() -> Setup {
        let views = vec![Place::default(); 2];
        Setup { announced_by: AnnouncedBy::Call, views, ..Setup::camera_only() }
    }

    struct Bench {
        tracker: Tracker,
        now_ns: i64,
        doubts: Vec<(u8, i64)>,
        outcomes: Vec<(Outcome, [Option<Reason>; 2])>,
    }

    impl Bench {
        fn new(setup: Setup) -> Self {
            let tracker = Tracker::new(setup).unwrap();
            Self { tracker, now_ns: 0, doubts: Vec::new(), outcomes: Vec::new() }
        }

        /// What is due is done when it is, until then.
        fn wait(&mut self, until_ns: i64) {
            while let Some(due_ns) = self.tracker.next_due_ns().filter(|due| *due <= until_ns) {
                self.now_ns = due_ns;
                self.tell(Event::Tick);
            }
            self.now_ns = until_ns;
        }

        fn tell(&mut self, event: Event) {
            let mut actions = Vec::new();
            self.tracker.on(event, self.now_ns, &mut actions);
            for action in actions {
                match action {
                    Action::Doubt { view } => self.doubts.push((view, self.now_ns)),
                    Action::Commit(part) => {
                        self.outcomes.push((part.outcome, [part.unjudged[0], part.unjudged[1]]));
                    }
                    _ => {}
                }
            }
        }

        fn announce(&mut self, at_ns: i64) {
            self.wait(at_ns);
            self.tell(Event::Announce { at_ns });
        }

        /// The frame of this instant comes so much later.
        fn frame(&mut self, view: u8, captured_ns: i64, later_ns: i64) {
            self.wait(captured_ns + later_ns);
            let seen = Seen { view, captured_ns, ..Seen::default() };
            self.tell(Event::Frame(seen));
        }
    }

    #[test]
    fn one_part_without_a_frame_is_enough_for_doubt_within_a_second() {
        let mut bench = Bench::new(setup());
        for view in [0, 1] {
            bench.announce(i64::from(view) * SEC);
            bench.frame(0, bench.now_ns, 20 * MS);
            bench.frame(1, bench.now_ns - 20 * MS, 30 * MS);
        }
        // Nobody expects anything meanwhile.
        bench.announce(60 * SEC);
        bench.frame(1, 60 * SEC, 20 * MS);
        bench.wait(70 * SEC);
        let [(view, at_ns)] = bench.doubts[..] else { panic!("{:?}", bench.doubts) };
        assert_eq!(view, 0);
        assert!((400 * MS..750 * MS).contains(&(at_ns - 60 * SEC)), "{at_ns}");
        // One that goes on sending nothing is doubted once.
        bench.announce(80 * SEC);
        bench.frame(1, 80 * SEC, 20 * MS);
        bench.wait(90 * SEC);
        assert_eq!(bench.doubts.len(), 1);
        bench.announce(91 * SEC);
        bench.frame(0, 91 * SEC, 20 * MS);
        bench.frame(1, 91 * SEC, 20 * MS);
        bench.announce(92 * SEC);
        bench.wait(95 * SEC);
        assert_eq!(bench.doubts.len(), 3, "and anew, when it has spoken meanwhile");
    }

    #[test]
    fn frames_that_come_or_take_their_time_are_no_reason() {
        for latency_ns in [5 * MS, 40 * MS, 900 * MS] {
            let mut bench = Bench::new(Setup { budget_ns: 2 * SEC, ..setup() });
            for part in 0..50_i64 {
                let at_ns = part * SEC;
                bench.announce(at_ns);
                bench.frame(0, at_ns, latency_ns * 9 / 10);
                bench.frame(1, at_ns, latency_ns);
            }
            bench.wait(60 * SEC);
            let first = usize::from(latency_ns > OVERDUE_NS);
            assert!(bench.doubts.len() <= 2 * first, "{latency_ns}: {:?}", bench.doubts);
        }
        // A frame that was lost between others, too.
        let mut bench = Bench::new(setup());
        for part in 0..50_i64 {
            let at_ns = part * 300 * MS;
            bench.announce(at_ns);
            bench.frame(0, at_ns, 10 * MS);
            if part % 2 == 0 {
                bench.frame(1, at_ns, 10 * MS);
            }
        }
        assert_eq!(bench.doubts, []);
    }

    #[test]
    fn a_part_that_has_not_come_to_its_camera_is_not_waited_for() {
        let motion = Motion::Encoder { mm_per_count: 1.0, count_bits: 32, latch: Latch::Hardware };
        let belt = Belt {
            motion,
            max_speed_mm_s: 1000.0,
            part_mm: 100.0,
            least_gap_mm: 50.0,
            max_accel_mm_s2: 10_000.0,
            slip: 0.0,
        };
        let views = vec![Place { at_mm: 1000.0, ..Place::default() }];
        let mut bench = Bench::new(Setup { belt: Some(belt), views, ..setup() });
        let mut count = 0_u64;
        let mut runs = |bench: &mut Bench, until_ns: i64, moves: bool| {
            while bench.now_ns < until_ns {
                bench.wait(bench.now_ns + 10 * MS);
                count += u64::from(moves) * 5;
                bench.tell(Event::Encoder(Reading { count, at_ns: bench.now_ns }));
            }
        };
        runs(&mut bench, SEC, true);
        bench.announce(SEC);
        runs(&mut bench, 2 * SEC, true);
        runs(&mut bench, 20 * SEC, false);
        assert_eq!(bench.doubts, [], "the belt stands, and the part lies before the camera");
        runs(&mut bench, 25 * SEC, true);
        let [(0, at_ns)] = bench.doubts[..] else { panic!("{:?}", bench.doubts) };
        // It had 550 mm left at half a metre a second.
        assert!((21 * SEC..22 * SEC).contains(&at_ns), "{at_ns}");
    }

    #[test]
    fn a_stopped_camera_is_not_doubted_and_its_views_are_missing_until_it_runs() {
        let mut bench = Bench::new(setup());
        bench.announce(SEC);
        bench.frame(0, SEC, 10 * MS);
        bench.tell(Event::CameraStopped { view: 1 });
        assert!(!bench.tracker.ready(bench.now_ns));
        bench.announce(3 * SEC);
        bench.frame(0, 3 * SEC, 10 * MS);
        bench.wait(5 * SEC);
        assert_eq!(bench.doubts, []);
        for (outcome, reasons) in &bench.outcomes {
            // Nobody judges here.
            assert_eq!(reasons, &[Some(Reason::Late), Some(Reason::NoView)]);
            assert!(matches!(outcome, Outcome::Unjudged(_)));
        }
        assert_eq!(bench.outcomes.len(), 2);
        bench.tell(Event::CameraStarted { view: 1 });
        assert!(bench.tracker.ready(bench.now_ns));
        bench.announce(6 * SEC);
        bench.frame(0, 6 * SEC, 10 * MS);
        bench.frame(1, 6 * SEC, 10 * MS);
        bench.wait(8 * SEC);
        assert_eq!(bench.outcomes[2].1, [Some(Reason::Late), Some(Reason::Late)]);
        assert!(bench.tracker.counts().reconcile());
    }

    #[test]
    fn stopping_a_lost_camera_ends_its_alarm_and_asks_for_no_stop() {
        let mut bench = Bench::new(setup());
        bench.tell(Event::CameraLost { view: 0 });
        bench.tell(Event::CameraStopped { view: 0 });
        bench.wait(SEC + setup().limits.lost_ns);
        bench.tell(Event::Tick);
        bench.tell(Event::CameraStarted { view: 0 });
        assert!(bench.tracker.ready(bench.now_ns));
    }
}
