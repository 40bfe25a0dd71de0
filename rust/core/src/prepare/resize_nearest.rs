//! One source pixel for each output pixel; also plain copying where nothing is resized.

use super::geometry::{Axis, Geometry};
use super::level::Level;
use super::picture::{Columns, Picture};

/// Which pixel stands for an output pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The one at its upper left corner: OpenCV.
    Corner,
    /// The one at its centre: Pillow.
    Centre,
}

/// The resizer.
#[derive(Clone, Debug)]
pub(super) struct Nearest {
    columns: Columns,
    rows: Vec<u32>,
}

impl Nearest {
    pub(super) fn new(geometry: &Geometry, rule: Rule) -> Self {
        let Geometry { x, y, .. } = geometry;
        let columns = if x.resized == x.source {
            Columns::Range { first: (x.first + x.skip) as usize, count: x.shown as usize }
        } else {
            Columns::Picked(picked(x, rule).into())
        };
        Self { columns, rows: picked(y, rule) }
    }

    /// The rows that are looked at.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Output row `y` as it lies in the picture, where that is all there is to it.
    pub(super) fn line<'a, L: Level>(&self, y: usize, picture: &Picture<'a, L>) -> Option<&'a [L]> {
        let Columns::Range { first, count } = self.columns else { return None };
        let (bytes, stride) = picture.plain()?;
        L::borrowed(&bytes[self.rows[y] as usize * stride + first..][..count])
    }

    /// Output row `y`.
    pub(super) fn row<L: Level>(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        picture.read(self.rows[y] as usize, &self.columns, out);
    }
}

/// The source pixels of those shown, in the picture's coordinates.
fn picked(axis: &Axis, rule: Rule) -> Vec<u32> {
    let (source, resized) = (f64::from(axis.source), f64::from(axis.resized));
    let all: Vec<u32> = match rule {
        Rule::Corner => {
            // OpenCV has the inverse scale rounded first.
            let scale = 1.0 / (resized / source);
            (0..axis.resized).map(|index| (f64::from(index) * scale) as u32).collect()
        }
        Rule::Centre => {
            // Pillow adds the scale up, and its rounding errors with it.
            let scale = source / resized;
            std::iter::successors(Some(scale * 0.5), |at| Some(at + scale))
                .map(|at| at as u32)
                .take(axis.resized as usize)
                .collect()
        }
    };
    let shown = axis.skip as usize..(axis.skip + axis.shown) as usize;
    all[shown].iter().map(|&at| axis.first + at.min(axis.source - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corner_and_centre_differ() {
        let axis = Axis { first: 100, source: 10, resized: 5, skip: 1, shown: 3, pad: 0, size: 3 };
        assert_eq!(picked(&axis, Rule::Corner), [102, 104, 106]);
        assert_eq!(picked(&axis, Rule::Centre), [103, 105, 107]);
    }
}
