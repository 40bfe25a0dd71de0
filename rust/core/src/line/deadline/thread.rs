//! The thread itself: one step does all that is due, `run` waits between steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError, never};
use hdrhistogram::Histogram;

use super::inbox::Inbox;
use super::signals::{Shown, Signals, Wires};
use super::{Job, Lateness, LineEvent, Message, Outlet, Report, Scheduling, fifo};
use crate::actuate::{Actuator, ActuatorEvent, Answer, Command, Key, Ticket};
use crate::clock::{Clock, MS, SEC};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::outcome::{Counts, Reason, ViewVerdict};
use crate::sense::{Edge, Encoder, PartSensor};
use crate::track::{self, Action, Event, Seen, Setup, Tracker};

/// The encoder is read this often while parts are on their way ...
const READ_BUSY_NS: i64 = 2 * MS;

/// ... and this often while none are.
const READ_IDLE_NS: i64 = 10 * MS;

/// The last stretch before a deadline is spun: a sleep ends too late by about this.
const SPIN_NS: i64 = MS / 10;

/// Where nothing is ejected a deadline only says when something is given up: those of so long are met
/// in one.
const SOFT_NS: i64 = MS / 2;

/// Commands whose tickets are remembered, should the belt stop before they fire.
const TICKETS: usize = 64;

/// The line thread and all that it owns.
pub struct LineThread<O: Outlet> {
    tracker: Tracker,
    clock: Clock,
    encoder: Option<Box<dyn Encoder>>,
    sensor: Option<Box<dyn PartSensor>>,
    pub(super) actuators: Vec<Box<dyn Actuator>>,
    inbox: Inbox<O::Detail>,
    /// What it is not woken for, and takes when it is awake.
    quiet: Receiver<Message<O::Detail>>,
    outlet: O,
    wires: Wires,
    shown: Shown,
    /// Passed, and not passed.
    challenges: [u64; 2],
    actions: Vec<Action>,
    /// So many of them are done.
    acted: usize,
    edges: Vec<Edge>,
    events: Vec<ActuatorEvent>,
    tickets: [Option<(Key, Ticket)>; TICKETS],
    next_ticket: usize,
    lateness: Histogram<u64>,
    scheduling: Scheduling,
    panicked: bool,
    read_ns: Option<i64>,
    encoder_answers: bool,
    sensor_answers: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Stopping,
    Ended,
}

/// When a step has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// At this time.
    pub at_ns: i64,
    /// And not a tenth of a millisecond later: a part's deadline where parts are ejected, and no mere
    /// reading of a sensor.
    pub exact: bool,
}

impl<O: Outlet> LineThread<O> {
    /// A line thread that has not begun; its ejectors are armed.
    ///
    /// # Errors
    /// What [`Setup::check`] finds; [`Error::Invalid`] for sensors or actuators that do not fit the
    /// setup; [`Error::Device`] for an actuator that cannot be armed.
    pub fn new(
        setup: Setup,
        clock: Clock,
        encoder: Option<Box<dyn Encoder>>,
        mut sensor: Option<Box<dyn PartSensor>>,
        mut actuators: Vec<Box<dyn Actuator>>,
        inbox: Inbox<O::Detail>,
        outlet: O,
    ) -> Result<Self> {
        fitting(&setup, encoder.is_some(), sensor.is_some(), actuators.len())?;
        let tracker = Tracker::new(setup)?;
        if let Some(sensor) = &mut sensor {
            let bell = inbox.bell.clone();
            sensor.wake_with(Box::new(move || bell.ring()));
        }
        for actuator in &mut actuators {
            actuator.arm()?;
        }
        Ok(Self {
            tracker,
            clock,
            encoder,
            sensor,
            actuators,
            inbox,
            quiet: never(),
            outlet,
            wires: Wires::new(Signals::default()),
            shown: Shown::default(),
            challenges: [0; 2],
            actions: Vec::with_capacity(64),
            acted: 0,
            edges: Vec::with_capacity(64),
            events: Vec::with_capacity(64),
            tickets: [None; TICKETS],
            next_ticket: 0,
            lateness: Histogram::new_with_bounds(1, 10 * SEC as u64, 3)
                .expect("the bounds and the digits are ones that a histogram can have"),
            scheduling: Scheduling::Stepped,
            panicked: false,
            read_ns: None,
            encoder_answers: true,
            sensor_answers: true,
            state: State::Running,
        })
    }

    /// Wires the outputs that tell the plant how the line is.
    #[must_use]
    pub fn with_signals(mut self, signals: Signals) -> Self {
        self.wires = Wires::new(signals);
        self
    }

    /// Takes messages from here too, ahead of the others, but is not woken for them: whoever sends one
    /// owes it a [`ring`](super::Messages::ring).
    #[must_use]
    pub fn with_quiet(mut self, quiet: Receiver<Message<O::Detail>>) -> Self {
        self.quiet = quiet;
        self
    }

    /// Runs until a stop has drained, an abort, or until nobody can send any more. Call it on a
    /// thread of its own: it asks for `SCHED_FIFO` for that thread, and for short slices where that
    /// is refused. A panic ends it as an abort does, and the report says so.
    pub fn run(&mut self) {
        fifo::keep_stack();
        self.scheduling = fifo::ask();
        if let Scheduling::Ordinary { errno } | Scheduling::Short { errno, .. } = self.scheduling {
            let why = std::io::Error::from_raw_os_error(errno);
            let instead = match self.scheduling {
                Scheduling::Short { .. } => "; short slices granted in its place",
                _ => "",
            };
            tracing::warn!(
                "SCHED_FIFO refused ({why}){instead}: a busy machine may make this line late; grant \
                 it with `setcap cap_sys_nice+ep`, `ulimit -r 10` or LimitRTPRIO=10 in a systemd unit"
            );
            let now_ns = self.clock.now_ns();
            self.outlet.event(LineEvent::NotRealtime, now_ns);
        }
        let steps = AssertUnwindSafe(|| {
            while let Some(wake) = self.step() {
                self.wait(wake);
            }
        });
        if catch_unwind(steps).is_err() {
            self.give_up();
        }
    }

    /// Does all that is due now: reads the sensors, takes every message, fires. When to step again;
    /// `None` when the line has ended.
    pub fn step(&mut self) -> Option<Wake> {
        if self.state == State::Ended {
            return None;
        }
        self.inbox.bell.hush();
        // A verdict that came in time must not be overtaken by a look at the belt.
        while let Ok(message) = self.quiet.try_recv() {
            self.take(message);
        }
        let now_ns = self.clock.now_ns();
        self.read_sensors(now_ns);
        self.poll_actuators(now_ns);
        loop {
            if let Ok(message) = self.quiet.try_recv() {
                self.take(message);
                continue;
            }
            match self.inbox.receiver.try_recv() {
                Ok(message) => self.take(message),
                Err(TryRecvError::Empty) => break,
                // Nobody is left who could stop the line in order.
                Err(TryRecvError::Disconnected) => {
                    if self.state == State::Running {
                        self.take(Message::Abort);
                    }
                    break;
                }
            }
        }
        let now_ns = self.clock.now_ns();
        self.tell(Event::Tick, now_ns);
        self.tell_ready(now_ns);
        if self.state == State::Stopping && self.tracker.idle() {
            self.end(now_ns);
            return None;
        }
        Some(self.next_wake(now_ns))
    }

    /// The parts so far.
    pub fn counts(&self) -> Counts {
        self.tracker.counts()
    }

    /// How it goes.
    pub fn report(&self) -> Report {
        let lateness = &self.lateness;
        Report {
            counts: self.counts(),
            ready: self.shown.ready,
            stop: self.shown.stop,
            alarm: self.shown.alarm,
            challenge: self.tracker.challenged(),
            challenges: self.challenges,
            speed_mm_s: self.tracker.speed_mm_s(),
            stray_frames: self.tracker.stray_frames(),
            scheduling: self.scheduling,
            panicked: self.panicked,
            lateness: Lateness {
                count: lateness.len(),
                p50_ns: lateness.value_at_quantile(0.5),
                p99_ns: lateness.value_at_quantile(0.99),
                p999_ns: lateness.value_at_quantile(0.999),
                max_ns: lateness.max(),
            },
        }
    }

    /// Whether a stop was requested since the last reset.
    pub fn stop_asked(&self) -> bool {
        self.shown.stop
    }

    /// What it hands things to.
    pub fn outlet(&mut self) -> &mut O {
        &mut self.outlet
    }

    /// After a panic: the devices first, then what can still be said of the parts.
    fn give_up(&mut self) {
        tracing::error!("the line thread has panicked; this is a bug of smartqc");
        self.state = State::Ended;
        self.panicked = true;
        // What panicked once may do so again, and must not keep the others from being told.
        for actuator in &mut self.actuators {
            let _ = catch_unwind(AssertUnwindSafe(|| actuator.safe("a panic")));
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let now_ns = self.clock.now_ns();
            self.shown = Shown { ready: false, stop: true, alarm: true };
            self.show(now_ns);
            self.outlet.event(LineEvent::StopRequest(track::Cause::Panicked), now_ns);
            // What the tracker still wanted, but for the one action that panicked.
            self.act(None, now_ns);
            self.tell(Event::Abort, now_ns);
            self.outlet.event(LineEvent::Drained, now_ns);
        }));
    }

    fn take(&mut self, message: Message<O::Detail>) {
        let now_ns = self.clock.now_ns();
        match message {
            Message::Frame { view, frame } => self.frame(view, frame, now_ns),
            Message::Gap { view, lost } => self.tell(Event::Gap { view, lost }, now_ns),
            Message::CameraLost { view } => self.tell(Event::CameraLost { view }, now_ns),
            Message::CameraBack { view } => {
                self.outlet.event(LineEvent::CameraBack { view }, now_ns);
                self.tell(Event::CameraBack { view }, now_ns);
            }
            Message::CameraStopped { view } => {
                self.outlet.event(LineEvent::CameraStopped { view }, now_ns);
                self.tell(Event::CameraStopped { view }, now_ns);
            }
            Message::CameraStarted { view } => {
                self.outlet.event(LineEvent::CameraStarted { view }, now_ns);
                self.tell(Event::CameraStarted { view }, now_ns);
            }
            Message::Verdict { part, view, verdict, detail } => {
                let verdict = track::sound(verdict);
                self.tracker.on(Event::Verdict { part, view, verdict }, now_ns, &mut self.actions);
                let late = matches!(self.actions.first(), Some(Action::LateVerdict { .. }));
                self.outlet.verdict(part, view, verdict, late, detail);
                self.act(None, now_ns);
            }
            Message::Announce { at_ns } => self.tell(Event::Announce { at_ns }, now_ns),
            Message::Policy(policy) => {
                if let Err(error) = self.tracker.set_policy(*policy) {
                    tracing::error!("the line keeps its policy: {error}");
                }
            }
            Message::Challenge { parts, class, until_ns, begun } => {
                let free = !self.tracker.challenged() && self.state == State::Running;
                if free {
                    self.tell(Event::Challenge { parts, class, until_ns }, now_ns);
                }
                let _ = begun.try_send(free);
            }
            Message::Report(answer) => {
                // Whoever asked may have gone.
                let _ = answer.try_send(self.report());
            }
            Message::Stop { drain_ns } => {
                self.state = State::Stopping;
                self.tell(Event::Stop { drain_ns }, now_ns);
            }
            Message::Abort => {
                self.state = State::Stopping;
                self.tell(Event::Abort, now_ns);
            }
            Message::Reset => self.reset(now_ns),
        }
    }

    /// Somebody has looked after it: signals go off, and devices that went to their safe state when
    /// their link was cut are armed again.
    fn reset(&mut self, now_ns: i64) {
        self.shown = Shown { stop: false, alarm: false, ..self.shown };
        self.tell(Event::Reset, now_ns);
        if self.state != State::Running {
            return;
        }
        for ejector in 0..self.actuators.len() {
            if let Err(error) = self.actuators[ejector].arm() {
                tracing::error!("{error}");
                self.outlet.event(LineEvent::NotArmed { ejector: ejector as u8 }, now_ns);
                let event = ActuatorEvent::Fault;
                self.tell(Event::Actuator { ejector: ejector as u8, event }, now_ns);
            }
        }
    }

    fn frame(&mut self, view: u8, frame: Frame, now_ns: i64) {
        let seen = Seen::of(view, frame.info());
        self.tracker.on(Event::Frame(seen), now_ns, &mut self.actions);
        self.act(Some(frame), now_ns);
    }

    fn tell(&mut self, event: Event, now_ns: i64) {
        self.tracker.on(event, now_ns, &mut self.actions);
        self.act(None, now_ns);
    }

    /// Does what the tracker wants done; answers may make it want more.
    fn act(&mut self, mut frame: Option<Frame>, now_ns: i64) {
        while let Some(&action) = self.actions.get(self.acted) {
            self.acted += 1;
            match action {
                Action::Announced { part, at_ns } => self.outlet.announced(part, at_ns),
                Action::Judge(judge) => {
                    if let Some(frame) = frame.take() {
                        self.judge(judge, frame, now_ns);
                    }
                }
                Action::Unjudged { part, view, reason } => {
                    if let Some(frame) = frame.take() {
                        self.outlet.unjudged(part, view, reason, frame);
                    }
                }
                Action::Stray { view } => {
                    if let Some(frame) = frame.take() {
                        self.outlet.stray(view, frame);
                    }
                }
                Action::Commit(committed) => self.outlet.committed(&committed),
                // The outlet was told with the verdict's detail.
                Action::LateVerdict { .. } => {}
                Action::Fire { command, due_ns } => self.fire(command, due_ns),
                Action::Cancel(key) => self.cancel(key, now_ns),
                Action::Disposition { part, disposition } => {
                    self.outlet.disposition(part, disposition, now_ns);
                }
                Action::Challenged(result) => {
                    self.challenges[usize::from(!result.passed())] += 1;
                    self.outlet.event(LineEvent::Challenged(result), now_ns);
                }
                Action::Doubt { view } => self.outlet.doubt(view),
                Action::Alarm(cause) => {
                    self.shown.alarm = true;
                    self.outlet.event(LineEvent::Alarm(cause), now_ns);
                }
                Action::StopRequest(cause) => {
                    self.shown.stop = true;
                    self.outlet.event(LineEvent::StopRequest(cause), now_ns);
                }
            }
        }
        self.actions.clear();
        self.acted = 0;
        debug_assert!(frame.is_none(), "the tracker says of every frame whose it is");
    }

    fn judge(&mut self, judge: track::Judge, frame: Frame, now_ns: i64) {
        let track::Judge { part, view, due_ns, live_due_ns } = judge;
        let job = Job { part, view, due_ns, live_due_ns, frame };
        if let Err(refused) = self.outlet.judge(job) {
            self.outlet.unjudged(part, view, Reason::Overload, refused.frame);
            let verdict = ViewVerdict::Unjudged(Reason::Overload);
            self.tracker.on(Event::Verdict { part, view, verdict }, now_ns, &mut self.actions);
        }
    }

    /// Gives a command to its ejector. The window is kept here: what a device does with a time that
    /// is past differs from device to device.
    fn fire(&mut self, mut command: Command, due_ns: i64) {
        let now_ns = self.clock.now_ns();
        self.lateness.saturating_record(now_ns.saturating_sub(due_ns).max(1) as u64);
        let key = command.key;
        let actuator = &mut self.actuators[usize::from(key.ejector)];
        let soonest_ns = now_ns + actuator.capabilities().lead_ns;
        command.fire_ns = command.fire_ns.max(soonest_ns);
        let answer = if command.fire_ns > command.latest_ns {
            Answer::TooLate
        } else {
            actuator.schedule(&command, now_ns)
        };
        if let Answer::Accepted(ticket) | Answer::Duplicate(ticket) = answer {
            self.tickets[self.next_ticket % TICKETS] = Some((key, ticket));
            self.next_ticket += 1;
        }
        self.tracker.on(Event::Answer { key, answer }, now_ns, &mut self.actions);
    }

    fn cancel(&mut self, key: Key, now_ns: i64) {
        let ticket = self.tickets.iter().flatten().find(|(known, _)| *known == key);
        let actuator = &mut self.actuators[usize::from(key.ejector)];
        let done = ticket.is_some_and(|&(_, ticket)| actuator.cancel(ticket, now_ns));
        if done {
            self.tickets
                .iter_mut()
                .filter(|t| t.is_some_and(|(k, _)| k == key))
                .for_each(|t| *t = None);
        }
        self.tracker.on(Event::Cancelled { key, done }, now_ns, &mut self.actions);
    }

    fn read_sensors(&mut self, now_ns: i64) {
        let recent = self.read_ns.is_some_and(|read_ns| now_ns - read_ns < READ_BUSY_NS / 2);
        if let (false, Some(encoder)) = (recent, &mut self.encoder) {
            self.read_ns = Some(now_ns);
            let reading = encoder.read(now_ns);
            let answered = std::mem::replace(&mut self.encoder_answers, reading.is_ok());
            match reading {
                Ok(reading) => self.tell(Event::Encoder(reading), now_ns),
                Err(error) if answered => {
                    tracing::error!("{error}");
                    self.tell(Event::EncoderLost, now_ns);
                }
                Err(_) => {}
            }
        }
        if let Some(sensor) = &mut self.sensor {
            let mut edges = std::mem::take(&mut self.edges);
            let polled = sensor.poll(now_ns, &mut edges);
            for edge in edges.drain(..) {
                self.tell(Event::Edge(edge), now_ns);
            }
            self.edges = edges;
            let answered = std::mem::replace(&mut self.sensor_answers, polled.is_ok());
            if let (true, Err(error)) = (answered, polled) {
                tracing::error!("{error}");
                self.tell(Event::SensorLost, now_ns);
            }
        }
    }

    fn poll_actuators(&mut self, now_ns: i64) {
        let mut events = std::mem::take(&mut self.events);
        for ejector in 0..self.actuators.len() {
            self.actuators[ejector].poll(now_ns, &mut events);
            for event in events.drain(..) {
                self.tell(Event::Actuator { ejector: ejector as u8, event }, now_ns);
            }
        }
        self.events = events;
    }

    fn tell_ready(&mut self, now_ns: i64) {
        let answers = self.encoder_answers && self.sensor_answers;
        self.shown.stop |= self.outlet.asks_stop();
        let ready = answers && !self.shown.stop && self.tracker.ready(now_ns);
        if ready != self.shown.ready {
            self.shown.ready = ready;
            self.outlet.event(LineEvent::Ready(ready), now_ns);
        }
        self.show(now_ns);
    }

    fn show(&mut self, now_ns: i64) {
        let Self { wires, shown, outlet, .. } = self;
        let mut lost = false;
        wires.show(*shown, now_ns, |name| {
            lost = true;
            outlet.event(LineEvent::SignalLost(name), now_ns);
        });
        self.shown.alarm |= lost;
    }

    pub(super) fn next_wake(&mut self, now_ns: i64) -> Wake {
        let period_ns = if self.tracker.idle() { READ_IDLE_NS } else { READ_BUSY_NS };
        let read_ns = match (&self.encoder, self.read_ns) {
            (Some(_), Some(read_ns)) => read_ns + period_ns,
            _ => now_ns + SEC,
        };
        let devices = self.actuators.iter().filter_map(|actuator| actuator.next_due_ns());
        let soft_ns = devices.fold(read_ns, i64::min);
        match self.tracker.next_due_ns() {
            Some(due_ns) if due_ns <= soft_ns => {
                Wake { at_ns: due_ns, exact: !self.actuators.is_empty() }
            }
            _ => Wake { at_ns: soft_ns, exact: false },
        }
    }

    /// Waits for the bell or the time; the last stretch before a deadline by spinning.
    fn wait(&mut self, wake: Wake) {
        let until_ns = match wake.exact {
            true => wake.at_ns - SPIN_NS,
            false if self.actuators.is_empty() => wake.at_ns + SOFT_NS,
            false => wake.at_ns,
        };
        let sleep_ns = self.outlet.sleeps(until_ns) - self.clock.now_ns();
        let Inbox { receiver, bell } = &self.inbox;
        let there = || !receiver.is_empty() || !self.quiet.is_empty();
        if sleep_ns > 0 {
            bell.sleep(Duration::from_nanos(sleep_ns as u64), there);
            return;
        }
        while !bell.rung() && !there() && self.clock.now_ns() < wake.at_ns {
            std::hint::spin_loop();
        }
    }

    fn end(&mut self, now_ns: i64) {
        self.state = State::Ended;
        for actuator in &mut self.actuators {
            actuator.safe("the line has ended");
        }
        if self.shown.ready {
            self.shown.ready = false;
            self.outlet.event(LineEvent::Ready(false), now_ns);
        }
        self.show(now_ns);
        self.outlet.event(LineEvent::Drained, now_ns);
    }
}

impl<O: Outlet> Drop for LineThread<O> {
    fn drop(&mut self) {
        if self.state != State::Ended {
            for actuator in &mut self.actuators {
                actuator.safe("the line was dropped");
            }
            // Also when a panic came here: nobody watches the belt any more.
            self.shown = Shown { ready: false, stop: true, ..self.shown };
            self.wires.show(self.shown, self.clock.now_ns(), |_| {});
        }
    }
}

impl<O: Outlet> std::fmt::Debug for LineThread<O> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "LineThread({:?}, {:?})", self.state, self.tracker.counts())
    }
}

/// Whether the devices are those that the setup speaks of.
fn fitting(setup: &Setup, encoder: bool, sensor: bool, actuators: usize) -> Result<()> {
    let motion = setup.belt.as_ref().map(|belt| belt.motion);
    if matches!(motion, Some(track::Motion::Encoder { .. })) && !encoder {
        return Err(Error::invalid("encoder", "the belt has one, and none was given"));
    }
    if setup.announced_by == track::AnnouncedBy::Sensor && !sensor {
        return Err(Error::invalid("sensor", "it announces the parts, and none was given"));
    }
    if setup.ejectors.len() != actuators {
        let problem = format!("{actuators} for {} ejectors", setup.ejectors.len());
        return Err(Error::invalid("actuators", problem));
    }
    Ok(())
}
