//! The template brought to where the part has its cells.
//!
//! Between the centres of four cells the shift is bilinear and rounded to whole pixels, halves to
//! even, as `cv2.resize` and `rint` make it. Where the template has nothing, the part's own pixels
//! stand: there is no difference.

use super::bits::Bits;
use super::kernels::CELL;
use super::search::Field;

/// Calls `each` with pieces of rows that have one shift: row, first column, length, shift.
pub(super) fn pieces(
    field: &Field,
    [width, height]: [usize; 2],
    mut each: impl FnMut(usize, usize, usize, [i32; 2]),
) {
    const HALF: usize = CELL / 2;
    // Quads of four cells' centres: the first and the last reach to the border.
    for quad_row in 0..=field.rows {
        let top = (quad_row * CELL).saturating_sub(HALF);
        let bottom = (quad_row * CELL + HALF).min(height);
        let upper = quad_row.saturating_sub(1);
        let lower = quad_row.min(field.rows - 1);
        let mut column = 0;
        while column <= field.columns {
            let corners = |column: usize| {
                let (left, right) = (column.saturating_sub(1), column.min(field.columns - 1));
                [
                    field.at(left, upper),
                    field.at(right, upper),
                    field.at(left, lower),
                    field.at(right, lower),
                ]
            };
            let four = corners(column);
            let left = (column * CELL).saturating_sub(HALF);
            let uniform = |four: &[[i16; 2]; 4]| four.iter().all(|shift| *shift == four[0]);
            if uniform(&four) {
                let mut last = column;
                while last < field.columns {
                    let next = corners(last + 1);
                    if next[0] != four[0] || !uniform(&next) {
                        break;
                    }
                    last += 1;
                }
                let right = (last * CELL + HALF).min(width);
                if left < right {
                    for y in top..bottom {
                        each(y, left, right - left, four[0].map(i32::from));
                    }
                }
                column = last + 1;
                continue;
            }
            let right = (column * CELL + HALF).min(width);
            if left >= right {
                break;
            }
            for y in top..bottom {
                between(&four, [left, right], y, &mut each);
            }
            column += 1;
        }
    }
}

/// One row between four centres.
fn between(
    four: &[[i16; 2]; 4],
    [left, right]: [usize; 2],
    y: usize,
    each: &mut impl FnMut(usize, usize, usize, [i32; 2]),
) {
    // In 32nds of the way from one centre to the next: pixels' centres lie at odd ones.
    let part = |at: usize| (2 * at as i32 + 1 - CELL as i32).rem_euclid(2 * CELL as i32);
    let down = part(y);
    // Along a row the shift is a line: its beginning, and what each 32nd adds.
    let lines = [0, 1].map(|axis: usize| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|corner: usize| i32::from(four[corner][axis]));
        (32 * (a * (32 - down) + c * down), (b - a) * (32 - down) + (d - c) * down)
    });
    let first_part = part(left);
    let at = |x: usize| {
        let across = first_part + 2 * (x - left) as i32;
        lines.map(|(start, step)| rounded(start + step * across))
    };
    // What is rounded from a line never comes back to where it was: a piece ends where a search between
    // both of its ends says so.
    let (mut first, last) = (left, at(right - 1));
    loop {
        let shift = at(first);
        if shift == last {
            each(y, first, right - first, shift);
            return;
        }
        let (mut same, mut other) = (first, right - 1);
        while same + 1 < other {
            let middle = (same + other) / 2;
            if at(middle) == shift { same = middle } else { other = middle }
        }
        each(y, first, other - first, shift);
        first = other;
    }
}

/// A 1024th of it, halves to even.
fn rounded(number: i32) -> i32 {
    let (whole, rest) = (number >> 10, number & 1023);
    whole + i32::from(rest > 512 || (rest == 512 && whole & 1 == 1))
}

/// What of a piece lies in a picture of this size: how many pixels are left out at its beginning, and
/// how many follow that are in.
fn inside(
    [width, height]: [usize; 2],
    x: usize,
    y: usize,
    count: usize,
    [dx, dy]: [i32; 2],
) -> Option<(usize, usize)> {
    let row = y as i32 + dy;
    if row < 0 || row >= height as i32 {
        return None;
    }
    let first = x as i32 + dx;
    let skip = (-first).max(0) as usize;
    let end = (first + count as i32).min(width as i32) - first;
    (end > skip as i32).then(|| (skip, end as usize - skip))
}

/// `from`, warped; bits of `outside` where it has none. How many pixels it has.
pub(super) fn bits(field: &Field, from: &Bits, outside: &Bits, to: &mut Bits) -> usize {
    let size = [from.width, from.height];
    let mut had = 0;
    to.clear();
    pieces(field, size, |y, x, count, shift| {
        let Some((skip, some)) = inside(size, x, y, count, shift) else {
            to.set_as(outside, [x, y], [x, y], count);
            return;
        };
        had += some;
        let at = [(x + skip) as i32 + shift[0], y as i32 + shift[1]].map(|at| at as usize);
        to.set_as(from, at, [x + skip, y], some);
        if some < count {
            to.set_as(outside, [x, y], [x, y], skip);
            let end = x + skip + some;
            to.set_as(outside, [end, y], [end, y], count - skip - some);
        }
    });
    had
}

/// `from`, warped; `outside` where it has none, in place of what is already in `to`. How many pixels
/// it has.
pub(super) fn bytes(
    field: &Field,
    from: &[u8],
    size: [usize; 2],
    outside: Outside<'_>,
    to: &mut [u8],
) -> usize {
    let [width, _] = size;
    let mut had = 0;
    pieces(field, size, |y, x, count, shift| {
        let row = &mut to[y * width + x..][..count];
        let inside = inside(size, x, y, count, shift);
        if inside != Some((0, count)) {
            match outside {
                Outside::Picture(picture) => {
                    row.copy_from_slice(&picture[y * width + x..][..count]);
                }
                Outside::Level(level) => row.fill(level),
            }
        }
        if let Some((skip, some)) = inside {
            had += some;
            let at = (y as i32 + shift[1]) as usize * width;
            let first = at + ((x + skip) as i32 + shift[0]) as usize;
            row[skip..skip + some].copy_from_slice(&from[first..first + some]);
        }
    });
    had
}

/// What of a picture lies beside a box, its first column and row and the last ones plus 1, as another
/// has it.
pub(super) fn fill_beside(
    [left, top, right, bottom]: [usize; 4],
    [width, _]: [usize; 2],
    from: &[u8],
    to: &mut [u8],
) {
    for (y, (to, from)) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)).enumerate() {
        let (left, right) = if (top..bottom).contains(&y) { (left, right) } else { (width, width) };
        to[..left].copy_from_slice(&from[..left]);
        to[right..].copy_from_slice(&from[right..]);
    }
}

/// A picture, moved to the right and downwards by so much; its border goes on.
pub(super) fn moved(from: &[u8], [width, height]: [usize; 2], by: [i32; 2], to: &mut [u8]) {
    let within =
        |at: usize, by: i32, side: usize| (at as i32 - by).clamp(0, side as i32 - 1) as usize;
    let (first, last) = (within(0, by[0], width), within(width - 1, by[0], width));
    let count = last + 1 - first;
    for (y, to) in to.chunks_exact_mut(width).enumerate() {
        let row = &from[within(y, by[1], height) * width..][..width];
        let before = by[0].max(0) as usize;
        let before = before.min(width - count);
        to[..before].fill(row[0]);
        to[before..before + count].copy_from_slice(&row[first..=last]);
        to[before + count..].fill(row[width - 1]);
    }
}

/// What stands where the template has nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outside<'a> {
    Picture(&'a [u8]),
    Level(u8),
}
