//! What people and programs tell a line that runs: pictures, parts, a trigger, a reset, a challenge, a
//! threshold, another recipe.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::config::Loaded;
use super::deadline::Message;
use super::outlet::Event;
use super::plant::AnnouncedBy;
use super::product::Product;
use super::running::{ANSWER, Line, State, lock};
use super::worker::Evidence;
use super::{post, recipe, setup};
use crate::error::{Error, Result};
use crate::frame::{FrameInfo, PixelFormat};
use crate::record::Entry;
use crate::source::gentl::trigger_all;
use crate::track::MOST_CHALLENGE;

impl Line {
    /// Whether new parts can begin on this line.
    ///
    /// # Errors
    /// [`Error::Closed`], with a word on why.
    pub(super) fn takes_parts(&self) -> Result<()> {
        let name = &self.plant.value.name;
        let closed = |what: String| Err(Error::Closed { what });
        match &*lock(&self.state) {
            State::Built(_) => closed(format!("{name}, which has not been started,")),
            State::Running(_) if !self.stopping.load(Ordering::Acquire) => Ok(()),
            State::Running(_) | State::Ending | State::Ended => closed(name.clone()),
        }
    }

    /// Copies a picture into a slot of ours and gives it to the line; waits at most `timeout` for a
    /// free slot. Rows are `stride` bytes apart.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a `push:` camera or with an array that does not fit;
    /// [`Error::Timeout`] when the line is slower than its caller; [`Error::Closed`];
    /// [`Error::Device`] when the line thread is stuck.
    pub fn submit(
        &self,
        bytes: &[u8],
        size: [u32; 2],
        stride: usize,
        format: PixelFormat,
        timeout: Duration,
    ) -> Result<()> {
        let Some((view, push)) = &self.push else {
            let problem = "this line has no camera with uri = \"push:\"".to_owned();
            return Err(Error::invalid("submit", problem));
        };
        self.takes_parts()?;
        let mut info = FrameInfo::packed(size[0], size[1], format, self.clock.now_ns());
        info.stride = stride;
        let frame = push.submit(bytes, info, timeout)?;
        self.copied.fetch_add(1, Ordering::Relaxed);
        self.cameras[usize::from(*view)].1.frames.fetch_add(1, Ordering::Relaxed);
        self.hand_over(Message::Frame { view: *view, frame })
    }

    /// Says that pictures for [`Line::submit`] were lost on their way: they count as a camera's
    /// missing frames, and where frames announce the parts, each becomes one without pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a camera `push:`; [`Error::Closed`] when the line does not run;
    /// [`Error::Device`] when the line thread is stuck.
    pub fn lost(&self, frames: u64) -> Result<()> {
        let Some((view, _)) = &self.push else {
            let problem = "this line has no camera with uri = \"push:\"".to_owned();
            return Err(Error::invalid("lost", problem));
        };
        self.takes_parts()?;
        self.cameras[usize::from(*view)].1.lost.fetch_add(frames, Ordering::Relaxed);
        self.hand_over(Message::Gap { view: *view, lost: frames })
    }

    /// Announces a part, for `announced_by = "call"`: its leading edge is at the reference point
    /// now.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a line whose parts something else announces; [`Error::Closed`];
    /// [`Error::Device`] when the line thread is stuck.
    pub fn announce(&self) -> Result<()> {
        let at_ns = self.clock.now_ns();
        if self.plant.value.parts.announced_by != AnnouncedBy::Call {
            let problem =
                "this line's parts are not announced by calls; set announced_by = \"call\"";
            return Err(Error::invalid("announce", problem));
        }
        self.takes_parts()?;
        self.hand_over(Message::Announce { at_ns })
    }

    /// To the line thread; it must arrive.
    fn hand_over(&self, message: Message<Evidence>) -> Result<()> {
        self.shop.messages.send_timeout(message, ANSWER).map_err(|why| {
            let name = &self.plant.value.name;
            if why.is_timeout() {
                let problem = format!("the line thread has taken nothing for {ANSWER:?}");
                Error::Device { uri: name.clone(), problem }
            } else {
                Error::Closed { what: name.clone() }
            }
        })
    }

    /// Exposes one frame of every running camera at once, on cameras whose `TriggerSource` is `Software`. The
    /// cameras are told side by side, none after the other has answered.
    ///
    /// # Errors
    /// [`Error::Invalid`] on a line without such a camera; [`Error::Closed`]; the first camera's that
    /// refuses, while the others have exposed.
    pub fn trigger(&self) -> Result<()> {
        self.takes_parts()?;
        let controls = self.running_controls();
        if controls.is_empty() {
            return Err(Error::invalid("trigger", "this line has no camera that can be triggered"));
        }
        trigger_all(&controls).into_iter().collect()
    }

    /// Says that somebody has looked after alarms and stop requests.
    pub fn reset(&self) {
        self.stop_requested.clear();
        self.tell(Message::Reset);
    }

    /// The next `parts` are known to be bad, of `class` if that is said: each must be rejected and
    /// leave, and all must come within `timeout`. What came of it is an event, stands in the record
    /// and, when it failed, asks for a stop.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class, a number of parts that is not allowed, or while
    /// another challenge runs; [`Error::Closed`]; [`Error::Device`] when the line thread is stuck.
    pub fn challenge(&self, parts: u32, class: Option<&str>, timeout: Duration) -> Result<()> {
        if !(1..=MOST_CHALLENGE).contains(&parts) {
            let problem = format!("{parts} parts; allowed: 1 to {MOST_CHALLENGE}");
            return Err(Error::invalid("challenge", problem));
        }
        let recipe = self.recipe();
        let number = |name: &str| {
            recipe
                .class_names()
                .position(|(known, _)| known == name)
                .map(|at| at as u16)
                .ok_or_else(|| {
                    let known: Vec<&str> = recipe.class_names().map(|(name, _)| name).collect();
                    let problem = format!("no class {name:?}; this model has {}", known.join(", "));
                    Error::invalid("challenge", problem)
                })
        };
        let class = class.map(number).transpose()?;
        self.takes_parts()?;
        let (begun, answer) = bounded(1);
        let until_ns = self.after_ns(timeout);
        self.hand_over(Message::Challenge { parts, class, until_ns, begun })?;
        match answer.recv_timeout(ANSWER) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let problem = "another one runs; wait for its event, or for its time to be over";
                Err(Error::invalid("challenge", problem))
            }
            Err(_) => Err(Error::Closed { what: self.plant.value.name.clone() }),
        }
    }

    /// Moves the threshold of a class, at once and for all workers; not written to the recipe.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown class or a value outside 0..1.
    pub fn set_threshold(&self, class: &str, limit: f32) -> Result<f32> {
        let recipe = self.recipe();
        let old = recipe.set_threshold(class, limit)?;
        self.record(Entry::Recipe(Box::new(recipe.entry())));
        Ok(old)
    }

    /// Loads another recipe and swaps it in between two parts. When it fails, by its dry run or
    /// before, the running one stays.
    ///
    /// # Errors
    /// As [`Line::open`]'s for the product.
    pub fn load_recipe(&self, product: &Loaded<Product>) -> Result<()> {
        let mut in_use = lock(&self.in_use);
        let revision = self.recipe().revision + 1;
        let (recipe, kits) = recipe::load(product, &self.plant.value, &self.library, revision)?;
        let tools = post::tools(kits)?;
        let policy = setup::policy(&self.plant, recipe.class_names())?;
        self.record(Entry::Recipe(Box::new(recipe.entry())));
        *lock(&self.loaded) = recipe;
        self.tell(Message::Policy(Box::new(policy)));
        in_use.product = product.clone();
        for (post, tools) in self.posts.iter().zip(tools) {
            in_use.pace = Arc::clone(&tools.pace);
            post.hand_over(tools);
        }
        Ok(())
    }

    pub(super) fn record(&self, entry: Entry) {
        if let Some(recorder) = lock(&self.recorder).as_ref()
            && !recorder.put(entry)
            && self.stop_requested.set_record_lost()
        {
            self.events.push(Event::record_lost(self.clock.now_ns()));
        }
    }

    /// To the line thread; one that has ended needs no telling.
    pub(super) fn tell(&self, message: Message<Evidence>) {
        let _ = self.shop.messages.send_timeout(message, ANSWER);
    }
}
