//! The file that `SMARTQC_SIMCAM` names: which cameras there are and how they start.
//!
//! ```toml
//! schema = 1
//! [[device]]
//! id = "top"                # SimCam_0, SimCam_1, ...
//! vendor = "smartqc"
//! model = "SimCam"
//! serial = "SIM00000"       # counted up
//! user_name = ""
//! images = "photographs"    # a folder, seen from this file; "pattern" (default): a moving ramp
//! width = 640               # of the sensor; default: the first image's, else 640 x 480
//! height = 480
//! pixel_format = "Mono8"    # or any that `formats.rs` has
//! frame_rate = 30.0         # frames per second
//! trigger = "off"           # off | software | line0
//! exposure_us = 1000.0
//! readout_us = 500.0
//! gain_db = 0.0
//! delivery = "copy"         # copy | flip
//! noise = 0.0               # standard deviation, grey levels
//! shading = 0.0             # share of the light that is missing in the corners
//! seed = 0                  # of the noise
//! chunks = false
//! components = ["Intensity"] # with Confidence or Range too: a multi-part payload
//! interface = "SimCamInterface" # the interface it hangs on
//! description = "xml"       # xml | zip | file
//! line_padding = 0          # bytes after each row
//! image_offset = 0          # bytes before the image
//! picture_as_part = false   # without a part, ChunkPartID is the picture's number
//! buffers_min = 2           # and below: where real producers differ
//! buffer_alignment = 1
//! defines_payload_size = false
//! timestamp = "ns"          # ns | ticks | none
//! tick_hz = 1000000000
//! first_frame_id = 0
//! frame_id_bits = 64        # 64 | 16
//! memory_mb = 512           # limit for this device's prepared images
//! [[device.fault]]          # any number, each of another kind; see docs/simcam.md
//! kind = "Incomplete"
//! every = 50                # or: frame, first, last, probability, from_s, until_s, times
//! duration_s = 0.0
//! value = 0.5
//! ```

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::Deserialize;

use crate::abi::status;
use crate::description::Form;
use crate::dialect::{Dialect, Timestamp};
use crate::error::{Fault, Result};
use crate::fault_entry::FaultEntry;
use crate::faults::{self, Faults};
use crate::formats::PixelFormat;
use crate::modules::INTERFACE_ID;
use crate::pictures::Component;
use crate::settings::{self, Delivery, Settings, TriggerSource};

/// Names the configuration file.
pub(crate) const VARIABLE: &str = "SMARTQC_SIMCAM";
/// The sensor of a camera that shows a pattern.
const PATTERN_SIZE: (u32, u32) = (640, 480);
/// Ids, names and serial numbers fit their register with the final 0.
const TEXT_MAX: usize = 63;

/// One camera as it comes up.
#[derive(Clone, Debug)]
pub(crate) struct DeviceConfig {
    pub(crate) id: String,
    pub(crate) vendor: String,
    pub(crate) model: String,
    pub(crate) serial: String,
    pub(crate) user_name: String,
    pub(crate) settings: Settings,
    /// The sensor's size once the camera shows a pattern.
    pub(crate) pattern_size: (u32, u32),
    /// Bytes that prepared images may take.
    pub(crate) memory_limit: usize,
    /// The interface that it hangs on.
    pub(crate) interface: String,
    /// How the description file comes.
    pub(crate) description: Form,
    pub(crate) faults: Faults,
    pub(crate) dialect: Dialect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    #[serde(default)]
    device: Vec<Entry>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    user_name: Option<String>,
    images: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    pixel_format: Option<String>,
    frame_rate: Option<f64>,
    trigger: Option<Trigger>,
    exposure_us: Option<f64>,
    readout_us: Option<f64>,
    gain_db: Option<f64>,
    delivery: Option<EntryDelivery>,
    noise: Option<f64>,
    shading: Option<f64>,
    seed: Option<u64>,
    chunks: Option<bool>,
    components: Option<Vec<String>>,
    interface: Option<String>,
    description: Option<Description>,
    memory_mb: Option<u32>,
    line_padding: Option<u32>,
    buffers_min: Option<u32>,
    buffer_alignment: Option<u32>,
    defines_payload_size: Option<bool>,
    timestamp: Option<EntryTimestamp>,
    tick_hz: Option<u64>,
    first_frame_id: Option<u64>,
    frame_id_bits: Option<u32>,
    image_offset: Option<u32>,
    picture_as_part: Option<bool>,
    #[serde(default)]
    fault: Vec<FaultEntry>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EntryTimestamp {
    Ns,
    Ticks,
    None,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Description {
    Xml,
    Zip,
    File,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Trigger {
    Off,
    Software,
    Line0,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EntryDelivery {
    Copy,
    Flip,
}

/// The cameras that the environment asks for; one with a pattern when it asks for nothing.
pub(crate) fn from_environment() -> Result<Vec<DeviceConfig>> {
    match std::env::var_os(VARIABLE) {
        None => Ok(vec![Entry::default().resolve(0, Path::new("."))?]),
        Some(path) if path.is_empty() => Ok(vec![Entry::default().resolve(0, Path::new("."))?]),
        Some(path) => load(Path::new(&path)),
    }
}

fn load(path: &Path) -> Result<Vec<DeviceConfig>> {
    let fault = |reason: &dyn Display| {
        Fault::new(status::ERROR, format!("{} ({VARIABLE}): {reason}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| fault(&error))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|error| fault(&error.text))
}

/// Reads a configuration whose image folders are seen from `folder`.
pub(crate) fn parse(text: &str, folder: &Path) -> Result<Vec<DeviceConfig>> {
    let file: File = toml::from_str(text)
        .map_err(|error| Fault::new(status::ERROR, error.to_string().trim_end().to_owned()))?;
    if file.schema != 1 {
        return Err(Fault::new(
            status::ERROR,
            format!("schema = {}: this version reads schema = 1", file.schema),
        ));
    }
    if file.device.is_empty() {
        return Err(Fault::new(status::ERROR, "no [[device]]: name at least one camera"));
    }
    let mut devices: Vec<DeviceConfig> = Vec::new();
    let mut ids = HashSet::new();
    for (index, entry) in file.device.into_iter().enumerate() {
        let device = entry.resolve(index, folder).map_err(|fault| {
            Fault::new(status::ERROR, format!("[[device]] number {}: {}", index + 1, fault.text))
        })?;
        if !ids.insert(device.id.clone()) {
            return Err(Fault::new(
                status::ERROR,
                format!("[[device]] number {}: id = {:?} is taken already", index + 1, device.id),
            ));
        }
        devices.push(device);
    }
    Ok(devices)
}

impl Entry {
    fn resolve(self, index: usize, folder: &Path) -> Result<DeviceConfig> {
        let dialect = self.dialect()?;
        let mut settings = Settings::new(PATTERN_SIZE);
        let size = match (self.width, self.height) {
            (Some(width), Some(height)) => Some((width, height)),
            (None, None) => None,
            _ => {
                return Err(Fault::new(
                    status::ERROR,
                    "width and height: give both, or neither for the first image's",
                ));
            }
        };
        let images = match self.images.as_deref() {
            None | Some("pattern" | "") => String::new(),
            // The register shows text, so a name that is none is shown, and fails, approximately.
            Some(images) => folder.join(images).to_string_lossy().into_owned(),
        };
        settings.look_at(&images, size, PATTERN_SIZE)?;
        if let Some(name) = &self.pixel_format {
            let known = PixelFormat::ALL.iter().find(|(_, known)| known == name);
            settings.pixel_format = known.map(|(format, _)| *format).ok_or_else(|| {
                let all: Vec<&str> = PixelFormat::ALL.iter().map(|(_, name)| *name).collect();
                Fault::new(
                    status::ERROR,
                    format!("pixel_format = {name:?}: must be one of {}", all.join(", ")),
                )
            })?;
        }
        (settings.triggered, settings.trigger_source) = match self.trigger {
            None | Some(Trigger::Off) => (false, TriggerSource::Software),
            Some(Trigger::Software) => (true, TriggerSource::Software),
            Some(Trigger::Line0) => (true, TriggerSource::Line0),
        };
        settings.delivery = match self.delivery {
            None | Some(EntryDelivery::Copy) => Delivery::Copy,
            Some(EntryDelivery::Flip) => Delivery::Flip,
        };
        let set = |key: &str, to: &mut f64, value: Option<f64>, range: RangeInclusive<f64>| {
            let Some(value) = value else { return Ok(()) };
            if !range.contains(&value) {
                return Err(out_of_range(key, value, range));
            }
            *to = value;
            Ok(())
        };
        set("frame_rate", &mut settings.frame_rate_hz, self.frame_rate, settings::FRAME_RATE_HZ)?;
        set("exposure_us", &mut settings.exposure_us, self.exposure_us, settings::EXPOSURE_US)?;
        set("readout_us", &mut settings.readout_us, self.readout_us, settings::READOUT_US)?;
        set("gain_db", &mut settings.analog.gain_db[0], self.gain_db, settings::GAIN_DB)?;
        set("noise", &mut settings.noise, self.noise, settings::NOISE)?;
        set("shading", &mut settings.shading, self.shading, settings::SHADING)?;
        settings.seed = self.seed.unwrap_or(0);
        settings.chunk_mode = self.chunks.unwrap_or(false);
        if let Some(names) = self.components {
            settings.components = components(&names)?;
        }
        settings.check_width()?;
        let mut faults = Faults::new(settings.seed);
        let mut kinds = HashSet::new();
        for entry in self.fault {
            let (kind, rule) = entry.resolve()?;
            if !kinds.insert(kind.name()) {
                return Err(Fault::new(
                    status::ERROR,
                    format!("kind = {:?}: each kind of fault has one rule", kind.name()),
                ));
            }
            faults.set(kind, rule);
        }
        settings.line_padding = at_most("line_padding", self.line_padding, 0, 0..=4096)? as usize;
        let memory_mb = self.memory_mb.unwrap_or(512);
        if memory_mb == 0 {
            return Err(out_of_range("memory_mb", memory_mb, 1..=u32::MAX));
        }
        Ok(DeviceConfig {
            id: text("id", self.id, || format!("SimCam_{index}"))?,
            vendor: text("vendor", self.vendor, || "smartqc".to_owned())?,
            model: text("model", self.model, || "SimCam".to_owned())?,
            serial: text("serial", self.serial, || format!("SIM{index:05}"))?,
            user_name: text("user_name", self.user_name, String::new)?,
            pattern_size: if images.is_empty() { settings.sensor } else { PATTERN_SIZE },
            settings,
            memory_limit: memory_mb as usize * (1 << 20),
            interface: text("interface", self.interface, || INTERFACE_ID.to_owned())?,
            description: match self.description {
                None | Some(Description::Xml) => Form::Xml,
                Some(Description::Zip) => Form::Zip,
                Some(Description::File) => Form::File,
            },
            faults,
            dialect,
        })
    }

    fn dialect(&self) -> Result<Dialect> {
        let buffers_min = at_most("buffers_min", self.buffers_min, 2, 1..=64)?;
        let alignment = at_most("buffer_alignment", self.buffer_alignment, 1, 1..=1 << 21)?;
        if !alignment.is_power_of_two() {
            return Err(Fault::new(
                status::ERROR,
                format!("buffer_alignment = {alignment}: must be a power of two"),
            ));
        }
        let has_short_frame_ids = match self.frame_id_bits {
            None | Some(64) => false,
            Some(16) => true,
            Some(bits) => {
                let text = format!("frame_id_bits = {bits}: must be 16 or 64");
                return Err(Fault::new(status::ERROR, text));
            }
        };
        let (least, most) = if has_short_frame_ids { (1, 0xFFFF) } else { (0, faults::COUNT_MAX) };
        Ok(Dialect {
            buffers_min: buffers_min as usize,
            buffer_alignment: alignment as usize,
            defines_payload_size: self.defines_payload_size.unwrap_or(false),
            timestamp: match self.timestamp {
                None | Some(EntryTimestamp::Ns) => Timestamp::Ns,
                Some(EntryTimestamp::Ticks) => Timestamp::Ticks,
                Some(EntryTimestamp::None) => Timestamp::None,
            },
            tick_hz: at_most("tick_hz", self.tick_hz, 1_000_000_000, 1..=10_000_000_000)?,
            first_frame_id: at_most("first_frame_id", self.first_frame_id, least, least..=most)?,
            has_short_frame_ids,
            image_offset: at_most("image_offset", self.image_offset, 0, 0..=1 << 20)? as usize,
            picture_as_part: self.picture_as_part.unwrap_or(false),
        })
    }
}

/// The value of a key that has limits.
fn at_most<T: Copy + Display + PartialOrd>(
    key: &str,
    value: Option<T>,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T> {
    let value = value.unwrap_or(default);
    if range.contains(&value) { Ok(value) } else { Err(out_of_range(key, value, range)) }
}

/// The components by their names; the image itself is always there.
fn components(names: &[String]) -> Result<[bool; Component::ALL.len()]> {
    let mut enabled = [false; Component::ALL.len()];
    for name in names {
        let at = Component::ALL.iter().position(|component| component.name() == name);
        let Some(at) = at else {
            return Err(Fault::new(
                status::ERROR,
                format!("components = {names:?}: must be of Intensity, Confidence, Range"),
            ));
        };
        enabled[at] = true;
    }
    if !enabled[0] {
        return Err(Fault::new(status::ERROR, "components: Intensity must be among them"));
    }
    Ok(enabled)
}

fn text(key: &str, value: Option<String>, default: impl FnOnce() -> String) -> Result<String> {
    let Some(value) = value else { return Ok(default()) };
    if value.len() > TEXT_MAX
        || value.contains('\0')
        || (matches!(key, "id" | "interface") && value.is_empty())
    {
        return Err(Fault::new(
            status::ERROR,
            format!("{key} = {value:?}: must be a text of at most {TEXT_MAX} bytes"),
        ));
    }
    Ok(value)
}

/// A number outside of what its key allows.
pub(crate) fn out_of_range<T: Display>(key: &str, value: T, range: RangeInclusive<T>) -> Fault {
    Fault::new(
        status::ERROR,
        format!("{key} = {value}: must lie between {} and {}", range.start(), range.end()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultKind;

    fn parse_text(text: &str) -> std::result::Result<Vec<DeviceConfig>, String> {
        parse(text, Path::new("/nonexistent")).map_err(|fault| fault.text)
    }

    #[test]
    fn a_device_without_keys_is_a_free_running_pattern() {
        let devices = parse_text("schema = 1\n[[device]]\n[[device]]\n").unwrap();
        assert_eq!(devices.len(), 2);
        assert_eq!(devices[1].id, "SimCam_1");
        assert_eq!(devices[1].serial, "SIM00001");
        assert_eq!(devices[0].settings.sensor, (640, 480));
        assert!(!devices[0].settings.triggered);
    }

    #[test]
    fn keys_reach_the_settings_and_odd_sizes_are_rounded_down() {
        let text = "schema = 1\n[[device]]\nwidth = 601\nheight = 789\ntrigger = 'line0'\n\
                    pixel_format = 'BayerRG8'\ndelivery = 'flip'\nframe_rate = 200\nnoise = 2";
        let device = parse_text(text).unwrap().remove(0);
        assert_eq!(device.settings.sensor, (600, 788));
        assert_eq!(device.settings.trigger_source, TriggerSource::Line0);
        assert!(device.settings.triggered);
        assert_eq!(device.settings.pixel_format, PixelFormat::BayerRG8);
        assert_eq!(device.settings.delivery, Delivery::Flip);
        assert_eq!(device.settings.timing().period_ns, 5_000_000);
    }

    #[test]
    fn every_key_and_every_fault_stands_in_the_documentation() {
        let page = include_str!("../../../docs/simcam.md");
        let unknown = parse_text("schema = 1\n[[device]]\nnonsense = 1").unwrap_err();
        let of_a_fault =
            parse_text("schema = 1\n[[device]]\n[[device.fault]]\nnonsense = 1").unwrap_err();
        let mut keys = 0;
        // The parser lists what it knows: `id`, `vendor`, ...
        for key in [unknown, of_a_fault].iter().flat_map(|text| {
            let listed = text.split("expected one of").nth(1).unwrap();
            listed.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        }) {
            keys += 1;
            assert!(key == "fault" || page.contains(&format!("`{key}`")), "{key}");
        }
        assert_eq!(keys, 34 + 11);
        for kind in FaultKind::ALL {
            assert!(page.contains(&format!("| `{}` |", kind.name())), "{}", kind.name());
        }
        assert!(page.contains(&format!("any of the {} that", PixelFormat::ALL.len())));
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, word) in [
            ("schema = 2", "schema = 1"),
            ("schema = 1", "[[device]]"),
            ("schema = 1\n[[device]]\ncolour = 1", "colour"),
            ("schema = 1\n[[device]]\nid = 'a'\n[[device]]\nid = 'a'", "number 2"),
            ("schema = 1\n[[device]]\nnoise = -1.0", "noise"),
            ("schema = 1\n[[device]]\nwidth = 4\nheight = 4", "between 8"),
            ("schema = 1\n[[device]]\nwidth = 64", "height"),
            ("schema = 1\n[[device]]\npixel_format = 'Mono9'", "BayerRG8"),
            ("schema = 1\n[[device]]\nimages = 'none'", "/nonexistent/none"),
            ("schema = 1\n[[device]]\ncomponents = ['Depth']", "Confidence"),
            ("schema = 1\n[[device]]\nframe_id_bits = 32", "16 or 64"),
            ("schema = 1\n[[device]]\nbuffer_alignment = 3", "power of two"),
            ("schema = 1\n[[device]]\nbuffers_min = 0", "buffers_min"),
            ("schema = 1\n[[device]]\ninterface = ''", "interface"),
            ("schema = 1\n[[device]]\n[[device.fault]]\nkind = 'Smoke'", "Incomplete"),
            ("schema = 1\n[[device]]\n[[device.fault]]\nkind = 'Late'\nvalue = -1", "value"),
            ("schema = 1\n[[device]]\n[[device.fault]]\nkind = 'Late'\nevery = 0", "every"),
            (
                "schema = 1\n[[device]]\n[[device.fault]]\nkind = 'Late'\nframe = 1\nlast = 2",
                "give it alone",
            ),
            (
                "schema = 1\n[[device]]\n[[device.fault]]\nkind = 'Late'\n[[device.fault]]\n\
                 kind = 'Late'",
                "one rule",
            ),
        ] {
            let message = parse_text(text).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
