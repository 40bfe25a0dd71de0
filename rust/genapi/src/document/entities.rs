//! Entities that a document declares itself, within limits.

use std::collections::HashMap;

/// Bytes that one reference may become.
const MAX_EXPANDED: usize = 64 << 10;
/// Bytes that all references of a document may become.
pub(super) const MAX_TOTAL: usize = 4 << 20;
/// References within references.
const MAX_DEPTH: u32 = 8;

/// The general entities of a document type declaration.
#[derive(Debug, Default)]
pub(super) struct Entities(HashMap<String, String>);

impl Entities {
    /// Reads `<!ENTITY name "value">` from the inside of a `<!DOCTYPE`.
    pub(super) fn declare(&mut self, doctype: &str) {
        let mut rest = doctype;
        while let Some(at) = rest.find("<!ENTITY") {
            rest = rest[at + 8..].trim_start();
            let Some(space) = rest.find(char::is_whitespace) else { return };
            let name = &rest[..space];
            rest = rest[space..].trim_start();
            let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                // External and parameter entities are not followed.
                continue;
            };
            let Some(end) = rest[1..].find(quote) else { return };
            // The first declaration of a name is binding (XML 1.0, 4.2).
            self.0.entry(name.to_owned()).or_insert_with(|| rest[1..=end].to_owned());
            rest = &rest[end + 2..];
        }
    }

    /// Appends what `&name;` stands for.
    pub(super) fn expand(&self, name: &str, into: &mut String) -> Result<(), String> {
        let limit = into.len() + MAX_EXPANDED;
        self.expand_within(name, into, limit, MAX_DEPTH)
    }

    fn expand_within(
        &self,
        name: &str,
        into: &mut String,
        limit: usize,
        depth: u32,
    ) -> Result<(), String> {
        if let Some(code) = name.strip_prefix('#') {
            let number = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => code.parse(),
            };
            let char = number.ok().and_then(char::from_u32);
            into.push(char.ok_or_else(|| format!("&{name}; is no character"))?);
            return Ok(());
        }
        let plain = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let value = self
                    .0
                    .get(name)
                    .ok_or_else(|| format!("the entity &{name}; is not declared"))?;
                let depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| format!("the entity &{name}; is nested too deep"))?;
                return self.unescape_within(value, into, limit, depth);
            }
        };
        into.push(plain);
        Ok(())
    }

    /// Appends a text with its references resolved.
    pub(super) fn unescape(&self, text: &str, into: &mut String) -> Result<(), String> {
        let limit = into.len() + text.len() + MAX_EXPANDED;
        self.unescape_within(text, into, limit, MAX_DEPTH)
    }

    fn unescape_within(
        &self,
        text: &str,
        into: &mut String,
        limit: usize,
        depth: u32,
    ) -> Result<(), String> {
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            into.push_str(&rest[..at]);
            let end = rest[at..].find(';').ok_or("a & without its ;")?;
            self.expand_within(&rest[at + 1..at + end], into, limit, depth)?;
            if into.len() > limit {
                return Err("an entity becomes too long".to_owned());
            }
            rest = &rest[at + end + 1..];
        }
        into.push_str(rest);
        if into.len() > limit { Err("an entity becomes too long".to_owned()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(doctype: &str, text: &str) -> Result<String, String> {
        let mut entities = Entities::default();
        entities.declare(doctype);
        let mut out = String::new();
        entities.unescape(text, &mut out).map(|()| out)
    }

    #[test]
    fn references_are_replaced() {
        let doctype = "r [<!ENTITY us '&#xB5;s'> <!ENTITY t \"1 &us;\"><!ENTITY us 'no'>]";
        assert_eq!(expanded(doctype, "a&lt;b &t;&#33;").unwrap(), "a<b 1 \u{b5}s!");
        assert!(expanded(doctype, "&gone;").unwrap_err().contains("not declared"));
        assert!(expanded(doctype, "a & b").is_err());
        assert!(expanded(doctype, "&#xD800;").is_err());
    }

    #[test]
    fn bombs_and_circles_end() {
        let mut laughs = String::from("<!ENTITY a 'aaaaaaaaaa'>");
        for (name, below) in ('b'..='z').zip('a'..) {
            laughs += &format!("<!ENTITY {name} '{}'>", format!("&{below};").repeat(10));
        }
        assert!(expanded(&laughs, "&e;").unwrap_err().contains("too long"));
        assert!(expanded(&laughs, "&z;").is_err());
        assert!(
            expanded("<!ENTITY a '&b;'><!ENTITY b '&a;'>", "&a;").unwrap_err().contains("deep")
        );
    }
}
