//! Bytes of a contiguous Python buffer without a copy.
#![allow(unsafe_code)]

use pyo3::buffer::PyBuffer;

/// The bytes of a buffer, which must be contiguous.
///
/// Another Python thread could write to the array meanwhile; then the picture is a mixture, as with
/// every buffer in Python, but never anything else than its bytes.
pub(crate) fn of(buffer: &PyBuffer<u8>) -> &[u8] {
    if buffer.len_bytes() == 0 {
        return &[];
    }
    // SAFETY: the exporter keeps `len_bytes` contiguous bytes alive and in place as long as the
    // buffer is held, which the borrow ensures.
    unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) }
}

/// The bytes of a contiguous buffer that Python lets others write to.
///
/// Another Python thread could use the array meanwhile, as with every buffer in Python.
pub(crate) fn of_mut(buffer: &mut PyBuffer<u8>) -> &mut [u8] {
    if buffer.len_bytes() == 0 || buffer.readonly() || !buffer.is_c_contiguous() {
        return &mut [];
    }
    // SAFETY: contiguous and writable, as just checked; the exporter keeps `len_bytes` bytes alive
    // and in place as long as the buffer is held, which the borrow ensures, and the borrow is the
    // only one that this side has.
    unsafe { std::slice::from_raw_parts_mut(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) }
}
