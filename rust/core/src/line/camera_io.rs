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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Instant;

    use super::super::intake::Intake;
    use super::*;
    use crate::actuate::backend::{Backend, Pulsed, Sheet};
    use crate::actuate::camera_sheet;
    use crate::actuate::conformance;
    use crate::actuate::shelf::{SPACING_NS, Shelf, cabled};
    use crate::source::gentl::GentlSource;
    use crate::source::push::Push;

    const URI: &str = "camera:top?output=Line2";

    /// The simulated camera; tests of one process take turns at it.
    fn with_simcam(test: impl FnOnce(&[Opened])) {
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(cti) = std::env::var_os("SMARTQC_CTI_SIMCAM").map(PathBuf::from) else {
            eprintln!("skipped: SMARTQC_CTI_SIMCAM names no simcam.cti");
            return;
        };
        let source = GentlSource::open(&format!("gentl:{}#0", cti.display()), 1).unwrap();
        let top = Opened { control: Some(source.control()), ..push("top") };
        test(&[push("side"), top]);
    }

    /// A camera without I/O lines.
    fn push(name: &str) -> Opened {
        let intake = Intake::Push(Arc::new(Push::new("push:", 1)));
        Opened { name: name.into(), intake, slots: 1, counts: Arc::default(), control: None }
    }

    fn edges(control: &Control) -> usize {
        match control.features().get("SimLine2Edges").unwrap() {
            Value::Int(edges) => edges as usize,
            other => panic!("{other:?} is no count"),
        }
    }

    fn switch_line2(cameras: &[Opened]) -> Box<dyn Switch> {
        output(URI, "top", "Line2", None, cameras).unwrap().0
    }

    fn until(mut done: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < end, "it never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_ejector_at_the_cameras_output_conforms() {
        with_simcam(|cameras| {
            let control = cameras[1].control.clone().unwrap();
            conformance::passes(|| {
                let cut = Arc::new(AtomicBool::new(false));
                let (camera, cable) = (control.clone(), Arc::clone(&cut));
                let open = move |_: &_| -> Box<dyn Backend> {
                    let top = Opened { control: Some(camera.clone()), ..push("top") };
                    let (switch, _) = output(URI, "top", "Line2", None, &[top]).unwrap();
                    // The trip that was measured is this machine's; the bench's time is its own.
                    let trip = RoundTrip { p50_ns: MS / 5, p999_ns: MS };
                    let recover_ns = SPACING_NS - 5 * MS;
                    let sheet = Sheet { recover_ns, ..camera_sheet(URI, trip) };
                    Box::new(Pulsed::new(cabled(switch, Arc::clone(&cable)), sheet).unwrap())
                };
                let (seen, before) = (control.clone(), edges(&control));
                Shelf::new(open, move || edges(&seen) - before, &cut)
            });
        });
    }

    #[test]
    fn a_cameras_counter_is_an_encoder() {
        with_simcam(|cameras| {
            let mut line2 = switch_line2(cameras);
            let mut encoder = encoder("camera:top?counter=SimLine2Edges", cameras).unwrap();
            let first = encoder.read(0).unwrap();
            for _ in 0..5 {
                line2.set(true).unwrap();
                line2.set(false).unwrap();
            }
            until(|| encoder.read(0).unwrap().count == first.count + 5);
            assert!(encoder.read(0).unwrap().at_ns > first.at_ns);
            for (uri, says) in [
                ("camera:top", "counter=EncoderValue"),
                ("camera:side?counter=SimLine2Edges", "no I/O lines"),
                ("camera:rear?counter=SimLine2Edges", "no camera"),
                ("camera:top?counter=PixelFormat", "no count"),
                ("camera:top?counter=SimLine2Edges&speed=1", "period_ms"),
            ] {
                let said = super::encoder(uri, cameras).err().unwrap().to_string();
                assert!(said.contains(says), "{said}");
            }
        });
    }

    #[test]
    fn a_cameras_line_is_a_part_sensor() {
        with_simcam(|cameras| {
            let mut line2 = switch_line2(cameras);
            for (uri, turned) in [
                ("camera:top?line=Line2&period_ms=1", false),
                ("camera:top?line=Line2&period_ms=1&active_low=1", true),
            ] {
                let mut sensor = sensor(uri, cameras).unwrap();
                let mut edges = Vec::new();
                for (count, on) in [(1, true), (2, false), (3, true), (4, false)] {
                    line2.set(on).unwrap();
                    until(|| {
                        sensor.poll(0, &mut edges).unwrap();
                        edges.len() == count
                    });
                    assert_eq!(edges[count - 1].covered, on != turned);
                }
                assert!(edges.is_sorted_by_key(|edge| edge.at_ns));
            }
            let said = sensor("camera:top?line=Line7", cameras).err().unwrap().to_string();
            assert!(said.contains("Line7"), "{said}");
        });
    }
}
