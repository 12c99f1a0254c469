//! `postrider replay`: sends again what `postrider listen` passed on.

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
    folder: Folder,
}

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
            for kept in chosen {
                let forward = forward.clone().map_or_else(|| kept.forward.parse(), Ok)?;
                let desk = Desk { forward, record: record.clone() };
                let (reply, _) = desk.try_out(&kept.request, ANSWER_BYTES).await?;
                is_fine &= (200..300).contains(&reply.status);
            }
            Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    fn choose(&self, record: &Record) -> anyhow::Result<VecDeque<Kept>> {
        let most = self.last.unwrap_or(if self.list { LISTED } else { 1 });
        let mut chosen = VecDeque::new();
        record.visit(|kept| {
            if self.id.as_ref().is_none_or(|id| kept.request.id == *id) {
                chosen.push_back(kept);
            }
            if chosen.len() > most {
                chosen.pop_front();
            }
        })?;
        Ok(chosen)
    }
}

/// Id, time, method, what follows the URL, event type, size, status.
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
