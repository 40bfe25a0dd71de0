//! Python literals, as exporters write dictionaries and lists into a model's metadata.
//!
//! `{0: 'screw', 1: "it's"}` is no JSON: keys are numbers, quotes are single, and `None`, `True` and
//! tuples occur.

use serde_json::{Map, Number, Value};

/// Deeper nesting than any exporter writes.
const DEEPEST: usize = 16;

/// The value of a Python literal; `None` for anything else. Keys become text.
pub(super) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.skip_space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_space();
        match self.rest.chars().next()? {
            '{' => self.nested(Self::dictionary),
            '[' => self.nested(|reader| reader.list('[', ']')),
            '(' => self.nested(|reader| reader.list('(', ')')),
            '\'' | '"' => self.string().map(Value::String),
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: impl Fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        let value = if self.depth > DEEPEST { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn dictionary(&mut self) -> Option<Value> {
        let mut map = Map::new();
        self.take('{');
        while !self.take('}') {
            let key = match self.value()? {
                Value::String(key) => key,
                Value::Array(_) | Value::Object(_) => return None,
                other => other.to_string(),
            };
            if !self.take(':') {
                return None;
            }
            let value = self.value()?;
            map.insert(key, value);
            if !self.take(',') && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    fn list(&mut self, open: char, close: char) -> Option<Value> {
        let mut list = Vec::new();
        self.take(open);
        while !self.take(close) {
            list.push(self.value()?);
            if !self.take(',') && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(Value::Array(list))
    }

    fn string(&mut self) -> Option<String> {
        let mut letters = self.rest.char_indices();
        let (_, quote) = letters.next()?;
        let mut out = String::new();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => match letters.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    digits @ ('x' | 'u' | 'U') => {
                        let count =
                            if digits == 'x' { 2 } else { 4 + 4 * usize::from(digits == 'U') };
                        let mut code = 0;
                        for _ in 0..count {
                            code = code * 16 + letters.next()?.1.to_digit(16)?;
                        }
                        out.push(char::from_u32(code)?);
                    }
                    other => out.push(other),
                },
                end if end == quote => {
                    self.rest = &self.rest[at + end.len_utf8()..];
                    return Some(out);
                }
                other => out.push(other),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ':', ']', '}', ')', ' ', '\n']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" => Some(Value::Null),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            number => match number.parse::<i64>() {
                Ok(whole) => Some(Value::Number(whole.into())),
                Err(_) => Number::from_f64(number.parse().ok()?).map(Value::Number),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_exporters_write_is_read() {
        assert_eq!(parse("{0: 'screw', 1: \"it's\"}"), Some(json!({"0": "screw", "1": "it's"})));
        assert_eq!(parse("[160, 160]"), Some(json!([160, 160])));
        assert_eq!(parse("(1, 2.5,)"), Some(json!([1, 2.5])));
        let args = "{'data': None, 'nms': True, 'quantize': 16, 'dynamic': False}";
        let expected = json!({"data": null, "nms": true, "quantize": 16, "dynamic": false});
        assert_eq!(parse(args), Some(expected));
        assert_eq!(parse(r"{0: 'gr\xfcn \u2713'}"), Some(json!({"0": "grün ✓"})));
        assert_eq!(parse("{}"), Some(json!({})));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "{0 'a'}", "{0: 'a'", "['a' 'b']", "__import__('os')", "'open", "{0: 'a'} x"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
