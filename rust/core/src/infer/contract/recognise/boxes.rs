//! Detectors whose boxes come in one output: a candidate for each anchor, or finished detections.

use super::Clues;
use super::look::{Both, Share, in_unit};
use crate::batch::Tensor;
use crate::error::Result;
use crate::infer::Bound;
use crate::infer::contract::{Extra, Form, FormWord, HeadKind, Means, ScoreKind};

/// More candidates than this are no set that was chosen without suppressing.
pub(super) const MOST_CHOSEN: usize = 1000;

/// One output of boxes: [first, last].
#[derive(Clone, Copy)]
struct Table {
    output: usize,
    first: usize,
    last: usize,
    /// What stands behind the classes, as far as the head says.
    extra: Extra,
}

impl Clues<'_> {
    pub(super) fn boxes(
        &self,
        bound: &mut Bound,
        head: &HeadKind,
    ) -> Result<(Means, Option<usize>)> {
        let chosen = self.chosen("output", self.wishes.overrides.output.as_ref())?;
        if let Some(list) = self.list(bound, chosen)? {
            return self.listed(bound, list, head);
        }
        if let Some((boxes, scores)) = self.query_pair(bound, chosen)? {
            return self.queries(bound, boxes, scores, head);
        }
        let output = match (chosen, &self.floats(bound, 2)[..]) {
            (Some(output), _) => output,
            (None, [only]) => *only,
            _ => {
                return Err(self.session.refuse(
                    "one output of float [batch, channels, anchors] or [batch, rows, 6] is \
                     expected, or one of boxes [batch, queries, 4] beside one of scores",
                ));
            }
        };
        let [first, last] = *bound.output(output).row_shape() else {
            return Err(self.session.refuse("boxes are expected as [batch, channels, anchors]"));
        };
        let extra = match head {
            HeadKind::Oriented => Extra::Angle,
            HeadKind::Segmenter => self.prototypes(bound)?,
            _ => Extra::None,
        };
        let table = Table { output, first, last, extra };
        if self.is_finished(bound, table)? {
            return self.finished(bound, table).map(|means| (means, None));
        }
        self.anchors(bound, table)
    }

    /// Whether detections come out finished: as the recipe or the metadata say, or since they have
    /// six numbers of which the last is a whole class.
    fn is_finished(&self, bound: &mut Bound, table: Table) -> Result<bool> {
        let Table { output, first, last, extra } = table;
        let behind = extra.channels();
        match (self.wishes.overrides.form, self.exported.finished) {
            (Some(form), _) => Ok(form == FormWord::Rows),
            (None, Some(true)) => Ok(true),
            // A model that chooses by itself was not always written down as one.
            (None, Some(false) | None) if last == 6 + behind => {
                let by_name = self.named().is_some_and(|n| first == 4 + n + behind);
                let whole = |outputs: &[Tensor]| whole_classes(&outputs[output], last);
                Ok(!by_name && self.look(bound, &whole)?)
            }
            (None, _) => Ok(false),
        }
    }

    fn finished(&self, bound: &mut Bound, table: Table) -> Result<Means> {
        let Table { output, first, last, extra } = table;
        let given = &self.wishes.overrides;
        let behind = extra.channels();
        if last < 6 + behind {
            let problem = format!("finished boxes have {} numbers or more", 6 + behind);
            return Err(self.session.refuse(problem));
        }
        let extra = match extra {
            Extra::None if last > 6 => Extra::Unread(last - 6),
            other => other,
        };
        let rows = self.look(bound, &|tensors| rows_of(&tensors[output], last))?;
        let small = rows.large.of > 0 && !rows.large.exceeds(0.5);
        let normalized = given.normalized.unwrap_or(small);
        // Candidates that lie in a grid of pixels may have less than no size, and are none.
        let turned = normalized && rows.turned.exceeds(0.1);
        let centred = given.centred.unwrap_or(extra == Extra::Angle || turned);
        let form = Form::Rows { output, count: first, centred };
        Ok(Means::Boxes { form, kind: ScoreKind::Scores, normalized, extra })
    }

    fn anchors(&self, bound: &mut Bound, table: Table) -> Result<(Means, Option<usize>)> {
        let Table { output, first, last, extra } = table;
        let (session, given) = (self.session, &self.wishes.overrides);
        let (behind, named) = (extra.channels(), self.named());
        let enough = |channels: usize| named.is_none_or(|n| channels >= 4 + n + behind);
        let channels_last = given.channels_last.unwrap_or_else(|| {
            match (named.map(|n| 4 + n + behind), enough(first)) {
                (Some(wanted), _) if wanted == first => false,
                (Some(wanted), _) if wanted == last => true,
                (_, fits) => last < first || !fits,
            }
        });
        let (channels, count) = if channels_last { (last, first) } else { (first, last) };
        let rest = channels.checked_sub(4 + behind).filter(|rest| *rest > 0).ok_or_else(|| {
            session.refuse(format!("{channels} channels are too few for boxes and classes"))
        })?;
        let (classes, objectness, extra) = match (named, given.objectness) {
            (Some(n), None) if n == rest => (n, false, extra),
            (None, Some(true)) => (rest.saturating_sub(1), true, extra),
            // YOLOv5 has it so, and later ones that were turned round do not.
            (None, None) if channels_last => {
                return Err(session.refuse(format!(
                    "whether the first of {rest} scores is for \"something is here\" does not show: \
                     set `classes` or `contract.objectness`"
                )));
            }
            (None, _) => (rest, false, extra),
            (Some(n), Some(true)) if n + 1 == rest => (n, true, extra),
            (Some(n), None) if n + 1 == rest && channels_last => (n, true, extra),
            (Some(n), _) if n < rest && self.exported.task.as_deref() == Some("pose") => {
                (n, false, Extra::Unread(rest - n))
            }
            (Some(n), _) => {
                return Err(session.refuse(format!(
                    "{n} class names for the {rest} of {channels} channels that are neither box \
                     nor {}",
                    if behind > 0 { "mask nor angle" } else { "extra" }
                )));
            }
        };
        let channel = |at: usize| if channels_last { at % last } else { at / last };
        let kind = match self.wishes.kind {
            Some(kind @ (ScoreKind::Scores | ScoreKind::SigmoidLogits)) => kind,
            Some(ScoreKind::Probabilities) => ScoreKind::Scores,
            Some(ScoreKind::Logits) => ScoreKind::SigmoidLogits,
            None => {
                let at = 4..4 + classes + usize::from(objectness);
                let unit = self.look(bound, &|outputs| {
                    let numbers = outputs[output].row_as_f32(0).enumerate();
                    let mut scores = numbers.filter(|(index, _)| at.contains(&channel(*index)));
                    scores.all(|(_, score)| !score.is_finite() || in_unit(score))
                })?;
                if unit { ScoreKind::Scores } else { ScoreKind::SigmoidLogits }
            }
        };
        let normalized = match given.normalized {
            Some(normalized) => normalized,
            None => self.small(bound, &|outputs| {
                let numbers = outputs[output].row_as_f32(0).enumerate();
                small_centres(numbers.map(|(index, number)| (channel(index), number)))
            })?,
        };
        // A set of boxes that answers for the whole picture has been chosen from already.
        let chosen = normalized && channels_last && !objectness && count <= MOST_CHOSEN;
        let overlapping = !chosen;
        let form = Form::Anchors { output, count, channels_last, objectness, overlapping };
        Ok((Means::Boxes { form, kind, normalized, extra }, Some(classes)))
    }

    /// Whether boxes are 0..1 of the input, by what is told of the places where they lie.
    fn small(&self, bound: &mut Bound, ask: &dyn Fn(&[Tensor]) -> Small) -> Result<bool> {
        let Small { large, negative } = self.look(bound, ask)?;
        if large.of == 0 || large.exceeds(0.5) {
            return Ok(false);
        }
        if negative.exceeds(0.01) {
            return Err(self.session.refuse(
                "its boxes lie within the first pixels and some have a size below 0, so that they \
                 seem to be steps of a grid: export it with its boxes decoded, or set \
                 `contract.normalized` if they are",
            ));
        }
        Ok(true)
    }

    fn prototypes(&self, bound: &Bound) -> Result<Extra> {
        let chosen = self.chosen("masks_output", self.wishes.overrides.masks_output.as_ref())?;
        let output = match (chosen, &self.floats(bound, 3)[..]) {
            (Some(output), _) => output,
            (None, [only]) => *only,
            _ => {
                return Err(self
                    .session
                    .refuse("masks need one output of prototypes [batch, count, rows, columns]"));
            }
        };
        let [count, rows, columns] = bound.output(output).row_shape() else {
            return Err(self.session.refuse("prototypes are expected as [count, rows, columns]"));
        };
        Ok(Extra::Masks { prototypes: output, count: *count, rows: *rows, columns: *columns })
    }
}

/// Where boxes lie: of the places that are not 0, those beyond the first two pixels, and of the
/// sizes, those below 0.
#[derive(Clone, Copy, Debug, Default)]
struct Small {
    large: Share,
    negative: Share,
}

impl Both for Small {
    fn both(self, other: Self) -> Self {
        Self { large: self.large.both(other.large), negative: self.negative.both(other.negative) }
    }
}

/// Of numbers with their channel: centre, then size.
fn small_centres(numbers: impl Iterator<Item = (usize, f32)>) -> Small {
    let mut small = Small::default();
    for (channel, number) in numbers.filter(|(_, number)| number.is_finite()) {
        match channel {
            0 | 1 if number != 0.0 => small.large.count(number > 2.0),
            2 | 3 => small.negative.count(number < 0.0),
            _ => {}
        }
    }
    small
}

/// Of finished rows with a score: numbers of their second corner (or sizes) beyond the first two
/// pixels, and rows whose second corner would lie before the first.
#[derive(Clone, Copy, Debug, Default)]
struct Rows {
    large: Share,
    turned: Share,
}

impl Both for Rows {
    fn both(self, other: Self) -> Self {
        Self { large: self.large.both(other.large), turned: self.turned.both(other.turned) }
    }
}

fn rows_of(tensor: &Tensor, columns: usize) -> Rows {
    let numbers: Vec<f32> = tensor.row_as_f32(0).collect();
    let mut rows = Rows::default();
    for row in numbers.chunks_exact(columns.max(1)).filter(|row| row[4] > 0.0) {
        row[2..4].iter().for_each(|number| rows.large.count(*number > 2.0));
        rows.turned.count(row[2] < row[0] || row[3] < row[1]);
    }
    rows
}

/// Whether the sixth of every row's numbers is a class's number.
fn whole_classes(tensor: &Tensor, columns: usize) -> bool {
    tensor
        .row_as_f32(0)
        .skip(5)
        .step_by(columns.max(1))
        .all(|class| class >= 0.0 && class.fract() == 0.0 && class < 65_536.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(boxes: &[[f32; 4]]) -> Small {
        small_centres(boxes.iter().flat_map(|numbers| numbers.iter().copied().enumerate()))
    }

    #[test]
    fn places_tell_pixels_from_shares_and_sizes_below_zero_tell_a_grids_steps() {
        let pixels = of(&[[4.0, 4.0, 8.0, 8.0], [12.0, 4.0, -1.0, 8.0], [0.0; 4]]);
        assert!(pixels.large.exceeds(0.5));
        let shares = of(&[[0.2, 0.4, 0.1, 0.1], [0.9, 0.4, 0.1, 0.8]]);
        assert!(!shares.large.exceeds(0.5) && !shares.negative.exceeds(0.01));
        let steps = of(&[[0.2, -0.4, -0.7, 0.1], [0.9, 0.4, -1.2, 0.8]]);
        assert!(!steps.large.exceeds(0.5) && steps.negative.exceeds(0.01));
        let nothing = of(&[[0.0; 4]]);
        assert_eq!((nothing.large.of, nothing.large.exceeds(0.5)), (0, false));
    }
}
