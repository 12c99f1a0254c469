//! `postrider check`: whether a receiver does what receivers should.

pub(crate) mod forge;
mod lab;
mod practice;
mod report;
mod trials;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::time::Instant;
use url::Url;

use self::{
    lab::Lab,
    practice::{ALL, Practice},
    report::{Entry, Tally},
};
use super::{duration, on_runtime, provider::Playing, target::http_url};
use crate::{
    exchange,
    failure::{Advice, unknown},
    output,
};

const FAILED: u8 = 1;

/// Tries a receiver against good practice: sends it genuine events and others, and tells what
/// to mend. Exits with 0 if it does everything right, with 1 if not, with 2 if it cannot be
/// tried.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// URL of the receiver
    #[arg(value_parser = http_url)]
    url: Url,
    #[command(flatten)]
    playing: Playing,
    /// Kind of event to send [default: the provider's first sample]
    #[arg(long, value_name = "TYPE")]
    event: Option<String>,
    /// Try only these practices, with commas between their names
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = practice)]
    only: Vec<&'static Practice>,
    /// How long an answer may take [default: as long as the provider waits, else 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// File to write the report to as `JUnit` XML, which CI servers read
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

fn practice(name: &str) -> Result<&'static Practice, String> {
    ALL.iter().find(|it| it.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|it| it.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

impl Check {
    pub(crate) fn run(self) -> ExitCode {
        let done = on_runtime(async { Box::pin(self.check()).await });
        done.unwrap_or_else(|error| unknown(&error))
    }

    async fn check(self) -> anyhow::Result<ExitCode> {
        let Self { url, playing, event, only, timeout, junit } = self;
        let cast = playing.cast(url)?;
        let lab = Lab::new(cast.sender, event, timeout);
        lab.rehearse()?;
        exchange::reach(&lab.sender.url, lab.patience).await.map_err(|it| unreachable(&it))?;
        let provider = lab.sender.provider;
        output::line(format_args!("checking {} as {}", lab.sender.url, provider.name))?;
        if let Some(notice) = cast.notice {
            output::line(notice)?;
        }
        let mut entries = Vec::new();
        for practice in ALL {
            if !only.is_empty() && !only.iter().any(|it| it.name == practice.name) {
                continue;
            }
            let start = Instant::now();
            let finding = Box::pin(lab.run(practice.trial)).await?;
            let entry = Entry { practice, finding, time: start.elapsed() };
            output::text(&report::text(&entry))?;
            entries.push(entry);
        }
        let tally = Tally::of(&entries);
        output::line(report::summary(tally))?;
        if let Some(path) = junit {
            let suite = format!("postrider.check.{}", provider.id);
            fs::write(&path, report::junit(&suite, &entries))
                .with_context(|| path.display().to_string())?;
        }
        Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

fn unreachable(failure: &exchange::NoAnswer) -> Advice {
    Advice {
        message: failure.to_string(),
        hint: "start the receiver, and give the URL at which it takes webhooks".to_owned(),
        source: std::error::Error::source(failure).map(|it| anyhow::anyhow!("{it}")),
    }
}
