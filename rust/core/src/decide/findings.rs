//! What was found in a view: boxes, masks and maps, in memory that is used again.

use std::sync::Arc;

use super::place::Affine;
use crate::align::Fit;
use crate::outcome::ClassId;

/// One thing that was found, in the camera's pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Which of the recipe's models found it.
    pub model: u8,
    /// Its class.
    pub class: ClassId,
    /// How sure, 0..1.
    pub score: f32,
    /// Left, top, right, bottom, counted from the outer corner of pixel (0, 0).
    pub corners: [f32; 4],
    /// Centre, size and angle in radians, of boxes that are not upright.
    pub oriented: Option<[f32; 5]>,
    /// Its area: of the mask where there is one, else of the box.
    pub area: f32,
    /// Where its mask lies in [`Arrays`].
    pub mask: Option<Mask>,
}

/// A mask within a box of the model's input: one bit a pixel, row after row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Its first bit in [`Arrays::bits`].
    pub first_bit: usize,
}

/// What a map's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// 0..1 for each class.
    Scores,
    /// Logits of classes that exclude each other.
    Logits,
    /// Class numbers.
    Labels,
}

/// A map of the model's own resolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
    /// Which of the recipe's models made it.
    pub model: u8,
    /// What its numbers are.
    pub kind: MapKind,
    /// Planes.
    pub classes: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// From its pixels to the camera's.
    pub to_camera: Affine,
    /// Its first number in [`Arrays::values`].
    pub first: usize,
}

/// The large part: masks and maps.
#[derive(Debug, Default)]
pub struct Arrays {
    /// Bits of masks.
    pub bits: Vec<u8>,
    /// Bits that are taken.
    pub bits_used: usize,
    /// Maps.
    pub maps: Vec<Map>,
    /// Numbers of maps.
    pub values: Vec<f32>,
}

impl Arrays {
    fn clear(&mut self) {
        self.bits.clear();
        self.bits_used = 0;
        self.maps.clear();
        self.values.clear();
    }

    /// Room for a mask of that many pixels, all 0; its first bit.
    pub(super) fn room(&mut self, pixels: usize) -> usize {
        let first = self.bits_used;
        self.bits_used += pixels;
        self.bits.resize(self.bits_used.div_ceil(8), 0);
        first
    }

    pub(super) fn set(&mut self, bit: usize) {
        self.bits[bit / 8] |= 1 << (bit % 8);
    }

    /// Whether a mask covers a pixel of the model's input.
    pub fn covers(&self, mask: &Mask, x: i64, y: i64) -> bool {
        let (x, y) = (x - i64::from(mask.x), y - i64::from(mask.y));
        if x < 0 || y < 0 || x >= i64::from(mask.width) || y >= i64::from(mask.height) {
            return false;
        }
        let bit = mask.first_bit + y as usize * usize::from(mask.width) + x as usize;
        self.bits.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// The numbers of a map, plane after plane.
    pub fn values_of(&self, map: &Map) -> &[f32] {
        let end = map.first + map.classes * map.width * map.height;
        self.values.get(map.first..end).unwrap_or(&[])
    }
}

/// All that was found in one view.
#[derive(Debug, Default)]
pub struct Findings {
    /// The greatest score of each model first.
    pub detections: Vec<Detection>,
    /// From each model's input to the camera's picture, by the recipe's number of the model.
    pub to_camera: Vec<Affine>,
    /// How the part lies under golden ones, by the recipe's number of the model that compares.
    pub fits: Vec<(u8, Fit)>,
    /// Masks and maps, within the quota.
    pub arrays: Option<Arc<Arrays>>,
}

impl Findings {
    fn clear(&mut self) {
        self.detections.clear();
        self.fits.clear();
        self.to_camera.clear();
        self.arrays = None;
    }
}

/// Where a head puts what it finds.
#[derive(Debug)]
pub struct Sink<'a> {
    /// Number of the head's model.
    pub model: u8,
    /// What it found.
    pub detections: &'a mut Vec<Detection>,
    /// Masks and maps, where there is room for them.
    pub arrays: Option<&'a mut Arrays>,
}

/// Things that are lent out, and used again when nobody holds them any more.
#[derive(Debug)]
pub struct Shelf<T> {
    places: Vec<Arc<T>>,
    /// Those that are being filled.
    filling: Vec<usize>,
    next: usize,
    most: usize,
}

/// What a shelf can hold.
pub trait Reused: Default {
    /// Empties it, keeping its memory.
    fn reuse(&mut self);
}

impl Reused for Arrays {
    fn reuse(&mut self) {
        self.clear();
    }
}

impl Reused for Findings {
    fn reuse(&mut self) {
        self.clear();
    }
}

impl<T: Reused> Shelf<T> {
    /// `first` of them at once, and up to `most` when they are all lent out.
    pub fn new(first: usize, most: usize) -> Self {
        let places = (0..first.min(most)).map(|_| Arc::default()).collect();
        Self { places, filling: Vec::with_capacity(first), next: 0, most }
    }

    /// What was filled is complete: a place that was not lent out is free again.
    pub fn restart(&mut self) {
        self.filling.clear();
    }

    /// The place of an empty one that nobody holds, to be filled; `None` when all are lent out or
    /// being filled.
    pub fn free(&mut self) -> Option<usize> {
        // They come back in the order in which they went, so the first look mostly succeeds.
        for step in 0..self.places.len() {
            let at = (self.next + step) % self.places.len();
            if self.filling.contains(&at) {
                continue;
            }
            if let Some(thing) = Arc::get_mut(&mut self.places[at]) {
                thing.reuse();
                self.next = at + 1;
                self.filling.push(at);
                return Some(at);
            }
        }
        (self.places.len() < self.most).then(|| {
            self.places.push(Arc::default());
            self.next = 0;
            self.filling.push(self.places.len() - 1);
            self.places.len() - 1
        })
    }

    /// The one at a free place.
    pub fn at(&mut self, place: usize) -> Option<&mut T> {
        Arc::get_mut(&mut self.places[place])
    }

    /// Lends out the one at a place.
    pub fn lend(&self, place: usize) -> Arc<T> {
        Arc::clone(&self.places[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_used_again_and_no_more_are_made_than_allowed() {
        let mut shelf: Shelf<Findings> = Shelf::new(1, 3);
        let lend = |shelf: &mut Shelf<Findings>| {
            let place = shelf.free()?;
            shelf.at(place).unwrap().to_camera.push(Affine::IDENTITY);
            shelf.restart();
            Some(shelf.lend(place))
        };
        let held: Vec<_> = (0..3).map(|_| lend(&mut shelf).unwrap()).collect();
        assert!(lend(&mut shelf).is_none());
        let address = Arc::as_ptr(&held[1]);
        drop(held.into_iter().nth(1));
        let again = lend(&mut shelf).unwrap();
        assert!(Arc::as_ptr(&again) != address || again.to_camera.len() == 1, "it was emptied");
    }

    #[test]
    fn what_is_being_filled_is_not_given_twice() {
        let mut shelf: Shelf<Arrays> = Shelf::new(2, 2);
        let (first, second) = (shelf.free().unwrap(), shelf.free().unwrap());
        assert_ne!(first, second);
        assert_eq!(shelf.free(), None);
        shelf.restart();
        assert!(shelf.free().is_some());
    }

    #[test]
    fn a_mask_covers_its_bits_and_nothing_around_them() {
        let mut arrays = Arrays::default();
        arrays.room(5);
        let first_bit = arrays.room(6);
        let mask = Mask { x: 10, y: 20, width: 3, height: 2, first_bit };
        arrays.set(first_bit + 4);
        assert!(arrays.covers(&mask, 11, 21));
        for (x, y) in [(10, 21), (11, 20), (9, 21), (13, 21), (11, 22), (-1, -1)] {
            assert!(!arrays.covers(&mask, x, y), "{x} {y}");
        }
    }
}
