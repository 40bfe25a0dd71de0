//! Windows side by side in a vector: where their bytes come from, and their weights.

use super::windows::{Piece, Pieces, Placed};

/// Where windows side by side lie in a row: each set of kernels has its own way to fetch them.
pub(in super::super) trait Place: Sized {
    /// Bytes of a vector.
    const BYTES: usize;
    /// Greatest weight of a byte, so that sums of products fit where they are made.
    const MOST_WEIGHT: i8;

    /// For such pieces of rows of `width` bytes. None where a row is narrower than a load.
    fn new<const N: usize>(pieces: &[Piece<N>], width: usize) -> Option<Self>;

    /// Where a piece stands among those of a vector. Sums of `narrow` windows come out in two vectors, of
    /// every other one.
    fn slot(piece: usize, narrow: bool) -> usize;

    /// Makes that byte of the vector, which is one of that piece, that column of the row. None where it
    /// lies too far away.
    fn put(&mut self, piece: usize, byte: usize, column: i64) -> Option<()>;
}

/// Windows side by side in a vector of `LANES` times two bytes.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(in super::super) struct Group<P, const LANES: usize, const N: usize> {
    /// Of each kind those of even bytes, then those of odd ones.
    pub(in super::super) weights: [[i16; LANES]; N],
    pub(in super::super) place: P,
}

/// The same where weights fit bytes. Of a mosaic: colour, `of_mean` and green of rows that hold red,
/// then of those that hold blue.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(in super::super) struct Bytes<P, const BYTES: usize, const N: usize> {
    pub(in super::super) weights: [[i8; BYTES]; N],
    pub(in super::super) place: P,
}

/// Groups of windows, which are told places in a group with the bytes that lie there. None where
/// windows lie too far apart, where a row is narrower than a load, or where a weight does not fit.
fn grouped<P: Place, const N: usize, G>(
    all: &Pieces<N>,
    blank: impl Fn(P) -> G,
    place: impl Fn(&mut G) -> &mut P,
    bytes: impl Fn(&Piece<N>) -> Option<Vec<Placed<N>>>,
    weigh: impl Fn(&mut G, usize, Placed<N>) -> Option<()>,
) -> Option<Vec<G>> {
    all.pieces
        .chunks(P::BYTES / all.bytes)
        .map(|pieces| {
            let mut group = blank(P::new(pieces, all.width)?);
            for (at, piece) in pieces.iter().enumerate() {
                let begin = P::slot(at, all.bytes == 8) * all.bytes;
                for placed in bytes(piece)? {
                    if placed.weights == [0; N] {
                        continue;
                    }
                    let to = begin + placed.place;
                    place(&mut group).put(at, to, piece.start + placed.byte as i64)?;
                    weigh(&mut group, to, placed)?;
                }
            }
            Some(group)
        })
        .collect()
}

/// See [`grouped`].
pub(in super::super) fn groups<P, const LANES: usize, const N: usize, const M: usize>(
    all: &Pieces<N>,
) -> Option<Vec<Group<P, LANES, M>>>
where
    P: Place,
{
    grouped(
        all,
        |place| Group { weights: [[0; LANES]; M], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, placed| {
            for (kind, &weight) in placed.weights.iter().enumerate() {
                group.weights[2 * kind + to % 2][to / 2] = weight;
            }
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
pub(in super::super) fn mono_bytes<P: Place, const BYTES: usize>(
    all: &Pieces<1>,
) -> Option<Vec<Bytes<P, BYTES, 1>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; BYTES]; 1], place },
        |group| &mut group.place,
        |piece| Some(piece.in_place()),
        |group, to, Placed { weights: [weight], .. }| {
            group.weights[0][to] = i8::try_from(weight).ok().filter(|&at| at <= P::MOST_WEIGHT)?;
            Some(())
        },
    )
}

/// None also where weights do not fit bytes.
pub(in super::super) fn mosaic_bytes<P: Place, const BYTES: usize>(
    all: &Pieces<3>,
) -> Option<Vec<Bytes<P, BYTES, 6>>> {
    grouped(
        all,
        |place| Bytes { weights: [[0; BYTES]; 6], place },
        |group| &mut group.place,
        |piece| piece.by_color(P::MOST_WEIGHT),
        |group, to, Placed { byte, weights, .. }| {
            let weights = weights.map(|weight| weight as i8);
            // Rows that hold red have it in even bytes, those that hold blue in odd ones.
            let (color, green) = if byte % 2 == 0 { (0, 4) } else { (3, 1) };
            group.weights[color][to] = weights[0];
            group.weights[green][to] = weights[1];
            group.weights[green + 1][to] = weights[2];
            Some(())
        },
    )
}
