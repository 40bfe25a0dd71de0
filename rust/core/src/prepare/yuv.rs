//! Luma and chroma to red, green and blue.
//!
//! PFNC's `YUV422` and `YCbCr422` are full-range BT.601 (JFIF): Y = 0.299 R + 0.587 G + 0.114 B,
//! Cb = 0.5 (B - Y) / (1 - 0.114) + 128, Cr = 0.5 (R - Y) / (1 - 0.299) + 128, all of 0 to 255; the
//! studio range has names of its own there (`YCbCr601_422_8`). The way back is the arithmetic of
//! `cv2.COLOR_YCrCb2RGB`, bit for bit, with each chroma sample for both of its pixels. Not that of
//! `cv2.COLOR_YUV2RGB_YUY2`, which takes the bytes for studio range.

const SHIFT: u32 = 14;
const RED: i32 = 22987;
const GREEN: [i32; 2] = [-5636, -11698];
const BLUE: i32 = 29049;

/// Red, green and blue.
#[inline]
pub(super) fn rgb(luma: u8, blue_difference: u8, red_difference: u8) -> [u8; 3] {
    let [luma, cb, cr] = [luma, blue_difference, red_difference].map(i32::from);
    let (cb, cr) = (cb - 128, cr - 128);
    let add = |sum: i32| (luma + ((sum + (1 << (SHIFT - 1))) >> SHIFT)).clamp(0, 255) as u8;
    [add(RED * cr), add(GREEN[0] * cb + GREEN[1] * cr), add(BLUE * cb)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_chroma_is_grey() {
        for level in 0..=255 {
            assert_eq!(rgb(level, 128, 128), [level; 3]);
        }
    }

    #[test]
    fn pure_colours_come_back() {
        // Rounded by hand from the equations above.
        for (ycc, expected) in [
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
        ] {
            let found = rgb(ycc[0], ycc[1], ycc[2]);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(found.abs_diff(expected) <= 1, "{ycc:?}: {found}");
            }
        }
    }
}
