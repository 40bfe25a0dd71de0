//! One grammar for everything that has an address: `scheme:path#device?key=value&key=value`.
//!
//! Whoever opens one takes the options that it knows; what is left is an error that lists them.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A URI taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Uri {
    whole: String,
    path: String,
    options: Vec<(String, String)>,
    known: &'static str,
}

impl Uri {
    /// Takes `uri` apart. `known` is what errors say would be understood.
    ///
    /// # Errors
    /// [`Error::Uri`] without a scheme, or for an option without a value.
    pub(crate) fn parse(uri: &str, known: &'static str) -> Result<Self> {
        let wrong = |problem: String| Error::Uri { uri: uri.into(), problem, known };
        let (_, rest) =
            uri.split_once(':').ok_or_else(|| wrong("it has no scheme before a colon".into()))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options: Vec<(String, String)> = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option
                .split_once('=')
                .ok_or_else(|| wrong(format!("option {option:?} has no value (key=value)")))?;
            if options.iter().any(|(other, _)| other == key) {
                return Err(wrong(format!("option {key:?} is given twice")));
            }
            options.push((key.into(), value.into()));
        }
        let path = path.strip_prefix("//").unwrap_or(path).to_owned();
        Ok(Self { whole: uri.into(), path, options, known })
    }

    /// What stands between scheme and options, without `//`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// As it was given.
    pub(crate) fn whole(&self) -> &str {
        &self.whole
    }

    /// An [`Error::Uri`] about this one.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::Uri { uri: self.whole.clone(), problem: problem.into(), known: self.known }
    }

    /// Takes an option as text.
    pub(crate) fn take_text(&mut self, key: &str) -> Option<String> {
        let place = self.options.iter().position(|(known, _)| known == key)?;
        Some(self.options.remove(place).1)
    }

    /// Takes an option that is one of some words; the first of them unless it is given.
    ///
    /// # Errors
    /// [`Error::Uri`] naming the words.
    pub(crate) fn take_word(&mut self, key: &str, words: &[&'static str]) -> Result<&'static str> {
        let Some(found) = self.take_text(key) else { return Ok(words[0]) };
        words
            .iter()
            .find(|word| **word == found)
            .copied()
            .ok_or_else(|| self.wrong(format!("{key}={found} is not one of {}", words.join(", "))))
    }

    /// Takes a number in a range, if it is given.
    ///
    /// # Errors
    /// [`Error::Uri`] naming the range.
    pub(crate) fn take_number<T>(&mut self, key: &str, least: T, most: T) -> Result<Option<T>>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(found) = self.take_text(key) else { return Ok(None) };
        match found.parse::<T>() {
            Ok(value) if least <= value && value <= most => Ok(Some(value)),
            _ => Err(self.wrong(format!("{key}={found} is no number in {least}..{most}"))),
        }
    }

    /// Takes a time in ms, as ns.
    ///
    /// # Errors
    /// [`Error::Uri`] naming the range.
    pub(crate) fn take_ms(&mut self, key: &str, default: f64, most: f64) -> Result<i64> {
        let ms = self.take_number(key, 0.0, most)?.unwrap_or(default);
        Ok((ms * 1e6).round() as i64)
    }

    /// Takes a 0 or 1.
    ///
    /// # Errors
    /// [`Error::Uri`] for anything else.
    pub(crate) fn take_flag(&mut self, key: &str, default: bool) -> Result<bool> {
        Ok(self.take_number::<u8>(key, 0, 1)?.map_or(default, |flag| flag == 1))
    }

    /// Takes every option that is left.
    pub(crate) fn take_rest(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.options)
    }

    /// All options must have been taken.
    ///
    /// # Errors
    /// [`Error::Uri`] naming one that nobody took.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.options.first() {
            Some((key, _)) => Err(self.wrong(format!("there is no option {key:?}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "known:PLACE?speed=0..9";

    #[test]
    fn it_comes_apart_and_every_option_is_taken() {
        let mut uri = Uri::parse("known://there:5/2?speed=4&how=fast", KNOWN).unwrap();
        assert_eq!(uri.path(), "there:5/2");
        assert_eq!(uri.take_number("speed", 0, 9).unwrap(), Some(4));
        assert!(uri.finish().unwrap_err().to_string().contains("\"how\""));
        assert_eq!(uri.take_word("how", &["slow", "fast"]).unwrap(), "fast");
        uri.finish().unwrap();
    }

    #[test]
    fn what_is_wrong_says_what_is_known() {
        for (bad, says) in [
            ("nothing", "no scheme"),
            ("known:?speed", "no value"),
            ("known:?speed=1&speed=2", "twice"),
            ("known:?speed=10", "0..9"),
            ("known:?speed=", "no number"),
            ("known:?sped=1", "\"sped\""),
        ] {
            let tried = Uri::parse(bad, KNOWN).and_then(|mut uri| {
                uri.take_number("speed", 0, 9)?;
                uri.finish()
            });
            let error = tried.unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(KNOWN), "{error}");
        }
    }
}
