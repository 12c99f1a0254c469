//! `postrider endpoint`.

mod authentication;
mod filter;
mod polling;
mod signing;
mod transform;
mod trial;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use postrider::api::{FilterTestIn, destination::SkipIn};
use serde_json::json;

use self::authentication::{AuthCommand, MtlsCommand, OauthCommand};
use self::polling::PollingCommand;
use self::signing::SigningArgs;
use self::transform::TransformArgs;
use super::{
    ApiArgs, ApiRequest, PageArgs,
    code::TrialArgs,
    fields::Fields,
    paths::{ApplicationPath, EndpointPath},
};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    /// Lists the endpoints of an application
    List {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows an endpoint
    Get(EndpointPath),
    /// Creates an endpoint
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        check: CheckFlag,
    },
    /// Changes the given fields
    #[command(after_help = "Example:\n  postrider endpoint update acme main disabled:=true")]
    Update {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        check: CheckFlag,
    },
    /// Replaces all fields
    Replace {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
        #[command(flatten)]
        check: CheckFlag,
    },
    /// Deletes an endpoint
    Delete(EndpointPath),
    /// Shows the signing secret
    Secret(EndpointPath),
    /// Creates a new signing secret; the old one also signs for another 24 h
    Rotate(EndpointPath),
    /// Sets how requests are signed, for receivers that verified the webhooks of another system
    #[command(after_help = signing::EXAMPLES)]
    Signing {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Shows the custom headers of an endpoint
    Headers(EndpointPath),
    /// Sets the credential of every request: basic, bearer or a header
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Sets how access tokens of OAuth 2.0 are fetched
    #[command(subcommand)]
    Oauth(OauthCommand),
    /// Sets the client certificate
    #[command(subcommand)]
    Mtls(MtlsCommand),
    /// Manages the tokens and consumers of endpoints of the kind `polling`
    #[command(subcommand)]
    Polling(PollingCommand),
    /// Counts deliveries by status
    Stats(EndpointPath),
    /// Resends failed and cancelled deliveries, with one attempt each
    #[command(after_help = RECOVER_EXAMPLE)]
    Recover {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Resend deliveries of messages accepted at or after this time
        #[arg(long, value_name = "TIMESTAMP")]
        since: String,
        /// Run the whole retry schedule again if an attempt fails
        #[arg(long)]
        retry: bool,
    },
    /// Stops deliveries; messages wait until `resume`
    Pause(EndpointPath),
    /// Continues deliveries after `pause`
    Resume(EndpointPath),
    /// Shows the next message that waits for the endpoint
    NextEvent(EndpointPath),
    /// Shows the last message that was delivered
    LastAckedEvent(EndpointPath),
    /// Skips the next message, or all up to one
    ///
    /// The deliveries of these messages to the endpoint are cancelled.
    #[command(after_help = SKIP_EXAMPLES)]
    Skip {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Id of the last message to skip [default: the next one]
        #[arg(long, value_name = "MESSAGE")]
        until: Option<String>,
    },
    /// Retries waiting messages now, without waiting for their time
    ForceRetry(EndpointPath),
    /// Delivers a test message at once, and shows what was done
    ///
    /// Nothing is stored or retried, and filters, order and rate do not apply. The exit code is 1 if
    /// the message was not delivered.
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Event type, such as invoice.paid [default: svix.ping]
        #[arg(long, value_name = "NAME")]
        event_type: Option<String>,
        /// JSON payload, @FILE, or - for standard input [default: the event type's example]
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
    },
    /// Checks whether the endpoint can be reached; delivers nothing
    ///
    /// The exit code is 1 if it cannot be reached.
    Check(EndpointPath),
    /// Shows the transformation of an endpoint; values of variables are masked
    Transformation(EndpointPath),
    /// Changes the transformation of an endpoint
    #[command(after_help = TRANSFORM_EXAMPLES)]
    Transform {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        change: TransformArgs,
    },
    /// Runs code on a payload as if it were the endpoint's transformation; sends nothing
    #[command(after_help = SIMULATE_EXAMPLE)]
    Simulate {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        trial: TrialArgs,
    },
    /// Explains why the endpoint gets a message, or does not
    #[command(after_help = "Example:\n  postrider endpoint explain acme main evt-1042")]
    Explain {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Message, by id or event id
        message: String,
    },
    /// Tries a filter on the latest messages of the application; changes nothing
    #[command(after_help = FILTER_EXAMPLES)]
    TestFilter {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Filter, an expression in CEL [default: the endpoint's own filter]
        filter: Option<String>,
        /// Number of messages, at most 1000
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u16,
    },
    /// Sends the example payload of an event type
    SendExample {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Event type, such as invoice.paid
        event_type: String,
    },
}

/// Whether to save an endpoint that cannot be reached.
#[derive(Args, Debug)]
pub(crate) struct CheckFlag {
    /// Refuse the endpoint if it cannot be reached now
    #[arg(long)]
    check: bool,
}

impl CheckFlag {
    fn apply(&self, call: Call) -> Call {
        call.query("check", self.check.then(|| "true".to_owned()))
    }
}

const CREATE_EXAMPLES: &str = "\
Examples:
  postrider endpoint create acme url=https://example.com/webhooks uid=main
  postrider endpoint create acme url=localhost:3000 'filterTypes:=[\"invoice.paid\"]'
  postrider endpoint create acme url=localhost:3000 filter='payload.amount > 100'
  postrider endpoint create acme kind=postgres config:=@db.json --check
  postrider endpoint create acme kind=slack 'config:={\"url\": \"https://hooks.slack.com/…\"}'

docs/endpoints describes each kind and its config.";

const FILTER_EXAMPLES: &str = "\
Examples:
  postrider endpoint test-filter acme main 'payload.amount > 100'
  postrider endpoint test-filter acme main --limit 1000

docs/filters.md describes the language.";

const TEST_EXAMPLES: &str = "\
Examples:
  postrider endpoint test acme main
  postrider endpoint test acme main --event-type invoice.paid --payload @invoice.json";

const TRANSFORM_EXAMPLES: &str = "\
Examples:
  postrider endpoint transform acme main --code slack.js --variable CHANNEL=sales --enable
  postrider endpoint transform acme main --disable";

const SIMULATE_EXAMPLE: &str = "\
Example:
  postrider endpoint simulate acme main --code slack.js --event-type invoice.paid \\
      --payload '{\"id\": \"in_1\"}'";

const RECOVER_EXAMPLE: &str = "\
Example:
  postrider endpoint recover acme main --since 2026-01-31T12:00:00Z";

const SKIP_EXAMPLES: &str = "\
Examples:
  postrider endpoint skip acme main
  postrider endpoint skip acme main --until msg_2b7sY5bNzGsR2nqyJnV8hWkXz3a";

const COLUMNS: &[&str] = &["id", "uid", "kind", "url", "disabled", "description", "createdAt"];

/// Fields whose value is a URL to call.
const URL_FIELDS: &[&str] = &["url"];

impl EndpointCommand {
    /// Runs the command. A test or a check that failed has the exit code 1.
    pub(crate) fn run(self, api: &ApiArgs) -> anyhow::Result<ExitCode> {
        let is_trial = matches!(self, Self::Test { .. } | Self::Check(_));
        let is_filter = matches!(self, Self::TestFilter { .. });
        let is_polling = matches!(self, Self::Polling(_));
        let columns = if is_polling { polling::COLUMNS } else { COLUMNS };
        let call = self.call()?;
        if is_trial {
            trial::run(api, call)
        } else if is_filter {
            filter::run(api, call)
        } else {
            let request = ApiRequest { call, columns };
            api.run(request).map(|()| ExitCode::SUCCESS)
        }
    }

    fn call(self) -> anyhow::Result<Call> {
        Ok(match self {
            Self::List { app, page } => page.apply(app.call(Method::GET, &["endpoint"])),
            Self::Create { app, fields, check } => {
                let call = check.apply(app.call(Method::POST, &["endpoint"]));
                call.body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Get(endpoint) => endpoint.call(Method::GET, &[]),
            Self::Update { endpoint, fields, check } => {
                let call = check.apply(endpoint.call(Method::PATCH, &[]));
                call.body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Replace { endpoint, fields, check } => {
                let call = check.apply(endpoint.call(Method::PUT, &[]));
                call.body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Delete(endpoint) => endpoint.call(Method::DELETE, &[]),
            Self::Secret(endpoint) => endpoint.call(Method::GET, &["secret"]),
            Self::Rotate(endpoint) => endpoint.call(Method::POST, &["secret", "rotate"]).body("{}"),
            Self::Signing { endpoint, signing } => signing.call(&endpoint)?,
            Self::Headers(endpoint) => endpoint.call(Method::GET, &["headers"]),
            Self::Transformation(endpoint) => endpoint.call(Method::GET, &["transformation"]),
            Self::Transform { endpoint, change } => {
                endpoint.call(Method::PATCH, &["transformation"]).body(change.body()?)
            },
            Self::Simulate { endpoint, trial } => {
                endpoint.call(Method::POST, &["transformation", "simulate"]).body(trial.body()?)
            },
            Self::Auth(command) => command.call()?,
            Self::Oauth(command) => command.call()?,
            Self::Mtls(command) => command.call()?,
            Self::Polling(command) => command.call(),
            Self::Stats(endpoint) => endpoint.call(Method::GET, &["stats"]),
            Self::Recover { endpoint, since, retry } => {
                let body = json!({ "since": since, "retry": retry }).to_string();
                endpoint.call(Method::POST, &["recover"]).body(body)
            },
            Self::Test { endpoint, event_type, payload } => {
                endpoint.call(Method::POST, &["test"]).body(trial::body(event_type, payload)?)
            },
            Self::Pause(endpoint) => paused(&endpoint, true),
            Self::Resume(endpoint) => paused(&endpoint, false),
            Self::NextEvent(endpoint) => endpoint.call(Method::GET, &["next-event"]),
            Self::LastAckedEvent(endpoint) => endpoint.call(Method::GET, &["last-acked-event"]),
            Self::Skip { endpoint, until } => {
                let body = serde_json::to_vec(&SkipIn { iterator: until })?;
                endpoint.call(Method::POST, &["skip"]).body(body)
            },
            Self::ForceRetry(endpoint) => endpoint.call(Method::POST, &["force-retry"]).body("{}"),
            Self::Check(endpoint) => endpoint.call(Method::POST, &["check"]),
            Self::Explain { endpoint, message } => {
                endpoint.call(Method::GET, &["msg", &message, "explanation"])
            },
            Self::TestFilter { endpoint, filter, limit } => {
                let body = FilterTestIn { filter, limit: Some(limit) };
                let body = serde_json::to_vec(&body)?;
                endpoint.call(Method::POST, &["filter", "test"]).body(body)
            },
            Self::SendExample { endpoint, event_type } => {
                let body = json!({ "eventType": event_type }).to_string();
                endpoint.call(Method::POST, &["send-example"]).body(body)
            },
        })
    }
}

fn paused(endpoint: &EndpointPath, is_paused: bool) -> Call {
    endpoint.call(Method::PATCH, &[]).body(json!({ "paused": is_paused }).to_string())
}
