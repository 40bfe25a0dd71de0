//! What the remote device's registers read and do.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::abi::status;
use crate::camera::{Camera, Line0Pulse, State};
use crate::clock;
use crate::error::{Fault, Result};
use crate::library::lock;
use crate::pictures::{PixelFormat, TestPattern};
use crate::port::{Port, Register, Value};
use crate::registers::*;
use crate::settings::{self, AcquisitionMode, Delivery, SENSOR_SIDE, Settings, TriggerSource};

/// Numbers of `LineSelector`: Line0 is the input, Line2 the output.
const LINE0: u32 = 0;
const LINE2: u32 = 2;

/// Further ahead an edge is one of another clock, and would hold the sensor until then.
const PULSE_AHEAD_MAX_NS: i64 = 60_000_000_000;

/// The remote device's port of a camera.
pub(crate) struct RemoteDevice(pub(crate) Arc<Camera>);

impl Port for RemoteDevice {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> &'static [u8] {
        include_bytes!("../xml/remote_device.xml")
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let camera = &self.0;
        let state = lock(&camera.state);
        let settings = &state.settings;
        Ok(match register.address {
            DEVICE_VENDOR_NAME => Value::Text(camera.vendor.clone()),
            DEVICE_MODEL_NAME => Value::Text(camera.model.clone()),
            DEVICE_VERSION => Value::Text(env!("CARGO_PKG_VERSION").to_owned()),
            DEVICE_SERIAL_NUMBER => Value::Text(camera.serial.clone()),
            DEVICE_USER_ID => Value::Text(state.user_id.clone()),
            SENSOR_WIDTH | WIDTH_MAX => Value::U32(settings.sensor.0),
            SENSOR_HEIGHT | HEIGHT_MAX => Value::U32(settings.sensor.1),
            WIDTH => Value::U32(settings.region.width),
            HEIGHT => Value::U32(settings.region.height),
            OFFSET_X => Value::U32(settings.region.x),
            OFFSET_Y => Value::U32(settings.region.y),
            PIXEL_FORMAT => Value::U32(settings.pixel_format as u32),
            TEST_PATTERN => Value::U32(settings.test_pattern as u32),
            PAYLOAD_SIZE => Value::U64(settings.payload_bytes() as u64),
            ACQUISITION_MODE => Value::U32(settings.acquisition_mode as u32),
            ACQUISITION_FRAME_COUNT => Value::U32(settings.frame_count),
            ACQUISITION_FRAME_RATE_ENABLE => Value::U32(settings.frame_rate_enabled.into()),
            ACQUISITION_FRAME_RATE => Value::F64(settings.frame_rate_hz),
            EXPOSURE_TIME => Value::F64(settings.exposure_us),
            SIM_READOUT_TIME => Value::F64(settings.readout_us),
            // FrameStart, RisingEdge and UserOutput0 are the only ones of their kinds.
            TRIGGER_SELECTOR | TRIGGER_ACTIVATION | USER_OUTPUT_SELECTOR => Value::U32(0),
            TRIGGER_MODE => Value::U32(settings.triggered.into()),
            TRIGGER_SOURCE => Value::U32(settings.trigger_source as u32),
            GAIN => Value::F64(settings.gain_db),
            BLACK_LEVEL => Value::F64(settings.black_level),
            LINE_SELECTOR => Value::U32(state.line_selector),
            LINE_MODE => Value::U32((state.line_selector == LINE2).into()),
            // An edge on Line0 has no length; Line2 follows its source.
            LINE_STATUS => Value::U32((state.line_selector == LINE2 && state.line2()).into()),
            LINE_SOURCE => Value::U32((state.line_selector == LINE2 && state.line2_follows).into()),
            USER_OUTPUT_VALUE => Value::U32(state.user_output.into()),
            CHUNK_MODE_ACTIVE => Value::U32(settings.chunk_mode.into()),
            CHUNK_SELECTOR => Value::U32(state.chunk_selector),
            CHUNK_ENABLE => Value::U32(settings.chunk_enabled[chunk_index(&state)?].into()),
            TL_PARAMS_LOCKED => Value::U32(state.tl_params_locked.into()),
            TIMESTAMP_LATCH_VALUE => Value::U64(state.latched_ns),
            SIM_IMAGE_FOLDER => Value::Text(settings.image_folder.clone()),
            SIM_NOISE => Value::F64(settings.noise),
            SIM_SHADING => Value::F64(settings.shading),
            SIM_SEED => Value::U64(settings.seed),
            SIM_MISSED_TRIGGERS => Value::U64(state.missed_triggers),
            SIM_LINE2_EDGES => Value::U64(state.line2_edges),
            SIM_DELIVERY => Value::U32(settings.delivery as u32),
            SIM_IMAGE_COUNT => Value::U32(settings.image_files.len() as u32),
            _ => return Err(unhandled(register)),
        })
    }

    fn set(&self, register: &Register, value: Value) -> Result<()> {
        let camera = &self.0;
        match (register.address, &value) {
            (ACQUISITION_START, _) => return camera.start(),
            (ACQUISITION_STOP, _) => {
                camera.stop();
                return Ok(());
            }
            (TRIGGER_SOFTWARE, _) => {
                camera.trigger_software();
                return Ok(());
            }
            (SIM_LINE0_PULSE, Value::Bytes(bytes)) => {
                camera.pulse_line0(parse_pulse(bytes)?);
                return Ok(());
            }
            _ => {}
        }
        let mut state = lock(&camera.state);
        let set = Set { register, value };
        set.check_lock(&state)?;
        set.apply(&mut state, camera)?;
        drop(state);
        camera.reschedule();
        Ok(())
    }
}

impl State {
    /// The level of Line2.
    fn line2(&self) -> bool {
        self.line2_follows && self.user_output
    }

    /// Changes something that Line2 may show, and counts its rising edge.
    fn set_line2(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.line2();
        change(self);
        self.line2_edges += u64::from(!before && self.line2());
    }
}

/// One write.
struct Set<'a> {
    register: &'a Register,
    value: Value,
}

impl Set<'_> {
    /// Refuses what would change the frames of a running acquisition.
    fn check_lock(&self, state: &State) -> Result<()> {
        let is_lockable = matches!(
            self.register.address,
            WIDTH
                | HEIGHT
                | OFFSET_X
                | OFFSET_Y
                | PIXEL_FORMAT
                | TEST_PATTERN
                | ACQUISITION_MODE
                | ACQUISITION_FRAME_COUNT
                | CHUNK_MODE_ACTIVE
                | CHUNK_ENABLE
                | SIM_IMAGE_FOLDER
                | SIM_NOISE
                | SIM_SHADING
                | SIM_SEED
                | SIM_DELIVERY
        );
        if is_lockable && (state.tl_params_locked || state.is_acquiring()) {
            return Err(Fault::new(
                status::ACCESS_DENIED,
                format!(
                    "{}: locked while acquiring; stop and set TLParamsLocked to 0",
                    self.register.name
                ),
            ));
        }
        Ok(())
    }

    fn apply(&self, state: &mut State, camera: &Camera) -> Result<()> {
        let settings = &mut state.settings;
        match self.register.address {
            DEVICE_USER_ID => {
                let text = self.text()?;
                if text.len() > 63 {
                    return Err(self.refuse("at most 63 bytes"));
                }
                state.user_id = text.to_owned();
            }
            WIDTH => {
                let most = settings.sensor.0 - settings.region.x;
                settings.region.width = self.even(*SENSOR_SIDE.start()..=most)?;
            }
            HEIGHT => {
                let most = settings.sensor.1 - settings.region.y;
                settings.region.height = self.even(*SENSOR_SIDE.start()..=most)?;
            }
            OFFSET_X => {
                settings.region.x = self.even(0..=settings.sensor.0 - settings.region.width)?;
            }
            OFFSET_Y => {
                settings.region.y = self.even(0..=settings.sensor.1 - settings.region.height)?;
            }
            PIXEL_FORMAT => {
                let format = PixelFormat::from_pfnc(self.integer()?);
                settings.pixel_format = format.ok_or_else(|| self.refuse("a format in the XML"))?;
            }
            TEST_PATTERN => {
                let pattern = TestPattern::from_register(self.integer()?);
                settings.test_pattern =
                    pattern.ok_or_else(|| self.refuse("a pattern in the XML"))?;
            }
            ACQUISITION_MODE => {
                settings.acquisition_mode = self.one_of([
                    AcquisitionMode::Continuous,
                    AcquisitionMode::SingleFrame,
                    AcquisitionMode::MultiFrame,
                ])?;
            }
            ACQUISITION_FRAME_COUNT => settings.frame_count = self.within(1..=65535)?,
            ACQUISITION_FRAME_RATE_ENABLE => settings.frame_rate_enabled = self.flag()?,
            ACQUISITION_FRAME_RATE => {
                settings.frame_rate_hz = self.real(settings::FRAME_RATE_HZ)?;
            }
            EXPOSURE_TIME => settings.exposure_us = self.real(settings::EXPOSURE_US)?,
            SIM_READOUT_TIME => settings.readout_us = self.real(settings::READOUT_US)?,
            TRIGGER_SELECTOR | TRIGGER_ACTIVATION | USER_OUTPUT_SELECTOR => {
                self.within(0..=0)?;
            }
            TRIGGER_MODE => settings.triggered = self.flag()?,
            TRIGGER_SOURCE => {
                settings.trigger_source =
                    self.one_of([TriggerSource::Software, TriggerSource::Line0])?;
            }
            GAIN => {
                settings.gain_db = self.real(settings::GAIN_DB)?;
                state.update_tone();
            }
            BLACK_LEVEL => {
                settings.black_level = self.real(settings::BLACK_LEVEL)?;
                state.update_tone();
            }
            LINE_SELECTOR => match self.integer()? {
                line @ (LINE0 | LINE2) => state.line_selector = line,
                _ => return Err(self.refuse("0 (Line0) or 2 (Line2)")),
            },
            USER_OUTPUT_VALUE => {
                let on = self.flag()?;
                state.set_line2(|state| state.user_output = on);
            }
            LINE_SOURCE => {
                let follows = self.flag()?;
                if state.line_selector != LINE2 && follows {
                    return Err(self.refuse("0 (Off) for an input"));
                }
                if state.line_selector == LINE2 {
                    state.set_line2(|state| state.line2_follows = follows);
                }
            }
            CHUNK_MODE_ACTIVE => settings.chunk_mode = self.flag()?,
            CHUNK_SELECTOR => state.chunk_selector = self.within(0..=CHUNKS.len() as u32 - 1)?,
            CHUNK_ENABLE => {
                let enabled = self.flag()?;
                let index = chunk_index(state)?;
                state.settings.chunk_enabled[index] = enabled;
            }
            TL_PARAMS_LOCKED => state.tl_params_locked = self.flag()?,
            TIMESTAMP_LATCH => state.latched_ns = clock::now_ns() as u64,
            SIM_IMAGE_FOLDER => {
                // All or nothing: a folder that cannot be read leaves the camera as it was.
                let mut changed: Settings = settings.clone();
                changed.look_at(self.text()?, None, camera.pattern_size)?;
                *settings = changed;
                state.forget_pictures();
            }
            SIM_NOISE => settings.noise = self.real(settings::NOISE)?,
            SIM_SHADING => settings.shading = self.real(settings::SHADING)?,
            SIM_SEED => {
                let Value::U64(seed) = self.value else { return Err(unhandled(self.register)) };
                settings.seed = seed;
            }
            SIM_DELIVERY => settings.delivery = self.one_of([Delivery::Copy, Delivery::Flip])?,
            _ => return Err(unhandled(self.register)),
        }
        Ok(())
    }

    fn integer(&self) -> Result<u32> {
        match self.value {
            Value::U32(value) => Ok(value),
            _ => Err(unhandled(self.register)),
        }
    }

    fn text(&self) -> Result<&str> {
        match &self.value {
            Value::Text(text) => Ok(text),
            _ => Err(unhandled(self.register)),
        }
    }

    fn within(&self, range: RangeInclusive<u32>) -> Result<u32> {
        let value = self.integer()?;
        if range.contains(&value) {
            return Ok(value);
        }
        Err(self.refuse(&format!("{} to {}", range.start(), range.end())))
    }

    fn even(&self, range: RangeInclusive<u32>) -> Result<u32> {
        let value = self.within(range)?;
        if value % 2 == 0 { Ok(value) } else { Err(self.refuse("an even number")) }
    }

    fn flag(&self) -> Result<bool> {
        Ok(self.within(0..=1)? == 1)
    }

    /// One of an enumeration's values, which are numbered from 0.
    fn one_of<T: Copy, const N: usize>(&self, all: [T; N]) -> Result<T> {
        Ok(all[self.within(0..=N as u32 - 1)? as usize])
    }

    fn real(&self, range: RangeInclusive<f64>) -> Result<f64> {
        let Value::F64(value) = self.value else { return Err(unhandled(self.register)) };
        if range.contains(&value) {
            return Ok(value);
        }
        Err(self.refuse(&format!("{} to {}", range.start(), range.end())))
    }

    fn refuse(&self, allowed: &str) -> Fault {
        let found = match &self.value {
            Value::U32(value) => value.to_string(),
            Value::U64(value) => value.to_string(),
            Value::F64(value) => value.to_string(),
            Value::Text(text) => format!("{text:?}"),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        };
        Fault::new(
            status::INVALID_VALUE,
            format!("{} = {found}: must be {allowed}", self.register.name),
        )
    }
}

fn chunk_index(state: &State) -> Result<usize> {
    let at = CHUNKS.iter().position(|chunk| chunk.selector == state.chunk_selector);
    at.ok_or_else(|| Fault::new(status::INVALID_VALUE, "ChunkSelector selects no chunk"))
}

fn unhandled(register: &Register) -> Fault {
    Fault::new(status::ERROR, format!("a bug in simcam: {} is not handled", register.name))
}

fn parse_pulse(bytes: &[u8]) -> Result<Line0Pulse> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or_else(|| {
            Fault::new(status::INVALID_PARAMETER, "SimLine0Pulse: 32 bytes are wanted")
        })
    };
    let picture = word(8)? as u32;
    let at_ns = word(24)? as i64;
    let latest_ns = clock::now_ns() + PULSE_AHEAD_MAX_NS;
    if !(0..=latest_ns).contains(&at_ns) {
        return Err(Fault::new(
            status::INVALID_VALUE,
            format!(
                "SimLine0Pulse at {at_ns} ns: must be 0 or an instant of CLOCK_MONOTONIC, at most \
                 {} s ahead",
                PULSE_AHEAD_MAX_NS / 1_000_000_000
            ),
        ));
    }
    Ok(Line0Pulse {
        part_id: word(0)?,
        picture: (picture != u32::MAX).then_some(picture),
        encoder_count: word(16)?,
        at_ns,
    })
}
