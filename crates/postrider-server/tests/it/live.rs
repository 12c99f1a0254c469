//! Streams of `live` endpoints, over real sockets.

mod admission;
mod limits;
mod node;
mod page;
mod resume;
mod socket;
mod stream;
