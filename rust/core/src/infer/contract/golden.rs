//! Contracts of comparing with a golden part: with a model that looks at windows, or without one.

use super::{Class, Contract, Layout, Means, PrepareHint};
use crate::batch::ElementType;
use crate::error::Result;
use crate::infer::{Dim, ModelFile, Session, TensorInfo};

/// The class of a part with more differences than are looked at.
pub(crate) const TOO_MANY: &str = "too many";

impl Contract {
    /// Of a model that looks at windows of `side` pixels: part, template and mask as float32
    /// [N, 3, side, side], to a score [N] and perhaps scores of classes [N, classes]. One class is
    /// that of a part with too many windows.
    ///
    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model), with its inputs and outputs, for any other.
    pub fn of_windows(
        session: &Session,
        side: usize,
        names: Option<Vec<String>>,
        width: usize,
        height: usize,
    ) -> Result<Self> {
        let is_free = |dim: &Dim| matches!(dim, Dim::Free(_));
        let fits = |input: &TensorInfo| match &input.dims[..] {
            [batch, rest @ ..] => is_free(batch) && *rest == [3, side, side].map(Dim::Fixed),
            [] => false,
        };
        let input = match session.inputs() {
            [input] if input.element == Some(ElementType::Float32) && fits(input) => input,
            _ => {
                return Err(session.refuse(format!(
                    "with [model.golden] one input float32[N, 3, {side}, {side}] is expected: part, \
                     template and mask of a window"
                )));
            }
        };
        let outputs = session.outputs();
        let rank = |rank: usize| outputs.iter().position(|output| output.dims.len() == rank);
        let score = rank(1).ok_or_else(|| {
            session.refuse("with [model.golden] an output [N] with a score is expected")
        })?;
        let classes = rank(2);
        let count = match classes.map(|output| &outputs[output].dims[1]) {
            Some(Dim::Fixed(count)) => *count,
            Some(Dim::Free(_)) => {
                return Err(session.refuse("how many classes there are does not show"));
            }
            None => 1,
        };
        let names = names.unwrap_or_else(|| match classes {
            Some(_) => (0..count).map(|index| format!("class{index}")).collect(),
            None => vec!["difference".to_owned()],
        });
        if names.len() != count {
            let problem = format!("{} class names for {count} scores", names.len());
            return Err(session.refuse(problem));
        }
        let means = Means::Golden { score: Some(score), classes };
        let (input, outputs) = (input.clone(), outputs.to_vec());
        Ok(Self::golden(session.file().clone(), input, outputs, means, names, [width, height]))
    }

    /// Without a model: every difference is of one class, or of the only one that is named.
    ///
    /// # Errors
    /// What is wrong with the names.
    pub fn of_differences(
        file: ModelFile,
        names: Option<Vec<String>>,
        width: usize,
        height: usize,
    ) -> std::result::Result<Self, String> {
        let names = names.unwrap_or_else(|| vec!["difference".to_owned()]);
        if names.len() != 1 {
            let names = names.join(", ");
            return Err(format!("{names}: without a model there is one class of differences"));
        }
        let dims = [height, width].map(Dim::Fixed).to_vec();
        let element = Some(ElementType::Uint8);
        let input = TensorInfo { name: "part".into(), element, dims };
        let means = Means::Golden { score: None, classes: None };
        Ok(Self::golden(file, input, Vec::new(), means, names, [width, height]))
    }

    fn golden(
        model: ModelFile,
        input: TensorInfo,
        outputs: Vec<TensorInfo>,
        means: Means,
        mut names: Vec<String>,
        [width, height]: [usize; 2],
    ) -> Self {
        if !names.iter().any(|name| name == TOO_MANY) {
            names.push(TOO_MANY.to_owned());
        }
        Self {
            model,
            input,
            input_index: 0,
            references: Vec::new(),
            numbers: Vec::new(),
            layout: Layout::Nchw,
            channels: 1,
            width,
            height,
            fixed_batch: None,
            prepare: PrepareHint::default(),
            outputs,
            means,
            means_from: "the recipe's [model.golden]".to_owned(),
            classes: names.into_iter().map(|name| Class { name, good: false }).collect(),
            good_from: "every difference is a defect".to_owned(),
        }
    }
}
