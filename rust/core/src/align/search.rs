//! Where each cell of the part lies in the template.
//!
//! A few bands of the picture tell roughly where the whole of it lies, within the radius. Around there, for
//! each shift and each cell, it is counted how many bits differ: a part that lies somewhere else has as
//! much room to be uneven as one in its place. Counts are summed over 3 x 3 cells twice, so that a cell
//! asks its neighbours; the shift with the least sum wins, where each pixel away from the shift that is
//! best for the whole picture costs something; a median over 5 x 5 cells takes out what is alone. All of
//! it is integer arithmetic: a count is at most 256, a sum at most 20,736.

use super::kernels::{Band, CELL, Kernels, LANES};
use super::loops::{Choose, Median, NEAR, Smooth, Step, Sum};
use super::template::{COARSE, Features, Golden, Planes, shrink};
use super::{Bits, MOST_LOCAL, STAY};

/// Counts of all bands are kept where they take no more memory; else those of five.
const KEPT_BYTES: usize = 8 << 20;
/// Bands that tell roughly where the whole lies.
const GLANCED: usize = 6;
/// How far from there more bands are asked, and how many: what repeats itself misleads a few.
const CLOSE: usize = 3;
const ASKED: usize = 20;
/// Bands that tell how uneven a large picture is.
const SAMPLED: usize = 24;
/// Weights of a band that nothing is known around.
const ALONE: [u16; 2 * NEAR + 1] = [0, 0, 9, 0, 0];

/// For each cell of 16 x 16 pixels, row after row, where the template shows what is there: its pixel
/// (x, y) is the template's (x + dx, y + dy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Cells of a row.
    pub columns: usize,
    /// Rows of cells.
    pub rows: usize,
    /// dx and dy of each.
    pub shifts: Vec<[i16; 2]>,
    /// The shift that is best for the whole picture.
    pub whole: [i32; 2],
}

impl Field {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, shifts: vec![[0; 2]; columns * rows], whole: [0; 2] }
    }

    pub(super) fn at(&self, column: usize, row: usize) -> [i16; 2] {
        self.shifts[row * self.columns + column]
    }
}

/// A box of shifts: the first dx and dy, and how many of each.
#[derive(Clone, Copy, Debug)]
struct Reach {
    first: [i32; 2],
    count: [usize; 2],
}

impl Reach {
    /// Those within `by` of `centre`, and none beyond `most`.
    fn around(centre: [i32; 2], by: usize, most: usize) -> Self {
        let (by, most) = (by as i32, most as i32);
        let first = centre.map(|centre| (centre - by).max(-most));
        let count =
            [0, 1].map(|axis| ((centre[axis] + by).min(most) - first[axis] + 1).max(1) as usize);
        Self { first, count }
    }

    /// From the first to the last of these columns and rows of shifts.
    fn within(self, ends: [[i32; 2]; 2]) -> Self {
        let ends = [0, 1].map(|axis: usize| {
            let most = self.count[axis] as i32 - 1;
            ends[axis].map(|end| end.clamp(0, most))
        });
        Self {
            first: [0, 1].map(|axis: usize| self.first[axis] + ends[axis][0]),
            count: ends.map(|[first, last]| (last - first).max(0) as usize + 1),
        }
    }

    fn len(&self) -> usize {
        self.count[0] * self.count[1]
    }

    /// Whether a shift is as far as the box goes.
    fn ends_at(&self, shift: [i16; 2]) -> bool {
        [0, 1].into_iter().any(|axis| {
            let by = i32::from(shift[axis]) - self.first[axis];
            by <= 0 || by + 1 >= self.count[axis] as i32
        })
    }

    /// Counts lie column of shifts after column of shifts.
    fn index(&self, column: usize, row: usize) -> usize {
        column * self.count[1] + row
    }
}

/// The memory that a search works in.
#[derive(Debug)]
pub(super) struct Search {
    columns: usize,
    rows: usize,
    lanes: usize,
    /// Bands whose counts are kept.
    kept: usize,
    /// Shifts, times lanes.
    room: usize,
    counts: Vec<u16>,
    totals: Vec<u32>,
    order: Vec<Step>,
    line: Vec<u16>,
    which: Vec<u16>,
    small: Option<Small>,
    raw: Field,
    padded: Vec<[i16; 2]>,
    like: Vec<u16>,
    pub(super) field: Field,
    /// Share of the cells that count whose shift is as far as was searched, 0..1; 1 where the whole picture's
    /// is.
    pub(super) at_limit: f64,
    /// The least and the greatest dx, and dy, of cells that count.
    pub(super) ends: [[i32; 2]; 2],
}

/// The part at a quarter of its size.
#[derive(Debug)]
struct Small {
    pixels: Vec<u8>,
    features: Features,
}

impl Search {
    pub(super) fn new(golden: &Golden) -> Self {
        let (columns, rows) = (golden.width.div_ceil(CELL), golden.height.div_ceil(CELL));
        let lanes = columns.next_multiple_of(LANES);
        let settings = &golden.settings;
        // A glance of two levels goes a pixel beyond the radius.
        let glanced = (settings.radius_px + 1).min(MOST_LOCAL + 1);
        let local = 2 * glanced.max(settings.searched_px()) + 1;
        let coarse = golden.coarse.as_ref().map(|(planes, _)| planes);
        let wide = coarse.map_or(0, |_| 2 * (settings.radius_px + 1).div_ceil(COARSE) + 1);
        let shifts = (local * local).max(wide * wide).max((2 * COARSE + 1).pow(2));
        let room = shifts * lanes;
        let all = 2 * room * rows;
        let kept = if all <= KEPT_BYTES { rows } else { rows.min(2 * NEAR + 1) };
        Self {
            columns,
            rows,
            lanes,
            kept,
            room,
            counts: vec![0; room * kept],
            totals: vec![0; shifts],
            order: Vec::with_capacity(shifts),
            line: vec![0; columns + 4],
            which: vec![0; lanes],
            small: coarse.map(|planes| Small {
                pixels: vec![0; planes.width * planes.height],
                features: Features::new(settings.levels, planes.width, planes.height),
            }),
            raw: Field::new(columns, rows),
            padded: vec![[0; 2]; (columns + 4) * (rows + 4)],
            like: vec![0; 2 * columns],
            field: Field::new(columns, rows),
            at_limit: 0.0,
            ends: [[0; 2]; 2],
        }
    }

    /// Roughly where the whole of a part lies: its grey levels, and its features. Up to a pixel beyond the
    /// radius, so that what lies at the radius is known to lie there. `there` is worked in.
    pub(super) fn glance(
        &mut self,
        golden: &Golden,
        pixels: &[u8],
        part: &Features,
        there: &mut Bits,
        kernels: Kernels,
    ) -> [i32; 2] {
        let radius = golden.settings.radius_px + 1;
        let around = match self.wide(golden, pixels, kernels) {
            Some(near) => Reach::around(near, COARSE, radius),
            None => Reach::around([0; 2], radius, radius),
        };
        let mut at = |reach: Reach, bands: usize, valid: Option<&Bits>| {
            let every = self.rows.div_ceil(bands);
            self.whole(&golden.features, &part.planes, valid, reach, every, kernels)
        };
        let near = at(around, GLANCED, golden.valid.as_ref());
        let close = Reach::around(near, CLOSE, radius);
        if golden.cares_for_all() {
            at(close, ASKED, golden.valid.as_ref())
        } else {
            // What is not cared for lies elsewhere in a part that does.
            there.shift_of(&golden.care, near);
            at(close, ASKED, Some(there))
        }
    }

    /// Fills `field` for a part that has been moved `by` so much, and then lies `near`; of its bits only
    /// the `valid` ones count.
    pub(super) fn run(
        &mut self,
        golden: &Golden,
        part: &Features,
        valid: Option<&Bits>,
        by: [i32; 2],
        near: [i32; 2],
        kernels: Kernels,
    ) {
        let local = golden.settings.searched_px();
        let mut reach = Reach::around(near, local, STAY + local);
        self.totals[..reach.len()].fill(0);
        let all = self.kept == self.rows;
        let mut counted = 0;
        if all {
            for band in 0..self.rows {
                self.tally(golden, part, valid, reach, band, kernels);
            }
            counted = self.rows;
            self.raw.whole = self.least(reach);
        } else {
            self.order(reach, near, golden.penalty);
            reach = self.spread(golden, part, valid, reach, kernels);
        }
        self.order(reach, self.raw.whole, golden.penalty);
        for band in 0..self.rows {
            while counted < (band + NEAR + 1).min(self.rows) {
                self.count(&golden.features, (&part.planes, 1), valid, reach, counted, kernels);
                self.smooth(&part.planes, reach, counted, kernels);
                counted += 1;
            }
            self.choose(reach, band, self.weights(band), kernels);
        }
        self.field.whole = self.raw.whole;
        kernels.run(Median {
            from: &self.raw,
            padded: &mut self.padded,
            like: &mut self.like,
            to: &mut self.field.shifts,
        });
        let radius = golden.settings.radius_px;
        self.look(reach, valid);
        let far = |axis: usize| (self.raw.whole[axis] + by[axis]).unsigned_abs() as usize > radius;
        if far(0) || far(1) {
            self.at_limit = 1.0;
        }
        let local = golden.settings.local_px() as i32;
        if local < golden.settings.searched_px() as i32 {
            let least = near.map(|near| (near - local) as i16);
            let most = near.map(|near| (near + local) as i16);
            for shift in &mut self.field.shifts {
                *shift = [0, 1].map(|axis: usize| shift[axis].clamp(least[axis], most[axis]));
            }
        }
    }

    /// What the cells of the field say that count: those with a valid bit.
    fn look(&mut self, reach: Reach, valid: Option<&Bits>) {
        let (mut cells, mut far) = (0_usize, 0_usize);
        let mut ends = [[i32::MAX, i32::MIN]; 2];
        for band in 0..self.rows {
            if let Some(valid) = valid {
                self.which.fill(0);
                for y in band * CELL..((band + 1) * CELL).min(valid.height) {
                    let (pairs, _) = valid.row(y).as_chunks::<2>();
                    for (any, pair) in self.which.iter_mut().zip(pairs) {
                        *any |= u16::from_le_bytes(*pair);
                    }
                }
            } else {
                self.which.fill(1);
            }
            let shifts = &self.field.shifts[band * self.columns..][..self.columns];
            for (shift, _) in shifts.iter().zip(&self.which).filter(|(_, any)| **any != 0) {
                cells += 1;
                far += usize::from(reach.ends_at(*shift));
                for axis in [0, 1] {
                    let [least, greatest] = &mut ends[axis];
                    let by = i32::from(shift[axis]);
                    (*least, *greatest) = (by.min(*least), by.max(*greatest));
                }
            }
        }
        self.at_limit = far as f64 / cells.max(1) as f64;
        self.ends = if cells > 0 { ends } else { self.raw.whole.map(|by| [by; 2]) };
    }

    /// How far apart the cells of a large picture lie, as far as some bands can tell by themselves:
    /// nearly all of them, and a little more. Further away nothing has to be searched. They also tell
    /// where the whole lies.
    fn spread(
        &mut self,
        golden: &Golden,
        part: &Features,
        valid: Option<&Bits>,
        reach: Reach,
        kernels: Kernels,
    ) -> Reach {
        let mut found = [[0_usize; 2 * MOST_LOCAL + 1]; 2];
        let mut cells = 0;
        let every = self.rows.div_ceil(SAMPLED);
        for band in (every / 2..self.rows).step_by(every) {
            self.tally(golden, part, valid, reach, band, kernels);
            self.choose(reach, band, ALONE, kernels);
            for shift in &self.raw.shifts[band * self.columns..][..self.columns] {
                for axis in [0, 1] {
                    found[axis][(i32::from(shift[axis]) - reach.first[axis]) as usize] += 1;
                }
            }
            cells += self.columns;
        }
        self.raw.whole = self.least(reach);
        // All but a thousandth to each side, and two pixels more.
        reach.within(found.map(|counts| {
            let tail = |counts: &mut dyn Iterator<Item = &usize>| {
                let mut passed = 0;
                let few = |count: &&usize| {
                    passed += **count;
                    passed * 1000 <= cells
                };
                counts.take_while(few).count() as i32
            };
            let last = counts.len() as i32 - 1;
            [tail(&mut counts.iter()) - 2, last - tail(&mut counts.iter().rev()) + 2]
        }))
    }

    /// Counts a band, adds it to the totals and sums it over its cells.
    fn tally(
        &mut self,
        golden: &Golden,
        part: &Features,
        valid: Option<&Bits>,
        reach: Reach,
        band: usize,
        kernels: Kernels,
    ) {
        self.count(&golden.features, (&part.planes, 1), valid, reach, band, kernels);
        self.sum(reach, band, [self.columns, self.lanes], kernels);
        self.smooth(&part.planes, reach, band, kernels);
    }

    /// Where the whole part lies, to a few pixels, where that is searched for at a quarter of its size.
    fn wide(&mut self, golden: &Golden, pixels: &[u8], kernels: Kernels) -> Option<[i32; 2]> {
        let (planes, valid) = golden.coarse.as_ref()?;
        let mut small = self.small.take()?;
        shrink(pixels, golden.width, &mut small.pixels, planes.width);
        small.features.read(&small.pixels, kernels);
        let radius = (golden.settings.radius_px + 1).div_ceil(COARSE);
        let reach = Reach::around([0; 2], radius, radius);
        let near = self.whole(planes, &small.features.planes, valid.as_ref(), reach, 1, kernels);
        self.small = Some(small);
        Some(near.map(|by| by * COARSE as i32))
    }

    /// The shift with the fewest bits that differ, of every `every`th band and every other plane: those
    /// that become brighter.
    fn whole(
        &mut self,
        template: &Planes,
        part: &[Bits],
        valid: Option<&Bits>,
        reach: Reach,
        every: usize,
        kernels: Kernels,
    ) -> [i32; 2] {
        self.totals[..reach.len()].fill(0);
        // Without a mask only whole cells are counted.
        let (columns, rows) = match valid {
            Some(_) => (template.width.div_ceil(CELL), template.height.div_ceil(CELL)),
            None => (template.width / CELL, template.height / CELL),
        };
        for band in (every / 2..rows).step_by(every) {
            self.count(template, (part, 2), valid, reach, band, kernels);
            self.sum(reach, band, [columns, part[0].stride / 2], kernels);
        }
        self.least(reach)
    }

    /// Counts what differs in a band, of every `step`th plane, into the place of that band.
    fn count(
        &mut self,
        template: &Planes,
        (part, step): (&[Bits], usize),
        valid: Option<&Bits>,
        reach: Reach,
        band: usize,
        kernels: Kernels,
    ) {
        let y = band * CELL;
        let rows = CELL.min(template.height - y);
        let [columns, shifts] = reach.count;
        let lanes = part[0].stride / 2;
        let counts = &mut self.counts[band % self.kept * self.room..][..reach.len() * lanes];
        for column in 0..columns {
            let counts = &mut counts[column * shifts * lanes..][..shifts * lanes];
            let first = [reach.first[0] + column as i32, reach.first[1]];
            for (plane, bits) in part.iter().enumerate().step_by(step) {
                let under = template.under(plane, y, first);
                let valid = valid.map(|valid| valid.rows_from(y));
                let strides = [bits.stride, template.stride];
                let task = Band::new(bits.rows_from(y), valid, under, strides, rows, shifts);
                kernels.count(&task.adding(plane > 0), counts);
            }
        }
    }

    /// Adds a band's counts to the totals of their shifts.
    fn sum(&mut self, reach: Reach, band: usize, [columns, lanes]: [usize; 2], kernels: Kernels) {
        let counts = &self.counts[band % self.kept * self.room..][..reach.len() * lanes];
        kernels.run(Sum { counts, lanes, columns, totals: &mut self.totals });
    }

    /// The shift with the least total; of equal ones the nearest, since a picture that shows nothing lies
    /// anywhere.
    fn least(&self, reach: Reach) -> [i32; 2] {
        let mut least = (u32::MAX, u32::MAX, [0; 2]);
        for row in 0..reach.count[1] {
            for column in 0..reach.count[0] {
                let shift = [reach.first[0] + column as i32, reach.first[1] + row as i32];
                let [right, down] = shift.map(i32::unsigned_abs);
                let one = (self.totals[reach.index(column, row)], right + down, shift);
                if one < least {
                    least = one;
                }
            }
        }
        least.2
    }

    /// Sums a band's counts over three cells of a row, twice.
    fn smooth(&mut self, part: &[Bits], reach: Reach, band: usize, kernels: Kernels) {
        let counts = &mut self.counts[band % self.kept * self.room..][..reach.len() * self.lanes];
        kernels.run(Smooth {
            counts,
            lanes: self.lanes,
            columns: self.columns,
            several: part.len() > 1,
            line: &mut self.line,
        });
    }

    /// The order in which shifts are tried: those near the whole picture's first, since a tie is
    /// theirs.
    fn order(&mut self, reach: Reach, whole: [i32; 2], penalty: usize) {
        self.order.clear();
        for row in 0..reach.count[1] {
            for column in 0..reach.count[0] {
                let shift = [reach.first[0] + column as i32, reach.first[1] + row as i32];
                let away = (shift[0].abs_diff(whole[0]) + shift[1].abs_diff(whole[1])) as usize;
                self.order.push(Step {
                    shift: shift.map(|by| by as i16),
                    at: reach.index(column, row) * self.lanes,
                    penalty: (penalty * away) as u16,
                });
            }
        }
        self.order.sort_unstable_by_key(|step| (step.penalty, step.shift[1], step.shift[0]));
    }

    /// How often a sum over three bands, twice, counts each of the five around a band.
    fn weights(&self, band: usize) -> [u16; 2 * NEAR + 1] {
        let mut weights = [0; 2 * NEAR + 1];
        for a in -1..=1 {
            for b in -1..=1 {
                let within = |row: isize| row.clamp(0, self.rows as isize - 1);
                let row = within(within(band as isize + a) + b);
                weights[(row - band as isize + NEAR as isize) as usize] += 1;
            }
        }
        weights
    }

    /// The best shift of each cell of a band.
    fn choose(
        &mut self,
        reach: Reach,
        band: usize,
        weights: [u16; 2 * NEAR + 1],
        kernels: Kernels,
    ) {
        let length = reach.len() * self.lanes;
        let rows = [0, 1, 2, 3, 4].map(|near: usize| {
            // A row without weight may lie beyond the picture: any other stands there for it.
            let row = if weights[near] == 0 { band } else { band + near - NEAR };
            &self.counts[row % self.kept * self.room..][..length]
        });
        let (order, lanes) = (&self.order, self.lanes);
        kernels.run(Choose { rows, weights, order, lanes, which: &mut self.which });
        let cells = &mut self.raw.shifts[band * self.columns..][..self.columns];
        for (cell, which) in cells.iter_mut().zip(&self.which) {
            *cell = order[usize::from(*which)].shift;
        }
    }
}
