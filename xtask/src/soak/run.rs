//! What all parts of a run share.

use std::{
    future::Future,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{api::Api, behavior::mixed, record::Record};
use crate::bench::latency::Latencies;

/// How much was done besides publishing.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Activity {
    pub(crate) stops: u64,
    pub(crate) kills: u64,
    pub(crate) webhooks: u64,
    pub(crate) forged_webhooks_rejected: u64,
    /// Requests to publish or receive that were repeated because the server was away.
    pub(crate) repeated_requests: u64,
    pub(crate) visits: u64,
    pub(crate) pauses: u64,
    pub(crate) changes: u64,
    /// How often the dead endpoints were removed and created again.
    pub(crate) replacements: u64,
    pub(crate) recoveries: u64,
    pub(crate) lists: u64,
    pub(crate) pages: u64,
    pub(crate) live_pages: u64,
    pub(crate) live_bytes: u64,
    pub(crate) listeners: u64,
    pub(crate) forwarded: u64,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) api: Api,
    /// The address of the receivers.
    pub(crate) receivers: std::net::SocketAddr,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    started: Instant,
    record: Mutex<Record>,
    activity: Mutex<Activity>,
    latencies: Mutex<Latencies>,
    numbers: AtomicU64,
    draws: AtomicU64,
    load_ended: watch::Sender<bool>,
}

impl Run {
    pub(crate) fn new(
        api: Api,
        receivers: std::net::SocketAddr,
        (rate, seed): (f64, u64),
        record: Record,
    ) -> Self {
        Self {
            api,
            receivers,
            rate,
            seed,
            started: Instant::now(),
            record: Mutex::new(record),
            activity: Mutex::default(),
            latencies: Mutex::default(),
            numbers: AtomicU64::new(1),
            draws: AtomicU64::new(seed),
            load_ended: watch::Sender::new(false),
        }
    }

    /// Seconds since the start.
    pub(crate) fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        locked(&self.record)
    }

    pub(crate) fn activity(&self) -> MutexGuard<'_, Activity> {
        locked(&self.activity)
    }

    pub(crate) fn latencies(&self) -> MutexGuard<'_, Latencies> {
        locked(&self.latencies)
    }

    /// The number of the next message.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A number that looks random.
    pub(crate) fn draw(&self) -> u64 {
        mixed(self.draws.fetch_add(1, Ordering::Relaxed))
    }

    /// Ends everything but the receivers and the samples.
    pub(crate) fn end_load(&self) {
        self.load_ended.send_replace(true);
    }

    pub(crate) fn is_loaded(&self) -> bool {
        !*self.load_ended.borrow()
    }

    /// Waits until the load ends, or for so long; whether the load goes on.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = sleep(time) => {},
            () = self.load_end() => {},
        }
        self.is_loaded()
    }

    /// Waits until the load ends.
    pub(crate) async fn load_end(&self) {
        let mut ended = self.load_ended.subscribe();
        // The sender lives as long as this.
        let _ended = ended.wait_for(|it| *it).await;
    }

    /// Runs a step, and records its failure.
    pub(crate) async fn check<T>(
        &self,
        what: &str,
        step: impl Future<Output = anyhow::Result<T>>,
    ) -> Option<T> {
        match step.await {
            Ok(value) => Some(value),
            Err(error) => {
                self.record().violate(format!("{what}: {error:#}"));
                None
            },
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
