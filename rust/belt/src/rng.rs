//! Random draws that depend on the seed and on what is drawn, never on the order of drawing.
//!
//! Part 17 is the same part however often the belt was polled and whatever the ejectors did. The
//! generator (SplitMix64) is written out here because a dependency's next release may draw
//! differently, and a seed in a bug report has to stay good.

/// What a draw is for; each kind has its own independent sequence.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Part,
    Eye { rising: bool },
    Camera(usize),
    Stroke(usize),
    Confirm(usize),
    Encoder,
}

impl Stream {
    fn code(self) -> u64 {
        match self {
            Stream::Part => 1,
            Stream::Eye { rising } => 2 + u64::from(rising),
            Stream::Encoder => 4,
            Stream::Camera(index) => (1 << 32) + index as u64,
            Stream::Stroke(index) => (2 << 32) + index as u64,
            Stream::Confirm(index) => (3 << 32) + index as u64,
        }
    }
}

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn of(seed: u64, stream: Stream, index: u64) -> Rng {
        let mut rng = Rng(seed);
        rng.0 = rng.next() ^ stream.code();
        rng.0 = rng.next() ^ index;
        rng.0 = rng.next();
        rng
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn around(&mut self, middle: f64, spread: f64) -> f64 {
        self.between(middle - spread, middle + spread)
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_outputs_match_the_published_splitmix64_sequence() {
        let mut rng = Rng(1234567);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(drawn, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn draws_spread_over_their_range() {
        let mut sum = 0.0;
        let mut hits = 0;
        for index in 0..10_000 {
            let mut rng = Rng::of(7, Stream::Part, index);
            sum += rng.between(10.0, 20.0);
            hits += u32::from(rng.chance(0.1));
            assert!(rng.below(3) < 3);
        }
        assert!((sum / 10_000.0 - 15.0).abs() < 0.15);
        assert!((800..1200).contains(&hits));
    }

    #[test]
    fn streams_and_indices_are_independent() {
        let first = Rng::of(7, Stream::Part, 0).next();
        assert_ne!(first, Rng::of(7, Stream::Part, 1).next());
        assert_ne!(first, Rng::of(7, Stream::Encoder, 0).next());
        assert_ne!(first, Rng::of(8, Stream::Part, 0).next());
    }
}
