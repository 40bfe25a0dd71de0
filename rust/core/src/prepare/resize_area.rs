//! The mean of the area that an output pixel covers: `cv2.INTER_AREA` where it shrinks.
//!
//! In units of 1 / (output pixels) of a source pixel every overlap is a whole number, so the sums
//! are exact and their order does not matter; only the mean is rounded. OpenCV sums in float32 and
//! leaves out overlaps below a thousandth, hence its rare difference of one grey level where the
//! mean lies beside a half.

use super::geometry::{Axis, Geometry};
use super::kernels::Kernels;
use super::kernels::area::{Fused, Packed, Rounding};
use super::level::Level;
use super::picture::{Columns, Picture, Reader};

/// Source pixels that an output pixel covers, with whole-number weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first one.
    pub(super) first: u32,
    /// The last one; may be the first.
    pub(super) last: u32,
    first_weight: u32,
    last_weight: u32,
}

/// One axis: the spans of what is shown, and what they share.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    pub(super) spans: Vec<Span>,
    /// Weight of pixels between the first and the last.
    pub(super) whole: u32,
    /// Sum of the weights of each span.
    pub(super) total: u32,
}

/// One axis as the edges between its output pixels, one more than are shown.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    /// The source pixel of the picture in which an edge lies, and how much of its weight is before it.
    pub(super) at: Vec<(u32, u32)>,
    /// Weight of a source pixel.
    pub(super) whole: u32,
    /// Sum of the weights between two edges.
    pub(super) total: u32,
}

/// The resizer with its scratch.
#[derive(Clone, Debug)]
pub(super) struct Area<L> {
    across: Spans,
    down: Spans,
    columns: Columns,
    /// The last row that was read, and which it is: two output rows may share one.
    pixels: Vec<L>,
    held: Option<u32>,
    /// Weighted sum down the rows of a span, for each column and channel: at most 65,535 * 65,535.
    sums: Vec<u32>,
    ties: Ties,
    fused: Option<Fused<L>>,
    packed: Option<Packed>,
}

/// Where a mean just between two grey levels goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ties {
    ToEven,
    /// OpenCV's own path for halving both axes.
    Up,
}

impl<L: Level> Area<L> {
    /// For axes that do not enlarge.
    pub(super) fn new(geometry: &Geometry, reader: &Reader<L>, kernels: Kernels) -> Self {
        let Geometry { x, y, .. } = geometry;
        let channels = reader.channels();
        let columns = Columns::Range { first: x.first as usize, count: x.source as usize };
        let row = x.source as usize * channels;
        let halved = x.source == 2 * x.resized && y.source == 2 * y.resized;
        let rounding = if halved { Rounding::Up } else { Rounding::ToEven };
        let weights = weights(x);
        let packed = reader
            .packed()
            .and_then(|packed| Packed::new(kernels, geometry, &weights, packed, rounding));
        let fused = || Fused::planes(kernels, geometry, &weights, channels, rounding);
        Self {
            across: spans(x, 0),
            down: spans(y, y.first),
            columns,
            pixels: vec![L::default(); row],
            held: None,
            sums: vec![0; row],
            ties: if halved { Ties::Up } else { Ties::ToEven },
            fused: if packed.is_some() { None } else { fused() },
            packed,
        }
    }

    /// Whether a kernel does it.
    pub(super) fn is_fused(&self) -> bool {
        self.fused.is_some() || self.packed.is_some()
    }

    pub(super) fn restart(&mut self) {
        self.held = None;
    }

    /// Output row `y`.
    pub(super) fn row(&mut self, y: usize, picture: &mut Picture<'_, L>, out: &mut [L]) {
        if let Some(packed) = &mut self.packed {
            return packed.row(y, picture, out);
        }
        if let Some(fused) = &mut self.fused {
            return fused.row(y, picture, out);
        }
        let span = self.down.spans[y];
        self.sums.fill(0);
        for source in span.first..=span.last {
            if self.held != Some(source) {
                picture.read(source as usize, &self.columns, &mut self.pixels);
                self.held = Some(source);
            }
            let weight = span.weight(source, self.down.whole);
            for (sum, &level) in self.sums.iter_mut().zip(&self.pixels) {
                *sum += weight * level.into();
            }
        }
        let total = u64::from(self.across.total) * u64::from(self.down.total);
        let whole = u64::from(self.across.whole);
        let planes = self.sums.chunks_exact(self.columns.count());
        for (out, plane) in out.chunks_exact_mut(self.across.spans.len()).zip(planes) {
            for (out, span) in out.iter_mut().zip(&self.across.spans) {
                let (first, last) = (span.first as usize, span.last as usize);
                // All of it at full weight, less what the two ends lack.
                let all: u64 = plane[first..=last].iter().map(|&sum| u64::from(sum)).sum();
                let lack =
                    |at: usize, weight: u32| (whole - u64::from(weight)) * u64::from(plane[at]);
                let ends = lack(first, span.first_weight) + lack(last, span.last_weight);
                *out = mean(whole * all - ends, total, self.ties);
            }
        }
    }
}

impl Span {
    pub(super) fn weight(&self, source: u32, whole: u32) -> u32 {
        if source == self.first {
            // A span of one pixel has it all in `first_weight`; see `spans`.
            self.first_weight
        } else if source == self.last {
            self.last_weight
        } else {
            whole
        }
    }
}

/// Rounded quotient, which is a level.
fn mean<L: Level>(sum: u64, total: u64, ties: Ties) -> L {
    let (quotient, rest) = (sum / total, sum % total);
    let up = match (2 * rest).cmp(&total) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => ties == Ties::Up || quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    L::of((quotient + u64::from(up)) as u32)
}

/// Spans of the pixels of an axis that are shown; source pixels count from `first` on.
pub(super) fn spans(axis: &Axis, first: u32) -> Spans {
    let divisor = greatest_common_divisor(axis.source, axis.resized);
    // An output pixel is `total` units long, a source pixel `whole`.
    let (total, whole) = (axis.source / divisor, axis.resized / divisor);
    let spans = (axis.skip..axis.skip + axis.shown)
        .map(|index| {
            let from = u64::from(index) * u64::from(total);
            let to = from + u64::from(total);
            let whole = u64::from(whole);
            let (begin, end) = (from / whole, (to - 1) / whole);
            let first_weight = ((begin + 1) * whole).min(to) - from;
            // Of a span of one pixel the last weight is left whole, so that nothing is counted twice.
            let last_weight = if begin == end { whole } else { to - end * whole };
            Span {
                first: begin as u32 + first,
                last: end as u32 + first,
                first_weight: first_weight as u32,
                last_weight: last_weight as u32,
            }
        })
        .collect();
    Spans { spans, whole, total }
}

/// For each pixel shown the first column of the crop that it covers, and the weights.
fn weights(axis: &Axis) -> Vec<(u32, Vec<[u32; 1]>)> {
    let Spans { spans, whole, .. } = spans(axis, 0);
    let weights =
        |span: &Span| (span.first..=span.last).map(|source| [span.weight(source, whole)]).collect();
    spans.iter().map(|span| (span.first, weights(span))).collect()
}

/// The edges of what is shown of an axis.
pub(super) fn edges(axis: &Axis) -> Edges {
    let divisor = greatest_common_divisor(axis.source, axis.resized);
    let (total, whole) = (axis.source / divisor, axis.resized / divisor);
    let at = (axis.skip..=axis.skip + axis.shown)
        .map(|index| {
            let from = u64::from(index) * u64::from(total);
            let (pixel, before) = (from / u64::from(whole), from % u64::from(whole));
            (pixel as u32 + axis.first, before as u32)
        })
        .collect();
    Edges { at, whole, total }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(source: u32, resized: u32) -> Axis {
        Axis { first: 0, source, resized, skip: 0, shown: resized, pad: 0, size: resized }
    }

    #[test]
    fn every_source_pixel_is_counted_once() {
        for (source, resized) in [(7, 7), (7, 3), (600, 160), (788, 208), (10, 1), (9, 8)] {
            let spans = spans(&axis(source, resized), 0);
            let mut counted = vec![0; source as usize];
            for span in &spans.spans {
                let mut total = 0;
                for pixel in span.first..=span.last {
                    let weight = span.weight(pixel, spans.whole);
                    counted[pixel as usize] += weight;
                    total += weight;
                }
                assert_eq!(total, spans.total);
            }
            assert!(counted.iter().all(|&weight| weight == spans.whole), "{source} {resized}");
        }
    }

    #[test]
    fn packed_samples_are_summed_as_they_lie() {
        use super::super::spec::{Resize, Spec};
        use crate::frame::PixelFormat;

        let spec = Spec::new(Resize::Area, [224, 8]);
        let geometry = Geometry::new(&spec, 2448, 64).unwrap();
        for (format, bits) in [(PixelFormat::MONO12P, 12), (PixelFormat::MONO10P, 10)] {
            for kernels in Kernels::available() {
                let reader = Reader::<u8>::new(&spec, (2448, 64), format, bits - 8).unwrap();
                let area = Area::new(&geometry, &reader.on(kernels), kernels);
                let knows = kernels.name() == "avx512";
                assert_eq!(
                    (area.packed.is_some(), area.fused.is_none()),
                    (knows, knows || kernels.name() == "scalar")
                );
            }
        }
    }

    #[test]
    fn a_mean_rounds_to_nearest() {
        assert_eq!(mean::<u8>(5, 2, Ties::ToEven), 2);
        assert_eq!(mean::<u8>(5, 2, Ties::Up), 3);
        assert_eq!(mean::<u8>(7, 2, Ties::ToEven), 4);
        assert_eq!(mean::<u8>(8, 3, Ties::ToEven), 3);
        assert_eq!(mean::<u8>(7, 3, Ties::ToEven), 2);
        let most = u64::from(u32::MAX);
        assert_eq!(mean::<u8>(255 * most, most, Ties::Up), 255);
        assert_eq!(mean::<u8>(254 * most + most / 2, most, Ties::Up), 254);
        assert_eq!(mean::<u8>(254 * most + most / 2 + 1, most, Ties::Up), 255);
    }
}
