//! What can go wrong between a consumer and a producer, with the facts that help.

use std::fmt;
use std::path::PathBuf;

/// The return code of a GenTL function: 0 is success, below zero is an error, and -10000 or less is
/// the producer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

macro_rules! statuses {
    ($($name:ident = $code:literal $advice:literal)*) => {
        impl Status {
            $(#[doc = concat!("`GC_ERR_", stringify!($name), "`.")]
            pub const $name: Status = Status($code);)*

            /// The standard's name of the code, or `CUSTOM` for a producer's own.
            pub fn name(self) -> &'static str {
                match self.0 {
                    0 => "SUCCESS",
                    $($code => stringify!($name),)*
                    _ => "CUSTOM",
                }
            }

            /// What a user may try, empty when there is nothing general to say.
            fn advice(self) -> &'static str {
                match self.0 {
                    $($code => $advice,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    ERROR = -1001 ""
    NOT_INITIALIZED = -1002 ""
    NOT_IMPLEMENTED = -1003 ""
    RESOURCE_IN_USE = -1004 "; close the other user of it, in this or another program"
    ACCESS_DENIED = -1005 "; is the camera held by another program or host, or the register read-only?"
    INVALID_HANDLE = -1006 ""
    INVALID_ID = -1007 "; list the devices again, it may have gone"
    NO_DATA = -1008 ""
    INVALID_PARAMETER = -1009 ""
    IO = -1010 "; check the cable, the power and the network of the camera"
    TIMEOUT = -1011 "; check the cable, the power and the network of the camera"
    ABORT = -1012 ""
    INVALID_BUFFER = -1013 "; announce as many buffers as the stream asks for"
    NOT_AVAILABLE = -1014 ""
    INVALID_ADDRESS = -1015 ""
    BUFFER_TOO_SMALL = -1016 "; announce buffers of at least the payload size"
    INVALID_INDEX = -1017 ""
    PARSING_CHUNK_DATA = -1018 ""
    INVALID_VALUE = -1019 ""
    RESOURCE_EXHAUSTED = -1020 "; free memory, bandwidth or buffers"
    OUT_OF_MEMORY = -1021 "; free memory"
    BUSY = -1022 "; stop the acquisition first"
    AMBIGUOUS = -1023 ""
}

impl Status {
    /// Whether an information command was understood to have no answer, which is not a failure.
    ///
    /// The standard says NOT_IMPLEMENTED, NOT_AVAILABLE or NO_DATA; some producers say ERROR, and
    /// older ones INVALID_PARAMETER of a command that came after them.
    pub(crate) fn is_no_answer(self) -> bool {
        matches!(
            self,
            Self::NOT_IMPLEMENTED
                | Self::NOT_AVAILABLE
                | Self::NO_DATA
                | Self::ERROR
                | Self::INVALID_PARAMETER
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// Result of a GenTL operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a producer, of its library, or of the description that it serves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A function of the producer answered with an error.
    #[error("{producer}: {function} answered {status}{}{text}{}",
        if text.is_empty() { "" } else { ": " }, status.advice())]
    Call {
        /// File name of the producer.
        producer: String,
        /// The GenTL function.
        function: &'static str,
        /// What it returned.
        status: Status,
        /// The producer's own words, may be empty.
        text: String,
    },
    /// The library could not be loaded.
    #[error("{path}: can't be loaded: {reason}; is it built for this machine, and are the libraries it needs installed?", path = path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// The library lacks a function that GenTL requires.
    #[error("{path}: no GenTL producer, it exports no {symbol}", path = path.display())]
    NotAProducer {
        /// The file.
        path: PathBuf,
        /// The first required name that is missing.
        symbol: &'static str,
    },
    /// Other code of this process has the producer open; one process can open it only once.
    #[error(
        "{producer}: other code of this process has it open (harvesters, a maker's own library); close it there, or open a copy of the file, which is a producer of its own"
    )]
    OpenElsewhere {
        /// File name of the producer.
        producer: String,
    },
    /// The process forked after the producer was opened, and its threads are gone.
    #[error(
        "{producer}: was opened by process {opened_by}, and this is a fork of it; open cameras after the fork (multiprocessing: use \"spawn\")"
    )]
    Forked {
        /// File name of the producer.
        producer: String,
        /// The process that opened it.
        opened_by: u32,
    },
    /// A register access moved another number of bytes than asked for.
    #[error("{producer}: {moved} of {wanted} bytes moved at address {address:#x}")]
    ShortAccess {
        /// File name of the producer.
        producer: String,
        /// The register.
        address: u64,
        /// Bytes asked for.
        wanted: usize,
        /// Bytes moved.
        moved: usize,
    },
    /// An identifier holds a 0 byte and can't be handed to a producer.
    #[error("{id:?} can't be an identifier, it holds a 0 byte")]
    BadId {
        /// The identifier.
        id: String,
    },
    /// The description file of a port could not be had.
    #[error("description {url:?}: {reason}")]
    Description {
        /// Where it should be, empty when the port names none.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The buffer was revoked, or never announced.
    #[error("buffer {index} is not announced to the stream")]
    NotAnnounced {
        /// The buffer.
        index: usize,
    },
}

impl Error {
    /// The producer's return code, when a call failed.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Call { status, .. } => Some(*status),
            Self::OpenElsewhere { .. } => Some(Status::RESOURCE_IN_USE),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_says_what_happened_and_what_to_try() {
        let error = Error::Call {
            producer: "cam.cti".into(),
            function: "IFOpenDevice",
            status: Status::RESOURCE_IN_USE,
            text: "held".into(),
        };
        assert_eq!(
            error.to_string(),
            "cam.cti: IFOpenDevice answered RESOURCE_IN_USE (-1004): held; close the other user of it, in this or another program"
        );
        assert_eq!(Status(-12345).to_string(), "CUSTOM (-12345)");
    }
}
