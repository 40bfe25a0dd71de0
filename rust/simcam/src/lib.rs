//! Simulated camera.
