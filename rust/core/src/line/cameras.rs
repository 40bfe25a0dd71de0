//! The cameras of a line that runs: one stops and starts while the others go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::camera;
use super::running::{Line, State, lock};
use crate::error::{Error, Result};
use crate::source::gentl::Control;

/// How long a camera may take to stop or to start.
const CAMERA_ANSWER: Duration = Duration::from_secs(30);

impl Line {
    /// Stops one camera; the others go on, and so does the line. Its view of each part that it has
    /// not seen is missing from now on (`no_view`), so that no part passes by what the others say
    /// alone, unless the policy lets one view decide; the line is not ready. A line whose parts this
    /// camera announces announces none. Waits until the camera has stopped.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no camera of this line has, and for `push:`;
    /// [`Error::Closed`] when the line does not run.
    pub fn stop_camera(&self, name: &str) -> Result<()> {
        self.order_camera("stop_camera", name, false)
    }

    /// Starts a camera again that [`Line::stop_camera`] has stopped. Waits until it delivers.
    ///
    /// # Errors
    /// As [`Line::stop_camera`], and what the camera says that cannot be started: it stays stopped.
    pub fn start_camera(&self, name: &str) -> Result<()> {
        self.order_camera("start_camera", name, true)
    }

    /// The control side of one of its cameras: its features, also while the line runs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that no camera of this line has, and for `push:`;
    /// [`Error::Closed`] when the line has ended.
    pub fn camera(&self, name: &str) -> Result<Control> {
        let view = self.view("camera", name)?;
        match lock(&self.controls).get(view) {
            Some(Some(control)) => Ok(control.clone()),
            Some(None) => {
                let problem = format!("the pictures of {name:?} are submitted: no features");
                Err(Error::invalid("camera", problem))
            }
            None => Err(Error::Closed { what: self.plant.value.name.clone() }),
        }
    }

    fn view(&self, call: &'static str, name: &str) -> Result<usize> {
        let names = || self.cameras.iter().map(|(name, _)| name.as_str());
        names().position(|known| known == name).ok_or_else(|| {
            let known: Vec<&str> = names().collect();
            let problem = format!("no camera {name:?}; this line has {}", known.join(", "));
            Error::invalid(call, problem)
        })
    }

    fn order_camera(&self, call: &'static str, name: &str, runs: bool) -> Result<()> {
        let view = self.view(call, name)?;
        self.takes_parts()?;
        let closed = || Error::Closed { what: self.plant.value.name.clone() };
        let told = match &*lock(&self.state) {
            State::Running(threads) => threads.orders.get(view).cloned().flatten(),
            State::Built(_) | State::Ending | State::Ended => return Err(closed()),
        };
        let Some(told) = told else {
            let problem = format!("the pictures of {name:?} are submitted: nothing to stop there");
            return Err(Error::invalid(call, problem));
        };
        let (done, answer) = bounded(1);
        told.send_timeout(camera::Order { runs, done }, CAMERA_ANSWER).map_err(|_| closed())?;
        if let Some(Some(control)) = lock(&self.controls).get(view) {
            control.wake();
        }
        answer.recv_timeout(CAMERA_ANSWER).unwrap_or_else(|why| {
            if why == RecvTimeoutError::Disconnected {
                return Err(closed());
            }
            let problem = format!("the camera has not answered for {CAMERA_ANSWER:?}");
            Err(Error::Device { uri: name.to_owned(), problem })
        })
    }

    /// Of the cameras that are not stopped.
    pub(super) fn running_controls(&self) -> Vec<Control> {
        let runs =
            |(_, counts): &(String, Arc<camera::Counts>)| !counts.stopped.load(Ordering::Relaxed);
        let controls = lock(&self.controls);
        let running = controls.iter().zip(&self.cameras).filter(|(_, camera)| runs(camera));
        running.filter_map(|(control, _)| control.clone()).collect()
    }
}
