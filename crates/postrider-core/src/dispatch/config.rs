//! Configuration of a dispatcher.

use std::time::Duration;

/// Limits that all lanes share, and how often the store is called.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Deliveries in memory, waiting or in flight.
    pub held: usize,
    /// Bytes of their messages.
    pub held_bytes: usize,
    /// Deliveries of one endpoint in memory.
    pub held_per_endpoint: usize,
    /// Calls in flight.
    pub in_flight: usize,
    /// How long a delivery may wait in memory before it is released to the store.
    pub patience: Duration,
    /// Longest time between two claims.
    pub claim_interval: Duration,
    /// Settlements that are written without waiting for more.
    pub settle_batch: usize,
    /// How long the first settlement of a batch waits for others.
    pub settle_linger: Duration,
    /// Settlements that may wait for the store before no more calls are started.
    pub unsettled: usize,
}
