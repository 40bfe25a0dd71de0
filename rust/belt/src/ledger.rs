//! What physically happened to every part and to every stroke.

/// A stroke an ejector was commanded to make, whether or not it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrokeId(pub u32);

/// Where a part is, or where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Still on the belt.
    OnBelt,
    /// It reached the belt's end.
    Kept,
    /// An ejector took it off.
    Removed {
        /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
        ejector: usize,
        /// The stroke that did.
        stroke: StrokeId,
        /// The whole face was on the part during the whole hit.
        clean: bool,
    },
}

/// One part, from the eye to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartRecord {
    /// Its number on the belt, from 0; also its index in [`Ledger::parts`].
    pub part: u64,
    /// What [`PartsModel::tags`](crate::PartsModel::tags) gave it.
    pub tag: u64,
    /// When its leading edge reached the eye's beam.
    pub entered_ns: i64,
    /// When it left the belt; `None` while it is there.
    pub left_ns: Option<i64>,
    /// Its length along the belt.
    pub length_mm: f64,
    /// Gap to the part ahead at the eye; infinite for the first.
    pub gap_ahead_mm: f64,
    /// How far it falls behind per mm of belt.
    pub slip: f64,
    /// The eye gave a rising edge for it.
    pub eye_seen: bool,
    /// A bit for each camera that was triggered for it.
    pub triggered: u32,
    /// The bin's sensor saw it.
    pub confirmed: bool,
    /// Where it is or went.
    pub fate: Fate,
    latest_contact: Option<u32>,
}

/// One part met by one stroke's face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contact {
    /// The part.
    pub part: u64,
    /// The stroke.
    pub stroke: StrokeId,
    /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
    pub ejector: usize,
    /// When they first met.
    pub at_ns: i64,
    /// The most of the face, along the belt, that was on the part at once.
    pub overlap_mm: f64,
    /// The least that was on it at any instant of the hit: what pushed it.
    pub held_mm: f64,
    /// The part went off the belt by it; otherwise it was only touched.
    pub removed: bool,
    earlier: Option<u32>,
}

/// Why a command moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The effect would have begun before the previous stroke had recovered.
    Busy,
    /// The pulse was too short to move it.
    ShortPulse,
    /// The ejector failed, and nobody was told.
    Dead,
    /// There is no ejector of that index.
    NoEjector,
}

/// How far a stroke has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StrokeState {
    /// Its command is still to come; it can be cancelled.
    Waiting,
    /// It was cancelled in time.
    Cancelled,
    /// Nothing moved.
    Ignored(Ignored),
    /// It moved, or is about to.
    Made {
        /// When the effect begins.
        begins_ns: i64,
        /// When the hit is over, and what it held is gone.
        hit_ns: i64,
        /// When the face is out of the way.
        ends_ns: i64,
        /// A fault made it late or kept it out.
        faulty: bool,
    },
}

/// One command and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrokeRecord {
    /// Index into [`Setup::ejectors`](crate::Setup::ejectors).
    pub ejector: usize,
    /// When the command reached the device.
    pub at_ns: i64,
    /// How long before that it should have, because the instant asked for was already over.
    pub late_ns: i64,
    /// How long its output was to be on.
    pub pulse_ns: i64,
    /// What became of it.
    pub state: StrokeState,
    /// Parts it took off.
    pub removed: u32,
    /// Parts it met without taking them off.
    pub touched: u32,
}

/// How many parts are where; `entered` is always the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Parts whose leading edge has reached the eye.
    pub entered: u64,
    /// Parts still on the belt.
    pub on_belt: u64,
    /// Parts that reached the belt's end.
    pub kept: u64,
    /// Parts taken off by a whole hit.
    pub removed_clean: u64,
    /// Parts taken off by less than that.
    pub removed_unclean: u64,
}

/// The belt's own account, which no sensor sees.
#[derive(Debug, Default)]
pub struct Ledger {
    parts: Vec<PartRecord>,
    contacts: Vec<Contact>,
    strokes: Vec<StrokeRecord>,
    counts: Counts,
}

/// Room made in advance; what comes beyond it costs an allocation now and then.
const RESERVED: usize = 1 << 18;

impl Ledger {
    pub(crate) fn for_total(total: Option<u64>) -> Ledger {
        let room = total.map_or(4096, |total| (total as usize).min(RESERVED));
        Ledger {
            parts: Vec::with_capacity(room),
            contacts: Vec::with_capacity(room),
            strokes: Vec::with_capacity(room),
            counts: Counts::default(),
        }
    }

    /// Every part that has reached the eye, by number.
    pub fn parts(&self) -> &[PartRecord] {
        &self.parts
    }

    /// One part; `None` when it has not reached the eye.
    pub fn part(&self, part: u64) -> Option<&PartRecord> {
        self.parts.get(usize::try_from(part).ok()?)
    }

    /// Every contact so far. A touch is booked when the face or the part has gone.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The contacts of one part, latest first.
    pub fn contacts_of(&self, part: u64) -> impl Iterator<Item = &Contact> {
        let mut next = self.part(part).and_then(|record| record.latest_contact);
        std::iter::from_fn(move || {
            let contact = &self.contacts[next? as usize];
            next = contact.earlier;
            Some(contact)
        })
    }

    /// Every stroke ever commanded, by id.
    pub fn strokes(&self) -> &[StrokeRecord] {
        &self.strokes
    }

    /// One stroke.
    pub fn stroke(&self, stroke: StrokeId) -> Option<&StrokeRecord> {
        self.strokes.get(stroke.0 as usize)
    }

    /// How many parts are where.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn enter(&mut self, part: &crate::feed::Part, at_ns: i64) {
        debug_assert_eq!(part.number, self.parts.len() as u64);
        self.parts.push(PartRecord {
            part: part.number,
            tag: part.tag,
            entered_ns: at_ns,
            left_ns: None,
            length_mm: part.length_mm,
            gap_ahead_mm: part.gap_ahead_mm,
            slip: 1.0 - part.grip,
            eye_seen: false,
            triggered: 0,
            confirmed: false,
            fate: Fate::OnBelt,
            latest_contact: None,
        });
        self.counts.entered += 1;
        self.counts.on_belt += 1;
    }

    pub(crate) fn part_mut(&mut self, part: u64) -> Option<&mut PartRecord> {
        self.parts.get_mut(usize::try_from(part).ok()?)
    }

    pub(crate) fn leave(&mut self, part: u64, at_ns: i64, fate: Fate) {
        let Some(record) = self.part_mut(part) else {
            return;
        };
        debug_assert_eq!(record.fate, Fate::OnBelt);
        record.left_ns = Some(at_ns);
        record.fate = fate;
        self.counts.on_belt -= 1;
        match fate {
            Fate::OnBelt => self.counts.on_belt += 1,
            Fate::Kept => self.counts.kept += 1,
            Fate::Removed { clean: true, .. } => self.counts.removed_clean += 1,
            Fate::Removed { clean: false, .. } => self.counts.removed_unclean += 1,
        }
    }

    pub(crate) fn add_stroke(&mut self, stroke: StrokeRecord) -> StrokeId {
        self.strokes.push(stroke);
        StrokeId((self.strokes.len() - 1) as u32)
    }

    pub(crate) fn stroke_mut(&mut self, stroke: StrokeId) -> &mut StrokeRecord {
        &mut self.strokes[stroke.0 as usize]
    }

    pub(crate) fn add_contact(&mut self, touch: Touch) {
        let index = self.contacts.len() as u32;
        let Some(record) = self.part_mut(touch.part) else {
            return;
        };
        let earlier = record.latest_contact.replace(index);
        let stroke = self.stroke_mut(touch.stroke);
        if touch.removed {
            stroke.removed += 1;
        } else {
            stroke.touched += 1;
        }
        self.contacts.push(Contact {
            part: touch.part,
            stroke: touch.stroke,
            ejector: touch.ejector,
            at_ns: touch.at_ns,
            overlap_mm: touch.overlap_mm,
            held_mm: touch.held_mm,
            removed: touch.removed,
            earlier,
        });
    }
}

/// A [`Contact`] before it is filed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch {
    pub(crate) part: u64,
    pub(crate) stroke: StrokeId,
    pub(crate) ejector: usize,
    pub(crate) at_ns: i64,
    pub(crate) overlap_mm: f64,
    pub(crate) held_mm: f64,
    pub(crate) removed: bool,
}
