//! A whole line without threads: the simulated belt, cameras and an inference whose latencies are
//! modelled, and the line thread stepped by hand. Nothing here is faster or slower than its model.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Sender, bounded};
use smartqc_belt as belt;
use smartqc_core::actuate::Actuator;
use smartqc_core::clock::{Clock, MS, SEC, SteppedClock};
use smartqc_core::frame::{Frame, FrameInfo, FreeList, PixelFormat, Slots};
use smartqc_core::line::deadline::{Job, LineEvent, LineThread, Message, Outlet, Wake};
use smartqc_core::outcome::{Disposition, Outcome, PartId, Reason, ViewVerdict};
use smartqc_core::track::{self, Committed};
use smartqc_core::world::{Trigger, World};

pub(crate) const SESSION: u64 = 3;

/// A few random numbers; the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Uniform in 0..1 (xorshift64*).
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How cameras and models behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// Exposure to arrival.
    pub(crate) transfer_ns: i64,
    /// Arrival to verdict: at least this ...
    pub(crate) infer_ns: i64,
    /// ... and up to so much more.
    pub(crate) infer_jitter_ns: i64,
    /// Shares of frames that befall this.
    pub(crate) lost_share: f64,
    pub(crate) incomplete_share: f64,
    pub(crate) slow_share: f64,
    pub(crate) nan_share: f64,
    pub(crate) no_room_share: f64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            transfer_ns: 20 * MS,
            infer_ns: 20 * MS,
            infer_jitter_ns: 40 * MS,
            lost_share: 0.0,
            incomplete_share: 0.0,
            slow_share: 0.0,
            nan_share: 0.0,
            no_room_share: 0.0,
        }
    }
}

/// What the line said of one part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    pub(crate) truth: Option<u64>,
    pub(crate) committed: Option<Committed>,
    pub(crate) commits: u32,
    pub(crate) disposition: Option<Disposition>,
}

type Verdict = (PartId, u8, ViewVerdict, Frame);

/// The outlet: an inference that takes its time, and a book of all that was said.
pub(crate) struct Book {
    clock: SteppedClock,
    model: Model,
    dice: Dice,
    bad: fn(u64) -> bool,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    working: Vec<Option<Verdict>>,
    pub(crate) parts: Vec<Said>,
    pub(crate) events: Vec<LineEvent>,
    pub(crate) strays: u64,
    pub(crate) late_verdicts: u64,
    pub(crate) unjudged_frames: u64,
}

impl Book {
    fn part(&mut self, part: PartId) -> &mut Said {
        &mut self.parts[part as usize - 1]
    }

    fn next_due_ns(&self) -> Option<i64> {
        self.due.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    fn finish(&mut self, now_ns: i64) -> Option<Verdict> {
        let &Reverse((due_ns, place)) = self.due.peek()?;
        if due_ns > now_ns {
            return None;
        }
        self.due.pop();
        self.working[place].take()
    }
}

impl Outlet for Book {
    type Detail = Frame;

    fn announced(&mut self, part: PartId, _at_ns: i64) {
        assert_eq!(part as usize, self.parts.len() + 1, "numbers come in order");
        self.parts.push(Said::default());
    }

    fn judge(&mut self, job: Job) -> Result<(), Job> {
        if self.model.no_room_share > 0.0 && self.dice.roll() < self.model.no_room_share {
            return Err(job);
        }
        let now_ns = self.clock.now_ns();
        assert!(job.due_ns <= job.live_due_ns.max(now_ns));
        let truth = job.frame.info().true_part.expect("simulated frames know their part");
        self.part(job.part).truth = Some(truth);
        let score = if self.dice.roll() < self.model.nan_share { f32::NAN } else { 0.9 };
        let verdict = if (self.bad)(truth) {
            ViewVerdict::Reject { class: class_of(truth), score }
        } else {
            ViewVerdict::Pass { score: 0.9 - score }
        };
        let slow = self.dice.roll() < self.model.slow_share;
        let jitter_ns = self.dice.roll() * self.model.infer_jitter_ns as f64;
        let slow_ns = if slow { 5 * SEC } else { 0 };
        let due_ns = now_ns + self.model.infer_ns + jitter_ns as i64 + slow_ns;
        let place = self.working.iter().position(Option::is_none).unwrap_or_else(|| {
            self.working.push(None);
            self.working.len() - 1
        });
        self.working[place] = Some((job.part, job.view, verdict, job.frame));
        self.due.push(Reverse((due_ns, place)));
        Ok(())
    }

    fn unjudged(&mut self, part: PartId, _view: u8, _reason: Reason, frame: Frame) {
        self.unjudged_frames += 1;
        let truth = frame.info().true_part;
        let said = self.part(part);
        said.truth = said.truth.or(truth);
    }

    fn stray(&mut self, _view: u8, _frame: Frame) {
        self.strays += 1;
    }

    fn verdict(&mut self, part: PartId, _: u8, _: ViewVerdict, late: bool, _frame: Frame) {
        self.late_verdicts += u64::from(late);
        assert_eq!(late, self.part(part).commits > 0, "late is after the commit");
    }

    fn committed(&mut self, committed: &Committed) {
        let said = self.part(committed.part);
        said.commits += 1;
        said.committed = Some(*committed);
    }

    fn disposition(&mut self, part: PartId, disposition: Disposition, _at_ns: i64) {
        let said = self.part(part);
        assert_eq!(said.commits, 1, "dispositions come after the commit");
        said.disposition = Some(disposition);
    }

    fn event(&mut self, event: LineEvent, _at_ns: i64) {
        self.events.push(event);
    }
}

/// Bad parts are of two classes in turn.
pub(crate) fn class_of(part: u64) -> u16 {
    (part / 20 % 2) as u16
}

/// Frames on their way from a camera.
struct Camera {
    arriving: BinaryHeap<Reverse<(i64, u64, u64)>>,
    exposures: u64,
    delivered: u64,
}

/// The whole line.
pub(crate) struct Bench {
    pub(crate) clock: SteppedClock,
    pub(crate) world: World,
    pub(crate) line: LineThread<Book>,
    pub(crate) sender: Sender<Message<Frame>>,
    model: Model,
    dice: Dice,
    pulses: Arc<Mutex<Vec<(usize, Trigger)>>>,
    spare: Vec<(usize, Trigger)>,
    cameras: Vec<Camera>,
    free: FreeList,
    pub(crate) slots: Slots,
    captured: BTreeMap<(usize, u64), Trigger>,
    pub(crate) camera_gone: bool,
    wake: Option<Wake>,
    bad: fn(u64) -> bool,
}

impl Bench {
    pub(crate) fn new(
        world: belt::Setup,
        setup: track::Setup,
        model: Model,
        bad: fn(u64) -> bool,
    ) -> Self {
        let clock = SteppedClock::new(0);
        let parts = world.parts.total.unwrap_or(0) as usize;
        let world = World::new(world, 0).expect("a sound belt");
        let pulses = Arc::new(Mutex::new(Vec::with_capacity(16)));
        for view in 0..setup.views.len() {
            let pulses = Arc::clone(&pulses);
            let call = move |pulse: &Trigger| pulses.lock().unwrap().push((view, *pulse));
            world.on_trigger(view, Box::new(call)).unwrap();
        }
        let book = Book {
            clock: clock.clone(),
            model,
            dice: Dice::new(11),
            bad,
            due: BinaryHeap::with_capacity(256),
            working: Vec::with_capacity(256),
            parts: Vec::with_capacity(2 * parts + 64),
            events: Vec::with_capacity(64),
            strays: 0,
            late_verdicts: 0,
            unjudged_frames: 0,
        };
        let free = FreeList::new(256);
        let slots = Slots::new(256, 16, 64, Box::new(free.clone()));
        slots.poison_freed();
        let (sender, inbox) = bounded(256);
        let ejectors: Vec<Box<dyn Actuator>> =
            (0..setup.ejectors.len()).map(|index| world.ejector(index).unwrap()).collect();
        let camera =
            || Camera { arriving: BinaryHeap::with_capacity(64), exposures: 0, delivered: 0 };
        let cameras = setup.views.iter().map(|_| camera()).collect();
        let line = LineThread::new(
            setup,
            Clock::Stepped(clock.clone()),
            Some(world.encoder()),
            Some(world.eye()),
            ejectors,
            inbox,
            book,
        );
        Self {
            clock,
            world,
            line: line.expect("a feasible line"),
            sender,
            model,
            dice: Dice::new(12),
            pulses,
            spare: Vec::with_capacity(16),
            cameras,
            free,
            slots,
            captured: BTreeMap::new(),
            camera_gone: false,
            wake: None,
            bad,
        }
    }

    /// Steps to whatever comes next; `false` when the line has ended. `inside` runs around the line
    /// thread's own step.
    pub(crate) fn step(
        &mut self,
        limit_ns: i64,
        around: impl FnOnce(&mut LineThread<Book>) -> Option<Wake>,
    ) -> bool {
        let arrivals = self.cameras.iter().filter_map(|camera| camera.arriving.peek());
        let next = [
            self.world.next_event_ns(),
            self.wake.map(|wake| wake.at_ns),
            arrivals.map(|Reverse((at_ns, ..))| *at_ns).min(),
            self.line.outlet().next_due_ns(),
        ];
        let now_ns = next.into_iter().flatten().min().unwrap_or(limit_ns).min(limit_ns);
        self.clock.step_to(now_ns);
        self.world.advance_to(now_ns);
        self.expose();
        self.deliver(now_ns);
        while let Some((part, view, verdict, detail)) = self.line.outlet().finish(now_ns) {
            self.sender.try_send(Message::Verdict { part, view, verdict, detail }).unwrap();
        }
        self.wake = around(&mut self.line);
        self.wake.is_some()
    }

    fn expose(&mut self) {
        std::mem::swap(&mut self.spare, &mut self.pulses.lock().unwrap());
        for (index, pulse) in self.spare.drain(..) {
            let camera = &mut self.cameras[index];
            let frame_id = camera.exposures;
            camera.exposures += 1;
            if self.camera_gone {
                camera.delivered = camera.exposures;
                continue;
            }
            if self.model.lost_share > 0.0 && self.dice.roll() < self.model.lost_share {
                continue;
            }
            self.captured.insert((index, frame_id), pulse);
            let at_ns = pulse.at_ns + self.model.transfer_ns;
            camera.arriving.push(Reverse((at_ns, frame_id, pulse.part)));
        }
    }

    fn deliver(&mut self, now_ns: i64) {
        for index in 0..self.cameras.len() {
            let view = index as u8;
            while let Some(&Reverse((at_ns, frame_id, _))) = self.cameras[index].arriving.peek()
                && at_ns <= now_ns
            {
                self.cameras[index].arriving.pop();
                let pulse = self.captured.remove(&(index, frame_id)).unwrap();
                let lost = frame_id - self.cameras[index].delivered;
                self.cameras[index].delivered = frame_id + 1;
                if lost > 0 {
                    self.sender.try_send(Message::Gap { view, lost }).unwrap();
                }
                let incomplete = self.dice.roll() < self.model.incomplete_share;
                let slot = self.free.take(&self.slots).expect("a slot for every frame");
                let frame = slot.publish(FrameInfo {
                    frame_id,
                    captured_ns: pulse.at_ns,
                    true_part: Some(pulse.part),
                    incomplete,
                    ..FrameInfo::packed(4, 4, PixelFormat::MONO8, now_ns)
                });
                self.sender.try_send(Message::Frame { view, frame }).unwrap();
            }
        }
    }

    /// Runs until every part has come and gone, stops the line and lets it drain.
    pub(crate) fn run(&mut self, mut each: impl FnMut(&mut Self)) {
        while !self.world.finished() {
            assert!(self.step(i64::MAX, LineThread::step));
            each(self);
        }
        let drain_ns = self.clock.now_ns() + 10 * SEC;
        self.sender.try_send(Message::Stop { drain_ns }).unwrap();
        while self.step(drain_ns + SEC, LineThread::step) {
            each(self);
        }
        each(self);
    }

    /// How the parts came out, by the belt's own ledger.
    pub(crate) fn tally(&mut self) -> belt::Tally {
        let mut tally = belt::Tally::default();
        let mut claims = BTreeMap::new();
        let strokes: BTreeMap<_, _> = self.world.strokes().into_iter().collect();
        for (index, said) in self.line.outlet().parts.iter().enumerate() {
            let (Some(truth), Some(committed)) = (said.truth, said.committed) else {
                continue;
            };
            let stroke = strokes.get(&(index as PartId + 1)).copied();
            let judged = match committed.outcome {
                Outcome::Pass => belt::Judged::Pass,
                Outcome::Reject(_) => belt::Judged::Reject,
                Outcome::Unjudged(_) => belt::Judged::Unjudged,
            };
            let removes_unjudged = committed.remove.is_some();
            let bad = (self.bad)(truth);
            claims.insert(truth, belt::Claim { bad, judged, removes_unjudged, stroke });
        }
        self.world.with_ledger(|ledger| {
            for part in 0..ledger.counts().entered {
                let lost = belt::Claim {
                    bad: (self.bad)(part),
                    judged: belt::Judged::Unjudged,
                    removes_unjudged: true,
                    stroke: None,
                };
                let claim = claims.get(&part).unwrap_or(&lost);
                tally.add(ledger.classify(part, claim).expect("it reached the eye"));
            }
        });
        tally
    }
}

/// 100 mm parts at about 0.9 m/s whose speed swings by a tenth; every 20 s the belt stops.
pub(crate) fn swinging_belt(mean_mm_s: f64) -> belt::SpeedProfile {
    let ramp = |from_mm_s, to_mm_s| belt::Segment {
        for_s: 0.3,
        speed: belt::Speed::Ramp { from_mm_s, to_mm_s },
    };
    let steady = |for_s, mm_s| belt::Segment { for_s, speed: belt::Speed::Steady { mm_s } };
    let swing = belt::Speed::Swing { mean_mm_s, amplitude_mm_s: mean_mm_s / 10.0, period_s: 1.7 };
    belt::SpeedProfile {
        segments: vec![
            belt::Segment { for_s: 20.0, speed: swing },
            steady(0.1, mean_mm_s),
            ramp(mean_mm_s, 0.0),
            steady(0.7, 0.0),
            ramp(0.0, mean_mm_s),
        ],
        after: belt::After::Repeat,
    }
}

/// The boards of the example configuration, on a belt that swings and stops.
pub(crate) fn boards(parts: u64) -> (belt::Setup, track::Setup) {
    let world = belt::Setup {
        speed: swinging_belt(900.0),
        parts: belt::PartsModel {
            total: Some(parts),
            first_mm: 1000.0,
            gap: belt::Gap::Exponential { least_mm: 60.0, mean_mm: 90.0 },
            ..belt::PartsModel::default()
        },
        ..belt::Setup::default()
    };
    let setup = line_for(&world, 1000.0);
    (world, setup)
}

/// A line that fits a world.
pub(crate) fn line_for(world: &belt::Setup, max_speed_mm_s: f64) -> track::Setup {
    let devices = World::new(world.clone(), 0).expect("a sound belt");
    let ns = |ms: f64| (ms * MS as f64) as i64;
    let ejector = |(index, model): (usize, &belt::EjectorModel)| track::Ejector {
        at_mm: model.at_mm,
        face_mm: model.face_mm,
        dead_ns: ns(model.dead_ms),
        hit_ns: ns(model.hit_ms),
        occupied_ns: ns(model.occupied_ms),
        recover_ns: ns(model.recover_ms),
        pulse_ns: ns(model.hit_ms),
        confirm_ns: SEC / 2,
        device: devices.ejector(index).unwrap().capabilities(),
    };
    track::Setup {
        session: SESSION,
        belt: Some(track::Belt {
            motion: track::Motion::Encoder {
                mm_per_count: world.encoder.mm_per_count,
                count_bits: world.encoder.count_bits,
                latch: smartqc_core::sense::Latch::Hardware,
            },
            max_speed_mm_s,
            part_mm: world.parts.length_mm,
            least_gap_mm: world.parts.gap.least_mm(),
            slip: world.parts.slip,
        }),
        announced_by: track::AnnouncedBy::Sensor,
        views: world
            .cameras
            .iter()
            .map(|camera| track::View { at_mm: camera.at_mm, ..track::View::default() })
            .collect(),
        ejectors: world.ejectors.iter().enumerate().map(ejector).collect(),
        decision_ns: 80 * MS,
        limits: track::Limits {
            unjudged_share: 1.0,
            reject_share: 1.0,
            rejects_in_row: 1000,
            lost_ns: 2 * SEC,
        },
        ..track::Setup::camera_only()
    }
}
