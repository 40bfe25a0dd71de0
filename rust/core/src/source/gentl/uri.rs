//! `gentl:PRODUCER.cti#DEVICE?key=value&...`: which producer, which of its devices, how set up.

use std::path::{Path, PathBuf};

use smartqc_gentl::Access;

use crate::error::{Error, Result};

/// What is understood, for errors.
const KNOWN: &str = "gentl:PRODUCER.cti#DEVICE?FEATURE=VALUE, DEVICE an index, id, serial number or \
                     user name; keys that are no features: access (exclusive, control, readonly), \
                     latency_ms, silence_ms";

/// The parts of a camera's URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GentlUri {
    /// Path or file name of the producer.
    pub(crate) producer: PathBuf,
    /// Index, id, serial number or user name; empty for the first.
    pub(crate) device: String,
    /// Features in their order.
    pub(crate) settings: Vec<(String, String)>,
    /// What the camera is opened for.
    pub(crate) access: Access,
    /// From an exposure to its arrival.
    pub(crate) latency_ns: Option<i64>,
    /// For how long a camera that delivers by itself may be silent; 0 for ever.
    pub(crate) silence_ns: Option<i64>,
}

impl GentlUri {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// [`Error::Uri`] when it is not of this kind.
    pub(crate) fn parse(uri: &str) -> Result<Self> {
        let wrong =
            |problem: &str| Error::Uri { uri: uri.into(), problem: problem.into(), known: KNOWN };
        let rest = uri.strip_prefix("gentl:").ok_or_else(|| wrong("its scheme is not gentl"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (producer, device) = place.split_once('#').unwrap_or((place, ""));
        if producer.is_empty() {
            return Err(wrong("it names no producer"));
        }
        let settings = query
            .split('&')
            .filter(|setting| !setting.is_empty())
            .map(|setting| match setting.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((decoded(key), decoded(value))),
                _ => Err(wrong(&format!("{setting:?} is not key=value"))),
            })
            .collect::<Result<Vec<_>>>()?;
        let mut parsed = Self {
            producer: PathBuf::from(decoded(producer)),
            device: decoded(device),
            settings: Vec::new(),
            access: Access::Exclusive,
            latency_ns: None,
            silence_ns: None,
        };
        let time_ns = |key: &str, value: &str| {
            let ms = value.parse().ok().filter(|ms: &f64| (0.0..1e6).contains(ms));
            let ms = ms.ok_or_else(|| wrong(&format!("{key}={value} is no time in ms")))?;
            Ok((ms * 1e6) as i64)
        };
        for (key, value) in settings {
            match key.as_str() {
                "latency_ms" => parsed.latency_ns = Some(time_ns(&key, &value)?),
                "silence_ms" => parsed.silence_ns = Some(time_ns(&key, &value)?),
                "access" => {
                    parsed.access = match value.as_str() {
                        "exclusive" => Access::Exclusive,
                        "control" => Access::Control,
                        "readonly" => Access::ReadOnly,
                        other => {
                            let problem = format!(
                                "access={other} is not one of exclusive, control, readonly"
                            );
                            return Err(wrong(&problem));
                        }
                    }
                }
                _ => parsed.settings.push((key, value)),
            }
        }
        Ok(parsed)
    }

    /// The URI of a device, without settings.
    pub(crate) fn of(producer: &Path, device: &str) -> String {
        format!("gentl:{}#{}", encoded(&producer.to_string_lossy()), encoded(device))
    }
}

/// Resolves `%23` and its like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Escapes what would end a part of a URI.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | '#' | '?' | '&' => out.push_str(&format!("%{:02X}", character as u32)),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_producer_a_device_and_settings() {
        let uri = GentlUri::parse("gentl:/opt/a b/cam.cti#SN 1?Width=64&Gain[Red]=2.5").unwrap();
        assert_eq!(uri.producer, Path::new("/opt/a b/cam.cti"));
        assert_eq!(uri.device, "SN 1");
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(uri.settings, [set("Width", "64"), set("Gain[Red]", "2.5")]);
        let short = GentlUri::parse("gentl:cam.cti").unwrap();
        assert_eq!((short.device.as_str(), short.settings.len()), ("", 0));
    }

    #[test]
    fn what_is_no_feature_is_taken_out_of_the_settings() {
        let uri = GentlUri::parse("gentl:a.cti#0?access=readonly&latency_ms=2&Gain=1").unwrap();
        assert_eq!((uri.access, uri.latency_ns), (Access::ReadOnly, Some(2_000_000)));
        assert_eq!((uri.silence_ns, uri.settings.len()), (None, 1));
        assert_eq!(GentlUri::parse("gentl:a.cti").unwrap().access, Access::Exclusive);
        for (uri, problem) in [
            ("gentl:a.cti?access=all", "exclusive, control, readonly"),
            ("gentl:a.cti?latency_ms=-1", "no time in ms"),
            ("gentl:a.cti?silence_ms=soon", "no time in ms"),
        ] {
            let error = GentlUri::parse(uri).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = GentlUri::of(Path::new("/a#b/100%.cti"), "x?y&z");
        let read = GentlUri::parse(&written).unwrap();
        assert_eq!((read.producer.to_str(), &*read.device), (Some("/a#b/100%.cti"), "x?y&z"));
    }

    #[test]
    fn a_wrong_uri_says_what_is_understood() {
        for (uri, problem) in [
            ("folder:x", "scheme"),
            ("gentl:", "no producer"),
            ("gentl:#0", "no producer"),
            ("gentl:a.cti#0?Width", "key=value"),
        ] {
            let error = GentlUri::parse(uri).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("PRODUCER.cti"), "{error}");
        }
    }
}
