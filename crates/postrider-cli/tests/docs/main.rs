//! Runs every command block of the documentation as its pages say, and compares pages with the
//! sources that they describe.
//!
//! Each page runs from top to bottom in a shell of its own, in an empty folder and in a network
//! namespace, so that the ports of the page are free and nothing leaves the machine.
//! Comments in a page tell how to run it; [`page::Directive`] lists them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod expected;
mod page;
mod pages;
mod reference;
mod session;
