//! A coil that the PLC turns into a pulse of its own and drops by itself.

use super::Common;
use crate::actuate::backend::{Backend, Handed, Looked, Sheet};
use crate::actuate::{ActuatorEvent, Command};
use crate::clock::{Clock, RoundTrip, monotonic_ns};
use crate::error::{Error, Result};
use crate::modbus::{Client, Failure, Table};

/// Ejector by coil.
pub(super) struct Coil {
    client: Client,
    coil: u16,
    heartbeat: Option<u16>,
    common: Common,
    trip: RoundTrip,
    beat: u16,
    beat_ns: i64,
    armed: bool,
    lost: bool,
}

impl Coil {
    pub(super) fn open(
        mut client: Client,
        coil: u16,
        heartbeat: Option<u16>,
        common: Common,
    ) -> Result<Self> {
        let uri = client.uri().to_owned();
        let failed = |failure: Failure| failure.error(&uri);
        client.connect().map_err(failed)?;
        client.write_coil(coil, false).map_err(failed)?;
        let trip =
            RoundTrip::measure(common.trials, || client.read_bit(Table::Coil, coil).map(|_| ()));
        let trip = trip.map_err(failed)?;
        let (beat, beat_ns, armed, lost) = (0, 0, false, false);
        Ok(Self { client, coil, heartbeat, common, trip, beat, beat_ns, armed, lost })
    }

    /// A sign of life, which also shows that the link is there.
    fn beat(&mut self) -> std::result::Result<(), Failure> {
        match self.heartbeat {
            Some(register) => {
                self.beat = match (self.armed, self.beat) {
                    (false, _) => 0,
                    (true, u16::MAX) => 1,
                    (true, beat) => beat + 1,
                };
                self.client.write(register, &[self.beat])
            }
            None => self.client.read_bit(Table::Coil, self.coil).map(|_| ()),
        }
    }
}

impl Backend for Coil {
    fn sheet(&self) -> Sheet {
        let RoundTrip { p50_ns, p999_ns } = self.trip;
        Sheet {
            // The request is with the PLC after half a round trip, and waits for its scan.
            ahead_ns: (p50_ns + self.common.scan_ns) / 2,
            lead_ns: p999_ns.max((p50_ns + self.common.scan_ns) / 2),
            jitter_ns: p999_ns - p50_ns / 2 + self.common.scan_ns / 2,
            recover_ns: self.common.recover_ns,
            ..Sheet::immediate(self.client.uri())
        }
    }

    fn arm(&mut self) -> Result<()> {
        self.armed = true;
        let beaten = self.beat();
        beaten.map_err(|failure| failure.error(self.client.uri()))
    }

    fn disarm(&mut self, reason: &str, _told: &mut Vec<ActuatorEvent>) {
        self.armed = false;
        let off = self.client.write_coil(self.coil, false);
        let beaten = self.beat();
        if let Err(failure) = off.and(beaten) {
            let uri = self.client.uri();
            tracing::error!("{uri}: not switched off ({reason}): {}", failure.problem());
        }
    }

    fn hand_over(&mut self, _command: &Command, clock: &Clock) -> Handed {
        let sent_ns = clock.now_ns();
        match self.client.write_coil(self.coil, true) {
            // The answer says that the PLC has it; when it acted, nobody says.
            Ok(()) => Handed::Executed(sent_ns + self.sheet().ahead_ns),
            Err(Failure::Refused(why)) => {
                tracing::error!("{}: {why}", self.client.uri());
                Handed::Dropped
            }
            Err(Failure::NotSent(_)) => Handed::Dropped,
            Err(Failure::Unknown(_)) => Handed::Unknown,
        }
    }

    fn look(&mut self, now_ns: i64, _told: &mut Vec<ActuatorEvent>) -> Looked {
        let due_ns = self.beat_ns + self.common.heartbeat_ns;
        if self.client.connected() && now_ns >= due_ns {
            self.beat_ns = now_ns;
            if let Err(Failure::Refused(why)) = self.beat() {
                tracing::error!("{}: {why}", self.client.uri());
            }
        }
        if !self.client.connected() && self.client.connect_when_due(monotonic_ns()).is_ok() {
            // Once the line has been told of the loss, it arms again itself.
            self.armed &= !self.lost;
            let _ = self.beat();
            self.beat_ns = now_ns;
        }
        if self.client.connected() {
            self.lost = false;
            let next_ns = Some(self.beat_ns + self.common.heartbeat_ns);
            return Looked { link: Ok(()), next_ns };
        }
        self.lost = true;
        let (uri, problem) = (self.client.uri().into(), self.client.problem().into());
        let link = Err(Error::Device { uri, problem });
        Looked { link, next_ns: Some(self.client.retry_ns()) }
    }
}
