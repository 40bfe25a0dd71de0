//! One pass over a declaration's properties: what all nodes have goes into the node, the rest is
//! gathered for its definition.

use super::tag::Tag;
use super::{Key, Property};
use crate::access::AccessMode;
use crate::error::Problem;
use crate::model::Arena;
use crate::node::{
    AddressTerm, Caching, Cell, Node, NodeId, Notation, Representation, Slope, Slot, Term,
    Visibility,
};

/// A number's text or the node that gives it.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    Text(&'a str),
    Node(NodeId),
}

/// What a definition is made from.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) value: Option<Given<'a>>,
    pub(super) copies: Vec<NodeId>,
    pub(super) index: Option<NodeId>,
    pub(super) cases: Vec<(i64, Given<'a>)>,
    pub(super) default: Option<Given<'a>>,
    pub(super) min: Option<Given<'a>>,
    pub(super) max: Option<Given<'a>>,
    pub(super) increment: Option<Given<'a>>,
    pub(super) valid: Vec<&'a str>,
    pub(super) addresses: Vec<AddressTerm>,
    pub(super) length: Option<Given<'a>>,
    pub(super) access: Option<AccessMode>,
    pub(super) port: Option<NodeId>,
    pub(super) big_endian: Option<bool>,
    pub(super) signed: bool,
    pub(super) lsb: Option<i64>,
    pub(super) msb: Option<i64>,
    pub(super) variables: Vec<(&'a str, NodeId)>,
    pub(super) constants: Vec<(&'a str, &'a str)>,
    pub(super) expressions: Vec<(&'a str, &'a str)>,
    pub(super) formula: Option<&'a str>,
    pub(super) formula_to: Option<&'a str>,
    pub(super) formula_from: Option<&'a str>,
    pub(super) slope: Option<Slope>,
    pub(super) linear: bool,
    pub(super) features: Vec<NodeId>,
    pub(super) numeric: Option<f64>,
    pub(super) symbolic: Option<&'a str>,
    pub(super) self_clearing: bool,
    pub(super) on: Option<i64>,
    pub(super) off: Option<i64>,
    pub(super) command: Option<Given<'a>>,
    pub(super) key: Option<i64>,
    pub(super) rom: Option<NodeId>,
    pub(super) chunk: Option<NodeId>,
    pub(super) broken: Option<Problem>,
}

/// An integer as descriptions write it: decimal or hexadecimal, with or without a sign.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let (minus, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.trim_start_matches("0x").trim_start_matches("0X").starts_with(['+', '-']) {
        return None;
    }
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        // All 64 bits may be written.
        let value = u64::from_str_radix(hex, 16).ok()? as i64;
        return Some(if minus { value.wrapping_neg() } else { value });
    }
    text.parse().ok()
}

/// A float as descriptions write it; integers in any form are floats too.
pub(crate) fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    match text {
        "INF" | "+INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok().or_else(|| integer(text).map(|value| value as f64)),
    }
}

fn yes(text: &str) -> bool {
    matches!(text, "Yes" | "yes" | "true" | "1")
}

impl<'a> Parts<'a> {
    pub(super) fn gather(
        properties: impl Iterator<Item = &'a Property<'a>>,
        node: &mut Node,
        arena: &mut Arena,
    ) -> Self {
        let mut parts = Self::default();
        let mut invalidators = Vec::new();
        let mut selected = Vec::new();
        for property in properties {
            parts.take(property, node, arena, &mut invalidators, &mut selected);
        }
        node.invalidators = invalidators.into_boxed_slice();
        node.selected = selected.into_boxed_slice();
        parts
    }

    fn take(
        &mut self,
        property: &'a Property<'a>,
        node: &mut Node,
        arena: &mut Arena,
        invalidators: &mut Vec<NodeId>,
        selected: &mut Vec<NodeId>,
    ) {
        let text = property.text.trim();
        match property.tag {
            Tag::ToolTip => node.tool_tip = arena.store(&property.text),
            Tag::Description => node.description = arena.store(&property.text),
            Tag::DisplayName => node.display_name = arena.store(&property.text),
            Tag::DocuUrl => node.docu_url = arena.store(text),
            Tag::Unit => node.unit = arena.store(text),
            Tag::EventId => node.event_id = arena.store(text),
            Tag::PChunkId => self.chunk = self.node(property, arena),
            Tag::ChunkId => node.chunk_id = arena.store(text),
            Tag::Visibility => match visibility(text) {
                Some(visibility) => node.visibility = visibility,
                None => self.wrong(property),
            },
            Tag::ImposedVisibility => node.imposed_visibility = visibility(text),
            Tag::IsDeprecated => node.deprecated = yes(text),
            Tag::Streamable => node.streamable = yes(text),
            Tag::PIsImplemented => node.is_implemented = self.node(property, arena),
            Tag::PIsAvailable => node.is_available = self.node(property, arena),
            Tag::PIsLocked => node.is_locked = self.node(property, arena),
            Tag::PError => node.error = self.node(property, arena),
            Tag::PAlias => node.alias = self.node(property, arena),
            Tag::PCastAlias => node.cast_alias = self.node(property, arena),
            Tag::ImposedAccessMode => {
                node.imposed_access = AccessMode::parse(text);
                if node.imposed_access.is_none() {
                    self.wrong(property);
                }
            }
            Tag::PInvalidator => invalidators.extend(self.node(property, arena)),
            Tag::PSelected => selected.extend(self.node(property, arena)),
            Tag::PFeature => {
                let feature = self.node(property, arena);
                self.features.extend(feature);
            }
            Tag::Value => self.value = Some(Given::Text(&property.text)),
            Tag::PValue => self.value = self.node(property, arena).map(Given::Node),
            Tag::PValueCopy => {
                let copy = self.node(property, arena);
                self.copies.extend(copy);
            }
            Tag::PIndex => self.index(property, arena),
            Tag::ValueIndexed => self.case(property, Some(Given::Text(text))),
            Tag::PValueIndexed => {
                let node = self.node(property, arena).map(Given::Node);
                self.case(property, node);
            }
            Tag::ValueDefault => self.default = Some(Given::Text(text)),
            Tag::PValueDefault => self.default = self.node(property, arena).map(Given::Node),
            Tag::Min => self.min = Some(Given::Text(text)),
            Tag::PMin => self.min = self.node(property, arena).map(Given::Node),
            Tag::Max => self.max = Some(Given::Text(text)),
            Tag::PMax => self.max = self.node(property, arena).map(Given::Node),
            Tag::Inc => self.increment = Some(Given::Text(text)),
            Tag::PInc => self.increment = self.node(property, arena).map(Given::Node),
            Tag::Representation => node.representation = representation(text),
            Tag::DisplayNotation => {
                node.notation = Some(match text {
                    "Fixed" => Notation::Fixed,
                    "Scientific" => Notation::Scientific,
                    _ => Notation::Automatic,
                });
            }
            Tag::DisplayPrecision => {
                node.precision = integer(text).map(|digits| digits.clamp(0, 64) as u8);
            }
            Tag::ValidValueSet => {
                self.valid.extend(text.split(';').map(str::trim).filter(|one| !one.is_empty()));
            }
            Tag::Address => match integer(text) {
                Some(address) => self.addresses.push(AddressTerm::Fixed(address)),
                None => self.wrong(property),
            },
            Tag::PAddress => {
                let address = self.node(property, arena).map(AddressTerm::Node);
                self.addresses.extend(address);
            }
            Tag::Length => self.length = Some(Given::Text(text)),
            Tag::PLength => self.length = self.node(property, arena).map(Given::Node),
            Tag::AccessMode => {
                self.access = AccessMode::parse(text);
                if self.access.is_none() {
                    self.wrong(property);
                }
            }
            Tag::PPort => self.port = self.node(property, arena),
            Tag::Cachable => {
                node.caching = Some(match text {
                    "NoCache" => Caching::NoCache,
                    "WriteAround" => Caching::WriteAround,
                    _ => Caching::WriteThrough,
                });
            }
            Tag::PollingTime => {
                node.polling_ms =
                    integer(text).and_then(|ms| u32::try_from(ms).ok()).filter(|ms| *ms > 0);
            }
            Tag::Endianess => self.big_endian = Some(text == "BigEndian"),
            Tag::Sign => self.signed = text == "Signed",
            Tag::Lsb => self.lsb = self.number(property),
            Tag::Msb => self.msb = self.number(property),
            Tag::Bit => {
                self.lsb = self.number(property);
                self.msb = self.lsb;
            }
            Tag::PVariable => {
                if let (Key::Name(name), Some(node)) = (&property.key, self.node(property, arena)) {
                    self.variables.push((name, node));
                }
            }
            Tag::Constant => {
                if let Key::Name(name) = &property.key {
                    self.constants.push((name, text));
                }
            }
            Tag::Expression => {
                if let Key::Name(name) = &property.key {
                    self.expressions.push((name, text));
                }
            }
            Tag::Formula => self.formula = Some(text),
            Tag::FormulaTo => self.formula_to = Some(text),
            Tag::FormulaFrom => self.formula_from = Some(text),
            Tag::Slope => {
                self.slope = match text {
                    "Increasing" => Some(Slope::Increasing),
                    "Decreasing" => Some(Slope::Decreasing),
                    "Varying" => Some(Slope::Varying),
                    "Automatic" => Some(Slope::Automatic),
                    _ => None,
                };
                if self.slope.is_none() {
                    self.wrong(property);
                }
            }
            Tag::IsLinear => self.linear = yes(text),
            Tag::NumericValue => self.numeric = float(text),
            Tag::Symbolic => self.symbolic = Some(text),
            Tag::IsSelfClearing => self.self_clearing = yes(text),
            Tag::OnValue => self.on = self.number(property),
            Tag::OffValue => self.off = self.number(property),
            Tag::CommandValue => self.command = Some(Given::Text(text)),
            Tag::PCommandValue => self.command = self.node(property, arena).map(Given::Node),
            Tag::Key => self.key = self.number(property),
            Tag::PConfRom => self.rom = self.node(property, arena),
        }
    }

    fn wrong(&mut self, property: &Property<'_>) {
        let mut text = property.text.trim();
        if let Some((end, _)) = text.char_indices().nth(40) {
            text = &text[..end];
        }
        self.broken.get_or_insert_with(|| {
            Problem::Declaration(format!("{text:?} is no {:?}", property.tag))
        });
    }

    fn number(&mut self, property: &Property<'_>) -> Option<i64> {
        let number = integer(&property.text);
        if number.is_none() {
            self.wrong(property);
        }
        number
    }

    fn node(&mut self, property: &Property<'_>, arena: &mut Arena) -> Option<NodeId> {
        let name = property.text.trim();
        if name.is_empty() {
            self.wrong(property);
            return None;
        }
        Some(arena.intern(name))
    }

    /// Of a value, the node that selects it; of a register, a summand of its address.
    fn index(&mut self, property: &'a Property<'a>, arena: &mut Arena) {
        let Some(node) = self.node(property, arena) else { return };
        self.index = Some(node);
        let offset = match &property.key {
            Key::Offset(offset) => match integer(offset) {
                Some(offset) => Some(Term::Int(offset)),
                None => return self.wrong(property),
            },
            Key::POffset(offset) => Some(Term::Node(arena.intern(offset))),
            _ => None,
        };
        self.addresses.push(AddressTerm::Indexed(node, offset));
    }

    fn case(&mut self, property: &Property<'_>, given: Option<Given<'a>>) {
        let Some(given) = given else { return };
        match &property.key {
            Key::Index(index) if integer(index).is_some() => {
                self.cases.push((integer(index).unwrap_or_default(), given));
            }
            _ => self.wrong(property),
        }
    }

    /// A number of the wanted type, or the node that gives it.
    pub(super) fn term(&mut self, given: Given<'_>, is_integer: bool) -> Option<Term> {
        let term = match given {
            Given::Node(node) => Some(Term::Node(node)),
            Given::Text(text) if is_integer => integer(text).map(Term::Int),
            Given::Text(text) => float(text).map(Term::Float),
        };
        if term.is_none()
            && let Given::Text(text) = given
        {
            let what = if is_integer { "an integer" } else { "a number" };
            let shown: String = text.chars().take(40).collect();
            self.broken
                .get_or_insert_with(|| Problem::Declaration(format!("{shown:?} is not {what}")));
        }
        term
    }

    /// A place for a number of the wanted type.
    pub(super) fn cell(
        &mut self,
        given: Option<Given<'_>>,
        is_integer: bool,
        arena: &mut Arena,
    ) -> Cell {
        let zero = if is_integer { Term::Int(0) } else { Term::Float(0.0) };
        match given.and_then(|given| self.term(given, is_integer)).unwrap_or(zero) {
            Term::Node(node) => Cell::Node(node),
            Term::Int(value) => arena.slot(Slot::Int(value)),
            Term::Float(value) => arena.slot(Slot::Float(value)),
        }
    }
}

fn visibility(text: &str) -> Option<Visibility> {
    Some(match text {
        "Beginner" => Visibility::Beginner,
        "Expert" => Visibility::Expert,
        "Guru" => Visibility::Guru,
        "Invisible" => Visibility::Invisible,
        _ => return None,
    })
}

fn representation(text: &str) -> Option<Representation> {
    Some(match text {
        "Linear" => Representation::Linear,
        "Logarithmic" => Representation::Logarithmic,
        "Boolean" => Representation::Boolean,
        "PureNumber" => Representation::PureNumber,
        "HexNumber" => Representation::HexNumber,
        "IPV4Address" => Representation::Ipv4Address,
        "MACAddress" => Representation::MacAddress,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_form_that_descriptions_use() {
        for (text, value) in [
            ("12", Some(12)),
            (" -12 ", Some(-12)),
            ("0x10", Some(16)),
            ("0XfF", Some(255)),
            ("-0x10", Some(-16)),
            ("0xFFFFFFFFFFFFFFFF", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("0x", None),
            ("0x+1", None),
            ("--1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
        assert_eq!(float("1e3"), Some(1000.0));
        assert_eq!(float("0x10"), Some(16.0));
        assert_eq!(float("-INF"), Some(f64::NEG_INFINITY));
        assert_eq!(float("much"), None);
    }
}
