//! From belt travel to counts, with everything an encoder gets wrong.

use crate::motion::Motion;
use crate::rng::{Rng, Stream};
use crate::setup::{EncoderFaultKind, EncoderModel};

#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    model: EncoderModel,
    seed: u64,
    start_ns: i64,
}

impl Encoder {
    pub(crate) fn new(model: &EncoderModel, seed: u64, start_ns: i64) -> Encoder {
        Encoder { model: model.clone(), seed, start_ns }
    }

    /// Pulses that arrived since the start, had there been no fault.
    fn pulses(&self, position_mm: f64) -> i64 {
        let marks = position_mm * (1.0 + self.model.scale_error) / self.model.mm_per_count;
        // A position just reached is a hair short of its mark in floating point.
        let passed = (marks + 1e-6).floor() as i64;
        match self.model.lost_one_in {
            0 => passed,
            every => {
                // One loss somewhere in every stretch of so many marks.
                let (stretch, into) = (passed as u64 / every, passed as u64 % every);
                let lost_at = Rng::of(self.seed, Stream::Encoder, stretch).below(every);
                passed - stretch as i64 - i64::from(into > lost_at)
            }
        }
    }

    pub(crate) fn count(&self, motion: &Motion, at_ns: i64) -> u64 {
        let pulses_at = |at_ns| self.pulses(motion.position_mm(at_ns));
        let after_start = |s: f64| self.start_ns.saturating_add((s * 1e9).round() as i64);
        let now = pulses_at(at_ns);
        let mut offset = 0i64;
        for fault in &self.model.faults {
            let fault_ns = after_start(fault.at_s);
            if fault_ns > at_ns {
                break;
            }
            match fault.kind {
                EncoderFaultKind::Jump(counts) => offset = offset.wrapping_add(counts),
                EncoderFaultKind::Reset => {
                    offset = (self.model.start_count as i64)
                        .wrapping_add(pulses_at(fault_ns))
                        .wrapping_neg();
                }
                EncoderFaultKind::Freeze { for_s } => {
                    let thaw_ns = after_start(fault.at_s + for_s).min(at_ns);
                    offset = offset.wrapping_sub(pulses_at(thaw_ns) - pulses_at(fault_ns));
                }
            }
        }
        let count = self.model.start_count.wrapping_add_signed(now).wrapping_add_signed(offset);
        match self.model.count_bits {
            64.. => count,
            bits => count & ((1 << bits) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::EncoderFault;
    use crate::speed::SpeedProfile;

    const S: i64 = 1_000_000_000;

    fn counts_at(model: EncoderModel, at_s: &[f64]) -> Vec<u64> {
        let motion = Motion::new(&SpeedProfile::steady(1000.0), S);
        let encoder = Encoder::new(&model, 3, S);
        at_s.iter().map(|s| encoder.count(&motion, S + (s * 1e9) as i64)).collect()
    }

    #[test]
    fn counts_quantise_the_position() {
        let counts = counts_at(EncoderModel::default(), &[0.0, 0.00009, 0.0001, 1.0]);
        assert_eq!(counts, [0, 0, 1, 10_000]);
    }

    #[test]
    fn the_counter_rolls_over() {
        let model = EncoderModel { count_bits: 16, start_count: 65_530, ..EncoderModel::default() };
        assert_eq!(counts_at(model, &[0.0, 0.0005, 0.0006]), [65_530, 65_535, 0]);
    }

    #[test]
    fn losses_and_scale_add_up() {
        let model = EncoderModel { lost_one_in: 100, ..EncoderModel::default() };
        assert_eq!(counts_at(model, &[0.0, 1.0, 10.0]), [0, 9_900, 99_000]);
        let model = EncoderModel { scale_error: 0.01, ..EncoderModel::default() };
        assert_eq!(counts_at(model, &[1.0]), [10_100]);
    }

    #[test]
    fn losing_counts_never_counts_backwards() {
        let model = EncoderModel { lost_one_in: 7, ..EncoderModel::default() };
        let at_s: Vec<f64> = (0..5000).map(|step| f64::from(step) * 3e-5).collect();
        let counts = counts_at(model, &at_s);
        assert!(counts.is_sorted());
        assert!(counts.windows(2).all(|pair| pair[1] - pair[0] <= 1));
    }

    #[test]
    fn losses_come_at_irregular_marks() {
        let model = EncoderModel { lost_one_in: 10, ..EncoderModel::default() };
        let at_s: Vec<f64> = (0..200).map(|mark| f64::from(mark) * 1e-4).collect();
        let counts = counts_at(model, &at_s);
        let lost: Vec<usize> = (1..200).filter(|&mark| counts[mark] == counts[mark - 1]).collect();
        assert!((18..=20).contains(&lost.len()));
        assert!(lost.iter().any(|mark| mark % 10 != lost[0] % 10));
    }

    #[test]
    fn faults_act_from_their_instant_on() {
        let fault = |at_s, kind| EncoderFault { at_s, kind };
        let model = EncoderModel {
            start_count: 50,
            faults: vec![
                fault(1.0, EncoderFaultKind::Jump(-7)),
                fault(2.0, EncoderFaultKind::Reset),
                fault(3.0, EncoderFaultKind::Freeze { for_s: 0.5 }),
            ],
            ..EncoderModel::default()
        };
        assert_eq!(
            counts_at(model, &[0.5, 1.0, 2.0, 2.5, 3.25, 3.5, 4.0]),
            [5_050, 10_043, 0, 5_000, 10_000, 10_000, 15_000]
        );
    }
}
