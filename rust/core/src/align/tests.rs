//! The whole of alignment against plain code: pixel by pixel, no bits, no bytes at once.

use std::sync::Arc;

use proptest::prelude::*;

use super::kernels::CELL;
use super::*;

/// Bytes that look random and are the same each time.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Blobs of two levels: noise, smoothed.
pub(super) fn blobs(width: usize, height: usize, seed: u64) -> Vec<u8> {
    let from = noise((width + 8) * (height + 8), seed);
    (0..width * height)
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let sum: u32 = (0..64)
                .map(|near| u32::from(from[(y + near / 8) * (width + 8) + x + near % 8]))
                .sum();
            if sum > 64 * 127 { 255 } else { 0 }
        })
        .collect()
}

/// The picture seen by a camera that stands elsewhere; the border goes on.
fn moved(pixels: &[u8], width: usize, by: impl Fn(usize, usize) -> [i32; 2]) -> Vec<u8> {
    let height = pixels.len() / width;
    (0..pixels.len())
        .map(|at| {
            let (x, y) = (at % width, at / width);
            let [dx, dy] = by(x, y);
            let within = |at: i32, side: usize| at.clamp(0, side as i32 - 1) as usize;
            pixels[within(y as i32 + dy, height) * width + within(x as i32 + dx, width)]
        })
        .collect()
}

fn settings(radius_px: usize) -> Settings {
    Settings { radius_px, ..Settings::new(Levels::Two { above: 127 }) }
}

/// Step by step what `search` says that it does, of a picture with few enough bands that all of them
/// are glanced at.
fn plain_field(golden: &[u8], part: &[u8], width: usize, radius: i32) -> Field {
    let height = part.len() / width;
    let (columns, rows) = (width.div_ceil(CELL), height.div_ceil(CELL));
    let bright = |pixels: &[u8], x: i32, y: i32| {
        let within = |at: i32, side: usize| at.clamp(0, side as i32 - 1) as usize;
        pixels[within(y, height) * width + within(x, width)] > 127
    };
    let cells = columns * rows;
    let side = |at: i32, side: usize| at.clamp(0, side as i32 - 1) as usize;
    let three = |from: &[i64], across: bool| -> Vec<i64> {
        (0..cells)
            .map(|cell| {
                let (x, y) = ((cell % columns) as i32, (cell / columns) as i32);
                (-1..=1)
                    .map(|by| {
                        let (x, y) = if across { (x + by, y) } else { (x, y + by) };
                        from[side(y, rows) * columns + side(x, columns)]
                    })
                    .sum()
            })
            .collect()
    };
    let around = |[x, y]: [i32; 2], by: i32| {
        let row = move |dy: i32| (-by..=by).map(move |dx| [x + dx, y + dy]);
        (-by..=by).flat_map(row)
    };
    // What the template has not where the whole lies counts for no cell.
    let counts_for = |at: usize, [dx, dy]: [i32; 2]| {
        let (x, y) = ((at % width) as i32 + dx, (at / width) as i32 + dy);
        (0..width as i32).contains(&x) && (0..height as i32).contains(&y)
    };
    let counted = |[dx, dy]: [i32; 2], near: [i32; 2]| {
        let mut counts = vec![0; cells];
        for (at, pixel) in part.iter().enumerate().filter(|(at, _)| counts_for(*at, near)) {
            let (x, y) = ((at % width) as i32, (at / width) as i32);
            let differs = (*pixel > 127) != bright(golden, x + dx, y + dy);
            counts[at / width / CELL * columns + at % width / CELL] += i64::from(differs);
        }
        counts
    };
    let least = |shifts: &mut dyn Iterator<Item = [i32; 2]>, near: [i32; 2]| {
        let cost = |shift: &[i32; 2]| {
            let bits = counted(*shift, near).iter().sum::<i64>();
            (bits, shift[0].abs() + shift[1].abs())
        };
        shifts.min_by_key(cost).unwrap()
    };
    let about = least(&mut around([0; 2], radius), [0; 2]);
    let local = radius.max(4);
    let whole = least(&mut around(about, local + 1), about);
    let away = |[dx, dy]: [i32; 2]| i64::from((dx - whole[0]).abs() + (dy - whole[1]).abs());
    let all: Vec<_> = around(about, local + 1)
        .map(|shift| {
            let once = three(&three(&counted(shift, about), true), false);
            (shift, three(&three(&once, true), false))
        })
        .collect();
    let raw: Vec<[i16; 2]> = (0..cells)
        .map(|cell| {
            let cost = |(shift, sums): &&([i32; 2], Vec<i64>)| {
                (sums[cell] + 31 * away(*shift), away(*shift))
            };
            all.iter().min_by_key(cost).unwrap().0.map(|by| by as i16)
        })
        .collect();
    let shifts = (0..cells)
        .map(|cell| {
            let (x, y) = ((cell % columns) as i32, (cell / columns) as i32);
            [0, 1].map(|axis: usize| {
                let near = |by: i32| {
                    let (x, y) = (side(x + by % 5 - 2, columns), side(y + by / 5 - 2, rows));
                    raw[y * columns + x][axis]
                };
                let mut values: Vec<i16> = (0..25).map(near).collect();
                values.sort_unstable();
                values[12].clamp((about[axis] - local) as i16, (about[axis] + local) as i16)
            })
        })
        .collect();
    Field { columns, rows, shifts, whole }
}

#[test]
fn every_set_of_kernels_finds_the_field_of_plain_code() {
    for (width, height, radius) in [(64, 64, 2), (167, 91, 4), (208, 80, 5)] {
        let template = blobs(width, height, 3);
        let part = moved(&template, width, |x, y| [(x / 70) as i32 - 1, (y / 40) as i32]);
        let expected = plain_field(&template, &part, width, radius as i32);
        let golden =
            Golden::new(&settings(radius), [width, height], &template, None, None).unwrap();
        let golden = Arc::new(golden);
        for kernels in prepare::Kernels::available() {
            let mut aligner = Aligner::with_kernels(Arc::clone(&golden), kernels);
            assert_eq!(*aligner.align(&part).unwrap(), expected, "{} {width}", kernels.name());
        }
    }
}

#[test]
fn a_part_that_is_moved_and_stretched_shows_no_difference() {
    let (width, height) = (320, 256);
    let template = blobs(width, height, 7);
    for shift in [[0, 0], [9, -7], [-10, 10]] {
        let part = moved(&template, width, |x, _| [shift[0] + (x / 160) as i32, shift[1]]);
        let golden = Golden::new(&settings(12), [width, height], &template, None, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
        let fit = aligner.compare(&part).unwrap();
        assert!(fit.residual < 0.02 && fit.at_limit < 0.02, "{shift:?}: {fit:?}");
        assert_eq!(aligner.windows(), [], "{shift:?}");
    }
}

#[test]
fn a_defect_is_found_where_it_is_in_the_part_also_when_the_part_is_moved() {
    let (width, height) = (256, 256);
    let template = blobs(width, height, 9);
    let golden = Golden::new(&settings(12), [width, height], &template, None, None).unwrap();
    let golden = Arc::new(golden);
    let mut part = moved(&template, width, |_, _| [6, -5]);
    for y in 100..112 {
        for x in 130..144 {
            part[y * width + x] = 255 - part[y * width + x];
        }
    }
    for kernels in prepare::Kernels::available() {
        let mut aligner = Aligner::with_kernels(Arc::clone(&golden), kernels);
        let fit = aligner.compare(&part).unwrap();
        assert_eq!(fit.whole, [6, -5]);
        let largest = aligner.windows()[0].component;
        assert_eq!(aligner.corners(largest), [130, 100, 144, 112]);
        assert_eq!(aligner.components()[largest].area, 12 * 14);
        let mut crop = vec![0.0; 3 * WINDOW * WINDOW];
        aligner.crop(0, &part, &mut crop);
        let sum = |plane: usize| crop[plane * 4096..][..4096].iter().sum::<f32>();
        assert_eq!(sum(2), 168.0);
        assert!(sum(0) > 0.0 && sum(0) != sum(1));
    }
}

#[test]
fn what_nobody_cares_for_is_no_difference_wherever_the_part_lies() {
    let (width, height) = (192, 192);
    let template = blobs(width, height, 11);
    let mut care = vec![255; width * height];
    let box_of = |at: usize| (80..120).contains(&(at % width)) && (60..90).contains(&(at / width));
    (0..care.len()).filter(|at| box_of(*at)).for_each(|at| care[at] = 0);
    let shift = [4, 3];
    let mut part = moved(&template, width, |_, _| shift);
    // In the part the box lies by the shift further to the upper left.
    for (at, pixel) in part.iter_mut().enumerate() {
        let (x, y) = (at % width, at / width);
        if (82..110).contains(&(x + 4)) && (62..86).contains(&(y + 3)) {
            *pixel = 255 - *pixel;
        }
    }
    let find = |care: Option<&[u8]>| {
        let golden = Golden::new(&settings(8), [width, height], &template, care, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
        let fit = aligner.compare(&part).unwrap();
        assert_eq!(fit.whole, shift);
        aligner.windows().len()
    };
    assert!(find(None) > 0);
    assert_eq!(find(Some(&care)), 0);
}

#[test]
fn a_wide_search_finds_what_a_narrow_one_would() {
    let (width, height) = (512, 384);
    let template = blobs(width, height, 13);
    let part = moved(&template, width, |_, _| [-29, 22]);
    let golden = Golden::new(&settings(40), [width, height], &template, None, None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    let fit = aligner.compare(&part).unwrap();
    assert_eq!(fit.whole, [-29, 22]);
    assert!(fit.residual < 0.1, "{fit:?}");
    assert_eq!(aligner.moved(), [-29, 22]);
    let inner = aligner.field().shifts.iter().filter(|shift| **shift == [0, 0]).count();
    assert!(inner * 10 > aligner.field().shifts.len() * 8, "{inner}");
}

#[test]
fn grey_parts_in_another_light_show_only_their_defect() {
    let (width, height) = (256, 192);
    let levels = Levels::Grey { edge: 16, tolerance: 24 };
    let template: Vec<u8> =
        blobs(width, height, 17).iter().map(|level| if *level > 0 { 190 } else { 70 }).collect();
    let mut part = moved(&template, width, |_, _| [5, -4]);
    let grain = noise(part.len(), 19);
    for (at, pixel) in part.iter_mut().enumerate() {
        let shade = 1.0 - 0.3 * (at % width) as f64 / width as f64;
        let lit = f64::from(*pixel) * shade + f64::from(grain[at] % 7) - 3.0;
        *pixel = lit.clamp(0.0, 255.0) as u8;
    }
    let settings = Settings { radius_px: 8, ..Settings::new(levels) };
    let golden = Golden::new(&settings, [width, height], &template, None, None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    let fit = aligner.compare(&part).unwrap();
    assert_eq!(fit.whole, [5, -4]);
    assert_eq!(aligner.windows(), [], "{fit:?}");
    for y in 90..98 {
        for x in 100..110 {
            part[y * width + x] = 130;
        }
    }
    aligner.compare(&part).unwrap();
    let found: Vec<_> = aligner.windows().iter().map(|window| window.component).collect();
    assert!(!found.is_empty());
    for component in found {
        let [left, top, right, bottom] = aligner.corners(component);
        assert!(left >= 98 && right <= 111 && top >= 88 && bottom <= 99);
    }
}

#[test]
fn more_windows_than_allowed_are_said_to_be_too_many() {
    let (width, height) = (256, 256);
    let template = blobs(width, height, 21);
    let mut part = template.clone();
    for y in (16..240).step_by(24) {
        for x in (16..240).step_by(24) {
            for at in 0..25 {
                let at = (y + at / 5) * width + x + at % 5;
                part[at] = 255 - part[at];
            }
        }
    }
    let mut settings = settings(2);
    settings.most_windows = 10;
    let golden = Golden::new(&settings, [width, height], &template, None, None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    aligner.compare(&part).unwrap();
    assert_eq!(aligner.windows().len(), 10);
    assert!(aligner.too_many());
}

#[test]
fn what_does_not_fit_is_refused_with_what_does() {
    let refused = |settings: &Settings, size: [usize; 2], bytes: usize| {
        Golden::new(settings, size, &vec![0; bytes], None, None).unwrap_err().to_string()
    };
    assert!(refused(&settings(8), [63, 64], 63 * 64).contains("63 x 64"));
    assert!(refused(&settings(8), [64, 64], 64).contains("64 B"));
    assert!(refused(&settings(65), [64, 64], 4096).contains("radius_px"));
    let golden = Golden::new(&settings(8), [64, 64], &[0; 4096], None, None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    assert!(aligner.align(&[0; 100]).unwrap_err().to_string().contains("part"));
}

/// An aligner for two levels at that radius.
fn aligner(template: &[u8], size: [usize; 2], radius_px: usize) -> Aligner {
    let golden = Golden::new(&settings(radius_px), size, template, None, None).unwrap();
    Aligner::new(Arc::new(golden)).unwrap()
}

#[test]
fn a_part_that_lies_almost_as_far_off_as_it_may_has_room_to_be_uneven() {
    let (width, height) = (384, 320);
    let template = blobs(width, height, 23);
    // Off by 10 px, and the right end of it by 16: further than the radius from its place.
    let part = moved(&template, width, |x, _| [10 + (x / 64) as i32, -10]);
    let mut aligner = aligner(&template, [width, height], 12);
    let fit = aligner.compare(&part).unwrap();
    assert!(fit.at_limit < 0.02 && fit.residual < 0.01, "{fit:?}");
}

#[test]
fn what_is_left_out_at_the_border_stays_out_when_the_part_is_shifted() {
    let (width, height) = (256, 256);
    let template = blobs(width, height, 25);
    let mut whole = template.clone();
    for y in 100..120 {
        for pixel in &mut whole[y * width + 1..y * width + 7] {
            *pixel = 255 - *pixel;
        }
    }
    for dx in [0, -9, 9] {
        let part = moved(&whole, width, |_, _| [dx, 0]);
        let mut aligner = aligner(&template, [width, height], 12);
        let fit = aligner.compare(&part).unwrap();
        assert_eq!(fit.whole, [dx, 0]);
        assert_eq!(aligner.windows(), [], "{dx}");
    }
}

#[test]
fn a_picture_of_one_colour_lies_in_its_place() {
    for level in [0, 255] {
        let mut aligner = aligner(&[level; 96 * 80], [96, 80], 12);
        let mut part = [level; 96 * 80];
        let fit = aligner.compare(&part).unwrap();
        let expected =
            Fit { whole: [0, 0], cells: [[0, 0]; 2], residual: 0.0, at_limit: 0.0, compared: 1.0 };
        assert_eq!(fit, expected);
        for y in 30..38 {
            part[y * 96 + 40..][..8].fill(255 - level);
        }
        aligner.compare(&part).unwrap();
        assert_eq!(aligner.windows().len(), 1);
    }
}

#[test]
fn a_part_that_has_little_of_the_template_is_no_fit() {
    let template = blobs(96, 96, 27);
    let part = moved(&template, 96, |_, _| [60, 0]);
    let fit = aligner(&template, [96, 96], 64).compare(&part).unwrap();
    assert_eq!(fit.residual, 1.0, "{fit:?}");
}

/// Squares of 8 pixels, each of one level or the other.
fn squares(width: usize, height: usize, seed: u64, [dark, bright]: [u8; 2]) -> Vec<u8> {
    let levels = noise(width.div_ceil(8) * height.div_ceil(8), seed);
    let at = |x: usize, y: usize| levels[y / 8 * width.div_ceil(8) + x / 8];
    let level = |at_: usize| if at(at_ % width, at_ / width) > 127 { bright } else { dark };
    (0..width * height).map(level).collect()
}

/// Fills a box of a picture: first column and row, and the last ones plus 1.
fn paint(pixels: &mut [u8], width: usize, [left, top, right, bottom]: [usize; 4], level: u8) {
    for y in top..bottom {
        pixels[y * width + left..y * width + right].fill(level);
    }
}

fn grey() -> Settings {
    Settings::new(Levels::Grey { edge: 16, tolerance: 24 })
}

#[test]
fn a_part_that_repeats_itself_and_lies_off_by_a_few_pixels_shows_nothing() {
    let (width, height) = (320, 256);
    let comb = |by: usize| -> Vec<u8> {
        (0..width * height)
            .map(|at| if (at % width + 10 - by) % 10 < 4 { 255 } else { 0 })
            .collect()
    };
    for levels in [Levels::Two { above: 127 }, Levels::Grey { edge: 16, tolerance: 24 }] {
        let size = [width, height];
        let golden = Golden::new(&Settings::new(levels), size, &comb(0), None, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
        for by in [1, 2, 3] {
            let fit = aligner.compare(&comb(by)).unwrap();
            assert_eq!(fit.residual, 0.0, "{levels:?} {by}: {fit:?}");
            assert_eq!(aligner.windows(), [], "{levels:?} {by}");
        }
    }
}

#[test]
fn what_nobody_cares_for_aligns_nothing() {
    let (width, height) = (320, 320);
    let template = blobs(width, height, 33);
    let mut care = vec![0; width * height];
    paint(&mut care, width, [100, 100, 220, 220], 255);
    let golden = Golden::new(&settings(12), [width, height], &template, Some(&care), None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    // The middle lies 4 px to one side, all around it 11 px to the other.
    let inside = |at: usize| (80..240).contains(&at);
    let by = |x: usize, y: usize| if inside(x) && inside(y) { [-4, 0] } else { [11, 0] };
    let fit = aligner.compare(&moved(&template, width, by)).unwrap();
    assert_eq!(fit.whole, [-4, 0]);
    assert_eq!(fit.at_limit, 0.0, "{fit:?}");
    assert_eq!(aligner.windows(), [], "{fit:?}");
    // Nor does something else.
    let mut part = noise(width * height, 7);
    for y in 90..230 {
        part[y * width + 90..y * width + 230]
            .copy_from_slice(&template[y * width + 90..y * width + 230]);
    }
    let fit = aligner.compare(&part).unwrap();
    assert_eq!((fit.whole, fit.at_limit, fit.residual), ([0, 0], 0.0, 0.0));
}

#[test]
fn what_nobody_cares_for_lights_nothing() {
    let (width, height) = (320, 320);
    let mut template = squares(width, height, 3, [90, 160]);
    let mut care = vec![255; width * height];
    paint(&mut template, width, [120, 120, 200, 200], 230);
    paint(&mut care, width, [112, 112, 208, 208], 0);
    let golden = Golden::new(&grey(), [width, height], &template, Some(&care), None).unwrap();
    let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
    for level in [0, 120, 255] {
        let mut part = template.clone();
        paint(&mut part, width, [120, 120, 200, 200], level);
        let fit = aligner.compare(&part).unwrap();
        assert_eq!(fit.residual, 0.0, "{level}: {fit:?}");
    }
}

#[test]
fn a_line_that_is_gone_differs_as_one_that_is_too_much() {
    let (width, height) = (256, 256);
    let ground = squares(width, height, 5, [150, 220]);
    let mut with = ground.clone();
    // On even ground, so that no neighbour of it spans its level.
    paint(&mut with, width, [20, 90, 236, 110], 220);
    let without = with.clone();
    paint(&mut with, width, [20, 98, 236, 102], 40);
    for (template, part) in [(&with, &without), (&without, &with)] {
        let golden = Golden::new(&grey(), [width, height], template, None, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
        aligner.compare(part).unwrap();
        let component = aligner.windows().first().expect("it is seen").component;
        let Component { core, .. } = aligner.components()[component];
        assert!(core >= 2 * 210, "{core}");
    }
}

#[test]
fn what_hangs_on_a_thin_difference_has_a_window_of_its_own() {
    let (width, height) = (400, 400);
    let mut template = vec![0; width * height];
    for at in (0..width).step_by(64) {
        paint(&mut template, width, [at, 0, (at + 2).min(width), height], 255);
        paint(&mut template, width, [0, at, width, (at + 2).min(height)], 255);
    }
    paint(&mut template, width, [70, 70, 330, 330], 0);
    paint(&mut template, width, [80, 80, 320, 320], 255);
    paint(&mut template, width, [100, 100, 300, 300], 0);
    let mut part = template.clone();
    // Print that is wider by two pixels to the right and below, and a spur that hangs on it.
    paint(&mut part, width, [320, 80, 322, 322], 255);
    paint(&mut part, width, [80, 320, 322, 322], 255);
    let mut aligner = aligner(&template, [width, height], 12);
    aligner.compare(&part).unwrap();
    let before = aligner.windows().len();
    paint(&mut part, width, [80, 320, 100, 340], 255);
    aligner.compare(&part).unwrap();
    let windows = aligner.windows();
    assert_eq!(windows.len(), before + 1, "{windows:?}");
    let held = windows
        .iter()
        .any(|one| one.x <= 80 && one.x + WINDOW >= 100 && one.y <= 320 && one.y + WINDOW >= 340);
    assert!(held, "{windows:?}");
}

#[test]
fn cells_may_lie_no_further_off_than_is_said() {
    let (width, height) = (400, 400);
    let mut template = blobs(width, height, 35);
    // Print on empty ground.
    paint(&mut template, width, [80, 80, 320, 320], 0);
    let mut part = template.clone();
    paint(&mut template, width, [140, 140, 260, 260], 255);
    paint(&mut part, width, [148, 148, 268, 268], 255);
    let seen = |local_px: Option<usize>| {
        let settings = Settings { local_px, ..settings(12) };
        let golden = Golden::new(&settings, [width, height], &template, None, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden)).unwrap();
        let fit = aligner.compare(&part).unwrap();
        (fit, aligner.windows().len())
    };
    let (fit, windows) = seen(None);
    assert_eq!((windows, fit.cells[0][0]), (0, -8), "{fit:?}");
    let (fit, windows) = seen(Some(3));
    assert!(windows > 0 && fit.cells[0][0] >= -4, "{fit:?}");
}

#[test]
fn a_small_radius_leaves_cells_room_to_be_uneven() {
    let (width, height) = (320, 256);
    let template = blobs(width, height, 37);
    let part = moved(&template, width, |x, _| [(x / 107) as i32 - 1, 0]);
    for radius_px in [1, 2, 3] {
        let fit = aligner(&template, [width, height], radius_px).compare(&part).unwrap();
        assert_eq!(fit.at_limit, 0.0, "{radius_px}: {fit:?}");
        assert_eq!(fit.cells[0], [-1, 1]);
    }
}

#[test]
fn what_lies_out_of_view_is_said_to_be_not_compared() {
    let template = blobs(160, 160, 39);
    let part = moved(&template, 160, |_, _| [40, 0]);
    let fit = aligner(&template, [160, 160], 64).compare(&part).unwrap();
    assert_eq!((fit.whole, fit.compared), ([40, 0], 0.75), "{fit:?}");
    assert!(fit.residual < 0.01, "{fit:?}");
}

/// Everything that can be seen of a comparison.
fn seen(aligner: &mut Aligner, part: &[u8]) -> (Fit, Field, Vec<Component>, Vec<Window>, Vec<f32>) {
    let fit = aligner.compare(part).unwrap();
    let windows = aligner.windows().to_vec();
    let mut crops = vec![0.0; windows.len() * 3 * WINDOW * WINDOW];
    for (number, crop) in crops.chunks_exact_mut(3 * WINDOW * WINDOW).enumerate() {
        aligner.crop(number, part, crop);
    }
    for at in 0..part.len() {
        let template =
            aligner.template(at % aligner.golden().size()[0], at / aligner.golden().size()[0]);
        crops.push(template.map_or(-1.0, f32::from));
    }
    (fit, aligner.field().clone(), aligner.components().to_vec(), windows, crops)
}

fn every_set_sees_the_same(golden: Golden, part: &[u8]) {
    let [width, height] = golden.size();
    let golden = Arc::new(golden);
    let scalar = prepare::Kernels::available().into_iter().find(|set| set.name() == "scalar");
    let expected = scalar
        .map(|set| seen(&mut Aligner::with_kernels(Arc::clone(&golden), set), part))
        .expect("scalar code runs everywhere");
    let fit = expected.0;
    assert!((0.0..=1.0).contains(&fit.residual) && (0.0..=1.0).contains(&fit.at_limit), "{fit:?}");
    for window in &expected.3 {
        assert!(window.x + WINDOW <= width && window.y + WINDOW <= height, "{window:?}");
    }
    for set in prepare::Kernels::available() {
        let mut aligner = Aligner::with_kernels(Arc::clone(&golden), set);
        // Also after another part: nothing of it may be left.
        aligner.compare(&golden.pixels).unwrap();
        assert!(seen(&mut aligner, part) == expected, "{} {width} x {height}", set.name());
    }
}

/// Pictures of all kinds that somebody may show.
fn picture(kind: usize, size: [usize; 2], seed: u64) -> Vec<u8> {
    let [width, height] = size;
    let drawn = |level: &dyn Fn(usize, usize) -> u8| {
        (0..width * height).map(|at| level(at % width, at / width)).collect()
    };
    match kind {
        0 => vec![0; width * height],
        1 => vec![255; width * height],
        2 => noise(width * height, seed),
        3 => drawn(&|x, y| if (x + y) % 2 == 0 { 255 } else { 0 }),
        4 => drawn(&|x, _| if x % 6 < 3 { 255 } else { 0 }),
        5 => blobs(width, height, seed).iter().map(|level| 255 - level).collect(),
        _ => blobs(width, height, seed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_set_of_kernels_sees_the_same_of_any_pictures(
        size in [64_usize..150, 64_usize..150],
        radius_px in 1_usize..=64,
        kinds in [0_usize..9, 0_usize..9],
        seed in 1_u64..1000,
        by in [-20_i32..=20, -20_i32..=20],
        grey: bool,
        masked: bool,
    ) {
        let levels = match grey {
            true => Levels::Grey { edge: 16, tolerance: 24 },
            false => Levels::Two { above: 127 },
        };
        let settings = Settings { radius_px, ..Settings::new(levels) };
        let template = picture(kinds[0], size, seed);
        let part = moved(&picture(kinds[1], size, seed), size[0], |_, _| by);
        let care = masked.then(|| blobs(size[0], size[1], seed + 1));
        let golden = Golden::new(&settings, size, &template, care.as_deref(), None).unwrap();
        every_set_sees_the_same(golden, &part);
    }
}

#[test]
fn every_set_of_kernels_sees_the_same_of_a_large_picture() {
    let (width, height) = (1553, 1117);
    let levels = Levels::Two { above: 127 };
    let template = blobs(width, height, 29);
    // Stretched by 7 px from left to right: a large picture is searched no further than bands show.
    let mut part = moved(&template, width, |x, _| [(x / 200) as i32 - 6, 4]);
    for y in 400..412 {
        part[y * width + 700..][..12].fill(255);
        part[y * width + 712..][..12].fill(0);
    }
    for radius_px in [12, 30] {
        let settings = Settings { radius_px, ..Settings::new(levels) };
        let golden = Golden::new(&settings, [width, height], &template, None, None).unwrap();
        let mut aligner = Aligner::new(Arc::new(golden.clone())).unwrap();
        let fit = aligner.compare(&part).unwrap();
        assert!(fit.residual < 0.02 && fit.at_limit < 0.02, "{fit:?}");
        let corners = aligner.corners(aligner.windows()[0].component);
        let [left, top, right, bottom] = corners;
        let within = left >= 698 && top >= 398 && right <= 726 && bottom <= 414;
        assert!(within, "the largest: {corners:?}");
        every_set_sees_the_same(golden, &part);
    }
}

#[test]
fn a_shift_changes_nothing_of_what_is_seen_of_a_part() {
    let (width, height) = (320, 256);
    let template = blobs(width, height, 31);
    // Uneven, so that it matters which pixels make a cell.
    let mut whole = moved(&template, width, |x, y| [(x / 250) as i32, (y / 200) as i32]);
    for y in 120..132 {
        whole[y * width + 150..][..14].fill(255);
        whole[y * width + 164..][..14].fill(0);
    }
    let mut aligner = aligner(&template, [width, height], 12);
    let mut looked = |by: [i32; 2]| {
        let part = moved(&whole, width, |_, _| by);
        aligner.compare(&part).unwrap();
        let mut crop = vec![0.0; 3 * WINDOW * WINDOW];
        aligner.crop(0, &part, &mut crop);
        let corners = aligner.corners(aligner.windows()[0].component);
        ([0, 1, 2, 3].map(|at| corners[at] + by[at % 2]), crop)
    };
    let expected = looked([-6, 5]);
    for by in [[6, 7], [10, -10], [-9, 0], [0, 8], [-5, -10]] {
        assert!(looked(by) == expected, "{by:?}");
    }
}
