//! Runs a program; the stack is the caller's, so that nothing is allocated per run.

use super::{Binary, Function, Op, Program, Unary};

/// What a formula stumbles over.
pub(crate) type Stumble = &'static str;

const BY_ZERO: Stumble = "divides by zero";
const OVERFLOW: Stumble = "overflows";
const MALFORMED: Stumble = "is malformed";
const TOO_WIDE: Stumble = "uses a bitwise operator on a number beyond 32 bits";

impl Program {
    /// The result in integers; `stack` is left as it was.
    pub(crate) fn integer(&self, variables: &[i64], stack: &mut Vec<i64>) -> Result<i64, Stumble> {
        let base = stack.len();
        stack.resize(base + usize::from(self.locals), 0);
        let result = self.integer_steps(variables, stack, base);
        stack.truncate(base);
        result
    }

    fn integer_steps(
        &self,
        variables: &[i64],
        stack: &mut Vec<i64>,
        base: usize,
    ) -> Result<i64, Stumble> {
        let mut at = 0;
        while let Some(op) = self.code.get(at) {
            at += 1;
            match *op {
                Op::Int(value) => stack.push(value),
                Op::Float(value) => stack.push(value as i64),
                Op::Variable(index) => {
                    stack.push(*variables.get(usize::from(index)).ok_or(MALFORMED)?);
                }
                Op::Local(index) => stack.push(stack[base + usize::from(index)]),
                Op::Store(index) => {
                    stack[base + usize::from(index)] = stack.pop().ok_or(MALFORMED)?;
                }
                Op::Unary(operator) => {
                    let top = stack.last_mut().ok_or(MALFORMED)?;
                    *top = match operator {
                        Unary::Minus => top.wrapping_neg(),
                        Unary::Complement => !*top,
                    };
                }
                Op::Binary(operator) => {
                    let right = stack.pop().ok_or(MALFORMED)?;
                    let left = stack.last_mut().ok_or(MALFORMED)?;
                    *left = integer_binary(operator, *left, right)?;
                }
                Op::Function(function) => {
                    let top = stack.last_mut().ok_or(MALFORMED)?;
                    *top = match function {
                        Function::Sign => top.signum(),
                        Function::Negate => top.wrapping_neg(),
                        Function::Absolute => top.wrapping_abs(),
                        _ => return Err(MALFORMED),
                    };
                }
                Op::JumpIfZero(to) => {
                    if stack.pop().ok_or(MALFORMED)? == 0 {
                        at = to as usize;
                    }
                }
                Op::Jump(to) => at = to as usize,
            }
        }
        stack.pop().ok_or(MALFORMED)
    }

    /// The result in doubles; `stack` is left as it was.
    pub(crate) fn float(&self, variables: &[f64], stack: &mut Vec<f64>) -> Result<f64, Stumble> {
        let base = stack.len();
        stack.resize(base + usize::from(self.locals), 0.0);
        let result = self.float_steps(variables, stack, base);
        stack.truncate(base);
        result
    }

    fn float_steps(
        &self,
        variables: &[f64],
        stack: &mut Vec<f64>,
        base: usize,
    ) -> Result<f64, Stumble> {
        let mut at = 0;
        while let Some(op) = self.code.get(at) {
            at += 1;
            match *op {
                Op::Int(value) => stack.push(value as f64),
                Op::Float(value) => stack.push(value),
                Op::Variable(index) => {
                    stack.push(*variables.get(usize::from(index)).ok_or(MALFORMED)?);
                }
                Op::Local(index) => stack.push(stack[base + usize::from(index)]),
                Op::Store(index) => {
                    stack[base + usize::from(index)] = stack.pop().ok_or(MALFORMED)?;
                }
                Op::Unary(operator) => {
                    let top = stack.last_mut().ok_or(MALFORMED)?;
                    *top = match operator {
                        Unary::Minus => -*top,
                        Unary::Complement => f64::from(!narrow(*top)?),
                    };
                }
                Op::Binary(operator) => {
                    let right = stack.pop().ok_or(MALFORMED)?;
                    let left = stack.last_mut().ok_or(MALFORMED)?;
                    *left = float_binary(operator, *left, right)?;
                }
                Op::Function(Function::RoundTo) => {
                    let digits = stack.pop().ok_or(MALFORMED)?;
                    let top = stack.last_mut().ok_or(MALFORMED)?;
                    let scale = 10f64.powf(digits.trunc());
                    *top = (*top * scale).round() / scale;
                }
                Op::Function(function) => {
                    let top = stack.last_mut().ok_or(MALFORMED)?;
                    *top = float_function(function, *top);
                }
                Op::JumpIfZero(to) => {
                    if stack.pop().ok_or(MALFORMED)? == 0.0 {
                        at = to as usize;
                    }
                }
                Op::Jump(to) => at = to as usize,
            }
        }
        stack.pop().ok_or(MALFORMED)
    }
}

fn integer_binary(operator: Binary, left: i64, right: i64) -> Result<i64, Stumble> {
    Ok(match operator {
        Binary::Power => integer_power(left, right),
        Binary::ShiftLeft => left.wrapping_shl(right as u32),
        Binary::ShiftRight => left.wrapping_shr(right as u32),
        Binary::And => left & right,
        Binary::Or => left | right,
        Binary::Xor => left ^ right,
        Binary::Multiply => left.wrapping_mul(right),
        Binary::Divide | Binary::Remainder if right == 0 => return Err(BY_ZERO),
        Binary::Divide => left.checked_div(right).ok_or(OVERFLOW)?,
        Binary::Remainder => left.checked_rem(right).ok_or(OVERFLOW)?,
        Binary::Add => left.wrapping_add(right),
        Binary::Subtract => left.wrapping_sub(right),
        Binary::Less => i64::from(left < right),
        Binary::LessOrEqual => i64::from(left <= right),
        Binary::Greater => i64::from(left > right),
        Binary::GreaterOrEqual => i64::from(left >= right),
        Binary::Equal => i64::from(left == right),
        Binary::NotEqual => i64::from(left != right),
        Binary::Both => i64::from(left != 0 && right != 0),
        Binary::Either => i64::from(left != 0 || right != 0),
    })
}

/// What does not fit becomes the least integer, as in the reference.
fn integer_power(base: i64, exponent: i64) -> i64 {
    match u32::try_from(exponent) {
        Ok(exponent) => base.checked_pow(exponent).unwrap_or(i64::MIN),
        Err(_) => match (base, exponent) {
            (1, _) => 1,
            (-1, _) => 1 - 2 * (exponent & 1),
            (0, 1..) => 0,
            (0, _) | (_, 1..) => i64::MIN,
            _ => 0,
        },
    }
}

/// As the bitwise operators of float formulas take it.
fn narrow(value: f64) -> Result<i32, Stumble> {
    let whole = value.trunc();
    if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&whole) {
        Ok(whole as i32)
    } else {
        Err(TOO_WIDE)
    }
}

fn float_binary(operator: Binary, left: f64, right: f64) -> Result<f64, Stumble> {
    let truth = |holds: bool| f64::from(u8::from(holds));
    Ok(match operator {
        Binary::Power => left.powf(right),
        Binary::ShiftLeft => f64::from(narrow(left)?.wrapping_shl(narrow(right)? as u32)),
        Binary::ShiftRight => f64::from(narrow(left)?.wrapping_shr(narrow(right)? as u32)),
        Binary::And => f64::from(narrow(left)? & narrow(right)?),
        Binary::Or => f64::from(narrow(left)? | narrow(right)?),
        Binary::Xor => f64::from(narrow(left)? ^ narrow(right)?),
        Binary::Multiply => left * right,
        Binary::Divide | Binary::Remainder if right.abs() < f64::EPSILON => return Err(BY_ZERO),
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Less => truth(left < right),
        Binary::LessOrEqual => truth(left <= right),
        Binary::Greater => truth(left > right),
        Binary::GreaterOrEqual => truth(left >= right),
        Binary::Equal => truth(left == right),
        Binary::NotEqual => truth(left != right),
        Binary::Both => truth(left != 0.0 && right != 0.0),
        Binary::Either => truth(left != 0.0 || right != 0.0),
    })
}

fn float_function(function: Function, x: f64) -> f64 {
    match function {
        Function::Sign if x == 0.0 || x.is_nan() => 0.0,
        Function::Sign => x.signum(),
        Function::Negate => -x,
        Function::Absolute => x.abs(),
        Function::SquareRoot => x.sqrt(),
        Function::Sine => x.sin(),
        Function::Cosine => x.cos(),
        Function::Tangent => x.tan(),
        Function::ArcSine => x.asin(),
        Function::ArcCosine => x.acos(),
        Function::ArcTangent => x.atan(),
        Function::Exponential => x.exp(),
        Function::NaturalLogarithm => x.ln(),
        Function::DecimalLogarithm => x.log10(),
        Function::Truncate => x.trunc(),
        Function::Floor => x.floor(),
        Function::Ceiling => x.ceil(),
        Function::Round | Function::RoundTo => x.round(),
    }
}
