//! Reads across the applications of an organization.

pub mod attempts;
pub mod failures;
mod group;
pub mod lookup;
pub mod messages;
mod reach;
