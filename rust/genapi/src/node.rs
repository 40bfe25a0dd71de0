//! The arena: what a document declares, with references as indices.

use crate::access::AccessMode;
use crate::error::Problem;
use crate::formula::Program;

/// A node of one [`NodeMap`](crate::NodeMap): an index, valid for that map only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn at(self) -> usize {
        self.0 as usize
    }
}

/// The element that declares a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Element {
    Category,
    Integer,
    IntReg,
    MaskedIntReg,
    StructEntry,
    IntSwissKnife,
    IntConverter,
    IntKey,
    Float,
    FloatReg,
    SwissKnife,
    Converter,
    Enumeration,
    EnumEntry,
    Boolean,
    Command,
    String,
    StringReg,
    TextDesc,
    Register,
    ConfRom,
    SmartFeature,
    AdvFeatureLock,
    Port,
    Node,
    /// Referred to and not declared.
    Missing,
}

/// How a node is used: the interface that GenApi calls its principal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Has features below it.
    Category,
    /// [`Value::Int`](crate::Value::Int).
    Integer,
    /// [`Value::Float`](crate::Value::Float).
    Float,
    /// [`Value::Text`](crate::Value::Text): the symbol of one of its entries.
    Enumeration,
    /// One value of an enumeration.
    EnumEntry,
    /// [`Value::Bool`](crate::Value::Bool).
    Boolean,
    /// Executed; has no value.
    Command,
    /// [`Value::Text`](crate::Value::Text).
    String,
    /// [`Value::Bytes`](crate::Value::Bytes).
    Register,
    /// Where registers lie.
    Port,
    /// Has no value: a bare node, or one that is not declared.
    Bare,
}

impl Kind {
    /// The kind in words, with its article.
    pub fn words(self) -> &'static str {
        match self {
            Self::Category => "a category",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Enumeration => "an enumeration",
            Self::EnumEntry => "an enumeration's entry",
            Self::Boolean => "a boolean",
            Self::Command => "a command",
            Self::String => "a string",
            Self::Register => "a register",
            Self::Port => "a port",
            Self::Bare => "a bare node",
        }
    }
}

/// For whom a feature is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// Everybody.
    #[default]
    Beginner,
    /// Those who know cameras.
    Expert,
    /// Those who know this camera.
    Guru,
    /// Programs.
    Invisible,
}

/// How a number is best shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Representation {
    /// A slider with linear steps.
    Linear,
    /// A slider with logarithmic steps.
    Logarithmic,
    /// A check box.
    Boolean,
    /// A plain number.
    #[default]
    PureNumber,
    /// A hexadecimal number.
    HexNumber,
    /// An IPv4 address.
    Ipv4Address,
    /// An Ethernet address.
    MacAddress,
}

/// How a float is best written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notation {
    /// Whichever is shorter.
    #[default]
    Automatic,
    /// With a decimal point.
    Fixed,
    /// With an exponent.
    Scientific,
}

/// How long a value that was read may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Caching {
    /// Never.
    NoCache,
    /// A written value is kept as if it had been read.
    #[default]
    WriteThrough,
    /// A written value is read again.
    WriteAround,
}

/// Whose name it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NameSpace {
    /// The vendor's.
    #[default]
    Custom,
    /// The standard's (SFNC).
    Standard,
}

/// A piece of the model's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Str {
    pub(crate) start: u32,
    pub(crate) length: u32,
}

/// A number that is declared: as it stands, or as another node's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Term {
    Int(i64),
    Float(f64),
    Node(NodeId),
}

/// A place for a value: one of the state's slots, or another node's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    Slot(u32),
    Node(NodeId),
}

/// Where a number's value comes from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) index: Option<NodeId>,
    pub(crate) cases: Box<[(i64, Cell)]>,
    /// The value, or the default of an indexed one.
    pub(crate) cell: Cell,
    pub(crate) copies: Box<[NodeId]>,
}

#[derive(Debug)]
pub(crate) struct NumberDef {
    pub(crate) source: Source,
    pub(crate) min: Option<Term>,
    pub(crate) max: Option<Term>,
    pub(crate) increment: Option<Term>,
    pub(crate) valid: Box<[Term]>,
}

/// One summand of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AddressTerm {
    Fixed(i64),
    Node(NodeId),
    /// The index times the offset, or times the register's length without one.
    Indexed(NodeId, Option<Term>),
}

/// How a register's bytes are read as a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    Integer {
        signed: bool,
    },
    /// Bits `first..=last`; in a big-endian register 0 is the most significant one.
    Bits {
        first: u16,
        last: u16,
        signed: bool,
    },
    Float,
    Text,
    Bytes,
}

#[derive(Debug)]
pub(crate) struct RegisterDef {
    pub(crate) addresses: Box<[AddressTerm]>,
    pub(crate) length: Term,
    pub(crate) port: NodeId,
    pub(crate) access: AccessMode,
    pub(crate) caching: Caching,
    pub(crate) big_endian: bool,
    pub(crate) layout: Layout,
}

#[derive(Debug)]
pub(crate) struct FormulaDef {
    pub(crate) program: Program,
    pub(crate) variables: Box<[Variable]>,
}

/// What a formula takes from a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Value,
    Min,
    Max,
    Increment,
    /// The number of the enumeration's entry of that symbol.
    Entry(Str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) node: NodeId,
    pub(crate) part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slope {
    Increasing,
    Decreasing,
    Varying,
    Automatic,
}

#[derive(Debug)]
pub(crate) struct ConverterDef {
    /// From the value that is set (`FROM`) to the one below (`TO`).
    pub(crate) down: Program,
    pub(crate) up: Program,
    pub(crate) variables: Box<[Variable]>,
    pub(crate) value: NodeId,
    pub(crate) slope: Slope,
    pub(crate) linear: bool,
}

#[derive(Debug)]
pub(crate) struct EntryDef {
    pub(crate) value: i64,
    pub(crate) numeric: Option<f64>,
    pub(crate) symbol: Str,
    pub(crate) self_clearing: bool,
}

/// An entry of an IEEE 1212 configuration ROM.
#[derive(Debug)]
pub(crate) struct RomKeyDef {
    pub(crate) rom: NodeId,
    pub(crate) key: u8,
    /// The `unit_spec_ID` of the directory that is looked into beside the root; all without one.
    pub(crate) unit: Option<u32>,
}

/// What a node is, with what its value is made from.
#[derive(Debug)]
pub(crate) enum Def {
    Missing,
    Bare,
    Category(Box<[NodeId]>),
    Integer(Box<NumberDef>),
    Float(Box<NumberDef>),
    Register(Box<RegisterDef>),
    /// Whether it is an integer's, and the formula.
    Knife(bool, Box<FormulaDef>),
    Converter(bool, Box<ConverterDef>),
    Enumeration {
        entries: Box<[NodeId]>,
        cell: Cell,
    },
    Entry(Box<EntryDef>),
    Boolean {
        cell: Cell,
        on: i64,
        off: i64,
    },
    Command {
        cell: Cell,
        command: Term,
    },
    String(Cell),
    RomInteger(RomKeyDef),
    RomText(RomKeyDef),
    Port {
        /// Says the `ChunkID`, in hexadecimal.
        chunk: Option<NodeId>,
    },
}

/// A node: what all have, and its definition.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: Str,
    pub(crate) display_name: Str,
    pub(crate) tool_tip: Str,
    pub(crate) description: Str,
    pub(crate) docu_url: Str,
    pub(crate) unit: Str,
    /// Of events and of ports: hexadecimal.
    pub(crate) event_id: Str,
    pub(crate) chunk_id: Str,
    pub(crate) element: Element,
    pub(crate) visibility: Visibility,
    pub(crate) imposed_visibility: Option<Visibility>,
    pub(crate) imposed_access: Option<AccessMode>,
    pub(crate) name_space: NameSpace,
    pub(crate) representation: Option<Representation>,
    pub(crate) notation: Option<Notation>,
    pub(crate) precision: Option<u8>,
    pub(crate) deprecated: bool,
    pub(crate) streamable: bool,
    pub(crate) caching: Option<Caching>,
    pub(crate) polling_ms: Option<u32>,
    pub(crate) is_implemented: Option<NodeId>,
    pub(crate) is_available: Option<NodeId>,
    pub(crate) is_locked: Option<NodeId>,
    pub(crate) error: Option<NodeId>,
    pub(crate) alias: Option<NodeId>,
    pub(crate) cast_alias: Option<NodeId>,
    pub(crate) invalidators: Box<[NodeId]>,
    pub(crate) selected: Box<[NodeId]>,
    pub(crate) def: Def,
    /// Why it can't be evaluated.
    pub(crate) broken: Option<Box<Problem>>,
}

impl Node {
    pub(crate) fn new(name: Str, element: Element, def: Def) -> Self {
        Self {
            name,
            display_name: Str::default(),
            tool_tip: Str::default(),
            description: Str::default(),
            docu_url: Str::default(),
            unit: Str::default(),
            event_id: Str::default(),
            chunk_id: Str::default(),
            element,
            visibility: Visibility::default(),
            imposed_visibility: None,
            imposed_access: None,
            name_space: NameSpace::default(),
            representation: None,
            notation: None,
            precision: None,
            deprecated: false,
            streamable: false,
            caching: None,
            polling_ms: None,
            is_implemented: None,
            is_available: None,
            is_locked: None,
            error: None,
            alias: None,
            cast_alias: None,
            invalidators: Box::default(),
            selected: Box::default(),
            def,
            broken: None,
        }
    }

    /// What can't be used of it: all, or a formula.
    pub(crate) fn trouble(&self) -> Option<&Problem> {
        let formula = match &self.def {
            Def::Knife(_, knife) => knife.program.broken.as_deref(),
            Def::Converter(_, converter) => {
                converter.down.broken.as_deref().or(converter.up.broken.as_deref())
            }
            _ => None,
        };
        self.broken.as_deref().or(formula)
    }

    /// Bytes on the heap, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let lists = (self.invalidators.len() + self.selected.len()) * size_of::<NodeId>();
        let program = |program: &Program| program.code.len() * size_of::<crate::formula::Op>();
        lists
            + match &self.def {
                Def::Category(features) => features.len() * size_of::<NodeId>(),
                Def::Integer(number) | Def::Float(number) => {
                    size_of::<NumberDef>()
                        + number.source.cases.len() * size_of::<(i64, Cell)>()
                        + number.source.copies.len() * size_of::<NodeId>()
                        + number.valid.len() * size_of::<Term>()
                }
                Def::Register(register) => {
                    size_of::<RegisterDef>() + register.addresses.len() * size_of::<AddressTerm>()
                }
                Def::Knife(_, knife) => {
                    size_of::<FormulaDef>()
                        + program(&knife.program)
                        + knife.variables.len() * size_of::<Variable>()
                }
                Def::Converter(_, converter) => {
                    size_of::<ConverterDef>()
                        + program(&converter.down)
                        + program(&converter.up)
                        + converter.variables.len() * size_of::<Variable>()
                }
                Def::Enumeration { entries, .. } => entries.len() * size_of::<NodeId>(),
                Def::Entry(_) => size_of::<EntryDef>(),
                _ => 0,
            }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.def {
            Def::Missing | Def::Bare => Kind::Bare,
            Def::Category(_) => Kind::Category,
            Def::Integer(_) | Def::RomInteger(_) => Kind::Integer,
            Def::Float(_) => Kind::Float,
            Def::Register(register) => match register.layout {
                Layout::Integer { .. } | Layout::Bits { .. } => Kind::Integer,
                Layout::Float => Kind::Float,
                Layout::Text => Kind::String,
                Layout::Bytes => Kind::Register,
            },
            Def::Knife(true, _) | Def::Converter(true, _) => Kind::Integer,
            Def::Knife(false, _) | Def::Converter(false, _) => Kind::Float,
            Def::Enumeration { .. } => Kind::Enumeration,
            Def::Entry(_) => Kind::EnumEntry,
            Def::Boolean { .. } => Kind::Boolean,
            Def::Command { .. } => Kind::Command,
            Def::String(_) | Def::RomText(_) => Kind::String,
            Def::Port { .. } => Kind::Port,
        }
    }
}

/// A value that is declared in the document and may be set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Slot {
    Int(i64),
    Float(f64),
    Text(String),
}
