//! The sandbox with real worker processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod confinement;
mod fixtures;
mod hostile;
mod language;
mod lifecycle;
mod sharing;
mod speed;
