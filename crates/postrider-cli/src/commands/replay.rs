//! `postrider replay`: resends requests that `postrider listen` forwarded.

use std::{collections::VecDeque, process::ExitCode, time::Duration};

use clap::Args;
use postrider::listen::DEFAULT_RESPONSE_BYTES;
use url::Url;

use super::{
    listen::{
        self,
        forwarder::Forwarder,
        render,
        request_log::{LoggedRequest, RequestLog},
        state::StateFolder,
    },
    target::http_url,
};
use crate::{failure::Advice, output};

/// Requests that --list shows without --last.
const LISTED: usize = 20;

/// Resends requests that `postrider listen` forwarded
///
/// Requests are sent byte for byte, with their original signatures: receivers reject them once
/// they are older than the provider's tolerance.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Replay {
    /// Request to resend, by its id in --list [default: the last one]
    #[arg(conflicts_with_all = ["last", "list"])]
    id: Option<String>,
    /// Resend the last N requests, oldest first
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// List the last requests instead of resending them
    #[arg(long)]
    list: bool,
    /// URL to send to [default: the original URL of each request]
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Option<Url>,
    #[command(flatten)]
    folder: StateFolder,
}

const EXAMPLES: &str = "\
Examples:
  postrider replay
  postrider replay --list
  postrider replay --last 3 --forward localhost:4000/webhooks";

impl Replay {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let log = listen::request_log(&self.folder)?;
        let chosen = self.choose(&log)?;
        if self.list {
            chosen.iter().try_for_each(|logged| output::line(row(logged)))?;
            return Ok(ExitCode::SUCCESS);
        }
        if chosen.is_empty() {
            return Err(Advice {
                message: self.id.map_or_else(
                    || "no requests were forwarded yet".to_owned(),
                    |id| format!("there is no request `{id}`"),
                ),
                hint: "`postrider replay --list` lists the requests".to_owned(),
                source: None,
            }
            .into());
        }
        let forward = self.forward;
        super::on_runtime(async move {
            let mut all_succeeded = true;
            for logged in chosen {
                let forward = forward.clone().map_or_else(|| logged.forward.parse(), Ok)?;
                let forwarder = Forwarder { forward, log: log.clone() };
                let request = &logged.request;
                let (response, _) = forwarder.forward(request, DEFAULT_RESPONSE_BYTES).await?;
                all_succeeded &= (200..300).contains(&response.status);
            }
            Ok(if all_succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    fn choose(&self, log: &RequestLog) -> anyhow::Result<VecDeque<LoggedRequest>> {
        let limit = self.last.unwrap_or(if self.list { LISTED } else { 1 });
        let mut chosen = VecDeque::new();
        log.visit(|logged| {
            if self.id.as_ref().is_none_or(|id| logged.request.id == *id) {
                chosen.push_back(logged);
            }
            if chosen.len() > limit {
                chosen.pop_front();
            }
        })?;
        Ok(chosen)
    }
}

/// Id, time, method, path, event type, size, status.
fn row(logged: &LoggedRequest) -> String {
    let LoggedRequest { at, request, event_type, status, .. } = logged;
    format!(
        "{}  {}  {} /{}  {}  {}  → {status}",
        render::plain(&request.id),
        render::time(Duration::from_millis(*at)),
        render::plain(&request.method),
        render::plain(&request.target),
        render::plain(event_type.as_deref().unwrap_or("-")),
        render::size(&request.body),
    )
}
