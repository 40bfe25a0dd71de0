//! How a picture is turned, where it lies in the tensor, axis by axis, and the way back.

use super::spec::{Fit, Flip, MAX_SIDE, Spec, invalid};
use crate::error::Result;

/// One axis, from the turned picture's pixels to the tensor's.
///
/// ```text
/// turned  |--first--|=====source=====|----|
/// resized           |skip|===shown===|..|      (`resized` long before the cut)
/// tensor       |pad|=====shown=====|pad|       (`size` long)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Where the crop begins in the turned picture.
    pub(super) first: u32,
    /// Pixels of the crop.
    pub(super) source: u32,
    /// What they are resized to.
    pub(super) resized: u32,
    /// Resized pixels that a centre crop cuts away before those shown.
    pub(super) skip: u32,
    /// Resized pixels in the tensor.
    pub(super) shown: u32,
    /// Border before them.
    pub(super) pad: u32,
    /// Side of the tensor.
    pub(super) size: u32,
}

impl Axis {
    /// The turned picture's coordinate of a tensor's one; both count from the outer edge of pixel 0.
    fn to_turned(self, at: f32) -> f64 {
        let gain = f64::from(self.resized) / f64::from(self.source);
        let inside = f64::from(at) - f64::from(self.pad) + f64::from(self.skip);
        inside / gain + f64::from(self.first)
    }
}

/// How the camera's picture becomes the turned one, which is all that anybody after it sees.
///
/// Pixel (x, y) of the turned picture is the camera's (x, y), or (y, x) where `transposed`, each
/// counted from the other end where mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation {
    width: u32,
    height: u32,
    pub(super) transposed: bool,
    /// The camera's columns count from the right.
    pub(super) mirror_x: bool,
    /// The camera's rows count from below.
    pub(super) mirror_y: bool,
}

impl Orientation {
    /// For a camera's picture of that size: turned first, then flipped.
    pub(super) fn new(spec: &Spec, width: u32, height: u32) -> Self {
        let (transposed, mut mirror_x, mut mirror_y) = match spec.turn {
            90 => (true, false, true),
            180 => (false, true, true),
            270 => (true, true, false),
            _ => (false, false, false),
        };
        match (spec.flip, transposed) {
            (Flip::None, _) => {}
            (Flip::Horizontal, false) | (Flip::Vertical, true) => mirror_x = !mirror_x,
            (Flip::Horizontal, true) | (Flip::Vertical, false) => mirror_y = !mirror_y,
        }
        Self { width, height, transposed, mirror_x, mirror_y }
    }

    /// Whether its rows are not the camera's.
    pub(super) fn is_turned(self) -> bool {
        self.transposed || self.mirror_x || self.mirror_y
    }

    /// A box (x, y, width, height) of the camera's picture, in the turned one.
    fn turned_box(self, [x, y, width, height]: [u32; 4]) -> [u32; 4] {
        let x = if self.mirror_x { self.width - x - width } else { x };
        let y = if self.mirror_y { self.height - y - height } else { y };
        if self.transposed { [y, x, height, width] } else { [x, y, width, height] }
    }

    fn to_camera(self, x: f64, y: f64) -> (f32, f32) {
        let (x, y) = if self.transposed { (y, x) } else { (x, y) };
        let x = if self.mirror_x { f64::from(self.width) - x } else { x };
        let y = if self.mirror_y { f64::from(self.height) - y } else { y };
        (x as f32, y as f32)
    }
}

/// Both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) orientation: Orientation,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Geometry {
    /// Of a `spec` that passed its check, for a picture of that size.
    pub(super) fn new(spec: &Spec, width: u32, height: u32) -> Result<Self> {
        let [left, top, crop_width, crop_height] = spec.crop.unwrap_or([0, 0, width, height]);
        let inside = |from: u32, length: u32, side: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= side)
        };
        if !inside(left, crop_width, width) || !inside(top, crop_height, height) {
            let crop = [left, top, crop_width, crop_height];
            let problem = format!(
                "{crop:?} (x, y, width, height) does not lie in the picture of {width} x {height}"
            );
            return Err(invalid("crop", problem));
        }
        let orientation = Orientation::new(spec, width, height);
        let crop = orientation.turned_box([left, top, crop_width, crop_height]);
        let [left, top, crop_width, crop_height] = crop;
        let [out_width, out_height] = spec.size;
        let (resized_width, resized_height) = match spec.fit {
            Fit::Stretch => (u64::from(out_width), u64::from(out_height)),
            Fit::Letterbox => letterboxed((crop_width, crop_height), (out_width, out_height)),
            Fit::CenterCrop => match spec.shorter_side {
                Some(side) => covering((crop_width, crop_height), (side, side)),
                None => covering((crop_width, crop_height), (out_width, out_height)),
            },
        };
        if resized_width.max(resized_height) > u64::from(MAX_SIDE) {
            let problem = format!(
                "a crop of {crop_width} x {crop_height} would be resized to {resized_width} x \
                 {resized_height}; sides up to {MAX_SIDE} are handled"
            );
            return Err(invalid("size", problem));
        }
        Ok(Self {
            orientation,
            x: axis(left, crop_width, resized_width as u32, out_width),
            y: axis(top, crop_height, resized_height as u32, out_height),
        })
    }

    /// See [`super::Plan::to_camera`].
    pub(super) fn to_camera(self, x: f32, y: f32) -> (f32, f32) {
        self.orientation.to_camera(self.x.to_turned(x), self.y.to_turned(y))
    }
}

/// Size after a letterbox: Ultralytics rounds half to even, and keeps one pixel at least.
fn letterboxed(source: (u32, u32), size: (u32, u32)) -> (u64, u64) {
    let ratio = |length: u32, side: u32| f64::from(side) / f64::from(length);
    let gain = ratio(source.0, size.0).min(ratio(source.1, size.1));
    let side = |length: u32, limit: u32| {
        let rounded = (f64::from(length) * gain).round_ties_even() as u64;
        rounded.clamp(1, u64::from(limit))
    };
    (side(source.0, size.0), side(source.1, size.1))
}

/// Size that covers `size` in the proportions of `source`: torchvision rounds the longer side down.
fn covering(source: (u32, u32), size: (u32, u32)) -> (u64, u64) {
    let [w, h, out_w, out_h] = [source.0, source.1, size.0, size.1].map(u64::from);
    if out_w * h >= out_h * w { (out_w, out_w * h / w) } else { (out_h * w / h, out_h) }
}

/// Centres what was resized in the tensor, or the tensor in what was resized.
fn axis(first: u32, source: u32, resized: u32, size: u32) -> Axis {
    let shown = resized.min(size);
    // Ultralytics: round(d / 2 - 0.1); torchvision: round(d / 2), half to even.
    let pad = (f64::from(size - shown) / 2.0 - 0.1).round_ties_even() as u32;
    let skip = (f64::from(resized - shown) / 2.0).round_ties_even() as u32;
    Axis { first, source, resized, skip, shown, pad, size }
}

#[cfg(test)]
mod tests {
    use super::super::spec::Resize;
    use super::*;

    fn geometry(fit: Fit, picture: (u32, u32), size: [u32; 2]) -> Geometry {
        let mut spec = Spec::new(Resize::Linear, size);
        spec.fit = fit;
        Geometry::new(&spec, picture.0, picture.1).unwrap()
    }

    fn resized(of: Geometry) -> (u32, u32) {
        (of.x.resized, of.y.resized)
    }

    #[test]
    fn a_letterbox_is_rounded_as_ultralytics_does() {
        let photo = geometry(Fit::Letterbox, (600, 789), [160, 160]);
        // 600 * 160 / 789 = 121.67; 38 px of border.
        assert_eq!((resized(photo), photo.x.pad, photo.y.pad), ((122, 160), 19, 0));
        // An odd border: the smaller half comes first.
        let odd = geometry(Fit::Letterbox, (600, 789), [161, 160]);
        assert_eq!((odd.x.pad, odd.x.size - odd.x.pad - odd.x.shown), (19, 20));
        // 5 * 0.5 = 2.5 rounds to even.
        assert_eq!(resized(geometry(Fit::Letterbox, (8, 5), [4, 4])), (4, 2));
        assert_eq!(resized(geometry(Fit::Letterbox, (1000, 1), [4, 4])), (4, 1));
    }

    #[test]
    fn a_centre_crop_is_rounded_as_torchvision_does() {
        let wide = geometry(Fit::CenterCrop, (789, 600), [96, 96]);
        assert_eq!(resized(wide), (126, 96)); // int(96 * 789 / 600 = 126.24)
        assert_eq!((wide.x.skip, wide.y.skip), (15, 0));
        let mut spec = Spec::new(Resize::Antialias, [96, 96]);
        (spec.fit, spec.shorter_side) = (Fit::CenterCrop, Some(112));
        let preset = Geometry::new(&spec, 600, 789).unwrap();
        assert_eq!((resized(preset), preset.x.skip, preset.y.skip), ((112, 147), 8, 26));
    }

    #[test]
    fn a_box_comes_back_with_the_gain_of_its_axis() {
        let photo = geometry(Fit::Letterbox, (600, 789), [160, 160]);
        let (x, y) = photo.to_camera(19.0 + 122.0, 160.0);
        assert!((x - 600.0).abs() < 1e-3 && (y - 789.0).abs() < 1e-3, "{x} {y}");
        assert_eq!(photo.to_camera(19.0, 0.0), (0.0, 0.0));
    }

    #[test]
    fn a_crop_is_added_on_the_way_back() {
        let mut spec = Spec::new(Resize::Linear, [10, 10]);
        spec.crop = Some([100, 50, 20, 40]);
        let (x, y) = Geometry::new(&spec, 200, 100).unwrap().to_camera(5.0, 5.0);
        assert_eq!((x, y), (110.0, 70.0));
    }

    #[test]
    fn a_turned_point_comes_back() {
        // Corners of a crop of 20 x 40 in a picture of 200 x 100, of which a tensor of 40 x 20 or
        // 20 x 40 shows the upper left and the lower right one.
        let ((left, top), (right, bottom)) = ((100.0, 50.0), (120.0, 90.0));
        for (turn, flip, first, last) in [
            (0, Flip::None, (left, top), (right, bottom)),
            (0, Flip::Horizontal, (right, top), (left, bottom)),
            (0, Flip::Vertical, (left, bottom), (right, top)),
            (90, Flip::None, (left, bottom), (right, top)),
            (180, Flip::None, (right, bottom), (left, top)),
            (270, Flip::None, (right, top), (left, bottom)),
            (90, Flip::Horizontal, (left, top), (right, bottom)),
            (90, Flip::Vertical, (right, bottom), (left, top)),
            (270, Flip::Horizontal, (right, bottom), (left, top)),
        ] {
            let size = if turn % 180 == 0 { [10, 20] } else { [20, 10] };
            let mut spec = Spec { turn, flip, ..Spec::new(Resize::Linear, size) };
            spec.crop = Some([100, 50, 20, 40]);
            let geometry = Geometry::new(&spec, 200, 100).unwrap();
            assert_eq!(geometry.to_camera(0.0, 0.0), first, "{turn} {flip:?}");
            let [width, height] = size.map(|side| side as f32);
            assert_eq!(geometry.to_camera(width, height), last, "{turn} {flip:?}");
        }
    }

    #[test]
    fn a_crop_outside_is_refused_with_both_sizes() {
        let mut spec = Spec::new(Resize::Linear, [10, 10]);
        for crop in [[0, 0, 0, 5], [190, 0, 11, 5], [u32::MAX, 0, 2, 2], [0, 96, 5, 5]] {
            spec.crop = Some(crop);
            let error = Geometry::new(&spec, 200, 100).unwrap_err().to_string();
            assert!(error.contains("200 x 100"), "{error}");
        }
    }

    #[test]
    fn a_sliver_does_not_blow_up() {
        let mut spec = Spec::new(Resize::Linear, [640, 640]);
        spec.fit = Fit::CenterCrop;
        assert!(Geometry::new(&spec, 60_000, 1).is_err());
    }
}
