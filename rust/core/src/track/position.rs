//! The belt's position: one number in mm that only grows, from a counter that rolls over, jumps and
//! stops, or from time alone.

use super::FASTEST;
use super::setup::Motion;
use crate::clock::{MS, SEC};
use crate::sense::Reading;

/// Readings that are remembered, so that a frame can be placed that comes long after its exposure:
/// 4 s at a reading every 2 ms.
const REMEMBERED: usize = 2048;

/// Speed is taken over at least so long ...
const SPEED_OVER_NS: i64 = 8 * MS;

/// ... and over so many counts, so that a slow belt's speed is not noise ...
const SPEED_OVER_COUNTS: i64 = 20;

/// ... but never over longer than this.
const SPEED_OVER_MOST_NS: i64 = 50 * MS;

/// A belt that has not moved for so long stands still.
const STILL_NS: i64 = 20 * MS;

/// How far two readings of one position may differ from what the belt can travel: a shake by hand,
/// quantisation, a reading that was dated a little wrong.
const PLAY_MM: f64 = 5.0;

/// What a reading says beside the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing new.
    Fine,
    /// No belt travels so far in that time: every position known before is void.
    Jumped,
}

/// A reading, unrolled.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at_ns: i64,
    counts: i64,
}

/// Where the belt is and was.
#[derive(Debug)]
pub(super) struct Position {
    motion: Motion,
    most_mm_per_ns: f64,
    history: Box<[Point]>,
    /// Index after the newest point, counted on without end.
    written: usize,
    /// Points that may be used, from the newest backwards.
    valid: usize,
    raw: u64,
    moved_ns: i64,
    speed_mm_s: f64,
}

impl Position {
    pub(super) fn new(motion: Motion, max_speed_mm_s: f64) -> Self {
        let remembered = match motion {
            Motion::Encoder { .. } => REMEMBERED,
            Motion::Steady { .. } => 0,
        };
        Self {
            motion,
            most_mm_per_ns: FASTEST * max_speed_mm_s / SEC as f64,
            history: vec![Point::default(); remembered].into(),
            written: 0,
            valid: 0,
            raw: 0,
            moved_ns: 0,
            speed_mm_s: 0.0,
        }
    }

    /// Takes a reading; one that is not newer than the last says nothing.
    pub(super) fn read(&mut self, reading: Reading) -> Heard {
        let Motion::Encoder { mm_per_count, count_bits, .. } = self.motion else {
            return Heard::Fine;
        };
        let Some(newest) = self.newest() else {
            self.raw = reading.count;
            self.moved_ns = reading.at_ns;
            self.push(Point { at_ns: reading.at_ns, counts: 0 });
            return Heard::Fine;
        };
        let elapsed_ns = reading.at_ns - newest.at_ns;
        if elapsed_ns <= 0 {
            return Heard::Fine;
        }
        let travel = wrapped(reading.count, self.raw, count_bits);
        self.raw = reading.count;
        let most_mm = self.most_mm_per_ns * elapsed_ns as f64 + PLAY_MM;
        if (travel as f64 * mm_per_count).abs() > most_mm {
            self.forget();
            self.moved_ns = reading.at_ns;
            self.push(Point { at_ns: reading.at_ns, counts: newest.counts });
            return Heard::Jumped;
        }
        if travel != 0 {
            self.moved_ns = reading.at_ns;
        }
        self.push(Point { at_ns: reading.at_ns, counts: newest.counts + travel });
        self.speed_mm_s = self.measured_speed(mm_per_count);
        Heard::Fine
    }

    /// Voids every position known so far: the encoder was lost.
    pub(super) fn forget(&mut self) {
        self.valid = 0;
        self.speed_mm_s = 0.0;
    }

    /// The position at `at_ns`: between readings by interpolation, after the newest at the speed of
    /// now. `None` when it is not known, or not any more.
    pub(super) fn at(&self, at_ns: i64) -> Option<f64> {
        let mm_per_count = match self.motion {
            Motion::Steady { speed_mm_s } => return Some(at_ns as f64 * speed_mm_s / SEC as f64),
            Motion::Encoder { mm_per_count, .. } => mm_per_count,
        };
        let newest = self.newest()?;
        if at_ns >= newest.at_ns {
            let ahead_mm = self.speed_mm_s() * (at_ns - newest.at_ns) as f64 / SEC as f64;
            return Some(newest.counts as f64 * mm_per_count + ahead_mm);
        }
        // The first point back that is not later.
        let (mut low, mut high) = (1, self.valid);
        if self.back(high - 1).at_ns > at_ns {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.back(middle).at_ns <= at_ns { high = middle } else { low = middle + 1 }
        }
        let (before, after) = (self.back(low), self.back(low - 1));
        let share = (at_ns - before.at_ns) as f64 / (after.at_ns - before.at_ns) as f64;
        let travel = (after.counts - before.counts) as f64;
        Some((before.counts as f64 + share * travel) * mm_per_count)
    }

    /// The position at an instant: by the count that was latched with it where there is one, else by
    /// its time.
    pub(super) fn latched(&self, count: Option<u64>, at_ns: i64) -> Option<f64> {
        count.and_then(|count| self.of_count(count)).or_else(|| self.at(at_ns))
    }

    /// The position at which the counter showed `count`, not more than half its range ago.
    fn of_count(&self, count: u64) -> Option<f64> {
        let Motion::Encoder { mm_per_count, count_bits, .. } = self.motion else {
            return None;
        };
        let counts = self.newest()?.counts + wrapped(count, self.raw, count_bits);
        Some(counts as f64 * mm_per_count)
    }

    /// The raw count that the counter will show at `at_ns`, if the belt keeps its speed of `now_ns`.
    pub(super) fn count_at(&self, now_ns: i64, at_ns: i64) -> Option<u64> {
        let Motion::Encoder { mm_per_count, count_bits, .. } = self.motion else {
            return None;
        };
        let ahead_mm = self.speed_mm_s() * (at_ns - now_ns) as f64 / SEC as f64;
        let counts = ((self.at(now_ns)? + ahead_mm) / mm_per_count).round() as i64;
        let raw = self.raw.wrapping_add_signed(counts - self.newest()?.counts);
        Some(raw & (u64::MAX >> (64 - count_bits.clamp(1, 64))))
    }

    /// The belt's speed; 0 when it stands still or nothing is known.
    pub(super) fn speed_mm_s(&self) -> f64 {
        match self.motion {
            Motion::Steady { speed_mm_s } => speed_mm_s,
            Motion::Encoder { .. } if self.still() => 0.0,
            Motion::Encoder { .. } => self.speed_mm_s,
        }
    }

    fn still(&self) -> bool {
        self.newest().is_none_or(|newest| newest.at_ns - self.moved_ns >= STILL_NS)
    }

    fn measured_speed(&self, mm_per_count: f64) -> f64 {
        let newest = self.back(0);
        let mut speed = 0.0;
        for back in 1..self.valid {
            let point = self.back(back);
            let elapsed_ns = newest.at_ns - point.at_ns;
            let counts = newest.counts - point.counts;
            speed = counts as f64 * mm_per_count * SEC as f64 / elapsed_ns as f64;
            let enough = elapsed_ns >= SPEED_OVER_NS && counts >= SPEED_OVER_COUNTS;
            if enough || elapsed_ns >= SPEED_OVER_MOST_NS {
                break;
            }
        }
        // Rolling back after a stop is no speed to schedule by.
        speed.max(0.0)
    }

    fn newest(&self) -> Option<Point> {
        (self.valid > 0).then(|| self.back(0))
    }

    /// The point `back` before the newest; only those below `valid` mean something.
    fn back(&self, back: usize) -> Point {
        self.history[(self.written - 1 - back) % self.history.len()]
    }

    fn push(&mut self, point: Point) {
        let room = self.history.len();
        self.history[self.written % room] = point;
        self.written += 1;
        self.valid = (self.valid + 1).min(room);
    }
}

/// `later - earlier` of a counter of `bits` bits that may have rolled over, as a signed number.
fn wrapped(later: u64, earlier: u64, bits: u32) -> i64 {
    let unused = 64 - bits.clamp(1, 64);
    (later.wrapping_sub(earlier) << unused) as i64 >> unused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::Latch;

    fn encoder(count_bits: u32) -> Position {
        let motion = Motion::Encoder { mm_per_count: 0.1, count_bits, latch: Latch::Hardware };
        Position::new(motion, 2000.0)
    }

    fn run(position: &mut Position, from_ms: i64, to_ms: i64, first: u64, per_ms: u64, mask: u64) {
        for ms in from_ms..=to_ms {
            let count = first.wrapping_add(per_ms * (ms - from_ms) as u64) & mask;
            assert_eq!(position.read(Reading { count, at_ns: ms * MS }), Heard::Fine);
        }
    }

    #[test]
    fn the_counter_rolls_over_and_the_position_does_not() {
        for bits in [16, 32, 64] {
            let mask = u64::MAX >> (64 - bits);
            let mut position = encoder(bits);
            run(&mut position, 0, 1000, mask - 500, 10, mask);
            assert!((position.at(1000 * MS).unwrap() - 1000.0).abs() < 1e-6, "{bits} bits");
            assert!((position.speed_mm_s() - 1000.0).abs() < 1e-6);
            let count = position.count_at(1000 * MS, 1010 * MS);
            assert_eq!(count, Some((mask - 500).wrapping_add(10_100) & mask));
            let count = (mask - 500).wrapping_add(9000) & mask;
            assert!((position.of_count(count).unwrap() - 900.0).abs() < 1e-6);
        }
    }

    #[test]
    fn between_readings_it_interpolates_and_after_them_it_extrapolates() {
        let mut position = encoder(32);
        run(&mut position, 0, 100, 0, 10, u64::MAX);
        assert!((position.at(50 * MS + MS / 2).unwrap() - 50.5).abs() < 1e-9);
        assert!((position.at(101 * MS).unwrap() - 101.0).abs() < 1e-9);
        assert_eq!(position.at(-1), None);
    }

    #[test]
    fn a_jump_voids_what_was_known() {
        let mut position = encoder(32);
        run(&mut position, 0, 100, 1_000_000, 10, u64::MAX);
        assert_eq!(position.read(Reading { count: 0, at_ns: 101 * MS }), Heard::Jumped);
        assert_eq!(position.at(50 * MS), None);
        run(&mut position, 102, 150, 10, 10, u64::MAX);
        assert!((position.speed_mm_s() - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn a_belt_that_stops_stands_still_and_starts_again() {
        let mut position = encoder(32);
        run(&mut position, 0, 100, 0, 10, u64::MAX);
        run(&mut position, 101, 130, 1000, 0, u64::MAX);
        assert_eq!(position.speed_mm_s(), 0.0);
        assert!((position.at(200 * MS).unwrap() - 100.0).abs() < 1e-9);
        run(&mut position, 131, 190, 1000, 10, u64::MAX);
        assert!((position.speed_mm_s() - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn a_creeping_belt_is_not_taken_for_one_that_stands() {
        let mut position = encoder(32);
        for ms in 0..400 {
            position.read(Reading { count: ms / 8, at_ns: ms as i64 * MS });
        }
        let speed = position.speed_mm_s();
        assert!((speed - 12.5).abs() < 4.0, "{speed}");
    }

    #[test]
    fn without_an_encoder_time_is_position() {
        let position = Position::new(Motion::Steady { speed_mm_s: 500.0 }, 500.0);
        assert_eq!(position.at(2 * SEC), Some(1000.0));
        assert_eq!(position.speed_mm_s(), 500.0);
    }
}
