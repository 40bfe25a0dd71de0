//! From a document's elements to the arena of nodes, in one pass.
//!
//! References may lead forwards: a name becomes an index when it is first seen, and the node
//! behind the index is filled when it is declared.

mod define;
mod parts;

pub(crate) use self::parts::{float, integer};
mod tag;

use std::borrow::Cow;

use quick_xml::events::BytesStart;

use self::tag::{Shape, Tag};
use crate::document::{Pull, Token};
use crate::error::{Error, Result};
use crate::model::{Arena, Facts, Model};
use crate::node::Element;

/// Declarations within declarations; sound documents have 2.
const MAX_NESTED: usize = 4;
/// Nodes that a description may have.
pub(crate) const MAX_NODES: usize = 1 << 20;

/// A declaration as it stands in the document.
pub(super) struct Raw<'a> {
    shape: Shape,
    name: Cow<'a, str>,
    standard: bool,
    properties: Vec<Property<'a>>,
    nested: Vec<Raw<'a>>,
}

/// `<tag attribute="key">text</tag>`.
pub(super) struct Property<'a> {
    tag: Tag,
    text: Cow<'a, str>,
    key: Key,
}

/// An attribute that a property's meaning depends on.
pub(super) enum Key {
    None,
    Name(Box<str>),
    Index(Box<str>),
    Offset(Box<str>),
    POffset(Box<str>),
}

/// Reads a description's text.
pub(crate) fn build(text: &str) -> Result<Model> {
    let mut pull = Pull::new(text);
    let mut arena = Arena::new(text.len());
    let facts = root(&mut pull)?;
    // Open declarations; those that mean nothing are only counted.
    let mut open: Vec<Raw<'_>> = Vec::new();
    let mut groups = 1_usize;
    loop {
        match pull.next()? {
            Token::Start(start) => {
                let name = start.local_name();
                match open.last_mut() {
                    None => match Shape::named(name.as_ref()) {
                        Some(Shape::Group) => groups += 1,
                        Some(shape) => open.push(declaration(&pull, &start, shape)),
                        None => pull.skip()?,
                    },
                    Some(around) => {
                        if let Some(tag) = Tag::named(name.as_ref()) {
                            let key = key(&pull, &start, tag);
                            let text = pull.content()?;
                            around.properties.push(Property { tag, text, key });
                            continue;
                        }
                        match Shape::named(name.as_ref()) {
                            Some(shape @ Shape::Node(_)) if open.len() < MAX_NESTED => {
                                open.push(declaration(&pull, &start, shape));
                            }
                            _ => pull.skip()?,
                        }
                    }
                }
            }
            Token::End => match open.pop() {
                Some(raw) => match open.last_mut() {
                    Some(around) => around.nested.push(raw),
                    None => arena.declare(&raw)?,
                },
                None => {
                    groups -= 1;
                    if groups == 0 {
                        break;
                    }
                }
            },
            Token::Text(text) => {
                // A key of a configuration ROM is the text of its element.
                let rom_key = |raw: &&mut Raw<'_>| {
                    matches!(raw.shape, Shape::Node(Element::IntKey | Element::TextDesc))
                };
                if let Some(raw) = open.last_mut().filter(rom_key)
                    && !text.trim().is_empty()
                {
                    raw.properties.push(Property { tag: Tag::Key, text, key: Key::None });
                }
            }
            Token::Done => break,
        }
    }
    Ok(arena.finish(facts))
}

/// The attributes of the outermost element.
fn root(pull: &mut Pull<'_>) -> Result<Facts> {
    loop {
        match pull.next()? {
            Token::Start(start) => {
                if start.local_name().as_ref() != "RegisterDescription" {
                    let name = String::from(start.local_name().as_ref());
                    return Err(pull.wrong(format!("{name} is no RegisterDescription")));
                }
                let mut facts = Facts::default();
                pull.attributes(&start, |name, value| facts.set(name, value));
                return Ok(facts);
            }
            Token::Done => return Err(pull.wrong("there is no RegisterDescription".to_owned())),
            Token::End | Token::Text(_) => {}
        }
    }
}

fn declaration<'a>(pull: &Pull<'a>, start: &BytesStart<'a>, shape: Shape) -> Raw<'a> {
    let mut name = String::new();
    let mut standard = false;
    pull.attributes(start, |key, value| match key {
        "Name" => value.trim().clone_into(&mut name),
        "NameSpace" => standard = value == "Standard",
        _ => {}
    });
    Raw { shape, name: Cow::Owned(name), standard, properties: Vec::new(), nested: Vec::new() }
}

fn key<'a>(pull: &Pull<'a>, start: &BytesStart<'a>, tag: Tag) -> Key {
    let wanted = matches!(
        tag,
        Tag::PVariable
            | Tag::Constant
            | Tag::Expression
            | Tag::ValueIndexed
            | Tag::PValueIndexed
            | Tag::PIndex
    );
    let mut found = Key::None;
    if wanted {
        pull.attributes(start, |key, value| match key {
            "Name" => found = Key::Name(value.trim().into()),
            "Index" => found = Key::Index(value.trim().into()),
            "Offset" => found = Key::Offset(value.trim().into()),
            "pOffset" => found = Key::POffset(value.trim().into()),
            _ => {}
        });
    }
    found
}

pub(crate) fn too_many_nodes() -> Error {
    Error::TooLarge { what: "nodes", limit: MAX_NODES }
}
