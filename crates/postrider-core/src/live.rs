//! Streams of `live` endpoints: what an event looks like, who may read it, and how long it is kept
//! for readers.

mod event;
mod origin;
mod scope;
mod window;

pub use self::{
    event::{EventId, LiveEvent, Mark, StreamEnd, comment, control, retry, seen},
    origin::{OriginCheck, check_origin},
    scope::Scope,
    window::{Lookup, Window, WindowLimits},
};
