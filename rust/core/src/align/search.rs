//! Where each cell of the part lies in the template.
//!
//! Of each shift and each cell it is counted how many bits differ. Counts are summed over 3 x 3 cells
//! twice, so that a cell asks its neighbours; the shift with the least sum wins, where each pixel away
//! from the shift that is best for the whole picture costs something; a median over 5 x 5 cells takes
//! out what is alone. All of it is integer arithmetic: a count is at most 256, a sum at most 20,736.

use super::kernels::{Band, CELL, Kernels, LANES, Portable};
use super::template::{COARSE, Features, Golden, Planes, shrink};
use super::{Bits, Settings};

/// What a pixel away from the best shift of the whole picture costs: 0.0015 of all bits.
const PENALTY: usize = 31;
/// Cells above and below that a sum reaches.
const NEAR: usize = 2;
/// Counts of all bands are kept where they take no more memory; else those of five.
const KEPT_BYTES: usize = 8 << 20;
/// Bands that the shift of a whole large picture is taken from.
const SAMPLED: usize = 24;
/// Further away a cell of a large picture is not looked for.
const MOST_AWAY: usize = 12;
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

    /// Share of the cells whose shift is as far as `radius` allows, 0..1; 1 where the whole picture's
    /// is.
    pub(super) fn at_limit(&self, radius: usize) -> f64 {
        let far = |shift: i32| shift.unsigned_abs() as usize >= radius;
        if self.whole.into_iter().any(far) {
            return 1.0;
        }
        let cells = self.shifts.iter().filter(|shift| shift.iter().any(|by| far(i32::from(*by))));
        cells.count() as f64 / self.shifts.len() as f64
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

    /// What of it lies within `by` of `centre`.
    fn cut(self, centre: [i32; 2], by: [usize; 2]) -> Self {
        let last = |axis: usize| self.first[axis] + self.count[axis] as i32 - 1;
        let first = [0, 1].map(|axis| (centre[axis] - by[axis] as i32).max(self.first[axis]));
        let count =
            [0, 1].map(|axis| (centre[axis] + by[axis] as i32).min(last(axis)) - first[axis] + 1);
        Self { first, count: count.map(|count| count.max(1) as usize) }
    }

    fn len(&self) -> usize {
        self.count[0] * self.count[1]
    }

    /// Counts lie column of shifts after column of shifts.
    fn index(&self, column: usize, row: usize) -> usize {
        column * self.count[1] + row
    }
}

/// One shift, in the order in which shifts are tried.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    shift: [i16; 2],
    /// Where its counts begin.
    at: usize,
    penalty: u16,
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
    lines: [Vec<u16>; 2],
    which: Vec<u16>,
    small: Option<Small>,
    raw: Field,
    pub(super) field: Field,
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
        let local = 2 * settings.local_px().min(settings.radius_px) + 1;
        let coarse = golden.coarse.as_ref();
        let wide = coarse.map_or(0, |_| 2 * settings.radius_px.div_ceil(COARSE) + 1);
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
            lines: [vec![0; columns + 2], vec![0; columns + 2]],
            which: vec![0; lanes],
            small: coarse.map(|planes| Small {
                pixels: vec![0; planes.width * planes.height],
                features: Features::new(settings.levels, planes.width, planes.height),
            }),
            raw: Field::new(columns, rows),
            field: Field::new(columns, rows),
        }
    }

    /// Fills `field` for a part: its grey levels, and its features.
    pub(super) fn run(
        &mut self,
        golden: &Golden,
        pixels: &[u8],
        part: &Features,
        kernels: Kernels,
    ) {
        let Settings { radius_px: radius, .. } = golden.settings;
        let local = golden.settings.local_px();
        let near = self.wide(golden, pixels, kernels).map(|near| {
            let reach = Reach::around(near, COARSE, radius);
            let every = self.rows.div_ceil(SAMPLED);
            let valid = golden.valid.as_ref();
            self.whole(&golden.features, &part.planes, valid, reach, every, kernels)
        });
        let mut reach = Reach::around(near.unwrap_or([0; 2]), local, radius);
        let all = self.kept == self.rows;
        let valid = golden.valid.as_ref();
        let whole = match near {
            Some(whole) => whole,
            None if all => {
                self.totals[..reach.len()].fill(0);
                for band in 0..self.rows {
                    self.count(&golden.features, &part.planes, valid, reach, band, kernels);
                    self.sum(reach, band, [self.columns, self.lanes], kernels);
                    self.smooth(&part.planes, reach, band, kernels);
                }
                self.least(reach)
            }
            None => {
                let every = self.rows.div_ceil(SAMPLED);
                self.whole(&golden.features, &part.planes, valid, reach, every, kernels)
            }
        };
        let mut counted = if all && near.is_none() { self.rows } else { 0 };
        self.order(reach, whole);
        if !all {
            reach = self.spread(golden, part, reach, whole, kernels);
            self.order(reach, whole);
        }
        for band in 0..self.rows {
            while counted < (band + NEAR + 1).min(self.rows) {
                self.count(&golden.features, &part.planes, valid, reach, counted, kernels);
                self.smooth(&part.planes, reach, counted, kernels);
                counted += 1;
            }
            self.choose(reach, band, self.weights(band), kernels);
        }
        self.raw.whole = whole;
        median(&self.raw, &mut self.field);
    }

    /// How far cells of a large picture are from its whole, as far as some bands can tell by
    /// themselves: nearly all of them, and a little more. Further away nothing has to be searched.
    fn spread(
        &mut self,
        golden: &Golden,
        part: &Features,
        reach: Reach,
        whole: [i32; 2],
        kernels: Kernels,
    ) -> Reach {
        let mut far = [[0_usize; MOST_AWAY + 1]; 2];
        let mut cells = 0;
        for band in (0..self.rows).step_by(self.rows.div_ceil(SAMPLED)) {
            let valid = golden.valid.as_ref();
            self.count(&golden.features, &part.planes, valid, reach, band, kernels);
            self.smooth(&part.planes, reach, band, kernels);
            self.choose(reach, band, ALONE, kernels);
            for shift in &self.raw.shifts[band * self.columns..][..self.columns] {
                for axis in [0, 1] {
                    let away = i32::from(shift[axis]).abs_diff(whole[axis]) as usize;
                    far[axis][away.min(MOST_AWAY)] += 1;
                }
            }
            cells += self.columns;
        }
        let [right, down] = far.map(|far| {
            let mut within = 0;
            let reached = far.iter().position(|count| {
                within += count;
                within * 1000 >= cells * 998
            });
            reached.unwrap_or(MOST_AWAY) + 2
        });
        reach.cut(whole, [right, down])
    }

    /// Where the whole part lies, to a few pixels, where that is searched for at a quarter of its size.
    fn wide(&mut self, golden: &Golden, pixels: &[u8], kernels: Kernels) -> Option<[i32; 2]> {
        let planes = golden.coarse.as_ref()?;
        let mut small = self.small.take()?;
        shrink(pixels, golden.width, &mut small.pixels, planes.width);
        small.features.read(&small.pixels, kernels);
        let radius = golden.settings.radius_px.div_ceil(COARSE);
        let reach = Reach::around([0; 2], radius, radius);
        let near = self.whole(planes, &small.features.planes, None, reach, 1, kernels);
        self.small = Some(small);
        Some(near.map(|by| by * COARSE as i32))
    }

    /// The shift with the fewest bits that differ, of every `every`th band.
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
        for band in (0..rows).step_by(every) {
            self.count(template, part, valid, reach, band, kernels);
            self.sum(reach, band, [columns, part[0].stride / 2], kernels);
        }
        self.least(reach)
    }

    /// Counts what differs in a band, into the place of that band.
    fn count(
        &mut self,
        template: &Planes,
        part: &[Bits],
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
            for (plane, bits) in part.iter().enumerate().take(template.count()) {
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

    /// The shift with the least total; of equal ones the upper, then the left.
    fn least(&self, reach: Reach) -> [i32; 2] {
        let mut least = (u32::MAX, [0; 2]);
        for row in 0..reach.count[1] {
            for column in 0..reach.count[0] {
                let total = self.totals[reach.index(column, row)];
                if total < least.0 {
                    least = (total, [column as i32, row as i32]);
                }
            }
        }
        [0, 1].map(|axis| reach.first[axis] + least.1[axis])
    }

    /// Sums a band's counts over three cells of a row, twice.
    fn smooth(&mut self, part: &[Bits], reach: Reach, band: usize, kernels: Kernels) {
        let [first, second] = &mut self.lines;
        let counts = &mut self.counts[band % self.kept * self.room..][..reach.len() * self.lanes];
        kernels.run(Smooth {
            counts,
            lanes: self.lanes,
            columns: self.columns,
            planes: part.len() as u16,
            lines: [first, second],
        });
    }

    /// The order in which shifts are tried: those near the whole picture's first, since a tie is
    /// theirs.
    fn order(&mut self, reach: Reach, whole: [i32; 2]) {
        self.order.clear();
        for row in 0..reach.count[1] {
            for column in 0..reach.count[0] {
                let shift = [reach.first[0] + column as i32, reach.first[1] + row as i32];
                let away = (shift[0].abs_diff(whole[0]) + shift[1].abs_diff(whole[1])) as usize;
                self.order.push(Step {
                    shift: shift.map(|by| by as i16),
                    at: reach.index(column, row) * self.lanes,
                    penalty: (PENALTY * away) as u16,
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
            // A row beyond the picture has no weight, and any other may stand there for it.
            let row = (band + near).saturating_sub(NEAR).min(self.rows - 1);
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

/// See [`Search::sum`].
struct Sum<'a> {
    counts: &'a [u16],
    lanes: usize,
    columns: usize,
    totals: &'a mut [u32],
}

impl Portable for Sum<'_> {
    #[inline(always)]
    fn run(self) {
        for (total, counts) in self.totals.iter_mut().zip(self.counts.chunks_exact(self.lanes)) {
            // A picture has at most 2^28 pixels of 4 bits.
            *total += counts[..self.columns].iter().map(|count| u32::from(*count)).sum::<u32>();
        }
    }
}

/// See [`Search::smooth`].
struct Smooth<'a> {
    counts: &'a mut [u16],
    lanes: usize,
    columns: usize,
    /// Several planes count more bits: they are brought back to what one has.
    planes: u16,
    lines: [&'a mut [u16]; 2],
}

impl Portable for Smooth<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { counts, lanes, columns, planes, lines: [a, b] } = self;
        for row in counts.chunks_exact_mut(lanes) {
            a[1..=columns].copy_from_slice(&row[..columns]);
            (a[0], a[columns + 1]) = (a[1], a[columns]);
            three(a, &mut b[1..=columns]);
            (b[0], b[columns + 1]) = (b[1], b[columns]);
            three(b, &mut row[..columns]);
            if planes > 1 {
                // Four planes: at most 1,024 a cell, and 9,216 here.
                row[..columns].iter_mut().for_each(|sum| *sum = (*sum + planes / 2) / 4);
            }
        }
    }
}

#[inline(always)]
fn three(from: &[u16], to: &mut [u16]) {
    let threes = from.iter().zip(&from[1..]).zip(&from[2..]);
    for (sum, ((a, b), c)) in to.iter_mut().zip(threes) {
        *sum = a + b + c;
    }
}

/// See [`Search::choose`].
struct Choose<'a> {
    rows: [&'a [u16]; 2 * NEAR + 1],
    weights: [u16; 2 * NEAR + 1],
    order: &'a [Step],
    lanes: usize,
    which: &'a mut [u16],
}

impl Portable for Choose<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { rows, weights, order, lanes, which } = self;
        for first in (0..lanes).step_by(LANES) {
            let mut best = [u16::MAX; LANES];
            let mut chosen = [0; LANES];
            for (number, step) in order.iter().enumerate() {
                let at = step.at + first;
                let [a, b, c, d, e] = rows.map(|row| &row[at..at + LANES]);
                let [wa, wb, wc, wd, we] = weights;
                for lane in 0..LANES {
                    // At most 20,736 and the penalty; what lies beyond the last column is anything.
                    let sum = a[lane]
                        .wrapping_mul(wa)
                        .wrapping_add(b[lane].wrapping_mul(wb))
                        .wrapping_add(c[lane].wrapping_mul(wc))
                        .wrapping_add(d[lane].wrapping_mul(wd))
                        .wrapping_add(e[lane].wrapping_mul(we))
                        .wrapping_add(step.penalty);
                    let less = sum < best[lane];
                    best[lane] = if less { sum } else { best[lane] };
                    chosen[lane] = if less { number as u16 } else { chosen[lane] };
                }
            }
            which[first..first + LANES].copy_from_slice(&chosen);
        }
    }
}

/// The median of 5 x 5 cells, each axis for itself; the border goes on beyond it.
fn median(from: &Field, to: &mut Field) {
    let (columns, rows) = (from.columns, from.rows);
    to.whole = from.whole;
    for row in 0..rows {
        for column in 0..columns {
            let mut near = [[0; 25]; 2];
            let mut count = 0;
            let own = from.at(column, row);
            let mut like = [0; 2];
            for y in row..row + 5 {
                for x in column..column + 5 {
                    let at = |at: usize, side: usize| at.saturating_sub(2).min(side - 1);
                    let shift = from.at(at(x, columns), at(y, rows));
                    for axis in [0, 1] {
                        near[axis][count] = shift[axis];
                        like[axis] += u32::from(shift[axis] == own[axis]);
                    }
                    count += 1;
                }
            }
            // What most of them have is the median of them all.
            to.shifts[row * columns + column] = [0, 1].map(|axis| match like[axis] {
                13.. => own[axis],
                _ => *near[axis].select_nth_unstable(12).1,
            });
        }
    }
}
