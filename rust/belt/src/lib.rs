//! A belt.
