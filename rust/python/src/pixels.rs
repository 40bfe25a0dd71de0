//! A frame's pixels as Python sees them: the buffer protocol over the very slot, read-only, which
//! holds the slot until the last view dies.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use smartqc_core::error::Error;
use smartqc_core::frame::{Frame, Kept, PixelFormat};

/// What keeps the slot: a frame of its own, or one within a line's quota.
#[derive(Clone)]
pub(crate) enum Held {
    Frame(Frame),
    Kept(Kept),
}

impl Held {
    pub(crate) fn frame(&self) -> &Frame {
        match self {
            Self::Frame(frame) => frame,
            Self::Kept(kept) => kept.frame(),
        }
    }
}

const BYTE: &CStr = c"B";

/// Exports one frame; NumPy's array over it is (height, width) or (height, width, channels).
#[pyclass(frozen, module = "smartqc._native")]
pub(crate) struct Pixels {
    held: Held,
    shape: [ffi::Py_ssize_t; 3],
    strides: [ffi::Py_ssize_t; 3],
    dimensions: c_int,
    bytes: ffi::Py_ssize_t,
}

impl Pixels {
    /// Channels of 8-bit formats; deeper and packed ones have no array view of bytes.
    pub(crate) fn new(held: Held) -> Result<Self, Error> {
        let info = *held.frame().info();
        let channels: ffi::Py_ssize_t = match info.pixel_format {
            PixelFormat::RGB8 | PixelFormat::BGR8 => 3,
            PixelFormat::RGBA8 | PixelFormat::BGRA8 => 4,
            format if format.bits_per_pixel() == 8 => 1,
            format => {
                return Err(Error::UnsupportedFormat {
                    format: format.to_string(),
                    supported:
                        "Mono8, BayerRG8, BayerGR8, BayerGB8, BayerBG8, RGB8, BGR8, RGBa8, BGRa8"
                            .into(),
                });
            }
        };
        let (height, width) = (info.height as ffi::Py_ssize_t, info.width as ffi::Py_ssize_t);
        Ok(Self {
            held,
            shape: [height, width, channels],
            strides: [info.stride as ffi::Py_ssize_t, channels, 1],
            dimensions: if channels == 1 { 2 } else { 3 },
            bytes: height * width * channels,
        })
    }

    fn contiguous(&self) -> bool {
        self.shape[0] <= 1 || self.strides[0] == self.shape[1] * self.shape[2]
    }
}

#[pymethods]
impl Pixels {
    /// # Safety
    /// Called by Python alone, with a view to be filled.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        // SAFETY: Python's, and not null. A refusal must leave no object there.
        unsafe { (*view).obj = ptr::null_mut() };
        let asks = |flag| flags & flag == flag;
        if asks(ffi::PyBUF_WRITABLE) {
            return Err(PyBufferError::new_err("a frame's pixels are read-only; take a copy"));
        }
        let this = slf.get();
        let strided = asks(ffi::PyBUF_STRIDES);
        let row_after_row =
            !strided || asks(ffi::PyBUF_C_CONTIGUOUS) || asks(ffi::PyBUF_ANY_CONTIGUOUS);
        if row_after_row && !this.contiguous() {
            return Err(PyBufferError::new_err("rows are padded; ask for a strided view"));
        }
        if asks(ffi::PyBUF_F_CONTIGUOUS) {
            return Err(PyBufferError::new_err("pixels lie row after row, not in Fortran's order"));
        }
        let image = this.held.frame().image();
        // SAFETY: `view` is Python's and not null. The image outlives the view, since `obj` holds
        // this object, which holds the slot; shape and strides live in this object, which is frozen
        // and never moves; Python does not write through them.
        unsafe {
            (*view).buf = image.as_ptr().cast_mut().cast();
            (*view).len = this.bytes;
            (*view).readonly = 1;
            (*view).itemsize = 1;
            (*view).format =
                if asks(ffi::PyBUF_FORMAT) { BYTE.as_ptr().cast_mut() } else { ptr::null_mut() };
            (*view).ndim = this.dimensions;
            (*view).shape =
                if asks(ffi::PyBUF_ND) { this.shape.as_ptr().cast_mut() } else { ptr::null_mut() };
            (*view).strides =
                if strided { this.strides.as_ptr().cast_mut() } else { ptr::null_mut() };
            (*view).suboffsets = ptr::null_mut();
            (*view).internal = ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }
}
