//! The command line: all commands, and which code runs each.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    arguments::ServerArgs,
    commands::{
        alert::AlertCommand,
        api::{
            ApiArgs, alert::Alerts, application::ApplicationCommand, attempt::AttemptCommand,
            connector::ConnectorCommand, consumer::ConsumerCommand, endpoint::EndpointCommand,
            event_type::EventTypeCommand, key::KeyCommand, message::MessageCommand, poll::Poll,
            send::Send, source::SourceCommand, task::TaskCommand,
        },
        apply::Apply,
        backup::Backup,
        check::Check,
        config::PrintConfig,
        console::Console,
        copy::Copy,
        demo, dev,
        export::Export,
        health::Health,
        import::ImportCommand,
        listen::Listen,
        manual::Manual,
        mcp::Mcp,
        migrate::Migrate,
        providers::Providers,
        replay::Replay,
        salvage::Salvage,
        serve,
        sign::Sign,
        token::TokenCommand,
        trigger::Trigger,
        verify::Verify,
        verify_data::VerifyData,
    },
    output,
};

/// Webhook gateway in a single binary: sends, receives, verifies and retries webhooks
#[derive(Debug, Parser)]
#[command(
    name = "postrider",
    version,
    arg_required_else_help = true,
    after_help = "Start with `postrider dev`. `postrider <COMMAND> --help` describes a command."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServerArgs),
    /// Starts a trial server with a sample application, an inbox and a curl command
    ///
    /// Deliveries may reach this machine, `listen` works without a token, and only warnings are
    /// logged. The data folder is the same as that of `postrider serve`.
    Dev(ServerArgs),
    /// Starts a server with an example shop and prints the URL of its page
    ///
    /// A button on the page sends a signed Stripe event to the server. The event becomes a row of a
    /// database, an e-mail, a chat message, a call to a partner and an update of the page. The
    /// mail server and the other services are part of the command. Without --data, the data is
    /// stored in ./postrider-demo, apart from that of `postrider serve`.
    Demo(ServerArgs),
    Console(Console),
    /// Creates API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Signs a body as Standard Webhooks specifies and prints the headers
    Sign(Sign),
    Verify(Verify),
    /// Lists the supported webhook providers, or describes one
    Providers(Providers),
    Trigger(Trigger),
    Check(Check),
    /// Prints the effective configuration as TOML, without secrets
    Config(PrintConfig),
    /// Prints the OpenAPI 3.1 description of the API
    Openapi,
    Migrate(Migrate),
    Health(Health),
    /// Tries the alerts of the server
    #[command(subcommand)]
    Alert(AlertCommand),
    Alerts(Alerts),
    Backup(Backup),
    VerifyData(VerifyData),
    Salvage(Salvage),
    Copy(Copy),
    /// Imports applications, endpoints and messages from another system
    ///
    /// What exists is updated, so a second import changes nothing. To resume an interrupted
    /// import, run the same command again.
    Import {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: Box<ImportCommand>,
    },
    Apply(Apply),
    Export(Export),
    Mcp(Mcp),
    /// Publishes an event
    Send(Send),
    Poll(Box<Poll>),
    /// Manages applications, the customers that receive events
    App {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: ApplicationCommand,
    },
    /// Manages endpoints, the URLs that events are delivered to
    Endpoint {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: EndpointCommand,
    },
    /// Manages event types
    EventType {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: EventTypeCommand,
    },
    /// Publishes and inspects messages, the accepted events
    Message {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: MessageCommand,
    },
    /// Inspects and repeats attempts, the HTTP calls to endpoints
    Attempt {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: AttemptCommand,
    },
    /// Manages sources, the URLs that providers send webhooks to
    Source {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: Box<SourceCommand>,
    },
    /// Manages connectors, the transformations that your customers can choose
    Connector {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: ConnectorCommand,
    },
    /// Manages consumers, the queues that messages are read from
    Consumer {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: ConsumerCommand,
    },
    /// Manages API keys, which have a name, a role and an expiry
    Key {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Shows and cancels background tasks, such as recoveries
    Task {
        #[command(flatten)]
        api: ApiArgs,
        #[command(subcommand)]
        command: TaskCommand,
    },
    /// Forwards webhooks from a server to a program on this machine
    Listen(Box<Listen>),
    Replay(Replay),
    /// Prints a shell completion script
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Shell to print the script for
        shell: Shell,
    },
    Manual(Manual),
}

const SERVE_EXAMPLES: &str = "\
Examples:
  postrider serve
  postrider serve --listen 0.0.0.0:8071 --data /var/lib/postrider
  postrider serve --database-url postgres://user:password@host/database";

const COMPLETIONS_EXAMPLES: &str = "\
Example:
  postrider completions bash > ~/.local/share/bash-completion/completions/postrider";

impl Cli {
    /// Runs the command and returns the exit code of the process.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(server) => return serve::run(server),
            Command::Dev(server) => return dev::run(server),
            Command::Demo(server) => return demo::run(server),
            Command::Openapi => output::text(&postrider_server::openapi())?,
            Command::Console(console) => console.run()?,
            Command::Token(command) => command.run()?,
            Command::Sign(sign) => sign.run()?,
            Command::Verify(verify) => return Ok(verify.run()),
            Command::Providers(providers) => return providers.run(),
            Command::Trigger(trigger) => return Ok(trigger.run()),
            Command::Check(check) => return Ok(check.run()),
            Command::Config(config) => config.run()?,
            Command::Backup(backup) => backup.run()?,
            Command::VerifyData(verify) => return Ok(verify.run()),
            Command::Salvage(salvage) => return Ok(salvage.run()),
            Command::Migrate(migrate) => return migrate.run(),
            Command::Copy(copy) => return copy.run(),
            Command::Import { api, command } => return command.run(&api),
            Command::Apply(apply) => return apply.run(),
            Command::Mcp(mcp) => mcp.run()?,
            Command::Export(export) => export.run()?,
            Command::Send(send) => send.run()?,
            Command::Poll(poll) => poll.run()?,
            Command::App { api, command } => api.run(command.request()?)?,
            Command::Endpoint { api, command } => return command.run(&api),
            Command::EventType { api, command } => api.run(command.request()?)?,
            Command::Message { api, command } => api.run(command.request()?)?,
            Command::Attempt { api, command } => api.run(command.request()?)?,
            Command::Source { api, command } => command.run(&api)?,
            Command::Connector { api, command } => api.run(command.request()?)?,
            Command::Consumer { api, command } => api.run(command.request()?)?,
            Command::Key { api, command } => api.run(command.request())?,
            Command::Task { api, command } => api.run(command.request())?,
            Command::Listen(listen) => return listen.run(),
            Command::Replay(replay) => return replay.run(),
            Command::Health(health) => health.run()?,
            Command::Alert(command) => command.run()?,
            Command::Alerts(alerts) => alerts.run()?,
            Command::Manual(manual) => manual.run(Self::command())?,
            Command::Completions { shell } => {
                let mut command = Self::command();
                clap_complete::generate(shell, &mut command, "postrider", &mut std::io::stdout());
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}
