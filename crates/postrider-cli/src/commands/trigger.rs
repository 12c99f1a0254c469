//! `postrider trigger`: a genuine event of any provider, or one that must be refused.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use postrider::provider::{self, Draft, Provider, Signed, sample};
use url::Url;

use super::{
    check::forge,
    duration, now, on_runtime,
    provider::{Cast, Keys, Reaction, Sender, cast, find, outgoing, send},
    signature::read,
    target::http_url,
};
use crate::{failure::unknown, output};

const FAILED: u8 = 1;
/// How long an answer may take if nothing is said.
const PATIENCE: &str = "30s";
/// How far behind a stale event was signed.
const STALE_SECONDS: u64 = 24 * 60 * 60;

/// Sends an event as a provider would: genuine and rightly signed, or so that it must be
/// refused. Exits with 0 if the receiver does as it must, with 1 if not, with 2 if the call is
/// wrong.
#[derive(Args, Debug)]
pub(crate) struct Trigger {
    /// Provider to play, as `postrider providers` names it
    #[arg(required_unless_present = "list")]
    provider: Option<String>,
    /// Kind of event [default: the provider's first sample]
    event: Option<String>,
    /// List the kinds of events that there are samples of
    #[arg(long)]
    list: bool,
    /// URL of the receiver
    #[arg(long, value_name = "URL", required_unless_present = "list", value_parser = http_url)]
    to: Option<Url>,
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    twist: Twist,
    /// File with the body to send instead of a sample, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Moment of signing in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIXTIME")]
    now: Option<u64>,
    /// How long the answer may take
    #[arg(long, value_name = "DURATION", default_value = PATIENCE, value_parser = duration)]
    timeout: Duration,
}

/// What is done to the event.
#[derive(Args, Debug)]
#[group(multiple = false)]
struct Twist {
    /// Change the body after signing; the receiver must answer 4xx
    #[arg(long)]
    tamper: bool,
    /// Sign it as of yesterday; the receiver must answer 4xx
    #[arg(long)]
    stale: bool,
    /// Send it twice; the receiver must answer 2xx both times
    #[arg(long)]
    duplicate: bool,
}

impl Trigger {
    pub(crate) fn run(self) -> ExitCode {
        let done = if self.list { self.list() } else { on_runtime(self.play()) };
        done.unwrap_or_else(|error| unknown(&error))
    }

    fn list(&self) -> anyhow::Result<ExitCode> {
        let text = if let Some(name) = &self.provider {
            sample::events(find(name)?).join("\n")
        } else {
            let line = |it: &Provider| format!("{}: {}", it.id, sample::events(it).join(", "));
            provider::all().iter().map(line).collect::<Vec<_>>().join("\n")
        };
        output::line(text)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn play(self) -> anyhow::Result<ExitCode> {
        let name = self.provider.as_deref().context("expected a provider")?;
        let url = self.to.clone().context("expected --to")?;
        let Cast { sender, notice } = cast(find(name)?, &self.keys, url)?;
        let signed = self.signed(&sender)?;
        if let Some(notice) = notice {
            output::line(notice)?;
        }
        let times = if self.twist.duplicate { 2 } else { 1 };
        for _ in 0..times {
            output::text(&question(&signed))?;
            let reaction = send(outgoing(&signed)?, self.timeout).await;
            output::text(&answer(&reaction))?;
            if !self.is_right(&reaction) {
                output::line(format_args!("the receiver must answer {}", self.expected()))?;
                return Ok(ExitCode::from(FAILED));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn is_forged(&self) -> bool {
        self.twist.tamper || self.twist.stale
    }

    fn is_right(&self, reaction: &Reaction) -> bool {
        reaction.result.as_ref().is_ok_and(|answer| {
            if self.is_forged() {
                answer.status.is_client_error()
            } else {
                answer.status.is_success()
            }
        })
    }

    fn expected(&self) -> &'static str {
        if self.is_forged() { "4xx to this event" } else { "2xx to a genuine event" }
    }

    /// A sample, or the body that is given, with the headers of a sample if there is one.
    fn draft(&self, sender: &Sender, time: u64) -> anyhow::Result<Draft> {
        let event = self.event.as_deref();
        let Some(path) = &self.body else { return sender.draft(event, time) };
        let sample = sender.draft(event, time).unwrap_or_else(|_| Draft {
            url: sender.url.to_string(),
            event_type: self.event.clone(),
            ..Draft::default()
        });
        Ok(Draft { body: read(path)?, ..sample })
    }

    fn signed(&self, sender: &Sender) -> anyhow::Result<Signed> {
        let now = self.now.map_or_else(|| now().map(|it| it.as_secs()), Ok)?;
        let time = if self.twist.stale { now.saturating_sub(STALE_SECONDS) } else { now };
        let draft = self.draft(sender, time)?;
        let signed = sender.signed(draft, time)?;
        let is_refused = |it: &Signed| sender.verdict(it, now).is_err();
        let provider = &sender.provider.name;
        if self.twist.stale {
            anyhow::ensure!(is_refused(&signed), "{provider} does not sign the time");
        }
        if self.twist.tamper {
            return forge::tampered(&signed, is_refused)
                .with_context(|| format!("{provider} does not sign the body"));
        }
        Ok(signed)
    }
}

/// What is sent, with a mark before each line.
fn question(signed: &Signed) -> String {
    let head = format!("{} {}", signed.method, signed.url);
    let fields = signed.headers.iter();
    let fields = fields.map(|(name, value)| format!("{}: {value}", titled(name)));
    let lines = std::iter::once(head).chain(fields).chain([String::new()]);
    marked('>', lines.chain(shown(&signed.body)))
}

/// The name of a header as it is sent: `Content-Type`.
fn titled(name: &str) -> String {
    let mut is_first = true;
    name.chars()
        .map(|letter| {
            let letter = if is_first { letter.to_ascii_uppercase() } else { letter };
            is_first = letter == '-';
            letter
        })
        .collect()
}

/// What came back, likewise.
fn answer(reaction: &Reaction) -> String {
    let time = reaction.time.as_millis();
    match &reaction.result {
        Ok(answer) => {
            let head = format!("{} in {time} ms", answer.status);
            let fields = answer.headers.iter().map(|(name, value)| {
                format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
            });
            let lines = std::iter::once(head).chain(fields).chain([String::new()]);
            marked('<', lines.chain(shown(&answer.body)))
        },
        Err(failure) => {
            let cause = std::error::Error::source(failure);
            let cause = cause.map(|it| format!(": {it}")).unwrap_or_default();
            marked('<', std::iter::once(format!("no answer: {failure}{cause}")))
        },
    }
}

fn shown(body: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(body).lines().map(str::to_owned).collect()
}

fn marked(mark: char, lines: impl Iterator<Item = String>) -> String {
    // A control character of a receiver's answer must not reach the terminal.
    let clean = |it: &char| !it.is_control() || *it == '\t';
    let lines = lines.map(|line| {
        let line: String = line.chars().filter(clean).collect();
        format!("{mark} {line}").trim_end().to_owned()
    });
    format!("{}\n", lines.collect::<Vec<_>>().join("\n"))
}
