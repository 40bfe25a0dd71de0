//! What differs, cleaned and taken apart: an opening of 2 x 2, then parts that hang together by sides
//! or corners.

use super::WINDOW;
use super::bits::{Bits, word};
use super::kernels::{Kernels, Portable};
use super::windows::Window;

/// Pieces of rows that are looked at; a part with more is not the product.
pub(super) const MOST_RUNS: usize = 1 << 16;

/// Something that differs, in the template's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component {
    /// First column and row, and the last ones plus 1.
    pub corners: [u32; 4],
    /// Pixels.
    pub area: u32,
    /// Pixels whose eight neighbours belong to it too.
    pub core: u32,
}

impl Component {
    /// Columns and rows.
    pub fn size(&self) -> [u32; 2] {
        [self.corners[2] - self.corners[0], self.corners[3] - self.corners[1]]
    }
}

/// Pixels of a row that hang together.
#[derive(Clone, Copy, Debug)]
struct Run {
    row: u32,
    first: u32,
    end: u32,
    /// An earlier run of the same component, or itself.
    of: u32,
}

/// Memory for taking differences apart.
#[derive(Debug)]
pub(super) struct Components {
    opened: Bits,
    work: Bits,
    /// A row's words, and one more to each side.
    line: Vec<u64>,
    runs: Vec<Run>,
    /// Each run's component.
    numbers: Vec<u32>,
    /// The first run of each row, and behind the last one their number.
    rows: Vec<usize>,
    found: Vec<Component>,
    /// Whether there were more runs than are looked at.
    pub(super) overflow: bool,
}

impl Components {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            opened: Bits::new(width, height),
            work: Bits::new(width, height),
            line: vec![0; width.div_ceil(64) + 2],
            runs: Vec::with_capacity(MOST_RUNS),
            numbers: Vec::with_capacity(MOST_RUNS),
            rows: Vec::with_capacity(height + 1),
            found: Vec::with_capacity(MOST_RUNS),
            overflow: false,
        }
    }

    /// All of the last picture, in no order.
    pub(super) fn found(&self) -> &[Component] {
        &self.found
    }

    /// Takes `difference` apart.
    pub(super) fn find(&mut self, difference: &Bits, kernels: Kernels) {
        let Self { opened, work, line, .. } = self;
        // As cv2.morphologyEx opens with a kernel of 2 x 2: both steps look to the upper left, so that
        // all moves by one pixel to the lower right; what lies outside is set for the first step.
        kernels.run(Fold::<true, false> { from: difference, to: work, line });
        kernels.run(Fold::<false, false> { from: work, to: opened, line });
        // cv2.erode by 3 x 3.
        kernels.run(Fold::<true, true> { from: opened, to: work, line });
        self.collect();
        self.join();
        self.measure();
    }

    /// The runs of all rows.
    fn collect(&mut self) {
        self.runs.clear();
        self.rows.clear();
        self.overflow = false;
        for y in 0..self.opened.height {
            self.rows.push(self.runs.len());
            let mut from = 0;
            while let Some(first) = next(self.opened.row(y), from, true) {
                let end = next(self.opened.row(y), first, false).unwrap_or(self.opened.width);
                self.push(y as u32, first as u32, end as u32);
                from = end;
            }
        }
        self.rows.push(self.runs.len());
    }

    fn push(&mut self, row: u32, first: u32, end: u32) {
        if self.runs.len() < MOST_RUNS {
            let of = self.runs.len() as u32;
            self.runs.push(Run { row, first, end, of });
        } else {
            self.overflow = true;
        }
    }

    fn root(&mut self, mut run: usize) -> usize {
        while self.runs[run].of as usize != run {
            let above = self.runs[run].of as usize;
            self.runs[run].of = self.runs[above].of;
            run = above;
        }
        run
    }

    /// Runs of neighbouring rows that touch belong together.
    fn join(&mut self) {
        for row in 1..self.opened.height {
            let (mut above, end_above) = (self.rows[row - 1], self.rows[row]);
            let (mut own, end) = (self.rows[row], self.rows[row + 1]);
            while above < end_above && own < end {
                let (a, b) = (self.runs[above], self.runs[own]);
                if a.first <= b.end && b.first <= a.end {
                    let (a, b) = (self.root(above), self.root(own));
                    // The first run is the root, so that roots come before their runs.
                    self.runs[a.max(b)].of = a.min(b) as u32;
                }
                if a.end < b.end { above += 1 } else { own += 1 }
            }
        }
    }

    /// Numbers the components, and measures each.
    fn measure(&mut self) {
        self.found.clear();
        self.numbers.clear();
        for at in 0..self.runs.len() {
            let (run, root) = (self.runs[at], self.root(at));
            // Roots come before their runs.
            if root == at {
                self.numbers.push(self.found.len() as u32);
                let corners = [run.first, run.row, run.end, run.row + 1];
                self.found.push(Component { corners, area: 0, core: 0 });
            } else {
                self.numbers.push(self.numbers[root]);
            }
            let component = &mut self.found[self.numbers[at] as usize];
            let [left, top, right, bottom] = &mut component.corners;
            (*left, *right) = ((*left).min(run.first), (*right).max(run.end));
            (*top, *bottom) = ((*top).min(run.row), (*bottom).max(run.row + 1));
            component.area += run.end - run.first;
            let mut first = run.first as usize;
            while first < run.end as usize {
                let some = (run.end as usize - first).min(56);
                component.core += self.work.read(first, run.row as usize, some).count_ones();
                first += some;
            }
        }
    }

    /// The middle of what a component's core has beside its windows, `step` pixels to each side at most from
    /// the first of it; none where they hold it all. What lies above `row` is known to be held, and `row` moves
    /// on.
    pub(super) fn beside(
        &self,
        component: usize,
        windows: &[Window],
        step: u32,
        row: &mut u32,
    ) -> Option<[u32; 2]> {
        let mut corners: Option<[u32; 4]> = None;
        let last = self.found[component].corners[3];
        for y in *row..last {
            if corners.is_some_and(|[_, top, ..]| y >= top + step) {
                break;
            }
            let range = self.rows[y as usize]..self.rows[y as usize + 1];
            let runs = self.runs[range.clone()].iter().zip(&self.numbers[range]);
            for (run, _) in runs.filter(|(_, number)| **number as usize == component) {
                let mut x = run.first;
                while x < run.end {
                    let held = windows.iter().find(|window| window.holds(x, y));
                    if let Some(window) = held {
                        x = (window.x + WINDOW) as u32;
                        continue;
                    }
                    if self.work.get(x as usize, y as usize) {
                        let [left, top, right, bottom] = corners.unwrap_or([x, y, x, y]);
                        if corners.is_none() {
                            *row = y;
                        }
                        if x + step >= right && x <= left + step {
                            corners = Some([left.min(x), top, right.max(x), bottom.max(y)]);
                        }
                    }
                    x += 1;
                }
            }
        }
        corners.map(|[left, top, right, bottom]| [(left + right) / 2, (top + bottom) / 2])
    }

    /// Calls `each` with the pieces of rows of a component within a window of `side` pixels: row and
    /// columns from the window's corner.
    pub(super) fn within(
        &self,
        component: usize,
        [x, y]: [usize; 2],
        side: usize,
        mut each: impl FnMut(usize, std::ops::Range<usize>),
    ) {
        let range = self.rows[y]..self.rows[y + side];
        let runs = self.runs[range.clone()].iter().zip(&self.numbers[range]);
        for (run, _) in runs.filter(|(_, number)| **number as usize == component) {
            let (first, end) = ((run.first as usize).max(x), (run.end as usize).min(x + side));
            if first < end {
                each(run.row as usize - y, first - x..end - x);
            }
        }
    }
}

/// Where the next bit of a row from `from` on is set, or is not.
fn next(row: &[u8], from: usize, set: bool) -> Option<usize> {
    let first = from / 64;
    row.chunks_exact(8).enumerate().skip(first).find_map(|(number, bytes)| {
        let bits = if set { word(bytes) } else { !word(bytes) };
        let bits = if number == first { bits & u64::MAX << (from % 64) } else { bits };
        (bits != 0).then(|| 64 * number + bits.trailing_zeros() as usize)
    })
}

/// Each pixel with its neighbour to the left and those two above, and where `AROUND` with all eight:
/// whether all of them are set (`ALL`), or any. What lies outside decides nothing.
struct Fold<'a, const ALL: bool, const AROUND: bool> {
    from: &'a Bits,
    to: &'a mut Bits,
    line: &'a mut [u64],
}

impl<const ALL: bool, const AROUND: bool> Portable for Fold<'_, ALL, AROUND> {
    #[inline(always)]
    fn run(self) {
        let Self { from, to, line } = self;
        let of = |a: u64, b: u64| if ALL { a & b } else { a | b };
        let outside = if ALL { u64::MAX } else { 0 };
        let words = line.len() - 2;
        // Bits of the last word that lie beyond the last column.
        let beyond = match from.width % 64 {
            0 => 0,
            rest => u64::MAX << rest,
        };
        for y in 0..from.height {
            let first = y.saturating_sub(1);
            let last = if AROUND { (y + 1).min(from.height - 1) } else { y };
            let inner = &mut line[1..=words];
            let row = |y: usize| from.row(y).chunks_exact(8).map(word);
            inner.iter_mut().zip(row(first)).for_each(|(to, from)| *to = from);
            for y in first + 1..=last {
                inner.iter_mut().zip(row(y)).for_each(|(to, from)| *to = of(*to, from));
            }
            let to = &mut to.row_mut(y)[..8 * words];
            if inner.iter().fold(0, |any, word| any | word) == 0 {
                to.fill(0);
                continue;
            }
            if ALL {
                inner[words - 1] |= beyond;
            }
            (line[0], line[words + 1]) = (outside, outside);
            let threes = line.iter().zip(&line[1..]).zip(&line[2..]);
            for (to, ((before, own), after)) in to.chunks_exact_mut(8).zip(threes) {
                let mut all = of(*own, own << 1 | before >> 63);
                if AROUND {
                    all = of(all, own >> 1 | after << 63);
                }
                to.copy_from_slice(&all.to_le_bytes());
            }
            let end = &mut to[8 * words - 8..];
            let inside = word(end) & !beyond;
            end.copy_from_slice(&inside.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(picture: &[&str]) -> Bits {
        let mut bits = Bits::new(picture[0].len(), picture.len());
        for (y, line) in picture.iter().enumerate() {
            for (x, _) in line.bytes().enumerate().filter(|(_, letter)| *letter == b'#') {
                bits.row_mut(y)[x / 8] |= 1 << (x % 8);
            }
        }
        bits
    }

    fn found(picture: &[&str]) -> Vec<([u32; 4], u32, u32)> {
        let bits = bits(picture);
        let mut components = Components::new(bits.width, bits.height);
        components.find(&bits, Kernels::Scalar);
        components.found().iter().map(|one| (one.corners, one.area, one.core)).collect()
    }

    #[test]
    fn what_is_one_pixel_wide_is_no_difference() {
        assert_eq!(found(&["........", "..#..###", "..#.....", "..#....."]), []);
    }

    #[test]
    fn a_block_moves_to_the_lower_right_as_opencv_moves_it() {
        let picture = ["........", ".##.....", ".##.....", "........", "........"];
        assert_eq!(found(&picture), [([2, 2, 4, 4], 4, 0)]);
    }

    #[test]
    fn corners_hold_together_and_a_full_block_has_a_core() {
        let picture = [
            "..........",
            ".##.......",
            ".##.......",
            "...###....",
            "...###....",
            "...###....",
            "..........",
            "..........",
        ];
        assert_eq!(found(&picture), [([2, 2, 7, 7], 13, 1)]);
    }

    #[test]
    fn two_arms_that_meet_below_are_one() {
        let picture = [
            "............",
            ".##....##...",
            ".##....##...",
            ".##....##...",
            ".########...",
            ".########...",
            "............",
            "............",
        ];
        assert_eq!(found(&picture), [([2, 2, 10, 7], 28, 0)]);
    }

    #[test]
    fn a_component_across_words_is_one() {
        let line = format!("{}{}{}", ".".repeat(50), "#".repeat(90), ".".repeat(20));
        let empty = ".".repeat(160);
        let picture = [&empty, &line, &line, &empty, &empty];
        let picture: Vec<&str> = picture.iter().map(|line| line.as_str()).collect();
        assert_eq!(found(&picture), [([51, 2, 141, 4], 180, 0)]);
    }
}
