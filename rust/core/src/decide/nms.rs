//! Which of many overlapping candidates stay.
//!
//! The arithmetic is float32 and classes are kept apart by an offset, as the exporters do it, so that
//! the same candidates stay to the last one.

/// Candidates above this are cut off, the least first: no picture has as many things.
const MOST_UPRIGHT: usize = 30_000;
/// Each oriented candidate is held against every better one of its class.
const MOST_ORIENTED: usize = 4096;
/// Further apart than any picture is wide.
const CLASS_OFFSET: f32 = 7680.0;

/// A box that may stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) score: f32,
    pub(super) class: u16,
    /// Which anchor, query or row it came from.
    pub(super) index: u32,
    /// Two corners; centre and size of an oriented one. Pixels of the model's input.
    pub(super) numbers: [f32; 4],
    /// Radians.
    pub(super) angle: f32,
}

/// Greatest score first, equal ones in the order of their indexes; at most `most` stay.
pub(super) fn order(candidates: &mut Vec<Candidate>, most: usize) {
    let before =
        |a: &Candidate, b: &Candidate| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index));
    if candidates.len() > most {
        candidates.select_nth_unstable_by(most, before);
        candidates.truncate(most);
    }
    candidates.sort_unstable_by(before);
}

/// Keeps upright boxes that overlap no better one of their class by more than `iou`; at most `most`.
pub(super) fn upright(candidates: &mut Vec<Candidate>, iou: f32, agnostic: bool, most: usize) {
    order(candidates, MOST_UPRIGHT);
    let mut kept = 0;
    for at in 0..candidates.len() {
        if kept == most {
            break;
        }
        let candidate = candidates[at];
        let apart = |other: &Candidate| !agnostic && other.class != candidate.class;
        let beaten = candidates[..kept]
            .iter()
            .any(|better| !apart(better) && overlap(better, &candidate, agnostic) > iou);
        if !beaten {
            candidates[kept] = candidate;
            kept += 1;
        }
    }
    candidates.truncate(kept);
}

fn overlap(a: &Candidate, b: &Candidate, agnostic: bool) -> f32 {
    let offset = if agnostic { 0.0 } else { f32::from(a.class) * CLASS_OFFSET };
    let ([ax1, ay1, ax2, ay2], [bx1, by1, bx2, by2]) =
        (a.numbers.map(|n| n + offset), b.numbers.map(|n| n + offset));
    let width = (ax2.min(bx2) - ax1.max(bx1)).max(0.0);
    let height = (ay2.min(by2) - ay1.max(by1)).max(0.0);
    let both = width * height;
    both / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - both)
}

/// Keeps oriented boxes whose likeness to every better one of their class, also one that does not
/// stay itself, is at most `iou`; at most `most`.
pub(super) fn oriented(
    candidates: &mut Vec<Candidate>,
    spread: &mut Vec<[f32; 3]>,
    iou: f32,
    agnostic: bool,
    most: usize,
) {
    order(candidates, MOST_ORIENTED);
    spread.clear();
    spread.extend(candidates.iter().map(covariance));
    // What stays is marked first, since what does not stay still counts.
    let mut kept = 0;
    for at in 0..candidates.len() {
        let likeness = |better: usize| {
            let (a, b) = (&candidates[better], &candidates[at]);
            let apart = (!agnostic && a.class != b.class) || far(a, b);
            if apart { 0.0 } else { probiou((a, spread[better]), (b, spread[at]), agnostic) }
        };
        if kept < most && !(0..at).any(|better| likeness(better) > iou) {
            kept += 1;
        } else {
            // Its class cannot be told from the number, which is free to carry the mark.
            candidates[at].index |= BEATEN;
        }
    }
    candidates.retain(|candidate| candidate.index & BEATEN == 0);
}

/// Indexes never reach this bit: no output has as many anchors.
const BEATEN: u32 = 1 << 31;

/// So far apart that the likeness of two boxes is nothing.
fn far(a: &Candidate, b: &Candidate) -> bool {
    let reach = |c: &Candidate| c.numbers[2].max(c.numbers[3]);
    let distance = (a.numbers[0] - b.numbers[0]).abs().max((a.numbers[1] - b.numbers[1]).abs());
    distance > 2.0 * (reach(a) + reach(b))
}

/// Covariance of the Gaussian that stands for a box: xx, yy, xy.
fn covariance(candidate: &Candidate) -> [f32; 3] {
    let [_, _, width, height] = candidate.numbers;
    let (wide, high) = (width * width / 12.0, height * height / 12.0);
    let (sin, cos) = candidate.angle.sin_cos();
    [
        wide * cos * cos + high * sin * sin,
        wide * sin * sin + high * cos * cos,
        (wide - high) * cos * sin,
    ]
}

/// One minus the Hellinger distance of two Gaussians (Llerena et al. 2021, "Gaussian bounding boxes
/// and probabilistic intersection-over-union").
fn probiou(a: (&Candidate, [f32; 3]), b: (&Candidate, [f32; 3]), agnostic: bool) -> f32 {
    const EPSILON: f32 = 1e-7;
    let offset = if agnostic { 0.0 } else { f32::from(a.0.class) * CLASS_OFFSET };
    let centre = |c: &Candidate| (c.numbers[0] + offset, c.numbers[1] + offset);
    let ((ax, ay), (bx, by)) = (centre(a.0), centre(b.0));
    let ([axx, ayy, axy], [bxx, byy, bxy]) = (a.1, b.1);
    let (xx, yy, xy) = (axx + bxx, ayy + byy, axy + bxy);
    let determinant = xx * yy - xy * xy;
    let squares = xx * (ay - by) * (ay - by) + yy * (ax - bx) * (ax - bx);
    let near = squares / (determinant + EPSILON) * 0.25;
    let turned = (xy * (bx - ax) * (ay - by)) / (determinant + EPSILON) * 0.5;
    let own = |xx: f32, yy: f32, xy: f32| (xx * yy - xy * xy).max(0.0);
    let product = (own(axx, ayy, axy) * own(bxx, byy, bxy)).sqrt();
    let shape = (determinant / (4.0 * product + EPSILON) + EPSILON).ln() * 0.5;
    let distance = (near + turned + shape).clamp(EPSILON, 100.0);
    1.0 - (1.0 - (-distance).exp() + EPSILON).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(index: u32, class: u16, score: f32, numbers: [f32; 4]) -> Candidate {
        Candidate { score, class, index, numbers, angle: 0.0 }
    }

    fn indexes(candidates: &[Candidate]) -> Vec<u32> {
        candidates.iter().map(|candidate| candidate.index).collect()
    }

    #[test]
    fn the_better_of_two_that_overlap_stays_and_other_classes_do_not_count() {
        let mut boxes = vec![
            candidate(0, 0, 0.6, [0.0, 0.0, 10.0, 10.0]),
            candidate(1, 0, 0.9, [1.0, 0.0, 11.0, 10.0]),
            candidate(2, 1, 0.5, [1.0, 0.0, 11.0, 10.0]),
            candidate(3, 0, 0.4, [9.0, 0.0, 19.0, 10.0]),
        ];
        let mut all = boxes.clone();
        upright(&mut boxes, 0.7, false, 300);
        assert_eq!(indexes(&boxes), [1, 2, 3]);
        upright(&mut all, 0.7, true, 300);
        assert_eq!(indexes(&all), [1, 3]);
    }

    #[test]
    fn an_overlap_of_the_limit_itself_stays() {
        // 2 of 3: intersection 20, union 30.
        let mut boxes = vec![
            candidate(0, 0, 0.9, [0.0, 0.0, 10.0, 2.5]),
            candidate(1, 0, 0.8, [0.0, 0.5, 10.0, 3.0]),
        ];
        upright(&mut boxes, 2.0 / 3.0, false, 300);
        assert_eq!(boxes.len(), 2);
    }

    #[test]
    fn equal_scores_keep_the_order_of_the_output_and_the_most_is_kept() {
        let far = |index: u32| {
            let x = 100.0 * index as f32;
            candidate(index, 0, 0.5, [x, 0.0, x + 10.0, 10.0])
        };
        let mut boxes: Vec<_> = (0..10).map(far).collect();
        upright(&mut boxes, 0.7, false, 4);
        assert_eq!(indexes(&boxes), [0, 1, 2, 3]);
    }

    /// 1 beats 2, and 2 would beat 3: it does so although it does not stay.
    #[test]
    fn what_is_beaten_still_beats() {
        let turned = |index, score, x| {
            let numbers = [x, 50.0, 40.0, 10.0];
            Candidate { angle: 0.4, ..candidate(index, 0, score, numbers) }
        };
        let mut boxes = vec![turned(1, 0.9, 50.0), turned(2, 0.8, 55.0), turned(3, 0.7, 60.0)];
        let first = covariance(&boxes[0]);
        let alike = |a: usize, b: usize| probiou((&boxes[a], first), (&boxes[b], first), false);
        let (near, far) = (alike(0, 1), alike(0, 2));
        assert!(near > 0.6 && far < 0.6, "{near} {far}");
        oriented(&mut boxes, &mut Vec::new(), 0.6, false, 300);
        assert_eq!(indexes(&boxes), [1]);
    }

    #[test]
    fn a_box_is_like_itself_and_not_like_one_across() {
        let of = |angle| {
            let box_ = Candidate { angle, ..candidate(0, 0, 0.9, [50.0, 50.0, 80.0, 10.0]) };
            (box_, covariance(&box_))
        };
        let ((a, spread_a), (b, spread_b)) = (of(0.3), of(0.3 + std::f32::consts::FRAC_PI_2));
        assert!(probiou((&a, spread_a), (&a, spread_a), false) > 0.999);
        assert!(probiou((&a, spread_a), (&b, spread_b), false) < 0.5);
    }

    #[test]
    fn a_flood_of_candidates_ends() {
        let flood = |index: u32| candidate(index, 0, 0.5, [0.0, 0.0, 10.0, 10.0]);
        let mut boxes: Vec<_> = (0..1_000_000).map(flood).collect();
        upright(&mut boxes, 0.7, false, 300);
        assert_eq!(indexes(&boxes), [0]);
    }
}
