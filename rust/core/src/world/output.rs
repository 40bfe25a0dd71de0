//! Outputs of a line that end in the simulated world.

use super::{State, World};
use crate::actuate::Output;
use crate::error::Result;

/// The output that is wired to the belt's drive.
const STOP: &str = "stop";

/// One output.
pub(super) struct Lamp {
    world: World,
    name: String,
    on: bool,
}

impl Lamp {
    pub(super) fn new(world: World, name: &str) -> Self {
        Self { world, name: name.into(), on: false }
    }
}

impl Output for Lamp {
    fn set(&mut self, on: bool, now_ns: i64) -> Result<()> {
        if std::mem::replace(&mut self.on, on) == on {
            return Ok(());
        }
        let mut state = self.world.state();
        let State { lit, belt, .. } = &mut *state;
        lit.retain(|name| *name != self.name);
        if on {
            lit.push(self.name.clone());
        }
        if self.name == STOP {
            if on {
                belt.halt_at(now_ns)
            } else {
                belt.resume_at(now_ns)
            }
            self.world.wake_for(state, now_ns);
        }
        Ok(())
    }
}
