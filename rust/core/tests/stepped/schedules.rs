//! Random fault schedules: whatever happens in whatever order, after every event the counts
//! reconcile, and each part that was announced gets exactly one outcome.

use std::collections::BTreeMap;

use proptest::prelude::*;
use smartqc_belt as belt;
use smartqc_core::actuate::{ActuatorEvent, Answer, Key};
use smartqc_core::clock::{MS, SEC};
use smartqc_core::frame::Disorder;
use smartqc_core::line::deadline::Message;
use smartqc_core::outcome::{Disposition, PartId, Reason, ViewVerdict};
use smartqc_core::sense::{Edge, Reading};
use smartqc_core::track::{
    Action, AnnouncedBy, Combine, Event, OnCrowded, OnUnjudged, Seen, Setup, Tracker, View,
};

use crate::bench::{Model, boards, rehearsal};
use crate::every_twentieth;

/// One thing that happens to a tracker, sensible or not; times and parts are relative to what has
/// been.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Wait { ms: i64 },
    Jump { counts: u64 },
    EncoderLost,
    SensorLost,
    Edge { covered: bool, ago_ms: i64 },
    Announce { ago_ms: i64 },
    Frame { view: u8, ago_ms: i64, incomplete: bool, frame_id: u64, disorder: Option<Disorder> },
    Gap { view: u8, lost: u64 },
    CameraLost { view: u8 },
    CameraBack { view: u8 },
    Verdict { back: u64, view: u8, kind: u8 },
    Device { back: u64, kind: u8 },
    Policy { kind: u8 },
    Reset,
    Challenge { parts: u32, ms: i64 },
    Stop { drain_ms: i64 },
    Abort,
}

/// Now and then a frame does not come in its turn.
fn disorder() -> impl Strategy<Value = Option<Disorder>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(Disorder::Late)),
        1 => Just(Some(Disorder::Repeated)),
        1 => Just(Some(Disorder::Overtaken)),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    prop_oneof![
        12 => (1..120i64).prop_map(|ms| H::Wait { ms }),
        6 => (any::<bool>(), 0..20i64).prop_map(|(covered, ago_ms)| H::Edge { covered, ago_ms }),
        2 => (0..20i64).prop_map(|ago_ms| H::Announce { ago_ms }),
        8 => (0..3u8, -5..300i64, prop::bool::weighted(0.1), 0..8u64, disorder())
            .prop_map(|(view, ago_ms, incomplete, frame_id, disorder)| {
                H::Frame { view, ago_ms, incomplete, frame_id, disorder }
            }),
        8 => (0..6u64, 0..3u8, 0..5u8)
            .prop_map(|(back, view, kind)| H::Verdict { back, view, kind }),
        2 => (0..6u64, 0..6u8).prop_map(|(back, kind)| H::Device { back, kind }),
        1 => (0..3u8, prop_oneof![1..4u64, Just(u64::MAX)])
            .prop_map(|(view, lost)| H::Gap { view, lost }),
        1 => (0..3u8).prop_map(|view| H::CameraLost { view }),
        1 => (0..3u8).prop_map(|view| H::CameraBack { view }),
        1 => any::<u64>().prop_map(|counts| H::Jump { counts }),
        1 => (0..9u8).prop_map(|kind| H::Policy { kind }),
        1 => Just(H::EncoderLost),
        1 => Just(H::SensorLost),
        1 => Just(H::Reset),
        1 => (1..5u32, 1..500i64).prop_map(|(parts, ms)| H::Challenge { parts, ms }),
    ]
}

/// A tracker and what it said so far.
struct Watched {
    tracker: Tracker,
    setup: Setup,
    now_ns: i64,
    count: u64,
    /// Commits by part.
    parts: BTreeMap<PartId, u32>,
    answers: u8,
    actions: Vec<Action>,
    /// When a stroke may begin, of all that were told.
    windows: Vec<[i64; 2]>,
}

impl Watched {
    fn new(announced_by: AnnouncedBy, capacity: usize) -> Self {
        let (world, setup) = boards(1);
        drop(world);
        let mut setup = Setup { announced_by, capacity, ..setup };
        setup.views.push(View { at_mm: 300.0, ..View::default() });
        let tracker = Tracker::new(setup.clone()).unwrap();
        let (parts, actions, windows) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { tracker, setup, now_ns: SEC, count: 0, parts, answers: 0, actions, windows }
    }

    fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            self.actions.clear();
            self.tracker.on(event, self.now_ns, &mut self.actions);
            self.check(event, &mut events);
        }
    }

    fn check(&mut self, event: Event, events: &mut Vec<Event>) {
        let mut frames = 0;
        for action in &self.actions {
            match *action {
                Action::Announced { part, .. } => {
                    assert!(self.parts.insert(part, 0).is_none(), "announced twice");
                }
                Action::Commit(committed) => {
                    let commits = self.parts.get_mut(&committed.part).expect("announced before");
                    *commits += 1;
                    assert_eq!(*commits, 1, "part {} has one commit", committed.part);
                }
                Action::Judge(judge) => {
                    frames += 1;
                    assert_eq!(self.parts[&judge.part], 0, "judged while it matters");
                }
                Action::Unjudged { .. } | Action::Stray { .. } => frames += 1,
                Action::Fire { command, due_ns } => {
                    let ahead_ns = self.setup.ejectors[0].device.lead_ns + self.setup.guard_ns;
                    assert!(command.fire_ns - due_ns >= ahead_ns - 1 && due_ns <= self.now_ns);
                    assert!(self.tracker.speed_mm_s() > 0.0, "nothing fires on a belt that stands");
                    assert!(command.fire_ns >= self.now_ns && command.fire_ns <= command.latest_ns);
                    assert_eq!(self.parts[&command.key.part], 1, "fired at what is committed");
                    let answers = [
                        Answer::Accepted(command.key.part),
                        Answer::Accepted(command.key.part),
                        Answer::Busy,
                        Answer::LinkDown,
                    ];
                    self.windows.push([command.earliest_ns, command.latest_ns]);
                    self.answers = self.answers.wrapping_add(1);
                    let answer = answers[usize::from(self.answers) % answers.len()];
                    events.push(Event::Answer { key: command.key, answer });
                }
                Action::Cancel(key) => {
                    self.answers = self.answers.wrapping_add(1);
                    events.push(Event::Cancelled { key, done: self.answers.is_multiple_of(2) });
                }
                Action::Disposition { part, disposition } => {
                    assert_eq!(self.parts[&part], 1, "dispositions come after the commit");
                    assert_ne!(disposition, Disposition::None);
                }
                Action::Challenged(_)
                | Action::Doubt { .. }
                | Action::LateVerdict { .. }
                | Action::Alarm(_)
                | Action::StopRequest(_) => {}
            }
        }
        assert_eq!(frames, u32::from(matches!(event, Event::Frame(_))), "a frame is somebody's");
        let counts = self.tracker.counts();
        assert!(counts.reconcile(), "{counts:?}");
        assert_eq!(counts.announced as usize, self.parts.len());
        assert_eq!(counts.in_flight as usize, self.parts.values().filter(|c| **c == 0).count());
        if let Some(due_ns) = self.tracker.next_due_ns() {
            assert!(due_ns > self.now_ns, "what is due is done");
        }
    }

    /// Time passes as on a line: the encoder is read, and what is due is done when it is.
    fn wait(&mut self, ms: i64) {
        for _ in 0..ms / 2 + 1 {
            let next_ns = self.now_ns + 2 * MS;
            if let Some(due_ns) = self.tracker.next_due_ns().filter(|due_ns| *due_ns < next_ns) {
                self.now_ns = due_ns;
                self.tell(Event::Tick);
            }
            self.now_ns = next_ns;
            // A belt that slows down, stands and starts again, about 0.9 m/s.
            let standing = self.now_ns / SEC % 5 == 4;
            self.count = self.count.wrapping_add(if standing { 0 } else { 18 });
            self.tell(Event::Encoder(Reading {
                count: self.count & 0xFFFF_FFFF,
                at_ns: self.now_ns,
            }));
        }
    }

    fn happen(&mut self, happening: Happening) {
        let back = |back: u64, parts: &BTreeMap<PartId, u32>| {
            (parts.len() as u64).saturating_sub(back).max(1)
        };
        match happening {
            Happening::Wait { ms } => self.wait(ms),
            Happening::Jump { counts } => self.count = counts,
            Happening::EncoderLost => self.tell(Event::EncoderLost),
            Happening::SensorLost => self.tell(Event::SensorLost),
            Happening::Edge { covered, ago_ms } => {
                let at_ns = self.now_ns - ago_ms * MS;
                self.tell(Event::Edge(Edge { at_ns, covered, count: None }));
            }
            Happening::Announce { ago_ms } => {
                self.tell(Event::Announce { at_ns: self.now_ns - ago_ms * MS });
            }
            Happening::Frame { view, ago_ms, incomplete, frame_id, disorder } => {
                let captured_ns = self.now_ns - ago_ms * MS;
                let of = Seen { view, captured_ns, ..Seen::default() };
                let seen = Seen { incomplete, frame_id, disorder, ..of };
                self.tell(Event::Frame(seen));
            }
            Happening::Gap { view, lost } => self.tell(Event::Gap { view, lost }),
            Happening::CameraLost { view } => self.tell(Event::CameraLost { view }),
            Happening::CameraBack { view } => self.tell(Event::CameraBack { view }),
            Happening::Verdict { back: parts, view, kind } => {
                let part = back(parts, &self.parts);
                let verdict = match kind {
                    0 => ViewVerdict::Reject { class: 0, score: 0.9 },
                    1 => ViewVerdict::Pass { score: f32::NAN },
                    2 => ViewVerdict::Unjudged(Reason::ModelError),
                    _ => ViewVerdict::Pass { score: 0.1 },
                };
                self.tell(Event::Verdict { part, view, verdict });
            }
            Happening::Device { back: parts, kind } => {
                let key =
                    Key { session: self.setup.session, part: back(parts, &self.parts), ejector: 0 };
                let event = match kind {
                    0 => ActuatorEvent::Executed { key, at_ns: self.now_ns },
                    1 => ActuatorEvent::Dropped { key },
                    2 => ActuatorEvent::Confirmed { key },
                    3 => ActuatorEvent::Unconfirmed { key },
                    4 => ActuatorEvent::Confirmed { key: Key { session: 99, ..key } },
                    _ => ActuatorEvent::Fault,
                };
                self.tell(Event::Actuator { ejector: 0, event });
            }
            Happening::Policy { kind } => {
                let mut policy = self.setup.policy.clone();
                let pick = usize::from(kind % 3);
                policy.combine = [Combine::Any, Combine::All, Combine::Vote][pick];
                policy.on_unjudged = [OnUnjudged::Reject, OnUnjudged::Pass, OnUnjudged::Stop][pick];
                policy.on_crowded = if kind < 3 { OnCrowded::Stop } else { OnCrowded::Fire };
                self.tracker.set_policy(policy).unwrap();
            }
            Happening::Reset => self.tell(Event::Reset),
            Happening::Challenge { parts, ms } => {
                let until_ns = self.now_ns + ms * MS;
                self.tell(Event::Challenge { parts, class: None, until_ns });
            }
            Happening::Stop { drain_ms } => {
                self.tell(Event::Stop { drain_ns: self.now_ns + drain_ms * MS });
            }
            Happening::Abort => self.tell(Event::Abort),
        }
    }
}

#[test]
fn a_frame_that_fits_two_parts_makes_both_unjudged() {
    let mut watched = Watched::new(AnnouncedBy::Call, 256);
    watched.wait(50);
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(4);
    watched.happen(Happening::Announce { ago_ms: 0 });
    // 170 mm after the first part was announced, 166 after the second.
    watched.wait(186);
    watched.happen(Happening::Frame {
        view: 0,
        ago_ms: 1,
        incomplete: false,
        frame_id: 0,
        disorder: None,
    });
    assert!(matches!(watched.actions[..], [Action::Unjudged { reason: Reason::Ambiguous, .. }]));
    watched.wait(2000);
    assert_eq!(watched.tracker.counts().by_reason[Reason::Ambiguous as usize], 2);
}

impl Watched {
    fn seen(&mut self, ago_ms: i64, counter: u64) -> Action {
        let captured_ns = self.now_ns - ago_ms * MS;
        let counter = Some(counter);
        let seen = Seen { captured_ns, counter, ..Seen::default() };
        self.tell(Event::Frame(seen));
        self.actions[0]
    }
}

#[test]
fn the_cameras_own_count_of_its_triggers_tells_two_close_parts_apart() {
    let mut watched = Watched::new(AnnouncedBy::Call, 256);
    watched.wait(50);
    watched.happen(Happening::Announce { ago_ms: 0 });
    // 170 mm at 0.9 m/s: the first frame ties the count to the parts.
    watched.wait(188);
    assert!(matches!(watched.seen(1, 41), Action::Judge(judge) if judge.part == 1));
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(4);
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(186);
    // It would fit both; the count says that one trigger lay between.
    assert!(matches!(watched.seen(1, 43), Action::Judge(judge) if judge.part == 3));
    assert!(matches!(watched.seen(1, 42), Action::Judge(judge) if judge.part == 2));
    // A count that fits neither is no help.
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(4);
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(186);
    assert!(matches!(watched.seen(1, 90), Action::Unjudged { reason: Reason::Ambiguous, .. }));
}

#[test]
fn a_part_that_nobody_can_place_is_found_by_the_cameras_count() {
    let mut watched = Watched::new(AnnouncedBy::Call, 256);
    watched.wait(50);
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(188);
    assert!(matches!(watched.seen(1, 7), Action::Judge(judge) if judge.part == 1));
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.happen(Happening::EncoderLost);
    assert!(matches!(watched.seen(0, 8), Action::Judge(judge) if judge.part == 2));
    assert!(matches!(watched.seen(0, 9), Action::Stray { .. }));
}

#[test]
fn the_count_of_the_encoder_in_a_frame_outweighs_its_time() {
    let mut watched = Watched::new(AnnouncedBy::Call, 256);
    watched.wait(50);
    let origin = watched.count;
    watched.happen(Happening::Announce { ago_ms: 0 });
    watched.wait(400);
    // Latched 170 mm behind the eye; its time is what a camera without a clock has to say.
    let (captured_ns, encoder_count) = (watched.now_ns, Some(origin + 1700));
    let seen = Seen { captured_ns, encoder_count, ..Seen::default() };
    watched.tell(Event::Frame(seen));
    assert!(matches!(watched.actions[0], Action::Judge(judge) if judge.part == 1));
}

#[test]
fn two_parts_whose_frames_changed_places_are_struck_as_if_they_had_not() {
    let windows = |frames: [(u64, i64, Option<Disorder>); 2]| {
        let mut watched = Watched::new(AnnouncedBy::Frame, 256);
        watched.wait(400);
        for (frame_id, ago_ms, disorder) in frames {
            let (view, incomplete) = (0, false);
            watched.happen(Happening::Frame { view, ago_ms, incomplete, frame_id, disorder });
            assert!(matches!(watched.actions[..], [.., Action::Judge(_)]), "{:?}", watched.actions);
        }
        for part in [1, 2] {
            let verdict = ViewVerdict::Reject { class: 0, score: 0.9 };
            watched.tell(Event::Verdict { part, view: 0, verdict });
        }
        watched.wait(2000);
        watched.windows.sort_unstable();
        watched.windows
    };
    let in_turn = windows([(1, 190, None), (2, 10, None)]);
    assert_eq!(in_turn.len(), 2);
    assert_eq!(windows([(2, 10, None), (1, 190, Some(Disorder::Overtaken))]), in_turn);
}

/// A tracker on a belt that runs or stands, with one part that has to go; its commands are out early.
struct Belt {
    tracker: Tracker,
    now_ns: i64,
    count: u64,
    cancels: Vec<Key>,
    fired: u32,
}

impl Belt {
    /// The belt stands, and a command for its part is out.
    fn standing() -> Self {
        let (_, setup) = boards(1);
        let tracker = Tracker::new(Setup { guard_ns: 60 * MS, ..setup }).unwrap();
        let mut belt = Self { tracker, now_ns: SEC, count: 0, cancels: Vec::new(), fired: 0 };
        belt.run(200, 18);
        // No camera ever sees it: it is unjudged, and to be removed for that.
        let edge = |covered, at_ns| Event::Edge(Edge { at_ns, covered, count: None });
        belt.tell(edge(true, belt.now_ns));
        while belt.fired == 0 {
            belt.run(2, 18);
        }
        belt.run(40, 0);
        assert_eq!(belt.tracker.speed_mm_s(), 0.0);
        belt
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.tracker.on(event, self.now_ns, &mut actions);
        for action in actions {
            match action {
                Action::Fire { command, .. } => {
                    self.fired += 1;
                    let answer = Answer::Accepted(1);
                    self.tell(Event::Answer { key: command.key, answer });
                }
                Action::Cancel(key) => self.cancels.push(key),
                _ => {}
            }
        }
    }

    /// So many milliseconds, in each of which the encoder counts so far.
    fn run(&mut self, ms: i64, counts: u64) {
        for _ in 0..ms / 2 {
            self.now_ns += 2 * MS;
            self.count += counts;
            let reading = Reading { count: self.count, at_ns: self.now_ns };
            self.tell(Event::Encoder(reading));
            self.tell(Event::Tick);
        }
    }
}

#[test]
fn a_command_is_asked_back_once_however_the_device_answers_and_not_again_at_an_abort() {
    for answer in [None, Some(false), Some(true)] {
        let mut belt = Belt::standing();
        assert_eq!(belt.cancels.len(), 1, "{answer:?}");
        if let Some(done) = answer {
            let key = belt.cancels[0];
            belt.tell(Event::Cancelled { key, done });
        }
        belt.run(10, 0);
        belt.tell(Event::Abort);
        belt.run(100, 0);
        assert_eq!(belt.cancels.len(), 1, "{answer:?}");
        assert_eq!(belt.fired, 1, "nothing fires on a belt that stands");
    }
}

#[test]
fn a_command_that_was_taken_back_is_given_again_when_the_belt_runs() {
    let mut belt = Belt::standing();
    let key = belt.cancels[0];
    belt.tell(Event::Cancelled { key, done: true });
    belt.run(500, 0);
    assert_eq!(belt.fired, 1);
    belt.run(300, 18);
    assert_eq!((belt.fired, belt.cancels.len()), (2, 1));
}

fn announced_by() -> impl Strategy<Value = AnnouncedBy> {
    prop_oneof![Just(AnnouncedBy::Sensor), Just(AnnouncedBy::Frame), Just(AnnouncedBy::Call)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_happens_each_part_has_one_outcome(
        by in announced_by(),
        capacity in prop_oneof![Just(8usize), Just(256)],
        happenings in prop::collection::vec(happening(), 1..250),
        abort in any::<bool>(),
    ) {
        let mut watched = Watched::new(by, capacity);
        watched.wait(30);
        for happening in happenings {
            watched.happen(happening);
        }
        watched.happen(if abort { Happening::Abort } else { Happening::Stop { drain_ms: 500 } });
        watched.wait(600);
        prop_assert!(watched.tracker.idle());
        prop_assert_eq!(watched.tracker.counts().in_flight, 0);
    }
}

/// What befalls the world and the line, over about ten seconds.
#[derive(Clone, Debug)]
struct Schedule {
    world: belt::Setup,
    model: Model,
    halts: Vec<(i64, i64)>,
    encoder_cut: Option<(i64, i64)>,
    ejector_cut: Option<(i64, i64)>,
    camera_gone: Option<(i64, i64)>,
}

fn share(most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![3 => Just(0.0), 1 => 0.0..most]
}

fn span() -> impl Strategy<Value = (i64, i64)> {
    (0..10 * SEC, 0..2 * SEC).prop_map(|(from_ns, for_ns)| (from_ns, from_ns + for_ns))
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let world = (
        any::<u64>(),
        (share(0.2), share(0.2), share(0.3), share(0.1)),
        (share(0.3), share(0.3)),
        (share(0.3), share(0.3), share(0.1)),
        prop::option::weighted(0.2, (0.0..10.0f64, -50_000..50_000i64)),
    );
    let world = world.prop_map(|(seed, eye, camera, ejector, jump)| {
        let (mut world, _) = boards(60);
        world.seed = seed;
        (world.eye.missed_share, world.eye.phantom_share, world.eye.bounce_share, _) = eye;
        world.parts.touching_share = eye.3;
        (world.cameras[0].missed_share, world.cameras[0].double_share) = camera;
        let device = &mut world.ejectors[0];
        (device.dead_share, device.slow_share, device.stuck_share) = ejector;
        if let Some((at_s, counts)) = jump {
            let kind = belt::EncoderFaultKind::Jump(counts);
            world.encoder.faults = vec![belt::EncoderFault { at_s, kind }];
        }
        world
    });
    let model = (share(0.3), share(0.3), share(0.3), share(0.3), share(0.3)).prop_map(
        |(lost_share, incomplete_share, slow_share, nan_share, no_room_share)| Model {
            lost_share,
            incomplete_share,
            slow_share,
            nan_share,
            no_room_share,
            ..Model::default()
        },
    );
    let cut = || prop::option::weighted(0.2, span());
    (world, model, prop::collection::vec(span(), 0..3), cut(), cut(), cut()).prop_map(
        |(world, model, halts, encoder_cut, ejector_cut, camera_gone)| Schedule {
            world,
            model,
            halts,
            encoder_cut,
            ejector_cut,
            camera_gone,
        },
    )
}

fn within(span: Option<(i64, i64)>, now_ns: i64) -> bool {
    span.is_some_and(|(from_ns, to_ns)| (from_ns..to_ns).contains(&now_ns))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    #[test]
    fn under_every_schedule_of_faults_the_line_accounts_for_each_part(schedule in schedule()) {
        let (_, setup) = boards(60);
        let mut bench = rehearsal(schedule.world, setup, schedule.model, every_twentieth);
        let (mut halted, mut ejector_cut) = (false, false);
        bench.run(|bench| {
            let now_ns = bench.clock.now_ns();
            assert!(bench.line.counts().reconcile());
            let halt = schedule.halts.iter().any(|span| within(Some(*span), now_ns));
            if halt != halted {
                halted = halt;
                if halt { bench.world.halt(now_ns) } else { bench.world.resume(now_ns) }
            }
            bench.world.cut_encoder(within(schedule.encoder_cut, now_ns));
            let cut = within(schedule.ejector_cut, now_ns);
            if cut != ejector_cut {
                ejector_cut = cut;
                bench.world.cut_ejector(0, cut);
            }
            let gone = within(schedule.camera_gone, now_ns);
            if gone != bench.camera_gone {
                bench.camera_gone = gone;
                let view = 0;
                let told = if gone { Message::CameraLost { view } } else { Message::CameraBack { view } };
                bench.tell(told);
            }
        });
        crate::assert_accounts(&mut bench);
        // A slow inference may outlive the line; what it held comes home with it.
        let slots = bench.slots.clone();
        drop(bench);
        assert_eq!(slots.held(), 0, "every slot came home");
    }
}
