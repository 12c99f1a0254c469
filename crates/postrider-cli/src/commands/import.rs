//! `postrider import`: takes over applications, endpoints and messages from another system.

mod convoy;
mod credential;
mod diff;
mod fields;
mod hook0;
mod hookdeck;
mod http;
mod legacy;
mod messages;
mod model;
mod outpost;
mod progress;
mod report;
mod retry;
mod run;
mod snapshot;
mod source;
mod state;
mod svix;
mod svix_db;
mod target;

use std::{cell::RefCell, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use url::Url;

use self::{
    credential::text_or_file,
    http::{Api, Side},
    legacy::{ConvoyArgs, Hook0Args, HookdeckArgs, OutpostArgs},
    report::Report,
    run::Plan,
    source::Source,
    svix::Svix,
    svix_db::{FromDatabaseArgs, SvixDb},
    target::Target,
};
use super::{api::ApiArgs, duration, target::http_url};
use crate::{
    client,
    failure::{self, Advice, usage},
    output,
};

/// The systems to import from.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Imports from the API of Svix, or of another Postrider
    #[command(after_help = SVIX_EXAMPLES)]
    Svix(SvixArgs),
    /// Imports from the PostgreSQL of the open-source Svix server
    ///
    /// The database is only read, and the server may run. Unlike its API, it contains private keys,
    /// secrets that were rotated and the values of all headers.
    #[command(after_help = SVIX_DB_EXAMPLES)]
    SvixDb(SvixDbArgs),
    /// Imports a project of Convoy
    #[command(after_help = legacy::CONVOY_EXAMPLES)]
    Convoy(ConvoyArgs),
    /// Imports the tenants of Outpost
    #[command(after_help = legacy::OUTPOST_EXAMPLES)]
    Outpost(OutpostArgs),
    /// Imports applications of Hook0
    #[command(after_help = legacy::HOOK0_EXAMPLES)]
    Hook0(Hook0Args),
    /// Imports a project of Hookdeck Event Gateway
    #[command(after_help = legacy::HOOKDECK_EXAMPLES)]
    Hookdeck(HookdeckArgs),
}

const SVIX_EXAMPLES: &str = "\
Examples:
  postrider import svix --from https://api.eu.svix.com --from-token @svix-token --dry-run
  postrider import svix --from https://api.eu.svix.com --from-token @svix-token --messages 30d
  postrider import svix --from http://old-postrider:8071 --from-token @token --app acme

Exit codes:
  0  everything was imported
  1  the import was interrupted, or the server refused a record
  2  the command line is wrong";

const SVIX_DB_EXAMPLES: &str = "\
Examples:
  postrider import svix-db --from postgres://svix@db/svix --main-secret @main-secret --dry-run
  postrider import svix-db --from postgres://svix@db/svix --messages 30d --report report.json

The exit codes are those of `postrider import svix`.";

/// What to import, and what to write.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Import only this application, by uid or id in the source; can be repeated
    #[arg(long, value_name = "APP")]
    app: Vec<String>,
    /// Also import messages that are not older than this, without delivering them
    #[arg(long, value_name = "AGE", value_parser = duration)]
    messages: Option<Duration>,
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
pub(crate) struct FromApiArgs {
    /// URL of the system to import from
    #[arg(long, value_name = "URL", value_parser = http_url)]
    from: Url,
    /// Token for it, or @FILE to read the token from a file
    #[arg(long, value_name = "TOKEN|@FILE", env = "POSTRIDER_FROM_TOKEN", hide_env_values = true)]
    from_token: String,
}

impl FromApiArgs {
    fn api(&self) -> anyhow::Result<Api> {
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

/// Another system's API, and what to import from it.
#[derive(Args, Debug)]
pub(crate) struct SvixArgs {
    #[command(flatten)]
    from: FromApiArgs,
    #[command(flatten)]
    import: ImportArgs,
}

/// The database of a Svix server, and what to import from it.
#[derive(Args, Debug)]
pub(crate) struct SvixDbArgs {
    #[command(flatten)]
    from: FromDatabaseArgs,
    #[command(flatten)]
    import: ImportArgs,
}

impl ImportCommand {
    pub(crate) fn run(self, target: &ApiArgs) -> anyhow::Result<ExitCode> {
        match self {
            Self::Svix(SvixArgs { from, import }) => {
                let source = Svix::new(from.api()?);
                super::on_runtime(import.run(&source, target))
            },
            Self::SvixDb(SvixDbArgs { from, import }) => super::on_runtime(async {
                let source = SvixDb::open(from).await?;
                import.run(&source, target).await
            }),
            Self::Convoy(args) => args.run(target),
            Self::Outpost(args) => args.run(target),
            Self::Hook0(args) => args.run(target),
            Self::Hookdeck(args) => args.run(target),
        }
    }
}

impl ImportArgs {
    /// Imports from the source, and prints what was done.
    async fn run(self, source: &impl Source, target: &ApiArgs) -> anyhow::Result<ExitCode> {
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
