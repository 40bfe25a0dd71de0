//! A camera's thread: waits on its camera and on nobody else, and hands over what comes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::deadline::{Message, Messages};
use super::worker::Evidence;
use crate::error::Result;
use crate::frame::Disorder;
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
    /// Delivered after a later one, or twice.
    pub(super) disordered: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Frames that the line thread had no room for; it is made with room for all slots.
    pub(super) refused: AtomicU64,
    pub(super) gone: AtomicBool,
    /// Somebody wants it so.
    pub(super) stopped: AtomicBool,
    /// How often it came back.
    pub(super) recoveries: AtomicU64,
    /// Parts came that it should have seen, says the line thread.
    pub(super) doubted: AtomicBool,
}

/// What a camera is told while its line runs. The others are told nothing, and go on.
pub(super) struct Order {
    pub(super) runs: bool,
    /// Hears when it is done, or why it is not.
    pub(super) done: Sender<Result<()>>,
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
    messages: &'a Messages<Evidence>,
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

/// Where a camera's thread hands things over, and who tells it what.
pub(super) struct Watch<'a> {
    pub(super) view: u8,
    pub(super) messages: &'a Messages<Evidence>,
    /// Whether somebody else looks soon what lies there for the line thread.
    pub(super) looks_soon: &'a dyn Fn() -> bool,
    pub(super) counts: &'a Counts,
    pub(super) orders: &'a Receiver<Order>,
    pub(super) stop: &'a AtomicBool,
    pub(super) tell: &'a dyn Fn(CameraNews),
}

/// Until `stop`, or the camera ends. One that is gone is waited for.
pub(super) fn watch(source: &mut dyn Source, watch: &Watch<'_>) {
    let &Watch { view, messages, looks_soon, counts, orders, stop, tell } = watch;
    let _gone = GoneByPanic { view, messages, counts };
    // A gap was put down for the line thread, which hears of it with the frame that comes next.
    let mut owes = false;
    while !stop.load(Ordering::Relaxed) {
        let order = if counts.stopped.load(Ordering::Relaxed) {
            match orders.recv_timeout(SLICE) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        } else {
            orders.try_recv().ok()
        };
        if let Some(order) = order {
            let done = watch.obey(source, order.runs);
            // Whoever asked may have gone.
            let _ = order.done.try_send(done);
            continue;
        }
        if counts.doubted.swap(false, Ordering::Relaxed) {
            source.doubt();
        }
        let event = source.next(SLICE);
        if std::mem::take(&mut owes) && !matches!(event, Ok(Some(SourceEvent::Frame(_)))) {
            messages.ring();
        }
        let message = match event {
            Ok(None) => continue,
            Ok(Some(SourceEvent::Frame(frame))) => {
                counts.frames.fetch_add(1, Ordering::Relaxed);
                counts.incomplete.fetch_add(frame.info().incomplete.into(), Ordering::Relaxed);
                let disorder = frame.info().disorder;
                counts.disordered.fetch_add(disorder.is_some().into(), Ordering::Relaxed);
                if disorder == Some(Disorder::Late) {
                    counts.lost.fetch_sub(1, Ordering::Relaxed);
                }
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
        owes = matches!(message, Message::Gap { .. });
        let is_frame = matches!(message, Message::Frame { .. });
        let sent = messages.put(message);
        if !(owes || is_frame && looks_soon()) {
            messages.ring();
        }
        if matches!(sent, Err(TrySendError::Full(_))) {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        // Nobody listens any more once the line has ended.
        if matches!(sent, Err(TrySendError::Disconnected(_))) {
            return;
        }
    }
}

impl Watch<'_> {
    /// Stops or starts the camera, unless it is so already. Frames that came before are told before.
    fn obey(&self, source: &mut dyn Source, runs: bool) -> Result<()> {
        let Self { view, counts, .. } = *self;
        if counts.stopped.load(Ordering::Relaxed) != runs {
            return Ok(());
        }
        let message = if runs {
            source.start()?;
            Message::CameraStarted { view }
        } else {
            source.stop();
            counts.gone.store(false, Ordering::Relaxed);
            counts.doubted.store(false, Ordering::Relaxed);
            Message::CameraStopped { view }
        };
        counts.stopped.store(!runs, Ordering::Relaxed);
        // It must arrive, and nothing else of this camera waits behind it.
        let _ = self.messages.send(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Arc;

    use crossbeam_channel::{bounded, never};

    use crate::frame::{FrameInfo, FreeList, PixelFormat, Slots};
    use crate::line::deadline::{self, Inbox};

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
        let (messages, Inbox { receiver: inbox, .. }) = deadline::messages(1);
        let counts = Counts::default();
        std::thread::scope(|threads| {
            let watch = threads.spawn(|| {
                let (stop, tell) = (&AtomicBool::new(false), &|_| {});
                let (messages, counts, orders) = (&messages, &counts, &never());
                let (view, looks_soon) = (3, &|| false);
                let watched = Watch { view, messages, looks_soon, counts, orders, stop, tell };
                watch(&mut Panics, &watched);
            });
            assert!(watch.join().is_err());
        });
        assert!(counts.gone.load(Ordering::Relaxed));
        assert!(matches!(inbox.try_recv(), Ok(Message::CameraLost { view: 3 })));
    }

    /// Tells these events, and notes before each whether the line thread was woken since the last.
    struct Tells<'a> {
        events: VecDeque<Option<SourceEvent>>,
        inbox: &'a Inbox<Evidence>,
        woken: Vec<bool>,
    }

    impl Source for Tells<'_> {
        fn uri(&self) -> &str {
            "test:"
        }

        fn start(&mut self) -> Result<()> {
            Ok(())
        }

        fn next(&mut self, _: Duration) -> Result<Option<SourceEvent>> {
            self.woken.push(self.inbox.wakes());
            Ok(self.events.pop_front().unwrap_or(Some(SourceEvent::End)))
        }

        fn stop(&mut self) {}

        fn slots(&self) -> usize {
            2
        }
    }

    #[test]
    fn a_gap_is_heard_with_its_frame_and_a_frame_when_a_worker_looks() {
        let free = FreeList::new(2);
        let slots = Slots::new(2, 16, 64, Box::new(free.clone()));
        let frame = || {
            let info = FrameInfo::packed(4, 4, PixelFormat::MONO8, 0);
            Some(SourceEvent::Frame(free.take(&slots).unwrap().publish(info)))
        };
        let gap = || Some(SourceEvent::Gap { lost: 1 });
        for (looks, woken) in
            [(false, [false, false, true, false, true]), (true, [false, false, false, false, true])]
        {
            let (messages, inbox) = deadline::messages(4);
            let events = [gap(), frame(), gap(), None].into();
            let mut source = Tells { events, inbox: &inbox, woken: Vec::new() };
            let (counts, stop) = (Counts::default(), AtomicBool::new(false));
            let (messages, counts, orders) = (&messages, &counts, &never());
            let (stop, tell, looks_soon) = (&stop, &|_| {}, &|| looks);
            let watched = Watch { view: 0, messages, looks_soon, counts, orders, stop, tell };
            watch(&mut source, &watched);
            assert_eq!(source.woken, woken, "a gap without a frame is told by itself");
            assert_eq!(inbox.receiver.try_iter().count(), 3);
        }
    }

    /// Delivers gaps, one after the other, while it runs; each start but the first does as it is told.
    #[derive(Default)]
    struct Gaps {
        starts: VecDeque<Result<()>>,
        runs: bool,
        next: u64,
    }

    impl Source for Gaps {
        fn uri(&self) -> &str {
            "test:"
        }

        fn start(&mut self) -> Result<()> {
            self.starts.pop_front().unwrap_or(Ok(())).inspect(|()| self.runs = true)
        }

        fn next(&mut self, _: Duration) -> Result<Option<SourceEvent>> {
            assert!(self.runs, "nobody waits for a camera that is stopped");
            self.next += 1;
            std::thread::sleep(Duration::from_millis(1));
            Ok(Some(SourceEvent::Gap { lost: self.next }))
        }

        fn stop(&mut self) {
            self.runs = false;
        }

        fn slots(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_camera_stops_and_starts_as_it_is_told_and_says_so_in_order() {
        let (messages, Inbox { receiver: inbox, .. }) = deadline::messages(1000);
        let (to_camera, orders) = bounded::<Order>(1);
        let (counts, stop) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
        let refused = crate::error::Error::invalid("camera", "the cable is out");
        let mut source = Gaps { starts: [Err(refused)].into(), runs: true, ..Gaps::default() };
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let (messages, counts) = (&messages, &*counts);
                let (orders, stop, tell) = (&orders, &*stop, &|_| {});
                let (view, looks_soon) = (2, &|| false);
                let watched = Watch { view, messages, looks_soon, counts, orders, stop, tell };
                watch(&mut source, &watched);
            });
            let order = |runs| {
                let (done, answer) = bounded(1);
                to_camera.send(Order { runs, done }).unwrap();
                answer.recv().unwrap()
            };
            assert!(matches!(inbox.recv(), Ok(Message::Gap { view: 2, lost: 1 })));
            order(true).unwrap();
            order(false).unwrap();
            order(false).unwrap();
            assert!(counts.stopped.load(Ordering::Relaxed));
            let said = |message: &Message<Evidence>| match message {
                Message::Gap { .. } => "gap",
                Message::CameraStopped { view: 2 } => "stopped",
                Message::CameraStarted { view: 2 } => "started",
                _ => "other",
            };
            let mut told: Vec<_> = inbox.try_iter().map(|message| said(&message)).collect();
            told.dedup();
            assert!(matches!(told[..], ["gap", "stopped"] | ["stopped"]), "{told:?}");
            assert!(order(true).is_err(), "it cannot be started");
            assert!(counts.stopped.load(Ordering::Relaxed));
            order(true).unwrap();
            assert!(!counts.stopped.load(Ordering::Relaxed));
            assert_eq!(said(&inbox.recv().unwrap()), "started");
            assert_eq!(said(&inbox.recv().unwrap()), "gap");
            stop.store(true, Ordering::Relaxed);
        });
    }
}
