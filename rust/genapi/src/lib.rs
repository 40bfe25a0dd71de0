//! GenApi 2.1: the features of a GenICam camera, evaluated from its description.
//!
//! A camera describes itself by an XML document whose nodes refer to each other and, in the end, to
//! registers. [`NodeMap`] reads such a document, is connected to the registers by a [`Port`], and
//! answers for each node its kind, value, limits, entries and access, and why no more is allowed.
//!
//! ```
//! use std::sync::Arc;
//! use smartqc_genapi::{Access, AccessMode, Limits, MemoryPort, NodeMap, Value};
//!
//! let xml = r#"<RegisterDescription ModelName="Cam" VendorName="V">
//!   <Category Name="Root"><pFeature>Width</pFeature></Category>
//!   <Integer Name="Width">
//!     <pIsLocked>TLParamsLocked</pIsLocked>
//!     <pValue>WidthReg</pValue><Min>8</Min><Max>64</Max><Inc>4</Inc>
//!   </Integer>
//!   <Integer Name="TLParamsLocked"><Value>0</Value></Integer>
//!   <IntReg Name="WidthReg">
//!     <Address>0x10</Address><Length>4</Length><AccessMode>RW</AccessMode>
//!     <pPort>Device</pPort><Endianess>LittleEndian</Endianess>
//!   </IntReg>
//!   <Port Name="Device"/>
//! </RegisterDescription>"#;
//!
//! let map = NodeMap::parse(xml.as_bytes())?;
//! map.connect("Device", Arc::new(MemoryPort::new([0; 32])))?;
//! let width = map.find("Width")?;
//! map.set(width, &Value::Int(32))?;
//! assert_eq!(map.value(width)?, Value::Int(32));
//! let Limits::Int { min, max, increment, .. } = map.limits(width)? else { unreachable!() };
//! assert_eq!((min, max, increment), (8, 64, 4));
//!
//! map.set(map.find("TLParamsLocked")?, &Value::Int(1))?;
//! assert_eq!(map.access(width)?.mode, AccessMode::ReadOnly);
//! let refused = map.set(width, &Value::Int(16)).unwrap_err().to_string();
//! assert!(refused.contains("locked by TLParamsLocked = 1"), "{refused}");
//! # Ok::<(), smartqc_genapi::Error>(())
//! ```
//!
//! # Map of the crate
//! - `document`: bytes to text (zip, encodings), text to elements, within limits.
//! - `build`: elements to the arena of `node`s, in one pass; `model` holds the result, which never
//!   changes again. References are indices ([`NodeId`]).
//! - `graph`: who depends on whom; circles; what may be cached.
//! - `formula`: formulas to programs, by the grammar below.
//! - `eval`: access, values, limits, writing; one operation at a time over `state`, which holds all
//!   that changes, within a budget of depth and of steps.
//! - `map`: the public [`NodeMap`]; `persist`: [`NodeMap::save`] and [`NodeMap::load`].
//!
//! # Formulas: where the reference differs from the text of the standard
//! Cameras are made against EMVA's implementation, so its grammar is followed where both differ:
//!
//! | tightest first | standard 2.1 | here, as the reference |
//! |---|---|---|
//! | 1 | unary | `~`, `+`, and `-` before a number or a variable (so `-2**2` is 4) |
//! | 2 | `**` | `**` `<<` `>>` `&` `\|` `^`, left to right (so `1<<2+1` is 5, `1\|2&4` is 0) |
//! | 3 | `*` `/` `%` | the same |
//! | 4 | `+` `-` | the same |
//! | 5 | shifts, then comparisons, `&`, `^`, `\|`, `&&`, `\|\|` | `?:` after its colon, left to right (so `1?5:3>4` is `(1?5:3)>4`, and `1?5:1?2:3` is 2) |
//! | 6 | `?:` | `<` `<=` `>` `>=` `=` `<>` `&&` `\|\|`, left to right (so `1\|\|1=0` is 0) |
//! | 7 | | `?:` before its question mark (so `5>7?1:2` is 2) |
//! | 8 | | `-` before a parenthesis, a function or `~` (so `-(3)+5` is -8) |
//!
//! What the reference takes for no formula is computed as the standard has it: `2--3`, `5+-(3)+1`
//! and `1?0?5:6:7`.
//!
//! Bitwise operators of float formulas work on 32-bit integers and hexadecimal numbers there are
//! 32 bits wide; in integer formulas numbers beyond 64 bits saturate and arithmetic wraps. A
//! division by zero is an error, of floats by anything nearer to it than 2^-52; other results that
//! are not finite are passed on.
//!
//! # What a document may do
//! Nothing but be wrong: a node that can't be evaluated answers with an [`Error`] that names the
//! node, the way to it and the [`Problem`]; all others work. Circles are found when the document is
//! read ([`NodeMap::findings`]). No evaluation takes more than a bounded stack and a bounded time.

mod access;
mod build;
mod document;
mod error;
mod eval;
mod fault;
mod formula;
mod graph;
mod map;
mod model;
mod node;
mod persist;
mod port;
mod state;
mod value;

pub use crate::access::{Access, AccessMode, Reason, Rule};
pub use crate::error::{Error, Problem, Result};
pub use crate::map::{NodeMap, Subscription};
pub use crate::model::{Facts, Finding};
pub use crate::node::{
    Caching, Element, Kind, NameSpace, NodeId, Notation, Representation, Visibility,
};
pub use crate::persist::{Loaded, Saved, Unrestored};
pub use crate::port::{MemoryPort, Port, PortError};
pub use crate::value::{Description, Entry, FixedPlace, Limits, Value};
