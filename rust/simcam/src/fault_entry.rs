//! One `[[device.fault]]` of the configuration file.

use serde::Deserialize;

use crate::abi::status;
use crate::config::out_of_range;
use crate::error::{Fault, Result};
use crate::faults::{self, FaultKind, Rule};

/// A rule, as far as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultEntry {
    kind: String,
    frame: Option<u64>,
    first: Option<u64>,
    last: Option<u64>,
    every: Option<u64>,
    probability: Option<f64>,
    from_s: Option<f64>,
    until_s: Option<f64>,
    times: Option<u64>,
    duration_s: Option<f64>,
    value: Option<f64>,
}

impl FaultEntry {
    /// The kind and its rule.
    pub(crate) fn resolve(self) -> Result<(FaultKind, Rule)> {
        let kind = FaultKind::ALL.iter().copied().find(|kind| kind.name() == self.kind);
        let kind = kind.ok_or_else(|| {
            let all: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
            Fault::new(
                status::ERROR,
                format!("kind = {:?}: must be one of {}", self.kind, all.join(", ")),
            )
        })?;
        let mut rule = Rule { enabled: true, ..Rule::new(kind) };
        if let Some(frame) = self.frame {
            if self.first.is_some() || self.last.is_some() || self.every.is_some() {
                return Err(Fault::new(
                    status::ERROR,
                    format!("{}: frame is first and last in one; give it alone", kind.name()),
                ));
            }
            (rule.first, rule.last) = (frame, frame);
        }
        let counts = [
            ("first", &mut rule.first, self.first, 0..=faults::COUNT_MAX),
            ("last", &mut rule.last, self.last, 0..=faults::COUNT_MAX),
            ("every", &mut rule.every, self.every, 1..=faults::COUNT_MAX),
            ("times", &mut rule.times, self.times, 0..=faults::COUNT_MAX),
        ];
        for (key, to, value, range) in counts {
            let Some(value) = value else { continue };
            if !range.contains(&value) {
                return Err(out_of_range(key, value, range));
            }
            *to = value;
        }
        let numbers = [
            ("probability", &mut rule.probability, self.probability, 0.0..=1.0),
            ("from_s", &mut rule.from_s, self.from_s, faults::SECONDS),
            ("until_s", &mut rule.until_s, self.until_s, faults::SECONDS),
            ("duration_s", &mut rule.duration_s, self.duration_s, faults::SECONDS),
            ("value", &mut rule.value, self.value, kind.range()),
        ];
        for (key, to, value, range) in numbers {
            let Some(value) = value else { continue };
            if !range.contains(&value) {
                let fault = out_of_range(key, value, range);
                return Err(Fault::new(fault.code, format!("{}: {}", kind.name(), fault.text)));
            }
            *to = value;
        }
        Ok((kind, rule))
    }
}
