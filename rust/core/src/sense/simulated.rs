//! The encoder and the photo-eye of the simulated belt.

use super::{Edge, Encoder, Latch, PartSensor, Reading};
use crate::error::{Error, Result};
use crate::plant::Plant;

/// The belt's encoder, read at the very instant that is asked for.
#[derive(Debug)]
pub struct BeltEncoder {
    plant: Plant,
}

impl BeltEncoder {
    pub(crate) fn new(plant: Plant) -> Self {
        Self { plant }
    }
}

impl Encoder for BeltEncoder {
    fn latch(&self) -> Latch {
        Latch::Hardware
    }

    fn read(&mut self, now_ns: i64) -> Result<Reading> {
        let world = self.plant.world();
        if world.encoder_cut {
            return Err(Error::Device {
                uri: "simulated:".into(),
                problem: "the encoder does not answer; its cable was cut".into(),
            });
        }
        Ok(Reading { count: world.belt.encoder_count(now_ns), at_ns: now_ns })
    }
}

/// The belt's photo-eye; the count at each edge is latched with it.
#[derive(Debug)]
pub struct Eye {
    plant: Plant,
}

impl Eye {
    pub(crate) fn new(plant: Plant) -> Self {
        Self { plant }
    }
}

impl PartSensor for Eye {
    fn latch(&self) -> Latch {
        Latch::Hardware
    }

    fn poll(&mut self, _now_ns: i64, edges: &mut Vec<Edge>) -> Result<()> {
        edges.append(&mut self.plant.world().edges);
        Ok(())
    }

    fn wake_with(&mut self, waker: Box<dyn Fn() + Send + Sync>) {
        self.plant.world().wake_line = Some(waker.into());
    }
}
