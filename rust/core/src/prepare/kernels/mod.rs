//! The pass on vector instructions, and the choice among them.
//!
//! Scalar code defines what every kernel computes, bit for bit; kernels only do it faster, for the
//! pictures and specs that they know. Which instructions a machine has is found out once. A token
//! ([`Avx2`], [`Avx512`]) is the proof that a machine has them: nobody can make one but `detect`, so
//! who holds one may call that file's functions.

pub(super) mod affine;
pub(super) mod area;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod filter;
pub(super) mod linear;
pub(super) mod linear_pixels;
mod planes;
pub(super) mod ramps;
pub(super) mod unpack;

use std::sync::OnceLock;

use crate::error::{Error, Result};

#[cfg(target_arch = "x86_64")]
use {avx2::Avx2, avx512::Avx512};

/// The environment variable that forces a set of kernels.
const VARIABLE: &str = "SMARTQC_KERNELS";

/// A set of kernels that this machine can run.
///
/// ```
/// use smartqc_core::prepare::Kernels;
///
/// let names: Vec<_> = Kernels::available().iter().map(|kernels| kernels.name()).collect();
/// assert_eq!(names[0], "scalar");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Kernels(pub(super) Instructions);

/// Work in portable code that each set of kernels has compiled for itself. Implementations of `run` are
/// `#[inline(always)]`, so that they become part of a function with the set's instructions.
pub(super) trait Portable {
    fn run(self);
}

#[cfg(target_arch = "x86_64")]
use avx2::{prefetch, prefetch_lines};

#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_: &[u8]) {}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch_lines(_: *const u8, _: usize) {}

/// What the kernels are made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instructions {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Kernels {
    /// No kernels: the code that defines what they compute.
    pub fn scalar() -> Self {
        Self(Instructions::Scalar)
    }

    /// All that this machine has, the fastest last.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
        let mut all = vec![Self::scalar()];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(|token| Self(Instructions::Avx2(token))));
            all.extend(Avx512::detect().map(|token| Self(Instructions::Avx512(token))));
        }
        all
    }

    /// The fastest that this machine has, or those that the environment variable
    /// `SMARTQC_KERNELS` names (`scalar`, `avx2`, `avx512`), which is read once.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the variable names none that this machine has.
    pub fn chosen() -> Result<Self> {
        static CHOSEN: OnceLock<std::result::Result<Kernels, String>> = OnceLock::new();
        let forced = || std::env::var_os(VARIABLE).map(|name| name.to_string_lossy().into_owned());
        CHOSEN
            .get_or_init(|| Self::named(forced().as_deref()))
            .clone()
            .map_err(|problem| Error::invalid(VARIABLE, problem))
    }

    /// Those of that name; the fastest where there is none.
    fn named(name: Option<&str>) -> std::result::Result<Self, String> {
        let all = Self::available();
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(all.last().copied().unwrap_or_else(Self::scalar));
        };
        all.iter().find(|kernels| kernels.name() == name).copied().ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|kernels| kernels.name()).collect();
            format!("{name:?}; this machine has {}", names.join(", "))
        })
    }

    /// Does it with these instructions.
    pub(super) fn run(self, work: impl Portable) {
        match self.0 {
            Instructions::Scalar => work.run(),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(token) => token.run(work),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => token.run(work),
        }
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(_) => "avx512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_found_by_its_name() {
        for kernels in Kernels::available() {
            assert_eq!(Kernels::named(Some(kernels.name())).unwrap().name(), kernels.name());
        }
    }

    #[test]
    fn without_a_name_the_fastest_is_taken() {
        let fastest = Kernels::available().last().unwrap().name();
        assert_eq!(Kernels::named(None).unwrap().name(), fastest);
        assert_eq!(Kernels::named(Some("")).unwrap().name(), fastest);
    }

    #[test]
    fn a_set_that_is_missing_is_refused_with_those_there_are() {
        let error = Kernels::named(Some("avx1024")).unwrap_err();
        assert!(error.contains("avx1024") && error.contains("scalar"), "{error}");
    }
}
