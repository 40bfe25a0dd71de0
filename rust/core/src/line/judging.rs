//! From a recipe's names to a head's numbers: classes, regions and rules.

use super::product::{Model, Rule};
use crate::decide::{self, Judging};
use crate::infer::{Class, Contract, Means};
use crate::outcome::ClassId;

/// Boxes with a lesser score are not looked at, unless a threshold is below that.
const CONFIDENCE: f32 = 0.25;

/// How a model's findings are judged, with the model's classes and those that only rules reject for;
/// or the key and what is wrong.
pub(super) fn judging(
    model: &Model,
    contract: &Contract,
) -> Result<(Judging, Vec<Class>), (String, String)> {
    let plain = Judging::plain(contract);
    let mut classes = contract.classes.clone();
    let least = model.thresholds.values().copied().fold(CONFIDENCE, f32::min);
    let max_detections = model.max_detections.unwrap_or(plain.max_detections);
    let mut rules = Vec::with_capacity(model.rule.len());
    for (index, rule) in model.rule.iter().enumerate() {
        if matches!(contract.means, Means::Classifier { .. }) {
            let problem = "this model finds nothing that could be counted".to_owned();
            return Err((format!("rule[{index}]"), problem));
        }
        let wrong = |(key, problem): (&str, String)| (format!("rule[{index}].{key}"), problem);
        rules.push(resolve(model, contract, rule, max_detections, &mut classes).map_err(wrong)?);
    }
    let ruled = !rules.is_empty();
    let could_reject = ruled || contract.classes.iter().any(|class| !class.good);
    if !could_reject {
        let problem = "every class is good and there are no rules: nothing could be rejected";
        return Err(("good".into(), problem.into()));
    }
    let judging = Judging {
        confidence: model.confidence.unwrap_or(least),
        iou: model.iou.unwrap_or(plain.iou),
        agnostic: model.agnostic,
        max_detections,
        rules: if ruled { rules } else { plain.rules },
        ruled,
    };
    Ok((judging, classes))
}

fn resolve(
    model: &Model,
    contract: &Contract,
    rule: &Rule,
    max_detections: usize,
    classes: &mut Vec<Class>,
) -> Result<decide::Rule, (&'static str, String)> {
    let counted: Vec<ClassId> = if rule.classes.is_empty() {
        let all = contract.classes.iter().enumerate();
        all.filter(|(_, class)| !class.good).map(|(index, _)| index as ClassId).collect()
    } else {
        let index = |name: &String| {
            contract.class(name).map(|index| index as ClassId).ok_or_else(|| {
                let known: Vec<&str> = contract.classes.iter().map(|c| c.name.as_str()).collect();
                ("classes", format!("{name:?} is not a class of it: {}", known.join(", ")))
            })
        };
        rule.classes.iter().map(index).collect::<Result<_, _>>()?
    };
    if counted.is_empty() {
        return Err(("classes", "every class is good: name those that it counts".into()));
    }
    for (key, count) in [("at_most", rule.at_most), ("at_least", rule.at_least)] {
        if let Some(count) = count.filter(|count| *count >= max_detections) {
            let problem = format!("{count} cannot be told with max_detections = {max_detections}");
            return Err((key, problem));
        }
    }
    let names: Vec<String> =
        counted.iter().map(|class| contract.classes[usize::from(*class)].name.clone()).collect();
    let all_good = counted.iter().all(|class| contract.classes[usize::from(*class)].good);
    let names = names.join("/");
    let mut class = |name: String| {
        let known = classes.iter().position(|class| class.name == name);
        known.unwrap_or_else(|| {
            classes.push(Class { name, good: false });
            classes.len() - 1
        }) as ClassId
    };
    let given = |word: &str| rule.reject_as.clone().unwrap_or_else(|| format!("{word} {names}"));
    let few = if rule.at_least.is_some() { class(given("missing")) } else { 0 };
    let many = match (rule.at_most, &rule.reject_as) {
        (None, _) => None,
        (Some(_), None) if !all_good => None,
        (Some(_), _) => Some(class(given("too many"))),
    };
    let region = rule.region.as_ref().and_then(|name| model.regions.get(name));
    Ok(decide::Rule {
        classes: counted,
        region: region.map(|[x, y, width, height]| [*x, *y, x + width, y + height]),
        area: [rule.min_area_px.unwrap_or(0.0), rule.max_area_px.unwrap_or(f32::INFINITY)],
        at_least: rule.at_least.unwrap_or(0),
        at_most: rule.at_most.unwrap_or(usize::MAX),
        few,
        many,
    })
}
