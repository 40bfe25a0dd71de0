//! A golden part's picture brought to where this part has its own, and what then differs.
//!
//! Boards stretch, cameras tilt, artwork and holes shift apart: only what is aligned locally can be
//! compared. The steps, in their order:
//!
//! 1. *features* ([`template`]): one bit a pixel of two levels, four of grey;
//! 2. *search* ([`search`]): for each cell of 16 pixels the shift under which the fewest bits differ;
//! 3. *warp* ([`warp`]): the template's pixels under those shifts;
//! 4. *difference* ([`Aligner::compare`]): bits that differ, grey levels beyond their limits, without
//!    what nobody cares for;
//! 5. *components* ([`components`]), 6. *windows* ([`windows`]) around them for a model to look at.
//!
//! A [`Golden`] is the template made ready, shared by all workers; an [`Aligner`] is a worker's memory:
//! nothing is allocated for a part. Scalar code is the oracle of the kernels, which are chosen as
//! [`prepare`](crate::prepare)'s are.

mod bits;
mod components;
mod kernels;
mod mask;
mod search;
mod template;
mod warp;
mod windows;

pub use components::Component;
pub use mask::fill;
pub use search::Field;
pub use template::Golden;
pub use windows::Window;

use std::sync::Arc;

use bits::Bits;
use components::Components;
use kernels::{CELL, Kernels};
use search::Search;
use template::{Features, Look};
use warp::Outside;
use windows::Windows;

use crate::error::{Error, Result};
use crate::prepare;

/// Side of the square that a model looks at, in pixels.
pub const WINDOW: usize = 64;

/// What the pictures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Two levels: copper and laminate, ink and paper.
    Two {
        /// Greatest grey level that is dark.
        above: u8,
    },
    /// Grey levels.
    Grey {
        /// Least step over two pixels that is an edge.
        edge: u8,
        /// How far a pixel may be off, beyond what its neighbours and the tolerance map allow.
        tolerance: u8,
    },
}

/// How parts are compared with a golden one.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the pictures show.
    pub levels: Levels,
    /// How far the part may be off, to each side, in pixels.
    pub radius_px: usize,
    /// Components that lie in such a border altogether are left out, in pixels.
    pub border_px: usize,
    /// Least area of a component that is looked at, in pixels; a full block of 3 x 3 always is.
    pub least_area_px: u32,
    /// A longer component gets one window for each such length, in pixels.
    pub step_px: u32,
    /// Most windows of a part.
    pub most_windows: usize,
}

impl Settings {
    /// As measured on bare boards.
    pub fn new(levels: Levels) -> Self {
        Self {
            levels,
            radius_px: 12,
            border_px: 8,
            least_area_px: 12,
            step_px: 40,
            most_windows: 64,
        }
    }

    /// How far a cell may be from the whole picture, in pixels: more is only searched for the whole.
    pub fn local_px(&self) -> usize {
        self.radius_px.min(12)
    }

    /// Whether these can be worked with.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field and what is allowed.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str, problem: String| Err(Error::invalid(what, problem));
        if !(1..=64).contains(&self.radius_px) {
            return wrong("radius_px", format!("{}; allowed: 1 to 64", self.radius_px));
        }
        if self.step_px == 0 {
            return wrong("step_px", "0; allowed: 1 and more".into());
        }
        if !(1..=4096).contains(&self.most_windows) {
            return wrong("most_windows", format!("{}; allowed: 1 to 4096", self.most_windows));
        }
        Ok(())
    }
}

/// How a part lies under the template, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The shift that is best for the whole picture.
    pub whole: [i32; 2],
    /// Share of the compared pixels that differ, 0..1.
    pub residual: f64,
    /// Share of the cells whose shift is as far as the radius allows, 0..1.
    pub at_limit: f64,
}

/// One worker's memory for comparing parts with a template.
#[derive(Debug)]
pub struct Aligner {
    golden: Arc<Golden>,
    kernels: Kernels,
    features: Features,
    search: Search,
    /// The part of two levels.
    part: Bits,
    /// The template under the field: of two levels as bits, and as grey levels for who wants them.
    warped: Bits,
    pixels: Vec<u8>,
    grey: Option<Grey>,
    care: Bits,
    nothing: Bits,
    difference: Bits,
    components: Components,
    windows: Windows,
}

/// What grey levels need beside.
#[derive(Debug)]
struct Grey {
    low: Vec<u8>,
    high: Vec<u8>,
    /// The part in the template's light.
    lit: Vec<u8>,
    /// Sums of the part's and of the template's levels, cell by cell, and smoothed.
    sums: [Vec<[u32; 2]>; 2],
    zeros: Vec<u8>,
    found: [Vec<u8>; 2],
}

impl Aligner {
    /// For parts of the size of `golden`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the environment asks for kernels that this machine lacks.
    pub fn new(golden: Arc<Golden>) -> Result<Self> {
        Ok(Self::with_kernels(golden, prepare::Kernels::chosen()?))
    }

    /// [`Aligner::new`] on those kernels, whatever the environment says. The answers are the same.
    pub fn with_kernels(golden: Arc<Golden>, kernels: prepare::Kernels) -> Self {
        let (width, height) = (golden.width, golden.height);
        let empty = || Bits::new(width, height);
        let cells = width.div_ceil(CELL) * height.div_ceil(CELL);
        let grey = matches!(golden.look, Look::Grey { .. }).then(|| Grey {
            low: vec![0; width * height],
            high: vec![0; width * height],
            lit: vec![0; width * height],
            sums: [vec![[0; 2]; cells], vec![[0; 2]; cells]],
            zeros: vec![0; width],
            found: [vec![0; width.div_ceil(8)], vec![0; width.div_ceil(8)]],
        });
        Self {
            kernels: Kernels::like(kernels),
            features: Features::new(golden.settings.levels, width, height),
            search: Search::new(&golden),
            part: empty(),
            warped: empty(),
            pixels: vec![0; width * height],
            grey,
            care: golden.care.clone(),
            nothing: empty(),
            difference: empty(),
            components: Components::new(width, height),
            windows: Windows::new(golden.settings.most_windows),
            golden,
        }
    }

    /// The template.
    pub fn golden(&self) -> &Arc<Golden> {
        &self.golden
    }

    /// From now on parts are compared with this one.
    ///
    /// # Panics
    /// When its size or settings are not those of the one before.
    pub fn set_golden(&mut self, golden: Arc<Golden>) {
        assert!(golden.size() == self.golden.size() && golden.settings == self.golden.settings);
        self.care.copy_from(&golden.care);
        self.golden = golden;
    }

    /// Finds where each cell of a part lies: its grey levels, row after row.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a part of another size.
    pub fn align(&mut self, part: &[u8]) -> Result<&Field> {
        let Golden { width, height, .. } = *self.golden;
        if part.len() != width * height {
            let problem = format!("{} B for {width} x {height} pixels", part.len());
            return Err(Error::invalid("part", problem));
        }
        self.features.read(part, self.kernels);
        self.search.run(&self.golden, part, &self.features, self.kernels);
        Ok(&self.search.field)
    }

    /// Compares a part with the template under its field: [`align`](Self::align), then all the rest.
    ///
    /// # Errors
    /// As [`align`](Self::align).
    pub fn compare(&mut self, part: &[u8]) -> Result<Fit> {
        self.align(part)?;
        let golden = Arc::clone(&self.golden);
        let field = &self.search.field;
        let size = golden.size();
        if !golden.cares_for_all {
            warp::bits(field, &golden.care, &self.nothing, &mut self.care);
        }
        match (&golden.look, &mut self.grey) {
            (Look::Two(template), _) => {
                self.part.copy_from(&self.features.planes[0]);
                warp::bits(field, template, &self.part, &mut self.warped);
                self.difference.copy_from(&self.care);
                let differs = |care: u64, a: u64, b: u64| care & (a ^ b);
                self.difference.combine(&self.part, &self.warped, differs);
            }
            (Look::Grey { low, high }, Some(grey)) => {
                let outside = Outside::Picture(part);
                warp::bytes(field, &golden.pixels, size, outside, &mut self.pixels);
                warp::bytes(field, low, size, Outside::Level(0), &mut grey.low);
                warp::bytes(field, high, size, Outside::Level(u8::MAX), &mut grey.high);
                grey.light(part, &self.pixels, size);
                grey.beyond(size, self.kernels, &mut self.difference);
                let care = |differs: u64, care: u64, _: u64| differs & care;
                self.difference.combine(&self.care, &self.nothing, care);
            }
            (Look::Grey { .. }, None) => {}
        }
        let cared = self.care.count().max(1) as f64;
        let fit = Fit {
            whole: field.whole,
            residual: self.difference.count() as f64 / cared,
            at_limit: field.at_limit(golden.settings.radius_px),
        };
        self.components.find(&self.difference);
        self.windows.place(&self.components, &golden);
        Ok(fit)
    }

    /// The field of the last part.
    pub fn field(&self) -> &Field {
        &self.search.field
    }

    /// What differed in the last part that was compared: all that hangs together after opening.
    pub fn components(&self) -> &[Component] {
        self.components.found()
    }

    /// The windows of the last part that was compared, those of larger components first.
    pub fn windows(&self) -> &[Window] {
        self.windows.placed()
    }

    /// Whether there was more to look at than [`Settings::most_windows`].
    pub fn too_many(&self) -> bool {
        self.windows.too_many || self.components.overflow
    }

    /// Whether a pixel of the last part differed, before opening.
    pub fn differs(&self, x: usize, y: usize) -> bool {
        self.difference.get(x, y)
    }

    /// The template under the field of the last part that was compared, as grey levels; the part's
    /// where the template has none. Of two levels, 0 and 255.
    pub fn template(&mut self) -> &[u8] {
        if matches!(self.golden.look, Look::Two(_)) {
            let width = self.golden.width;
            for (at, pixel) in self.pixels.iter_mut().enumerate() {
                *pixel = if self.warped.get(at % width, at / width) { u8::MAX } else { 0 };
            }
        }
        &self.pixels
    }

    /// Fills 3 planes of [`WINDOW`] x [`WINDOW`] numbers 0..1: the part, the template, the window's
    /// component.
    ///
    /// # Panics
    /// When there is no such window, or `crop` has another length.
    pub fn crop(&self, window: usize, part: &[u8], crop: &mut [f32]) {
        assert!(crop.len() == 3 * WINDOW * WINDOW, "three planes");
        let Window { x, y, component } = self.windows.placed()[window];
        let (seen, rest) = crop.split_at_mut(WINDOW * WINDOW);
        let (template, mask) = rest.split_at_mut(WINDOW * WINDOW);
        let width = self.golden.width;
        for line in 0..WINDOW {
            let row = line * WINDOW..(line + 1) * WINDOW;
            let (seen, template) = (&mut seen[row.clone()], &mut template[row]);
            match &self.golden.look {
                Look::Two(_) => {
                    unpack(&self.part, x, y + line, seen);
                    unpack(&self.warped, x, y + line, template);
                }
                Look::Grey { .. } => {
                    let at = (y + line) * width + x;
                    let lit = self.grey.as_ref().map_or(part, |grey| &grey.lit);
                    for (to, from) in [(seen, lit), (template, &self.pixels[..])] {
                        let pixels = from[at..at + WINDOW].iter();
                        to.iter_mut()
                            .zip(pixels)
                            .for_each(|(to, from)| *to = f32::from(*from) / 255.0);
                    }
                }
            }
        }
        mask.fill(0.0);
        self.components.within(component, [x, y], WINDOW, |row, columns| {
            mask[row * WINDOW..][columns].fill(1.0);
        });
    }
}

/// Bits as numbers 0 and 1.
fn unpack(bits: &Bits, x: usize, y: usize, to: &mut [f32]) {
    for (half, to) in to.chunks_mut(32).enumerate() {
        let bits = bits.read(x + 32 * half, y, to.len());
        to.iter_mut().enumerate().for_each(|(at, to)| *to = (bits >> at & 1) as f32);
    }
}

impl Grey {
    /// Brings the part to the template's light, cell by cell: shading and exposure are no difference.
    fn light(&mut self, part: &[u8], template: &[u8], [width, height]: [usize; 2]) {
        let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
        let [sums, smooth] = &mut self.sums;
        sums.fill([0; 2]);
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let cells = &mut sums[y / CELL * columns..][..columns];
            let levels = part[row.clone()].chunks(CELL).zip(template[row].chunks(CELL));
            for (sum, (part, template)) in cells.iter_mut().zip(levels) {
                let of = |pixels: &[u8]| pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>();
                (sum[0], sum[1]) = (sum[0] + of(part), sum[1] + of(template));
            }
        }
        // Over so many cells that a defect does not light itself away.
        const NEAR: usize = 3;
        for row in 0..rows {
            for column in 0..columns {
                let mut sum = [0; 2];
                for y in row.saturating_sub(NEAR)..(row + NEAR + 1).min(rows) {
                    for x in column.saturating_sub(NEAR)..(column + NEAR + 1).min(columns) {
                        let near = sums[y * columns + x];
                        sum = [sum[0] + near[0], sum[1] + near[1]];
                    }
                }
                smooth[row * columns + column] = sum;
            }
        }
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let cells = &smooth[y / CELL * columns..][..columns];
            let levels = self.lit[row.clone()].chunks_mut(CELL).zip(part[row].chunks(CELL));
            for ([seen, wanted], (lit, part)) in cells.iter().zip(levels) {
                // In 256ths; more than four times brighter or darker is another picture.
                let gain = (u64::from(*wanted) * 256 / u64::from((*seen).max(1))).clamp(64, 1024);
                for (lit, part) in lit.iter_mut().zip(part) {
                    *lit = ((u64::from(*part) * gain + 128) >> 8).min(255) as u8;
                }
            }
        }
    }

    /// Pixels below their least or above their greatest level.
    fn beyond(&mut self, [width, height]: [usize; 2], kernels: Kernels, difference: &mut Bits) {
        let [below, above] = &mut self.found;
        for y in 0..height {
            let row = y * width..(y + 1) * width;
            let (lit, low) = (&self.lit[row.clone()], &self.low[row.clone()]);
            kernels.exceeds(low, lit, &self.zeros, below);
            kernels.exceeds(lit, &self.high[row], &self.zeros, above);
            let both = below.iter().zip(&*above).map(|(below, above)| below | above);
            difference.pixels_mut(y).iter_mut().zip(both).for_each(|(to, from)| *to = from);
        }
    }
}

#[cfg(test)]
mod tests;
