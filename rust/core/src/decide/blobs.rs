//! Connected parts of a map: eight neighbours count.

/// One connected part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blob {
    /// Greatest score in it.
    pub(super) score: f32,
    /// Pixels.
    pub(super) pixels: u32,
    /// First column and row, and the last ones plus 1.
    pub(super) corners: [u32; 4],
}

/// Memory for looking.
#[derive(Debug)]
pub(super) struct Blobs {
    width: usize,
    height: usize,
    seen: Vec<bool>,
    front: Vec<u32>,
}

impl Blobs {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let pixels = width * height;
        Self { width, height, seen: vec![false; pixels], front: Vec::with_capacity(pixels) }
    }

    /// Each connected part of the pixels that have a score, from top to bottom.
    pub(super) fn find(
        &mut self,
        score: impl Fn(usize) -> Option<f32>,
        mut each: impl FnMut(Blob),
    ) {
        self.seen.fill(false);
        for start in 0..self.width * self.height {
            if self.seen[start] || score(start).is_none() {
                continue;
            }
            let mut blob = Blob { score: 0.0, pixels: 0, corners: [u32::MAX, u32::MAX, 0, 0] };
            self.seen[start] = true;
            self.front.push(start as u32);
            while let Some(at) = self.front.pop() {
                let at = at as usize;
                let (x, y) = (at % self.width, at / self.width);
                blob.pixels += 1;
                blob.score = blob.score.max(score(at).unwrap_or(0.0));
                let [left, top, right, bottom] = &mut blob.corners;
                (*left, *top) = ((*left).min(x as u32), (*top).min(y as u32));
                (*right, *bottom) = ((*right).max(x as u32 + 1), (*bottom).max(y as u32 + 1));
                for near_y in y.saturating_sub(1)..(y + 2).min(self.height) {
                    for near_x in x.saturating_sub(1)..(x + 2).min(self.width) {
                        let near = near_y * self.width + near_x;
                        if !self.seen[near] && score(near).is_some() {
                            self.seen[near] = true;
                            self.front.push(near as u32);
                        }
                    }
                }
            }
            each(blob);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_that_touch_at_a_corner_are_one() {
        let map = ["5...7", ".5...", "....1", "999.1"];
        let numbers: Vec<f32> = map
            .iter()
            .flat_map(|line| line.bytes())
            .map(|letter| f32::from(letter.saturating_sub(b'0')))
            .collect();
        let mut found = Vec::new();
        let mut blobs = Blobs::new(5, 4);
        for _ in 0..2 {
            found.clear();
            let score =
                |at: usize| Some(numbers[at]).filter(|number| *number > 0.0 && *number < 10.0);
            blobs.find(score, |blob| found.push((blob.score, blob.pixels, blob.corners)));
        }
        assert_eq!(
            found,
            [
                (5.0, 2, [0, 0, 2, 2]),
                (7.0, 1, [4, 0, 5, 1]),
                (1.0, 2, [4, 2, 5, 4]),
                (9.0, 3, [0, 3, 3, 4]),
            ]
        );
    }
}
