//! The words of a formula.

use super::{Binary, Rules, SyntaxError};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Word<'a> {
    Int(i64),
    Float(f64),
    Name(&'a str),
    /// `-` and `+` are decided by where they stand.
    Operator(Binary),
    Complement,
    Open,
    Close,
    Comma,
    Question,
    Colon,
    End,
}

#[derive(Clone)]
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str, rules: Rules) -> Self {
        Self { text, at: 0, rules }
    }

    /// The next word and where it begins.
    pub(super) fn next(&mut self) -> Result<(usize, Word<'a>), SyntaxError> {
        let rest = &self.text[self.at..];
        let rest = rest.trim_start();
        let at = self.text.len() - rest.len();
        let bytes = rest.as_bytes();
        let Some(&first) = bytes.first() else {
            self.at = at;
            return Ok((at, Word::End));
        };
        let two = bytes.get(..2).unwrap_or_default();
        let (length, word) = match (two, first) {
            (b"**", _) => (2, Word::Operator(Binary::Power)),
            (b"<<", _) => (2, Word::Operator(Binary::ShiftLeft)),
            (b">>", _) => (2, Word::Operator(Binary::ShiftRight)),
            (b"<=", _) => (2, Word::Operator(Binary::LessOrEqual)),
            (b">=", _) => (2, Word::Operator(Binary::GreaterOrEqual)),
            (b"<>", _) => (2, Word::Operator(Binary::NotEqual)),
            (b"&&", _) => (2, Word::Operator(Binary::Both)),
            (b"||", _) => (2, Word::Operator(Binary::Either)),
            (_, b'<') => (1, Word::Operator(Binary::Less)),
            (_, b'>') => (1, Word::Operator(Binary::Greater)),
            (_, b'=') => (1, Word::Operator(Binary::Equal)),
            (_, b'&') => (1, Word::Operator(Binary::And)),
            (_, b'|') => (1, Word::Operator(Binary::Or)),
            (_, b'^') => (1, Word::Operator(Binary::Xor)),
            (_, b'*') => (1, Word::Operator(Binary::Multiply)),
            (_, b'/') => (1, Word::Operator(Binary::Divide)),
            (_, b'%') => (1, Word::Operator(Binary::Remainder)),
            (_, b'+') => (1, Word::Operator(Binary::Add)),
            (_, b'-') => (1, Word::Operator(Binary::Subtract)),
            (_, b'~') => (1, Word::Complement),
            (_, b'(') => (1, Word::Open),
            (_, b')') => (1, Word::Close),
            (_, b',') => (1, Word::Comma),
            (_, b'?') => (1, Word::Question),
            (_, b':') => (1, Word::Colon),
            (_, b'0'..=b'9' | b'.') => self.number(rest, at)?,
            _ => {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
                    .unwrap_or(rest.len());
                if end == 0 {
                    let char = rest.chars().next().unwrap_or_default();
                    return Err(SyntaxError { at, problem: format!("{char:?} is no operator") });
                }
                (end, Word::Name(&rest[..end]))
            }
        };
        self.at = at + length;
        Ok((at, word))
    }

    fn number(&self, rest: &str, at: usize) -> Result<(usize, Word<'a>), SyntaxError> {
        let digits = |text: &str, hex: bool| {
            text.bytes()
                .take_while(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() })
                .count()
        };
        if let Some(hex) = rest.strip_prefix("0x").or(rest.strip_prefix("0X")) {
            let length = digits(hex, true);
            if length == 0 {
                return Err(SyntaxError { at, problem: "0x without a digit".to_owned() });
            }
            // Beyond 64 bits: as large as can be, as strtoull has it.
            let value = u64::from_str_radix(&hex[..length], 16).unwrap_or(u64::MAX);
            let word = match self.rules {
                Rules::Integer => Word::Int(i64::try_from(value).unwrap_or(i64::MAX)),
                Rules::Float => Word::Float(f64::from(value as u32 as i32)),
            };
            return Ok((length + 2, word));
        }
        let whole = digits(rest, false);
        if self.rules == Rules::Integer {
            let next = rest.as_bytes().get(whole);
            if next == Some(&b'.') {
                let problem = "a formula of integers has no fractions".to_owned();
                return Err(SyntaxError { at, problem });
            }
            let value = rest[..whole].parse().unwrap_or(i64::MAX);
            return Ok((whole, Word::Int(value)));
        }
        let mut length = whole;
        if rest[length..].starts_with('.') {
            length += 1 + digits(&rest[length + 1..], false);
        }
        if let Some(power) = rest[length..].strip_prefix(['e', 'E']) {
            let sign = usize::from(power.starts_with(['+', '-']));
            let count = digits(&power[sign..], false);
            if count > 0 {
                length += 1 + sign + count;
            }
        }
        let value = rest[..length].parse();
        let value = value.map_err(|_| SyntaxError {
            at,
            problem: format!("{} is no number", &rest[..length]),
        })?;
        Ok((length, Word::Float(value)))
    }
}
