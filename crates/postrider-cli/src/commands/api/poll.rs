//! `postrider poll`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::sleep;

use super::ApiArgs;
use crate::{
    client::{Call, Client},
    commands::{duration, on_runtime},
    failure::Advice,
    output,
};

/// Pause between polls when there is nothing new.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the messages of a polling endpoint
///
/// Prints a line of JSON for each message. After it has printed a batch, it commits the batch, so
/// that the next run goes on behind it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Poll {
    #[command(flatten)]
    api: ApiArgs,
    /// Application, by id or uid
    app: String,
    /// Endpoint of the kind `polling`, by id or uid
    endpoint: String,
    /// Name of the consumer, whose progress the server keeps
    #[arg(long, value_name = "NAME")]
    consumer: String,
    /// Wait for more messages until the command is interrupted
    #[arg(long)]
    follow: bool,
    /// Print one batch and leave it uncommitted
    #[arg(long, conflicts_with = "follow")]
    no_commit: bool,
    /// Begin with the next message instead of the oldest one, if the consumer is new
    #[arg(long)]
    latest: bool,
    /// Most messages of a batch, at most 250
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u16,
    /// For how long no other client gets the messages of a batch
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    lease: Duration,
}

const EXAMPLES: &str = "\
Examples:
  postrider poll acme events --consumer worker
  postrider poll acme events --consumer worker --follow | while read -r message; do …; done";

/// A batch of messages.
#[derive(Deserialize)]
struct Batch {
    data: Vec<Box<RawValue>>,
    done: bool,
}

#[derive(Deserialize)]
struct Offset {
    offset: u64,
}

impl Poll {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let client = self.api.client()?;
        on_runtime(self.poll(&client))
    }

    async fn poll(&self, client: &Client) -> anyhow::Result<()> {
        loop {
            let Some(batch) = self.next(client).await? else {
                sleep(PAUSE).await;
                continue;
            };
            for message in &batch.data {
                output::line(message)?;
            }
            if self.no_commit {
                return Ok(());
            }
            if let Some(last) = batch.data.last() {
                self.commit(client, last).await?;
            }
            if batch.done {
                if !self.follow {
                    return Ok(());
                }
                sleep(PAUSE).await;
            }
        }
    }

    /// The next batch; none if another client has messages of the consumer, and to follow means to
    /// wait for it.
    async fn next(&self, client: &Client) -> anyhow::Result<Option<Batch>> {
        let start = self.latest.then(|| "latest".to_owned());
        let call = Call::new(Method::GET, &self.path())
            .query("limit", Some(self.limit.to_string()))
            .query("lease_duration_ms", Some(self.lease.as_millis().to_string()))
            .query("starting_position", start);
        let (status, body) = client.ask(call).await?;
        if status == StatusCode::CONFLICT && self.follow {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(refused(status, &body).into());
        }
        serde_json::from_slice(&body).context("the server's response is not JSON").map(Some)
    }

    async fn commit(&self, client: &Client, last: &RawValue) -> anyhow::Result<()> {
        let Offset { offset } =
            serde_json::from_str(last.get()).context("a message has no offset")?;
        let path = self.path();
        let path: Vec<_> = path.into_iter().chain(["commit"]).collect();
        let body = json!({ "offset": offset }).to_string();
        client.call(Call::new(Method::POST, &path).body(body)).await.map(drop)
    }

    fn path(&self) -> [&str; 6] {
        ["app", &self.app, "polling-endpoint", &self.endpoint, "consumer", &self.consumer]
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Advice {
    let detail = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let message = match detail["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("the server responded with {status}"),
    };
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "set POSTRIDER_TOKEN to the token of the endpoint, from \
                                     `postrider endpoint polling token`"
        },
        StatusCode::CONFLICT => "wait, use --follow, or read with another --consumer",
        _ => "`postrider openapi` describes the API",
    };
    Advice { message, hint: hint.to_owned(), source: None }
}
