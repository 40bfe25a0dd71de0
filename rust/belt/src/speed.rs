//! How fast the belt runs: segments of speed, their integral and its inverse.

use std::f64::consts::TAU;

/// The belt's speed over time, as segments one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedProfile {
    /// At least one; durations and speeds are not negative.
    pub segments: Vec<Segment>,
    /// What follows the last segment.
    pub after: After,
}

/// One stretch of a [`SpeedProfile`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// How long it lasts, in seconds.
    pub for_s: f64,
    /// The speed during it.
    pub speed: Speed,
}

/// The speed within one [`Segment`], in mm/s; the belt never runs backwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// One speed; 0 is a stop.
    Steady {
        /// The speed.
        mm_s: f64,
    },
    /// A straight line from one speed to another.
    Ramp {
        /// Speed at the segment's start.
        from_mm_s: f64,
        /// Speed at its end.
        to_mm_s: f64,
    },
    /// `mean + amplitude * sin(2 pi t / period)`, with t from the segment's start.
    Swing {
        /// Mean speed.
        mean_mm_s: f64,
        /// Amplitude; not more than the mean.
        amplitude_mm_s: f64,
        /// Period of the swing.
        period_s: f64,
    },
}

/// What a [`SpeedProfile`] does after its last segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Runs on: a steady speed stays, a ramp keeps its end speed, a swing swings on.
    Hold,
    /// Starts again with the first segment.
    Repeat,
}

impl SpeedProfile {
    /// One speed for ever.
    pub fn steady(mm_s: f64) -> SpeedProfile {
        SpeedProfile {
            segments: vec![Segment { for_s: 1.0, speed: Speed::Steady { mm_s } }],
            after: After::Hold,
        }
    }

    /// A speed that swings by `share` of its mean (0.1 is 10 %).
    pub fn swinging(mean_mm_s: f64, share: f64, period_s: f64) -> SpeedProfile {
        SpeedProfile {
            segments: vec![Segment {
                for_s: period_s,
                speed: Speed::Swing { mean_mm_s, amplitude_mm_s: mean_mm_s * share, period_s },
            }],
            after: After::Hold,
        }
    }

    /// Runs, ramps down, stands still, ramps up, and so on.
    pub fn stop_and_go(mm_s: f64, run_s: f64, ramp_s: f64, stop_s: f64) -> SpeedProfile {
        let ramp = |from_mm_s, to_mm_s| Segment {
            for_s: ramp_s,
            speed: Speed::Ramp { from_mm_s, to_mm_s },
        };
        let steady = |for_s, mm_s| Segment { for_s, speed: Speed::Steady { mm_s } };
        SpeedProfile {
            segments: vec![
                steady(run_s, mm_s),
                ramp(mm_s, 0.0),
                steady(stop_s, 0.0),
                ramp(0.0, mm_s),
            ],
            after: After::Repeat,
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.segments.is_empty() {
            return Some("it has no segments".into());
        }
        for (index, segment) in self.segments.iter().enumerate() {
            let sound = |value: f64| value.is_finite() && (0.0..=1e6).contains(&value);
            let ok = match segment.speed {
                Speed::Steady { mm_s } => sound(mm_s),
                Speed::Ramp { from_mm_s, to_mm_s } => sound(from_mm_s) && sound(to_mm_s),
                Speed::Swing { mean_mm_s, amplitude_mm_s, period_s } => {
                    sound(mean_mm_s)
                        && sound(amplitude_mm_s)
                        && amplitude_mm_s <= mean_mm_s
                        && sound(period_s)
                        && period_s >= 1e-3
                }
            };
            if !ok || !sound(segment.for_s) || segment.for_s < 1e-3 {
                return Some(format!(
                    "segment {index} is {segment:?}; it has to last 1 ms or more, run forwards, \
                     and swing by no more than its mean"
                ));
            }
        }
        None
    }
}

impl Speed {
    fn at(self, t: f64, for_s: f64) -> f64 {
        match self {
            Speed::Steady { mm_s } => mm_s,
            Speed::Ramp { from_mm_s, to_mm_s } => from_mm_s + (to_mm_s - from_mm_s) * t / for_s,
            Speed::Swing { mean_mm_s, amplitude_mm_s, period_s } => {
                mean_mm_s + amplitude_mm_s * (TAU * t / period_s).sin()
            }
        }
    }

    fn travel(self, t: f64, for_s: f64) -> f64 {
        match self {
            Speed::Steady { mm_s } => mm_s * t,
            Speed::Ramp { from_mm_s, to_mm_s } => {
                from_mm_s * t + (to_mm_s - from_mm_s) / for_s * t * t / 2.0
            }
            Speed::Swing { mean_mm_s, amplitude_mm_s, period_s } => {
                mean_mm_s * t + amplitude_mm_s * period_s / TAU * (1.0 - (TAU * t / period_s).cos())
            }
        }
    }

    /// The first time within the segment at which `travel` reaches `mm > 0`.
    fn reach(self, mm: f64, for_s: f64) -> f64 {
        match self {
            Speed::Steady { mm_s } => mm / mm_s,
            Speed::Ramp { from_mm_s, to_mm_s } => {
                let slope = (to_mm_s - from_mm_s) / for_s;
                let end = (from_mm_s * from_mm_s + 2.0 * slope * mm).max(0.0).sqrt();
                // Not (end - from) / slope, which cancels when the ramp is almost flat.
                2.0 * mm / (from_mm_s + end)
            }
            Speed::Swing { mean_mm_s, amplitude_mm_s, period_s } => {
                // The swing only ever adds to mean * t, by this much at most.
                let ahead = amplitude_mm_s * period_s / TAU * 2.0;
                let mut low = ((mm - ahead) / mean_mm_s).max(0.0);
                let mut high = mm / mean_mm_s;
                let mut t = (low + high) / 2.0;
                for _ in 0..200 {
                    let error = self.travel(t, for_s) - mm;
                    if error < 0.0 {
                        low = t;
                    } else {
                        high = t;
                    }
                    let newton = t - error / self.at(t, for_s);
                    // A speed near 0 throws Newton out of the bracket; halving always converges.
                    let next =
                        if newton > low && newton < high { newton } else { (low + high) / 2.0 };
                    if (next - t).abs() < 1e-12 {
                        return next;
                    }
                    t = next;
                }
                t
            }
        }
    }
}

/// A [`SpeedProfile`] with its segments' starts summed up.
#[derive(Debug, Clone)]
pub(crate) struct Travel {
    pieces: Vec<Piece>,
    /// Duration and travel of one round, where the profile repeats.
    round: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    from_s: f64,
    from_mm: f64,
    to_mm: f64,
    for_s: f64,
    speed: Speed,
}

impl Travel {
    pub(crate) fn new(profile: &SpeedProfile) -> Travel {
        let mut segments = profile.segments.clone();
        if let (After::Hold, Some(last)) = (profile.after, segments.last().copied()) {
            match last.speed {
                Speed::Ramp { to_mm_s, .. } => {
                    segments.push(Segment { for_s: 1.0, speed: Speed::Steady { mm_s: to_mm_s } })
                }
                Speed::Steady { .. } | Speed::Swing { .. } => {}
            }
        }
        let (mut at_s, mut at_mm) = (0.0, 0.0);
        let mut pieces: Vec<Piece> = segments
            .iter()
            .map(|segment| {
                let piece = Piece {
                    from_s: at_s,
                    from_mm: at_mm,
                    to_mm: at_mm + segment.speed.travel(segment.for_s, segment.for_s),
                    for_s: segment.for_s,
                    speed: segment.speed,
                };
                (at_s, at_mm) = (at_s + piece.for_s, piece.to_mm);
                piece
            })
            .collect();
        let round = match profile.after {
            After::Repeat => Some((at_s, at_mm)),
            After::Hold => {
                if let Some(last) = pieces.last_mut() {
                    let moves = match last.speed {
                        Speed::Steady { mm_s } => mm_s > 0.0,
                        Speed::Ramp { .. } => true,
                        Speed::Swing { mean_mm_s, .. } => mean_mm_s > 0.0,
                    };
                    if moves {
                        last.to_mm = f64::INFINITY;
                    }
                }
                None
            }
        };
        Travel { pieces, round }
    }

    /// The piece that holds `at_s`, the time into it and the travel before this round.
    fn piece_at(&self, at_s: f64) -> (Piece, f64, f64) {
        let (mut t, mut before_mm) = (at_s.max(0.0), 0.0);
        if let Some((round_s, round_mm)) = self.round {
            let rounds = (t / round_s).floor();
            t -= rounds * round_s;
            before_mm = rounds * round_mm;
        }
        let after = self.pieces.partition_point(|piece| piece.from_s <= t);
        let piece = self.pieces[after.saturating_sub(1)];
        (piece, (t - piece.from_s).max(0.0), before_mm)
    }

    pub(crate) fn position_mm(&self, at_s: f64) -> f64 {
        let (piece, t, before_mm) = self.piece_at(at_s);
        before_mm + piece.from_mm + piece.speed.travel(t, piece.for_s)
    }

    pub(crate) fn speed_mm_s(&self, at_s: f64) -> f64 {
        let (piece, t, _) = self.piece_at(at_s);
        piece.speed.at(t, piece.for_s)
    }

    /// The first time at which the belt has travelled `mm`; `None` when it never does.
    pub(crate) fn reach_s(&self, mm: f64) -> Option<f64> {
        if mm <= 0.0 {
            return Some(0.0);
        }
        let (mut left_mm, mut before_s) = (mm, 0.0);
        if let Some((round_s, round_mm)) = self.round {
            if round_mm <= 0.0 {
                return None;
            }
            // The end of a round belongs to it: a round that ends in a stop arrives before the stop.
            let rounds = ((mm / round_mm).ceil() - 1.0).max(0.0);
            left_mm -= rounds * round_mm;
            before_s = rounds * round_s;
        }
        let index = self.pieces.partition_point(|piece| piece.to_mm < left_mm);
        // Rounding may leave a hair beyond the end of a round.
        let piece = match self.round {
            Some(_) => self.pieces[index.min(self.pieces.len() - 1)],
            None => *self.pieces.get(index)?,
        };
        let into_mm = (left_mm - piece.from_mm).min(piece.to_mm - piece.from_mm);
        let t = if into_mm > 0.0 { piece.speed.reach(into_mm, piece.for_s) } else { 0.0 };
        Some(before_s + piece.from_s + t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_speed() -> impl Strategy<Value = Speed> {
        prop_oneof![
            (0.0..3000.0).prop_map(|mm_s| Speed::Steady { mm_s }),
            Just(Speed::Steady { mm_s: 0.0 }),
            (0.0..3000.0, 0.0..3000.0)
                .prop_map(|(from_mm_s, to_mm_s)| Speed::Ramp { from_mm_s, to_mm_s }),
            (1.0..3000.0, 0.0..=1.0, 0.01..5.0).prop_map(|(mean_mm_s, share, period_s)| {
                Speed::Swing { mean_mm_s, amplitude_mm_s: mean_mm_s * share, period_s }
            }),
        ]
    }

    fn any_profile() -> impl Strategy<Value = SpeedProfile> {
        let segment = (0.01..3.0, any_speed()).prop_map(|(for_s, speed)| Segment { for_s, speed });
        (prop::collection::vec(segment, 1..6), any::<bool>()).prop_map(|(segments, repeat)| {
            SpeedProfile { segments, after: if repeat { After::Repeat } else { After::Hold } }
        })
    }

    proptest! {
        #[test]
        fn position_is_the_integral_of_speed(profile in any_profile(), until_s in 0.1..20.0) {
            let travel = Travel::new(&profile);
            let steps = 40_000;
            let dt = until_s / f64::from(steps);
            let sum: f64 = (0..steps)
                .map(|step| travel.speed_mm_s((f64::from(step) + 0.5) * dt) * dt)
                .sum();
            // One step at a jump of speed is the error a midpoint rule may make, per jump.
            let jumps = 6.0 * f64::min(until_s / 0.01 + 1.0, 2000.0);
            prop_assert!((sum - travel.position_mm(until_s)).abs() < jumps * 3000.0 * dt);
        }

        #[test]
        fn reaching_a_position_inverts_it(profile in any_profile(), mm in 0.0..50_000.0) {
            let travel = Travel::new(&profile);
            if let Some(at_s) = travel.reach_s(mm) {
                prop_assert!((travel.position_mm(at_s) - mm).abs() < 1e-6);
                // The first time: just before, it had not been reached.
                prop_assert!(travel.position_mm(at_s - 1e-6) <= mm + 1e-9);
            } else {
                prop_assert!(travel.position_mm(1e6) < mm);
            }
        }
    }

    #[test]
    fn a_stop_arrives_before_it_stands() {
        let travel = Travel::new(&SpeedProfile {
            segments: vec![
                Segment { for_s: 1.0, speed: Speed::Steady { mm_s: 100.0 } },
                Segment { for_s: 5.0, speed: Speed::Steady { mm_s: 0.0 } },
            ],
            after: After::Repeat,
        });
        assert_eq!(travel.reach_s(100.0), Some(1.0));
        assert_eq!(travel.reach_s(200.0), Some(7.0));
        assert!((travel.reach_s(100.001).unwrap() - 6.00001).abs() < 1e-9);
    }

    #[test]
    fn a_belt_that_stays_stopped_never_arrives() {
        let travel = Travel::new(&SpeedProfile {
            segments: vec![Segment {
                for_s: 2.0,
                speed: Speed::Ramp { from_mm_s: 100.0, to_mm_s: 0.0 },
            }],
            after: After::Hold,
        });
        assert!(travel.reach_s(99.0).is_some());
        assert_eq!(travel.reach_s(101.0), None);
        assert_eq!(travel.position_mm(50.0), 100.0);
    }
}
