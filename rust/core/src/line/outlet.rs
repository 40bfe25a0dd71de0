//! The line thread's hands: work to the workers, results to the reader, entries to the recorder.
//! Nothing here waits.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::camera::{CameraNews, Counts};
use super::deadline::{Job, LineEvent, Outlet};
use super::recipe::Recipe;
use super::results::{Inspection, ResultsIn, ViewSeen};
use super::simulation::Witness;
use super::tally::{Note, Pending, Tally};
use super::worker::{Evidence, Shop};
use crate::batch;
use crate::decide::Scores;
use crate::frame::{Frame, FrameInfo, Kept};
use crate::outcome::{Disposition, Outcome, PartId, Reason, ViewVerdict};
use crate::record::{self, Entry, Recorder};
use crate::source::features::Features;
use crate::track::{Cause, Challenged, Committed, MOST_VIEWS};

/// Events that wait for a reader; the oldest goes above that.
const EVENTS: usize = 1024;

/// How much an event asks of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Alarm,
    /// The belt should stop.
    Stop,
}

/// Something about the line, for people and for the signals of a plant.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, ns of the line's clock.
    pub at_ns: i64,
    /// What, in one word.
    pub kind: &'static str,
    /// How much it asks.
    pub severity: Severity,
    /// Which part, if it is about one.
    pub part: Option<PartId>,
    /// What became of that part, if that is the event.
    pub disposition: Option<Disposition>,
    /// More on it in words, where there is more: which camera, and what about it.
    pub detail: Option<Arc<str>>,
}

impl Event {
    /// Something that people should look at.
    pub(super) fn alarm(kind: &'static str, at_ns: i64) -> Self {
        Self::plain(kind, Severity::Alarm, at_ns)
    }

    fn plain(kind: &'static str, severity: Severity, at_ns: i64) -> Self {
        Self { at_ns, kind, severity, part: None, disposition: None, detail: None }
    }

    /// What is heard of a camera beside the alarm that it is gone.
    pub(super) fn of_camera(name: &str, news: &CameraNews, at_ns: i64) -> Option<Self> {
        let (kind, severity, words) = match news {
            CameraNews::Lost(why) => ("camera_gone", Severity::Info, why.clone()),
            CameraNews::Back(back) if back.different.is_empty() => return None,
            CameraNews::Back(back) => {
                let words: Vec<String> = back.different.iter().map(ToString::to_string).collect();
                ("camera_differs", Severity::Alarm, words.join("; "))
            }
        };
        let detail = Some(format!("{name}: {words}").into());
        Some(Self { detail, ..Self::plain(kind, severity, at_ns) })
    }

    /// Something that should be on record is not.
    pub(super) fn record_lost(at_ns: i64) -> Self {
        Self::plain("record_lost", Severity::Stop, at_ns)
    }
}

/// A queue of events that never waits.
#[derive(Clone, Debug)]
pub(super) struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    pub(super) fn new() -> Self {
        let (sender, receiver) = bounded(EVENTS);
        Self { sender, receiver, dropped: Arc::default() }
    }

    pub(super) fn push(&self, event: Event) {
        let mut waiting = event;
        while let Err(TrySendError::Full(back)) = self.sender.try_send(waiting) {
            if self.receiver.try_recv().is_ok() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            waiting = back;
        }
    }

    pub(super) fn drain(&self) -> Vec<Event> {
        self.receiver.try_iter().collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// What was seen of a part so far: the view that decides.
struct Seen {
    part: PartId,
    view: Option<u8>,
    rank: (u8, f32),
    info: Option<FrameInfo>,
    scores: Scores,
    frame: Option<Kept>,
    /// The recipe that judged it: class numbers mean something only beside it.
    recipe: Option<Arc<Recipe>>,
    /// What each view said.
    views: [Option<ViewSeen>; MOST_VIEWS],
}

impl Seen {
    const NOTHING: Self = Self {
        part: 0,
        view: None,
        rank: (0, f32::NEG_INFINITY),
        info: None,
        scores: Scores::EMPTY,
        frame: None,
        recipe: None,
        views: [const { None }; MOST_VIEWS],
    };
}

/// What was seen of the parts in flight.
///
/// A part's place is searched from its number onwards and not given by it: parts that found no room
/// have numbers too, so that two parts in flight may be any distance apart.
struct Sightings(Box<[Seen]>);

impl Sightings {
    fn new(capacity: usize) -> Self {
        Self((0..capacity).map(|_| Seen::NOTHING).collect())
    }

    /// A place for a new part; none when all are taken, for then the tracker has none for it either.
    fn begin(&mut self, part: PartId) {
        if let Some(place) = self.search(part, Seen::NOTHING.part) {
            *place = Seen { part, ..Seen::NOTHING };
        }
    }

    fn of(&mut self, part: PartId) -> Option<&mut Seen> {
        self.search(part, part)
    }

    /// All that was seen of a part, whose place is free again.
    fn end(&mut self, part: PartId) -> Seen {
        self.of(part).map_or(Seen::NOTHING, |seen| std::mem::replace(seen, Seen::NOTHING))
    }

    fn search(&mut self, from: PartId, held: PartId) -> Option<&mut Seen> {
        let start = (from % self.0.len() as u64) as usize;
        let (before, after) = self.0.split_at_mut(start);
        after.iter_mut().chain(before).find(|seen| seen.part == held)
    }
}

/// What the line thread's hands reach.
pub(super) struct Reach {
    /// Names of the cameras.
    pub(super) cameras: Arc<[String]>,
    /// What their frames' chunks mean, of those that say.
    pub(super) descriptions: Arc<[Option<Arc<Features>>]>,
    /// What is counted of each.
    pub(super) counts: Vec<Arc<Counts>>,
    pub(super) shop: Arc<Shop>,
    pub(super) results: ResultsIn,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) record_images: bool,
    pub(super) events: Events,
    pub(super) tally: Arc<Tally>,
    pub(super) stop_requested: Arc<StopRequested>,
    /// The recipe that is loaded.
    pub(super) loaded: Arc<Mutex<Arc<Recipe>>>,
    /// What a simulated world is told, to be held against its ledger.
    pub(super) witness: Option<Arc<Witness>>,
}

/// The [`Outlet`] of a real line.
pub(super) struct Hands {
    reach: Reach,
    /// The recipe that was loaded when it was looked at last, for parts that none has judged.
    recipe: Arc<Recipe>,
    pending: Pending,
    seen: Sightings,
}

impl Hands {
    pub(super) fn new(reach: Reach, recipe: Arc<Recipe>, capacity: usize) -> Self {
        Self { reach, recipe, pending: Pending::new(), seen: Sightings::new(capacity) }
    }

    /// Whether there is a recorder and it took the entry.
    fn put(&self, entry: Entry, at_ns: i64) -> bool {
        let Some(recorder) = &self.reach.recorder else { return false };
        let taken = recorder.put(entry);
        if !taken && self.reach.stop_requested.set_record_lost() {
            self.reach.events.push(Event::record_lost(at_ns));
        }
        taken
    }
}

impl Outlet for Hands {
    type Detail = Evidence;

    fn announced(&mut self, part: PartId, _at_ns: i64) {
        self.seen.begin(part);
    }

    fn judge(&mut self, job: Job) -> Result<(), Job> {
        let Job { part, view, due_ns, live_due_ns, frame } = job;
        let queued = batch::Job { part, view, due_ns, live_due_ns, payload: frame };
        self.reach.shop.queue.push(queued).map_err(|back| Job {
            part,
            view,
            due_ns,
            live_due_ns,
            frame: back.payload,
        })
    }

    fn unjudged(&mut self, part: PartId, view: u8, _reason: Reason, frame: Frame) {
        if let Some(seen) = self.seen.of(part)
            && seen.info.is_none()
        {
            (seen.view, seen.info) = (Some(view), Some(*frame.info()));
            seen.frame = self.reach.shop.quotas[usize::from(view)].keep(frame);
            seen.rank = (1, 0.0);
        }
    }

    fn stray(&mut self, _view: u8, frame: Frame) {
        drop(frame);
    }

    fn verdict(
        &mut self,
        part: PartId,
        view: u8,
        verdict: ViewVerdict,
        late: bool,
        detail: Evidence,
    ) {
        if late {
            self.put(Entry::LateVerdict(part, word(verdict), detail.verdict_ns), detail.verdict_ns);
            return;
        }
        let rank = match verdict {
            ViewVerdict::Reject { score, .. } => (3, score),
            ViewVerdict::Pass { score } => (2, score),
            ViewVerdict::Unjudged(_) => (1, 0.0),
        };
        let Some(seen) = self.seen.of(part) else { return };
        if let Some(place) = seen.views.get_mut(usize::from(view)) {
            *place = Some(ViewSeen {
                verdict,
                scores: detail.scores,
                findings: detail.findings,
                frame: detail.frame.clone(),
                recipe: Arc::clone(&detail.recipe),
            });
        }
        if rank >= seen.rank {
            seen.rank = rank;
            seen.view = Some(view);
            seen.info = Some(detail.info);
            seen.scores = detail.scores;
            seen.frame = detail.frame;
            seen.recipe = Some(detail.recipe);
        }
    }

    fn committed(&mut self, committed: &Committed) {
        if let Ok(loaded) = self.reach.loaded.try_lock()
            && loaded.revision > self.recipe.revision
        {
            self.recipe = Arc::clone(&loaded);
        }
        let part = committed.part;
        let seen = self.seen.end(part);
        let recipe = seen.recipe.as_ref().unwrap_or(&self.recipe);
        let captured_ns = seen.info.map(|info| info.captured_ns);
        let trigger_to_verdict_ns = committed.verdict_ns.zip(captured_ns).map(|(v, c)| v - c);
        let note = Note::Part { trigger_to_verdict_ns, slack_ns: committed.slack_ns };
        self.reach.tally.note(note, &mut self.pending);

        let image = if self.reach.record_images {
            let view = seen.view.unwrap_or(0);
            seen.frame.clone().map(|frame| record::Image { view, frame })
        } else {
            None
        };
        let has_image = image.is_some();
        let recorded = self.reach.recorder.is_some() && {
            let (reason, class) = match committed.outcome {
                Outcome::Pass => (None, None),
                Outcome::Reject(class) => (None, Some(class)),
                Outcome::Unjudged(reason) => (Some(reason.as_str()), None),
            };
            let decided = seen.view.and_then(|view| seen.views.get(usize::from(view))?.as_ref());
            let entry = record::Part {
                part,
                outcome: committed.outcome.as_str(),
                reason,
                class,
                score: committed.score,
                scores: seen.scores,
                findings: decided.and_then(|view| view.findings.clone()),
                revision: recipe.revision,
                announced_ns: committed.announced_ns,
                captured_ns,
                verdict_ns: committed.verdict_ns,
                committed_ns: committed.committed_ns,
                slack_ns: committed.slack_ns,
                length_mm: committed.length_mm,
                frame_id: seen.info.map(|info| info.frame_id),
                true_part: seen.info.and_then(|info| info.true_part),
            };
            self.put(Entry::Part(entry, image), committed.committed_ns) && has_image
        };
        if let Some(witness) = &self.reach.witness {
            let true_part = seen.info.and_then(|info| info.true_part);
            witness.note(part, committed.outcome, committed.announced_ns, true_part);
        }
        // A pass that is sampled for the record is not for the reader.
        let mut views = seen.views;
        let frame = if committed.outcome == Outcome::Pass {
            views.iter_mut().flatten().for_each(|view| view.frame = None);
            None
        } else {
            seen.frame
        };
        self.reach.results.push(Inspection {
            part,
            outcome: committed.outcome,
            score: committed.score,
            scores: seen.scores,
            unjudged: committed.unjudged,
            announced_ns: committed.announced_ns,
            captured_ns,
            verdict_ns: committed.verdict_ns,
            committed_ns: committed.committed_ns,
            slack_ns: committed.slack_ns,
            length_mm: committed.length_mm,
            remove: committed.remove,
            view: seen.view,
            frame_id: seen.info.map(|info| info.frame_id),
            true_part: seen.info.and_then(|info| info.true_part),
            frame,
            recorded,
            recipe: Arc::clone(recipe),
            cameras: Arc::clone(&self.reach.cameras),
            descriptions: Arc::clone(&self.reach.descriptions),
            views,
        });
    }

    fn disposition(&mut self, part: PartId, disposition: Disposition, at_ns: i64) {
        self.reach.tally.note(Note::Disposition(disposition), &mut self.pending);
        self.put(Entry::Disposition(part, disposition, at_ns), at_ns);
        let severity = match disposition {
            Disposition::Refused | Disposition::Unconfirmed => Severity::Alarm,
            _ => Severity::Info,
        };
        let (part, disposition) = (Some(part), Some(disposition));
        let plain = Event::plain("disposition", severity, at_ns);
        self.reach.events.push(Event { part, disposition, ..plain });
    }

    fn event(&mut self, event: LineEvent, at_ns: i64) {
        if let LineEvent::StopRequest(cause) = event {
            self.reach.stop_requested.set(cause);
        }
        if let LineEvent::Challenged(result) = event {
            self.put(Entry::Challenge { at_ns, result: challenge(&result) }, at_ns);
        }
        let (kind, severity) = match event {
            LineEvent::Alarm(cause) => (cause_word(cause), Severity::Alarm),
            LineEvent::StopRequest(cause) => (cause_word(cause), Severity::Stop),
            LineEvent::Ready(true) => ("ready", Severity::Info),
            LineEvent::Ready(false) => ("not_ready", Severity::Info),
            LineEvent::Challenged(result) if result.passed() => {
                ("challenge_passed", Severity::Info)
            }
            LineEvent::Challenged(_) => ("challenge_failed", Severity::Stop),
            LineEvent::CameraBack { .. } => ("camera_back", Severity::Info),
            LineEvent::CameraStopped { .. } => ("camera_stopped", Severity::Info),
            LineEvent::CameraStarted { .. } => ("camera_started", Severity::Info),
            LineEvent::SignalLost("ready") => ("signal_lost_ready", Severity::Alarm),
            LineEvent::SignalLost("stop") => ("signal_lost_stop", Severity::Alarm),
            LineEvent::SignalLost(_) => ("signal_lost_alarm", Severity::Alarm),
            LineEvent::NotArmed { .. } => ("not_armed", Severity::Stop),
            LineEvent::NotRealtime => ("not_realtime", Severity::Info),
            LineEvent::Drained => ("drained", Severity::Info),
        };
        let detail = match event {
            LineEvent::CameraBack { view }
            | LineEvent::CameraStopped { view }
            | LineEvent::CameraStarted { view } => {
                self.reach.cameras.get(usize::from(view)).map(|name| name.as_str().into())
            }
            _ => None,
        };
        self.reach.events.push(Event { detail, ..Event::plain(kind, severity, at_ns) });
        self.put(Entry::Event { at_ns, kind, severity: severity_word(severity) }, at_ns);
    }

    fn doubt(&mut self, view: u8) {
        if let Some(counts) = self.reach.counts.get(usize::from(view)) {
            counts.doubted.store(true, Ordering::Relaxed);
        }
    }

    fn sleeps(&self, until_ns: i64) -> i64 {
        self.reach.shop.sleeps(until_ns)
    }

    fn asks_stop(&self) -> bool {
        self.reach.stop_requested.get().is_some()
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.reach.tally.finish(&mut self.pending);
    }
}

/// A challenge as it is recorded: what became of each of its parts.
fn challenge(result: &Challenged) -> record::Challenge {
    let became = |number: u32| {
        let bit = 1u64 << number;
        match (result.seen & bit, result.rejected & bit, result.ejected & bit) {
            (0, ..) => "not_seen",
            (_, 0, _) => "not_rejected",
            (.., 0) => "not_ejected",
            _ => "ejected",
        }
    };
    let parts = (0..result.parts).map(|n| (result.first + u64::from(n), became(n)));
    record::Challenge { passed: result.passed(), parts: parts.collect() }
}

fn word(verdict: ViewVerdict) -> &'static str {
    match verdict {
        ViewVerdict::Pass { .. } => "pass",
        ViewVerdict::Reject { .. } => "reject",
        ViewVerdict::Unjudged(reason) => reason.as_str(),
    }
}

/// The word that records and Python use for a severity.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Alarm => "alarm",
        Severity::Stop => "stop",
    }
}

/// Every cause and its word.
const CAUSES: &[(Cause, &str)] = &[
    (Cause::Unjudged, "unjudged_share"),
    (Cause::UnjudgedPart, "unjudged_part"),
    (Cause::RejectsInRow, "rejects_in_row"),
    (Cause::RejectShare, "reject_share"),
    (Cause::StrayFrames, "stray_frames"),
    (Cause::TouchingParts, "touching_parts"),
    (Cause::CameraLost, "camera_lost"),
    (Cause::FrameIdJump, "frame_id_jump"),
    (Cause::EncoderLost, "encoder_lost"),
    (Cause::EncoderJumped, "encoder_jumped"),
    (Cause::EncoderStuck, "encoder_stuck"),
    (Cause::SensorLost, "sensor_lost"),
    (Cause::Crowded, "crowded"),
    (Cause::Refused, "refused"),
    (Cause::Unconfirmed, "unconfirmed"),
    (Cause::EjectorFault, "ejector_fault"),
    (Cause::ChallengeFailed, "challenge_failed"),
    (Cause::ChallengeDue, "challenge_due"),
    (Cause::Overload, "overload"),
    (Cause::Aborted, "aborted"),
    (Cause::Panicked, "line_panicked"),
];

/// The word that records and Python use for a cause.
pub(super) fn cause_word(cause: Cause) -> &'static str {
    CAUSES.iter().find(|(known, _)| *known == cause).map_or("?", |(_, word)| word)
}

/// The stop request that holds, until somebody has looked after it.
#[derive(Debug, Default)]
pub(super) struct StopRequested {
    /// What began it; 0 is nothing.
    first: AtomicUsize,
    record_lost: AtomicBool,
}

impl StopRequested {
    const RECORD: usize = usize::MAX;

    fn set(&self, cause: Cause) {
        let index = CAUSES.iter().position(|(known, _)| *known == cause).unwrap_or(0);
        // The first one says what began it.
        self.begin(index + 1);
    }

    /// Whether nobody knew that before.
    pub(super) fn set_record_lost(&self) -> bool {
        self.begin(Self::RECORD);
        !self.record_lost.swap(true, Ordering::Relaxed)
    }

    fn begin(&self, what: usize) {
        let _ = self.first.compare_exchange(0, what, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.first.store(0, Ordering::Relaxed);
        self.record_lost.store(false, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<&'static str> {
        match self.first.load(Ordering::Relaxed) {
            0 => None,
            Self::RECORD => Some("record_lost"),
            index => CAUSES.get(index - 1).map(|(_, word)| *word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_of_a_part_survives_one_that_finds_no_room() {
        let mut seen = Sightings::new(2);
        for part in [5, 6] {
            seen.begin(part);
            seen.of(part).unwrap().view = Some(part as u8);
        }
        seen.begin(7);
        assert!(seen.of(7).is_none());
        assert_eq!(seen.end(7).view, None);
        assert_eq!(seen.end(5).view, Some(5));
        // 8 shares its first choice with 6, which is still there.
        seen.begin(8);
        assert_eq!(seen.of(8).unwrap().view, None);
        assert_eq!(seen.end(6).view, Some(6));
        assert_eq!(seen.end(8).part, 8);
        assert!(seen.of(8).is_none());
    }

    #[test]
    fn the_first_stop_request_holds_until_it_is_cleared() {
        let requested = StopRequested::default();
        requested.set(Cause::Crowded);
        requested.set(Cause::CameraLost);
        assert_eq!(requested.get(), Some("crowded"));
        requested.clear();
        assert_eq!(requested.get(), None);
        assert!(requested.set_record_lost());
        assert_eq!(requested.get(), Some("record_lost"));
        assert!(!requested.set_record_lost(), "said once");
        requested.clear();
        assert!(requested.set_record_lost(), "and again after a reset");
    }
}
