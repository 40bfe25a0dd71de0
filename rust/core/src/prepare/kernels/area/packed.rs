//! The area mean of packed samples of which the eight highest bits are wanted, without unpacking them.
//!
//! A window is made of pieces: eight bytes of a row in which four samples or more begin and end. Any
//! eight bits out of eight bytes are one instruction, and weighing them is another, so samples become
//! levels on their way into a sum and never lie anywhere.

#[cfg(target_arch = "x86_64")]
use super::super::avx512;
use super::super::unpack::Fields;
use super::super::{Instructions, Kernels};
use super::held::{Ahead, Rows};
use super::spans::{Span, spans_of};
use super::{Finish, Rounding};
use crate::prepare::geometry::Geometry;
use crate::prepare::level::Level;
use crate::prepare::picture::Picture;
use crate::prepare::resize_area::edges;

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in crate::prepare) struct Packed {
    engine: Engine,
    /// The edge above the first row, and the rows.
    spans: Vec<Span>,
    /// For each edge, its row's share above it.
    shares: Vec<f64>,
    finish: Finish,
    starts: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Packed),
}

impl Packed {
    /// For rows of `row_bytes` that hold such samples; `across` are the windows by columns of the crop.
    /// None where these kernels cannot do it.
    pub(in crate::prepare) fn new(
        kernels: Kernels,
        geometry: &Geometry,
        across: &[(u32, Vec<[u32; 1]>)],
        (fields, row_bytes): (&Fields, usize),
        rounding: Rounding,
    ) -> Option<Self> {
        let (x, y) = (edges(&geometry.x), edges(&geometry.y));
        let total = u64::from(x.total) * u64::from(y.total);
        let finish = Finish::new(y.whole, total, [0; 3], rounding);
        let spans = spans_of(&geometry.y, |rows, edge| Span::Mono { rows, edge });
        let rows = spans.iter().map(Span::rows).max()?;
        let most = 255 * rows as u64 * u64::from(x.total);
        if !finish.fits || most > i32::MAX as u64 {
            return None;
        }
        let first = geometry.x.first;
        let engine: Engine = match kernels.0 {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512(token) => {
                Engine::Avx512(avx512::Packed::new(token, across, first, fields, row_bytes)?)
            }
            _ => return None,
        };
        let rows = spans.iter().map(|span| span.range().len()).max()?;
        let shares = y.at.iter().map(|&(_, share)| f64::from(share)).collect();
        Some(Self { engine, spans, shares, finish, starts: Vec::with_capacity(rows) })
    }

    /// Output row `y`; rows come in order.
    pub(in crate::prepare) fn row<L: Level>(
        &mut self,
        y: usize,
        picture: &mut Picture<'_, L>,
        out: &mut [L],
    ) {
        let Some(out) = L::bytes_mut(out) else { return };
        if y == 0 {
            self.restart();
            if self.shares[0] != 0.0 {
                self.add_up(0, picture, &mut []);
            }
        }
        self.add_up(y + 1, picture, out);
    }

    fn restart(&mut self) {
        match self.engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(ref mut packed) => packed.restart(),
        }
    }

    fn add_up<L: Level>(&mut self, index: usize, picture: &mut Picture<'_, L>, out: &mut [u8]) {
        let Self { engine, spans, shares, finish, starts } = self;
        let (Span::Mono { rows, edge }, Some((bytes, stride, _))) = (&spans[index], picture.raw())
        else {
            return;
        };
        // The span before the first edge has none before.
        let before = index.checked_sub(1).map_or(0.0, |before| shares[before]);
        let Some(mix) = finish.mix([before, shares[index]]) else { return };
        let end = spans[index].range().end;
        starts.clear();
        starts.extend((rows.start..end).map(|y| y as usize * stride));
        let next = spans.get(index + 1).map_or(end, |next| next.range().end);
        let ahead = Ahead {
            bytes: bytes.get(end as usize * stride..).unwrap_or_default(),
            stride,
            rows: next.saturating_sub(end) as usize,
            bits: 8,
        };
        let rows = Rows { bytes, starts, ahead };
        match *engine {
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512(ref mut packed) => packed.row(rows, *edge, mix, finish, out),
        }
    }
}
