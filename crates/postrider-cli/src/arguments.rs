//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    commands::{
        self,
        api::{self, Server},
    },
    config::Overrides,
};

/// Webhooks in one binary: accepts events, delivers them signed, retries until they arrive.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What every command about what is stored has in common.
const NAMING: &str =
    "Applications and endpoints are named by their id or uid, messages by their id or event id.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server
    Serve(ServerArguments),
    /// Runs a server to try things: with an application, an inbox, and a line to paste
    Dev(ServerArguments),
    /// Makes tokens for the API
    #[command(subcommand)]
    Token(commands::token::Token),
    /// Signs a body after Standard Webhooks, and prints the headers
    Sign(commands::signature::Sign),
    /// Verifies a request of any provider, or one of ours: exits with 0 if it is valid, 1 if not,
    /// 2 if that is unknown
    Verify(commands::verify::Verify),
    /// Lists the providers whose webhooks can be verified, or tells all about one
    Providers(commands::providers::Providers),
    /// Sends an event as a provider would, genuine or not
    Trigger(commands::trigger::Trigger),
    /// Tries a receiver against good practice, and tells what to mend
    Check(commands::check::Check),
    /// Prints the effective configuration as TOML, with the secrets hidden
    Config(commands::config::Arguments),
    /// Prints the description of the API (OpenAPI 3.1)
    Openapi,
    /// Brings the database's schema up to date, which a server also does when it starts
    Migrate(ConfigArguments),
    /// Copies the data folder, also while its server runs
    Backup(commands::backup::Backup),
    /// Moves an installation to another store: from a data folder to a database, or back
    Copy(commands::copy::Copy),
    /// Publishes an event
    Send(api::message::Send),
    /// Applications: the customers that events are for
    #[command(after_help = NAMING)]
    App {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: api::application::Application,
    },
    /// Endpoints: the URLs that events are delivered to
    #[command(after_help = NAMING)]
    Endpoint {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: api::endpoint::Endpoint,
    },
    /// Event types: the kinds of events there are
    EventType {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: api::event_type::EventType,
    },
    /// Messages: the events that were accepted
    #[command(after_help = NAMING)]
    Message {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: api::message::Message,
    },
    /// Attempts: the calls to endpoints
    #[command(after_help = NAMING)]
    Attempt {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: api::attempt::Attempt,
    },
    /// Sources: the URLs that providers post to
    #[command(after_help = "Sources are named by their id or uid.")]
    Source {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        command: Box<api::source::Source>,
    },
    /// Passes webhooks on to a program on this machine, from a server that providers reach
    Listen(Box<commands::listen::Listen>),
    /// Sends again what `listen` passed on
    Replay(commands::replay::Replay),
    /// Prints a script that completes this command's words in a shell
    Completions { shell: Shell },
}

/// Where the configuration comes from; see `postrider config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArguments {
    /// Configuration file [default: postrider.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Folder that holds everything that is stored
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// PostgreSQL server that holds everything instead of the folder
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Sets any key of the configuration; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What a server is started with.
#[derive(Args, Debug)]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Starts although the data folder has lost data, and goes on without what is missing
    #[arg(long)]
    pub accept_loss: bool,
}

impl ConfigArguments {
    pub(crate) fn overrides(self) -> Overrides {
        let Self { config, listen, data, database_url, set } = self;
        Overrides { file: config, listen, data_dir: data, database_url, set }
    }
}
