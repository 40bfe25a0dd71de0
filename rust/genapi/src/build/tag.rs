//! Elements within a node's declaration.

/// An element that says something of the node around it; others are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(super) enum Tag {
    ToolTip, Description, DisplayName, Visibility, ImposedVisibility, DocuUrl, IsDeprecated,
    EventId, ChunkId, PChunkId, PIsImplemented, PIsAvailable, PIsLocked, PError, PAlias, PCastAlias,
    ImposedAccessMode, PInvalidator, Streamable, PFeature, PSelected,
    Value, PValue, PValueCopy, PIndex, ValueIndexed, PValueIndexed, ValueDefault, PValueDefault,
    Min, PMin, Max, PMax, Inc, PInc, Unit, Representation, DisplayNotation, DisplayPrecision,
    ValidValueSet,
    Address, PAddress, Length, PLength, AccessMode, PPort, Cachable, PollingTime, Endianess,
    Sign, Lsb, Msb, Bit,
    PVariable, Constant, Expression, Formula, FormulaTo, FormulaFrom, Slope, IsLinear,
    NumericValue, Symbolic, IsSelfClearing, OnValue, OffValue, CommandValue, PCommandValue,
    Key, PConfRom,
}

impl Tag {
    #[rustfmt::skip]
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ToolTip" => Self::ToolTip,
            "Description" => Self::Description,
            "DisplayName" => Self::DisplayName,
            "Visibility" => Self::Visibility,
            "ImposedVisibility" => Self::ImposedVisibility,
            "DocuURL" => Self::DocuUrl,
            "IsDeprecated" => Self::IsDeprecated,
            "EventID" => Self::EventId,
            "ChunkID" => Self::ChunkId,
            "pChunkID" => Self::PChunkId,
            "pIsImplemented" => Self::PIsImplemented,
            "pIsAvailable" => Self::PIsAvailable,
            "pIsLocked" => Self::PIsLocked,
            "pError" => Self::PError,
            "pAlias" => Self::PAlias,
            "pCastAlias" => Self::PCastAlias,
            "ImposedAccessMode" => Self::ImposedAccessMode,
            "pInvalidator" => Self::PInvalidator,
            "Streamable" => Self::Streamable,
            "pFeature" => Self::PFeature,
            "pSelected" => Self::PSelected,
            "Value" => Self::Value,
            "pValue" => Self::PValue,
            "pValueCopy" => Self::PValueCopy,
            "pIndex" => Self::PIndex,
            "ValueIndexed" => Self::ValueIndexed,
            "pValueIndexed" => Self::PValueIndexed,
            "ValueDefault" => Self::ValueDefault,
            "pValueDefault" => Self::PValueDefault,
            "Min" => Self::Min,
            "pMin" => Self::PMin,
            "Max" => Self::Max,
            "pMax" => Self::PMax,
            "Inc" => Self::Inc,
            "pInc" => Self::PInc,
            "Unit" => Self::Unit,
            "Representation" => Self::Representation,
            "DisplayNotation" => Self::DisplayNotation,
            "DisplayPrecision" => Self::DisplayPrecision,
            "ValidValueSet" => Self::ValidValueSet,
            "Address" => Self::Address,
            "pAddress" => Self::PAddress,
            "Length" => Self::Length,
            "pLength" => Self::PLength,
            "AccessMode" => Self::AccessMode,
            "pPort" => Self::PPort,
            "Cachable" => Self::Cachable,
            "PollingTime" => Self::PollingTime,
            "Endianess" => Self::Endianess,
            "Sign" => Self::Sign,
            "LSB" => Self::Lsb,
            "MSB" => Self::Msb,
            "Bit" => Self::Bit,
            "pVariable" => Self::PVariable,
            "Constant" => Self::Constant,
            "Expression" => Self::Expression,
            "Formula" => Self::Formula,
            "FormulaTo" => Self::FormulaTo,
            "FormulaFrom" => Self::FormulaFrom,
            "Slope" => Self::Slope,
            "IsLinear" => Self::IsLinear,
            "NumericValue" => Self::NumericValue,
            "Symbolic" => Self::Symbolic,
            "IsSelfClearing" => Self::IsSelfClearing,
            "OnValue" => Self::OnValue,
            "OffValue" => Self::OffValue,
            "CommandValue" => Self::CommandValue,
            "pCommandValue" => Self::PCommandValue,
            "Key" => Self::Key,
            "pConfRom" => Self::PConfRom,
            _ => return None,
        })
    }
}

/// What kind of declaration an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Node(crate::node::Element),
    /// Registers' fields with a common place.
    Struct,
    /// Holds declarations and means nothing.
    Group,
}

impl Shape {
    pub(super) fn named(name: &str) -> Option<Self> {
        use crate::node::Element;
        Some(Self::Node(match name {
            "Group" => return Some(Self::Group),
            "StructReg" => return Some(Self::Struct),
            "Category" => Element::Category,
            "Integer" => Element::Integer,
            "IntReg" => Element::IntReg,
            "MaskedIntReg" => Element::MaskedIntReg,
            "StructEntry" => Element::StructEntry,
            "IntSwissKnife" => Element::IntSwissKnife,
            "IntConverter" => Element::IntConverter,
            "IntKey" => Element::IntKey,
            "Float" => Element::Float,
            "FloatReg" => Element::FloatReg,
            "SwissKnife" => Element::SwissKnife,
            "Converter" => Element::Converter,
            "Enumeration" => Element::Enumeration,
            "EnumEntry" => Element::EnumEntry,
            "Boolean" => Element::Boolean,
            "Command" => Element::Command,
            "String" => Element::String,
            "StringReg" => Element::StringReg,
            "TextDesc" => Element::TextDesc,
            "Register" => Element::Register,
            "ConfRom" => Element::ConfRom,
            "SmartFeature" => Element::SmartFeature,
            "AdvFeatureLock" => Element::AdvFeatureLock,
            "Port" => Element::Port,
            "Node" => Element::Node,
            _ => return None,
        }))
    }
}
