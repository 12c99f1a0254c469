//! A request as it is shown.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use maud::{Markup, html};
use postrider::{
    listen::RelayedRequest,
    provider::{self, Headers, Provider, Request, Settings, VerifyError},
};

use super::guess;
use crate::{
    context::Context,
    page::Tone,
    site::join,
    ui::{self, Icon, badge, code, quoted},
};

/// What requests are verified with.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The chosen provider; none to recognize it.
    pub(super) provider: Option<&'static Provider>,
    pub(super) settings: Settings,
    /// The URL that senders use.
    pub(super) url: String,
}

/// A request whose body was decoded.
struct Received<'a> {
    request: &'a RelayedRequest,
    provider: Option<&'static Provider>,
    body: Vec<u8>,
    url: String,
}

pub(super) fn shown(context: &Context, verifier: &Verifier, request: &RelayedRequest) -> Markup {
    let now = (context.shared.settings.clock)();
    let target = request.target.trim_start_matches('/');
    let received = Received {
        provider: verifier.provider.or_else(|| guess::provider_of(&request.headers)),
        body: STANDARD.decode(&request.body).unwrap_or_default(),
        url: format!("{}{target}", verifier.url),
        request,
    };
    let verified = received.verify(verifier, now);
    html! {
        details.rejection.request open {
            summary {
                strong { (request.method) }
                span.rejection-reason { (received.title()) }
                (verdict(verified.as_ref()))
                (ui::time(context, now))
            }
            div.stack {
                (received.explanation(context, verified.as_ref()))
                (received.content())
            }
        }
    }
}

fn verdict(verified: Option<&Result<(), String>>) -> Markup {
    match verified {
        Some(Ok(())) => badge(Tone::Good, Icon::Check, "Verified"),
        Some(Err(_)) => badge(Tone::Bad, Icon::Cross, "Not verified"),
        None => html! { span {} },
    }
}

impl Received<'_> {
    /// Whether the request verifies; none without a secret or a provider.
    fn verify(&self, verifier: &Verifier, now: Timestamp) -> Option<Result<(), String>> {
        let provider = self.provider.filter(|_| !verifier.settings.secrets.is_empty())?;
        let headers: Vec<_> = self
            .request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            method: &self.request.method,
            url: &self.url,
            headers: Headers(&headers),
            body: &self.body,
        };
        let now = u64::try_from(now.as_second()).unwrap_or_default();
        let verified = provider::verify(provider, &verifier.settings, &request, now);
        Some(verified.map(drop).map_err(|it| reason(&it)))
    }

    fn title(&self) -> String {
        let target = if self.request.target.is_empty() { "/" } else { &self.request.target };
        match self.provider {
            Some(provider) => format!("{target} · {}", provider.name),
            None => target.to_owned(),
        }
    }

    fn explanation(&self, context: &Context, verified: Option<&Result<(), String>>) -> Markup {
        match (self.provider, verified) {
            (Some(it), Some(Ok(()))) => ui::notice(
                Tone::Good,
                &html! {
                    "Signed by " (it.name) " with this secret. "
                    a href=(context.link(&join(&["sources", "new", &it.id]))) { "Create a source" } " to receive such requests permanently."
                },
            ),
            (Some(it), Some(Err(reason))) => ui::notice(
                Tone::Bad,
                &html! { "Not verified as a request of " (it.name) ": " (reason) "." },
            ),
            (Some(it), None) => {
                html! { p.hint { "Looks like a request of " (it.name) ". Enter the secret to verify it." } }
            },
            (None, _) => html! { p.hint { "It has no signature of a known provider." } },
        }
    }

    fn content(&self) -> Markup {
        html! {
            (code::block("Headers", &ui::text::headers(&self.request.headers)))
            @if self.body.is_empty() { p.soft { "The body is empty." } }
            @else { (code::json("Body", &String::from_utf8_lossy(&self.body), None)) }
            details {
                summary { "Repeat it with curl" }
                (code::block("curl", &self.curl()))
            }
        }
    }

    /// A command that sends the request to a program on this machine.
    fn curl(&self) -> String {
        let mut command = format!(
            "curl -X {} {}",
            self.request.method,
            quoted(&format!(
                "http://localhost:3000/{}",
                self.request.target.trim_start_matches('/')
            ))
        );
        let headers = self.request.headers.iter().filter(|it| it.0 != "x-forwarded-host");
        for (name, value) in headers {
            command.push_str(" \\\n  -H ");
            command.push_str(&quoted(&[name, ": ", value].concat()));
        }
        match std::str::from_utf8(&self.body) {
            Ok("") => command,
            Ok(text) => format!("{command} \\\n  --data-binary {}", quoted(text)),
            Err(_) => {
                format!("base64 -d <<< {} | {command} \\\n  --data-binary @-", self.request.body)
            },
        }
    }
}

fn reason(error: &VerifyError) -> String {
    if matches!(error, VerifyError::KeyNeeded(_)) {
        return "the key has to be fetched from the provider, which only a source does".to_owned();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_quoted_texts_as_they_are() {
        assert_eq!(quoted("a 'b' $c"), r"'a '\''b'\'' $c'");
    }

    #[test]
    fn the_command_repeats_the_request() {
        let request = RelayedRequest {
            method: "POST".to_owned(),
            target: "/x?a=1".to_owned(),
            headers: [("content-type".to_owned(), "text/plain".to_owned())].into(),
            ..RelayedRequest::default()
        };
        let received = Received {
            request: &request,
            provider: None,
            body: b"hi".to_vec(),
            url: String::new(),
        };
        let expected = "curl -X POST 'http://localhost:3000/x?a=1' \\\n  -H 'content-type: text/plain' \\\n  --data-binary 'hi'";
        assert_eq!(received.curl(), expected);
    }
}
