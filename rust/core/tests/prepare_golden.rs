//! `prepare` against rows that OpenCV, Pillow and NumPy made (`tests/golden_prepare.py`).

use std::path::Path;

use serde::Deserialize;
use smartqc_core::frame::PixelFormat;
use smartqc_core::prepare::{Plan, Spec};

#[derive(Deserialize)]
struct Case {
    pixel_format: String,
    width: u32,
    height: u32,
    spec: Spec,
    /// Grey levels, for bytes; other types must be equal.
    tolerance: u8,
    shape: [usize; 3],
    /// Offset and length in `cases.bin`.
    picture: [usize; 2],
    expected: [usize; 2],
}

fn cases() -> Result<(Vec<Case>, Vec<u8>), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/prepare");
    let index = std::fs::read_to_string(folder.join("cases.json"))?;
    Ok((serde_json::from_str(&index)?, std::fs::read(folder.join("cases.bin"))?))
}

fn part(blob: &[u8], [offset, length]: [usize; 2]) -> &[u8] {
    &blob[offset..offset + length]
}

/// Each row of `picture` followed by `gap` bytes that nobody should look at.
fn padded(picture: &[u8], row_bytes: usize, gap: usize) -> Vec<u8> {
    picture.chunks(row_bytes).flat_map(|row| row.iter().copied().chain(vec![0xDB; gap])).collect()
}

#[test]
fn every_case_equals_its_oracle() {
    let (cases, blob) = cases().unwrap();
    let (mut exact, mut near, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let format = PixelFormat::from_name(&case.pixel_format).unwrap();
        let mut plan = Plan::new(&case.spec, case.width, case.height, format).unwrap();
        assert_eq!(plan.row_shape(), case.shape);
        let expected = part(&blob, case.expected);
        assert_eq!(plan.row_bytes(), expected.len());
        let row_bytes = format.row_bytes(case.width);
        // Twice with one plan: nothing may be left of the picture before.
        for gap in [0, 5] {
            let image = padded(part(&blob, case.picture), row_bytes, gap);
            let mut row = vec![0xDB; expected.len()];
            plan.run(&image, row_bytes + gap, &mut row).unwrap();
            let farthest =
                row.iter().zip(expected).map(|(&a, &b)| a.abs_diff(b)).max().unwrap_or(0);
            if farthest > case.tolerance {
                wrong.push(format!(
                    "{} {} x {}, gap {gap}: off by {farthest}: {:?}",
                    case.pixel_format, case.width, case.height, case.spec
                ));
            }
            if farthest == 0 { exact += 1 } else { near += 1 }
        }
    }
    assert!(wrong.is_empty(), "{} runs:\n{}", wrong.len(), wrong.join("\n"));
    // Means of a mosaic are not rounded where OpenCV rounds them.
    assert!(exact > 8 * near, "{near} of {} runs differ", exact + near);
}
