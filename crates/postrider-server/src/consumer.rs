//! Consumers: reads queues, and publishes what they deliver.
//!
//! Each enabled consumer has one task on each node, which [`Consumers`] starts and stops. The task
//! connects to the queue, receives messages, publishes many of them at the same time as an
//! operation of the API would, and acknowledges them when they are durable. The message's identity
//! is its idempotency key, so that a message that is delivered again is not published again.

mod accept;
mod backoff;
mod context;
mod dead_letters;
mod hub;
mod parked;
mod publish;
mod reader;
mod refusal;
mod session;
mod state;
mod supervisor;

pub use self::supervisor::Consumers;
pub(crate) use self::{
    accept::{Accepted, Instructions, accept, digest},
    hub::ConsumerHub,
    refusal::Refusal,
    state::Snapshot,
};
