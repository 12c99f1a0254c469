//! `postrider replay`: resends requests that `postrider listen` forwarded.

use std::{collections::VecDeque, process::ExitCode, time::Duration};

use clap::Args;
use url::Url;

use super::{
    listen::{
        self,
        desk::{ANSWER_BYTES, Desk},
        record::{Kept, Record},
        shown,
        state::Folder,
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
    folder: Folder,
}

const EXAMPLES: &str = "\
Examples:
  postrider replay
  postrider replay --list
  postrider replay --last 3 --forward localhost:4000/webhooks";

impl Replay {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let record = listen::record(&self.folder)?;
        let chosen = self.choose(&record)?;
        if self.list {
            chosen.iter().try_for_each(|kept| output::line(row(kept)))?;
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
            for kept in chosen {
                let forward = forward.clone().map_or_else(|| kept.forward.parse(), Ok)?;
                let desk = Desk { forward, record: record.clone() };
                let (reply, _) = desk.try_out(&kept.request, ANSWER_BYTES).await?;
                all_succeeded &= (200..300).contains(&reply.status);
            }
            Ok(if all_succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    fn choose(&self, record: &Record) -> anyhow::Result<VecDeque<Kept>> {
        let limit = self.last.unwrap_or(if self.list { LISTED } else { 1 });
        let mut chosen = VecDeque::new();
        record.visit(|kept| {
            if self.id.as_ref().is_none_or(|id| kept.request.id == *id) {
                chosen.push_back(kept);
            }
            if chosen.len() > limit {
                chosen.pop_front();
            }
        })?;
        Ok(chosen)
    }
}

/// Id, time, method, path, event type, size, status.
fn row(kept: &Kept) -> String {
    let Kept { at, request, event_type, status, .. } = kept;
    format!(
        "{}  {}  {} /{}  {}  {}  → {status}",
        shown::plain(&request.id),
        shown::time(Duration::from_millis(*at)),
        shown::plain(&request.method),
        shown::plain(&request.target),
        shown::plain(event_type.as_deref().unwrap_or("-")),
        shown::size(&request.body),
    )
}
