//! What a camera is set to: the values behind its writable features, and their limits.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::abi::status;
use crate::decode;
use crate::error::{Fault, Result};
use crate::formats::PixelFormat;
use crate::pictures::{self, Component, Part, Region, Scene, TestPattern};
use crate::registers::{CHUNKS, REMOTE_EVENTS};
use crate::sensor::Timing;
use crate::tone::Analog;

pub(crate) const FRAME_RATE_HZ: RangeInclusive<f64> = 0.1..=100_000.0;
pub(crate) const EXPOSURE_US: RangeInclusive<f64> = 1.0..=10_000_000.0;
pub(crate) const READOUT_US: RangeInclusive<f64> = 0.0..=1_000_000.0;
pub(crate) const GAIN_DB: RangeInclusive<f64> = 0.0..=24.0;
pub(crate) const BLACK_LEVEL: RangeInclusive<f64> = 0.0..=64.0;
pub(crate) const NOISE: RangeInclusive<f64> = 0.0..=64.0;
pub(crate) const SHADING: RangeInclusive<f64> = 0.0..=1.0;
/// Of width and height, in pixels.
pub(crate) const SENSOR_SIDE: RangeInclusive<u32> = 8..=16_384;

/// How many frames one acquisition takes, numbered as `AcquisitionMode` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquisitionMode {
    Continuous = 0,
    SingleFrame = 1,
    MultiFrame = 2,
}

/// What starts an exposure while `TriggerMode` is On, numbered as `TriggerSource` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TriggerSource {
    Software = 0,
    Line0 = 1,
}

/// How a frame comes into its buffer, numbered as `SimDelivery` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The image is written into every buffer.
    Copy = 0,
    /// A buffer that already holds a fitting image keeps it; only id, time and chunks change.
    Flip = 1,
}

/// The values that a power cycle resets.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) sensor: (u32, u32),
    pub(crate) region: Region,
    pub(crate) pixel_format: PixelFormat,
    pub(crate) test_pattern: TestPattern,
    pub(crate) acquisition_mode: AcquisitionMode,
    pub(crate) frame_count: u32,
    pub(crate) frame_rate_enabled: bool,
    pub(crate) frame_rate_hz: f64,
    pub(crate) exposure_us: f64,
    pub(crate) readout_us: f64,
    pub(crate) triggered: bool,
    pub(crate) trigger_source: TriggerSource,
    pub(crate) analog: Analog,
    /// Locks `ExposureTime`; what it would choose is what it finds.
    pub(crate) exposure_auto: bool,
    /// Locks `Gain`, likewise.
    pub(crate) gain_auto: bool,
    /// Which components a frame has; the image always.
    pub(crate) components: [bool; Component::ALL.len()],
    /// Bytes after each row of the image.
    pub(crate) line_padding: usize,
    /// Which remote events are sent.
    pub(crate) notified: [bool; REMOTE_EVENTS.len()],
    pub(crate) chunk_mode: bool,
    pub(crate) chunk_enabled: [bool; CHUNKS.len()],
    pub(crate) image_folder: String,
    pub(crate) image_files: Vec<PathBuf>,
    pub(crate) noise: f64,
    pub(crate) shading: f64,
    pub(crate) seed: u64,
    pub(crate) delivery: Delivery,
}

impl Settings {
    /// A free-running pattern on a sensor of this size.
    pub(crate) fn new(sensor: (u32, u32)) -> Self {
        Self {
            sensor,
            region: Region { x: 0, y: 0, width: sensor.0, height: sensor.1 },
            pixel_format: PixelFormat::Mono8,
            test_pattern: TestPattern::Off,
            acquisition_mode: AcquisitionMode::Continuous,
            frame_count: 1,
            frame_rate_enabled: true,
            frame_rate_hz: 30.0,
            exposure_us: 1000.0,
            readout_us: 500.0,
            triggered: false,
            trigger_source: TriggerSource::Software,
            analog: Analog::default(),
            exposure_auto: false,
            gain_auto: false,
            components: [true, false, false],
            line_padding: 0,
            notified: [false; REMOTE_EVENTS.len()],
            chunk_mode: false,
            chunk_enabled: [true; CHUNKS.len()],
            image_folder: String::new(),
            image_files: Vec::new(),
            noise: 0.0,
            shading: 0.0,
            seed: 0,
            delivery: Delivery::Copy,
        }
    }

    /// Points the sensor at a folder's images, or at the pattern when the name is empty, and
    /// reads out all of it.
    ///
    /// The sensor takes the size given, else that of the folder's first image, else `pattern_size`;
    /// an odd number of rows or columns is rounded down, so that a mosaic has whole cells.
    pub(crate) fn look_at(
        &mut self,
        folder: &str,
        size: Option<(u32, u32)>,
        pattern_size: (u32, u32),
    ) -> Result<()> {
        let files = if folder.is_empty() { Vec::new() } else { decode::list(Path::new(folder))? };
        let (width, height) = match (size, files.first()) {
            (Some(size), _) => size,
            (None, Some(first)) => decode::size(first)?,
            (None, None) => pattern_size,
        };
        for side in [width, height] {
            if !SENSOR_SIDE.contains(&side) {
                return Err(Fault::new(
                    status::INVALID_VALUE,
                    format!(
                        "{width} x {height} pixels: a sensor's sides lie between {} and {}",
                        SENSOR_SIDE.start(),
                        SENSOR_SIDE.end()
                    ),
                ));
            }
        }
        self.sensor = (width & !1, height & !1);
        self.region = Region { x: 0, y: 0, width: self.sensor.0, height: self.sensor.1 };
        self.image_folder = folder.to_owned();
        self.image_files = files;
        Ok(())
    }

    pub(crate) fn scene(&self, memory_limit: usize) -> Scene {
        let with_files = self.test_pattern == TestPattern::Off;
        Scene {
            files: if with_files { self.image_files.clone() } else { Vec::new() },
            pattern: self.test_pattern,
            sensor: self.sensor,
            region: self.region,
            format: self.pixel_format,
            components: self.components,
            line_padding: self.line_padding,
            noise: self.noise,
            shading: self.shading,
            seed: self.seed,
            memory_limit,
        }
    }

    /// Where the components of a frame lie.
    pub(crate) fn parts(&self) -> Vec<Part> {
        pictures::parts(self.pixel_format, self.region, self.components, self.line_padding)
    }

    /// Refuses a width whose rows do not end with a byte.
    pub(crate) fn check_width(&self) -> Result<()> {
        let (width, step) = (self.region.width, self.pixel_format.width_step());
        if width.is_multiple_of(step) {
            return Ok(());
        }
        Err(Fault::new(
            status::INVALID_VALUE,
            format!(
                "Width = {width}: must be a multiple of {step} for {}",
                self.pixel_format.name()
            ),
        ))
    }

    fn image_bytes(&self) -> usize {
        pictures::frame_bytes(&self.parts())
    }

    /// What one frame writes: the image and, if they are active, the chunks.
    pub(crate) fn payload_bytes(&self) -> usize {
        if self.chunk_mode {
            let chunks = self.chunk_enabled.iter().filter(|enabled| **enabled).count();
            self.image_bytes().next_multiple_of(8) + 8 * chunks
        } else {
            self.image_bytes()
        }
    }

    pub(crate) fn timing(&self) -> Timing {
        let ns = |us: f64| (us * 1000.0).round() as i64;
        let (exposure_ns, readout_ns) = (ns(self.exposure_us), ns(self.readout_us));
        let asked_ns =
            if self.frame_rate_enabled { (1e9 / self.frame_rate_hz).round() as i64 } else { 0 };
        Timing {
            exposure_ns,
            readout_ns,
            // An exposure may overlap the readout of the frame before.
            period_ns: asked_ns.max(exposure_ns).max(readout_ns),
        }
    }
}
