//! The whole of alignment against plain code: pixel by pixel, no bits, no bytes at once.

use std::sync::Arc;

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

/// Step by step what `search` says that it does.
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
    let mut all = Vec::new();
    for dy in -radius..=radius {
        for dx in -radius..=radius {
            let mut counts = vec![0; cells];
            for (at, pixel) in part.iter().enumerate() {
                let (x, y) = ((at % width) as i32, (at / width) as i32);
                let differs = (*pixel > 127) != bright(golden, x + dx, y + dy);
                counts[at / width / CELL * columns + at % width / CELL] += i64::from(differs);
            }
            let total: i64 = counts.iter().sum();
            let once = three(&three(&counts, true), false);
            all.push(([dx, dy], total, three(&three(&once, true), false)));
        }
    }
    let whole = all.iter().min_by_key(|(_, total, _)| *total).unwrap().0;
    let away = |[dx, dy]: [i32; 2]| i64::from((dx - whole[0]).abs() + (dy - whole[1]).abs());
    let raw: Vec<[i16; 2]> = (0..cells)
        .map(|cell| {
            let cost = |(shift, _, sums): &&([i32; 2], i64, Vec<i64>)| {
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
                values[12]
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
        let largest = aligner.components()[aligner.windows()[0].component];
        // One pixel to the lower right, as opening moves it.
        assert_eq!(largest.corners, [131, 101, 145, 113]);
        assert_eq!(largest.area, 12 * 14);
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
    let inner = aligner.field().shifts.iter().filter(|shift| **shift == [-29, 22]).count();
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
        let [left, top, right, bottom] = aligner.components()[component].corners;
        assert!(left >= 99 && right <= 112 && top >= 89 && bottom <= 100);
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
