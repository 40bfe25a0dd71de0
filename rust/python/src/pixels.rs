//! A frame's pixels as Python sees them: the buffer protocol over the very slot, read-only, which
//! holds the slot until the last view dies.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};
use std::ptr;

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use smartqc_core::error::Error;
use smartqc_core::frame::{Frame, Kept, Part, PixelFormat};

use crate::arrays::Form;
use crate::process::Owned;

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
const WORD: &CStr = c"<H";
const FLOAT: &CStr = c"<f";

/// Exports one frame; NumPy's array over it is what `prepare` takes for the frame's format.
#[pyclass(frozen, module = "smartqc._native")]
pub(crate) struct Pixels {
    held: Owned<Held>,
    /// Which of a multi-part frame; the picture itself unless given.
    part: Option<usize>,
    shape: [ffi::Py_ssize_t; 3],
    strides: [ffi::Py_ssize_t; 3],
    dimensions: c_int,
    item_bytes: ffi::Py_ssize_t,
}

impl Pixels {
    /// Of every format whose pixels are whole bytes; packed ones have no array view.
    pub(crate) fn new(held: Held) -> Result<Self, Error> {
        let info = *held.frame().info();
        Self::of(held, None, (info.width, info.height, info.stride), info.pixel_format)
    }

    /// One part of a multi-part frame, which must be there.
    pub(crate) fn of_part(held: Held, index: usize, part: &Part) -> Result<Self, Error> {
        let size = (part.width, part.height, part.stride);
        Self::of(held, Some(index), size, part.pixel_format)
    }

    fn of(
        held: Held,
        part: Option<usize>,
        (width, height, stride): (u32, u32, usize),
        format: PixelFormat,
    ) -> Result<Self, Error> {
        // A single row may be told to be followed by any padding.
        let stride = ffi::Py_ssize_t::try_from(stride).unwrap_or(ffi::Py_ssize_t::MAX);
        let [height, width] = [height, width].map(|length| length as ffi::Py_ssize_t);
        // Planes are all there, or the picture has no row.
        let planes =
            |count, bytes| ([count, height, width], [stride * height, stride, bytes], 3, bytes);
        let (shape, strides, dimensions, item_bytes) = match Form::of(format) {
            Some(Form::Flat) => ([height, width, 1], [stride, 1, 1], 2, 1),
            Some(Form::Words) => ([height, width, 1], [stride, 2, 2], 2, 2),
            Some(Form::Channels(count)) => {
                let count = count as ffi::Py_ssize_t;
                ([height, width, count], [stride, count, 1], 3, 1)
            }
            Some(Form::Planes) => planes(3, 1),
            Some(Form::Elements(count, element)) => {
                let [count, bytes] = [count, element.bytes()].map(|n| n as ffi::Py_ssize_t);
                let dimensions = if count == 1 { 2 } else { 3 };
                ([height, width, count], [stride, count * bytes, bytes], dimensions, bytes)
            }
            Some(Form::ElementPlanes(count, element)) => {
                let [count, bytes] = [count, element.bytes()].map(|n| n as ffi::Py_ssize_t);
                planes(count, bytes)
            }
            Some(Form::Packed) | None => {
                let whole = PixelFormat::all_named().filter(|(format, _)| {
                    Form::of(*format).is_some_and(|form| form != Form::Packed)
                });
                let names: Vec<&str> = whole.map(|(_, name)| name).collect();
                return Err(Error::UnsupportedFormat {
                    format: format.to_string(),
                    supported: format!(
                        "{}; smartqc.prepare takes the frame itself, and unpacked() its samples",
                        names.join(", ")
                    ),
                });
            }
        };
        Ok(Self { held: Owned::new(held), part, shape, strides, dimensions, item_bytes })
    }

    /// The bytes that the first pixel begins; shape and strides lie within them.
    fn image(&self) -> &[u8] {
        let frame = self.held.frame();
        match self.part {
            None => frame.image(),
            Some(index) => frame.part(index).unwrap_or(&[]),
        }
    }

    fn bytes(&self) -> ffi::Py_ssize_t {
        self.shape.iter().product::<ffi::Py_ssize_t>() * self.item_bytes
    }

    /// Whether rows follow each other without a gap.
    fn contiguous(&self) -> bool {
        let mut packed = self.item_bytes;
        let dimensions = self.shape.iter().zip(&self.strides).take(self.dimensions as usize);
        dimensions.rev().all(|(&length, &stride)| {
            let follows = length <= 1 || stride == packed;
            packed *= length;
            follows
        })
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
        let image = this.image();
        // SAFETY: `view` is Python's and not null. The image outlives the view, since `obj` holds
        // this object, which holds the slot; shape and strides live in this object, which is frozen
        // and never moves; Python does not write through them.
        unsafe {
            (*view).buf = image.as_ptr().cast_mut().cast();
            (*view).len = this.bytes();
            (*view).readonly = 1;
            (*view).itemsize = this.item_bytes;
            let format = match this.item_bytes {
                1 => BYTE,
                2 => WORD,
                _ => FLOAT,
            };
            (*view).format =
                if asks(ffi::PyBUF_FORMAT) { format.as_ptr().cast_mut() } else { ptr::null_mut() };
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
