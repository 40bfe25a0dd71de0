//! A mailbox in the PLC's registers, with a handshake that makes "exactly once" of a link that loses
//! replies.
//!
//! ```text
//! host writes  +0 part (2)  +2 count or delay in ms (2)  +4 class  +5 pulse in ms   then  +6 seq
//!              +7 heartbeat: 0 is disarmed, else it changes; when it stops changing, so does the PLC
//! PLC writes   +0 seq it took last  +1 what it made of it  +2 seq it has done last  +3 armed (1)
//! ```
//!
//! The PLC takes a command when `seq` differs from the one that it took last, and never otherwise. So
//! the same command may be written again with the same `seq` until the PLC has repeated it, and a
//! command that came to be too late is overwritten by one with no pulse under its `seq`: whichever the
//! PLC takes, it says so, and takes no other.

use std::collections::VecDeque;

use super::{Common, nap};
use crate::actuate::backend::{Backend, Handed, Looked, Sheet};
use crate::actuate::{ActuatorEvent, Command};
use crate::clock::{Clock, MS, RoundTrip, SEC, monotonic_ns};
use crate::error::{Error, Result};
use crate::modbus::{Client, Failure, Table, Words};
use crate::uri::Uri;

/// Where in the host's block.
const SEQ: u16 = 6;
const HEARTBEAT: u16 = 7;
/// Where the PLC's block begins, unless the URI says otherwise.
const ANSWER: u16 = 8;

/// Commands are handed over so long before their lead, which leaves time for a connection that has to
/// be made anew; and in the order of their instants, because the PLC's queue is one of arrival.
const EARLY_NS: i64 = 100 * MS;

/// What a PLC made of a command.
const ACCEPTED: u16 = 1;

/// A command whose end is not heard of for so long after its window is told as unconfirmed.
const GRACE_NS: i64 = SEC;

/// By what the PLC knows when to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The count of the belt's encoder.
    Count,
    /// Milliseconds after it took the command.
    Delay,
}

/// Where the blocks are and what they say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    mailbox: u16,
    answer: u16,
    words: Words,
    by: By,
    queue: usize,
}

impl Layout {
    pub(super) fn take(uri: &mut Uri, mailbox: u16, counts: bool) -> Result<Self> {
        let answer = uri.take_number("answer", 0, u16::MAX - 4)?.unwrap_or(mailbox + ANSWER);
        let words = Words::take(uri)?;
        let by = match uri.take_word("by", &["count", "delay"])? {
            "delay" => By::Delay,
            _ if counts => By::Count,
            _ => {
                return Err(uri.wrong(
                    "by=count needs the belt's encoder, the one that the PLC counts; without one \
                     write by=delay",
                ));
            }
        };
        let queue = uri.take_number("queue", 1, Sheet::MOST_QUEUED)?.unwrap_or(8);
        Ok(Self { mailbox, answer, words, by, queue })
    }
}

/// The PLC's block.
#[derive(Clone, Copy, Debug)]
struct Heard {
    taken: u16,
    status: u16,
    done: u16,
    armed: bool,
}

impl Heard {
    fn has_done(&self, seq: u16) -> bool {
        // Numbers roll over; the PLC is never half of them ahead.
        self.done.wrapping_sub(seq) as i16 >= 0
    }
}

/// A command that was written.
#[derive(Clone, Copy, Debug)]
struct Written {
    seq: u16,
    command: Command,
    told: bool,
}

impl Written {
    fn unknown(&mut self, told: &mut Vec<ActuatorEvent>) {
        if !std::mem::replace(&mut self.told, true) {
            told.push(ActuatorEvent::Unconfirmed { key: self.command.key });
        }
    }
}

/// Ejector by mailbox.
pub(super) struct Mailbox {
    client: Client,
    layout: Layout,
    common: Common,
    trip: RoundTrip,
    /// The last that was used.
    seq: u16,
    /// Written, and not known whether the PLC took it.
    pending: Option<Written>,
    /// Taken, and not known whether they are done; oldest first.
    taken: VecDeque<Written>,
    beat: u16,
    beat_ns: i64,
    heard_ns: i64,
    armed: bool,
    lost: bool,
}

type Done<T> = std::result::Result<T, Failure>;

impl Mailbox {
    pub(super) fn open(mut client: Client, layout: Layout, common: Common) -> Result<Self> {
        let uri = client.uri().to_owned();
        let failed = |failure: Failure| failure.error(&uri);
        client.connect().map_err(failed)?;
        client.write(layout.mailbox + HEARTBEAT, &[0]).map_err(failed)?;
        let mut answer = [0; 4];
        let trip = RoundTrip::measure(common.trials, || {
            client.read(Table::Holding, layout.answer, &mut answer)
        });
        let trip = trip.map_err(failed)?;
        Ok(Self {
            client,
            layout,
            common,
            trip,
            seq: answer[0],
            pending: None,
            taken: VecDeque::with_capacity(Sheet::MOST_QUEUED),
            beat: 0,
            beat_ns: 0,
            heard_ns: 0,
            armed: false,
            lost: false,
        })
    }

    fn hear(&mut self) -> Done<Heard> {
        let mut words = [0; 4];
        self.client.read(Table::Holding, self.layout.answer, &mut words)?;
        let [taken, status, done, armed] = words;
        Ok(Heard { taken, status, done, armed: armed == 1 })
    }

    fn beat(&mut self) -> Done<()> {
        self.beat = match (self.armed, self.beat) {
            (false, _) => 0,
            (true, u16::MAX) => 1,
            (true, beat) => beat + 1,
        };
        self.client.write(self.layout.mailbox + HEARTBEAT, &[self.beat])
    }

    /// From the writing of a command to its being taken.
    fn way_ns(&self) -> i64 {
        self.trip.p50_ns + (self.trip.p50_ns + self.common.scan_ns) / 2
    }

    /// Writes a command, or with `void` one that does nothing, under `seq`.
    fn write(&mut self, seq: u16, command: &Command, void: bool, now_ns: i64) -> Done<()> {
        let when = match (self.layout.by, void) {
            (_, true) => 0,
            (By::Count, _) => command.fire_count.unwrap_or(0) as u32,
            (By::Delay, _) => {
                let delay_ns = command.fire_ns - now_ns - self.way_ns();
                ((delay_ns + MS / 2) / MS).clamp(0, i64::from(u32::MAX)) as u32
            }
        };
        let [part_a, part_b] = self.layout.words.split(command.key.part as u32);
        let [when_a, when_b] = self.layout.words.split(when);
        let pulse_ms = (command.pulse_ns / MS).clamp(1, i64::from(u16::MAX)) as u16;
        let pulse_ms = if void { 0 } else { pulse_ms };
        let payload = [part_a, part_b, when_a, when_b, command.class, pulse_ms];
        self.client.write(self.layout.mailbox, &payload)?;
        self.client.write(self.layout.mailbox + SEQ, &[seq])
    }

    /// Waits until the PLC has taken `seq`.
    fn wait_taken(&mut self, seq: u16, clock: &Clock) -> Done<Heard> {
        let until_ns = monotonic_ns() + self.common.scan_ns + 20 * self.trip.p999_ns.max(10 * MS);
        loop {
            let heard = self.hear()?;
            if heard.taken == seq {
                return Ok(heard);
            }
            if monotonic_ns() >= until_ns {
                return Err(Failure::Unknown("the PLC does not take commands".into()));
            }
            nap(clock, MS);
        }
    }

    /// Whether a command can still be done in time.
    fn in_time(&self, command: &Command, now_ns: i64) -> bool {
        now_ns + self.way_ns() <= command.latest_ns
    }

    /// Has a written command taken, written again as often as that takes and time allows, or sees to
    /// it that it never will be. An error leaves it open.
    fn settle(&mut self, written: Written, clock: &Clock, mut unwritten: bool) -> Done<u16> {
        let Written { seq, command, .. } = written;
        for _ in 0..4 {
            if !unwritten {
                // Only what the PLC has not seen is written again.
                let heard = self.hear()?;
                if heard.taken == seq {
                    return Ok(heard.status);
                }
            }
            let now_ns = clock.now_ns();
            let void = !self.in_time(&command, now_ns);
            unwritten = false;
            let tried = self.write(seq, &command, void, now_ns);
            match tried.and_then(|()| self.wait_taken(seq, clock)) {
                Ok(heard) => return Ok(heard.status),
                Err(Failure::Refused(why)) => return Err(Failure::Refused(why)),
                // A connection that is only gone is made anew at once.
                Err(_) => self.client.connect()?,
            }
        }
        Err(Failure::Unknown("the PLC takes no command".into()))
    }

    fn settled(&mut self, written: Written, status: u16, told: Option<&mut Vec<ActuatorEvent>>) {
        let key = written.command.key;
        if status == ACCEPTED {
            self.taken.push_back(written);
        } else {
            tracing::warn!("{}: part {} was answered {status}", self.client.uri(), key.part);
            if let (Some(told), false) = (told, written.told) {
                told.push(ActuatorEvent::Dropped { key });
            }
        }
    }

    /// What has become of the commands that were taken. `over`: the PLC does nothing any more.
    fn ended(&mut self, heard: Heard, over: bool, told: &mut Vec<ActuatorEvent>) {
        while let Some(mut written) = self.taken.front().copied() {
            let (key, at_ns) = (written.command.key, written.command.fire_ns);
            if heard.taken != self.seq && !heard.has_done(written.seq) {
                // It has forgotten what it took: it was started anew.
                written.unknown(told);
            } else if heard.has_done(written.seq) {
                if !written.told {
                    // When it was due; the PLC tells that it was done and not when.
                    told.push(ActuatorEvent::Executed { key, at_ns });
                }
            } else if over {
                if !written.told {
                    told.push(ActuatorEvent::Dropped { key });
                }
            } else {
                return;
            }
            self.taken.pop_front();
        }
    }

    /// What nobody has heard of for too long.
    fn give_up(&mut self, now_ns: i64, told: &mut Vec<ActuatorEvent>) {
        let connected = self.client.connected();
        let by = self.layout.by;
        let overdue = |written: &Written| now_ns > written.command.latest_ns + GRACE_NS;
        // A belt that stands keeps the PLC from firing, and the PLC says so: no reason to give up.
        let waits = |written: &Written| connected && by == By::Count && !written.told;
        for written in self.taken.iter_mut().filter(|written| overdue(written)) {
            if !waits(written) {
                written.unknown(told);
            }
        }
        if let Some(pending) = self.pending.as_mut().filter(|pending| overdue(pending)) {
            pending.unknown(told);
        }
    }

    /// The way back, and what is due on a link that is there.
    fn attend(&mut self, now_ns: i64, told: &mut Vec<ActuatorEvent>) -> Done<()> {
        if !self.client.connected() {
            self.client.connect_when_due(monotonic_ns())?;
            self.beat_ns = i64::MIN;
        }
        if now_ns >= self.beat_ns.saturating_add(self.common.heartbeat_ns) {
            self.beat()?;
            self.beat_ns = now_ns;
        }
        if let Some(pending) = self.pending {
            let status = self.settle(pending, &Clock::System, false)?;
            self.pending = None;
            self.settled(pending, status, Some(told));
        }
        if !self.taken.is_empty() && now_ns >= self.heard_ns + self.hear_every_ns() {
            self.heard_ns = now_ns;
            let heard = self.hear()?;
            self.ended(heard, !heard.armed, told);
        }
        Ok(())
    }

    fn hear_every_ns(&self) -> i64 {
        self.common.scan_ns.max(5 * MS)
    }
}

impl Backend for Mailbox {
    fn sheet(&self) -> Sheet {
        let RoundTrip { p999_ns, .. } = self.trip;
        let scan_ns = self.common.scan_ns;
        Sheet {
            // Payload, then seq, then the scan that takes it.
            lead_ns: 2 * p999_ns + scan_ns,
            ahead_ns: 2 * p999_ns + scan_ns + EARLY_NS,
            jitter_ns: match self.layout.by {
                By::Count => scan_ns,
                By::Delay => scan_ns + p999_ns,
            },
            queue: self.layout.queue,
            recover_ns: self.common.recover_ns,
            can_cancel: false,
            keeps_time: true,
            needs_count: self.layout.by == By::Count,
            ..Sheet::immediate(self.client.uri())
        }
    }

    fn arm(&mut self) -> Result<()> {
        let arm = |this: &mut Self| {
            this.armed = true;
            this.beat()?;
            this.beat_ns = monotonic_ns();
            let until_ns = monotonic_ns() + SEC + 10 * this.common.scan_ns;
            loop {
                let heard = this.hear()?;
                if heard.armed {
                    this.seq = if this.pending.is_some() { this.seq } else { heard.taken };
                    return Ok(());
                }
                if monotonic_ns() >= until_ns {
                    return Err(Failure::Unknown("the PLC does not arm; is it in RUN?".into()));
                }
                nap(&Clock::System, MS);
            }
        };
        arm(self).map_err(|failure| {
            self.armed = false;
            failure.error(self.client.uri())
        })
    }

    fn disarm(&mut self, reason: &str, told: &mut Vec<ActuatorEvent>) {
        self.armed = false;
        let disarm = |this: &mut Self| {
            this.beat()?;
            let until_ns = monotonic_ns() + SEC + 10 * this.common.scan_ns;
            loop {
                let heard = this.hear()?;
                if !heard.armed || monotonic_ns() >= until_ns {
                    return Ok(heard);
                }
                nap(&Clock::System, MS);
            }
        };
        match disarm(self) {
            Ok(heard) if !heard.armed => self.ended(heard, true, told),
            Ok(_) => tracing::error!("{}: the PLC does not disarm ({reason})", self.client.uri()),
            Err(failure) => {
                // Its watchdog does what could not be ordered.
                let (uri, why) = (self.client.uri(), Failure::problem(&failure));
                tracing::error!("{uri}: not disarmed ({reason}): {why}");
            }
        }
        for written in &mut self.taken {
            written.unknown(told);
        }
        self.taken.clear();
    }

    fn hand_over(&mut self, command: &Command, clock: &Clock) -> Handed {
        if self.pending.is_some() {
            return Handed::Dropped;
        }
        self.seq = self.seq.wrapping_add(1);
        let written = Written { seq: self.seq, command: *command, told: false };
        match self.settle(written, clock, true) {
            Ok(ACCEPTED) => {
                self.settled(written, ACCEPTED, None);
                Handed::Taken
            }
            Ok(status) => {
                self.settled(written, status, None);
                Handed::Dropped
            }
            Err(Failure::Refused(why)) => {
                tracing::error!("{}: {why}", self.client.uri());
                Handed::Dropped
            }
            Err(_) => {
                self.pending = Some(written);
                Handed::Taken
            }
        }
    }

    fn look(&mut self, now_ns: i64, told: &mut Vec<ActuatorEvent>) -> Looked {
        let mut attended = self.attend(now_ns, told);
        if attended.is_err() && !self.lost {
            // Once more at once: most connections that are gone can be made anew.
            attended = self.client.connect().and_then(|()| self.attend(now_ns, told));
        }
        self.give_up(now_ns, told);
        match attended {
            Ok(()) => {
                if std::mem::take(&mut self.lost) {
                    // The line has been told of the loss and will arm again.
                    self.armed = false;
                }
                let beat_ns = self.beat_ns + self.common.heartbeat_ns;
                let hear_ns = now_ns + self.hear_every_ns();
                let next_ns = if self.taken.is_empty() { beat_ns } else { beat_ns.min(hear_ns) };
                Looked { link: Ok(()), next_ns: Some(next_ns) }
            }
            Err(failure) => {
                self.lost = true;
                self.armed = false;
                let (uri, problem) = (self.client.uri().into(), failure.problem().into());
                let retry_ns = self.client.retry_ns().max(now_ns + 10 * MS);
                Looked { link: Err(Error::Device { uri, problem }), next_ns: Some(retry_ns) }
            }
        }
    }
}
