//! Sends the requests for a listener as Server-Sent Events, and gives all of them the response that
//! the listener has chosen. For pages that show what a sender sends: browsers cannot run a program
//! that responds.

mod admission;
mod answer;
mod open;
mod reader;

pub(super) use self::open::open;
