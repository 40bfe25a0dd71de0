//! From text to a program, in one pass with an explicit stack of open operators.

use std::collections::HashMap;

use super::lex::{Word, Words};
use super::{BRANCH_LEVEL, Binary, Function, Op, Program, Rules, SyntaxError, Unary};

/// What names mean in a formula.
pub(crate) struct Names<'a> {
    /// In the order in which their values are given to [`Program::integer`] and
    /// [`Program::float`].
    pub(crate) variables: &'a [&'a str],
    /// Names of numbers, with their text.
    pub(crate) constants: &'a [(&'a str, &'a str)],
    /// Names of sub-formulas, with their text.
    pub(crate) expressions: &'a [(&'a str, &'a str)],
}

/// Operators that wait for their right side.
#[derive(Clone, Copy, Debug)]
enum Open {
    Parenthesis,
    /// With the number of complete arguments.
    Call(Function, u8),
    Unary(Unary),
    /// A minus of all that follows.
    Minus,
    Binary(Binary),
    /// The jump to the other branch.
    Question(usize),
    /// The jump over the other branch.
    Colon(usize),
}

/// Names that are looked up one by one where there are few.
const MAX_UNSORTED: usize = 16;

impl<'a> Names<'a> {
    /// All names with what they mean, where looking one by one would take too long.
    ///
    /// Of several with one name a variable comes before a constant, and that before an expression.
    fn index(&self) -> Option<HashMap<&'a str, Meaning>> {
        let count = self.variables.len() + self.constants.len() + self.expressions.len();
        (count > MAX_UNSORTED).then(|| {
            let mut index = HashMap::with_capacity(count);
            for (at, (name, _)) in self.expressions.iter().enumerate().rev() {
                index.insert(*name, Meaning::Expression(at));
            }
            for (at, (name, _)) in self.constants.iter().enumerate().rev() {
                index.insert(*name, Meaning::Constant(at));
            }
            for (at, name) in self.variables.iter().enumerate().rev() {
                index.insert(*name, Meaning::Variable(at));
            }
            index
        })
    }

    fn look_up(&self, name: &str) -> Option<Meaning> {
        let variable = self.variables.iter().position(|known| *known == name);
        let constant = || self.constants.iter().position(|known| known.0 == name);
        let expression = || self.expressions.iter().position(|known| known.0 == name);
        variable
            .map(Meaning::Variable)
            .or_else(|| constant().map(Meaning::Constant))
            .or_else(|| expression().map(Meaning::Expression))
    }
}

/// What a name stands for, by its place in its list.
#[derive(Clone, Copy)]
enum Meaning {
    Variable(usize),
    Constant(usize),
    Expression(usize),
}

struct Compiler<'a> {
    names: &'a Names<'a>,
    index: Option<HashMap<&'a str, Meaning>>,
    rules: Rules,
    code: Vec<Op>,
    /// For each expression the local that holds it, when it is compiled.
    ready: Vec<Option<u16>>,
}

/// Compiles a formula with the sub-formulas that it uses.
///
/// Sub-formulas are computed before the formula, in the order in which they need each other.
pub(crate) fn compile(
    formula: &str,
    names: &Names<'_>,
    rules: Rules,
) -> Result<Program, SyntaxError> {
    let mut compiler = Compiler {
        names,
        index: names.index(),
        rules,
        code: Vec::new(),
        ready: vec![None; names.expressions.len()],
    };
    let mut locals = 0;
    // Depth first, on a stack of our own: the last is compiled when all that it needs are.
    let mut needed: Vec<usize> = compiler.uses(formula);
    let mut waiting = vec![false; names.expressions.len()];
    while let Some(&expression) = needed.last() {
        if compiler.ready[expression].is_some() {
            needed.pop();
            continue;
        }
        let (name, text) = names.expressions[expression];
        let missing: Vec<usize> =
            compiler.uses(text).into_iter().filter(|e| compiler.ready[*e].is_none()).collect();
        if missing.is_empty() {
            compiler.sequence(text)?;
            compiler.code.push(Op::Store(locals));
            compiler.ready[expression] = Some(locals);
            locals = locals
                .checked_add(1)
                .ok_or_else(|| wrong(0, "it has too many sub-formulas".to_owned()))?;
            needed.pop();
        } else if waiting[expression] {
            return Err(wrong(0, format!("the sub-formula {name} refers to itself")));
        } else {
            waiting[expression] = true;
            needed.extend(missing);
        }
    }
    compiler.sequence(formula)?;
    Ok(Program { code: compiler.code.into_boxed_slice(), locals, broken: None })
}

fn wrong(at: usize, problem: String) -> SyntaxError {
    SyntaxError { at, problem }
}

impl Compiler<'_> {
    /// The sub-formulas that a text names.
    fn uses(&self, text: &str) -> Vec<usize> {
        if self.names.expressions.is_empty() {
            return Vec::new();
        }
        let mut words = Words::new(text, self.rules);
        let mut found = Vec::new();
        while let Ok((_, word)) = words.next() {
            match word {
                Word::End => break,
                Word::Name(name) => {
                    if let Some(Meaning::Expression(at)) = self.meaning(name) {
                        found.push(at);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Compiles one text so that it leaves its result on the stack.
    fn sequence(&mut self, text: &str) -> Result<(), SyntaxError> {
        let mut words = Words::new(text, self.rules);
        let mut open: Vec<Open> = Vec::new();
        let mut operand_is_next = true;
        loop {
            let (at, word) = words.next()?;
            if operand_is_next {
                match word {
                    Word::Int(value) => self.code.push(Op::Int(value)),
                    Word::Float(value) => self.code.push(Op::Float(value)),
                    Word::Name(name) => {
                        let mut ahead = words.clone();
                        let called = matches!(ahead.next(), Ok((_, Word::Open)));
                        if called && let Some(function) = Function::named(name) {
                            if self.rules == Rules::Integer && !function.is_for_integers() {
                                let problem = format!("{name} is not for integers");
                                return Err(wrong(at, problem));
                            }
                            words = ahead;
                            open.push(Open::Call(function, 0));
                            continue;
                        }
                        let op = self.named(name).map_err(|problem| wrong(at, problem))?;
                        self.code.push(op);
                    }
                    Word::Open => {
                        open.push(Open::Parenthesis);
                        continue;
                    }
                    Word::Operator(Binary::Subtract) => {
                        let minus = minus(words.clone(), open.last());
                        open.push(minus);
                        continue;
                    }
                    Word::Operator(Binary::Add) => continue,
                    Word::Complement => {
                        open.push(Open::Unary(Unary::Complement));
                        continue;
                    }
                    Word::End => return Err(wrong(at, "it ends where a value should be".into())),
                    _ => return Err(wrong(at, "here should be a value".into())),
                }
                self.close_unary(&mut open);
                operand_is_next = false;
                continue;
            }
            match word {
                Word::Operator(operator) => {
                    self.close_binary(&mut open, operator.level());
                    if operator.level() < BRANCH_LEVEL {
                        self.close_branches(&mut open);
                    }
                    open.push(Open::Binary(operator));
                    operand_is_next = true;
                }
                Word::Question => {
                    self.close_binary(&mut open, 0);
                    self.close_branches(&mut open);
                    open.push(Open::Question(self.code.len()));
                    self.code.push(Op::JumpIfZero(0));
                    operand_is_next = true;
                }
                Word::Colon => {
                    self.close_all(&mut open);
                    let Some(Open::Question(jump)) = open.pop() else {
                        return Err(wrong(at, "a : without its ?".into()));
                    };
                    open.push(Open::Colon(self.code.len()));
                    self.code.push(Op::Jump(0));
                    self.code[jump] = Op::JumpIfZero(self.code.len() as u32);
                    operand_is_next = true;
                }
                Word::Close => {
                    self.close_all(&mut open);
                    match open.pop() {
                        Some(Open::Parenthesis) => {}
                        Some(Open::Call(function, before)) => {
                            let function = match (function, before) {
                                (function, 0) => function,
                                (Function::Round, 1) => Function::RoundTo,
                                _ => return Err(wrong(at, "too many arguments".into())),
                            };
                            self.code.push(Op::Function(function));
                        }
                        Some(Open::Question(_)) => {
                            return Err(wrong(at, "a ? without its :".into()));
                        }
                        _ => return Err(wrong(at, "a ) without its (".into())),
                    }
                    self.close_unary(&mut open);
                }
                Word::Comma => {
                    self.close_all(&mut open);
                    let Some(Open::Call(_, before)) = open.last_mut() else {
                        return Err(wrong(at, "a , outside of a function".into()));
                    };
                    *before = before.saturating_add(1);
                    operand_is_next = true;
                }
                Word::End => {
                    self.close_all(&mut open);
                    return match open.pop() {
                        None => Ok(()),
                        Some(Open::Question(_)) => Err(wrong(at, "a ? without its :".into())),
                        Some(_) => Err(wrong(at, "a ( without its )".into())),
                    };
                }
                _ => return Err(wrong(at, "here should be an operator".into())),
            }
        }
    }

    fn named(&self, name: &str) -> Result<Op, String> {
        let number = |text: &str| {
            let (minus, digits) = match text.trim().strip_prefix('-') {
                Some(digits) => (true, digits),
                None => (false, text.trim()),
            };
            let mut words = Words::new(digits, self.rules);
            let first = words.next().map(|(_, word)| word);
            match (first, words.next().map(|(_, word)| word)) {
                (Ok(Word::Int(value)), Ok(Word::End)) => {
                    Ok(Op::Int(if minus { value.wrapping_neg() } else { value }))
                }
                (Ok(Word::Float(value)), Ok(Word::End)) => {
                    Ok(Op::Float(if minus { -value } else { value }))
                }
                _ => Err(format!("the constant {name} is no number")),
            }
        };
        // Also where a variable has that name, as in the reference.
        if self.rules == Rules::Float {
            if name.eq_ignore_ascii_case("PI") {
                return Ok(Op::Float(std::f64::consts::PI));
            }
            if name.eq_ignore_ascii_case("E") {
                return Ok(Op::Float(std::f64::consts::E));
            }
        }
        let unknown = || format!("{name} is no variable or function");
        match self.meaning(name) {
            Some(Meaning::Variable(at)) => {
                u16::try_from(at).map(Op::Variable).map_err(|_| "it has too many variables".into())
            }
            Some(Meaning::Constant(at)) => number(self.names.constants[at].1),
            Some(Meaning::Expression(at)) => {
                // All that a text uses are compiled before it.
                self.ready[at].map(Op::Local).ok_or_else(unknown)
            }
            None => Err(unknown()),
        }
    }

    fn meaning(&self, name: &str) -> Option<Meaning> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.names.look_up(name),
        }
    }

    fn close_unary(&mut self, open: &mut Vec<Open>) {
        while let Some(Open::Unary(operator)) = open.last() {
            self.code.push(Op::Unary(*operator));
            open.pop();
        }
    }

    fn close_binary(&mut self, open: &mut Vec<Open>, level: u8) {
        while let Some(Open::Binary(operator)) = open.last() {
            if operator.level() < level {
                break;
            }
            self.code.push(Op::Binary(*operator));
            open.pop();
        }
    }

    /// Ends the branches whose last operand is complete.
    fn close_branches(&mut self, open: &mut Vec<Open>) {
        while let Some(Open::Colon(jump)) = open.last() {
            self.code[*jump] = Op::Jump(self.code.len() as u32);
            open.pop();
        }
    }

    /// Ends all that is open since the last parenthesis, comma or question mark.
    fn close_all(&mut self, open: &mut Vec<Open>) {
        loop {
            self.close_binary(open, 0);
            match open.last() {
                Some(Open::Colon(_)) => self.close_branches(open),
                Some(Open::Minus) => {
                    self.code.push(Op::Unary(Unary::Minus));
                    open.pop();
                    self.close_unary(open);
                }
                _ => break,
            }
        }
    }
}

/// A minus of the value that follows, or where that is more than a number or a name of all.
fn minus(mut ahead: Words<'_>, before: Option<&Open>) -> Open {
    let first = ahead.next().map(|(_, word)| word);
    let takes_all = match (before, first) {
        // The reference has no meaning for these, the standard has.
        (Some(Open::Binary(Binary::Add | Binary::Subtract) | Open::Question(_)), _) => false,
        (_, Ok(Word::Open | Word::Complement)) => true,
        (_, Ok(Word::Name(_))) => matches!(ahead.next(), Ok((_, Word::Open))),
        _ => false,
    };
    if takes_all { Open::Minus } else { Open::Unary(Unary::Minus) }
}
