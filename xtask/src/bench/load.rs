//! One load on one server, and what was measured while it lasted.

use std::{collections::BTreeMap, ops::Range, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{
    clock,
    generator::{Order, Sent},
    latency::Summary,
    process::{self, Part, Process},
    receiver::Count,
};

/// What goes before the measured part, so that connections are open and code is warm.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long arrivals are waited for while none comes.
const STILL: Duration = Duration::from_secs(8);

/// The load goes on a little longer than the measured part.
const MARGIN: Duration = Duration::from_millis(300);

/// How long a generator may wait for its last answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server may work on after its load.
const CATCH_UP: Duration = Duration::from_secs(60);

/// The receiver, and where the servers keep their data.
#[derive(Debug)]
pub(crate) struct Bench {
    receiver: Part,
    receiver_address: std::net::SocketAddr,
    next_number: u64,
    pub(crate) folder: PathBuf,
}

/// How hard, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Requests per second of an open loop; none for a closed one.
    pub(crate) rate: Option<f64>,
    /// The measured part.
    pub(crate) seconds: f64,
}

/// What was measured under a load.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) deliveries_per_second: f64,
    /// From the moment a request was meant to leave to the arrival at the receiver.
    pub(crate) latency: Summary,
    /// From the same moment to the answer of the server.
    pub(crate) answers: Summary,
    pub(crate) cpu_us_per_delivery: f64,
    /// CPU that others used meanwhile, in cores.
    pub(crate) other_cores: f64,
    /// How long the server delivered or worked after the last request.
    pub(crate) catch_up_seconds: f64,
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Deliveries of accepted messages that never arrived.
    pub(crate) lost: u64,
}

impl Bench {
    pub(crate) async fn start(folder: PathBuf) -> anyhow::Result<Self> {
        let mut receiver = Part::start(&["receiver"])?;
        let receiver_address = receiver.hear(Duration::from_secs(10)).await?;
        Ok(Self { receiver, receiver_address, next_number: 0, folder })
    }

    /// The URL of an endpoint of the receiver.
    pub(crate) fn url(&self, path: impl std::fmt::Display) -> String {
        format!("http://{}/{path}", self.receiver_address)
    }

    /// Puts the load on the server, waits until all of it arrived at the endpoints (those of
    /// the receiver with these numbers) and the server rests.
    pub(crate) async fn load(
        &mut self,
        server: &Process,
        order: &Order,
        load: Load,
        endpoints: Range<usize>,
    ) -> anyhow::Result<Sample> {
        let before: Count = self.receiver.ask().await?;
        let cpu_before = server.cpu()?;
        let mut generator = self.generate(Order {
            connections: load.connections,
            rate: load.rate,
            seconds: WARM_UP.as_secs_f64() + load.seconds + MARGIN.as_secs_f64(),
            ..order.clone()
        })?;
        tokio::time::sleep(WARM_UP).await;
        let from = self.mark(server, &generator).await?;
        tokio::time::sleep(Duration::from_secs_f64(load.seconds)).await;
        let until = self.mark(server, &generator).await?;
        let sent: Sent = generator.hear(PATIENCE).await?;
        let ended = clock::now();
        self.next_number += sent.requests;
        let last = self.drain(&before, sent.accepted, &endpoints).await?;
        server.quiet(CATCH_UP).await?;
        let catch_up = ended.elapsed().saturating_sub(process::QUIET);
        let window = (until.count.at_nanos - from.count.at_nanos) as f64 / 1e9;
        let others = until.others_since(&from);
        let cpu = (server.cpu()?.saturating_sub(cpu_before)).as_secs_f64();
        Ok(Sample {
            deliveries_per_second: (until.count.arrivals - from.count.arrivals) as f64 / window,
            latency: until.count.latency,
            answers: sent.answers,
            cpu_us_per_delivery: cpu * 1e6 / (last.arrivals - before.arrivals).max(1) as f64,
            other_cores: others.as_secs_f64() / window,
            catch_up_seconds: catch_up.as_secs_f64(),
            accepted: sent.accepted,
            lost: missing(&before, &last, sent.accepted, &endpoints),
            refused: sent.refused,
        })
    }

    fn generate(&self, order: Order) -> anyhow::Result<Part> {
        let order = Order { first: self.next_number, ..order };
        Part::start(&["generator", &serde_json::to_string(&order)?])
    }

    async fn mark(&mut self, server: &Process, generator: &Part) -> anyhow::Result<Mark> {
        let count = self.receiver.ask().await?;
        let own = Process::own_cpu()?;
        let children = [server, &generator.process, &self.receiver.process];
        let cpu = children.into_iter().map(Process::cpu).sum::<anyhow::Result<Duration>>()?;
        Ok(Mark { count, own_cpu: own + cpu, all_cpu: process::machine_cpu()? })
    }

    /// Waits until everything accepted has arrived, or nothing does any more.
    async fn drain(
        &mut self,
        before: &Count,
        accepted: u64,
        endpoints: &Range<usize>,
    ) -> anyhow::Result<Count> {
        let mut moved = clock::now();
        let mut last: Count = self.receiver.ask().await?;
        while missing(before, &last, accepted, endpoints) > 0 && moved.elapsed() < STILL {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now: Count = self.receiver.ask().await?;
            if now.arrivals > last.arrivals {
                moved = clock::now();
            }
            last = now;
        }
        Ok(last)
    }
}

/// The state of things at an end of the measured part.
#[derive(Debug)]
struct Mark {
    count: Count,
    own_cpu: Duration,
    all_cpu: Duration,
}

impl Mark {
    /// CPU time that none of our processes used since then.
    fn others_since(&self, from: &Self) -> Duration {
        let ours = self.own_cpu.saturating_sub(from.own_cpu);
        self.all_cpu.saturating_sub(from.all_cpu).saturating_sub(ours)
    }
}

/// Deliveries that did not arrive, over all the endpoints.
fn missing(before: &Count, now: &Count, accepted: u64, endpoints: &Range<usize>) -> u64 {
    let arrived = |count: &Count, endpoint| count.distinct.get(&endpoint).copied().unwrap_or(0);
    let missing =
        |endpoint| accepted.saturating_sub(arrived(now, endpoint) - arrived(before, endpoint));
    endpoints.clone().map(missing).sum()
}

impl Sample {
    /// The sample in a line, for who waits.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:>6.0}/s, arrival p50 {:.2} p99 {:.2} ms, answer p50 {:.2} p99 {:.2} ms, \
             {:.1} us CPU, caught up in {:.1} s, others {:.2} cores, refused {}, lost {}",
            self.deliveries_per_second,
            self.latency.p50_ms,
            self.latency.p99_ms,
            self.answers.p50_ms,
            self.answers.p99_ms,
            self.cpu_us_per_delivery,
            self.catch_up_seconds,
            self.other_cores,
            self.refusals(),
            self.lost
        )
    }

    pub(crate) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}
