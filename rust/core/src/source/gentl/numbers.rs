//! What a camera's own numbers of its frames say: how many are missing, and which came out of their
//! turn.

use crate::frame::Disorder;

/// What a frame's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// So many are missing before it; usually none.
    After(u64),
    /// It did not come in its turn.
    Disordered(Disorder),
}

/// Numbers behind the last one of which it is known whether they are missing.
const REMEMBERED: u64 = u128::BITS as u64;
/// Frames that may be missing at once by one frame's word; of more, the next must say so as well.
const MOST_AT_ONCE: u64 = 4096;
/// A frame that is so far behind another was overtaken; what is further back began anew.
const OVERTAKEN: u64 = 0x100;
/// GigE Vision 1.x counts 1 to 65535, and then 1 again.
const SHORT_IDS: u64 = 0xFFFF;
/// Frames of one number, one after the other: it is none.
const MEANINGLESS: u32 = 3;

/// Counts the frames that a camera numbered and that never came.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameCount {
    last: Option<u64>,
    /// The camera's time of that one.
    last_ns: Option<i64>,
    /// Bit n: the number n before the last was told as missing, and has not come yet.
    missing: u128,
    /// Bit n: of the number n before the last nobody knows whether there is a frame: it lies before
    /// the first, or where frames came without numbers.
    untold: u128,
    /// A number far from the last that no other has confirmed yet.
    strange: Option<u64>,
    /// Frames since the last whose numbers are none, or strange.
    unnumbered: u64,
    /// Frames that had the last one's number after it.
    same: u32,
    /// It was seen to count in 16 bits.
    is_16_bit: bool,
}

impl FrameCount {
    /// A frame came without a number, which is not missing then.
    pub(crate) fn skip(&mut self) {
        self.unnumbered += u64::from(self.last.is_some());
    }

    /// What this frame's number says beside those before it. `device_ns` is when the camera took it,
    /// by the camera's own clock.
    pub(crate) fn take(&mut self, id: u64, device_ns: Option<i64>) -> Numbered {
        let is_newer = device_ns.zip(self.last_ns).is_some_and(|(now, last)| now > last);
        let is_same = self.last == Some(id);
        self.same = if is_same { self.same.saturating_add(1) } else { 0 };
        let mut numbered = self.numbered(id);
        if numbered == Numbered::Disordered(Disorder::Repeated) {
            if is_newer {
                // Another picture: the camera counts anew, or gives each the same number.
                numbered = self.after(id, None, 0);
            } else if self.same >= MEANINGLESS - 1 {
                // The second of them was a frame, too.
                numbered = Numbered::After(u64::from(self.same == MEANINGLESS - 1));
            }
        }
        if matches!(numbered, Numbered::After(_)) {
            self.last_ns = device_ns;
        }
        numbered
    }

    fn numbered(&mut self, id: u64) -> Numbered {
        let Some(last) = self.last else {
            return self.after(id, None, 0);
        };
        // A number that goes on from the strange one shows that it was right.
        if let Some(strange) = self.strange
            && id > strange
            && id - strange < OVERTAKEN
            && id.abs_diff(last) >= id - strange
        {
            let before = strange.saturating_sub(last.saturating_add(1));
            let missing = (before + (id - strange)).saturating_sub(self.unnumbered);
            return self.after(id, id.checked_sub(last), missing);
        }
        if id == last {
            return self.behind(0);
        }
        let is_short = |id: u64| (1..=SHORT_IDS).contains(&id);
        if id < last && is_short(id) && is_short(last) && last - id >= OVERTAKEN {
            let distance = SHORT_IDS - last + id;
            // Unless it is known to, a camera that began anew is more likely than a long gap.
            let most = if self.is_16_bit { SHORT_IDS / 2 } else { MOST_AT_ONCE };
            if distance - 1 <= most {
                self.is_16_bit = true;
                let missing = (distance - 1).saturating_sub(self.unnumbered);
                return self.after(id, Some(distance), missing);
            }
        }
        if id > last {
            let wrapped = last.saturating_add(SHORT_IDS);
            if self.is_16_bit && is_short(id) && wrapped - id < OVERTAKEN {
                return self.behind(wrapped - id);
            }
            let missing = (id - last - 1).saturating_sub(self.unnumbered);
            if missing <= MOST_AT_ONCE {
                return self.after(id, Some(id - last), missing);
            }
        } else if last - id < OVERTAKEN {
            return self.behind(last - id);
        }
        self.strange = Some(id);
        self.unnumbered += 1;
        Numbered::After(0)
    }

    /// It is the last one now, so far behind the last before it; where that says nothing, the count
    /// begins with it.
    fn after(&mut self, id: u64, distance: Option<u64>, missing: u64) -> Numbered {
        let between = match distance {
            Some(distance) if distance < REMEMBERED => ((1 << distance) - 1) & !1,
            _ => !1,
        };
        let on = |bits: u128| match distance {
            Some(distance) if distance < REMEMBERED => bits << distance,
            _ => 0,
        };
        (self.missing, self.untold) = (on(self.missing), on(self.untold));
        // Where some came without a number, nobody knows which of them are missing.
        if distance.is_some() && self.unnumbered == 0 {
            self.missing |= between;
        } else {
            self.untold |= between;
        }
        let strange = self.strange.and_then(|strange| id.checked_sub(strange));
        if let Some(came) = strange.filter(|&behind| behind < REMEMBERED) {
            self.untold &= !(1 << came);
        }
        (self.last, self.strange, self.unnumbered) = (Some(id), None, 0);
        Numbered::After(missing)
    }

    fn behind(&mut self, by: u64) -> Numbered {
        let bit = if by < REMEMBERED { 1 << by } else { 0 };
        let disorder = if self.missing & bit != 0 {
            Disorder::Late
        } else if self.untold & bit != 0 {
            Disorder::Overtaken
        } else {
            Disorder::Repeated
        };
        self.missing &= !bit;
        self.untold &= !bit;
        Numbered::Disordered(disorder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: u64 = u64::MAX;
    const AGAIN: u64 = u64::MAX - 1;
    const OVER: u64 = u64::MAX - 2;

    fn said(numbered: Numbered) -> u64 {
        match numbered {
            Numbered::After(lost) => lost,
            Numbered::Disordered(Disorder::Late) => LATE,
            Numbered::Disordered(Disorder::Repeated) => AGAIN,
            Numbered::Disordered(Disorder::Overtaken) => OVER,
        }
    }

    #[test]
    fn gaps_are_counted_over_a_wrap_and_not_twice() {
        let lost = |ids: &[u64]| {
            let mut count = FrameCount::default();
            ids.iter().map(|id| said(count.take(*id, None))).collect::<Vec<_>>()
        };
        assert_eq!(lost(&[7, 8, 11]), [0, 0, 2]);
        assert_eq!(lost(&[65534, 65535, 1]), [0, 0, 0]);
        assert_eq!(lost(&[65534, 2]), [0, 2]);
        assert_eq!(lost(&[65534, 1, 65535, 2, 65535]), [0, 1, LATE, 0, AGAIN]);
        assert_eq!(lost(&[65535, 65536]), [0, 0]);
        assert_eq!(lost(&[5, 7, 6, 8, 6, 7]), [0, 1, LATE, 0, AGAIN, AGAIN]);
        assert_eq!(lost(&[90_000, 0, 1]), [0, 0, 0]);
        assert_eq!(lost(&[5, 5, 6]), [0, AGAIN, 0]);
        assert_eq!(lost(&[5, 9, 8, 12, 6, 10, 8]), [0, 3, LATE, 2, LATE, LATE, AGAIN]);
        // What is remembered has an end, and so have gaps.
        assert_eq!(lost(&[0, 128, 1, 0]), [0, 127, LATE, AGAIN]);
        assert_eq!(lost(&[0, 129, 1, 2]), [0, 128, AGAIN, LATE]);
        // A longer gap over the wrap, of a camera that is known to wrap or is about to.
        assert_eq!(lost(&[65_400, 300]), [0, 434]);
        assert_eq!(lost(&[65_534, 1, 60_000, 60_001, 1_000]), [0, 1, 0, 59_998, 6_533]);
        // One that began anew is not taken for one that wraps.
        assert_eq!(lost(&[40_000, 1, 2]), [0, 0, 0]);
        assert_eq!(lost(&[40_000, 0, 1, 4]), [0, 0, 0, 2]);
    }

    #[test]
    fn one_absurd_number_loses_nothing_and_two_in_a_row_are_believed() {
        let lost = |ids: &[Option<u64>]| {
            let mut count = FrameCount::default();
            let mut lost = 0;
            for id in ids {
                match id.map(|id| count.take(id, None)) {
                    Some(Numbered::After(missing)) => lost += missing,
                    Some(Numbered::Disordered(_)) => lost += 1_000_000,
                    None => count.skip(),
                }
            }
            lost
        };
        const BAD: u64 = 9_007_199_254_740_991;
        assert_eq!(lost(&[Some(5), Some(BAD), Some(7), Some(8)]), 0);
        assert_eq!(lost(&[Some(5), Some(BAD), Some(BAD), Some(8), Some(10)]), 1);
        assert_eq!(lost(&[Some(500), Some(0), Some(502)]), 0);
        assert_eq!(lost(&[Some(5), Some(BAD), Some(9)]), 2);
        // Nobody fetched frames for an hour.
        assert_eq!(lost(&[Some(5), Some(1_000_006), Some(1_000_007)]), 1_000_000);
        // A frame of which nothing is known is not missing as well.
        assert_eq!(lost(&[Some(5), None, Some(7), Some(9)]), 1);
        assert_eq!(lost(&[None, Some(7), Some(8)]), 0);
    }

    #[test]
    fn a_frame_that_the_first_has_overtaken_is_no_repeated_one() {
        let lost = |ids: &[u64]| {
            let mut count = FrameCount::default();
            ids.iter().map(|id| said(count.take(*id, None))).collect::<Vec<_>>()
        };
        assert_eq!(lost(&[2, 1, 3]), [0, OVER, 0]);
        assert_eq!(lost(&[2, 1, 1, 2, 3]), [0, OVER, AGAIN, AGAIN, 0]);
        assert_eq!(lost(&[3, 1, 4, 2, 5]), [0, OVER, 0, OVER, 0]);
        // What is missing since the first is lost, and late when it comes.
        assert_eq!(lost(&[2, 1, 5, 4, 3, 1]), [0, OVER, 2, LATE, LATE, AGAIN]);
        // Also behind one that began anew, and where a frame came without its number.
        assert_eq!(lost(&[40_000, 3, 4, 2, 3]), [0, 0, 0, OVER, AGAIN]);
        let mut count = FrameCount::default();
        assert_eq!(said(count.take(5, None)), 0);
        count.skip();
        assert_eq!([7, 6, 6].map(|id| said(count.take(id, None))), [0, OVER, AGAIN]);
        assert_eq!([u64::MAX, u64::MAX - 1].map(|id| said(count.take(id, None))), [0, 0]);
        let first = [u64::MAX - 1, u64::MAX - 2, u64::MAX];
        assert_eq!(lost(&first), [0, OVER, 0]);
    }

    #[test]
    fn a_later_picture_under_an_old_number_is_another_one() {
        let told = |frames: &[(u64, i64)]| {
            let mut count = FrameCount::default();
            frames.iter().map(|(id, ns)| said(count.take(*id, Some(*ns)))).collect::<Vec<_>>()
        };
        // Each start of an acquisition of single frames counts from 1, and so does one of three.
        assert_eq!(told(&[(1, 10), (1, 20), (1, 30)]), [0, 0, 0]);
        assert_eq!(told(&[(1, 1), (2, 2), (3, 3), (1, 4), (2, 5), (3, 6)]), [0; 6]);
        // The very picture comes twice, or late.
        assert_eq!(told(&[(1, 10), (1, 10), (2, 20), (1, 10)]), [0, AGAIN, 0, AGAIN]);
        assert_eq!(told(&[(1, 10), (3, 30), (2, 20), (2, 20)]), [0, 1, LATE, AGAIN]);
        assert_eq!(told(&[(1, 10), (3, 30), (2, 40)]), [0, 1, LATE], "by its producer's clock");
        // One time that makes no sense is forgotten with the next frame.
        assert_eq!(told(&[(8, i64::MAX), (9, 2), (3, 3), (4, 4)]), [0, 0, OVER, OVER]);
        assert_eq!(told(&[(1, 1), (2, i64::MAX), (3, 3), (2, 4), (3, 5)]), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_number_that_never_changes_is_none() {
        let mut count = FrameCount::default();
        let frames = [0, 0, 0, 0, 0, 1, 1, 2].map(|id| said(count.take(id, None)));
        assert_eq!(frames, [0, AGAIN, 1, 0, 0, 0, AGAIN, 0]);
    }
}
