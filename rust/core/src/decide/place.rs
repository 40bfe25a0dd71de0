//! From the model's pixels to the camera's.

/// An affine map of the plane: `x' = a x + b y + c`, `y' = d x + e y + f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// a, b, c: the row of x'.
    pub x: [f64; 3],
    /// d, e, f: the row of y'.
    pub y: [f64; 3],
}

impl Affine {
    /// Leaves everything where it is.
    pub const IDENTITY: Self = Self { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };

    /// The map that `maps` is, known from three corners of a picture of `width` x `height`.
    pub fn through(width: usize, height: usize, maps: impl Fn(f32, f32) -> (f32, f32)) -> Self {
        let wide = |(x, y): (f32, f32)| (f64::from(x), f64::from(y));
        let (width, height) = (width.max(1) as f32, height.max(1) as f32);
        let (origin, right, down) =
            (wide(maps(0.0, 0.0)), wide(maps(width, 0.0)), wide(maps(0.0, height)));
        let (width, height) = (f64::from(width), f64::from(height));
        Self {
            x: [(right.0 - origin.0) / width, (down.0 - origin.0) / height, origin.0],
            y: [(right.1 - origin.1) / width, (down.1 - origin.1) / height, origin.1],
        }
    }

    /// Where a point goes.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let row = |row: &[f64; 3]| row[0] * x + row[1] * y + row[2];
        (row(&self.x), row(&self.y))
    }

    /// This map, of pixels that are `right` times as wide and `down` times as high.
    #[must_use]
    pub fn of_larger(&self, right: f64, down: f64) -> Self {
        let scaled = |row: &[f64; 3]| [row[0] * right, row[1] * down, row[2]];
        Self { x: scaled(&self.x), y: scaled(&self.y) }
    }

    /// The way back; `None` when everything falls on a line.
    pub fn inverse(&self) -> Option<Self> {
        let ([a, b, c], [d, e, f]) = (self.x, self.y);
        let determinant = a * e - b * d;
        if determinant == 0.0 || !determinant.is_finite() {
            return None;
        }
        let [a, b, d, e] = [e, -b, -d, a].map(|number| number / determinant);
        Some(Self { x: [a, b, -(a * c + b * f)], y: [d, e, -(d * c + e * f)] })
    }

    /// How much larger areas become.
    pub fn area(&self) -> f64 {
        (self.x[0] * self.y[1] - self.x[1] * self.y[0]).abs()
    }

    /// How much longer the sides of an upright box become.
    pub fn lengths(&self) -> (f64, f64) {
        (self.x[0].hypot(self.y[0]), self.x[1].hypot(self.y[1]))
    }

    /// An angle after the map, which turns by quarters and mirrors, but does not shear.
    pub fn angle(&self, radians: f64) -> f64 {
        let turned = self.y[0].atan2(self.x[0]);
        let mirrored = self.x[0] * self.y[1] - self.x[1] * self.y[0] < 0.0;
        if mirrored { turned - radians } else { turned + radians }
    }

    /// The upright box around where a box goes.
    pub fn apply_box(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let corner = |x: f32, y: f32| self.apply(f64::from(x), f64::from(y));
        let (a, b) = (corner(x1, y1), corner(x2, y2));
        // A quarter turn takes corners to corners; anything else needs all four.
        let upright =
            (self.x[1] == 0.0 && self.y[0] == 0.0) || (self.x[0] == 0.0 && self.y[1] == 0.0);
        let (c, d) = if upright { (a, b) } else { (corner(x1, y2), corner(x2, y1)) };
        let least = |a: f64, b: f64, c: f64, d: f64| a.min(b).min(c).min(d) as f32;
        let most = |a: f64, b: f64, c: f64, d: f64| a.max(b).max(c).max(d) as f32;
        [
            least(a.0, b.0, c.0, d.0),
            least(a.1, b.1, c.1, d.1),
            most(a.0, b.0, c.0, d.0),
            most(a.1, b.1, c.1, d.1),
        ]
    }
}

/// Where a model's input lies in the camera's picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// From the input's pixels to the camera's, both counted from the outer corner of pixel (0, 0).
    pub to_camera: Affine,
    /// Columns of the input.
    pub width: usize,
    /// Rows of the input.
    pub height: usize,
    /// What the model saw of the camera's picture: left, top, right, bottom.
    pub seen: [f32; 4],
}

impl Place {
    /// An input that shows the picture as it is.
    pub fn same(width: usize, height: usize) -> Self {
        let seen = [0.0, 0.0, width as f32, height as f32];
        Self { to_camera: Affine::IDENTITY, width, height, seen }
    }

    /// A box of the input in the camera's picture, as far as the model saw it.
    pub fn box_to_camera(&self, corners: [f32; 4]) -> [f32; 4] {
        self.within(self.to_camera.apply_box(corners))
    }

    /// A box of the camera's picture, as far as the model saw it.
    pub fn within(&self, [x1, y1, x2, y2]: [f32; 4]) -> [f32; 4] {
        let [left, top, right, bottom] = self.seen;
        [x1.clamp(left, right), y1.clamp(top, bottom), x2.clamp(left, right), y2.clamp(top, bottom)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letterbox_is_known_from_three_corners() {
        let gain = 122.0 / 600.0;
        let map = Affine::through(160, 160, |x, y| ((x - 19.0) / gain, y / (160.0 / 789.0)));
        let (x, y) = map.apply(19.0 + 122.0, 160.0);
        assert!((x - 600.0).abs() < 1e-4 && (y - 789.0).abs() < 1e-4, "{x} {y}");
        let back = map.inverse().unwrap().apply(x, y);
        assert!((back.0 - 141.0).abs() < 1e-9 && (back.1 - 160.0).abs() < 1e-9);
        assert!((map.area() * 122.0 * 160.0 - 600.0 * 789.0).abs() < 1.0);
        assert_eq!(map.angle(0.3), 0.3);
    }

    #[test]
    fn a_quarter_turn_swaps_the_sides_of_a_box() {
        // The camera's picture of 200 x 100 was turned clockwise into 100 x 200.
        let map = Affine::through(100, 200, |x, y| (y, 100.0 - x));
        assert_eq!(map.apply_box([10.0, 20.0, 30.0, 60.0]), [20.0, 70.0, 60.0, 90.0]);
        assert_eq!(map.lengths(), (1.0, 1.0));
        let turned = map.angle(0.0);
        assert!((turned + std::f64::consts::FRAC_PI_2).abs() < 1e-9, "{turned}");
        let mirrored = Affine::through(10, 10, |x, y| (10.0 - x, y));
        let angle = mirrored.angle(0.2);
        assert!((angle - (std::f64::consts::PI - 0.2)).abs() < 1e-9, "{angle}");
    }

    #[test]
    fn a_box_ends_where_the_model_saw_nothing_more() {
        let place = Place { seen: [5.0, 5.0, 20.0, 20.0], ..Place::same(40, 40) };
        assert_eq!(place.box_to_camera([0.0, 6.0, 30.0, 40.0]), [5.0, 6.0, 20.0, 20.0]);
    }
}
