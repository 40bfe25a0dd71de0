//! A session's tensors, in memory of our own that is bound once: fill rows, run, read rows.
//!
//! Each batch size has its own set of `OrtValue`s over the same memory, made beforehand, so that a
//! run of any size allocates nothing on our side. ONNX Runtime itself does, inside `Run`.
//!
//! On a provider with memory of its own each size also has an `OrtIoBinding`: inputs are copied into
//! that memory once a run, outputs come straight into ours, and nothing else crosses over.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::fmt;
use std::ptr;
use std::sync::Arc;

use ort_sys::{OrtIoBinding, OrtValue};

use super::runtime::Runtime;
use super::session::{Dim, Session, TensorInfo, from_onnx, to_onnx};
use super::terminate::{RunFlag, Terminator};
use crate::batch::{ElementType, Tensor};
use crate::error::{Error, Result};

/// Bytes of a tensor: more is a slip of the pen, or meant to take the machine down.
const MOST_BYTES: usize = 1 << 32;
/// What pictures are prepared as.
const PREPARED: [ElementType; 3] = [ElementType::Float32, ElementType::Float16, ElementType::Uint8];

/// Input and output tensors of one session, for one worker.
pub struct Bound {
    session: Arc<Session>,
    inputs: Vec<Tensor>,
    /// Of each input, whether it holds numbers that are never changed.
    constant: Vec<bool>,
    outputs: Vec<Tensor>,
    /// By batch size - 1; of a model with a fixed batch, only that one.
    batches: Vec<Values>,
    input_names: Names,
    output_names: Names,
    max_batch: usize,
    /// The batch size that the model insists on.
    fixed: Option<usize>,
    run: Arc<RunFlag>,
}

/// What came out of one run: `rows` rows of each output.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    tensors: &'a [Tensor],
    rows: usize,
}

impl<'a> Outputs<'a> {
    /// Rows that were asked for; further ones of the tensors hold padding.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// An output by its index in the session's list.
    ///
    /// # Panics
    /// When there is no such output.
    pub fn tensor(&self, index: usize) -> &'a Tensor {
        &self.tensors[index]
    }

    /// All outputs, in the session's order.
    pub fn tensors(&self) -> &'a [Tensor] {
        self.tensors
    }

    /// Views of tensors that did not come from a session, for tests of heads.
    pub fn of(tensors: &'a [Tensor], rows: usize) -> Self {
        Self { tensors, rows }
    }
}

/// Names of inputs or outputs as `Run` wants them.
struct Names {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Names {
    fn new(tensors: &[TensorInfo]) -> Self {
        // They came from C strings, so there is no NUL inside.
        let owned: Vec<_> =
            tensors.iter().map(|t| CString::new(t.name.as_str()).unwrap_or_default()).collect();
        let pointers = owned.iter().map(|name| name.as_ptr()).collect();
        Self { _owned: owned, pointers }
    }
}

/// `OrtValue`s over the first rows of our tensors.
struct Values {
    runtime: Arc<Runtime>,
    inputs: Vec<*mut OrtValue>,
    outputs: Vec<*mut OrtValue>,
    /// NULL where a plain run does.
    binding: *mut OrtIoBinding,
}

impl Values {
    /// With an `OrtValue` over the first `rows` rows of each input, and no output yet.
    fn over(session: &Session, inputs: &[Tensor], rows: usize) -> Result<Self> {
        let runtime = Arc::clone(&session.runtime);
        let (inputs_of, binding) = (inputs, ptr::null_mut());
        let mut values = Self { runtime, inputs: Vec::new(), outputs: Vec::new(), binding };
        for tensor in inputs_of {
            values.inputs.push(value_over(session, tensor, rows)?);
        }
        Ok(values)
    }

    /// Binds the outputs once and for all; the inputs are bound, that is copied, at each run.
    fn bind(&mut self, session: &Session, names: &Names) -> std::result::Result<(), String> {
        let (runtime, api) = (&self.runtime, self.runtime.api);
        // SAFETY: a valid session, a writable out pointer, terminated names and values that live as
        // long as the binding.
        unsafe {
            runtime.check((api.CreateIoBinding)(session.raw, &raw mut self.binding))?;
            for (&name, &value) in names.pointers.iter().zip(&self.outputs) {
                runtime.check((api.BindOutput)(self.binding, name, value))?;
            }
        }
        Ok(())
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        if !self.binding.is_null() {
            // SAFETY: created by CreateIoBinding, released once, before the values bound to it.
            unsafe { (self.runtime.api.ReleaseIoBinding)(self.binding) };
        }
        for &value in self.inputs.iter().chain(&self.outputs) {
            // SAFETY: NULL is allowed; otherwise made by ONNX Runtime for us, released once. The
            // memory that it may point to is not freed with it.
            unsafe { (self.runtime.api.ReleaseValue)(value) };
        }
    }
}

// SAFETY: the raw pointers are owned by this value alone, point to objects that ONNX Runtime allows
// to be used from any thread, and are used under `&mut self` only; tensors and the rest are Send.
unsafe impl Send for Bound {}

impl Bound {
    /// Tensors for up to `max_batch` rows; a model whose batch is fixed gets its own number, padded
    /// with zeros. `sizes` gives free dimensions beyond the first their value, by symbol: height
    /// and width of a model that takes any.
    ///
    /// Runs the model on zeros, to learn the shapes of its outputs.
    ///
    /// # Errors
    /// [`Error::Model`], with its inputs and outputs, when a free dimension has no size, a type is
    /// not handled, or the rows of an output cannot be told apart.
    pub fn new(session: Arc<Session>, max_batch: usize, sizes: &[(&str, usize)]) -> Result<Self> {
        Self::holding(session, max_batch, sizes, &[])
    }

    /// As [`new`](Self::new), with the numbers that each row of further inputs holds for good, by the
    /// inputs' indexes.
    ///
    /// # Errors
    /// As there, and for numbers that are too many or too few, or that the input cannot hold.
    pub fn holding(
        session: Arc<Session>,
        max_batch: usize,
        sizes: &[(&str, usize)],
        numbers: &[(usize, &[f64])],
    ) -> Result<Self> {
        if max_batch == 0 {
            return Err(Error::invalid("batch", "0 rows; allowed: 1 and more"));
        }
        let shapes = session
            .inputs()
            .iter()
            .map(|input| row_shape(&session, input, sizes))
            .collect::<Result<Vec<_>>>()?;
        if shapes.is_empty() {
            return Err(session.refuse("it has no inputs"));
        }
        // One whose batch is free goes along with one whose is not.
        let mut fixed = shapes.iter().filter_map(|(batch, _)| *batch);
        let first = fixed.next();
        if fixed.any(|batch| Some(batch) != first) {
            return Err(session.refuse("its inputs disagree about the batch"));
        }
        let rows = first.unwrap_or(max_batch);
        // Before a run writes so much: nothing ends it meanwhile.
        for info in session.outputs() {
            let row = info.dims.iter().skip(1).map(|dim| match dim {
                Dim::Fixed(side) => *side,
                Dim::Free(_) => 1,
            });
            let element = info.element.unwrap_or(ElementType::Uint8);
            fits(&session, info, element, rows, &row.collect::<Vec<_>>())?;
        }
        let mut inputs = Vec::new();
        let mut constant = Vec::new();
        for (index, (info, (_, shape))) in session.inputs().iter().zip(&shapes).enumerate() {
            let held = numbers.iter().find(|(input, _)| *input == index);
            inputs.push(match held {
                Some((_, numbers)) => filled(&session, info, rows, shape, numbers)?,
                None => prepared(&session, info, rows, shape)?,
            });
            constant.push(held.is_some());
        }

        let run = Arc::new(RunFlag::new(&session.runtime)?);
        let mut bound = Self {
            input_names: Names::new(session.inputs()),
            output_names: Names::new(session.outputs()),
            session,
            inputs,
            constant,
            outputs: Vec::new(),
            batches: Vec::new(),
            max_batch: max_batch.min(rows),
            fixed: first,
            run,
        };
        bound.bind(rows)?;
        Ok(bound)
    }

    /// The session that is run.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The most rows of one run.
    pub fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// The batch size that the model insists on, if it does: each run costs that many rows.
    pub fn fixed_batch(&self) -> Option<usize> {
        self.fixed
    }

    /// An input's memory: the same for the life of `self`.
    ///
    /// # Panics
    /// When there is no such input.
    pub fn input(&mut self, index: usize) -> &mut Tensor {
        &mut self.inputs[index]
    }

    /// An output as the last run left it.
    ///
    /// # Panics
    /// When there is no such output.
    pub fn output(&self, index: usize) -> &Tensor {
        &self.outputs[index]
    }

    /// The bytes of one row of an input, to be filled.
    ///
    /// # Panics
    /// When there is no such input or row.
    pub fn row_bytes_mut(&mut self, input: usize, row: usize) -> &mut [u8] {
        self.inputs[input].row_bytes_mut(row)
    }

    /// The arm of a watchdog.
    pub fn terminator(&self) -> Terminator {
        Terminator::of(&self.run)
    }

    /// Runs the first `rows` rows of the inputs (1 to [`max_batch`](Self::max_batch)); no
    /// allocation on our side.
    ///
    /// # Errors
    /// [`Error::Model`] with ONNX Runtime's words, also for a run that was ended; [`Error::Invalid`]
    /// for another number of rows.
    pub fn run(&mut self, rows: usize) -> Result<Outputs<'_>> {
        if rows == 0 || rows > self.max_batch {
            let allowed = format!("{rows} rows; allowed: 1 to {}", self.max_batch);
            return Err(Error::invalid("batch", allowed));
        }
        let values = match self.fixed {
            None => &mut self.batches[rows - 1],
            Some(_) => {
                // Rows of the run before must not be seen by a model that mixes rows.
                let inputs = self.inputs.iter_mut().zip(&self.constant);
                inputs.filter(|(_, constant)| !**constant).for_each(|(t, _)| t.zero_from(rows));
                &mut self.batches[0]
            }
        };
        self.run.begin();
        let ran = run(&self.session, &self.run, &self.input_names, &self.output_names, values);
        self.run.end();
        ran.map_err(|problem| self.session.error(format!("the run failed: {problem}")))?;
        Ok(Outputs { tensors: &self.outputs, rows })
    }

    /// As [`run`](Self::run), but ended after the session's `dry_run_limit`: for the first runs on
    /// anything but zeros.
    ///
    /// # Errors
    /// As there.
    pub fn try_run(&mut self, rows: usize) -> Result<Outputs<'_>> {
        let (flag, limit) = (Arc::clone(&self.run), self.session.options().dry_run_limit);
        let (ran, ended) = flag.within(limit, || self.run(rows).map(drop));
        if ended {
            let problem = format!("a test run had not ended after {limit:?} and was ended");
            return Err(self.session.refuse(problem));
        }
        ran?;
        Ok(Outputs { tensors: &self.outputs, rows })
    }

    /// Learns the outputs' shapes from runs on zeros, then binds every batch size.
    fn bind(&mut self, rows: usize) -> Result<()> {
        let shapes = self.dry_run(rows)?;
        if rows > 1 && self.fixed.is_none() {
            let single = self.dry_run(1)?;
            if let Some(index) = (0..shapes.len()).find(|&i| shapes[i] != single[i]) {
                return Err(self.session.refuse(format!(
                    "a row of output {} is {:?} alone and {:?} in a batch of {rows}",
                    self.session.outputs()[index].name,
                    single[index],
                    shapes[index]
                )));
            }
        }
        for (info, shape) in self.session.outputs().iter().zip(&shapes) {
            self.outputs.push(tensor(&self.session, info, rows, shape)?);
        }
        let sizes = if self.fixed.is_some() { rows..=rows } else { 1..=rows };
        for size in sizes {
            let mut values = Values::over(&self.session, &self.inputs, size)?;
            for tensor in &self.outputs {
                values.outputs.push(value_over(&self.session, tensor, size)?);
            }
            let own_memory = self.session.has_own_memory();
            if self.session.options().io_binding.unwrap_or(own_memory) {
                values
                    .bind(&self.session, &self.output_names)
                    .map_err(|problem| self.session.refuse(format!("binding: {problem}")))?;
            }
            self.batches.push(values);
        }
        Ok(())
    }

    /// Runs `rows` rows of zeros into tensors of ONNX Runtime's own; the shape of one row of each.
    fn dry_run(&self, rows: usize) -> Result<Vec<Vec<usize>>> {
        let (session, runtime) = (&self.session, &self.session.runtime);
        let mut values = Values::over(session, &self.inputs, rows)?;
        values.outputs = vec![ptr::null_mut(); session.outputs().len()];
        let limit = session.options().dry_run_limit;
        let (ran, ended) = self.run.within(limit, || {
            run(session, &self.run, &self.input_names, &self.output_names, &mut values)
        });
        if ended {
            let problem = format!("a run on zeros had not ended after {limit:?} and was ended");
            return Err(session.refuse(problem));
        }
        ran.map_err(|problem| session.refuse(format!("a run on zeros failed: {problem}")))?;
        let outputs = session.outputs().iter().zip(&values.outputs);
        let row_shape = |(info, &value): (&TensorInfo, &*mut OrtValue)| {
            let shape = shape_of(runtime, value, info)
                .map_err(|problem| session.refuse(format!("output {}: {problem}", info.name)))?;
            match shape.split_first() {
                Some((&first, row)) if first == rows && !length_varies(info, row) => {
                    Ok(row.to_vec())
                }
                Some((&first, _)) if first == rows => Err(session.refuse(format!(
                    "output {} is {shape:?} for a picture of zeros: it seems to be as long as what \
                     is found, and a length that never changes is expected (exporters call it \
                     top_k, max_det or detections per image, and pad)",
                    info.name
                ))),
                _ => Err(session.refuse(format!(
                    "output {} is {shape:?} for a batch of {rows}, so that its rows cannot be told \
                     apart: the batch is expected first, then a length that never changes",
                    info.name
                ))),
            }
        };
        outputs.map(row_shape).collect()
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        write!(f, "Bound({:?}, {inputs:?} -> {outputs:?})", self.session)
    }
}

/// One `Run`; the values' outputs are filled, or allocated where they are NULL.
fn run(
    session: &Session,
    flag: &RunFlag,
    input_names: &Names,
    output_names: &Names,
    values: &mut Values,
) -> std::result::Result<(), String> {
    let (runtime, api) = (&session.runtime, session.runtime.api);
    if !values.binding.is_null() {
        // SAFETY: session, run options and binding are valid; names are terminated; the values
        // outlive the binding. Binding an input copies it into the provider's memory; after the
        // last call the outputs are complete in ours, which nobody else looks at meanwhile.
        unsafe {
            for (&name, &value) in input_names.pointers.iter().zip(&values.inputs) {
                runtime.check((api.BindInput)(values.binding, name, value))?;
            }
            runtime.check((api.SynchronizeBoundInputs)(values.binding))?;
            runtime.check((api.RunWithBinding)(session.raw, flag.raw, values.binding))?;
            return runtime.check((api.SynchronizeBoundOutputs)(values.binding));
        }
    }
    // SAFETY: names and values come in equal numbers and outlive the call; the memory behind the
    // values belongs to the `Bound` that the caller holds mutably, so nobody else looks at it.
    let status = unsafe {
        (api.Run)(
            session.raw,
            flag.raw,
            input_names.pointers.as_ptr(),
            values.inputs.as_ptr().cast(),
            values.inputs.len(),
            output_names.pointers.as_ptr(),
            values.outputs.len(),
            values.outputs.as_mut_ptr(),
        )
    };
    runtime.check(status)
}

/// Whether a row has no element in a dimension that the model leaves free: nothing was found.
fn length_varies(info: &TensorInfo, row: &[usize]) -> bool {
    let dims = info.dims.iter().skip(1).zip(row);
    dims.into_iter().any(|(dim, side)| matches!(dim, Dim::Free(_)) && *side == 0)
}

/// Batch (`None` when it is free) and shape of one row of an input.
fn row_shape(
    session: &Session,
    input: &TensorInfo,
    sizes: &[(&str, usize)],
) -> Result<(Option<usize>, Vec<usize>)> {
    let Some((batch, row)) = input.dims.split_first() else {
        return Err(session.refuse(format!("input {} has no dimension for a batch", input.name)));
    };
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => Ok(*size),
        Dim::Free(symbol) => {
            let known = sizes.iter().find(|(name, _)| name == symbol).map(|(_, size)| *size);
            known.ok_or_else(|| session.refuse(format!("dimension {symbol} is free: set the size")))
        }
    };
    let row = row.iter().map(size).collect::<Result<_>>()?;
    let batch = match batch {
        Dim::Fixed(size) => Some(*size),
        Dim::Free(_) => None,
    };
    Ok((batch, row))
}

/// Memory for an input that pictures are prepared for.
fn prepared(session: &Session, info: &TensorInfo, rows: usize, row: &[usize]) -> Result<Tensor> {
    match info.element {
        Some(element) if !PREPARED.contains(&element) => Err(session.refuse(format!(
            "input {} is {element}; float32, float16 and uint8 can be prepared",
            info.name
        ))),
        _ => tensor(session, info, rows, row),
    }
}

/// Memory for an input whose rows all hold these numbers.
fn filled(
    session: &Session,
    info: &TensorInfo,
    rows: usize,
    row: &[usize],
    numbers: &[f64],
) -> Result<Tensor> {
    let mut tensor = tensor(session, info, rows, row)?;
    let wanted = tensor.row_elements();
    if numbers.len() != wanted {
        let given = numbers.len();
        return Err(session.refuse(format!(
            "{given} numbers for input {}, a row of which has {wanted}",
            info.name
        )));
    }
    for at in 0..rows {
        if !tensor.fill_row(at, numbers) {
            return Err(session.refuse(format!(
                "input {} cannot hold {numbers:?}, which are the same for every part",
                info.name
            )));
        }
    }
    Ok(tensor)
}

/// Memory for an input or output.
fn tensor(session: &Session, info: &TensorInfo, rows: usize, row: &[usize]) -> Result<Tensor> {
    let element = info.element.ok_or_else(|| {
        session.refuse(format!("{} has an element type that is not handled", info.name))
    })?;
    fits(session, info, element, rows, row)?;
    Tensor::zeroed(element, rows, row)
        .ok_or_else(|| session.refuse(format!("{} cannot be {rows} x {row:?}", info.name)))
}

/// Refuses what is too large to be meant.
fn fits(
    session: &Session,
    info: &TensorInfo,
    element: ElementType,
    rows: usize,
    row: &[usize],
) -> Result<()> {
    let sides = [rows].into_iter().chain(row.iter().copied());
    let bytes = sides.fold(element.bytes(), usize::saturating_mul);
    if bytes > MOST_BYTES {
        return Err(session.refuse(format!(
            "{} of {rows} x {row:?} would take {} GiB; up to {} are handled",
            info.name,
            bytes >> 30,
            MOST_BYTES >> 30
        )));
    }
    Ok(())
}

/// An `OrtValue` over the first `rows` rows of our memory.
fn value_over(session: &Session, tensor: &Tensor, rows: usize) -> Result<*mut OrtValue> {
    let runtime = &session.runtime;
    let shape: Vec<i64> = [rows].iter().chain(tensor.row_shape()).map(|&dim| dim as i64).collect();
    let bytes = rows * tensor.row_elements() * tensor.element().bytes();
    let mut value = ptr::null_mut();
    // SAFETY: the memory has room for `rows` rows and outlives the value: both live in one `Bound`,
    // whose tensors never move their memory. The shape is copied.
    let status = unsafe {
        (runtime.api.CreateTensorWithDataAsOrtValue)(
            runtime.cpu_memory,
            tensor.as_ptr().cast(),
            bytes,
            shape.as_ptr(),
            shape.len(),
            to_onnx(tensor.element()),
            &raw mut value,
        )
    };
    runtime.check(status).map_err(|problem| session.refuse(problem))?;
    Ok(value)
}

/// Shape of what ONNX Runtime allocated; fails when it is no tensor of the declared type.
fn shape_of(
    runtime: &Runtime,
    value: *mut OrtValue,
    info: &TensorInfo,
) -> std::result::Result<Vec<usize>, String> {
    let api = runtime.api;
    let (mut is_tensor, mut element, mut rank) = (0, 0_i32, 0);
    let mut raw = ptr::null_mut();
    // SAFETY: a value that a run has returned, and writable out pointers; the shape is released
    // after its last use.
    unsafe {
        runtime.check((api.IsTensor)(value, &raw mut is_tensor))?;
        if is_tensor == 0 {
            return Err("is not a tensor".to_owned());
        }
        runtime.check((api.GetTensorTypeAndShape)(value, &raw mut raw))?;
        let mut read = || {
            runtime.check((api.GetTensorElementType)(raw, (&raw mut element).cast()))?;
            runtime.check((api.GetDimensionsCount)(raw, &raw mut rank))?;
            let mut dims = vec![0_i64; rank];
            runtime.check((api.GetDimensions)(raw, dims.as_mut_ptr(), rank))?;
            Ok::<_, String>(dims)
        };
        let dims = read();
        (api.ReleaseTensorTypeAndShapeInfo)(raw);
        if from_onnx(element) != info.element {
            return Err("has another type than the model declares".to_owned());
        }
        Ok(dims?.into_iter().map(|dim| usize::try_from(dim).unwrap_or(0)).collect())
    }
}
