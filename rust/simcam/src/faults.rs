//! Faults on demand: which there are, when each strikes, and how often it has.
//!
//! Each kind has one [`Rule`] per camera, from the configuration file or written through the
//! `SimFault...` features while the camera runs. A rule is a set of conditions that must all hold;
//! what it counts depends on the kind: frames, accesses to the remote device's registers, or
//! nothing, where the fault simply holds between two instants.
//!
//! Chance is a function of seed, kind and count, so that a run can be repeated whatever the
//! timing of its threads.

use std::ops::RangeInclusive;

/// What a rule's `first`, `last` and `every` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Frame ids of the acquisition; times run from its start.
    Frames,
    /// Accesses to the remote device's registers; times run from the library's start.
    Accesses,
    /// Nothing: it holds while it is enabled; times run from the library's start.
    Time,
}

macro_rules! kinds {
    ($($name:ident $counts:ident $value:literal $range:expr, $duration:literal, $text:literal;)*) => {
        /// What can go wrong, numbered as `SimFaultSelector` is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum FaultKind {
            $(#[doc = $text] $name,)*
        }

        impl FaultKind {
            /// All of them, in the order of their numbers.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the configuration and in `SimFaultSelector`.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            pub(crate) fn counts(self) -> Counts {
                match self { $(Self::$name => Counts::$counts,)* }
            }

            /// What `value` may be.
            pub(crate) fn range(self) -> RangeInclusive<f64> {
                match self { $(Self::$name => $range,)* }
            }

            fn defaults(self) -> (f64, f64) {
                match self { $(Self::$name => ($value, $duration),)* }
            }
        }
    };
}

/// Numbers of bytes, ids and the like: what a double holds exactly, and `PayloadSize` of 2^62.
const COUNT: RangeInclusive<f64> = 0.0..=9.3e18;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const NONE: RangeInclusive<f64> = 0.0..=0.0;

kinds! {
    Incomplete Frames 0.5 SHARE, 0.0, "Only this share of the rows arrives; the frame is marked.";
    Dropped Frames 0.0 NONE, 0.0, "The frame is lost on its way and takes its id along.";
    Late Frames 100.0 0.0..=600_000.0, 0.0, "The frame, and what follows it, comes so many ms late.";
    Stalled Frames 0.0 NONE, 1.0, "No frame comes for the duration, and nothing tells why.";
    Duplicated Frames 0.0 NONE, 0.0, "The frame comes twice, in two buffers, under one id.";
    OutOfOrder Frames 0.0 NONE, 0.0, "The frame changes places with the next one.";
    WrongSize Frames 0.5 SHARE, 0.0, "The image has only this share of the rows, and says so.";
    LargerThanBuffer Frames 4096.0 COUNT, 0.0, "So many bytes did not fit into the buffer.";
    LyingSizeFilled Frames 4096.0 COUNT, 0.0, "SIZE_FILLED lies so far beyond the buffer.";
    LyingShape Frames 16.0 0.0..=1e9, 0.0, "Width and height are told so many times too large.";
    LyingImageOffset Frames 4096.0 COUNT, 0.0, "The image is said to begin so far beyond the buffer.";
    LyingBase Frames 4096.0 COUNT, 0.0, "The buffer is said to begin so far beyond its end.";
    UnknownPayloadType Frames 4660.0 COUNT, 0.0, "The payload type is this number.";
    UnknownPixelFormat Frames 2147483647.0 COUNT, 0.0, "The pixel format is this number.";
    BadFrameId Frames 9007199254740991.0 COUNT, 0.0, "The frame id is this number.";
    BadTimestamp Frames 0.0 COUNT, 0.0, "The timestamp is this number of ns.";
    LyingChunks Frames 0.0 0.0..=5.0, 0.0, "The chunk layout lies, in one of six ways.";
    LyingParts Frames 0.0 0.0..=3.0, 0.0, "A multi-part payload lies, in one of four ways.";
    UnknownBuffer Frames 0.0 NONE, 0.0, "The event names a buffer and a user pointer that nobody announced.";
    InfoFails Frames 0.0 NONE, 0.0, "Every question about the buffer is answered with an error.";
    DeviceLost Frames 0.0 NONE, 1.0, "The device is unplugged, and comes back after the duration as after a power cycle.";
    PortFails Accesses 0.0 NONE, 0.0, "Register accesses fail, and nothing else tells of it.";
    PortTimesOut Accesses 100.0 0.0..=600_000.0, 0.0, "Register accesses take so many ms and then fail.";
    PortGarbage Accesses 0.0 NONE, 0.0, "Register reads succeed with random bytes.";
    PortWrongSize Accesses 0.5 SHARE, 0.0, "Register reads bring only this share of their bytes, and say so.";
    WritesRefused Accesses 0.0 NONE, 0.0, "Register writes are refused, whatever the description says.";
    WritesIgnored Accesses 0.0 NONE, 0.0, "Register writes succeed without an effect.";
    AbsurdPayloadSize Time 4611686018427387904.0 COUNT, 0.0, "PayloadSize is this number.";
    DeviceBusy Time 0.0 NONE, 0.0, "The device is open in another process.";
    XmlMissing Time 0.0 NONE, 0.0, "The remote device has no description file.";
    XmlTruncated Time 0.5 SHARE, 0.0, "Only this share of the description file is there.";
    XmlNotWellFormed Time 0.0 NONE, 0.0, "The description file is no XML.";
    XmlWrongLength Time 4096.0 COUNT, 0.0, "The description file's address tells so many bytes too many.";
    XmlBadZip Time 0.0 NONE, 0.0, "The description file is called a ZIP archive and is none.";
    XmlBadUrl Time 0.0 0.0..=5.0, 0.0, "The description file's address is nonsense, of one of six kinds.";
    CoarseExposure Time 100.0 0.0..=1e6, 0.0, "ExposureTime takes only multiples of so many us, and rounds others down.";
}

/// Number of kinds.
pub(crate) const FAULTS: usize = FaultKind::ALL.len();
/// Of a rule's durations and instants.
pub(crate) const SECONDS: RangeInclusive<f64> = 0.0..=1e9;
/// GenApi's integers are signed.
pub(crate) const COUNT_MAX: u64 = i64::MAX as u64;

/// When one kind of fault strikes; all conditions must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) enabled: bool,
    /// The first and the last frame or access that it may strike.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Of these it strikes each so-many-th, `first` included.
    pub(crate) every: u64,
    /// And of those this share, at random.
    pub(crate) probability: f64,
    pub(crate) from_s: f64,
    /// 0 = no end.
    pub(crate) until_s: f64,
    /// Strikes at most; 0 = no limit.
    pub(crate) times: u64,
    /// How long a strike lasts: all that comes meanwhile is struck. 0 = what was struck alone.
    pub(crate) duration_s: f64,
    /// How bad it is; its meaning is the kind's.
    pub(crate) value: f64,
}

impl Rule {
    pub(crate) fn new(kind: FaultKind) -> Self {
        let (value, duration_s) = kind.defaults();
        Self {
            enabled: false,
            first: 0,
            last: COUNT_MAX,
            every: 1,
            probability: 1.0,
            from_s: 0.0,
            until_s: 0.0,
            times: 0,
            duration_s,
            value,
        }
    }

    fn is_due(&self, elapsed_ns: i64) -> bool {
        let elapsed_s = elapsed_ns as f64 / 1e9;
        elapsed_s >= self.from_s && (self.until_s == 0.0 || elapsed_s < self.until_s)
    }
}

/// How one rule has fared.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    struck: u64,
    /// What is still to be struck because it was commanded.
    commanded: u32,
    holds_until_ns: i64,
    /// Accesses seen, where the rule counts accesses.
    counted: u64,
}

/// The faults of one camera.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    runs: Vec<Run>,
    pub(crate) seed: u64,
}

/// What befalls one frame: the kinds, with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strikes(Vec<(FaultKind, f64)>);

impl Strikes {
    /// The value of a fault that struck.
    pub(crate) fn get(&self, kind: FaultKind) -> Option<f64> {
        self.0.iter().find(|(struck, _)| *struck == kind).map(|(_, value)| *value)
    }

    pub(crate) fn has(&self, kind: FaultKind) -> bool {
        self.get(kind).is_some()
    }
}

impl Faults {
    /// Nothing goes wrong.
    pub(crate) fn new(seed: u64) -> Self {
        let rules = FaultKind::ALL.iter().map(|kind| Rule::new(*kind)).collect();
        Self { rules, runs: vec![Run::default(); FAULTS], seed }
    }

    pub(crate) fn rule(&self, kind: FaultKind) -> &Rule {
        &self.rules[kind as usize]
    }

    /// Replaces a rule; accesses are counted from now on.
    pub(crate) fn set(&mut self, kind: FaultKind, rule: Rule) {
        self.rules[kind as usize] = rule;
        let run = &mut self.runs[kind as usize];
        (run.counted, run.holds_until_ns) = (0, 0);
    }

    /// How often a kind has struck.
    pub(crate) fn struck(&self, kind: FaultKind) -> u64 {
        self.runs[kind as usize].struck
    }

    /// Accesses seen since the rule was written.
    pub(crate) fn accesses(&self, kind: FaultKind) -> u64 {
        self.runs[kind as usize].counted
    }

    /// Ends all faults and forgets the counts.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.seed);
    }

    /// Strikes what comes next or, where a duration is set, all that comes for so long.
    pub(crate) fn command(&mut self, kind: FaultKind, now_ns: i64) {
        let duration_s = self.rule(kind).duration_s;
        let run = &mut self.runs[kind as usize];
        if duration_s > 0.0 {
            run.struck += 1;
            run.holds_until_ns = now_ns.saturating_add(seconds_ns(duration_s));
        } else if kind.counts() == Counts::Time {
            run.struck += 1;
            self.rules[kind as usize].enabled = true;
        } else {
            run.commanded = run.commanded.saturating_add(1);
        }
    }

    /// What befalls a frame that has been read out.
    pub(crate) fn strike_frame(&mut self, frame_id: u64, elapsed_ns: i64, now_ns: i64) -> Strikes {
        let mut strikes = Strikes::default();
        for &kind in FaultKind::ALL.iter().filter(|kind| kind.counts() == Counts::Frames) {
            if self.strikes(kind, frame_id, elapsed_ns, now_ns) {
                strikes.0.push((kind, self.rule(kind).value));
            }
        }
        strikes
    }

    /// The value of an access fault that befalls this access.
    pub(crate) fn strike_access(
        &mut self,
        kind: FaultKind,
        elapsed_ns: i64,
        now_ns: i64,
    ) -> Option<f64> {
        let run = &mut self.runs[kind as usize];
        let count = run.counted;
        run.counted += 1;
        self.strikes(kind, count, elapsed_ns, now_ns).then(|| self.rule(kind).value)
    }

    /// The value of a fault that holds over time.
    pub(crate) fn holds(&self, kind: FaultKind, elapsed_ns: i64, now_ns: i64) -> Option<f64> {
        let rule = self.rule(kind);
        let is_on = rule.enabled && rule.is_due(elapsed_ns)
            || now_ns < self.runs[kind as usize].holds_until_ns;
        is_on.then_some(rule.value)
    }

    /// When the device is lost though no frame is read out, ns after the acquisition's start.
    pub(crate) fn loss_due_ns(&self) -> Option<i64> {
        let (rule, run) =
            (self.rule(FaultKind::DeviceLost), self.runs[FaultKind::DeviceLost as usize]);
        let is_left = rule.times == 0 || run.struck < rule.times;
        let is_timed = rule.first == 0 && rule.every == 1 && rule.probability == 1.0;
        (rule.enabled && is_left && is_timed && rule.from_s > 0.0).then(|| seconds_ns(rule.from_s))
    }

    fn strikes(&mut self, kind: FaultKind, count: u64, elapsed_ns: i64, now_ns: i64) -> bool {
        let rule = &self.rules[kind as usize];
        let run = &mut self.runs[kind as usize];
        if now_ns < run.holds_until_ns {
            return true;
        }
        if run.commanded > 0 {
            run.commanded -= 1;
        } else if !rule.enabled
            || rule.times > 0 && run.struck >= rule.times
            || !(rule.first..=rule.last).contains(&count)
            || !(count - rule.first).is_multiple_of(rule.every.max(1))
            || !rule.is_due(elapsed_ns)
            || chance(self.seed, kind, count) >= rule.probability
        {
            return false;
        }
        run.struck += 1;
        if rule.duration_s > 0.0 {
            run.holds_until_ns = now_ns.saturating_add(seconds_ns(rule.duration_s));
        }
        true
    }

    /// Notes a loss that nobody counted.
    pub(crate) fn count_loss(&mut self) {
        let run = &mut self.runs[FaultKind::DeviceLost as usize];
        run.struck += 1;
        run.holds_until_ns = 0;
    }

    /// A loss lasts on the link, which holds its own time; the next acquisition is a new one.
    pub(crate) fn forget_loss(&mut self) {
        self.runs[FaultKind::DeviceLost as usize].holds_until_ns = 0;
    }
}

pub(crate) fn seconds_ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// A number in [0, 1) that depends on nothing else.
fn chance(seed: u64, kind: FaultKind, count: u64) -> f64 {
    (mix(mix(seed ^ ((kind as u64 + 1) << 48)) ^ count) >> 11) as f64 / (1u64 << 53) as f64
}

/// The finaliser of SplitMix64.
pub(crate) fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &mut Faults, kind: FaultKind, frames: u64) -> Vec<u64> {
        let period_ns = 100_000_000;
        (0..frames)
            .filter(|&id| {
                let at_ns = id as i64 * period_ns;
                faults.strike_frame(id, at_ns, at_ns + 1).has(kind)
            })
            .collect()
    }

    fn with(kind: FaultKind, change: impl FnOnce(&mut Rule)) -> Faults {
        let mut faults = Faults::new(7);
        let mut rule = Rule { enabled: true, ..Rule::new(kind) };
        change(&mut rule);
        faults.set(kind, rule);
        faults
    }

    #[test]
    fn a_rule_strikes_at_a_frame_every_so_many_and_between_times() {
        let kind = FaultKind::Incomplete;
        let mut at = with(kind, |rule| (rule.first, rule.last) = (3, 3));
        assert_eq!(struck(&mut at, kind, 10), [3]);
        let mut every = with(kind, |rule| (rule.first, rule.every) = (1, 4));
        assert_eq!(struck(&mut every, kind, 10), [1, 5, 9]);
        let mut between = with(kind, |rule| (rule.from_s, rule.until_s) = (0.2, 0.45));
        assert_eq!(struck(&mut between, kind, 10), [2, 3, 4]);
        let mut few = with(kind, |rule| (rule.every, rule.times) = (2, 2));
        assert_eq!(struck(&mut few, kind, 10), [0, 2]);
        assert_eq!(few.struck(kind), 2);
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let kind = FaultKind::Dropped;
        let random = || with(kind, |rule| rule.probability = 0.2);
        let once = struck(&mut random(), kind, 1000);
        assert_eq!(once, struck(&mut random(), kind, 1000));
        assert!((150..250).contains(&once.len()), "{}", once.len());
        let mut other = random();
        other.seed = 8;
        assert_ne!(once, struck(&mut other, kind, 1000));
    }

    #[test]
    fn a_duration_strikes_all_that_comes_meanwhile_and_counts_once() {
        let kind = FaultKind::Stalled;
        let mut faults = with(kind, |rule| (rule.first, rule.last, rule.duration_s) = (2, 2, 0.35));
        assert_eq!(struck(&mut faults, kind, 10), [2, 3, 4, 5]);
        assert_eq!(faults.struck(kind), 1);
    }

    #[test]
    fn a_command_strikes_the_next_one_alone() {
        let kind = FaultKind::Duplicated;
        let mut faults = Faults::new(0);
        faults.command(kind, 0);
        assert_eq!(struck(&mut faults, kind, 5), [0]);
        assert_eq!(faults.rule(kind), &Rule::new(kind));
    }

    #[test]
    fn accesses_are_counted_from_the_rule_on() {
        let kind = FaultKind::PortGarbage;
        let mut faults = Faults::new(0);
        assert_eq!(faults.strike_access(kind, 0, 0), None);
        faults.set(kind, Rule { enabled: true, every: 3, ..Rule::new(kind) });
        let seen: Vec<bool> = (0..6).map(|_| faults.strike_access(kind, 0, 0).is_some()).collect();
        assert_eq!(seen, [true, false, false, true, false, false]);
    }
}
