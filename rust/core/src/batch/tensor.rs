//! Tensor memory of our own: allocated once, rows back to back, as ONNX Runtime reads and writes it.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;
use std::slice;

/// Cache lines, and the widest vectors.
const ALIGNMENT: usize = 64;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary64.
    Float64,
    /// Unsigned byte.
    Uint8,
    /// Signed 32 bits.
    Int32,
    /// Signed 64 bits.
    Int64,
    /// One byte, 0 or 1.
    Bool,
}

impl ElementType {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Bool => 1,
            Self::Float16 => 2,
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 | Self::Int64 => 8,
        }
    }

    /// numpy's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::Float64 => "float64",
            Self::Uint8 => "uint8",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Bool => "bool",
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bits of a binary16 number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

impl F16 {
    /// The same number, exactly.
    pub fn to_f32(self) -> f32 {
        let sign = if self.0 >> 15 == 1 { -1.0 } else { 1.0 };
        let exponent = i32::from((self.0 >> 10) & 0x1F);
        let fraction = f32::from(self.0 & 0x3FF);
        match exponent {
            0 => sign * fraction * 2f32.powi(-24),
            31 if fraction == 0.0 => sign * f32::INFINITY,
            31 => f32::NAN,
            _ => sign * (1024.0 + fraction) * 2f32.powi(exponent - 25),
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is one of the element types: every bit pattern is a value of it.
pub trait Element: Copy + sealed::Sealed {
    /// Which.
    const TYPE: ElementType;
}

macro_rules! element {
    ($($rust:ty => $element:ident),*) => {$(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const TYPE: ElementType = ElementType::$element;
        }
    )*};
}
element!(f32 => Float32, F16 => Float16, f64 => Float64, u8 => Uint8, i32 => Int32, i64 => Int64);

/// `rows` rows of equal shape in one allocation, zeroed, aligned to 64 bytes, no gap between rows.
pub struct Tensor {
    memory: NonNull<u8>,
    layout: Layout,
    element: ElementType,
    rows: usize,
    row_shape: Box<[usize]>,
    row_elements: usize,
}

// SAFETY: the memory is owned by this value alone, and `&Tensor` only reads it.
unsafe impl Send for Tensor {}
// SAFETY: as above.
unsafe impl Sync for Tensor {}

impl Tensor {
    /// Zeroed memory for `rows` rows of `row_shape` (empty: one element a row); `None` when a
    /// dimension is 0 or the size overflows.
    pub fn zeroed(element: ElementType, rows: usize, row_shape: &[usize]) -> Option<Self> {
        let row_elements = row_shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim))?;
        let bytes = row_elements.checked_mul(rows)?.checked_mul(element.bytes())?;
        let layout = Layout::from_size_align(bytes, ALIGNMENT).ok()?;
        if bytes == 0 {
            return None;
        }
        // SAFETY: the layout's size is not 0.
        let Some(memory) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout)
        };
        Some(Self { memory, layout, element, rows, row_shape: row_shape.into(), row_elements })
    }

    /// Type of the elements.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Shape of one row; empty when a row is one element.
    pub fn row_shape(&self) -> &[usize] {
        &self.row_shape
    }

    /// Elements of one row.
    pub fn row_elements(&self) -> usize {
        self.row_elements
    }

    /// Where the first row begins; the following ones lie behind it without a gap.
    pub fn as_ptr(&self) -> *mut u8 {
        self.memory.as_ptr()
    }

    /// A row's elements; `None` when they are of another type.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row<E: Element>(&self, row: usize) -> Option<&[E]> {
        let start = self.row_start(row);
        // SAFETY: the row lies inside the allocation (`row_start`), is aligned to its element,
        // holds this very element type, any bits of which are a value; borrowed with `self`.
        (E::TYPE == self.element)
            .then(|| unsafe { slice::from_raw_parts(start.cast::<E>(), self.row_elements) })
    }

    /// A row's elements, writable; `None` when they are of another type.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_of<E: Element>(&mut self, row: usize) -> Option<&mut [E]> {
        let start = self.row_start(row);
        // SAFETY: as in `row`, and `self` is borrowed mutably.
        (E::TYPE == self.element)
            .then(|| unsafe { slice::from_raw_parts_mut(start.cast::<E>(), self.row_elements) })
    }

    /// A row's bytes, in the machine's byte order, writable.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_bytes_mut(&mut self, row: usize) -> &mut [u8] {
        let start = self.row_start(row);
        let bytes = self.row_elements * self.element.bytes();
        // SAFETY: the row lies inside the allocation; any bytes are a value of every element type,
        // since a bool is read as a byte too; `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(start, bytes) }
    }

    /// A row's elements as float32, one after the other, whatever their type; bool is 0 or 1.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_as_f32(&self, row: usize) -> impl ExactSizeIterator<Item = f32> + '_ {
        let start = self.row_start(row);
        let element = self.element;
        (0..self.row_elements).map(move |index| {
            // SAFETY: index < row_elements, so the element lies inside the row, aligned, of the
            // type matched here; `self` is borrowed by the iterator.
            unsafe {
                match element {
                    ElementType::Float32 => *start.cast::<f32>().add(index),
                    ElementType::Float16 => (*start.cast::<F16>().add(index)).to_f32(),
                    ElementType::Float64 => *start.cast::<f64>().add(index) as f32,
                    ElementType::Int32 => *start.cast::<i32>().add(index) as f32,
                    ElementType::Int64 => *start.cast::<i64>().add(index) as f32,
                    ElementType::Uint8 => f32::from(*start.add(index)),
                    ElementType::Bool => f32::from(u8::from(*start.add(index) != 0)),
                }
            }
        })
    }

    /// Writes numbers into a row, in its own type; `false` when it cannot hold one of them exactly
    /// enough: a number with a fraction in a row of whole ones, one that is too large.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn fill_row(&mut self, row: usize, numbers: &[f64]) -> bool {
        let element = self.element;
        let places = self.row_bytes_mut(row).chunks_exact_mut(element.bytes());
        places.zip(numbers).all(|(place, &number)| {
            let within =
                |low: f64, high: f64| number.fract() == 0.0 && (low..high).contains(&number);
            let mut put = |bytes: &[u8]| place.copy_from_slice(bytes);
            match element {
                ElementType::Float32 if (number as f32).is_finite() => {
                    put(&(number as f32).to_ne_bytes());
                }
                ElementType::Float64 if number.is_finite() => put(&number.to_ne_bytes()),
                ElementType::Int32 if within(-(2f64.powi(31)), 2f64.powi(31)) => {
                    put(&(number as i32).to_ne_bytes());
                }
                ElementType::Int64 if within(-(2f64.powi(63)), 2f64.powi(63)) => {
                    put(&(number as i64).to_ne_bytes());
                }
                ElementType::Uint8 if within(0.0, 256.0) => put(&[number as u8]),
                ElementType::Bool if within(0.0, 2.0) => put(&[number as u8]),
                _ => return false,
            }
            true
        })
    }

    /// Zeroes the rows from `first` on.
    pub fn zero_from(&mut self, first: usize) {
        if first < self.rows {
            let start = self.row_start(first);
            let bytes = (self.rows - first) * self.row_elements * self.element.bytes();
            // SAFETY: from a row's start to the end of the allocation; zero is a value of every
            // element type; `self` is borrowed mutably.
            unsafe { start.write_bytes(0, bytes) };
        }
    }

    fn row_start(&self, row: usize) -> *mut u8 {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: row < rows, so the offset lies inside the allocation.
        unsafe { self.memory.as_ptr().add(row * self.row_elements * self.element.bytes()) }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // SAFETY: allocated with this very layout in `zeroed`.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) };
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {} x {:?})", self.element, self.rows, self.row_shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_back_to_back_and_the_first_is_aligned() {
        let mut tensor = Tensor::zeroed(ElementType::Float32, 3, &[3, 5]).unwrap();
        let base = tensor.as_ptr() as usize;
        assert_eq!(base % ALIGNMENT, 0);
        for row in 0..3 {
            let values = tensor.row_of::<f32>(row).unwrap();
            assert_eq!(values.as_ptr() as usize, base + row * 60);
            assert!(values.iter().all(|&v| v == 0.0));
            values.fill(row as f32 + 1.0);
        }
        tensor.zero_from(2);
        let sums: Vec<f32> = (0..3).map(|row| tensor.row_as_f32(row).sum()).collect();
        assert_eq!(sums, [15.0, 30.0, 0.0]);
    }

    #[test]
    fn numbers_are_written_in_the_rows_own_type_or_refused() {
        for (element, numbers, held) in [
            (ElementType::Float32, [0.5, -2.0], true),
            (ElementType::Float64, [0.5, -2.0], true),
            (ElementType::Int64, [640.0, -480.0], true),
            (ElementType::Int32, [640.0, 0.5], false),
            (ElementType::Int32, [640.0, 3e9], false),
            (ElementType::Uint8, [255.0, 7.0], true),
            (ElementType::Uint8, [255.0, 256.0], false),
            (ElementType::Bool, [1.0, 0.0], true),
            (ElementType::Float32, [f64::NAN, 0.0], false),
        ] {
            let mut tensor = Tensor::zeroed(element, 2, &[2]).unwrap();
            assert_eq!(tensor.fill_row(1, &numbers), held, "{element} {numbers:?}");
            if held {
                let expected = numbers.map(|number| number as f32);
                assert!(tensor.row_as_f32(1).eq(expected), "{element}");
                assert!(tensor.row_as_f32(0).eq([0.0, 0.0]), "{element}");
            }
        }
    }

    #[test]
    fn a_row_is_shown_in_its_own_type_only() {
        let mut tensor = Tensor::zeroed(ElementType::Uint8, 1, &[4]).unwrap();
        assert!(tensor.row::<f32>(0).is_none());
        assert!(tensor.row_of::<F16>(0).is_none());
        assert_eq!(tensor.row::<u8>(0), Some(&[0; 4][..]));
    }

    #[test]
    fn bytes_are_those_of_the_elements() {
        let mut tensor = Tensor::zeroed(ElementType::Float32, 2, &[2]).unwrap();
        assert_eq!(tensor.row_bytes_mut(1).len(), 8);
        tensor.row_bytes_mut(1)[4..].copy_from_slice(&1.5_f32.to_ne_bytes());
        assert_eq!(tensor.row::<f32>(1), Some(&[0.0, 1.5][..]));
        assert_eq!(tensor.row::<f32>(0), Some(&[0.0, 0.0][..]));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(Tensor::zeroed(ElementType::Float32, 1, &[0, 3]).is_none());
        assert!(Tensor::zeroed(ElementType::Float32, usize::MAX, &[3]).is_none());
    }

    #[test]
    fn half_floats_are_read_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0xFC00, f32::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(F16(bits).to_f32(), value, "{bits:#06x}");
        }
        assert!(F16(0x7E00).to_f32().is_nan());
        let mut tensor = Tensor::zeroed(ElementType::Float16, 1, &[2]).unwrap();
        tensor.row_of::<F16>(0).unwrap().copy_from_slice(&[F16(0x3C00), F16(0xC000)]);
        assert_eq!(tensor.row_as_f32(0).collect::<Vec<_>>(), [1.0, -2.0]);
    }
}
