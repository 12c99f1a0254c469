//! Writes to a service as fast as one connection of a plain client can: what the benchmark
//! compares endpoints with. It uses none of Postrider's senders.
//!
//! `prepare KIND CONFIG` creates what an endpoint needs, such as a queue. `write KIND CONFIG
//! SECONDS PAYLOAD` writes, and prints how much as JSON. The configuration is that of an endpoint.

mod aws;
mod brokers;
mod databases;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Rows of a statement, or messages in flight.
const BATCH: usize = 1_000;

const EVENT_TYPE: &str = "bench.live";

/// A run: until when it writes, and what.
struct Run {
    config: Value,
    payload: String,
    until: Instant,
    next: u64,
}

/// One message.
struct Message {
    id: String,
    timestamp: String,
    payload: String,
}

impl Run {
    /// The next messages, while there is time.
    #[expect(clippy::disallowed_methods, reason = "it measures")]
    fn batch(&mut self) -> Option<Vec<Message>> {
        if Instant::now() >= self.until {
            return None;
        }
        let first = self.next;
        self.next += u64::try_from(BATCH).ok()?;
        Some((first..self.next).map(|number| self.message(number)).collect())
    }

    fn message(&self, number: u64) -> Message {
        Message {
            id: format!("msg_{number:022}"),
            timestamp: "2026-01-01T00:00:00Z".to_owned(),
            payload: self.payload.clone(),
        }
    }

    fn text(&self, field: &str) -> Result<&str> {
        text(&self.config, field)
    }
}

impl Message {
    /// The row's JSON.
    fn event(&self) -> String {
        let Self { id, timestamp, payload } = self;
        format!(
            r#"{{"id":"{id}","type":"{EVENT_TYPE}","timestamp":"{timestamp}","payload":{payload}}}"#
        )
    }
}

fn text<'a>(config: &'a Value, field: &str) -> Result<&'a str> {
    config[field].as_str().ok_or_else(|| format!("the configuration has no `{field}`").into())
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn main() -> Result {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["prepare", kind, config] => prepare(kind, &serde_json::from_str(config)?).await,
        ["write", kind, config, seconds, payload] => {
            let started = Instant::now();
            let mut run = Run {
                config: serde_json::from_str(config)?,
                payload: (*payload).to_owned(),
                until: started + Duration::from_secs_f64(seconds.parse()?),
                next: 0,
            };
            write(kind, &mut run).await?;
            let seconds = started.elapsed().as_secs_f64();
            let result =
                json!({ "written": run.next, "seconds": seconds, "cpu_seconds": cpu_seconds()? });
            show(&result.to_string());
            Ok(())
        },
        _ => Err("prepare KIND CONFIG, or write KIND CONFIG SECONDS PAYLOAD".into()),
    }
}

async fn prepare(kind: &str, config: &Value) -> Result {
    match kind {
        "nats" => brokers::create_stream(config).await,
        "rabbitmq" => brokers::declare_queue(config).await,
        "sqs" => aws::create_queue(config).await,
        "sns" => aws::create_topic(config).await,
        _ => Ok(()),
    }
}

async fn write(kind: &str, run: &mut Run) -> Result {
    match kind {
        "postgres" => databases::postgres(run).await,
        "mysql" => databases::mysql(run).await,
        "sqlite" => databases::sqlite(run),
        "redis" => brokers::redis(run).await,
        "nats" => brokers::nats(run).await,
        "rabbitmq" => brokers::rabbitmq(run).await,
        "mqtt" => brokers::mqtt(run).await,
        "kafka" => brokers::kafka(run).await,
        _ => Err(format!("there is no plain client for `{kind}`").into()),
    }
}

/// User and system time of this process, which the kernel counts in hundredths of a second.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let times = fields.get(11..13).ok_or("/proc/self/stat is too short")?;
    let ticks = times.iter().map(|it| it.parse::<f64>()).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}

#[expect(clippy::print_stdout, reason = "the result of a command line tool")]
fn show(text: &str) {
    println!("{text}");
}
