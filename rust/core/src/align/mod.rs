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
mod grey;
mod kernels;
mod loops;
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
use grey::{Grey, Light};
use kernels::{CELL, Kernels};
use search::Search;
use template::{Features, Look};
use warp::Outside;
use windows::Windows;

use crate::error::{Error, Result};
use crate::prepare;

/// Side of the square that a model looks at, in pixels.
pub const WINDOW: usize = 64;

/// Furthest that a cell is looked for from where the whole picture lies, in pixels.
const MOST_LOCAL: usize = 12;

/// How far a cell may be from there at least, unless it is said: good parts are that uneven, however
/// exactly the whole of them lies.
const LEAST_LOCAL: usize = 4;

/// A part that lies no further off is compared where it lies, in pixels. One that does is moved to its
/// place first: cells then divide it as they divide any other, and a shift changes no verdict.
const STAY: usize = CELL / 4;

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
    /// How far the part may be off as a whole, to each side, in pixels.
    pub radius_px: usize,
    /// How far each of its cells may be off from there, 1 to 12, in pixels; unless given, as far as the
    /// whole, 4 at least and 12 at most. What is further off differs.
    pub local_px: Option<usize>,
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
            local_px: None,
            border_px: 8,
            least_area_px: 12,
            step_px: 40,
            most_windows: 64,
        }
    }

    /// How far a cell may be from where the whole picture lies, in pixels.
    pub fn local_px(&self) -> usize {
        self.local_px.unwrap_or(self.radius_px.clamp(LEAST_LOCAL, MOST_LOCAL))
    }

    /// How far a cell is looked for: a pixel further than it may be, so that what lies as far off as it
    /// may is known to lie there.
    fn searched_px(&self) -> usize {
        (self.local_px() + 1).min(MOST_LOCAL)
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
        if let Some(local) = self.local_px.filter(|local| !(1..=MOST_LOCAL).contains(local)) {
            return wrong("local_px", format!("{local}; allowed: 1 to {MOST_LOCAL}"));
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
    /// The shift that is best for the whole picture: its pixel (x, y) is the template's (x + dx, y + dy).
    pub whole: [i32; 2],
    /// The least and the greatest dx, and dy, of its cells.
    pub cells: [[i32; 2]; 2],
    /// Share of the compared pixels that differ, 0..1; 1 where less than half could be compared.
    pub residual: f64,
    /// Share of the compared cells that lie further off than they may, or as far as can be searched, 0..1; 1
    /// where the whole picture does.
    pub at_limit: f64,
    /// Share of what is to be compared that both the part and the template have, 0..1.
    pub compared: f64,
}

/// One worker's memory for comparing parts with a template.
#[derive(Debug)]
pub struct Aligner {
    golden: Arc<Golden>,
    kernels: Kernels,
    features: Features,
    search: Search,
    /// How far the part was moved to the right and downwards, and what it then looks like.
    by: [i32; 2],
    moved: Vec<u8>,
    /// What of the part, where it is compared, counts for alignment.
    valid: Bits,
    /// The template under the field: of two levels as bits, else as grey levels.
    warped: Bits,
    pixels: Vec<u8>,
    grey: Option<Grey>,
    care: Bits,
    nothing: Bits,
    difference: Bits,
    components: Components,
    windows: Windows,
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
        let grey = matches!(golden.look, Look::Grey { .. }).then(|| Grey::new(&golden));
        Self {
            kernels: Kernels::like(kernels),
            features: Features::new(golden.settings.levels, width, height),
            search: Search::new(&golden),
            by: [0; 2],
            moved: vec![0; width * height],
            valid: empty(),
            warped: empty(),
            pixels: vec![0; if grey.is_some() { width * height } else { 0 }],
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
        if let Some(grey) = &mut self.grey {
            *grey = Grey::new(&golden);
        }
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
        let Self { golden, features, search, kernels, valid: there, .. } = self;
        features.read(part, *kernels);
        let near = search.glance(golden, part, features, there, *kernels);
        let stays = near.iter().all(|by| by.unsigned_abs() as usize <= STAY);
        let (by, near) = if stays { ([0; 2], near) } else { (near, [0; 2]) };
        self.by = by;
        if !stays {
            warp::moved(part, golden.size(), by, &mut self.moved);
            features.read(&self.moved, *kernels);
        }
        // Neither what nobody cares for counts, nor what the template has not, nor what the camera has
        // not seen.
        let valid = if stays && near == [0; 2] {
            golden.valid.as_ref()
        } else {
            self.valid.shift_of(&golden.care, near);
            self.valid.clear_beside(seen(golden.size(), by));
            Some(&self.valid)
        };
        search.run(golden, features, valid, by, near, *kernels);
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
        let moved = self.by != [0; 2];
        let part = if moved { &self.moved } else { part };
        // Of two levels nothing differs where the template has nothing.
        let all = golden.cares_for_all() && !moved && self.grey.is_none();
        // What the camera did not see is not compared.
        let seen = seen(size, self.by);
        if !all {
            warp::bits(field, &golden.care, &self.nothing, &mut self.care);
            self.care.clear_beside(seen);
        }
        let mut had = 0;
        match (&golden.look, &mut self.grey) {
            (Look::Two(template), _) => {
                let part = &self.features.planes[0];
                had = warp::bits(field, template, part, &mut self.warped);
                self.difference.combine(part, &self.warped, |_, a, b| a ^ b);
                if moved {
                    self.difference.clear_beside(seen);
                    self.warped.combine(part, &self.difference, |_, a, b| a ^ b);
                }
            }
            (Look::Grey { tolerance, .. }, Some(grey)) => {
                let outside = Outside::Picture(part);
                warp::bytes(field, &golden.pixels, size, outside, &mut self.pixels);
                if let Some(tolerance) = tolerance {
                    let nothing = Outside::Level(u8::MAX);
                    warp::bytes(field, tolerance, size, nothing, &mut grey.tolerance);
                }
                if moved {
                    warp::fill_beside(seen, size, part, &mut self.pixels);
                }
                let (template, care) = (&self.pixels, &self.care);
                self.kernels.run(Light { grey, part, template, care, size });
                grey.beyond(template, size, self.kernels, &mut self.difference);
            }
            (Look::Grey { .. }, None) => {}
        }
        if !all {
            let cared = |differs: u64, care: u64, _: u64| differs & care;
            self.difference.combine(&self.care, &self.nothing, cared);
        }
        let counted = if all { had } else { self.care.count() };
        let residual = if 2 * counted < golden.cared {
            1.0
        } else {
            self.difference.count() as f64 / counted.max(1) as f64
        };
        let whole = [0, 1].map(|axis: usize| field.whole[axis] + self.by[axis]);
        let ends = self.search.ends;
        let fit = Fit {
            whole,
            cells: [0, 1].map(|axis: usize| ends[axis].map(|end| end + self.by[axis])),
            residual,
            at_limit: self.search.at_limit,
            compared: counted as f64 / golden.cared.max(1) as f64,
        };
        self.components.find(&self.difference, self.kernels);
        self.windows.place(&self.components, field, self.by, &golden);
        Ok(fit)
    }

    /// The field of the last part, after it was moved.
    pub fn field(&self) -> &Field {
        &self.search.field
    }

    /// How far the last part was moved to the right and downwards before it was compared. Components and
    /// windows are those of the picture that was moved.
    pub fn moved(&self) -> [i32; 2] {
        self.by
    }

    /// Left, top, right and bottom of a component in the part's own pixels.
    ///
    /// # Panics
    /// When there is no such component.
    pub fn corners(&self, component: usize) -> [i32; 4] {
        let corners = self.components()[component].corners.map(|at| at as i32);
        // Opening moves what differs by a pixel to the lower right.
        [0, 1, 2, 3].map(|at| corners[at] - 1 - self.by[at % 2])
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

    /// A pixel of the part, where it was moved to; none where it was not compared.
    fn at(&self, x: usize, y: usize) -> Option<[usize; 2]> {
        let Golden { width, height, .. } = *self.golden;
        let [x, y] = [x as i32 + self.by[0], y as i32 + self.by[1]];
        let inside = (0..width as i32).contains(&x) && (0..height as i32).contains(&y);
        inside.then_some([x as usize, y as usize])
    }

    /// Whether a pixel of the last part differed, before opening.
    pub fn differs(&self, x: usize, y: usize) -> bool {
        self.at(x, y).is_some_and(|[x, y]| self.difference.get(x, y))
    }

    /// The template under the field of the last part that was compared, where the part has it, as a
    /// grey level; none where the template has nothing. Of two levels, 0 and 255.
    pub fn template(&self, x: usize, y: usize) -> Option<u8> {
        self.at(x, y).map(|[x, y]| match &self.golden.look {
            Look::Two(_) if self.warped.get(x, y) => u8::MAX,
            Look::Two(_) => 0,
            Look::Grey { .. } => self.pixels[y * self.golden.width + x],
        })
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
                    unpack(&self.features.planes[0], x, y + line, seen);
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

/// The box of a picture that was moved by so much that the camera has seen.
fn seen(size: [usize; 2], by: [i32; 2]) -> [usize; 4] {
    let end = [0, 1].map(|axis| (size[axis] as i32 + by[axis].min(0)).max(0) as usize);
    let first = [0, 1].map(|axis| (by[axis].max(0) as usize).min(end[axis]));
    [first[0], first[1], end[0], end[1]]
}

/// Bits as numbers 0 and 1.
fn unpack(bits: &Bits, x: usize, y: usize, to: &mut [f32]) {
    for (half, to) in to.chunks_mut(32).enumerate() {
        let bits = bits.read(x + 32 * half, y, to.len());
        to.iter_mut().enumerate().for_each(|(at, to)| *to = (bits >> at & 1) as f32);
    }
}

#[cfg(test)]
mod tests;
