//! Keeping the streamable features and giving them back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;

use crate::error::Result;
use crate::graph::uses;
use crate::map::NodeMap;
use crate::node::{Kind, NodeId};
use crate::value::{Limits, Value};

/// Combinations of selectors' values that one feature is kept for.
const MAX_COMBINATIONS: usize = 4096;

/// The streamable features' values, in the order in which they are to be given back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// Names and values as text; a selector's value holds for the lines after it.
    pub lines: Vec<(String, String)>,
}

impl Saved {
    /// One line for each value, name and value separated by a tab, as GenApi persistence files are.
    pub fn to_text(&self) -> String {
        let mut text = String::from("# GenApi persistence file (version 1.0.0)\n");
        for (name, value) in &self.lines {
            let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            let _ = writeln!(text, "{name}\t{value}");
        }
        text
    }

    /// Reads what [`Saved::to_text`] or another GenApi implementation wrote.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let lines = lines.filter_map(|line| line.split_once('\t')).map(|(name, value)| {
            let mut plain = String::new();
            let mut chars = value.chars();
            while let Some(char) = chars.next() {
                match (char, char == '\\') {
                    (_, true) => match chars.next() {
                        Some('n') => plain.push('\n'),
                        Some('r') => plain.push('\r'),
                        Some(other) => plain.push(other),
                        None => plain.push('\\'),
                    },
                    (char, false) => plain.push(char),
                }
            }
            (name.trim().to_owned(), plain)
        });
        Self { lines: lines.collect() }
    }
}

/// What giving the values back came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Values that were set and read back.
    pub restored: usize,
    /// Values that the camera does not have now.
    pub unrestored: Vec<Unrestored>,
}

/// A value that could not be given back.
#[derive(Clone, Debug, PartialEq)]
pub struct Unrestored {
    /// The feature.
    pub name: String,
    /// The selectors that it was kept for, with their values.
    pub selectors: Vec<(String, String)>,
    /// The value that was kept.
    pub wanted: String,
    /// Why it could not be set, or what was read back instead.
    pub problem: String,
}

/// One value with the selectors that it holds for.
struct Item {
    node: NodeId,
    selectors: Vec<(NodeId, String)>,
    value: String,
}

impl NodeMap {
    /// The values of all streamable features that can be read and written now: each selected
    /// feature once for each combination of its selectors' values, and a feature after those that
    /// decide over its access and limits.
    ///
    /// Selectors are moved while this reads and are put back at the end.
    ///
    /// # Errors
    /// None but those of a selector that can't be put back; features that can't be read are left
    /// out.
    pub fn save(&self) -> Result<Saved> {
        self.save_those(|id| self.model().node(id).streamable)
    }

    /// As [`NodeMap::save`], of all features below `Root` but plain registers: for descriptions that
    /// mark nothing as streamable.
    ///
    /// # Errors
    /// As [`NodeMap::save`].
    pub fn save_all(&self) -> Result<Saved> {
        self.save_those(|id| self.model().graph.is_feature(id) && self.kind(id) != Kind::Register)
    }

    /// Whether the description marks features as streamable.
    pub fn marks_streamable(&self) -> bool {
        self.nodes().any(|id| self.model().node(id).streamable)
    }

    fn save_those(&self, wanted: impl Fn(NodeId) -> bool) -> Result<Saved> {
        let order = self.persistent_order(wanted);
        let mut selectors: Vec<NodeId> = Vec::new();
        for &id in &order {
            for selector in self.selectors(id) {
                if !selectors.contains(&selector) {
                    selectors.push(selector);
                }
            }
        }
        let before: Vec<(NodeId, String)> = selectors
            .iter()
            .filter_map(|id| self.exact_text(*id).ok().map(|value| (*id, value)))
            .collect();
        let mut lines: Vec<(String, String)> = Vec::new();
        // Where each selector stands for whoever reads the lines.
        let mut standing: HashMap<NodeId, String> = HashMap::new();
        for id in order {
            if selectors.contains(&id) {
                // Comes at the end, as it was.
                continue;
            }
            for combination in self.combinations(id) {
                if !self.select(&combination) || !self.is_persistable(id) {
                    continue;
                }
                let Ok(value) = self.exact_text(id) else { continue };
                for (selector, value) in combination {
                    if standing.get(&selector) != Some(&value) {
                        lines.push((self.name(selector).to_owned(), value.clone()));
                        standing.insert(selector, value);
                    }
                }
                lines.push((self.name(id).to_owned(), value));
            }
        }
        for (selector, value) in before {
            self.from_text(selector, &value)?;
            lines.push((self.name(selector).to_owned(), value));
        }
        Ok(Saved { lines })
    }

    /// Gives kept values back and reads each of them again.
    ///
    /// Values that the camera refuses at first are tried again after the others, since one's
    /// limits may depend on another: so it ends when no more of them are taken.
    pub fn load(&self, saved: &Saved) -> Loaded {
        let mut loaded = Loaded::default();
        let items = self.items(saved, &mut loaded);
        let mut open: Vec<usize> = (0..items.len()).collect();
        let mut problems: HashMap<usize, String> = HashMap::new();
        while !open.is_empty() {
            let tried = open.len();
            open.retain(|at| match self.give_back(&items[*at]) {
                Ok(()) => false,
                Err(problem) => {
                    problems.insert(*at, problem);
                    true
                }
            });
            if open.len() == tried {
                break;
            }
        }
        // Only now: a later value may have changed an earlier one.
        let refused: HashSet<usize> = open.into_iter().collect();
        // A selector's own value is the last that was given.
        let last: HashMap<NodeId, usize> =
            items.iter().enumerate().map(|(at, item)| (item.node, at)).collect();
        for (at, item) in items.iter().enumerate() {
            let superseded = item.selectors.is_empty() && last.get(&item.node) != Some(&at);
            let problem = if refused.contains(&at) {
                problems.remove(&at)
            } else if superseded {
                None
            } else {
                if !self.selected(item.node).is_empty() {
                    // Those before it have moved it.
                    let _ = self.give_back(item);
                }
                self.difference(item)
            };
            match problem {
                None => loaded.restored += 1,
                Some(problem) => loaded.unrestored.push(Unrestored {
                    name: self.name(item.node).to_owned(),
                    selectors: item
                        .selectors
                        .iter()
                        .map(|(id, value)| (self.name(*id).to_owned(), value.clone()))
                        .collect(),
                    wanted: item.value.clone(),
                    problem,
                }),
            }
        }
        // Verification moved the selectors.
        let ends = last.iter().filter(|(id, _)| !self.selected(**id).is_empty());
        let ends: BTreeSet<usize> = ends.map(|(_, at)| *at).collect();
        for at in ends {
            let _ = self.give_back(&items[at]);
        }
        loaded
    }

    fn items(&self, saved: &Saved, loaded: &mut Loaded) -> Vec<Item> {
        let mut standing: HashMap<NodeId, String> = HashMap::new();
        let mut items = Vec::new();
        for (name, value) in &saved.lines {
            let Some(node) = self.node(name) else {
                loaded.unrestored.push(Unrestored {
                    name: name.clone(),
                    selectors: Vec::new(),
                    wanted: value.clone(),
                    problem: "the description has no such feature".to_owned(),
                });
                continue;
            };
            let selectors = self.selectors(node).into_iter();
            let selectors =
                selectors.filter_map(|id| standing.get(&id).map(|value| (id, value.clone())));
            items.push(Item { node, selectors: selectors.collect(), value: value.clone() });
            if !self.selected(node).is_empty() {
                standing.insert(node, value.clone());
            }
        }
        items
    }

    fn give_back(&self, item: &Item) -> std::result::Result<(), String> {
        if !self.select(&item.selectors) {
            return Err("its selectors do not take their values".to_owned());
        }
        if self.is_same(item.node, &item.value) {
            return Ok(());
        }
        self.from_text(item.node, &item.value).map_err(|error| error.to_string())
    }

    /// What is wrong with the value that is read back.
    fn difference(&self, item: &Item) -> Option<String> {
        if !self.select(&item.selectors) {
            return Some("its selectors do not take their values".to_owned());
        }
        // What was written may be remembered as it was written, and not as the camera took it.
        self.invalidate(item.node);
        match self.exact_text(item.node) {
            _ if self.is_same(item.node, &item.value) => None,
            Ok(value) => Some(format!("{value} was read back")),
            Err(error) => Some(error.to_string()),
        }
    }

    fn is_same(&self, id: NodeId, wanted: &str) -> bool {
        match self.value(id) {
            Ok(Value::Float(value)) => crate::build::float(wanted).is_some_and(|wanted| {
                // A register of 4 bytes, and a converter's rounding.
                (value - wanted).abs() <= 1e-5 * wanted.abs().max(1e-30)
            }),
            Ok(_) => self.exact_text(id).is_ok_and(|value| value == wanted),
            Err(_) => false,
        }
    }

    /// The value so that nothing of it is lost, whatever notation is for display.
    fn exact_text(&self, id: NodeId) -> Result<String> {
        match self.kind(id) {
            Kind::Float => self.float(id).map(|value| value.to_string()),
            Kind::Integer => self.integer(id).map(|value| value.to_string()),
            _ => self.to_text(id),
        }
    }

    fn is_persistable(&self, id: NodeId) -> bool {
        self.access(id).is_ok_and(|access| access.mode.is_readable() && access.mode.is_writable())
    }

    fn select(&self, combination: &[(NodeId, String)]) -> bool {
        combination.iter().all(|(selector, value)| {
            self.is_same(*selector, value) || self.from_text(*selector, value).is_ok()
        })
    }

    /// All values of the feature's selectors together.
    fn combinations(&self, id: NodeId) -> Vec<Vec<(NodeId, String)>> {
        let mut combinations = vec![Vec::new()];
        for selector in self.selectors(id) {
            if selector == id {
                continue;
            }
            let values = self.values_of(selector);
            if values.is_empty() || combinations.len() * values.len() > MAX_COMBINATIONS {
                continue;
            }
            combinations = combinations
                .iter()
                .flat_map(|before| {
                    values.iter().map(|value| {
                        let mut combination = before.clone();
                        combination.push((selector, value.clone()));
                        combination
                    })
                })
                .collect();
        }
        combinations
    }

    fn values_of(&self, selector: NodeId) -> Vec<String> {
        if !self.is_persistable(selector) {
            return Vec::new();
        }
        match self.kind(selector) {
            Kind::Enumeration => match self.entries(selector) {
                Ok(entries) => entries
                    .into_iter()
                    .filter(|entry| entry.access.is_readable())
                    .map(|entry| entry.symbol)
                    .collect(),
                Err(_) => Vec::new(),
            },
            Kind::Boolean => vec!["0".to_owned(), "1".to_owned()],
            Kind::Integer => match self.limits(selector) {
                Ok(Limits::Int { min, max, increment, .. }) => {
                    let step = usize::try_from(increment.max(1)).unwrap_or(1);
                    (min..=max)
                        .step_by(step)
                        .take(MAX_COMBINATIONS + 1)
                        .map(|value| value.to_string())
                        .collect()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The wanted features, each after those that it depends on; where they depend on each other, in
    /// the order of the document.
    fn persistent_order(&self, wanted: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let wanted: HashSet<NodeId> = self
            .nodes()
            .filter(|id| wanted(*id))
            .filter(|id| !matches!(self.kind(*id), Kind::Command | Kind::Category | Kind::Port))
            .collect();
        let mut order = Vec::new();
        let mut done = HashSet::new();
        for id in self.nodes().filter(|id| wanted.contains(id)) {
            // Depth first over all that the feature uses, on a stack of our own.
            let mut open = vec![(id, false)];
            while let Some((node, left)) = open.pop() {
                if left {
                    if wanted.contains(&node) {
                        order.push(node);
                    }
                } else if done.insert(node) {
                    open.push((node, true));
                    uses(self.model().node(node), |_, used| {
                        if !done.contains(&used) {
                            open.push((used, false));
                        }
                    });
                }
            }
        }
        order
    }
}
