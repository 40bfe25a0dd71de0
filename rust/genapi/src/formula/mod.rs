//! Formulas: compiled once to a flat program, run on an explicit stack.
//!
//! Two rule sets: [`Rules::Integer`] (`IntSwissKnife`, `IntConverter`) computes in 64-bit integers
//! throughout, [`Rules::Float`] (`SwissKnife`, `Converter`) in doubles.
//!
//! The crate's documentation says which grammar this is and where it is not the standard's.

use crate::error::Problem;

mod compile;
mod lex;
mod run;

pub(crate) use self::compile::{Names, compile};

/// Which numbers a formula computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    Integer,
    Float,
}

/// A compiled formula.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) code: Box<[Op]>,
    /// Results of sub-formulas that are kept.
    pub(crate) locals: u16,
    /// Why it could not be compiled.
    pub(crate) broken: Option<Box<Problem>>,
}

/// What a formula can't do, with the place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SyntaxError {
    /// Byte of the formula's text, from 0.
    pub(crate) at: usize,
    pub(crate) problem: String,
}

/// One step; works on a stack of integers or of doubles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    Int(i64),
    Float(f64),
    Variable(u16),
    Local(u16),
    Store(u16),
    Unary(Unary),
    Binary(Binary),
    Function(Function),
    /// To the step of that number, when the top is 0; takes it away.
    JumpIfZero(u32),
    Jump(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    Minus,
    Complement,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Binary {
    Power,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Both,
    Either,
}

/// Operators that bind less tightly than this end a `?:` before them.
const BRANCH_LEVEL: u8 = 2;

impl Binary {
    /// How tightly it binds.
    fn level(self) -> u8 {
        match self {
            Self::Power | Self::ShiftLeft | Self::ShiftRight | Self::And | Self::Or | Self::Xor => {
                4
            }
            Self::Multiply | Self::Divide | Self::Remainder => 3,
            Self::Add | Self::Subtract => 2,
            _ => 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    Sign,
    Negate,
    Absolute,
    SquareRoot,
    Sine,
    Cosine,
    Tangent,
    ArcSine,
    ArcCosine,
    ArcTangent,
    Exponential,
    NaturalLogarithm,
    DecimalLogarithm,
    Truncate,
    Floor,
    Ceiling,
    Round,
    /// To a number of decimal digits.
    RoundTo,
}

impl Function {
    fn named(name: &str) -> Option<Self> {
        const NAMES: [(&str, Function); 17] = [
            ("SGN", Function::Sign),
            ("NEG", Function::Negate),
            ("ABS", Function::Absolute),
            ("SQRT", Function::SquareRoot),
            ("SIN", Function::Sine),
            ("COS", Function::Cosine),
            ("TAN", Function::Tangent),
            ("ASIN", Function::ArcSine),
            ("ACOS", Function::ArcCosine),
            ("ATAN", Function::ArcTangent),
            ("EXP", Function::Exponential),
            ("LN", Function::NaturalLogarithm),
            ("LG", Function::DecimalLogarithm),
            ("TRUNC", Function::Truncate),
            ("FLOOR", Function::Floor),
            ("CEIL", Function::Ceiling),
            ("ROUND", Function::Round),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, f)| *f)
    }

    fn is_for_integers(self) -> bool {
        matches!(self, Self::Sign | Self::Negate | Self::Absolute)
    }
}

#[cfg(test)]
mod tests;
