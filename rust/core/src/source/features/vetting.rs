//! Takes out of a description what the evaluator would not survive: it follows references by
//! recursion and without an end.

use std::collections::HashMap;

use serde_json::Value as Json;
use viva_genapi_xml::XmlModel;

use super::evaluate::MAX_REGISTER_BYTES;

/// Evaluations that one value may cost when nothing is cached; real ones stay below a thousand.
const MAX_COST: u64 = 100_000;
/// References from a value to the last of its registers; real ones stay below 30.
const MAX_DEPTH: u32 = 256;
/// Characters of a formula; the longest one known has 1972.
const MAX_FORMULA: usize = 8192;

/// What a node's declaration says that matters here.
struct Declared {
    references: Vec<usize>,
    longest_formula: usize,
    register_bytes: u64,
}

#[derive(Clone, Copy)]
enum Verdict {
    Open,
    Sound { cost: u64, depth: u32 },
    Unsound(&'static str),
}

/// Removes the nodes whose value can't be evaluated in bounds, and returns each with the reason.
pub(super) fn remove_unsound(model: &mut XmlModel) -> Vec<(String, String)> {
    let names: HashMap<String, usize> =
        model.nodes.iter().enumerate().map(|(i, node)| (node.name().to_owned(), i)).collect();
    let declared: Vec<Declared> = model
        .nodes
        .iter()
        .map(|node| {
            let mut declared =
                Declared { references: Vec::new(), longest_formula: 0, register_bytes: 0 };
            // The declarations are public only as serialised data in their whole breadth.
            if let Ok(Json::Object(variant)) = serde_json::to_value(node) {
                variant.values().for_each(|body| collect("", body, &names, &mut declared));
            }
            declared
        })
        .collect();
    let verdicts = judge(&declared);
    let mut removed = Vec::new();
    let mut index = 0;
    model.nodes.retain(|node| {
        let verdict = verdicts[index];
        index += 1;
        if let Verdict::Unsound(why) = verdict {
            removed.push((node.name().to_owned(), why.to_owned()));
        }
        !matches!(verdict, Verdict::Unsound(_))
    });
    removed
}

/// Gathers the nodes that a value is computed from. Limits, predicates and selections are not part
/// of a value, and go in circles in sound descriptions.
fn collect(key: &str, body: &Json, names: &HashMap<String, usize>, found: &mut Declared) {
    match (key, body) {
        (
            "name" | "meta" | "selected" | "invalidators" | "predicates" | "children" | "p_min"
            | "p_max" | "p_inc" | "display_name" | "unit" | "port",
            _,
        ) => {}
        ("expr" | "formula_to" | "formula_from", Json::String(formula)) => {
            found.longest_formula = found.longest_formula.max(formula.len());
        }
        ("len", Json::Number(bytes)) => {
            found.register_bytes = found.register_bytes.max(bytes.as_u64().unwrap_or(u64::MAX));
        }
        // Plain texts here are an entry's name and a string's value.
        ("default" | "value", Json::String(_)) => {}
        // Pairs of a formula's own name and the node that it stands for.
        ("variables" | "variables_to" | "variables_from", Json::Array(pairs)) => {
            pairs.iter().for_each(|pair| collect("", &pair[1], names, found));
        }
        (_, Json::String(text)) => found.references.extend(names.get(text)),
        (_, Json::Array(items)) => items.iter().for_each(|item| collect(key, item, names, found)),
        (_, Json::Object(fields)) => {
            fields.iter().for_each(|(key, field)| collect(key, field, names, found));
        }
        _ => {}
    }
}

/// Judges every node after those that it refers to, without recursion.
fn judge(declared: &[Declared]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::Open; declared.len()];
    let mut entered = vec![false; declared.len()];
    for start in 0..declared.len() {
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.pop() {
            if !matches!(verdicts[node], Verdict::Open) {
                continue;
            }
            entered[node] = true;
            if let Some(&reference) = declared[node].references.get(next) {
                path.push((node, next + 1));
                match verdicts[reference] {
                    Verdict::Open if entered[reference] => {
                        verdicts[node] = Verdict::Unsound("its value refers to itself");
                    }
                    Verdict::Open => path.push((reference, 0)),
                    _ => {}
                }
            } else {
                verdicts[node] = conclude(&declared[node], &verdicts);
            }
        }
    }
    verdicts
}

fn conclude(node: &Declared, verdicts: &[Verdict]) -> Verdict {
    if node.longest_formula > MAX_FORMULA {
        return Verdict::Unsound("its formula is too long");
    }
    if node.register_bytes > MAX_REGISTER_BYTES as u64 {
        return Verdict::Unsound("its register is too long");
    }
    let (mut total, mut deepest) = (1_u64, 0);
    for &reference in &node.references {
        match verdicts[reference] {
            Verdict::Sound { cost, depth } => {
                total = total.saturating_add(cost);
                deepest = deepest.max(depth + 1);
            }
            _ => return Verdict::Unsound("it refers to a node that can't be evaluated"),
        }
    }
    if total > MAX_COST || deepest > MAX_DEPTH {
        return Verdict::Unsound("its value takes too many references");
    }
    Verdict::Sound { cost: total, depth: deepest }
}
