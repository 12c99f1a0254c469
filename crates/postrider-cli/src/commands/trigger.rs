//! `postrider trigger`: sends a sample event of a provider, genuine or forged.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use postrider::provider::{self, Provider, SignedRequest, UnsignedRequest, sample};
use url::Url;

use super::{
    duration, now, on_runtime,
    provider::{
        PreparedSender, SecretArgs, Sender, TimedResult, find, mutate, outgoing, prepare, send,
    },
    target::http_url,
};
use crate::{failure::usage_error, input::read_file_or_stdin, output};

const FAILED: u8 = 1;
const DEFAULT_TIMEOUT: &str = "30s";
/// Age of the signature of a stale event.
const STALE_SECONDS: u64 = 24 * 60 * 60;

/// Sends a sample event, signed as the provider signs
///
/// Prints the request and the response. Exits with 0 if the receiver responds as it should, with 1
/// if not, and with 2 if the arguments are wrong.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Trigger {
    /// Provider, as listed by `postrider providers`
    #[arg(required_unless_present = "list")]
    provider: Option<String>,
    /// Event type [default: the provider's first sample]
    event: Option<String>,
    /// List the event types with samples, of all providers or of one
    #[arg(long)]
    list: bool,
    /// URL of the receiver, such as localhost:3000/webhooks
    #[arg(long, value_name = "URL", required_unless_present = "list", value_parser = http_url)]
    to: Option<Url>,
    #[command(flatten)]
    secrets: SecretArgs,
    #[command(flatten)]
    variant: Variant,
    /// File with the body to send instead of a sample, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Time of signing in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIXTIME")]
    now: Option<u64>,
    /// How long the response may take
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_TIMEOUT, value_parser = duration)]
    timeout: Duration,
}

/// How the event differs from a genuine one that is sent once.
#[derive(Args, Debug)]
#[group(multiple = false)]
struct Variant {
    /// Change the body after signing; the receiver must respond with 4xx
    #[arg(long)]
    tamper: bool,
    /// Sign with yesterday's timestamp; the receiver must respond with 4xx
    #[arg(long)]
    stale: bool,
    /// Send the event twice; the receiver must respond with 2xx both times
    #[arg(long)]
    duplicate: bool,
}

const EXAMPLES: &str = "\
Examples:
  postrider trigger stripe --to localhost:3000/webhooks --secret whsec_…
  postrider trigger github push --to localhost:3000/webhooks --secret-file secret.txt --tamper
  postrider trigger --list stripe";

impl Trigger {
    pub(crate) fn run(self) -> ExitCode {
        let done = if self.list { self.list() } else { on_runtime(self.send()) };
        done.unwrap_or_else(|error| usage_error(&error))
    }

    fn list(&self) -> anyhow::Result<ExitCode> {
        let text = if let Some(name) = &self.provider {
            sample::event_types(find(name)?).join("\n")
        } else {
            let line = |it: &Provider| format!("{}: {}", it.id, sample::event_types(it).join(", "));
            provider::all().iter().map(line).collect::<Vec<_>>().join("\n")
        };
        output::line(text)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn send(self) -> anyhow::Result<ExitCode> {
        let name = self.provider.as_deref().context("expected a provider")?;
        let url = self.to.clone().context("expected --to")?;
        let PreparedSender { sender, notice } = prepare(find(name)?, &self.secrets, url)?;
        let signed = self.signed(&sender)?;
        if let Some(notice) = notice {
            output::line(notice)?;
        }
        let times = if self.variant.duplicate { 2 } else { 1 };
        for _ in 0..times {
            output::text(&render_request(&signed))?;
            let result = send(outgoing(&signed)?, self.timeout).await;
            output::text(&render_response(&result))?;
            if !self.is_expected(&result) {
                output::line(format_args!("the receiver must respond with {}", self.expected()))?;
                return Ok(ExitCode::from(FAILED));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn is_forged(&self) -> bool {
        self.variant.tamper || self.variant.stale
    }

    fn is_expected(&self, result: &TimedResult) -> bool {
        result.result.as_ref().is_ok_and(|response| {
            if self.is_forged() {
                response.status.is_client_error()
            } else {
                response.status.is_success()
            }
        })
    }

    fn expected(&self) -> &'static str {
        if self.is_forged() { "4xx to this event" } else { "2xx to a genuine event" }
    }

    /// A sample, or the given body with the headers of a sample if there is one.
    fn draft(&self, sender: &Sender, time: u64) -> anyhow::Result<UnsignedRequest> {
        let event = self.event.as_deref();
        let Some(path) = &self.body else { return sender.draft(event, time) };
        let sample = sender.draft(event, time).unwrap_or_else(|_| UnsignedRequest {
            url: sender.url.to_string(),
            event_type: self.event.clone(),
            ..UnsignedRequest::default()
        });
        Ok(UnsignedRequest { body: read_file_or_stdin(path)?, ..sample })
    }

    fn signed(&self, sender: &Sender) -> anyhow::Result<SignedRequest> {
        let now = self.now.map_or_else(|| now().map(|it| it.as_secs()), Ok)?;
        let time = if self.variant.stale { now.saturating_sub(STALE_SECONDS) } else { now };
        let draft = self.draft(sender, time)?;
        let signed = sender.sign(draft, time)?;
        let is_rejected = |request: &SignedRequest| sender.verify(request, now).is_err();
        let provider = &sender.provider.name;
        if self.variant.stale {
            anyhow::ensure!(is_rejected(&signed), "{provider} does not sign a timestamp");
        }
        if self.variant.tamper {
            return mutate::tamper_body(&signed, is_rejected)
                .with_context(|| format!("{provider} does not sign the body"));
        }
        Ok(signed)
    }
}

/// The request with `>` before each line.
fn render_request(signed: &SignedRequest) -> String {
    let head = format!("{} {}", signed.method, signed.url);
    let fields = signed.headers.iter();
    let fields = fields.map(|(name, value)| format!("{}: {value}", title_case(name)));
    let lines = std::iter::once(head).chain(fields).chain([String::new()]);
    prefixed('>', lines.chain(body_lines(&signed.body)))
}

/// A header name as it is sent: `Content-Type`.
fn title_case(name: &str) -> String {
    let mut is_first = true;
    name.chars()
        .map(|character| {
            let character = if is_first { character.to_ascii_uppercase() } else { character };
            is_first = character == '-';
            character
        })
        .collect()
}

/// The response with `<` before each line.
fn render_response(result: &TimedResult) -> String {
    let millis = result.duration.as_millis();
    match &result.result {
        Ok(response) => {
            let head = format!("{} in {millis} ms", response.status);
            let fields = response.headers.iter().map(|(name, value)| {
                format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
            });
            let lines = std::iter::once(head).chain(fields).chain([String::new()]);
            prefixed('<', lines.chain(body_lines(&response.body)))
        },
        Err(error) => {
            let cause = std::error::Error::source(error);
            let cause = cause.map(|it| format!(": {it}")).unwrap_or_default();
            prefixed('<', std::iter::once(format!("no response: {error}{cause}")))
        },
    }
}

fn body_lines(body: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(body).lines().map(str::to_owned).collect()
}

fn prefixed(prefix: char, lines: impl Iterator<Item = String>) -> String {
    // Control characters in a receiver's response must not reach the terminal.
    let is_printable = |it: &char| !it.is_control() || *it == '\t';
    let lines = lines.map(|line| {
        let line: String = line.chars().filter(is_printable).collect();
        format!("{prefix} {line}").trim_end().to_owned()
    });
    format!("{}\n", lines.collect::<Vec<_>>().join("\n"))
}
