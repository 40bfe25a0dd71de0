//! Encoder and photo-eye of the simulated world.

use std::collections::VecDeque;

use super::{Edge, Encoder, Latch, PartSensor, Reading};
use crate::error::{Error, Result};
use crate::world::World;

/// Edges that the eye's input keeps until they are polled.
const EDGES: usize = 4096;

/// The encoder on the simulated belt.
pub(crate) struct TravelEncoder {
    world: World,
}

impl TravelEncoder {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }
}

impl Encoder for TravelEncoder {
    fn latch(&self) -> Latch {
        Latch::Hardware
    }

    fn read(&mut self, now_ns: i64) -> Result<Reading> {
        let state = self.world.state();
        if state.encoder_cut {
            return Err(Error::Device {
                uri: "simulated:".into(),
                problem: "the encoder does not answer; check its cable".into(),
            });
        }
        Ok(Reading { count: state.count(now_ns), at_ns: now_ns })
    }
}

/// The eye's input: a queue in hardware, with the encoder's count latched at each edge.
pub(crate) struct EdgeQueue {
    edges: VecDeque<Edge>,
    /// Without a reader it keeps nothing.
    read: bool,
    overrun: bool,
}

impl EdgeQueue {
    pub(crate) fn new() -> Self {
        Self { edges: VecDeque::with_capacity(EDGES), read: false, overrun: false }
    }

    /// Whether somebody is to be told.
    pub(crate) fn push(&mut self, covered: bool, at_ns: i64, count: u64) -> bool {
        if !self.read {
            return false;
        }
        if self.edges.len() == EDGES {
            self.overrun = true;
        } else {
            self.edges.push_back(Edge { at_ns, covered, count: Some(count) });
        }
        true
    }

    fn drain(&mut self, edges: &mut Vec<Edge>) -> Result<()> {
        edges.extend(self.edges.drain(..));
        if std::mem::take(&mut self.overrun) {
            let problem = format!("more than {EDGES} edges waited, the rest is lost; poll sooner");
            return Err(Error::Device { uri: "simulated:eye".into(), problem });
        }
        Ok(())
    }
}

/// The photo-eye of the simulated belt.
pub(crate) struct Eye {
    world: World,
}

impl Eye {
    pub(crate) fn new(world: World) -> Self {
        world.state().edges.read = true;
        Self { world }
    }
}

impl PartSensor for Eye {
    fn latch(&self) -> Latch {
        Latch::Hardware
    }

    fn poll(&mut self, _now_ns: i64, edges: &mut Vec<Edge>) -> Result<()> {
        self.world.state().edges.drain(edges)
    }

    fn wake_with(&mut self, waker: Box<dyn Fn() + Send + Sync>) {
        self.world.set_eye_waker(Some(waker));
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        let mut state = self.world.state();
        state.edges.read = false;
        state.edges.edges.clear();
        drop(state);
        self.world.set_eye_waker(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overrun_is_told_once_and_keeps_the_oldest_edges() {
        let mut queue = EdgeQueue::new();
        queue.read = true;
        for at_ns in 0..=EDGES as i64 {
            queue.push(true, at_ns, 0);
        }
        let mut edges = Vec::new();
        assert!(queue.drain(&mut edges).is_err());
        assert_eq!(edges.len(), EDGES);
        assert_eq!(edges[0].at_ns, 0);
        assert!(queue.drain(&mut edges).is_ok());
    }
}
