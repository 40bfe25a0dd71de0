//! Each element's definition from what its declaration gives.

use std::borrow::Cow;

use super::Raw;
use super::parts::{Given, Parts};
use super::tag::{Shape, Tag};
use crate::access::AccessMode;
use crate::error::{Problem, Result};
use crate::formula::{Names, Program, Rules, compile};
use crate::model::Arena;
use crate::node::{
    AddressTerm, Caching, Cell, ConverterDef, Def, Element, EntryDef, FormulaDef, Layout, Node,
    NodeId, NumberDef, Part, RegisterDef, RomKeyDef, Slope, Slot, Source, Term, Variable,
};

impl Arena {
    /// Takes a complete declaration.
    pub(super) fn declare(&mut self, raw: &Raw<'_>) -> Result<()> {
        match raw.shape {
            Shape::Node(_) => {
                self.node_of(raw, None);
            }
            Shape::Struct => {
                // Each entry is a masked register with all that the structure says.
                let embedded = self.embedded(raw);
                for entry in &raw.nested {
                    if matches!(entry.shape, Shape::Node(Element::StructEntry)) {
                        self.node_of(entry, Some((raw, &embedded)));
                    }
                }
            }
            Shape::Group => {}
        }
        self.check()
    }

    /// The formulas that a register has within it, as summands of its address.
    fn embedded(&mut self, raw: &Raw<'_>) -> Vec<NodeId> {
        let mut found = Vec::new();
        for nested in &raw.nested {
            let knife = Shape::Node(Element::IntSwissKnife);
            if nested.shape == knife || nested.shape == Shape::Node(Element::SwissKnife) {
                // Their names are known within the register only, as the reference has it.
                let name = match raw.shape {
                    Shape::Struct => Cow::Borrowed(&*nested.name),
                    _ => Cow::Owned(format!("_{}_{}", raw.name, nested.name)),
                };
                found.extend(self.node_named(name, nested, None));
            }
        }
        found
    }

    fn node_of(
        &mut self,
        raw: &Raw<'_>,
        structure: Option<(&Raw<'_>, &[NodeId])>,
    ) -> Option<NodeId> {
        self.node_named(Cow::Borrowed(&*raw.name), raw, structure)
    }

    fn node_named(
        &mut self,
        name: Cow<'_, str>,
        raw: &Raw<'_>,
        structure: Option<(&Raw<'_>, &[NodeId])>,
    ) -> Option<NodeId> {
        let Shape::Node(element) = raw.shape else { return None };
        if name.is_empty() {
            self.find(String::new(), Problem::Declaration(format!("a {element:?} has no name")));
            return None;
        }
        let id = self.intern(&name);
        if !matches!(self.node(id).def, Def::Missing) {
            let problem = Problem::Declaration("it is declared twice".to_owned());
            self.find(name.into_owned(), problem);
            return Some(id);
        }
        let mut node = Node::new(self.node(id).name, element, Def::Bare);
        if raw.standard {
            node.name_space = crate::node::NameSpace::Standard;
        }
        let inherited = structure.map(|(around, _)| around.properties.as_slice());
        let inherited = inherited.unwrap_or_default().iter();
        // What an entry says itself comes later and prevails.
        let properties = inherited.chain(&raw.properties);
        let mut parts = Parts::gather(properties, &mut node, self);
        let embedded = match structure {
            Some((_, embedded)) => embedded.to_vec(),
            None => self.embedded(raw),
        };
        parts.addresses.extend(embedded.into_iter().map(AddressTerm::Node));
        node.def = self.definition(id, element, raw, &mut parts, &node);
        node.broken = parts.broken.map(Box::new);
        self.fill(id, node);
        Some(id)
    }

    fn definition(
        &mut self,
        id: NodeId,
        element: Element,
        raw: &Raw<'_>,
        parts: &mut Parts<'_>,
        node: &Node,
    ) -> Def {
        let signed = parts.signed;
        match element {
            Element::Missing | Element::Node => Def::Bare,
            Element::Category => Def::Category(std::mem::take(&mut parts.features).into()),
            Element::Integer => Def::Integer(Box::new(self.number(parts, true))),
            Element::Float => Def::Float(Box::new(self.number(parts, false))),
            Element::IntReg | Element::SmartFeature => {
                self.register(parts, node, Layout::Integer { signed })
            }
            Element::MaskedIntReg | Element::StructEntry => {
                let layout = bits(parts);
                self.register(parts, node, layout)
            }
            Element::FloatReg => self.register(parts, node, Layout::Float),
            Element::StringReg => self.register(parts, node, Layout::Text),
            Element::Register | Element::AdvFeatureLock => {
                self.register(parts, node, Layout::Bytes)
            }
            Element::ConfRom => {
                let mut rom = self.register(parts, node, Layout::Bytes);
                if let Def::Register(register) = &mut rom {
                    // A configuration ROM is in network order and does not change.
                    register.big_endian = true;
                    register.access = register.access.and(AccessMode::ReadOnly);
                }
                self.rom_keys(id, raw);
                rom
            }
            Element::IntKey | Element::TextDesc => rom_key(element, parts, None),
            Element::IntSwissKnife => self.knife(parts, Rules::Integer),
            Element::SwissKnife => self.knife(parts, Rules::Float),
            Element::IntConverter => self.converter(parts, Rules::Integer),
            Element::Converter => self.converter(parts, Rules::Float),
            Element::Enumeration => {
                let entries = self.entries(raw);
                Def::Enumeration { entries, cell: parts.cell(parts.value, true, self) }
            }
            Element::EnumEntry => self.entry(raw, parts),
            Element::Boolean => {
                let (on, off) = (parts.on.unwrap_or(1), parts.off.unwrap_or(0));
                let cell = match parts.value {
                    Some(Given::Text(text)) => {
                        let text = text.trim();
                        let is_on = text == "true" || text == "1" || text == "True";
                        self.slot(Slot::Int(if is_on { on } else { off }))
                    }
                    given => parts.cell(given, true, self),
                };
                Def::Boolean { cell, on, off }
            }
            Element::Command => {
                let command = parts.command.and_then(|given| parts.term(given, true));
                let cell = parts.cell(parts.value, true, self);
                Def::Command { cell, command: command.unwrap_or(Term::Int(1)) }
            }
            Element::String => Def::String(match parts.value {
                Some(Given::Node(node)) => Cell::Node(node),
                Some(Given::Text(text)) => self.slot(Slot::Text(text.to_owned())),
                None => self.slot(Slot::Text(String::new())),
            }),
            Element::Port => Def::Port { chunk: parts.chunk },
        }
    }

    fn number(&mut self, parts: &mut Parts<'_>, is_integer: bool) -> NumberDef {
        let cases = std::mem::take(&mut parts.cases);
        let cases = cases
            .into_iter()
            .map(|(index, given)| (index, parts.cell(Some(given), is_integer, self)))
            .collect();
        let given = if parts.index.is_some() { parts.default } else { parts.value };
        let valid = std::mem::take(&mut parts.valid);
        let (min, max, increment) = (parts.min, parts.max, parts.increment);
        let mut term = |given: Option<Given<'_>>| given.and_then(|g| parts.term(g, is_integer));
        let (min, max, increment) = (term(min), term(max), term(increment));
        let valid = valid.into_iter().filter_map(|text| term(Some(Given::Text(text)))).collect();
        NumberDef {
            source: Source {
                index: parts.index,
                cases,
                cell: parts.cell(given, is_integer, self),
                copies: std::mem::take(&mut parts.copies).into(),
            },
            min,
            max,
            increment,
            valid,
        }
    }

    fn register(&mut self, parts: &mut Parts<'_>, node: &Node, layout: Layout) -> Def {
        let Some(port) = parts.port else {
            parts.broken.get_or_insert_with(|| Problem::Declaration("it names no port".to_owned()));
            return Def::Bare;
        };
        let length = parts.length.and_then(|given| parts.term(given, true));
        if parts.length.is_none() {
            let problem = || Problem::Declaration("it has no length".to_owned());
            parts.broken.get_or_insert_with(problem);
        }
        Def::Register(Box::new(RegisterDef {
            addresses: std::mem::take(&mut parts.addresses).into(),
            length: length.unwrap_or(Term::Int(0)),
            port,
            access: parts.access.unwrap_or(AccessMode::ReadOnly),
            caching: node.caching.unwrap_or(Caching::WriteThrough),
            big_endian: parts.big_endian.unwrap_or(false),
            layout,
        }))
    }

    fn knife(&mut self, parts: &mut Parts<'_>, rules: Rules) -> Def {
        let names: Vec<&str> = parts.variables.iter().map(|(name, _)| *name).collect();
        let program = program(parts, parts.formula, &names, rules);
        let variables = self.variables(&parts.variables);
        let definition = FormulaDef { program, variables };
        Def::Knife(rules == Rules::Integer, Box::new(definition))
    }

    fn converter(&mut self, parts: &mut Parts<'_>, rules: Rules) -> Def {
        let Some(Given::Node(value)) = parts.value else {
            let problem = || Problem::Declaration("it has no pValue".to_owned());
            parts.broken.get_or_insert_with(problem);
            return Def::Bare;
        };
        let mut names: Vec<&str> = parts.variables.iter().map(|(name, _)| *name).collect();
        names.push("FROM");
        let down = program(parts, parts.formula_to, &names, rules);
        names.pop();
        names.push("TO");
        let up = program(parts, parts.formula_from, &names, rules);
        let definition = ConverterDef {
            down,
            up,
            variables: self.variables(&parts.variables),
            value,
            slope: parts.slope.unwrap_or(Slope::Automatic),
            linear: parts.linear,
        };
        Def::Converter(rules == Rules::Integer, Box::new(definition))
    }

    /// What each variable takes from its node: the end of its name says it.
    fn variables(&mut self, named: &[(&str, NodeId)]) -> Box<[Variable]> {
        let part = |name: &str, arena: &mut Self| -> Part {
            let Some((_, suffix)) = name.split_once('.') else { return Part::Value };
            let (first, rest) = suffix.split_once('.').unwrap_or((suffix, ""));
            match first.to_ascii_lowercase().as_str() {
                "min" => Part::Min,
                "max" => Part::Max,
                "inc" => Part::Increment,
                "entry" | "enum" if !rest.is_empty() => Part::Entry(arena.store(rest)),
                _ => Part::Value,
            }
        };
        named.iter().map(|&(name, node)| Variable { node, part: part(name, self) }).collect()
    }

    fn entries(&mut self, raw: &Raw<'_>) -> Box<[NodeId]> {
        let mut entries = Vec::new();
        for nested in &raw.nested {
            if nested.shape != Shape::Node(Element::EnumEntry) || nested.name.is_empty() {
                continue;
            }
            let name = format!("EnumEntry_{}_{}", raw.name, nested.name);
            let id = self.intern(&name);
            if !matches!(self.node(id).def, Def::Missing) {
                self.find(name, Problem::Declaration("it is declared twice".to_owned()));
                continue;
            }
            let mut node = Node::new(self.node(id).name, Element::EnumEntry, Def::Bare);
            let mut parts = Parts::gather(nested.properties.iter(), &mut node, self);
            node.def = self.entry(nested, &mut parts);
            node.broken = parts.broken.map(Box::new);
            self.fill(id, node);
            entries.push(id);
        }
        entries.into()
    }

    fn entry(&mut self, raw: &Raw<'_>, parts: &mut Parts<'_>) -> Def {
        let value = parts.value.and_then(|given| parts.term(given, true));
        let value = match value {
            Some(Term::Int(value)) => value,
            _ => {
                let problem = || Problem::Declaration("it has no value".to_owned());
                parts.broken.get_or_insert_with(problem);
                0
            }
        };
        Def::Entry(Box::new(EntryDef {
            value,
            numeric: parts.numeric,
            symbol: self.store(parts.symbolic.unwrap_or(&raw.name)),
            self_clearing: parts.self_clearing,
        }))
    }

    /// `<IntKey Name="...">0x40</IntKey>` within a `ConfRom` is a node over it.
    fn rom_keys(&mut self, rom: NodeId, raw: &Raw<'_>) {
        let unit = raw.properties.iter().find(|property| property.tag == Tag::Unit);
        let unit = unit.and_then(|property| super::parts::integer(&property.text));
        let unit = unit.and_then(|unit| u32::try_from(unit).ok());
        for nested in &raw.nested {
            let Shape::Node(element @ (Element::IntKey | Element::TextDesc)) = nested.shape else {
                continue;
            };
            if nested.name.is_empty() {
                continue;
            }
            let id = self.intern(&nested.name);
            if !matches!(self.node(id).def, Def::Missing) {
                continue;
            }
            let mut node = Node::new(self.node(id).name, element, Def::Bare);
            let mut parts = Parts::gather(nested.properties.iter(), &mut node, self);
            parts.rom = Some(rom);
            node.def = rom_key(element, &mut parts, unit);
            node.broken = parts.broken.map(Box::new);
            self.fill(id, node);
        }
    }
}

fn rom_key(element: Element, parts: &mut Parts<'_>, unit: Option<u32>) -> Def {
    let key = parts.key.or(match parts.value {
        Some(Given::Text(text)) => super::parts::integer(text),
        _ => None,
    });
    let (Some(rom), Some(key)) = (parts.rom, key) else {
        let problem = || Problem::Declaration("it names no key of a ConfRom".to_owned());
        parts.broken.get_or_insert_with(problem);
        return Def::Bare;
    };
    let definition = RomKeyDef { rom, key: key as u8, unit };
    if element == Element::IntKey { Def::RomInteger(definition) } else { Def::RomText(definition) }
}

/// The field's bits as they are numbered, whichever of the two is written as `LSB`.
fn bits(parts: &mut Parts<'_>) -> Layout {
    let signed = parts.signed;
    let (Some(one), Some(other)) = (parts.lsb, parts.msb) else {
        let problem = || Problem::Declaration("it has no bits".to_owned());
        parts.broken.get_or_insert_with(problem);
        return Layout::Bits { first: 0, last: 0, signed };
    };
    let (low, high) = (one.min(other), one.max(other));
    if low < 0 || high > 63 {
        parts.broken.get_or_insert_with(|| {
            Problem::Declaration(format!("its bits {one} to {other} are not within a register"))
        });
        return Layout::Bits { first: 0, last: 0, signed };
    }
    Layout::Bits { first: low as u16, last: high as u16, signed }
}

fn program(
    parts: &mut Parts<'_>,
    formula: Option<&str>,
    variables: &[&str],
    rules: Rules,
) -> Program {
    let Some(formula) = formula else {
        let problem = || Problem::Declaration("a formula is missing".to_owned());
        let broken = Some(Box::new(problem()));
        return Program { code: Box::default(), locals: 0, broken };
    };
    let names = Names { variables, constants: &parts.constants, expressions: &parts.expressions };
    match compile(formula, &names, rules) {
        Ok(program) => program,
        Err(error) => {
            // The other formula of a converter may still be good.
            let broken = Problem::Formula {
                formula: formula.chars().take(80).collect(),
                position: error.at + 1,
                problem: error.problem,
            };
            Program { code: Box::default(), locals: 0, broken: Some(Box::new(broken)) }
        }
    }
}
