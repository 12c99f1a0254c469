//! The limits of the engine.

use std::time::Duration;

/// The limits of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deliveries that one shard holds in memory, waiting or in flight.
    pub held: usize,
    /// Bytes of their messages.
    pub held_bytes: usize,
    /// Deliveries of one endpoint held in memory.
    pub held_per_endpoint: usize,
    /// Calls in flight in one shard.
    pub in_flight: usize,
    /// Calls in flight to one endpoint.
    pub in_flight_per_endpoint: usize,
    /// How long a delivery that was claimed stays claimed without renewal.
    pub lease: Duration,
    /// Longest time between two claims.
    pub poll: Duration,
    /// Messages in one commit.
    pub batch: usize,
    /// Bytes of messages in one commit.
    pub batch_bytes: usize,
    /// Messages that may wait for a commit before more are refused.
    pub queued: usize,
    /// How long the first settlement of a batch waits for others.
    pub settle_linger: Duration,
    /// Settlements that may wait for the store before no more calls start.
    pub unsettled: usize,
    /// Applications and endpoints in the cache, counted together.
    pub remembered_applications: usize,
    /// Sources in the cache.
    pub remembered_sources: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            held: 20_000,
            held_bytes: 256 << 20,
            held_per_endpoint: 1_000,
            in_flight: 4_000,
            in_flight_per_endpoint: 64,
            lease: Duration::from_secs(300),
            poll: Duration::from_secs(1),
            batch: 1_024,
            batch_bytes: 8 << 20,
            queued: 10_000,
            settle_linger: Duration::from_millis(10),
            unsettled: 20_000,
            remembered_applications: 250_000,
            remembered_sources: 10_000,
        }
    }
}
