//! The cameras of a line: opened, set up, and held against what the recipe wants of them.

use std::sync::Arc;

use super::camera::Counts;
use super::config::Loaded;
use super::plant::{Camera, Plant, Setting};
use super::recipe::Recipe;
use crate::error::{Error, Result};
use crate::source::Source;
use crate::source::features::Value;
use crate::source::gentl::{Control, GentlSource};
use crate::source::push::Push;
use crate::world::World;

/// Slots beyond those that workers and keepers hold: one being filled, one on its way.
const SPARE_SLOTS: usize = 2;

/// Buffers that a camera writes into while the line holds all of its own.
const CAMERA_SLOTS: usize = 3;

/// The simulated camera's I/O line: one write of 32 bytes here is one pulse on its `Line0`.
const SIM_LINE0_PULSE: u64 = 0x9000;

/// Where a camera's frames come from.
pub(super) enum Intake {
    /// A camera with a thread of its own.
    Camera(Box<dyn Source>),
    /// The integrator's code.
    Push(Arc<Push>),
}

/// One camera of the line.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) intake: Intake,
    pub(super) slots: usize,
    pub(super) counts: Arc<Counts>,
    /// Its features and I/O lines, where it has any.
    pub(super) control: Option<Control>,
}

/// Opens and sets up every camera, and wires those that the simulated belt triggers.
///
/// # Errors
/// What the camera says, naming the camera and the feature; [`Error::Config`] when the recipe
/// cannot prepare its pictures.
pub(super) fn open(
    plant: &Loaded<Plant>,
    recipe: &Recipe,
    world: Option<&World>,
) -> Result<Vec<Opened>> {
    let run = &plant.value.run;
    let held = SPARE_SLOTS + run.workers * run.batch + run.keep;
    let open = |(index, camera): (usize, &Camera)| {
        let (intake, slots, control) = match camera.uri.split_once(':') {
            Some(("push", _)) => {
                let slots = CAMERA_SLOTS + held;
                (Intake::Push(Arc::new(Push::new(&camera.uri, slots))), slots, None)
            }
            Some(("gentl", _)) => {
                let source = set_up(plant, (index, camera), recipe, held)?;
                if let (Some(_), Some(world)) = (&camera.trigger, world) {
                    wire(world, index, &source)?;
                }
                let (slots, control) = (source.slots(), source.control());
                (Intake::Camera(Box::new(source)), slots, Some(control))
            }
            _ => {
                return Err(Error::Uri {
                    uri: camera.uri.clone(),
                    problem: "no such kind of camera".into(),
                    known: "gentl:PRODUCER.cti#DEVICE, push:",
                });
            }
        };
        let (name, counts) = (camera.name.clone(), Arc::default());
        Ok(Opened { name, intake, slots, counts, control })
    };
    plant.value.camera.iter().enumerate().map(open).collect()
}

fn set_up(
    plant: &Loaded<Plant>,
    (index, camera): (usize, &Camera),
    recipe: &Recipe,
    held: usize,
) -> Result<GentlSource> {
    let source = GentlSource::open(&camera.uri, held)?;
    for (feature, setting) in &camera.features {
        let value = match setting {
            Setting::Bool(on) => Value::Bool(*on),
            Setting::Int(number) => Value::Int(*number),
            Setting::Float(number) => Value::Float(*number),
            Setting::Text(text) => Value::Text(text.clone()),
        };
        source.features().set(feature, &value)?;
    }
    let (width, height, format) = source.shape()?;
    recipe.check_picture(index, width, height, format).map_err(|why| Error::Config {
        file: plant.file.clone(),
        key: format!("camera {:?}", camera.name),
        problem: format!(
            "its pictures ({width} x {height} {format}) do not suit the recipe: {why}"
        ),
    })?;
    Ok(source)
}

/// The belt pulses the camera's `Line0` through the camera's own port, as a wire would.
fn wire(world: &World, index: usize, source: &GentlSource) -> Result<()> {
    let control = source.control();
    world.on_trigger(
        index,
        Box::new(move |trigger| {
            let mut pulse = [0; 32];
            pulse[..8].copy_from_slice(&trigger.part.to_le_bytes());
            pulse[8..12].copy_from_slice(&(trigger.tag as u32).to_le_bytes());
            pulse[16..24].copy_from_slice(&trigger.encoder_count.to_le_bytes());
            pulse[24..].copy_from_slice(&trigger.at_ns.to_le_bytes());
            if let Err(why) = control.write_register(SIM_LINE0_PULSE, &pulse) {
                tracing::error!("{}: Line0 cannot be pulsed: {why}", control.uri());
            }
        }),
    )
}
