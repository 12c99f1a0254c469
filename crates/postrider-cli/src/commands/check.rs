//! `postrider check`: tests whether a receiver follows best practices.

mod cases;
mod report;
mod rules;
mod tester;

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::time::Instant;
use url::Url;

use self::{
    report::{Counts, Entry},
    rules::Rule,
    tester::Tester,
};
use super::{
    duration, on_runtime,
    provider::{ProviderArgs, find, prepare},
    target::http_url,
};
use crate::{
    exchange::{self, CallError},
    failure::{Advice, usage_error},
    output,
};

const FAILED: u8 = 1;

/// Tests a webhook receiver against best practices
///
/// Sends genuine, forged, repeated and malformed events, and reports how to fix what fails. Exits
/// with 0 if everything passes, with 1 if something fails, and with 2 if the receiver cannot be
/// tested.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// URL of the receiver, such as localhost:3000/webhooks
    #[arg(value_parser = http_url)]
    url: Url,
    #[command(flatten)]
    provider: ProviderArgs,
    /// Event type to send [default: the provider's first sample]
    #[arg(long, value_name = "EVENT_TYPE")]
    event: Option<String>,
    /// Test only these rules, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = rules::find)]
    only: Vec<&'static Rule>,
    /// How long a response may take [default: as long as the provider waits, or 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Also write the report to this file as JUnit XML, for CI servers
    #[expect(clippy::doc_markdown, reason = "a help text has no backticks")]
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  postrider check localhost:3000/webhooks --provider stripe --secret whsec_…
  postrider check localhost:3000/webhooks --provider github --secret-file secret.txt --only stale";

impl Check {
    pub(crate) fn run(self) -> ExitCode {
        let done = on_runtime(async { Box::pin(self.check()).await });
        done.unwrap_or_else(|error| usage_error(&error))
    }

    async fn check(self) -> anyhow::Result<ExitCode> {
        let Self { url, provider, event, only, timeout, junit } = self;
        let prepared = prepare(find(&provider.provider)?, &provider.secrets, url)?;
        let tester = Tester::new(prepared.sender, event, timeout);
        tester.check_genuine_event()?;
        exchange::reach(&tester.sender.url, tester.timeout).await.map_err(|it| unreachable(&it))?;
        let provider = tester.sender.provider;
        output::line(format_args!("checking {} as {}", tester.sender.url, provider.name))?;
        if let Some(notice) = prepared.notice {
            output::line(notice)?;
        }
        let entries = run_rules(&tester, &only).await?;
        let counts = Counts::of(&entries);
        output::line(report::summary(counts))?;
        if let Some(path) = junit {
            let suite = format!("postrider.check.{}", provider.id);
            fs::write(&path, report::junit(&suite, &entries))
                .with_context(|| path.display().to_string())?;
        }
        Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

/// Tests the chosen rules, or all, and prints each result immediately.
async fn run_rules(tester: &Tester, only: &[&Rule]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for rule in rules::ALL {
        if !only.is_empty() && !only.iter().any(|it| it.name == rule.name) {
            continue;
        }
        let start = Instant::now();
        let finding = Box::pin(tester.run(rule.case)).await?;
        let entry = Entry { rule, finding, duration: start.elapsed() };
        output::text(&report::text(&entry))?;
        entries.push(entry);
    }
    Ok(entries)
}

fn unreachable(error: &CallError) -> Advice {
    Advice {
        message: error.to_string(),
        hint: "start the receiver, and check the URL".to_owned(),
        source: std::error::Error::source(error).map(|it| anyhow::anyhow!("{it}")),
    }
}
