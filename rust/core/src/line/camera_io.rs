//! The I/O lines, counters and outputs of the line's own cameras, which are open already: an ejector at
//! a camera's output, an encoder or a part sensor at its inputs, by SFNC's names.

use std::time::Duration;

use super::intake::Opened;
use crate::actuate::backend::Switch;
use crate::clock::{MS, RoundTrip};
use crate::error::{Error, Result};
use crate::sense::sampled::{SampledEncoder, SampledSensor};
use crate::sense::{Encoder, PartSensor};
use crate::source::features::{Access, Features, Value};
use crate::source::gentl::Control;
use crate::uri::Uri;

/// How often a register is written or read to time it.
const TRIALS: usize = 50;

const KNOWN_ENCODER: &str = "camera:NAME?counter=FEATURE (period_ms)";
const KNOWN_SENSOR: &str = "camera:NAME?line=LINE (active_low, period_ms)";

/// The camera that a URI names.
fn control(uri: &str, name: &str, cameras: &[Opened]) -> Result<Control> {
    let names: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
    let wrong = |problem: String| Error::Uri {
        uri: uri.into(),
        problem,
        known: "camera:NAME, where NAME is that of a [[camera]]",
    };
    let Some(camera) = cameras.iter().find(|camera| camera.name == name) else {
        return Err(wrong(format!("{name:?} is no camera of this line; it has {names:?}")));
    };
    camera.control.clone().ok_or_else(|| wrong(format!("{name:?} has no I/O lines")))
}

fn writable(features: &Features, name: &str) -> bool {
    let access = features.describe(name).map(|feature| feature.access);
    matches!(access, Ok(Access::ReadWrite | Access::WriteOnly))
}

/// An output of a camera, set up by SFNC 2.7, chapter 10: the line is an output that shows a user
/// output, and that is switched.
///
/// # Errors
/// [`Error::Uri`] for a camera that is not there; what the camera says.
pub(super) fn output(
    uri: &str,
    name: &str,
    line: &str,
    user_output: Option<&str>,
    cameras: &[Opened],
) -> Result<(Box<dyn Switch>, RoundTrip)> {
    let control = control(uri, name, cameras)?;
    let features = control.features();
    let set = |feature: &str, value: &str| features.set(feature, &Value::Text(value.into()));
    // Line2 is named like UserOutput2 on most cameras; simcam and some others count otherwise.
    let number = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    let named = format!("UserOutput{number}");
    let all = features.describe("UserOutputSelector").map(|feature| feature.entries);
    let entries = all.unwrap_or_default();
    let user_output = match user_output {
        Some(given) => given.to_owned(),
        None if entries.contains(&named) || entries.is_empty() => named,
        None => entries[0].clone(),
    };
    if writable(features, &format!("LineMode[{line}]")) {
        set(&format!("LineMode[{line}]"), "Output")?;
    } else {
        let mode = features.get(&format!("LineMode[{line}]"))?;
        if mode != Value::Text("Output".into()) {
            let problem = "the line is an input, and the camera keeps it so".into();
            let (uri, feature) = (uri.into(), format!("LineMode[{line}]"));
            return Err(Error::Feature { uri, feature, problem });
        }
    }
    if writable(features, &format!("LineSource[{line}]")) {
        set(&format!("LineSource[{line}]"), &user_output)?;
    }
    let value = format!("UserOutputValue[{user_output}]");
    let switched = control.clone();
    let switch = move |on: bool| switched.features().set(&value, &Value::Bool(on));
    let trip = RoundTrip::measure(TRIALS, || switch(false))?;
    Ok((Box::new(switch), trip))
}

/// Takes `period_ms`, and leaves room for what a reading takes.
fn period(uri: &mut Uri, trip: RoundTrip) -> Result<Duration> {
    let period_ns = uri.take_ms("period_ms", 5.0, 1000.0)?.max(MS / 2);
    Ok(Duration::from_nanos(period_ns.max(trip.p999_ns).unsigned_abs()))
}

/// A counter of a camera, such as `CounterValue[Counter0]` or `EncoderValue[Encoder0]`.
///
/// # Errors
/// As [`output`].
pub(super) fn encoder(uri: &str, cameras: &[Opened]) -> Result<Box<dyn Encoder>> {
    let mut uri = Uri::parse(uri, KNOWN_ENCODER)?;
    let control = control(uri.whole(), uri.path(), cameras)?;
    let Some(feature) = uri.take_text("counter") else {
        return Err(uri.wrong("give the feature that counts: counter=EncoderValue[Encoder0]"));
    };
    let whole = uri.whole().to_owned();
    let ask = move || match control.features().get(&feature)? {
        Value::Int(count) => Ok(count as u64),
        other => Err(Error::Feature {
            uri: whole.clone(),
            feature: feature.clone(),
            problem: format!("{other:?} is no count"),
        }),
    };
    let trip = RoundTrip::measure(TRIALS, || ask().map(|_| ()))?;
    let period = period(&mut uri, trip)?;
    uri.finish()?;
    let encoder = SampledEncoder::start(uri.whole(), period, trip.p999_ns / 2, Box::new(ask))?;
    Ok(Box::new(encoder))
}

/// An input line of a camera, whose `LineStatus` is asked for.
///
/// # Errors
/// As [`output`].
pub(super) fn sensor(uri: &str, cameras: &[Opened]) -> Result<Box<dyn PartSensor>> {
    let mut uri = Uri::parse(uri, KNOWN_SENSOR)?;
    let control = control(uri.whole(), uri.path(), cameras)?;
    let Some(line) = uri.take_text("line") else {
        return Err(uri.wrong("give the camera's I/O line: line=Line0"));
    };
    let active_low = uri.take_flag("active_low", false)?;
    let (whole, feature) = (uri.whole().to_owned(), format!("LineStatus[{line}]"));
    let ask = move || match control.features().get(&feature)? {
        Value::Bool(on) => Ok(on != active_low),
        other => Err(Error::Feature {
            uri: whole.clone(),
            feature: feature.clone(),
            problem: format!("{other:?} is no level"),
        }),
    };
    let trip = RoundTrip::measure(TRIALS, || ask().map(|_| ()))?;
    let period = period(&mut uri, trip)?;
    uri.finish()?;
    let sensor = SampledSensor::start(uri.whole(), period, trip.p999_ns / 2, Box::new(ask))?;
    Ok(Box::new(sensor))
}
