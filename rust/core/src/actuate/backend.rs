//! What a device has to be able to do that lives behind a queue of ours: it may make its caller
//! wait, because its caller is a thread of its own.

use super::{ActuatorEvent, Command};
use crate::clock::{Clock, MS, SEC};
use crate::error::{Error, Result};

/// The data sheet of an [`Backend`], known when it is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Its address, for messages.
    pub uri: String,
    /// A command is handed over so long before its instant: what the way to the output takes, or
    /// earlier, for a device that keeps the time.
    pub ahead_ns: i64,
    /// Least time between accepting a command and its instant.
    pub lead_ns: i64,
    /// How exactly the output goes on.
    pub jitter_ns: i64,
    /// How many commands wait at once, at most [`Sheet::MOST_QUEUED`].
    pub queue: usize,
    /// After a pulse's end it can do nothing for so long.
    pub recover_ns: i64,
    /// How long every pulse is, whatever its command says.
    pub pulse_ns: Option<i64>,
    /// The longest pulse.
    pub longest_pulse_ns: i64,
    /// Whether a command can be taken back until it is handed over.
    pub can_cancel: bool,
    /// Whether a sensor of its own confirms strokes.
    pub confirms: bool,
    /// The device keeps the time: it acts at a command's instant, not when it is handed over.
    pub keeps_time: bool,
    /// It fires by the encoder's count, which every command has to bring.
    pub needs_count: bool,
}

impl Sheet {
    /// No queue is longer.
    pub const MOST_QUEUED: usize = 64;

    /// An output that goes on at once.
    pub fn immediate(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            ahead_ns: 0,
            lead_ns: MS,
            jitter_ns: MS,
            queue: Self::MOST_QUEUED,
            recover_ns: 0,
            pulse_ns: None,
            longest_pulse_ns: 10 * SEC,
            can_cancel: true,
            confirms: false,
            keeps_time: false,
            needs_count: false,
        }
    }
}

/// What became of a command that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// The output went on at this instant.
    Executed(i64),
    /// The device has it; [`Backend::look`] tells how it ended.
    Taken,
    /// The device has not done it and never will.
    Dropped,
    /// Nobody knows whether it was done: it is told as unconfirmed and never given again.
    Unknown,
}

/// How it is with a device after a look.
#[derive(Debug)]
pub struct Looked {
    /// Why it cannot be reached, if it cannot.
    pub link: Result<()>,
    /// When it has to be looked at again, if by then nothing else happens.
    pub next_ns: Option<i64>,
}

/// A device behind a queue. Every call comes from the device's own thread and may wait.
pub trait Backend: Send {
    /// Its data sheet.
    fn sheet(&self) -> Sheet;

    /// Ready to fire.
    ///
    /// # Errors
    /// [`Error::Device`] when it will not.
    fn arm(&mut self) -> Result<()>;

    /// The safe state, at once; what the device had queued is told as it ended, as far as it knows.
    fn disarm(&mut self, reason: &str, told: &mut Vec<ActuatorEvent>);

    /// Takes a command, [`Sheet::ahead_ns`] before its instant.
    fn hand_over(&mut self, command: &Command, clock: &Clock) -> Handed;

    /// Does what is due by `now_ns`: ends of pulses, heartbeats, answers, the way back to a lost
    /// device. What ended meanwhile is added to `told`.
    fn look(&mut self, now_ns: i64, told: &mut Vec<ActuatorEvent>) -> Looked;
}

/// One output that is on or off; setting it may wait.
pub trait Switch: Send {
    /// Sets it.
    ///
    /// # Errors
    /// [`Error::Device`] when that fails; nobody knows then how it stands.
    fn set(&mut self, on: bool) -> Result<()>;
}

impl Switch for Box<dyn Switch> {
    fn set(&mut self, on: bool) -> Result<()> {
        (**self).set(on)
    }
}

impl<F: FnMut(bool) -> Result<()> + Send> Switch for F {
    fn set(&mut self, on: bool) -> Result<()> {
        self(on)
    }
}

/// How long a switch that failed is left alone before it is tried again.
const RETRY_NS: i64 = SEC / 2;

/// A switch that is off is switched off again this often, so that one that is gone is known before a
/// part comes.
const CHECK_NS: i64 = SEC / 4;

/// Pulses made by switching on and off from here.
pub struct Pulsed<S> {
    switch: S,
    sheet: Sheet,
    off_ns: Option<i64>,
    /// When an output that is off is looked after next.
    check_ns: i64,
    /// Why the switch failed when it was tried last.
    broken: Option<String>,
}

impl<S: Switch> Pulsed<S> {
    /// A pulse output; the switch is set to off.
    ///
    /// # Errors
    /// What the switch says.
    pub fn new(mut switch: S, sheet: Sheet) -> Result<Self> {
        switch.set(false)?;
        Ok(Self { switch, sheet, off_ns: None, check_ns: i64::MIN, broken: None })
    }

    fn set(&mut self, on: bool, now_ns: i64) -> Result<()> {
        let set = self.switch.set(on);
        let (broken, again_ns) = match &set {
            Ok(()) => (None, CHECK_NS),
            Err(why) => (Some(why.to_string()), RETRY_NS),
        };
        (self.broken, self.check_ns) = (broken, now_ns + again_ns);
        set
    }
}

impl<S: Switch> Backend for Pulsed<S> {
    fn sheet(&self) -> Sheet {
        self.sheet.clone()
    }

    fn arm(&mut self) -> Result<()> {
        self.switch.set(false)
    }

    fn disarm(&mut self, reason: &str, _told: &mut Vec<ActuatorEvent>) {
        self.off_ns = None;
        if let Err(why) = self.switch.set(false) {
            tracing::error!("{}: not switched off ({reason}): {why}", self.sheet.uri);
        }
    }

    fn hand_over(&mut self, command: &Command, clock: &Clock) -> Handed {
        match self.set(true, clock.now_ns()) {
            Ok(()) => {
                let at_ns = clock.now_ns();
                self.off_ns = Some(at_ns + self.sheet.pulse_ns.unwrap_or(command.pulse_ns));
                Handed::Executed(at_ns)
            }
            Err(_) => {
                // It may have gone on all the same.
                let _ = self.switch.set(false);
                Handed::Unknown
            }
        }
    }

    fn look(&mut self, now_ns: i64, _told: &mut Vec<ActuatorEvent>) -> Looked {
        let over = match self.off_ns {
            Some(off_ns) => off_ns <= now_ns,
            None => self.check_ns <= now_ns,
        };
        if over {
            self.off_ns = None;
            // An output that does not go off is tried again.
            let _ = self.set(false, now_ns);
        }
        let next_ns = Some(self.off_ns.unwrap_or(self.check_ns));
        match &self.broken {
            None => Looked { link: Ok(()), next_ns },
            Some(problem) => {
                let (uri, problem) = (self.sheet.uri.clone(), problem.clone());
                Looked { link: Err(Error::Device { uri, problem }), next_ns }
            }
        }
    }
}
