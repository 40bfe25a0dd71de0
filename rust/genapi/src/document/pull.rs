//! Elements and their text, one after another, without a tree.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::entities::{Entities, MAX_TOTAL};
use crate::error::{Error, Result};

/// A start, an end or a text between them.
pub(crate) enum Token<'a> {
    Start(BytesStart<'a>),
    End,
    Text(Cow<'a, str>),
    Done,
}

/// A document that is read from front to back.
pub(crate) struct Pull<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    entities: Entities,
    expanded: usize,
    depth: usize,
}

impl<'a> Pull<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = false;
        Self { reader, text, entities: Entities::default(), expanded: 0, depth: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Token<'a>> {
        loop {
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.wrong(error.to_string())),
            };
            return Ok(match event {
                Event::Start(start) => {
                    self.depth += 1;
                    Token::Start(start)
                }
                Event::End(_) => {
                    self.depth -= 1;
                    Token::End
                }
                Event::Text(text) => Token::Text(text.into_inner()),
                Event::CData(data) => Token::Text(data.into_inner()),
                Event::GeneralRef(reference) => {
                    let mut out = String::new();
                    self.entities.expand(&reference, &mut out).map_err(|e| self.wrong(e))?;
                    self.expanded += out.len();
                    if self.expanded > MAX_TOTAL {
                        return Err(Error::TooLarge {
                            what: "text from entities",
                            limit: MAX_TOTAL,
                        });
                    }
                    Token::Text(Cow::Owned(out))
                }
                Event::DocType(doctype) => {
                    self.entities.declare(&doctype);
                    continue;
                }
                Event::Eof if self.depth > 0 => {
                    return Err(self.wrong("the document ends within an element".to_owned()));
                }
                Event::Eof => Token::Done,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            });
        }
    }

    /// Skips to the end of the element that was just started.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Token::Done = self.next()? {
                break;
            }
        }
        Ok(())
    }

    /// The text of the element that was just started, up to its end and without its elements.
    pub(crate) fn content(&mut self) -> Result<Cow<'a, str>> {
        let mut content = Cow::Borrowed("");
        loop {
            match self.next()? {
                Token::Start(_) => self.skip()?,
                Token::Text(text) if content.is_empty() => content = text,
                Token::Text(text) => content.to_mut().push_str(&text),
                Token::End | Token::Done => return Ok(content),
            }
        }
    }

    /// The element's attributes as `(name, value)`, without those that are malformed.
    pub(crate) fn attributes(&self, start: &BytesStart<'a>, mut each: impl FnMut(&str, &str)) {
        for attribute in start.attributes().with_checks(false).flatten() {
            let value = &attribute.value;
            if value.contains('&') {
                let mut out = String::new();
                if self.entities.unescape(value, &mut out).is_ok() {
                    each(attribute.key.local_name().as_ref(), &out);
                }
            } else {
                each(attribute.key.local_name().as_ref(), value);
            }
        }
    }

    /// An error at the place that was read last.
    pub(crate) fn wrong(&self, problem: String) -> Error {
        let at = (self.reader.buffer_position() as usize).min(self.text.len());
        let before = &self.text.as_bytes()[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Error::Document { line: line as u32 + 1, column: (at - start) as u32 + 1, problem }
    }
}
