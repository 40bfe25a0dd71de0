//! Writes to the remote device's registers: what is locked, what is allowed, what is then set.

use std::ops::RangeInclusive;

use crate::abi::status;
use crate::camera::{Camera, State, USER_SETS};
use crate::clock;
use crate::error::{Fault, Result};
use crate::faults::{self, FaultKind, Rule};
use crate::features::{LINE0, LINE2, chunk_index, locked, unhandled};
use crate::formats::PixelFormat;
use crate::pictures::{Component, TestPattern};
use crate::port::{Register, Value};
use crate::registers::*;
use crate::settings::{self, AcquisitionMode, Delivery, SENSOR_SIDE, Settings, TriggerSource};
use crate::tone::LUT_ENTRIES;

/// One write.
pub(crate) struct Set<'a> {
    pub(crate) register: &'a Register,
    pub(crate) value: Value,
}

impl Set<'_> {
    /// Refuses what would change the frames of a running acquisition.
    pub(crate) fn check_lock(&self, state: &State) -> Result<()> {
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
                | COMPONENT_ENABLE
        );
        if is_lockable && (state.tl_params_locked || state.is_acquiring()) {
            return Err(locked(self.register.name));
        }
        let auto = match self.register.address {
            EXPOSURE_TIME if state.settings.exposure_auto => "ExposureAuto",
            GAIN if state.settings.gain_auto => "GainAuto",
            _ => return Ok(()),
        };
        Err(Fault::new(
            status::ACCESS_DENIED,
            format!("{}: locked while {auto} is Continuous", self.register.name),
        ))
    }

    pub(crate) fn apply(&self, state: &mut State, camera: &Camera) -> Result<()> {
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
                let width = self.even(*SENSOR_SIDE.start()..=most)?;
                let step = settings.pixel_format.width_step();
                if !width.is_multiple_of(step) {
                    return Err(self.refuse(&format!("a multiple of {step} in this PixelFormat")));
                }
                settings.region.width = width;
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
                let before = settings.pixel_format;
                settings.pixel_format = format.ok_or_else(|| self.refuse("a format in the XML"))?;
                if let Err(fault) = settings.check_width() {
                    settings.pixel_format = before;
                    return Err(fault);
                }
                state.update_tone();
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
            EXPOSURE_TIME => {
                let wanted_us = self.real(settings::EXPOSURE_US)?;
                let now_ns = clock::now_ns();
                let age_ns = camera.age_ns(now_ns);
                let step_us = state.faults.holds(FaultKind::CoarseExposure, age_ns, now_ns);
                settings.exposure_us = match step_us {
                    Some(step_us) if step_us > 0.0 => ((wanted_us / step_us).floor() * step_us)
                        .clamp(*settings::EXPOSURE_US.start(), *settings::EXPOSURE_US.end()),
                    _ => wanted_us,
                };
            }
            SIM_EVENT_MODULE => state.commanded.module = self.within(0..=3)?,
            SIM_EVENT_KIND => state.commanded.kind = self.within(0..=3)?,
            SIM_EVENT_TEXT => {
                let text = self.text()?;
                if text.len() > 127 {
                    return Err(self.refuse("at most 127 bytes"));
                }
                state.commanded.text = text.to_owned();
            }
            SIM_READOUT_TIME => settings.readout_us = self.real(settings::READOUT_US)?,
            TRIGGER_SELECTOR | TRIGGER_ACTIVATION | LUT_SELECTOR => {
                self.within(0..=0)?;
            }
            COMPONENT_SELECTOR => state.component_selector = self.below(Component::ALL.len())?,
            COMPONENT_ENABLE => {
                let enabled = self.flag()?;
                if !enabled && state.component_selector == Component::Intensity as u32 {
                    return Err(self.refuse("1 for Intensity, which every frame has"));
                }
                settings.components[state.component_selector as usize] = enabled;
            }
            EXPOSURE_AUTO => settings.exposure_auto = self.flag()?,
            GAIN_AUTO => settings.gain_auto = self.flag()?,
            GAIN_SELECTOR => {
                state.gain_selector = self.below(settings.analog.gain_db.len())?;
            }
            LUT_INDEX => state.lut_index = self.below(LUT_ENTRIES)?,
            LUT_ENABLE => {
                settings.analog.lut_enabled = self.flag()?;
                state.update_tone();
            }
            LUT_VALUE => {
                settings.analog.lut[state.lut_index as usize] = self.within(0..=255)? as u8;
                state.update_tone();
            }
            LUT_VALUE_ALL => {
                let Value::Bytes(bytes) = &self.value else { return Err(unhandled(self.register)) };
                settings.analog.lut.copy_from_slice(bytes);
                state.update_tone();
            }
            EVENT_SELECTOR => state.event_selector = self.below(REMOTE_EVENTS.len())?,
            EVENT_NOTIFICATION => {
                settings.notified[state.event_selector as usize] = self.flag()?;
            }
            USER_SET_SELECTOR => state.user_set_selector = self.below(USER_SETS)?,
            USER_SET_DEFAULT => state.user_set_default = self.below(USER_SETS)?,
            USER_SET_SAVE => {
                if state.user_set_selector == 0 {
                    return Err(Fault::new(
                        status::ACCESS_DENIED,
                        "UserSetSave: the set Default is what the configuration says",
                    ));
                }
                state.user_sets[state.user_set_selector as usize] = settings.clone();
            }
            USER_OUTPUT_SELECTOR => {
                state.user_output_selector = self.below(state.user_output.len())?;
            }
            TRIGGER_MODE => settings.triggered = self.flag()?,
            TRIGGER_SOURCE => {
                settings.trigger_source =
                    self.one_of([TriggerSource::Software, TriggerSource::Line0])?;
            }
            GAIN => {
                settings.analog.gain_db[state.gain_selector as usize] =
                    self.real(settings::GAIN_DB)?;
                state.update_tone();
            }
            BLACK_LEVEL => {
                settings.analog.black_level = self.real(settings::BLACK_LEVEL)?;
                state.update_tone();
            }
            LINE_SELECTOR => match self.integer()? {
                line @ (LINE0 | LINE2) => state.line_selector = line,
                _ => return Err(self.refuse("0 (Line0) or 2 (Line2)")),
            },
            USER_OUTPUT_VALUE => {
                let on = self.flag()?;
                state
                    .set_line2(|state| state.user_output[state.user_output_selector as usize] = on);
            }
            LINE_SOURCE => {
                let source = self.below(state.user_output.len() + 1)?;
                if state.line_selector != LINE2 && source != 0 {
                    return Err(self.refuse("0 (Off) for an input"));
                }
                if state.line_selector == LINE2 {
                    state.set_line2(|state| state.line2_source = source);
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
            SIM_FAULT_SELECTOR => state.fault_selector = self.below(faults::FAULTS)?,
            SIM_FAULT_SEED => state.faults.seed = self.count(0)?,
            SIM_FAULT_CLEAR => state.faults.clear(),
            _ => self.set_rule(state)?,
        }
        Ok(())
    }

    /// Changes the rule of the selected fault.
    fn set_rule(&self, state: &mut State) -> Result<()> {
        let kind = state.fault();
        let rule = state.faults.rule(kind).clone();
        let rule = match self.register.address {
            SIM_FAULT_ENABLE => Rule { enabled: self.flag()?, ..rule },
            SIM_FAULT_FIRST => Rule { first: self.count(0)?, ..rule },
            SIM_FAULT_LAST => Rule { last: self.count(0)?, ..rule },
            SIM_FAULT_EVERY => Rule { every: self.count(1)?, ..rule },
            SIM_FAULT_TIMES => Rule { times: self.count(0)?, ..rule },
            SIM_FAULT_PROBABILITY => Rule { probability: self.real(0.0..=1.0)?, ..rule },
            SIM_FAULT_FROM => Rule { from_s: self.real(faults::SECONDS)?, ..rule },
            SIM_FAULT_UNTIL => Rule { until_s: self.real(faults::SECONDS)?, ..rule },
            SIM_FAULT_DURATION => Rule { duration_s: self.real(faults::SECONDS)?, ..rule },
            SIM_FAULT_VALUE => Rule { value: self.real(kind.range())?, ..rule },
            _ => return Err(unhandled(self.register)),
        };
        state.faults.set(kind, rule);
        Ok(())
    }

    /// A number that GenApi's signed integers hold.
    fn count(&self, least: u64) -> Result<u64> {
        match self.value {
            Value::U64(count) if (least..=faults::COUNT_MAX).contains(&count) => Ok(count),
            Value::U64(_) => Err(self.refuse(&format!("{least} to {}", faults::COUNT_MAX))),
            _ => Err(unhandled(self.register)),
        }
    }

    /// One of so many, numbered from 0.
    fn below(&self, count: usize) -> Result<u32> {
        self.within(0..=count as u32 - 1)
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
