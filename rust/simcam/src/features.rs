//! What the remote device's registers read and do.

use std::borrow::Cow;
use std::sync::Arc;

use crate::abi::status;
use crate::camera::{Camera, Line0Pulse, State};
use crate::clock;
use crate::description;
use crate::error::{Fault, Result};
use crate::faults::FaultKind;
use crate::library::lock;
use crate::pictures::Component;
use crate::port::{Access, Port, Register, Value};
use crate::registers::*;
use crate::write::Set;

/// Numbers of `LineSelector`: Line0 is the input, Line2 the output.
pub(crate) const LINE0: u32 = 0;
pub(crate) const LINE2: u32 = 2;

/// Further ahead an edge is one of another clock, and would hold the sensor until then.
const PULSE_AHEAD_MAX_NS: i64 = 60_000_000_000;

/// The remote device's port of a camera.
pub(crate) struct RemoteDevice(pub(crate) Arc<Camera>);

impl Port for RemoteDevice {
    fn registers(&self) -> &'static [Register] {
        REGISTERS
    }

    fn xml(&self) -> Cow<'static, [u8]> {
        description::bytes(&self.0)
    }

    fn get(&self, register: &Register) -> Result<Value> {
        let camera = &self.0;
        if register.address == PAYLOAD_SIZE
            && let Some(absurd) = camera.holds(FaultKind::AbsurdPayloadSize)
        {
            return Ok(Value::U64(absurd as u64));
        }
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
            PAYLOAD_SIZE => {
                Value::U64((camera.dialect.image_offset + settings.payload_bytes()) as u64)
            }
            ACQUISITION_MODE => Value::U32(settings.acquisition_mode as u32),
            ACQUISITION_FRAME_COUNT => Value::U32(settings.frame_count),
            ACQUISITION_FRAME_RATE_ENABLE => Value::U32(settings.frame_rate_enabled.into()),
            ACQUISITION_FRAME_RATE => Value::F64(settings.frame_rate_hz),
            EXPOSURE_TIME => Value::F64(settings.exposure_us),
            SIM_READOUT_TIME => Value::F64(settings.readout_us),
            // FrameStart, RisingEdge and Luminance are the only ones of their kinds.
            TRIGGER_SELECTOR | TRIGGER_ACTIVATION | LUT_SELECTOR => Value::U32(0),
            COMPONENT_SELECTOR => Value::U32(state.component_selector),
            COMPONENT_ENABLE => {
                Value::U32(settings.components[state.component_selector as usize].into())
            }
            COMPONENT_ID_VALUE => {
                Value::U32(Component::ALL[state.component_selector as usize].purpose() as u32)
            }
            EXPOSURE_AUTO => Value::U32(settings.exposure_auto.into()),
            GAIN_SELECTOR => Value::U32(state.gain_selector),
            GAIN_AUTO => Value::U32(settings.gain_auto.into()),
            LUT_ENABLE => Value::U32(settings.analog.lut_enabled.into()),
            LUT_INDEX => Value::U32(state.lut_index),
            LUT_VALUE => Value::U32(settings.analog.lut[state.lut_index as usize].into()),
            LUT_VALUE_ALL => Value::Bytes(settings.analog.lut.to_vec()),
            EVENT_SELECTOR => Value::U32(state.event_selector),
            EVENT_NOTIFICATION => {
                Value::U32(settings.notified[state.event_selector as usize].into())
            }
            USER_SET_SELECTOR => Value::U32(state.user_set_selector),
            USER_SET_DEFAULT => Value::U32(state.user_set_default),
            USER_OUTPUT_SELECTOR => Value::U32(state.user_output_selector),
            TRIGGER_MODE => Value::U32(settings.triggered.into()),
            TRIGGER_SOURCE => Value::U32(settings.trigger_source as u32),
            GAIN => Value::F64(settings.analog.gain_db[state.gain_selector as usize]),
            BLACK_LEVEL => Value::F64(settings.analog.black_level),
            LINE_SELECTOR => Value::U32(state.line_selector),
            LINE_MODE => Value::U32((state.line_selector == LINE2).into()),
            // An edge on Line0 has no length; Line2 follows its source.
            LINE_STATUS => Value::U32((state.line_selector == LINE2 && state.line2()).into()),
            LINE_SOURCE if state.line_selector == LINE2 => Value::U32(state.line2_source),
            LINE_SOURCE => Value::U32(0),
            USER_OUTPUT_VALUE => {
                Value::U32(state.user_output[state.user_output_selector as usize].into())
            }
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
            SIM_EVENT_MODULE => Value::U32(state.commanded.module),
            SIM_EVENT_KIND => Value::U32(state.commanded.kind),
            SIM_EVENT_TEXT => Value::Text(state.commanded.text.clone()),
            SIM_DELIVERY => Value::U32(settings.delivery as u32),
            SIM_IMAGE_COUNT => Value::U32(settings.image_files.len() as u32),
            SIM_FAULT_SELECTOR => Value::U32(state.fault_selector),
            SIM_FAULT_SEED => Value::U64(state.faults.seed),
            SIM_FAULT_COUNT => Value::U64(state.faults.struck(state.fault())),
            address => {
                let rule = state.faults.rule(state.fault());
                match address {
                    SIM_FAULT_ENABLE => Value::U32(rule.enabled.into()),
                    SIM_FAULT_FIRST => Value::U64(rule.first),
                    SIM_FAULT_LAST => Value::U64(rule.last),
                    SIM_FAULT_EVERY => Value::U64(rule.every),
                    SIM_FAULT_PROBABILITY => Value::F64(rule.probability),
                    SIM_FAULT_FROM => Value::F64(rule.from_s),
                    SIM_FAULT_UNTIL => Value::F64(rule.until_s),
                    SIM_FAULT_TIMES => Value::U64(rule.times),
                    SIM_FAULT_DURATION => Value::F64(rule.duration_s),
                    SIM_FAULT_VALUE => Value::F64(rule.value),
                    _ => return Err(unhandled(register)),
                }
            }
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
            (DEVICE_RESET, _) => {
                camera.reset();
                return Ok(());
            }
            (SIM_FAULT_STRIKE, _) => {
                strike(camera);
                return Ok(());
            }
            (SIM_EVENT_SEND, _) => return camera.tell_commanded(),
            (USER_SET_LOAD, _) => return self.load_user_set(),
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

impl RemoteDevice {
    /// Loads the selected user set, and tells of every feature that it changed.
    fn load_user_set(&self) -> Result<()> {
        let camera = &self.0;
        let values = || -> Vec<Option<Value>> {
            let readable = REGISTERS.iter().map(|register| {
                if register.access == Access::WriteOnly { None } else { self.get(register).ok() }
            });
            readable.collect()
        };
        let before = values();
        {
            let mut state = lock(&camera.state);
            if state.tl_params_locked || state.is_acquiring() {
                return Err(locked("UserSetLoad"));
            }
            let settings = state.user_sets[state.user_set_selector as usize].clone();
            state.load(settings);
        }
        camera.reschedule();
        let changed = before.into_iter().zip(values()).zip(REGISTERS);
        let changed = changed.filter(|((before, after), _)| before != after);
        camera.tell_invalid(changed.map(|(_, register)| register.name));
        Ok(())
    }
}

/// Strikes with the selected fault: the next frame or access, or what its duration says.
fn strike(camera: &Arc<Camera>) {
    let mut state = lock(&camera.state);
    let kind = state.fault();
    if kind == FaultKind::DeviceLost {
        state.faults.count_loss();
        let duration_s = state.faults.rule(kind).duration_s;
        drop(state);
        camera.lose(duration_s);
    } else {
        state.faults.command(kind, clock::now_ns());
    }
}

impl State {
    /// The fault that `SimFaultSelector` selects.
    pub(crate) fn fault(&self) -> FaultKind {
        FaultKind::ALL[self.fault_selector as usize]
    }

    /// Changes something that Line2 may show, and counts its rising edge.
    pub(crate) fn set_line2(&mut self, change: impl FnOnce(&mut Self)) {
        let before = self.line2();
        change(self);
        self.line2_edges += u64::from(!before && self.line2());
    }
}

pub(crate) fn locked(feature: &str) -> Fault {
    Fault::new(
        status::ACCESS_DENIED,
        format!("{feature}: locked while acquiring; stop and set TLParamsLocked to 0"),
    )
}

/// The chunk that `ChunkSelector` selects, as a place in [`CHUNKS`].
pub(crate) fn chunk_index(state: &State) -> Result<usize> {
    let at = CHUNKS.iter().position(|chunk| chunk.selector == state.chunk_selector);
    at.ok_or_else(|| Fault::new(status::INVALID_VALUE, "ChunkSelector selects no chunk"))
}

pub(crate) fn unhandled(register: &Register) -> Fault {
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
