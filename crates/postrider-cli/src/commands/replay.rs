//! `postrider replay`: sends again what `postrider listen` passed on.

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

/// Requests that a list shows, if it is not said how many.
const LISTED: usize = 20;

/// Sends requests again that were passed on, byte for byte. Signatures are as old as the
/// requests: receivers refuse them once they are older than the provider allows.
#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// Request, as --list names it [default: the last one]
    #[arg(conflicts_with_all = ["last", "list"])]
    id: Option<String>,
    /// Send the last requests again, the oldest of them first
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// List the last requests instead of sending them
    #[arg(long)]
    list: bool,
    /// Send to this URL [default: where each was sent first]
    #[arg(long, value_name = "URL", value_parser = http_url)]
    forward: Option<Url>,
    #[command(flatten)]
    folder: StateFolder,
}

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
                    || "nothing was passed on yet".to_owned(),
                    |id| format!("there is no request `{id}`"),
                ),
                hint: "`postrider replay --list` shows what there is".to_owned(),
                source: None,
            }
            .into());
        }
        let forward = self.forward;
        super::on_runtime(async move {
            let mut is_fine = true;
            for logged in chosen {
                let forward = forward.clone().map_or_else(|| logged.forward.parse(), Ok)?;
                let forwarder = Forwarder { forward, log: log.clone() };
                let request = &logged.request;
                let (response, _) = forwarder.forward(request, DEFAULT_RESPONSE_BYTES).await?;
                is_fine &= (200..300).contains(&response.status);
            }
            Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    fn choose(&self, log: &RequestLog) -> anyhow::Result<VecDeque<LoggedRequest>> {
        let most = self.last.unwrap_or(if self.list { LISTED } else { 1 });
        let mut chosen = VecDeque::new();
        log.visit(|logged| {
            if self.id.as_ref().is_none_or(|id| logged.request.id == *id) {
                chosen.push_back(logged);
            }
            if chosen.len() > most {
                chosen.pop_front();
            }
        })?;
        Ok(chosen)
    }
}

/// Id, time, method, what follows the URL, event type, size, status.
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
