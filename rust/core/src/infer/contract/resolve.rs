//! How a contract is found; see the module above for the order.

use std::sync::Arc;

use super::metadata::{Exported, Written};
use super::metadata::{METADATA_KEY, WrittenOutput, exported, written};
use super::recognise::Clues;
use super::{Class, Contract, Form, Image, Layout, Means, Pictures, Wishes};
use crate::error::Result;
use crate::infer::{Bound, Dim, Session, TensorInfo};

/// Class names that mean "nothing wrong" unless the recipe says otherwise.
const GOOD_NAMES: [&str; 3] = ["good", "ok", "pass"];
/// The class that means "nothing there".
const BACKGROUND: &str = "background";
/// Names of inputs that hold what a part is compared with.
const REFERENCE_NAMES: [&str; 4] = ["reference", "template", "golden", "ref"];

impl Contract {
    /// Finds out what `session`'s model is; runs it on a few pictures when nothing says what its
    /// scores are.
    ///
    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model), with its inputs and outputs, for what cannot
    /// be found out and for wishes that contradict the model.
    pub fn resolve(session: &Arc<Session>, wishes: &Wishes) -> Result<Self> {
        let written = written(session)?;
        let exported = exported(session);
        let Inputs { picture: input_index, references, numbers } = inputs(session, wishes)?;
        let image = image(session, wishes, written.as_ref(), &exported, input_index)?;
        let sizes = image.sizes(session.inputs());
        let sizes: Vec<_> = sizes.iter().map(|(symbol, size)| (symbol.as_str(), *size)).collect();
        let held: Vec<_> = numbers.iter().map(|(index, _, row)| (*index, &**row)).collect();
        let mut bound = Bound::holding(Arc::clone(session), 1, &sizes, &held)?;
        let picture = bound.input(input_index).row_shape().to_vec();
        for (index, name) in &references {
            if bound.input(*index).row_shape() != picture {
                let problem = format!("input {name} has another shape than the picture's");
                return Err(session.refuse(problem));
            }
        }
        let clues = Clues {
            session,
            wishes,
            written: written.as_ref(),
            exported: &exported,
            input: input_index,
            image: &image,
        };
        let found = clues.recognise(&mut bound)?;
        let said = written.as_ref().map(|written| &written.output);
        let (classes, good_from) =
            classes(session, wishes, said, &exported, &found.means, found.classes)?;
        Ok(Self {
            model: session.file().clone(),
            input: session.inputs()[input_index].clone(),
            input_index,
            references,
            numbers,
            layout: image.layout,
            channels: image.channels,
            width: image.width,
            height: image.height,
            fixed_batch: bound.fixed_batch(),
            prepare: written.map(|written| written.input.prepare).unwrap_or_default(),
            outputs: session.outputs().to_vec(),
            means: found.means,
            means_from: found.from,
            classes,
            good_from,
        })
    }
}

impl Pictures {
    /// Of the first input that takes pictures. `size` (width, height) is for models that take any.
    ///
    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model), with its inputs and outputs, for a model without
    /// such an input, or whose size neither it nor `size` says.
    pub fn of(session: &Session, size: Option<[usize; 2]>) -> Result<Self> {
        let (written, exported) = (written(session)?, exported(session));
        let index = session.inputs().iter().position(|input| input.dims.len() == 4).unwrap_or(0);
        let Some(input) = session.inputs().get(index) else {
            return Err(session.refuse("an input of four dimensions is expected"));
        };
        let wishes = Wishes { size, ..Wishes::default() };
        let image = image(session, &wishes, written.as_ref(), &exported, index)?;
        let by_ultralytics = session.file().metadata.contains_key("stride");
        Ok(Self {
            input: input.clone(),
            layout: image.layout,
            channels: image.channels,
            width: image.width,
            height: image.height,
            prepare: written.map(|written| written.input.prepare),
            task: exported.task.filter(|_| by_ultralytics),
        })
    }
}

/// The input that takes pictures, and those that hold the same for every part.
struct Inputs {
    picture: usize,
    references: Vec<(usize, String)>,
    numbers: Vec<(usize, String, Vec<f64>)>,
}

fn inputs(session: &Session, wishes: &Wishes) -> Result<Inputs> {
    let inputs = session.inputs();
    let said = wishes.references.iter().chain(wishes.numbers.iter().map(|(name, _)| name));
    for name in said.chain(&wishes.overrides.input) {
        if !inputs.iter().any(|input| input.name == *name) {
            return Err(session.refuse(format!("the recipe names input {name}, which it has not")));
        }
    }
    let same = |name: &String| match &wishes.overrides.input {
        Some(picture) => name != picture,
        None => wishes.references.contains(name),
    };
    let mut numbers = Vec::new();
    let mut others = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        match wishes.numbers.iter().find(|(name, _)| *name == input.name) {
            Some((name, row)) => numbers.push((index, name.clone(), row.clone())),
            None => others.push((index, input)),
        }
    }
    let (references, pictures): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(_, input)| same(&input.name));
    let references: Vec<_> =
        references.into_iter().map(|(index, input)| (index, input.name.clone())).collect();
    if let Some((_, name)) = references.iter().find(|(_, name)| !wishes.references.contains(name)) {
        return Err(session.refuse(format!("input {name} needs a file: set `inputs.{name}`")));
    }
    match pictures[..] {
        [(picture, _)] => Ok(Inputs { picture, references, numbers }),
        [] => Err(session.refuse("one input is expected that takes the camera's picture")),
        _ => {
            let no_picture = |info: &TensorInfo| info.dims.len() != 4;
            if let Some((_, other)) = pictures.iter().find(|(_, input)| no_picture(input)) {
                let row = match &other.dims[..] {
                    [_, Dim::Fixed(count)] if *count < 8 => vec!["1"; *count].join(", "),
                    _ => "...".to_owned(),
                };
                return Err(session.refuse(format!(
                    "input {0} takes no picture: give it the numbers that are the same for every \
                     part, as `inputs = {{ {0} = [{row}] }}`; of detectors that scale their boxes \
                     by it, those that leave them in the input's pixels (its width and height, or \
                     factors of 1)",
                    other.name
                )));
            }
            let says = |name: &str| REFERENCE_NAMES.contains(&name.to_lowercase().as_str());
            let likely = pictures.iter().find(|(_, input)| says(&input.name));
            let name = likely.map_or("NAME", |(_, input)| &input.name);
            Err(session.refuse(format!(
                "one input is expected that takes the camera's picture; give every other a file \
                 that is the same for every part, as `inputs = {{ {name} = \"...png\" }}`"
            )))
        }
    }
}

fn image(
    session: &Session,
    wishes: &Wishes,
    written: Option<&Written>,
    exported: &Exported,
    index: usize,
) -> Result<Image> {
    let input = &session.inputs()[index];
    let [_, first, second, third] = &input.dims[..] else {
        return Err(session.refuse(
            "an input of four dimensions is expected, [batch, channels, rows, columns] or [batch, \
             rows, columns, channels]: pictures are what is judged here",
        ));
    };
    let channels = |dim: &Dim| match dim {
        Dim::Fixed(channels @ (1 | 3)) => Some(*channels),
        _ => None,
    };
    let said = wishes.overrides.layout.or(written.and_then(|written| written.input.layout));
    let (layout, channels, rows, columns) = match (said, channels(first), channels(third)) {
        (Some(Layout::Nchw) | None, Some(channels), None)
        | (Some(Layout::Nchw), Some(channels), Some(_)) => (Layout::Nchw, channels, second, third),
        (Some(Layout::Nhwc) | None, None, Some(channels))
        | (Some(Layout::Nhwc), Some(_), Some(channels)) => (Layout::Nhwc, channels, first, second),
        _ => {
            return Err(session.refuse(
                "1 or 3 channels are expected as the second or the last dimension of the input",
            ));
        }
    };
    let wanted = wishes.size.or_else(|| written.and_then(|written| written.input.size));
    let wanted = wanted.or(exported
        .size
        .map(|[height, width]| [width, height])
        .filter(|_| matches!((rows, columns), (Dim::Free(_), Dim::Free(_)))));
    let side =
        |dim: &Dim, wanted: Option<usize>| match (dim, wanted) {
            (Dim::Fixed(size), None) => Ok(*size),
            (Dim::Fixed(size), Some(wanted)) if *size == wanted => Ok(*size),
            (Dim::Fixed(size), Some(wanted)) => Err(session
                .refuse(format!("a side of {wanted} pixels is asked for, and it takes {size}"))),
            (Dim::Free(_), Some(wanted)) if wanted > 0 => Ok(wanted),
            (Dim::Free(symbol), _) => {
                Err(session.refuse(format!("{symbol} is free: set `size = [width, height]`")))
            }
        };
    let width = side(columns, wanted.map(|size| size[0]))?;
    let height = side(rows, wanted.map(|size| size[1]))?;
    Ok(Image { layout, channels, width, height })
}

fn classes(
    session: &Session,
    wishes: &Wishes,
    said: Option<&WrittenOutput>,
    exported: &Exported,
    means: &Means,
    count: Option<usize>,
) -> Result<(Vec<Class>, String)> {
    let given = wishes.classes.clone();
    let written = || said.and_then(|output| output.classes.clone());
    let names = given.or_else(written).or_else(|| exported.names.clone());
    let named = names.is_some();
    let queries = matches!(means, Means::Boxes { form: Form::Queries { .. }, .. });
    let mut names = match (names, count) {
        (Some(names), _) => names,
        (None, Some(1)) => vec![only_name(means).to_owned()],
        (None, Some(count)) => (0..count).map(|index| format!("class{index}")).collect(),
        (None, None) => {
            return Err(session.refuse("how many classes there are does not show: set `classes`"));
        }
    };
    let count = count.unwrap_or(names.len());
    // Exporters of queries leave the name of the last column, which is "nothing", out.
    if queries && names.len() + 1 == count {
        names.push(BACKGROUND.to_owned());
    }
    let list = names.join(", ");
    if names.len() != count {
        let named = names.len();
        return Err(session.refuse(format!("{named} class names ({list}) for {count} scores")));
    }
    if usize::from(u16::MAX) < count {
        return Err(session.refuse(format!("{count} classes; at most 65535 can be told apart")));
    }
    if let Some(name) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(session.refuse(format!("two classes are called {}", name.1)));
    }
    let known = |what: &str, chosen: &[String]| match chosen.iter().find(|c| !names.contains(c)) {
        Some(name) => Err(session.refuse(format!("{what} names {name}; the classes are {list}"))),
        None => Ok(()),
    };
    let nothing = |name: &str| {
        name == BACKGROUND && matches!(means, Means::Semantic { .. } | Means::Boxes { .. })
    };
    let defects = said.and_then(|output| output.defect_classes.as_ref());
    let (good, from): (Vec<bool>, _) = match (&wishes.good, defects) {
        (Some(good), _) => {
            known("`good`", good)?;
            let is_good = |name: &String| good.contains(name) || nothing(name);
            (names.iter().map(is_good).collect(), "the recipe".to_owned())
        }
        (None, Some(defects)) if wishes.classes.is_none() => {
            known("defect_classes", defects)?;
            let from = format!("metadata {METADATA_KEY}");
            (names.iter().map(|name| !defects.contains(name)).collect(), from)
        }
        _ => {
            let is_good =
                |name: &String| GOOD_NAMES.contains(&name.to_lowercase().as_str()) || nothing(name);
            let from = format!("the names {}", GOOD_NAMES.join(", "));
            (names.iter().map(is_good).collect(), from)
        }
    };
    let exclusive = match means {
        Means::Classifier { kind, .. } => kind.exclusive(),
        Means::Semantic { .. } => true,
        _ => false,
    };
    // Rules may reject for what is missing, where every class is one that belongs there.
    let all_good_is_wrong = matches!(means, Means::Classifier { .. });
    let defects = good.iter().filter(|good| !**good).count();
    if (defects == 0 && all_good_is_wrong) || (defects == count && exclusive) {
        let hint = if named { "" } else { "`classes = [...]` and " };
        let found = if defects == 0 { "every class is good" } else { "no class is good" };
        return Err(session.refuse(format!("{found} of {list}: set {hint}`good = [...]`")));
    }
    let classes = names.into_iter().zip(good).map(|(name, good)| Class { name, good }).collect();
    Ok((classes, from))
}

/// What the only class of a model is called that does not say so.
fn only_name(means: &Means) -> &'static str {
    match means {
        Means::Anomaly { .. } => "anomaly",
        Means::DefectMap { .. } => "defect",
        _ => "class0",
    }
}
