//! The answers to the information commands of each module, and which port a handle has.

use crate::abi::{
    self, buffer_info, device_info, interface_info, port_info, status, stream_info, tl_info,
    url_info,
};
use crate::camera::Camera;
use crate::error::{Fault, Result};
use crate::features::RemoteDevice;
use crate::info::{Answer, not_available, unknown};
use crate::library::{self, Object};
use crate::modules::{self, BufferPort, MODEL, StreamPort, TL_TYPE, VENDOR, VERSION};
use crate::port::{Port, XML_ADDRESS};
use crate::registers::CHUNKS;
use crate::stream::{BUFFER_ALIGNMENT, BUFFERS_MIN, BufferView, Stream};

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

pub(crate) fn interface(command: i32) -> Result<Answer> {
    Ok(match command {
        interface_info::ID => Answer::text(modules::INTERFACE_ID),
        interface_info::DISPLAYNAME => Answer::text(modules::INTERFACE_NAME),
        interface_info::TLTYPE => Answer::text(TL_TYPE),
        _ => return unknown(command),
    })
}

pub(crate) fn device(camera: &Camera, command: i32) -> Result<Answer> {
    Ok(match command {
        device_info::ID => Answer::text(&camera.id),
        device_info::VENDOR => Answer::text(&camera.vendor),
        device_info::MODEL => Answer::text(&camera.model),
        device_info::TLTYPE => Answer::text(TL_TYPE),
        device_info::DISPLAYNAME => Answer::Text(format!("{} ({})", camera.model, camera.serial)),
        device_info::ACCESS_STATUS => Answer::I32(camera.access_status()),
        device_info::USER_DEFINED_NAME => Answer::Text(camera.user_id()),
        device_info::SERIAL_NUMBER => Answer::text(&camera.serial),
        device_info::VERSION => Answer::text(VERSION),
        device_info::TIMESTAMP_FREQUENCY => Answer::U64(1_000_000_000),
        _ => return unknown(command),
    })
}

pub(crate) fn stream(stream: &Stream, command: i32) -> Result<Answer> {
    let counts = stream.counts();
    Ok(match command {
        stream_info::ID => Answer::text(modules::STREAM_ID),
        stream_info::NUM_DELIVERED => Answer::U64(counts.delivered),
        stream_info::NUM_UNDERRUN => Answer::U64(counts.underruns),
        stream_info::NUM_ANNOUNCED => Answer::Size(counts.announced),
        stream_info::NUM_QUEUED => Answer::Size(counts.queued),
        stream_info::NUM_AWAIT_DELIVERY => Answer::Size(counts.awaiting),
        stream_info::NUM_STARTED => Answer::U64(counts.started_frames),
        // The remote device's PayloadSize tells it; the two never disagree if there is only one.
        stream_info::PAYLOAD_SIZE => return not_available("the stream's payload size"),
        stream_info::IS_GRABBING => Answer::Bool(counts.is_grabbing),
        stream_info::DEFINES_PAYLOADSIZE => Answer::Bool(false),
        stream_info::TLTYPE => Answer::text(TL_TYPE),
        stream_info::NUM_CHUNKS_MAX => Answer::Size(CHUNKS.len()),
        stream_info::BUF_ANNOUNCE_MIN => Answer::Size(BUFFERS_MIN),
        stream_info::BUF_ALIGNMENT => Answer::Size(BUFFER_ALIGNMENT),
        stream_info::FLOW_TABLE => return not_available("a flow table"),
        stream_info::GENDC_PREFETCH_DESCRIPTOR => return not_available("a GenDC descriptor"),
        _ => return unknown(command),
    })
}

pub(crate) fn buffer(view: &BufferView, command: i32) -> Result<Answer> {
    match command {
        buffer_info::BASE => return Ok(Answer::Pointer(view.base)),
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
    let region = content.region;
    let has_chunks = content.chunks.is_some();
    Ok(match command {
        buffer_info::TIMESTAMP | buffer_info::TIMESTAMP_NS => Answer::U64(content.timestamp_ns),
        buffer_info::IS_INCOMPLETE | buffer_info::DATA_LARGER_THAN_BUFFER => {
            Answer::Bool(content.is_larger_than_buffer())
        }
        buffer_info::SIZE_FILLED => Answer::Size(content.filled_bytes),
        buffer_info::WIDTH => Answer::Size(region.width as usize),
        buffer_info::HEIGHT => Answer::Size(region.height as usize),
        buffer_info::XOFFSET => Answer::Size(region.x as usize),
        buffer_info::YOFFSET => Answer::Size(region.y as usize),
        buffer_info::XPADDING | buffer_info::YPADDING | buffer_info::IMAGEOFFSET => Answer::Size(0),
        buffer_info::FRAMEID => Answer::U64(content.frame_id),
        buffer_info::IMAGEPRESENT => Answer::Bool(true),
        buffer_info::PAYLOADTYPE => Answer::Size(abi::PAYLOAD_TYPE_IMAGE),
        buffer_info::PIXELFORMAT => Answer::U64(content.format as u64),
        buffer_info::PIXELFORMAT_NAMESPACE => Answer::U64(abi::PIXELFORMAT_NAMESPACE_PFNC_32),
        buffer_info::DELIVERED_IMAGEHEIGHT => Answer::Size(content.delivered_height),
        buffer_info::DELIVERED_CHUNKPAYLOADSIZE => Answer::Size(content.chunk_bytes()),
        // Which chunks there are, as bits; the highest bit keeps it from 0, which is "none".
        buffer_info::CHUNKLAYOUTID if has_chunks => {
            Answer::U64(content.chunks.iter().flatten().fold(1 << 63, |layout, (id, _)| {
                CHUNKS
                    .iter()
                    .position(|chunk| chunk.id == *id)
                    .map_or(layout, |at| layout | 1 << at)
            }))
        }
        buffer_info::CHUNKLAYOUTID => Answer::U64(0),
        buffer_info::PIXEL_ENDIANNESS => Answer::I32(abi::PIXEL_ENDIANNESS_LITTLE),
        buffer_info::DATA_SIZE => Answer::Size(content.data_bytes),
        buffer_info::CONTAINS_CHUNKDATA => Answer::Bool(has_chunks),
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
    };
    Ok(match library::object(handle)? {
        Object::System(system) => {
            local(Box::new(system), "TLSystem", "TLPort", "system", modules::SYSTEM_ID)
        }
        Object::Interface(interface) => {
            let id = modules::INTERFACE_ID;
            local(Box::new(interface), "TLInterface", "InterfacePort", "interface", id)
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
            }
        }
        Object::Event(_) => {
            return Err(Fault::new(status::INVALID_HANDLE, "an event has no port"));
        }
    })
}

impl ModulePort {
    pub(crate) fn registers(&self) -> &dyn Port {
        &*self.registers
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.is_read_only {
            return Err(Fault::new(status::ACCESS_DENIED, "the device is open for reading only"));
        }
        Ok(())
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

    fn file_name(&self) -> String {
        format!("smartqc_simcam_{}.xml", self.file)
    }

    pub(crate) fn url(&self) -> String {
        let (name, size) = (self.file_name(), self.registers.xml().len());
        format!("local:{name};{XML_ADDRESS:X};{size:X}?SchemaVersion=1.1.0")
    }

    pub(crate) fn url_info(&self, command: i32) -> Result<Answer> {
        Ok(match command {
            url_info::URL => Answer::Text(self.url()),
            url_info::SCHEMA_VER_MAJOR | url_info::SCHEMA_VER_MINOR => Answer::I32(1),
            url_info::FILE_VER_MAJOR => Answer::I32(1),
            url_info::FILE_VER_MINOR | url_info::FILE_VER_SUBMINOR => Answer::I32(0),
            url_info::FILE_SHA1_HASH => return not_available("a hash of the description file"),
            url_info::FILE_REGISTER_ADDRESS => Answer::U64(XML_ADDRESS),
            url_info::FILE_SIZE => Answer::U64(self.registers.xml().len() as u64),
            url_info::SCHEME => Answer::I32(abi::URL_SCHEME_LOCAL),
            url_info::FILENAME => Answer::Text(self.file_name()),
            _ => return unknown(command),
        })
    }
}
