//! Whether a [`Setup`] describes a belt.

use thiserror::Error;

use crate::setup::{
    CameraModel, EjectorModel, EncoderFaultKind, EncoderModel, EyeModel, Gap, PartsModel, Setup,
    Tags, TriggerPoint,
};

/// Why a [`Setup`] describes no belt.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SetupError {
    /// A number is outside what it can be.
    #[error("{what} is {value}; it has to be {allowed}")]
    OutOfRange {
        /// The field, as `ejectors[0].face_mm`.
        what: String,
        /// Its value.
        value: f64,
        /// What would do.
        allowed: &'static str,
    },
    /// The speed profile cannot be run.
    #[error("speed: {why}")]
    Speed {
        /// What is wrong with it.
        why: String,
    },
    /// A list is empty or too long.
    #[error("{what} has {count} entries; it has to have {allowed}")]
    Count {
        /// The list.
        what: &'static str,
        /// Its length.
        count: usize,
        /// What would do.
        allowed: &'static str,
    },
    /// A list that has to be in order of time is not.
    #[error("{what} is not in order of time; sort it by at_s")]
    Unordered {
        /// The list.
        what: &'static str,
    },
}

const SHARE: &str = "a probability from 0 to 1";
const MS: &str = "from 0 to 1e9 ms";
const MM: &str = "from 0 to 1e6 mm";

fn within(
    what: impl FnOnce() -> String,
    value: f64,
    low: f64,
    high: f64,
    allowed: &'static str,
) -> Result<(), SetupError> {
    if value.is_finite() && value >= low && value <= high {
        return Ok(());
    }
    Err(SetupError::OutOfRange { what: what(), value, allowed })
}

impl Setup {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is out of its range, by name.
    pub fn check(&self) -> Result<(), SetupError> {
        if let Some(why) = self.speed.fault() {
            return Err(SetupError::Speed { why });
        }
        self.encoder.check()?;
        self.parts.check()?;
        self.eye.check()?;
        for (list, count, most, allowed) in [
            ("cameras", self.cameras.len(), 32, "at most 32"),
            ("ejectors", self.ejectors.len(), 255, "at most 255"),
        ] {
            if count > most {
                return Err(SetupError::Count { what: list, count, allowed });
            }
        }
        for (index, camera) in self.cameras.iter().enumerate() {
            camera.check(index)?;
        }
        for (index, ejector) in self.ejectors.iter().enumerate() {
            ejector.check(index)?;
        }
        within(
            || "exit_mm".into(),
            self.exit_mm(),
            self.last_station_mm(),
            1e6,
            "behind the last camera and the last ejector's face",
        )
    }

    fn last_station_mm(&self) -> f64 {
        let cameras = self.cameras.iter().map(|camera| match camera.trigger {
            TriggerPoint::Middle => camera.at_mm,
            TriggerPoint::BehindLead { mm } => camera.at_mm + mm.max(0.0),
        });
        let ejectors = self.ejectors.iter().map(|ejector| ejector.at_mm + ejector.face_mm / 2.0);
        cameras.chain(ejectors).fold(0.0, f64::max)
    }

    /// Where the belt ends.
    pub fn exit_mm(&self) -> f64 {
        self.exit_mm.unwrap_or(self.last_station_mm() + 100.0)
    }
}

impl EncoderModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("encoder.{field}");
        within(name("mm_per_count"), self.mm_per_count, 1e-6, 1e6, "from 1e-6 to 1e6 mm")?;
        within(name("scale_error"), self.scale_error, -0.5, 0.5, "from -0.5 to 0.5")?;
        within(name("count_bits"), f64::from(self.count_bits), 1.0, 64.0, "1 to 64")?;
        for fault in &self.faults {
            within(name("faults.at_s"), fault.at_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            if let EncoderFaultKind::Freeze { for_s } = fault.kind {
                within(name("faults.for_s"), for_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            }
        }
        if !self.faults.is_sorted_by_key(|fault| fault.at_s) {
            return Err(SetupError::Unordered { what: "encoder.faults" });
        }
        Ok(())
    }
}

impl PartsModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("parts.{field}");
        within(name("first_mm"), self.first_mm, 0.0, 1e6, MM)?;
        within(name("length_mm"), self.length_mm, 0.1, 1e5, "from 0.1 to 1e5 mm")?;
        within(
            name("length_jitter_mm"),
            self.length_jitter_mm,
            0.0,
            self.length_mm / 2.0,
            "from 0 to half of length_mm",
        )?;
        within(name("gap least"), self.gap.least_mm(), 0.0, 1e6, MM)?;
        if let Gap::Uniform { least_mm, most_mm: mm } | Gap::Exponential { least_mm, mean_mm: mm } =
            self.gap
        {
            within(name("gap"), mm, least_mm, 1e6, "between the least gap and 1e6 mm")?;
        }
        within(name("touching_share"), self.touching_share, 0.0, 1.0, SHARE)?;
        within(name("slip"), self.slip, -0.2, 0.2, "from -0.2 to 0.2")?;
        within(name("slip_jitter"), self.slip_jitter, 0.0, 0.2, "from 0 to 0.2")?;
        match &self.tags {
            Tags::InTurn(list) | Tags::Drawn(list) if list.is_empty() => {
                Err(SetupError::Count { what: "parts.tags", count: 0, allowed: "at least one" })
            }
            _ => Ok(()),
        }
    }
}

impl EyeModel {
    fn check(&self) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("eye.{field}");
        within(name("blind_gap_mm"), self.blind_gap_mm, 0.0, 1e6, MM)?;
        within(name("delay_ms"), self.delay_ms, 0.0, 1e9, MS)?;
        within(name("jitter_ms"), self.jitter_ms, 0.0, 1e9, MS)?;
        within(name("missed_share"), self.missed_share, 0.0, 1.0, SHARE)?;
        within(name("bounce_share"), self.bounce_share, 0.0, 1.0, SHARE)?;
        within(name("bounce_ms"), self.bounce_ms, 0.0, 1e9, MS)?;
        within(name("phantom_share"), self.phantom_share, 0.0, 1.0, SHARE)
    }
}

impl CameraModel {
    fn check(&self, index: usize) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("cameras[{index}].{field}");
        within(name("at_mm"), self.at_mm, 0.0, 1e6, MM)?;
        if let TriggerPoint::BehindLead { mm } = self.trigger {
            within(name("trigger"), self.at_mm + mm, 0.0, 1e6, "behind the eye")?;
        }
        within(name("jitter_ms"), self.jitter_ms, 0.0, 1e9, MS)?;
        within(name("missed_share"), self.missed_share, 0.0, 1.0, SHARE)?;
        within(name("double_share"), self.double_share, 0.0, 1.0, SHARE)?;
        within(name("double_after_ms"), self.double_after_ms, 0.0, 1e9, MS)
    }
}

impl EjectorModel {
    fn check(&self, index: usize) -> Result<(), SetupError> {
        let name = |field: &'static str| move || format!("ejectors[{index}].{field}");
        within(name("face_mm"), self.face_mm, 0.1, 1e5, "from 0.1 to 1e5 mm")?;
        within(
            name("at_mm"),
            self.at_mm,
            self.face_mm / 2.0,
            1e6,
            "so far from the eye that the whole face is behind it",
        )?;
        for (field, value) in [
            ("dead_ms", self.dead_ms),
            ("hit_ms", self.hit_ms),
            ("occupied_ms", self.occupied_ms),
            ("recover_ms", self.recover_ms),
            ("least_pulse_ms", self.least_pulse_ms),
            ("slow_ms", self.slow_ms),
            ("stuck_ms", self.stuck_ms),
        ] {
            within(name(field), value, 0.0, 1e9, MS)?;
        }
        within(
            name("dead_jitter_ms"),
            self.dead_jitter_ms,
            0.0,
            self.dead_ms,
            "from 0 to dead_ms",
        )?;
        within(name("hit_ms"), self.hit_ms, 0.0, self.occupied_ms, "from 0 to occupied_ms")?;
        for (field, value) in [
            ("grip_share", self.grip_share),
            ("dead_share", self.dead_share),
            ("slow_share", self.slow_share),
            ("stuck_share", self.stuck_share),
        ] {
            within(name(field), value, 0.0, 1.0, SHARE)?;
        }
        for fault in &self.faults {
            within(name("faults.from_s"), fault.from_s, 0.0, 1e9, "from 0 to 1e9 s")?;
            within(name("faults.to_s"), fault.to_s, fault.from_s, 1e9, "from from_s to 1e9 s")?;
        }
        if let Some(confirm) = &self.confirm {
            within(name("confirm.delay_ms"), confirm.delay_ms, 0.0, 1e9, MS)?;
            within(name("confirm.missed_share"), confirm.missed_share, 0.0, 1.0, SHARE)?;
            within(name("confirm.false_share"), confirm.false_share, 0.0, 1.0, SHARE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_describes_a_belt() {
        assert_eq!(Setup::default().check(), Ok(()));
        assert_eq!(Setup::default().exit_mm(), 825.0);
    }

    #[test]
    fn errors_name_the_field_and_what_would_do() {
        let mut setup = Setup::default();
        setup.ejectors[0].grip_share = 1.5;
        assert_eq!(
            setup.check().unwrap_err().to_string(),
            "ejectors[0].grip_share is 1.5; it has to be a probability from 0 to 1"
        );
        let mut setup = Setup::default();
        setup.parts.length_mm = f64::NAN;
        assert!(setup.check().is_err());
        let setup = Setup { exit_mm: Some(300.0), ..Setup::default() };
        assert!(setup.check().unwrap_err().to_string().contains("exit_mm is 300"));
        let mut setup = Setup::default();
        setup.parts.tags = Tags::InTurn(vec![]);
        assert!(setup.check().is_err());
    }
}
