//! A camera's thread: waits on its camera and on nobody else, and hands over what comes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use super::deadline::Message;
use super::worker::Evidence;
use crate::source::{Back, Source, SourceEvent};

/// A flag is looked at this often while nothing comes.
const SLICE: Duration = Duration::from_millis(100);

/// What came from a camera.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) frames: AtomicU64,
    pub(super) incomplete: AtomicU64,
    /// Numbered by the camera, never delivered.
    pub(super) lost: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Frames that the line thread had no room for; it is made with room for all slots.
    pub(super) refused: AtomicU64,
    pub(super) gone: AtomicBool,
    /// How often it came back.
    pub(super) recoveries: AtomicU64,
    /// Parts came that it should have seen, says the line thread.
    pub(super) doubted: AtomicBool,
}

/// What people hear of a camera, beside the alarm that the line thread makes of it.
pub(super) enum CameraNews {
    /// What showed that it is gone.
    Lost(String),
    /// It delivers again.
    Back(Back),
}

/// A camera whose thread panics is gone, which the line has to know.
struct GoneByPanic<'a> {
    view: u8,
    messages: &'a Sender<Message<Evidence>>,
    counts: &'a Counts,
}

impl Drop for GoneByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a camera's thread has panicked; this is a bug of smartqc");
            self.counts.gone.store(true, Ordering::Relaxed);
            let _ = self.messages.try_send(Message::CameraLost { view: self.view });
        }
    }
}

/// Until `stop`, or the camera ends. One that is gone is waited for.
pub(super) fn watch(
    source: &mut dyn Source,
    view: u8,
    messages: &Sender<Message<Evidence>>,
    counts: &Counts,
    stop: &AtomicBool,
    tell: &dyn Fn(CameraNews),
) {
    let _gone = GoneByPanic { view, messages, counts };
    while !stop.load(Ordering::Relaxed) {
        if counts.doubted.swap(false, Ordering::Relaxed) {
            source.doubt();
        }
        let message = match source.next(SLICE) {
            Ok(None) => continue,
            Ok(Some(SourceEvent::Frame(frame))) => {
                counts.frames.fetch_add(1, Ordering::Relaxed);
                counts.incomplete.fetch_add(frame.info().incomplete.into(), Ordering::Relaxed);
                Message::Frame { view, frame }
            }
            Ok(Some(SourceEvent::Gap { lost })) => {
                counts.lost.fetch_add(lost, Ordering::Relaxed);
                Message::Gap { view, lost }
            }
            Ok(Some(SourceEvent::Lost { why })) => {
                tracing::error!("{}: the camera is gone: {why}", source.uri());
                counts.gone.store(true, Ordering::Relaxed);
                tell(CameraNews::Lost(why));
                Message::CameraLost { view }
            }
            Ok(Some(SourceEvent::Back(back))) => {
                tracing::warn!(
                    "{}: the camera is back after {:?}, {} of its features differ",
                    source.uri(),
                    back.gap,
                    back.different.len()
                );
                counts.gone.store(false, Ordering::Relaxed);
                counts.recoveries.fetch_add(1, Ordering::Relaxed);
                tell(CameraNews::Back(*back));
                Message::CameraBack { view }
            }
            Ok(Some(SourceEvent::End)) => return,
            Err(why) => {
                if counts.errors.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!("{}: {why}", source.uri());
                }
                // An error that comes at once, again and again, must not burn the core.
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
        };
        let sent = messages.try_send(message);
        if matches!(sent, Err(TrySendError::Full(_))) {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        // Nobody listens any more once the line has ended.
        if matches!(sent, Err(TrySendError::Disconnected(_))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    struct Panics;

    impl Source for Panics {
        fn uri(&self) -> &str {
            "test:"
        }

        fn start(&mut self) -> Result<()> {
            Ok(())
        }

        fn next(&mut self, _: Duration) -> Result<Option<SourceEvent>> {
            panic!("the test wants a panic")
        }

        fn stop(&mut self) {}

        fn slots(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_camera_whose_thread_panics_is_lost() {
        let (messages, inbox) = crossbeam_channel::bounded(1);
        let counts = Counts::default();
        std::thread::scope(|threads| {
            let watch = threads.spawn(|| {
                watch(&mut Panics, 3, &messages, &counts, &AtomicBool::new(false), &|_| {});
            });
            assert!(watch.join().is_err());
        });
        assert!(counts.gone.load(Ordering::Relaxed));
        assert!(matches!(inbox.try_recv(), Ok(Message::CameraLost { view: 3 })));
    }
}
