//! A recipe's golden part: loaded once, and one station for each worker that compares parts with it.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::config::Loaded;
use super::product::{self, Product};
use super::recipe::Model;
use crate::align::{self, Aligner, WINDOW, fill};
use crate::decide::{Candidate, Compared, Decision, Place, Scores, Sink};
use crate::error::{Error, Result};
use crate::infer::{
    Bound, Contract, ExternalFile, Means, ModelFile, Session, TOO_MANY, Terminator,
};
use crate::outcome::{ClassId, Reason, ViewVerdict};
use crate::prepare::{Color, Dtype, Fit, Flip, Layout, Plan, Resize, Spec};
use crate::source::photo::Photo;

/// What every worker compares with.
#[derive(Debug)]
pub(super) struct Golden {
    template: Arc<align::Golden>,
    care: Vec<u8>,
    tolerance: Option<Vec<u8>>,
    residual: f64,
    at_limit: f64,
    least_compared: f64,
    core_px: f32,
}

/// `spec` as comparing wants it: grey bytes.
pub(super) fn spec(said: &Spec) -> Spec {
    Spec { color: Color::Gray, dtype: Dtype::Uint8, layout: Layout::Nchw, ..said.clone() }
}

impl Golden {
    /// Reads the pictures that the recipe names, with the names and hashes of their files; or the key
    /// and what is wrong.
    pub(super) fn load(
        product: &Loaded<Product>,
        said: &product::Golden,
        spec: &Spec,
    ) -> std::result::Result<(Self, Vec<ExternalFile>), (&'static str, String)> {
        let size = spec.size.map(|side| side as usize);
        let mut files = Vec::new();
        let mut read = |key: &'static str, name: &str| {
            let name = name.replace("{product}", &product.value.product);
            let path = product.path(&name);
            let pixels = grey(&path, spec).map_err(|why| (key, why.to_string()))?;
            let sha256 = sha256(&path).map_err(|why| (key, why.to_string()))?;
            files.push(ExternalFile { location: name, sha256 });
            Ok(pixels)
        };
        let pixels = read("image", &said.image)?;
        let mut care = match &said.mask {
            Some(mask) => read("mask", mask)?,
            None => vec![u8::MAX; size[0] * size[1]],
        };
        let tolerance =
            said.tolerance_map.as_ref().map(|map| read("tolerance_map", map)).transpose()?;
        if !said.only.is_empty() {
            let mut only = vec![0; care.len()];
            said.only.iter().for_each(|polygon| fill(&mut only, size, polygon, u8::MAX));
            care.iter_mut().zip(only).for_each(|(care, only)| *care &= only);
        }
        said.ignore.iter().for_each(|polygon| fill(&mut care, size, polygon, 0));
        let template =
            align::Golden::new(&said.settings(), size, &pixels, Some(&care), tolerance.as_deref())
                .map_err(|why| ("image", why.to_string()))?;
        if template.cared_for() == 0.0 {
            return Err(("mask", "leaves nothing to compare".to_owned()));
        }
        let golden = Self {
            template: Arc::new(template),
            care,
            tolerance,
            residual: said.residual,
            at_limit: said.at_limit,
            least_compared: said.least_compared,
            core_px: said.core_px,
        };
        Ok((golden, files))
    }

    /// Whether a part lies where it cannot be compared, or is another product.
    fn misses(&self, fit: &align::Fit) -> bool {
        fit.residual > self.residual
            || fit.at_limit > self.at_limit
            || fit.compared < self.least_compared
    }

    /// What was understood: of the model that looks at windows, or of the golden picture alone.
    ///
    /// # Errors
    /// [`Error::Model`] for a model that is none of windows, [`Error::Invalid`] for wrong names.
    pub(super) fn contract(
        &self,
        session: Option<&Session>,
        names: &[String],
        image: &Path,
        files: Vec<ExternalFile>,
    ) -> Result<Contract> {
        let [width, height] = self.template.size();
        let names = (!names.is_empty()).then(|| names.to_vec());
        if let Some(session) = session {
            let mut contract = Contract::of_windows(session, WINDOW, names, width, height)?;
            contract.model.external.extend(files);
            return Ok(contract);
        }
        let mut files = files.into_iter();
        let file = ModelFile {
            path: image.to_owned(),
            sha256: files.next().map(|file| file.sha256).unwrap_or_default(),
            external: files.collect(),
            producer: String::new(),
            graph: String::new(),
            version: None,
            metadata: Default::default(),
        };
        Contract::of_differences(file, names, width, height)
            .map_err(|problem| Error::invalid("classes", problem))
    }
}

/// A picture's grey levels: as it is where it has the prepared size, else prepared as a camera's.
fn grey(path: &Path, spec: &Spec) -> Result<Vec<u8>> {
    let photo = Photo::read(path)?;
    let same = [photo.width, photo.height] == spec.size;
    let own = Spec {
        crop: None,
        turn: 0,
        flip: Flip::None,
        fit: Fit::Stretch,
        resize: Resize::Nearest,
        ..spec.clone()
    };
    let of = if same { &own } else { spec };
    let suits = |why: Error| Error::invalid(path.display().to_string(), why.to_string());
    let mut plan = Plan::new(of, photo.width, photo.height, photo.format).map_err(suits)?;
    let mut pixels = vec![0; plan.row_bytes()];
    let stride = photo.pixels.len() / (photo.height as usize).max(1);
    plan.run(&photo.pixels, stride, &mut pixels).map_err(suits)?;
    Ok(pixels)
}

fn sha256(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|why| Error::io(path, why))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One worker's means of comparing.
pub(super) struct Station {
    aligner: Aligner,
    /// The model that looks at windows: its tensors, and which outputs are its scores.
    windows: Option<(Bound, usize, Option<usize>)>,
    compared: Compared,
    /// Prepared parts, batch row after batch row.
    parts: Vec<u8>,
    candidates: Vec<Candidate>,
    too_many: ClassId,
}

impl Station {
    pub(super) fn new(
        model: &Model,
        golden: &Golden,
        session: Option<Arc<Session>>,
        batch: usize,
    ) -> Result<Self> {
        let most = golden.template.settings().most_windows;
        let windows = match (session, &model.contract.means) {
            (Some(session), Means::Golden { score: Some(score), classes }) => {
                let mut bound = Bound::new(session, most, &[])?;
                bound.run(1)?;
                Some((bound, *score, *classes))
            }
            _ => None,
        };
        let [width, height] = golden.template.size();
        Ok(Self {
            aligner: Aligner::new(Arc::clone(&golden.template))?,
            windows,
            compared: Compared::new(&model.judging),
            parts: vec![0; batch.max(1) * width * height],
            candidates: Vec::with_capacity(most),
            too_many: model.contract.class(TOO_MANY).unwrap_or_default() as ClassId,
        })
    }

    /// Where the grey levels of a row of the batch go.
    pub(super) fn part_mut(&mut self, row: usize) -> &mut [u8] {
        let [width, height] = self.aligner.golden().size();
        &mut self.parts[row * width * height..][..width * height]
    }

    /// How many rows it has room for.
    pub(super) fn rows(&self) -> usize {
        let [width, height] = self.aligner.golden().size();
        self.parts.len() / (width * height)
    }

    pub(super) fn bound(&self) -> Option<&Bound> {
        self.windows.as_ref().map(|(bound, ..)| bound)
    }

    pub(super) fn terminator(&self) -> Option<Terminator> {
        self.bound().map(Bound::terminator)
    }

    /// From now on the picture of this file is the golden one.
    ///
    /// # Errors
    /// What the file says.
    pub(super) fn refer(&mut self, golden: &Golden, path: &Path, spec: &Spec) -> Result<()> {
        let pixels = grey(path, spec)?;
        let template = self.aligner.golden();
        let (care, tolerance) = (Some(&golden.care[..]), golden.tolerance.as_deref());
        let (settings, size) = (template.settings(), template.size());
        let newer = align::Golden::new(settings, size, &pixels, care, tolerance)?;
        self.aligner.set_golden(Arc::new(newer));
        Ok(())
    }

    /// From now on the recipe's own picture is the golden one again.
    pub(super) fn restore(&mut self, golden: &Golden) {
        self.aligner.set_golden(Arc::clone(&golden.template));
    }

    /// Compares a row with the golden part and judges what differs; how it lies is said in either case.
    ///
    /// # Errors
    /// [`Error::Model`] for a run that fails.
    pub(super) fn judge(
        &mut self,
        model: &Model,
        golden: &Golden,
        row: usize,
        place: &Place,
        sink: &mut Sink<'_>,
    ) -> Result<(Decision, align::Fit)> {
        let [width, height] = self.aligner.golden().size();
        let part = &self.parts[row * width * height..][..width * height];
        let fit = self.aligner.compare(part)?;
        if golden.misses(&fit) {
            let verdict = ViewVerdict::Unjudged(Reason::Misaligned);
            return Ok((Decision { verdict, scores: Scores::default() }, fit));
        }
        self.candidates.clear();
        match &mut self.windows {
            None => {
                // Windows of one component follow each other.
                let windows = self.aligner.windows();
                for pieces in windows.chunk_by(|a, b| a.component == b.component) {
                    let component = &self.aligner.components()[pieces[0].component];
                    let corners = self.aligner.corners(pieces[0].component).map(|at| at as f32);
                    let core = component.core as f32;
                    let score = core / (core + golden.core_px);
                    let area = component.area as f32;
                    self.candidates.push(Candidate { class: 0, score, corners, area });
                }
            }
            Some((bound, score, classes)) => {
                let windows = self.aligner.windows();
                for number in 0..windows.len() {
                    if let Some(crop) = bound.input(0).row_of::<f32>(number) {
                        self.aligner.crop(number, part, crop);
                    }
                }
                if !windows.is_empty() {
                    let outputs = bound.run(windows.len())?;
                    for (number, window) in windows.iter().enumerate() {
                        let of = |output: usize| outputs.tensor(output).row_as_f32(number);
                        let score = of(*score).next().unwrap_or(f32::NAN);
                        let class = classes.map_or(0, |output| {
                            let greatest =
                                of(output).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
                            greatest.map_or(0, |(class, _)| class as ClassId)
                        });
                        let component = &self.aligner.components()[window.component];
                        let corners = self.aligner.corners(window.component).map(|at| at as f32);
                        let area = component.area as f32;
                        let one = Candidate { class, score, corners, area };
                        let same = number > 0 && windows[number - 1].component == window.component;
                        match self.candidates.last_mut() {
                            Some(known) if same => *known = worse(*known, one),
                            _ => self.candidates.push(one),
                        }
                    }
                }
            }
        }
        let too_many = self.aligner.too_many().then_some(self.too_many);
        let limits = &model.thresholds;
        Ok((self.compared.decide(&self.candidates, too_many, place, limits, sink), fit))
    }
}

/// What speaks for a component that has several windows: the worst of them, and a score that is no number
/// before any other.
fn worse(known: Candidate, one: Candidate) -> Candidate {
    if known.score.is_nan() || known.score >= one.score { known } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_that_is_no_number_speaks_for_its_component() {
        let of = |score: f32| Candidate { class: 0, score, corners: [0.0; 4], area: 1.0 };
        let spoken = |scores: &[f32]| {
            scores.iter().map(|score| of(*score)).reduce(worse).map(|one| one.score)
        };
        assert_eq!(spoken(&[0.2, 0.7, 0.1]), Some(0.7));
        for scores in [[f32::NAN, 0.1, 0.2], [0.1, f32::NAN, 0.2], [0.1, 0.2, f32::NAN]] {
            assert!(spoken(&scores).is_some_and(f32::is_nan), "{scores:?}");
        }
    }
}
