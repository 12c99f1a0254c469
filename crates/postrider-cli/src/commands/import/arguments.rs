//! The arguments that several imports have in common.

use std::{cell::RefCell, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use url::Url;

use super::{
    credential::text_or_file,
    http::{Api, Side},
    report::Report,
    run::{self, Plan},
    source::Source,
    target::Target,
};
use crate::{
    client,
    commands::{api::ApiArgs, duration, target::http_url},
    failure::{self, Advice, usage},
    output,
};

/// What to import, and what to write.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Import only this application, by uid or id in the source; can be repeated
    #[arg(long, value_name = "APP")]
    pub(super) app: Vec<String>,
    /// Also import messages that are not older than this, without delivering them
    #[arg(long, value_name = "AGE", value_parser = duration)]
    pub(super) messages: Option<Duration>,
    /// Change nothing; show what would be created and updated. Messages are not read
    #[arg(long)]
    dry_run: bool,
    /// Create applications in shadow mode: their messages are recorded, and not sent
    #[arg(long)]
    shadow: bool,
    /// Write a report as JSON to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// File with the progress of messages, to resume an interrupted import
    #[arg(long, value_name = "FILE", default_value = "postrider-import.json")]
    state: PathBuf,
}

/// A system whose API is read with a token.
#[derive(Args, Debug)]
pub(super) struct FromApiArgs {
    /// URL of the system to import from
    #[arg(long, value_name = "URL", value_parser = http_url)]
    from: Url,
    /// Token for it, or @FILE to read the token from a file
    #[arg(long, value_name = "TOKEN|@FILE", env = "POSTRIDER_FROM_TOKEN", hide_env_values = true)]
    from_token: String,
}

impl FromApiArgs {
    pub(super) fn api(&self) -> anyhow::Result<Api> {
        let token = text_or_file(&self.from_token)?;
        let token = client::token(Some(&token)).ok_or_else(|| {
            usage(Advice {
                message: "--from-token is empty".to_owned(),
                hint: "set it to a token of the system that you import from".to_owned(),
                source: None,
            })
        })?;
        Api::new(Side::Source, &self.from, &token)
    }
}

impl ImportArgs {
    /// Imports from the source, and prints what was done.
    pub(super) async fn run(
        self,
        source: &impl Source,
        target: &ApiArgs,
    ) -> anyhow::Result<ExitCode> {
        let Self { app, messages, dry_run, shadow, report: file, state } = self;
        let server = target.client()?;
        let api = Api::new(Side::Target, &server.url, &server.token)?;
        let into = Target::new(api, dry_run, shadow);
        let plan = Plan { applications: app, messages, dry_run, state };
        let report = RefCell::new(Report::new(source.location(), into.location(), dry_run));
        let result = run::run(source, &into, &plan, &report).await;
        let report = report.into_inner();
        let json = serde_json::to_string_pretty(&report)?;
        if let Some(file) = file {
            fs::write(&file, &json).with_context(|| file.display().to_string())?;
        }
        if target.wants_json() {
            output::line(json)?;
        } else {
            output::text(&report.text())?;
        }
        match result {
            Err(error) => Ok(failure::report(&error)),
            Ok(()) if report.has_failures() => Ok(ExitCode::FAILURE),
            Ok(()) => Ok(ExitCode::SUCCESS),
        }
    }
}
