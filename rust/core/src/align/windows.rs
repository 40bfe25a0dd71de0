//! Windows around what differs.

use super::components::{Component, Components};
use super::kernels::CELL;
use super::search::Field;
use super::template::Golden;
use super::{Settings, WINDOW};

/// A square of [`WINDOW`] pixels that holds a component, or a piece of a long one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Which component.
    pub component: usize,
}

/// A component is held by the windows along its middle when it is that much narrower than they are, in pixels:
/// half a pixel to each side is lost to rounding.
const MARGIN: usize = 2;

/// Memory for windows.
#[derive(Debug)]
pub(super) struct Windows {
    /// Components that are looked at.
    chosen: Vec<usize>,
    placed: Vec<Window>,
    most: usize,
    pub(super) too_many: bool,
}

impl Windows {
    pub(super) fn new(most: usize) -> Self {
        let chosen = Vec::with_capacity(super::components::MOST_RUNS);
        Self { chosen, placed: Vec::with_capacity(most), most, too_many: false }
    }

    pub(super) fn placed(&self) -> &[Window] {
        &self.placed
    }

    /// One window for each component that is worth it, the largest first; one for each step of a long
    /// one, and more where a core lies beside these.
    pub(super) fn place(
        &mut self,
        components: &Components,
        field: &Field,
        moved: [i32; 2],
        golden: &Golden,
    ) {
        let found = components.found();
        self.chosen.clear();
        self.placed.clear();
        self.too_many = false;
        let wanted = |one: &Component| golden.settings.wants(one, field, moved, golden.size());
        self.chosen.extend((0..found.len()).filter(|number| wanted(&found[*number])));
        self.chosen.sort_unstable_by_key(|number| (u32::MAX - found[*number].area, *number));
        for at in 0..self.chosen.len() {
            let component = self.chosen[at];
            let [left, top, ..] = found[component].corners;
            let [width, height] = found[component].size();
            let count = pieces(width.max(height), golden.settings.step_px);
            let first = self.placed.len();
            for piece in 0..count {
                // The middle of a piece of `length`, in `count`ths.
                let middle = |first: u32, length: u32, long: bool| {
                    let (count, piece) = if long { (count, piece) } else { (1, 0) };
                    half_even(2 * count * first + (2 * piece + 1) * length, 2 * count)
                };
                let wide = width > height;
                let centre = [middle(left, width, wide), middle(top, height, !wide)];
                if !self.around(centre, component, golden.size()) {
                    return;
                }
            }
            // What hangs on a thin difference that goes round it lies beside the middle of both.
            if width.min(height) as usize <= WINDOW - MARGIN {
                continue;
            }
            let mut row = top;
            let step = WINDOW as u32 / 2;
            while let Some(centre) =
                components.beside(component, &self.placed[first..], step, &mut row)
            {
                if !self.around(centre, component, golden.size()) {
                    return;
                }
            }
        }
    }

    /// Places a window around a pixel, as far as the picture goes; false when there are too many.
    fn around(&mut self, centre: [u32; 2], component: usize, size: [usize; 2]) -> bool {
        self.too_many = self.placed.len() == self.most;
        if self.too_many {
            return false;
        }
        let [x, y] = [0, 1].map(|axis: usize| {
            let first = (centre[axis] as usize).saturating_sub(WINDOW / 2);
            first.min(size[axis] - WINDOW)
        });
        self.placed.push(Window { x, y, component });
        true
    }
}

impl Window {
    /// Whether a pixel lies in it.
    pub(super) fn holds(&self, x: u32, y: u32) -> bool {
        let within = |first: usize, at: u32| (first..first + WINDOW).contains(&(at as usize));
        within(self.x, x) && within(self.y, y)
    }
}

impl Settings {
    /// Whether a component is looked at. The border is that of the part's picture, and that of the
    /// template's where the part has it: what is left out there stays out when the part is shifted.
    fn wants(&self, one: &Component, field: &Field, moved: [i32; 2], size: [usize; 2]) -> bool {
        if one.area < self.least_area_px && one.core == 0 {
            return false;
        }
        let [left, top, right, bottom] = one.corners.map(|at| at as i32);
        let cell =
            |first: i32, end: i32, cells: usize| ((first + end) as usize / 2 / CELL).min(cells - 1);
        let (column, row) = (cell(left, right, field.columns), cell(top, bottom, field.rows));
        let template = field.at(column, row).map(i32::from);
        let border = self.border_px as i32;
        let [width, height] = size.map(|side| side as i32 - border);
        [[0; 2], template, moved.map(|by| -by)].iter().all(|[x, y]| {
            right + x > border && bottom + y > border && left + x < width && top + y < height
        })
    }
}

/// How many windows a component of that length gets.
fn pieces(length: u32, step: u32) -> u32 {
    half_even(length, step).max(1)
}

/// The nearest whole number, halves to even, as `round` has it in Python.
fn half_even(number: u32, by: u32) -> u32 {
    let (whole, rest) = (number / by, number % by);
    whole + u32::from(2 * rest > by || (2 * rest == by && whole % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_components_get_a_window_for_each_forty_pixels() {
        let counts = [1, 40, 59, 60, 61, 76, 99, 100, 101, 140].map(|length| pieces(length, 40));
        assert_eq!(counts, [1, 1, 1, 2, 2, 2, 2, 2, 3, 4]);
    }
}
