//! Regions that are drawn as polygons.

/// Fills a polygon (corners x, y) of a picture of `size` (columns, rows): the pixels whose centres
/// lie within it, by the even-odd rule.
pub fn fill(pixels: &mut [u8], [width, height]: [usize; 2], corners: &[[f32; 2]], level: u8) {
    let mut crossings = Vec::new();
    for y in 0..height {
        let middle = y as f32 + 0.5;
        crossings.clear();
        for (at, [x1, y1]) in corners.iter().enumerate() {
            let [x2, y2] = corners[(at + 1) % corners.len()];
            if (*y1 <= middle) != (y2 <= middle) {
                crossings.push(x1 + (middle - y1) / (y2 - y1) * (x2 - x1));
            }
        }
        crossings.sort_unstable_by(f32::total_cmp);
        for pair in crossings.chunks_exact(2) {
            let column = |x: f32| ((x - 0.5).ceil().max(0.0) as usize).min(width);
            pixels[y * width..][column(pair[0])..column(pair[1])].fill(level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_fills_the_pixels_whose_centres_it_holds() {
        let draw = |corners: &[[f32; 2]]| {
            let mut pixels = vec![b'.'; 6 * 4];
            fill(&mut pixels, [6, 4], corners, b'#');
            pixels
                .chunks(6)
                .map(|row| String::from_utf8_lossy(row).into_owned())
                .collect::<Vec<_>>()
        };
        let square = [[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]];
        assert_eq!(draw(&square), ["......", ".###..", ".###..", "......"]);
        let beyond = [[-5.0, -5.0], [20.0, -5.0], [20.0, 20.0]];
        assert_eq!(draw(&beyond), ["######", ".#####", "..####", "...###"]);
    }
}
