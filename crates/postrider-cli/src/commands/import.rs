//! `postrider import`: takes over applications, endpoints and messages from another system.

mod arguments;
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

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::{
    arguments::{FromApiArgs, ImportArgs},
    legacy::{ConvoyArgs, Hook0Args, HookdeckArgs, OutpostArgs},
    svix::Svix,
    svix_db::{FromDatabaseArgs, SvixDb},
};
use super::api::ApiArgs;

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
