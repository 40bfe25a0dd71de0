//! A camera's features as they were, to be given back to one that has lost them.

use std::sync::atomic::Ordering;

use indexmap::IndexMap;
use smartqc_genapi::{Kind as NodeKind, NodeMap, Saved};

use super::evaluate::{set, value};
use super::{Features, Value, base, with_selectors};
use crate::error::{Error, Result};

/// Features that may be changed without the oldest change being forgotten.
const MOST_CHANGES: usize = 4096;

/// The command that sets everything to what the camera has stored.
const LOAD: &str = "UserSetLoad";

/// How the names of features begin that decide when frames come, and how large they are.
const SETUP: [&str; 9] = [
    "Acquisition",
    "Binning",
    "Decimation",
    "Exposure",
    "Height",
    "SimReadoutTime",
    "Trigger",
    "UserSet",
    "Width",
];

/// What was set since the camera was opened, the latest last.
#[derive(Debug, Default)]
pub(super) struct Changes(IndexMap<String, Value>);

/// All streamable features at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    saved: Saved,
}

/// A feature that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name, with its selectors' values.
    pub feature: String,
    /// What it was.
    pub wanted: String,
    /// Why it is not, or what it is.
    pub problem: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} was {}: {}", self.feature, self.wanted, self.problem)
    }
}

impl Features {
    /// Remembers all streamable features that can be written now. Moves the camera's selectors and
    /// puts them back.
    ///
    /// # Errors
    /// [`Error::Feature`] when a selector can't be put back.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let _turn = self.lock_turn();
        let saved = self.map.save().map_err(|e| Error::Feature {
            uri: self.uri.clone(),
            feature: "(all)".into(),
            problem: e.to_string(),
        })?;
        Ok(Snapshot { saved })
    }

    /// Gives back what a snapshot of this camera holds and what was set since it was opened (its
    /// description need not say that a feature is streamable), and reads all of it again; what is
    /// different then.
    pub fn restore(&self, snapshot: &Snapshot) -> Vec<Difference> {
        let _turn = self.lock_turn();
        let map = &self.map;
        map.invalidate_all();
        let changes: Vec<(String, Value)> = self
            .lock_changes()
            .0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let loaded = map.load(&snapshot.saved);
        let mut different: Vec<Difference> = loaded
            .unrestored
            .into_iter()
            .map(|item| {
                let selected: Vec<String> =
                    item.selectors.into_iter().map(|(_, value)| value).collect();
                let feature = match selected.as_slice() {
                    [] => item.name,
                    selected => format!("{}[{}]", item.name, selected.join(",")),
                };
                Difference { feature, wanted: item.wanted, problem: item.problem }
            })
            .collect();
        for (name, wanted) in &changes {
            different.retain(|known| known.feature != *name);
            let given = with_selectors(map, name, |map, feature| {
                if feature != LOAD && value(map, feature).is_ok_and(|found| same(&found, wanted)) {
                    return Ok(());
                }
                set(map, feature, wanted)
            });
            if let Err(problem) = given {
                let (feature, wanted) = (name.clone(), wanted.to_string());
                different.push(Difference { feature, wanted, problem });
            }
        }
        // Only now: a later value may have changed an earlier one. From the camera: what was written may
        // be remembered as it was written, and not as the camera took it.
        map.invalidate_all();
        for (name, wanted) in &changes {
            if base(name) == LOAD || different.iter().any(|known| known.feature == *name) {
                continue;
            }
            let problem = match with_selectors(map, name, value) {
                Ok(found) if same(&found, wanted) => continue,
                Ok(found) => format!("{found} was read back"),
                Err(problem) => problem,
            };
            let (feature, wanted) = (name.clone(), wanted.to_string());
            different.push(Difference { feature, wanted, problem });
        }
        different
    }

    /// Remembers a value that was set, under a name that says for which selectors it holds.
    pub(super) fn note_change(&self, map: &NodeMap, name: &str, feature: &str, value: &Value) {
        let is_command = map.node(feature).is_some_and(|id| map.kind(id) == NodeKind::Command);
        // An output that was on when its camera was lost may drive an ejector: it comes back off.
        if (is_command && feature != LOAD) || feature.starts_with("UserOutputValue") {
            return;
        }
        if SETUP.iter().any(|start| feature.starts_with(start)) {
            self.setups.fetch_add(1, Ordering::AcqRel);
        }
        let name = if name != feature { name.to_owned() } else { selected_name(map, feature) };
        let changes = &mut self.lock_changes().0;
        changes.shift_remove(&name);
        if feature == LOAD {
            // It sets everything.
            changes.clear();
        }
        if changes.len() == MOST_CHANGES {
            changes.shift_remove_index(0);
        }
        changes.insert(name, value.clone());
    }
}

/// The feature's name with the values that its selectors have now.
fn selected_name(map: &NodeMap, feature: &str) -> String {
    debug_assert_eq!(feature, base(feature));
    let Some(id) = map.node(feature) else { return feature.to_owned() };
    let values: Option<Vec<String>> = map
        .selectors(id)
        .into_iter()
        .map(|id| value(map, map.name(id)).ok().map(|value| value.to_string()))
        .collect();
    match values {
        Some(values) if !values.is_empty() => format!("{feature}[{}]", values.join(",")),
        _ => feature.to_owned(),
    }
}

/// Whether a value that was read is the one that was set, but for a register's rounding.
fn same(found: &Value, wanted: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        // A text that was set is read as the feature's type wants it.
        Value::Text(text) => text.parse().ok(),
        Value::Bytes(_) => None,
    };
    match (number(found), number(wanted)) {
        (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-5 * wanted.abs().max(1e-30),
        _ => found == wanted || found.to_string() == wanted.to_string(),
    }
}
