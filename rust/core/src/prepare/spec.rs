//! What a recipe says about preparing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::normalised;
use crate::error::{Error, Result};

/// Longest side of a picture or a tensor: above it integer sums of the area mean might not fit.
pub(super) const MAX_SIDE: u32 = 65_535;
/// What does not become infinite in binary16.
const GREATEST_HALF: f32 = 65_504.0;

/// How pixels become a row of the model's input, in this order: black level, white balance, gamma,
/// demosaic, crop, grey or not, turn, flip, resize, pad or cut, normalise, lay out.
///
/// ```
/// use smartqc_core::prepare::Spec;
///
/// let spec: Spec = serde_json::from_str(r#"{"resize": "antialias", "size": [224, 224]}"#)?;
/// assert_eq!(spec.pad_value, 114);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Part of the camera's picture to look at: x, y, width, height in pixels; all of it unless
    /// given. Demosaicing still sees the neighbours outside, resizing does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<[u32; 4]>,
    /// How many bits of a sample the model sees; must be said of formats with more than eight, and
    /// changes nothing for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// The sample that is black, in the camera's own numbers (0 to 4095 for 12 bits): what lies
    /// below becomes 0 and the rest is spread up to white, as in DNG. 0 unless given.
    #[serde(default)]
    pub black_level: f64,
    /// Factors of red, green and blue above black, cut at white.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_balance: Option<[f64; 3]>,
    /// Exponent of the share of white, after balancing: 0.45 brightens as a camera's Gamma of 0.45.
    /// Applied to what the sensor saw, before demosaicing. 1 unless given.
    #[serde(default = "gamma")]
    pub gamma: f64,
    /// Degrees by which the cropped picture is turned clockwise: 0, 90, 180 or 270. `size` is
    /// that of the turned picture.
    #[serde(default)]
    pub turn: u32,
    /// Mirrors the turned picture.
    #[serde(default)]
    pub flip: Flip,
    /// How to resize: what the model saw in training, so it is never guessed.
    pub resize: Resize,
    /// Width and height of the model's input in pixels.
    pub size: [u32; 2],
    /// What to do about proportions.
    #[serde(default)]
    pub fit: Fit,
    /// With `center_crop`: the shorter side in pixels before cutting (256 for a torchvision preset
    /// of 256 -> 224); unless given, the picture just covers `size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_side: Option<u32>,
    /// Grey level of the letterbox's borders, in every channel, before normalising.
    #[serde(default = "pad_value")]
    pub pad_value: u8,
    /// Channels of the model's input, in its order.
    #[serde(default)]
    pub color: Color,
    /// Factor from grey levels to the model's numbers: 1/255 unless given. `uint8` rows are not
    /// scaled.
    #[serde(default = "scale")]
    pub scale: f64,
    /// Subtracted after scaling: one number, or one for each channel in the model's order.
    #[serde(default = "mean")]
    pub mean: Vec<f64>,
    /// Divides after subtracting `mean`: one number, or one for each channel in the model's order.
    #[serde(default = "std")]
    pub std: Vec<f64>,
    /// Where the channels stand.
    #[serde(default)]
    pub layout: Layout,
    /// Type of one element.
    #[serde(default)]
    pub dtype: Dtype,
}

/// How pixels are resized; each kind equals the one that training pipelines use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// `cv2.INTER_LINEAR`, bit for bit: two taps however much it shrinks (Ultralytics detectors).
    Linear,
    /// torch's `interpolate(mode="bilinear", antialias=False)` on float pictures: as `linear`, but not
    /// rounded to grey levels (RF-DETR); held in 16 bits.
    LinearFloat,
    /// `cv2.INTER_AREA`: the mean of what an output pixel covers, exact and rounded to nearest
    /// (cv2 sums in float32 and may differ by one grey level beside a half); where an axis
    /// enlarges, cv2's own variant of linear, bit for bit.
    Area,
    /// `PIL.Image.BILINEAR`, bit for bit: a triangle as wide as the shrinking asks for
    /// (torchvision, anomalib, Ultralytics classifiers).
    Antialias,
    /// `PIL.Image.BICUBIC`, bit for bit (timm).
    AntialiasCubic,
    /// `cv2.INTER_NEAREST`, which takes the pixel at an output pixel's corner.
    Nearest,
    /// `PIL.Image.NEAREST`, which takes the pixel at an output pixel's centre.
    NearestPil,
}

/// How many bits of a deep sample the model sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Depth {
    /// The eight highest, `value >> (bits - 8)`, as a model saw that was trained on 8-bit pictures.
    #[serde(rename = "8bit")]
    Eight,
    /// All of them, as `value * 255 / (2^bits - 1)`, so that `scale`, `mean`, `std` and `pad_value`
    /// mean what they mean for 8 bits. Not for `uint8` rows.
    #[serde(rename = "full")]
    Full,
}

/// How the turned picture is mirrored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}

/// What happens to the proportions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Each axis is resized for itself.
    #[default]
    Stretch,
    /// All of the picture, centred between borders of `pad_value`; rounded as Ultralytics does.
    Letterbox,
    /// Resized by the shorter side, then the middle is cut out; rounded as torchvision does.
    CenterCrop,
}

/// Channels of the model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// Red, green, blue; a monochrome picture three times.
    #[default]
    Rgb,
    /// Blue, green, red; a monochrome picture three times.
    Bgr,
    /// One channel: BT.601 luma as OpenCV rounds it, taken before resizing.
    Gray,
}

impl Color {
    /// How many channels.
    pub fn channels(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Gray => 1,
        }
    }
}

/// Where the channels of a row stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Plane after plane: (channels, height, width).
    #[default]
    Nchw,
    /// Pixel after pixel: (height, width, channels).
    Nhwc,
}

/// Type of one element of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// Four bytes, this machine's order.
    #[default]
    Float32,
    /// Two bytes, this machine's order, rounded to nearest even.
    Float16,
    /// One byte: the grey level itself.
    Uint8,
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 => 2,
            Self::Uint8 => 1,
        }
    }
}

fn gamma() -> f64 {
    1.0
}

fn pad_value() -> u8 {
    114
}

fn scale() -> f64 {
    1.0 / 255.0
}

fn mean() -> Vec<f64> {
    vec![0.0]
}

fn std() -> Vec<f64> {
    vec![1.0]
}

impl Spec {
    /// Stretched to `size` (width, height); everything else as a recipe that leaves it out.
    pub fn new(resize: Resize, size: [u32; 2]) -> Self {
        Self {
            crop: None,
            depth: None,
            black_level: 0.0,
            white_balance: None,
            gamma: gamma(),
            turn: 0,
            flip: Flip::default(),
            resize,
            size,
            fit: Fit::default(),
            shorter_side: None,
            pad_value: pad_value(),
            color: Color::default(),
            scale: scale(),
            mean: mean(),
            std: std(),
            layout: Layout::default(),
            dtype: Dtype::default(),
        }
    }

    /// Refuses what can be refused without knowing the picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn check(&self) -> Result<()> {
        let channels = self.color.channels();
        if self.size.iter().any(|&side| side == 0 || side > MAX_SIDE) {
            return Err(invalid("size", format!("{:?}; each side is 1 to {MAX_SIDE}", self.size)));
        }
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                let problem = format!("{} numbers; this input has {channels}", values.len());
                return Err(invalid(name, problem));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(invalid(name, format!("{values:?}; numbers must be finite")));
            }
        }
        if self.std.contains(&0.0) {
            return Err(invalid("std", "0 divides nothing; leave it out for 1"));
        }
        if ![0, 90, 180, 270].contains(&self.turn) {
            let problem = format!("{}; quarter turns are 0, 90, 180 and 270", self.turn);
            return Err(invalid("turn", problem));
        }
        if !(self.black_level.is_finite() && self.black_level >= 0.0) {
            return Err(invalid("black_level", format!("{}; 0 or more", self.black_level)));
        }
        let gains = self.white_balance.unwrap_or([1.0; 3]);
        if gains.iter().any(|gain| !(gain.is_finite() && *gain > 0.0)) {
            return Err(invalid("white_balance", format!("{gains:?}; each is more than 0")));
        }
        if !(self.gamma.is_finite() && self.gamma > 0.0) {
            return Err(invalid("gamma", format!("{}; more than 0", self.gamma)));
        }
        if self.dtype == Dtype::Uint8 && self.depth == Some(Depth::Full) {
            return Err(invalid("depth", "uint8 rows hold eight bits: say depth = \"8bit\""));
        }
        if !self.scale.is_finite() {
            return Err(invalid("scale", format!("{}; must be finite", self.scale)));
        }
        self.check_numbers()?;
        if self.dtype == Dtype::Uint8
            && (self.mean.iter().any(|&m| m != 0.0) || self.std.iter().any(|&s| s != 1.0))
        {
            return Err(invalid("mean", "uint8 rows are grey levels: leave mean and std out"));
        }
        match (self.fit, self.shorter_side) {
            (Fit::CenterCrop, Some(side)) if side < self.size[0].max(self.size[1]) => {
                let problem = format!("{side} is less than size {:?}", self.size);
                Err(invalid("shorter_side", problem))
            }
            (Fit::Stretch | Fit::Letterbox, Some(_)) => {
                Err(invalid("shorter_side", "only fit = \"center_crop\" has one"))
            }
            _ => Ok(()),
        }
    }
}

impl Spec {
    /// Whether black and white, and so all between, become numbers that an element holds.
    fn check_numbers(&self) -> Result<()> {
        let (name, most) = match self.dtype {
            Dtype::Uint8 => return Ok(()),
            Dtype::Float16 => ("float16", GREATEST_HALF),
            Dtype::Float32 => ("float32", f32::MAX),
        };
        for channel in 0..self.color.channels() {
            for level in [0.0, 255.0] {
                let number = normalised(self, channel, level);
                if number.is_nan() || number.abs() > most {
                    let problem = format!(
                        "with this mean and std grey level {level} becomes {number}, which {name} \
                         does not hold"
                    );
                    return Err(invalid("scale", problem));
                }
            }
        }
        Ok(())
    }
}

/// An error about a field of the spec.
pub(super) fn invalid(field: &str, problem: impl Into<String>) -> Error {
    Error::invalid(format!("prepare.{field}"), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> std::result::Result<Spec, String> {
        serde_json::from_str::<Spec>(json).map_err(|error| error.to_string())
    }

    #[test]
    fn resize_and_size_are_never_guessed() {
        assert!(parsed(r#"{"size": [8, 8]}"#).unwrap_err().contains("resize"));
        assert!(parsed(r#"{"resize": "linear"}"#).unwrap_err().contains("size"));
        let spec = parsed(r#"{"resize": "linear", "size": [8, 4]}"#).unwrap();
        assert_eq!(spec, Spec::new(Resize::Linear, [8, 4]));
    }

    #[test]
    fn an_unknown_key_or_kind_is_named_with_what_is_known() {
        let error = parsed(r#"{"resize": "linear", "size": [8, 4], "sise": 1}"#).unwrap_err();
        assert!(error.contains("sise") && error.contains("pad_value"), "{error}");
        let error = parsed(r#"{"resize": "lanczos", "size": [8, 4]}"#).unwrap_err();
        assert!(error.contains("lanczos") && error.contains("antialias"), "{error}");
    }

    #[test]
    fn a_spec_survives_json() {
        let mut spec = Spec::new(Resize::AntialiasCubic, [224, 96]);
        spec.crop = Some([1, 2, 3, 4]);
        (spec.depth, spec.flip, spec.turn) = (Some(Depth::Eight), Flip::Vertical, 270);
        spec.mean = vec![0.485, 0.456, 0.406];
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(parsed(&json).unwrap(), spec);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_field() {
        let good = Spec::new(Resize::Linear, [8, 8]);
        let wrong = |change: fn(&mut Spec)| {
            let mut spec = good.clone();
            change(&mut spec);
            spec.check().unwrap_err().to_string()
        };
        assert!(good.check().is_ok());
        assert!(wrong(|s| s.size = [0, 8]).starts_with("prepare.size"));
        assert!(wrong(|s| s.mean = vec![0.5, 0.5]).starts_with("prepare.mean"));
        assert!(wrong(|s| s.std = vec![0.0]).starts_with("prepare.std"));
        assert!(wrong(|s| s.turn = 45).starts_with("prepare.turn"));
        assert!(wrong(|s| s.gamma = 0.0).starts_with("prepare.gamma"));
        assert!(wrong(|s| s.black_level = -1.0).starts_with("prepare.black_level"));
        assert!(wrong(|s| s.white_balance = Some([1.0, 0.0, 1.0])).contains("white_balance"));
        assert!(
            wrong(|s| {
                s.dtype = Dtype::Uint8;
                s.depth = Some(Depth::Full);
            })
            .starts_with("prepare.depth")
        );
        assert!(wrong(|s| s.scale = f64::NAN).starts_with("prepare.scale"));
        // Finite in float64 only.
        assert!(wrong(|s| s.std = vec![1e-50]).contains("becomes"));
        assert!(wrong(|s| s.mean = vec![0.0, 1e300, 0.0]).contains("becomes -inf"));
        assert!(wrong(|s| s.scale = 1e38).contains("float32"));
        assert!(
            wrong(|s| {
                s.dtype = Dtype::Float16;
                s.scale = 257.0;
            })
            .contains("float16")
        );
        assert!(wrong(|s| s.shorter_side = Some(9)).starts_with("prepare.shorter_side"));
        assert!(
            wrong(|s| {
                s.dtype = Dtype::Uint8;
                s.mean = vec![0.5];
            })
            .contains("uint8")
        );
    }
}
