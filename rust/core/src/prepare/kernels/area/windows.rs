//! Windows of an output row: the bytes that each output pixel looks at.

/// A window of an output pixel, or a piece of one. In a mosaic a byte has three weights,
/// [`Factors::color`], `of_mean` and [`Factors::green`], else one.
#[derive(Clone, Debug)]
pub(in super::super) struct Piece<const N: usize> {
    /// Column of its first byte, which may lie before the picture.
    pub(in super::super) start: i64,
    /// The weights of its bytes.
    pub(in super::super) weights: Vec<[i16; N]>,
}

/// All windows of an output row, cut into `each` pieces of `bytes` each.
#[derive(Clone, Debug)]
pub(in super::super) struct Pieces<const N: usize> {
    pub(in super::super) bytes: usize,
    pub(in super::super) each: usize,
    pub(in super::super) pieces: Vec<Piece<N>>,
    /// Columns of the picture.
    pub(in super::super) width: usize,
}

impl<const N: usize> Pieces<N> {
    /// `first` columns and weights of each output pixel; a window begins at a column of that
    /// `parity`, if there is one. None where a weight does not fit 16 bits.
    pub(super) fn new(
        windows: &[(u32, Vec<[u32; N]>)],
        parity: Option<usize>,
        width: usize,
    ) -> Option<Self> {
        let start = |first: u32| {
            let first = i64::from(first);
            let odd = parity.is_some_and(|parity| first.rem_euclid(2) != parity as i64);
            first - i64::from(odd)
        };
        let length = |(first, weights): &(u32, Vec<[u32; N]>)| {
            (i64::from(*first) - start(*first)) as usize + weights.len()
        };
        let longest = windows.iter().map(length).max()?;
        let bytes = if longest <= 8 { 8 } else { 16 };
        let each = longest.div_ceil(bytes);
        let mut pieces = Vec::with_capacity(each * windows.len());
        for (first, weights) in windows {
            let start = start(*first);
            let mut of_bytes = vec![[0; N]; each * bytes];
            let begin = (i64::from(*first) - start) as usize;
            for (to, from) in of_bytes[begin..].iter_mut().zip(weights) {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = i16::try_from(from).ok()?;
                }
            }
            pieces.extend(of_bytes.chunks(bytes).enumerate().map(|(at, weights)| Piece {
                start: start + (at * bytes) as i64,
                weights: weights.to_vec(),
            }));
        }
        Some(Self { bytes, each, pieces, width })
    }
}

/// A byte of a window, its place among those of a vector, and its weights there.
pub(in super::super) struct Placed<const N: usize> {
    pub(in super::super) byte: usize,
    pub(in super::super) place: usize,
    pub(in super::super) weights: [i16; N],
}

impl<const N: usize> Piece<N> {
    /// Every byte in its own place.
    pub(in super::super) fn in_place(&self) -> Vec<Placed<N>> {
        let weights = self.weights.iter().copied().enumerate();
        weights.map(|(byte, weights)| Placed { byte, place: byte, weights }).collect()
    }
}

impl Piece<3> {
    /// Of a mosaic the even bytes first, then the odd ones; one whose weights are greater than `most`
    /// (as the pictures' borders have them) takes several places. None where there are not so many.
    pub(in super::super) fn by_color(&self, most: i8) -> Option<Vec<Placed<3>>> {
        let half = self.weights.len() / 2;
        let mut next = [0, half];
        let mut placed = Vec::with_capacity(2 * half);
        for (byte, weights) in self.weights.iter().enumerate().filter(|(_, all)| **all != [0; 3]) {
            let share = |of: i32, index: i32| {
                weights.map(|weight| {
                    let until = |index: i32| i32::from(weight) * index / of;
                    (until(index + 1) - until(index)) as i16
                })
            };
            let fits = |of: &i32| (0..*of).all(|index| greatest(share(*of, index)) <= most.into());
            let of = (1..=4).find(fits)?;
            for index in 0..of {
                let place = next[byte % 2];
                if place == half * (1 + byte % 2) {
                    return None;
                }
                next[byte % 2] += 1;
                placed.push(Placed { byte, place, weights: share(of, index) });
            }
        }
        Some(placed)
    }
}

/// The greatest weight that is made of those of a mosaic's byte.
fn greatest([color, of_mean, green]: [i16; 3]) -> i32 {
    let [color, of_mean, green] = [color, of_mean, green].map(i32::from);
    (2 * color).max(green + 2 * of_mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(weights: &[[i16; 3]]) -> Piece<3> {
        Piece { start: 0, weights: weights.to_vec() }
    }

    #[test]
    fn a_heavy_byte_takes_several_places_and_weighs_the_same() {
        let weights = [[56, 28, 84], [28, 14, 70], [28, 0, 14], [0; 3], [0; 3], [0; 3]];
        let placed = piece(&weights).by_color(i8::MAX).unwrap();
        let mut sums = [[0; 3]; 6];
        let mut places = Vec::new();
        for Placed { byte, place, weights } in placed {
            assert!(greatest(weights) <= i8::MAX.into());
            assert_eq!(place >= 3, byte % 2 == 1, "even bytes first");
            places.push(place);
            for (sum, weight) in sums[byte].iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        assert_eq!(sums, weights);
        assert_eq!(places, [0, 1, 3, 2]);
    }

    #[test]
    fn a_byte_too_heavy_for_the_places_there_are_is_refused() {
        assert!(piece(&[[56, 28, 84], [0; 3]]).by_color(i8::MAX).is_none());
        assert!(piece(&[[30_000; 3], [0; 3], [0; 3], [0; 3]]).by_color(i8::MAX).is_none());
    }
}
