//! The ledger's contacts against a simulation that takes tiny steps of time and knows no geometry
//! but "what overlaps now".

mod common;

use common::{any_commands, any_setup, run};
use proptest::prelude::*;
use smartqc_belt::{Belt, EjectorModel, Fate, PartRecord, StrokeId, StrokeState};

const STEP_NS: i64 = 50_000;

/// What one stroke did to one part, by looking at every step.
struct Seen {
    most_mm: f64,
    least_in_hit_mm: f64,
    whole_hit_seen: bool,
    /// How far a part moved in one step at most: the truth may be off by this.
    blur_mm: f64,
}

fn look(belt: &Belt, part: &PartRecord, model: &EjectorModel, stroke: StrokeId) -> Option<Seen> {
    let StrokeState::Made { begins_ns, hit_ns, ends_ns, .. } = belt.ledger().stroke(stroke)?.state
    else {
        return None;
    };
    let from_ns = begins_ns.max(part.entered_ns);
    let to_ns = ends_ns.min(part.left_ns?);
    let at_belt_mm = belt.position_mm(part.entered_ns);
    let mut seen = Seen {
        most_mm: 0.0,
        least_in_hit_mm: f64::INFINITY,
        whole_hit_seen: part.entered_ns <= begins_ns && hit_ns <= to_ns,
        blur_mm: 1e-3,
    };
    let mut before: Option<f64> = None;
    let mut at_ns = from_ns;
    while at_ns <= to_ns {
        let lead_mm = (belt.position_mm(at_ns) - at_belt_mm) * (1.0 - part.slip);
        let rear_mm = lead_mm - part.length_mm;
        let face_from = model.at_mm - model.face_mm / 2.0;
        let face_to = model.at_mm + model.face_mm / 2.0;
        let overlap_mm = (lead_mm.min(face_to) - rear_mm.max(face_from)).max(0.0);
        seen.most_mm = seen.most_mm.max(overlap_mm);
        if at_ns <= hit_ns {
            seen.least_in_hit_mm = seen.least_in_hit_mm.min(overlap_mm);
        }
        if let Some(before) = before {
            seen.blur_mm = seen.blur_mm.max(lead_mm - before);
        }
        before = Some(lead_mm);
        // The end of the hit and of the stay are looked at, too.
        let next_ns = at_ns + STEP_NS;
        let ends = [hit_ns, to_ns];
        at_ns = ends
            .into_iter()
            .filter(|end| (at_ns + 1..next_ns).contains(end))
            .min()
            .unwrap_or(next_ns);
    }
    before.map(|_| seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_sweep_agrees_with_tiny_steps(setup in any_setup(), commands in any_commands()) {
        let (belt, _) = run(setup, &commands);
        let ledger = belt.ledger();
        for (index, stroke) in ledger.strokes().iter().enumerate() {
            let id = StrokeId(index as u32);
            let model = &belt.setup().ejectors[stroke.ejector];
            for part in ledger.parts() {
                let booked = ledger.contacts_of(part.part).find(|contact| contact.stroke == id);
                let Some(seen) = look(&belt, part, model, id) else {
                    prop_assert!(booked.is_none(), "{part:?} was not there for {stroke:?}");
                    continue;
                };
                let blur_mm = seen.blur_mm * 2.0;
                match booked {
                    None => prop_assert!(seen.most_mm <= blur_mm, "missed {part:?} {stroke:?}"),
                    Some(contact) => {
                        prop_assert!((contact.overlap_mm - seen.most_mm).abs() <= blur_mm);
                        let held_mm = if seen.whole_hit_seen { seen.least_in_hit_mm } else { 0.0 };
                        prop_assert!((contact.held_mm - held_mm).abs() <= blur_mm);
                        let removed_here = matches!(
                            part.fate, Fate::Removed { stroke, .. } if stroke == id
                        );
                        prop_assert_eq!(contact.removed, removed_here);
                    }
                }
                if !seen.whole_hit_seen {
                    prop_assert!(!booked.is_some_and(|contact| contact.removed));
                    continue;
                }
                let least_mm = seen.least_in_hit_mm;
                let grip_mm = model.grip_share * model.face_mm.min(part.length_mm);
                if least_mm > model.face_mm.min(grip_mm) + blur_mm {
                    prop_assert!(booked.is_some_and(|contact| contact.removed));
                } else if least_mm < grip_mm.min(model.face_mm) - blur_mm {
                    prop_assert!(!booked.is_some_and(|contact| contact.removed));
                }
                if let Fate::Removed { stroke, clean, .. } = part.fate
                    && stroke == id
                {
                    if least_mm < model.face_mm - blur_mm {
                        prop_assert!(!clean);
                    } else if least_mm >= model.face_mm {
                        prop_assert!(clean);
                    }
                }
            }
        }
    }
}
