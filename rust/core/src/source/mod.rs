//! Where frames come from.
//!
//! To add a transport, write one file here with a type that implements [`Source`], its fake, its
//! tests, and its arm of `open`.

mod chunks;
pub mod discover;
pub mod features;
pub mod gentl;
pub mod photo;
pub mod push;

use std::time::Duration;

use self::features::Difference;
use crate::error::Result;
use crate::frame::Frame;

/// What a source has to say.
#[derive(Debug)]
pub enum SourceEvent {
    /// A picture, complete or marked incomplete.
    Frame(Frame),
    /// The camera numbered exposures whose frames never came; told before the frame that showed it.
    Gap {
        /// How many.
        lost: u64,
    },
    /// The camera is gone. Whoever goes on waiting has it looked for, and hears of its return.
    Lost {
        /// What showed it.
        why: String,
    },
    /// A camera that was gone delivers again.
    Back(Box<Back>),
    /// The source has ended by itself (a folder, a pushed sequence).
    End,
}

/// A camera that was gone and delivers again.
#[derive(Clone, Debug, PartialEq)]
pub struct Back {
    /// What had shown that it was gone.
    pub why: String,
    /// From the last that was heard of it until it delivered again.
    pub gap: Duration,
    /// How often it was looked for.
    pub attempts: u32,
    /// Features that are not as they were, though they were set so; none when all is restored.
    pub different: Vec<Difference>,
}

/// A camera as the line sees it. One thread owns it and waits in [`Source::next`].
pub trait Source: Send {
    /// The URI it was opened with; part of every message about it.
    fn uri(&self) -> &str;

    /// Begins to deliver.
    ///
    /// # Errors
    /// [`crate::error::Error::Camera`] and its kin, when the camera refuses.
    fn start(&mut self) -> Result<()>;

    /// Waits at most `timeout`, and not at all on anyone but the camera; `None` when nothing came.
    ///
    /// # Errors
    /// A failure that is no loss of the camera; the caller may go on waiting.
    fn next(&mut self, timeout: Duration) -> Result<Option<SourceEvent>>;

    /// Parts came that it should have seen, and no frame of them: a camera that is silent, too, is
    /// then held for lost.
    fn doubt(&mut self) {}

    /// Stops delivering; frames that are held stay valid. Idempotent, also on a lost camera.
    fn stop(&mut self);

    /// How many slots the camera has to write into.
    fn slots(&self) -> usize;
}
