//! The answers to the information commands of each module, and which port a handle has.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::{
    self, buffer_info, device_info, event_data_info, interface_info, part_info, port_info, status,
    stream_info, tl_info, url_info,
};
use crate::camera::Camera;
use crate::description;
use crate::dialect::{Dialect, Timestamp};
use crate::error::{Fault, Result};
use crate::event::Message;
use crate::faults::{self, FaultKind};
use crate::features::RemoteDevice;
use crate::frame::PartContent;
use crate::info::{Answer, not_available, unknown};
use crate::library::{self, Object};
use crate::modules::{self, BufferPort, Device, MODEL, StreamPort, TL_TYPE, VENDOR, VERSION};
use crate::port::{self, Port, XML_ADDRESS};
use crate::registers::{self, CHUNKS};
use crate::stream::{BufferView, Stream};

pub(crate) fn system(command: i32) -> Result<Answer> {
    Ok(match command {
        tl_info::ID => Answer::text(modules::SYSTEM_ID),
        tl_info::VENDOR => Answer::text(VENDOR),
        tl_info::MODEL => Answer::text(MODEL),
        tl_info::VERSION => Answer::text(VERSION),
        tl_info::TLTYPE => Answer::text(TL_TYPE),
        tl_info::NAME => {
            let path = modules::library_path();
            Answer::text(path.rsplit('/').next().unwrap_or(&path))
        }
        tl_info::PATHNAME => Answer::Text(modules::library_path()),
        tl_info::DISPLAYNAME => Answer::text("smartqc simulated cameras"),
        // 1 = UTF-8.
        tl_info::CHAR_ENCODING => Answer::I32(1),
        tl_info::GENTL_VER_MAJOR => Answer::U32(1),
        tl_info::GENTL_VER_MINOR => Answer::U32(6),
        _ => return unknown(command),
    })
}

pub(crate) fn interface(id: &str, command: i32) -> Result<Answer> {
    Ok(match command {
        interface_info::ID => Answer::text(id),
        interface_info::DISPLAYNAME if id == modules::INTERFACE_ID => {
            Answer::text(modules::INTERFACE_NAME)
        }
        interface_info::DISPLAYNAME => Answer::text(id),
        interface_info::TLTYPE => Answer::text(TL_TYPE),
        _ => return unknown(command),
    })
}

pub(crate) fn device(camera: &Camera, access_status: i32, command: i32) -> Result<Answer> {
    Ok(match command {
        device_info::ID => Answer::text(&camera.id),
        device_info::VENDOR => Answer::text(&camera.vendor),
        device_info::MODEL => Answer::text(&camera.model),
        device_info::TLTYPE => Answer::text(TL_TYPE),
        device_info::DISPLAYNAME => Answer::Text(format!("{} ({})", camera.model, camera.serial)),
        device_info::ACCESS_STATUS => Answer::I32(access_status),
        device_info::USER_DEFINED_NAME => Answer::Text(camera.user_id()),
        device_info::SERIAL_NUMBER => Answer::text(&camera.serial),
        device_info::VERSION => Answer::text(VERSION),
        device_info::TIMESTAMP_FREQUENCY => Answer::U64(camera.dialect.tick_hz),
        _ => return unknown(command),
    })
}

pub(crate) fn stream(stream: &Stream, command: i32) -> Result<Answer> {
    let counts = stream.counts();
    let dialect = &stream.camera.dialect;
    Ok(match command {
        stream_info::ID => Answer::text(modules::STREAM_ID),
        stream_info::NUM_DELIVERED => Answer::U64(counts.delivered),
        stream_info::NUM_UNDERRUN => Answer::U64(counts.underruns),
        stream_info::NUM_ANNOUNCED => Answer::Size(counts.announced),
        stream_info::NUM_QUEUED => Answer::Size(counts.queued),
        stream_info::NUM_AWAIT_DELIVERY => Answer::Size(counts.awaiting),
        stream_info::NUM_STARTED => Answer::U64(counts.started_frames),
        stream_info::PAYLOAD_SIZE if dialect.defines_payload_size => {
            Answer::Size(stream.camera.payload_bytes())
        }
        // The remote device's PayloadSize tells it; the two never disagree if there is only one.
        stream_info::PAYLOAD_SIZE => return not_available("the stream's payload size"),
        stream_info::IS_GRABBING => Answer::Bool(counts.is_grabbing),
        stream_info::DEFINES_PAYLOADSIZE => Answer::Bool(dialect.defines_payload_size),
        stream_info::TLTYPE => Answer::text(TL_TYPE),
        stream_info::NUM_CHUNKS_MAX => Answer::Size(CHUNKS.len()),
        stream_info::BUF_ANNOUNCE_MIN => Answer::Size(dialect.buffers_min),
        stream_info::BUF_ALIGNMENT => Answer::Size(dialect.buffer_alignment),
        stream_info::FLOW_TABLE => return not_available("a flow table"),
        stream_info::GENDC_PREFETCH_DESCRIPTOR => return not_available("a GenDC descriptor"),
        _ => return unknown(command),
    })
}

pub(crate) fn buffer(view: &BufferView, dialect: &Dialect, command: i32) -> Result<Answer> {
    if view.content.as_ref().is_some_and(|content| content.info_fails) {
        return Err(Fault::new(status::ERROR, "a fault on demand: nothing is told of this buffer"));
    }
    let shift = view.content.as_ref().map_or(0, |content| content.base_shift);
    match command {
        buffer_info::BASE => return Ok(Answer::Pointer(view.base.wrapping_add(shift))),
        buffer_info::SIZE => return Ok(Answer::Size(view.size)),
        buffer_info::USER_PTR => return Ok(Answer::Pointer(view.user)),
        buffer_info::NEW_DATA => return Ok(Answer::Bool(view.has_new_data)),
        buffer_info::IS_QUEUED => return Ok(Answer::Bool(view.is_queued)),
        buffer_info::IS_ACQUIRING => return Ok(Answer::Bool(view.is_acquiring)),
        buffer_info::TLTYPE => return Ok(Answer::text(TL_TYPE)),
        buffer_info::IS_COMPOSITE => return Ok(Answer::Bool(false)),
        buffer_info::FILENAME => return not_available("a file name"),
        buffer_info::TIMESTAMP..=buffer_info::CONTAINS_CHUNKDATA => {}
        _ => return unknown(command),
    }
    let Some(content) = &view.content else {
        return Err(Fault::new(status::NO_DATA, "no frame has been written to this buffer yet"));
    };
    let is_of_one_image = matches!(
        command,
        buffer_info::WIDTH
            | buffer_info::HEIGHT
            | buffer_info::XOFFSET
            | buffer_info::YOFFSET
            | buffer_info::XPADDING
            | buffer_info::PIXELFORMAT
            | buffer_info::PIXELFORMAT_NAMESPACE
            | buffer_info::DELIVERED_IMAGEHEIGHT
    );
    if is_of_one_image && !content.parts.is_empty() {
        return Err(Fault::new(status::NO_DATA, "the buffer holds parts: ask for each of them"));
    }
    Ok(match command {
        buffer_info::TIMESTAMP if dialect.timestamp != Timestamp::None => {
            Answer::U64(dialect.ticks(content.timestamp_ns))
        }
        buffer_info::TIMESTAMP_NS if dialect.timestamp == Timestamp::Ns => {
            Answer::U64(content.timestamp_ns)
        }
        buffer_info::TIMESTAMP | buffer_info::TIMESTAMP_NS => {
            return not_available("such a timestamp");
        }
        buffer_info::IS_INCOMPLETE => Answer::Bool(content.is_incomplete),
        buffer_info::DATA_LARGER_THAN_BUFFER => Answer::Bool(content.is_larger_than_buffer),
        buffer_info::SIZE_FILLED => Answer::Size(content.filled_bytes),
        buffer_info::WIDTH => Answer::Size(content.width),
        buffer_info::HEIGHT => Answer::Size(content.height),
        buffer_info::XOFFSET => Answer::Size(content.x),
        buffer_info::YOFFSET => Answer::Size(content.y),
        buffer_info::XPADDING => Answer::Size(content.x_padding),
        buffer_info::YPADDING => Answer::Size(0),
        buffer_info::IMAGEOFFSET => Answer::Size(content.image_offset),
        buffer_info::FRAMEID => Answer::U64(content.frame_id),
        buffer_info::IMAGEPRESENT => Answer::Bool(true),
        buffer_info::PAYLOADTYPE => Answer::Size(content.payload_type),
        buffer_info::PIXELFORMAT => Answer::U64(content.pixel_format),
        buffer_info::PIXELFORMAT_NAMESPACE => Answer::U64(abi::PIXELFORMAT_NAMESPACE_PFNC_32),
        buffer_info::DELIVERED_IMAGEHEIGHT => Answer::Size(content.delivered_height),
        buffer_info::DELIVERED_CHUNKPAYLOADSIZE => Answer::Size(content.chunk_bytes()),
        buffer_info::CHUNKLAYOUTID => Answer::U64(content.chunk_layout),
        buffer_info::PIXEL_ENDIANNESS => Answer::I32(abi::PIXEL_ENDIANNESS_LITTLE),
        buffer_info::DATA_SIZE => Answer::Size(content.data_bytes),
        buffer_info::CONTAINS_CHUNKDATA => Answer::Bool(content.chunks.is_some()),
        _ => return unknown(command),
    })
}

/// The parts of a buffer, if it has parts.
pub(crate) fn parts(view: &BufferView) -> Result<&[PartContent]> {
    match &view.content {
        Some(content) if !content.parts.is_empty() => Ok(&content.parts),
        _ => Err(Fault::new(status::NO_DATA, "the buffer holds a plain image, not parts")),
    }
}

pub(crate) fn part(view: &BufferView, index: u32, command: i32) -> Result<Answer> {
    let parts = parts(view)?;
    let part = parts.get(index as usize).ok_or_else(|| {
        Fault::new(status::INVALID_INDEX, format!("part {index}: there are {}", parts.len()))
    })?;
    let content = view.content.as_ref().ok_or_else(|| Fault::new(status::NO_DATA, "no frame"))?;
    Ok(match command {
        part_info::BASE => Answer::Pointer(view.base.wrapping_add(part.offset)),
        part_info::DATA_SIZE => Answer::Size(part.size),
        part_info::DATA_TYPE => Answer::Size(part.data_type),
        part_info::DATA_FORMAT => Answer::U64(part.format),
        part_info::DATA_FORMAT_NAMESPACE => Answer::U64(abi::PIXELFORMAT_NAMESPACE_PFNC_32),
        part_info::WIDTH => Answer::Size(part.width),
        part_info::HEIGHT => Answer::Size(part.height),
        part_info::XOFFSET => Answer::Size(content.x),
        part_info::YOFFSET => Answer::Size(content.y),
        // The image alone has padding, and is the first.
        part_info::XPADDING => Answer::Size(if index == 0 { content.x_padding } else { 0 }),
        part_info::SOURCE_ID | part_info::REGION_ID => Answer::U64(0),
        part_info::DELIVERED_IMAGEHEIGHT => Answer::Size(part.delivered_height),
        part_info::DATA_PURPOSE_ID => Answer::U64(part.purpose),
        _ => return unknown(command),
    })
}

/// What the data of an event other than a new buffer say.
pub(crate) fn event_data(event_type: i32, message: Message, command: i32) -> Result<Answer> {
    let is_error = event_type == abi::event_type::ERROR;
    Ok(match command {
        event_data_info::ID if is_error => Answer::I32(message.number as i32),
        event_data_info::ID => Answer::Text(message.name),
        event_data_info::VALUE if is_error => {
            Answer::Text(String::from_utf8_lossy(&message.value).trim_end_matches('\0').to_owned())
        }
        event_data_info::VALUE => Answer::Bytes(message.value),
        event_data_info::NUMID if message.number > 0 => Answer::U64(message.number as u64),
        event_data_info::NUMID => return not_available("a numeric id"),
        _ => return unknown(command),
    })
}

/// The port of a module: its registers and what identifies it.
pub(crate) struct ModulePort {
    registers: Box<dyn Port>,
    module: &'static str,
    port_name: &'static str,
    /// The last part of the description file's name.
    file: &'static str,
    id: String,
    vendor: String,
    model: String,
    is_read_only: bool,
    /// The device behind the remote device's port, which can be lost and lie.
    device: Option<Arc<Device>>,
}

/// The port behind a handle.
pub(crate) fn port(handle: usize) -> Result<ModulePort> {
    let local = |registers, module, port_name, file, id: &str| ModulePort {
        registers,
        module,
        port_name,
        file,
        id: id.to_owned(),
        vendor: VENDOR.to_owned(),
        model: MODEL.to_owned(),
        is_read_only: false,
        device: None,
    };
    Ok(match library::object(handle)? {
        Object::System(system) => {
            local(Box::new(system), "TLSystem", "TLPort", "system", modules::SYSTEM_ID)
        }
        Object::Interface(interface) => {
            let id = interface.id.clone();
            local(Box::new(interface), "TLInterface", "InterfacePort", "interface", &id)
        }
        Object::Device(device) => {
            let id = device.camera.id.clone();
            local(Box::new(device), "TLDevice", "DevicePort", "device", &id)
        }
        Object::Stream(stream) => {
            let port = Box::new(StreamPort(stream));
            local(port, "TLDataStream", "StreamPort", "stream", modules::STREAM_ID)
        }
        Object::Buffer(stream) => {
            let port = Box::new(BufferPort { stream, handle });
            local(port, "TLBuffer", "BufferPort", "buffer", &format!("{handle:x}"))
        }
        Object::Remote(device) => {
            let camera = device.camera.clone();
            ModulePort {
                module: "Device",
                port_name: "Device",
                file: "remote_device",
                id: camera.id.clone(),
                vendor: camera.vendor.clone(),
                model: camera.model.clone(),
                is_read_only: device.is_read_only(),
                registers: Box::new(RemoteDevice(camera)),
                device: Some(device),
            }
        }
        Object::Event(_) => {
            return Err(Fault::new(status::INVALID_HANDLE, "an event has no port"));
        }
    })
}

impl ModulePort {
    #[cfg(test)]
    pub(crate) fn registers(&self) -> &dyn Port {
        &*self.registers
    }

    /// Reads registers; tells how many of the bytes came.
    pub(crate) fn read(&self, address: u64, into: &mut [u8]) -> Result<usize> {
        let struck = self.strike(
            address,
            &[
                FaultKind::PortFails,
                FaultKind::PortTimesOut,
                FaultKind::PortGarbage,
                FaultKind::PortWrongSize,
            ],
        )?;
        port::read(&*self.registers, address, into)?;
        Ok(match struck {
            Some((FaultKind::PortWrongSize, share)) => (into.len() as f64 * share) as usize,
            Some(_) => {
                let mut random = self.device.as_ref().map_or(0, |device| device.camera.garbage());
                for byte in &mut *into {
                    random = faults::mix(random);
                    *byte = random as u8;
                }
                into.len()
            }
            None => into.len(),
        })
    }

    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        let struck = self.strike(
            address,
            &[
                FaultKind::PortFails,
                FaultKind::PortTimesOut,
                FaultKind::WritesRefused,
                FaultKind::WritesIgnored,
            ],
        )?;
        if self.is_read_only {
            return Err(Fault::new(status::ACCESS_DENIED, "the device is open for reading only"));
        }
        if struck.is_some() {
            return Ok(());
        }
        port::write(&*self.registers, address, bytes)
    }

    /// What befalls an access to a camera's registers; the faults' own always answer.
    fn strike(&self, address: u64, kinds: &[FaultKind]) -> Result<Option<(FaultKind, f64)>> {
        let Some(device) = &self.device else { return Ok(None) };
        device.check_alive()?;
        if registers::FAULT_REGISTERS.contains(&address) {
            return Ok(None);
        }
        let fault = |code, what: &str| Err(Fault::new(code, format!("a fault on demand: {what}")));
        match device.camera.strike_access(kinds) {
            Some((FaultKind::PortFails, _)) => fault(status::IO, "the port does not answer"),
            Some((FaultKind::PortTimesOut, ms)) => {
                std::thread::sleep(Duration::from_secs_f64(ms / 1e3));
                fault(status::TIMEOUT, "the port did not answer in time")
            }
            Some((FaultKind::WritesRefused, _)) => {
                fault(status::ACCESS_DENIED, "the write is refused")
            }
            struck => Ok(struck),
        }
    }

    pub(crate) fn info(&self, command: i32) -> Result<Answer> {
        Ok(match command {
            port_info::ID => Answer::text(&self.id),
            port_info::VENDOR => Answer::text(&self.vendor),
            port_info::MODEL => Answer::text(&self.model),
            port_info::TLTYPE => Answer::text(TL_TYPE),
            port_info::MODULE => Answer::text(self.module),
            port_info::LITTLE_ENDIAN | port_info::ACCESS_READ => Answer::Bool(true),
            port_info::BIG_ENDIAN | port_info::ACCESS_NA | port_info::ACCESS_NI => {
                Answer::Bool(false)
            }
            port_info::ACCESS_WRITE => Answer::Bool(!self.is_read_only),
            port_info::VERSION => Answer::text(VERSION),
            port_info::PORTNAME => Answer::text(self.port_name),
            _ => return unknown(command),
        })
    }

    /// Number of description files.
    pub(crate) fn urls(&self) -> u32 {
        let camera = self.device.as_ref().map(|device| &device.camera);
        u32::from(camera.is_none_or(|camera| camera.holds(FaultKind::XmlMissing).is_none()))
    }

    fn is_on_disk(&self) -> bool {
        let camera = self.device.as_ref().map(|device| &device.camera);
        camera.is_some_and(|camera| camera.description == description::Form::File)
    }

    fn file_name(&self) -> String {
        match &self.device {
            Some(device) => description::file_name(&device.camera),
            None => format!("smartqc_simcam_{}.xml", self.file),
        }
    }

    fn file_size(&self) -> usize {
        match &self.device {
            Some(device) => description::told_size(&device.camera),
            None => self.registers.xml().len(),
        }
    }

    pub(crate) fn url(&self) -> String {
        let other = self.device.as_ref().and_then(|device| description::other_url(&device.camera));
        other.unwrap_or_else(|| {
            let (name, size) = (self.file_name(), self.file_size());
            format!("local:{name};{XML_ADDRESS:X};{size:X}?SchemaVersion=1.1.0")
        })
    }

    pub(crate) fn url_info(&self, command: i32) -> Result<Answer> {
        Ok(match command {
            url_info::URL => Answer::Text(self.url()),
            url_info::SCHEMA_VER_MAJOR | url_info::SCHEMA_VER_MINOR => Answer::I32(1),
            url_info::FILE_VER_MAJOR => Answer::I32(1),
            url_info::FILE_VER_MINOR | url_info::FILE_VER_SUBMINOR => Answer::I32(0),
            url_info::FILE_SHA1_HASH => return not_available("a hash of the description file"),
            url_info::FILE_REGISTER_ADDRESS | url_info::FILE_SIZE if self.is_on_disk() => {
                return not_available("a register of a file on disk");
            }
            url_info::FILE_REGISTER_ADDRESS => Answer::U64(XML_ADDRESS),
            url_info::FILE_SIZE => Answer::U64(self.file_size() as u64),
            url_info::SCHEME if self.is_on_disk() => Answer::I32(abi::URL_SCHEME_FILE),
            url_info::SCHEME => Answer::I32(abi::URL_SCHEME_LOCAL),
            url_info::FILENAME => {
                let camera = self.device.as_ref().map(|device| &device.camera);
                let path = camera.and_then(|camera| description::path_on_disk(camera));
                Answer::Text(
                    path.map_or_else(|| self.file_name(), |path| path.display().to_string()),
                )
            }
            _ => return unknown(command),
        })
    }
}
