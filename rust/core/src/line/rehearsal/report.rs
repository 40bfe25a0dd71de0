//! What came of a rehearsal: the line's own account beside the belt's ledger.

use std::collections::BTreeMap;

use serde::Serialize;
use smartqc_belt as belt;

use super::fault::Promise;
use super::{Fault, Rehearsal};
use crate::clock::SEC;
use crate::line::deadline::LineEvent;
use crate::line::outlet::cause_word;
use crate::outcome::{Disposition, Outcome, PartId, Reason};

/// How far the line's announcement and the world's own time of a part may lie apart for both to
/// mean the same part.
const SAME_PART_NS: i64 = 20_000_000;

/// The line's event of a record that could not be written.
const RECORD_LOST: &str = "record_lost";

/// The table of what happened.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Parts that reached the eye.
    pub parts: u64,
    /// Parts that the line announced.
    pub announced: u64,
    /// Parts that reached the eye and were never announced.
    pub unseen: u64,
    /// Belt time, s.
    pub simulated_s: f64,
    /// The line's outcomes: `pass`, `reject`, and `unjudged` by reason.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Unjudged parts by their reason.
    pub unjudged: BTreeMap<&'static str, u64>,
    /// What became of parts at ejectors, as the line was told.
    pub dispositions: BTreeMap<&'static str, u64>,
    /// How often the line alarmed, by cause.
    pub alarms: BTreeMap<&'static str, u64>,
    /// How often it asked for a stop, by cause.
    pub stop_requests: BTreeMap<&'static str, u64>,
    /// What physically happened, by the belt's ledger: `kept`, `removed`, `escape_...`, ...
    pub ledger: BTreeMap<&'static str, u64>,
    /// Bad parts that got through although the line did not pass them, and that it did not say were
    /// refused or unconfirmed.
    pub silent_escapes: u64,
    /// Parts struck for another that the line did not book so.
    pub silent_collateral: u64,
    /// Frames that belonged to no part.
    pub stray_frames: u64,
    /// Verdicts that came after their part's commit.
    pub late_verdicts: u64,
    /// Whether announced = in flight + passed + rejected + unjudged at the end, with none in flight.
    pub reconciles: bool,
    /// What happened that the contract's table does not promise for the faults of this rehearsal.
    pub broken_promises: Vec<String>,
}

/// A part of the world and what the line said of it.
struct Same {
    part: Option<PartId>,
    class: belt::Class,
}

impl Rehearsal {
    /// How the parts came out, by the belt's own ledger.
    pub fn tally(&mut self) -> belt::Tally {
        let mut tally = belt::Tally::default();
        self.classified().iter().for_each(|same| tally.add(same.class));
        tally
    }

    /// Each part of the world, in order, with what the line made of it.
    fn classified(&mut self) -> Vec<Same> {
        let strokes: BTreeMap<_, _> = self.world.strokes().into_iter().collect();
        let book = self.line.outlet();
        let said = &book.parts;
        let truths: Vec<_> = self.world.with_ledger(|ledger| {
            let entered = ledger.parts();
            let mut part_of: Vec<Option<PartId>> = vec![None; entered.len()];
            for (index, said) in said.iter().enumerate() {
                if let Some(place) = said.truth.and_then(|truth| part_of.get_mut(truth as usize)) {
                    place.get_or_insert(index as PartId + 1);
                }
            }
            // A part that no camera saw is known by when it was announced.
            for (index, said) in said.iter().enumerate().filter(|(_, said)| said.truth.is_none()) {
                let near = |at_ns: i64| (at_ns - said.announced_ns).abs();
                let after = entered.partition_point(|part| part.entered_ns < said.announced_ns);
                let places = [after.checked_sub(1), Some(after)].into_iter().flatten();
                let nearest = places
                    .filter(|&place| place < entered.len() && part_of[place].is_none())
                    .min_by_key(|&place| near(entered[place].entered_ns));
                if let Some(place) =
                    nearest.filter(|&place| near(entered[place].entered_ns) < SAME_PART_NS)
                {
                    part_of[place] = Some(index as PartId + 1);
                }
            }
            part_of
        });
        let claim = |(truth, part): (usize, &Option<PartId>)| {
            let said = part.map(|part| said[part as usize - 1]).unwrap_or_default();
            let judged = match said.outcome {
                Some(Outcome::Pass) => belt::Judged::Pass,
                Some(Outcome::Reject(_)) => belt::Judged::Reject,
                Some(Outcome::Unjudged(_)) | None => belt::Judged::Unjudged,
            };
            let stroke = part.and_then(|part| strokes.get(&part).copied());
            let bad = book.truth(truth as u64).is_some();
            let removes_unjudged = part.is_none() || said.remove.is_some();
            belt::Claim { bad, judged, removes_unjudged, stroke }
        };
        let claims: Vec<_> = truths.iter().enumerate().map(claim).collect();
        self.world.with_ledger(|ledger| {
            let class = |truth| ledger.classify(truth as u64, &claims[truth]);
            let same = |(truth, part): (usize, &Option<PartId>)| {
                let class = class(truth).unwrap_or(belt::Class::OnBelt);
                Same { part: *part, class }
            };
            truths.iter().enumerate().map(same).collect()
        })
    }

    /// The table of a rehearsal that has run, held against what was promised for these faults.
    pub fn report(&mut self, faults: &[Fault]) -> Report {
        let same = self.classified();
        let counts = self.line.counts();
        let simulated_s = self.clock.now_ns() as f64 / SEC as f64;
        let book = self.line.outlet();
        let mut report = Report {
            parts: same.len() as u64,
            announced: counts.announced,
            simulated_s,
            stray_frames: book.strays,
            late_verdicts: book.late_verdicts,
            reconciles: counts.reconcile() && counts.in_flight == 0,
            ..Report::default()
        };
        let add = |table: &mut BTreeMap<_, _>, word| *table.entry(word).or_insert(0) += 1;
        for said in &book.parts {
            let Some(outcome) = said.outcome else { continue };
            add(&mut report.outcomes, outcome.as_str());
            if let Outcome::Unjudged(reason) = outcome {
                add(&mut report.unjudged, reason.as_str());
            }
            if let Some(disposition) = said.disposition {
                add(&mut report.dispositions, disposition.as_str());
            }
        }
        for event in &book.events {
            match event {
                LineEvent::Alarm(cause) => add(&mut report.alarms, cause_word(*cause)),
                LineEvent::StopRequest(cause) => {
                    add(&mut report.stop_requests, cause_word(*cause));
                }
                _ => {}
            }
        }
        if book.records_lost() > 0 {
            report.stop_requests.insert(RECORD_LOST, book.records_lost());
        }
        for Same { part, class } in &same {
            add(&mut report.ledger, class_word(*class));
            let told = part.and_then(|part| book.parts[part as usize - 1].disposition);
            let said = matches!(told, Some(Disposition::Refused | Disposition::Unconfirmed));
            match class {
                _ if part.is_none() => report.unseen += 1,
                belt::Class::Escape(
                    belt::EscapeBy::Tracking | belt::EscapeBy::Late | belt::EscapeBy::Mechanical,
                ) if !said => report.silent_escapes += 1,
                belt::Class::Collateral if !said && told != Some(Disposition::Collateral) => {
                    report.silent_collateral += 1;
                }
                _ => {}
            }
        }
        report.broken_promises = report.broken(faults);
        report
    }
}

impl Report {
    fn broken(&self, faults: &[Fault]) -> Vec<String> {
        let promises: Vec<Promise> = faults.iter().map(|fault| fault.promise()).collect();
        let mut broken = Vec::new();
        let mut hold = |what: &str, happened: &BTreeMap<&'static str, u64>, allowed: &[&str]| {
            for (word, count) in happened.iter().filter(|(word, _)| !allowed.contains(word)) {
                broken.push(format!("{what} {word}: {count}"));
            }
        };
        let reasons = promises.iter().flat_map(|promise| promise.reasons);
        let reasons: Vec<_> = reasons.copied().map(Reason::as_str).collect();
        hold("unjudged", &self.unjudged, &reasons);
        let usual = [Disposition::Commanded, Disposition::Confirmed];
        let dispositions = promises.iter().flat_map(|promise| promise.dispositions).chain(&usual);
        let dispositions: Vec<_> = dispositions.copied().map(Disposition::as_str).collect();
        hold("disposition", &self.dispositions, &dispositions);
        let stops = promises.iter().flat_map(|promise| promise.stops);
        let mut stops: Vec<_> = stops.copied().map(cause_word).collect();
        if promises.iter().any(|promise| promise.stops_for_record) {
            stops.push(RECORD_LOST);
        }
        hold("stop request", &self.stop_requests, &stops);
        let alarms = promises.iter().flat_map(|promise| promise.alarms).copied().map(cause_word);
        let alarms: Vec<_> = alarms.chain(stops.iter().copied()).collect();
        hold("alarm", &self.alarms, &alarms);
        if !self.reconciles {
            broken.push("the counts do not reconcile".into());
        }
        if self.silent_escapes > 0 {
            broken.push(format!("silent escapes: {}", self.silent_escapes));
        }
        broken
    }
}

/// How the ledger's classes are called in tables.
pub(in crate::line) fn class_word(class: belt::Class) -> &'static str {
    use belt::{Class, EscapeBy, OverkillBy};
    match class {
        Class::OnBelt => "on_belt",
        Class::Kept => "kept",
        Class::Removed => "removed",
        Class::Escape(EscapeBy::Model) => "escape_model",
        Class::Escape(EscapeBy::Policy) => "escape_policy",
        Class::Escape(EscapeBy::Tracking) => "escape_tracking",
        Class::Escape(EscapeBy::Late) => "escape_late",
        Class::Escape(EscapeBy::Mechanical) => "escape_mechanical",
        Class::Overkill(OverkillBy::Model) => "overkill_model",
        Class::Overkill(OverkillBy::Policy) => "overkill_policy",
        Class::Collateral => "collateral",
    }
}
