//! How each rule is tested.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use postrider::provider::{SignedRequest, UnsignedRequest};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    report::Finding,
    rules::TestCase,
    tester::{
        Tester, describe_error, excerpt, expect_accepted, expect_no_server_error, expect_rejected,
        expect_unsupported, seconds,
    },
};
use crate::{
    commands::provider::{TimedResult, mutate, outgoing, outgoing_with_body, send},
    exchange::{Body, CallError, HeaderCase, Outgoing},
};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// More than any provider sends.
const HUGE_BYTES: usize = 32 * 1024 * 1024;
const LONG_TIMEOUT: Duration = Duration::from_secs(30);
const SLOW_SENDERS: usize = 32;
/// Time for slow senders to start, and their pause between two bytes.
const SLOW_PAUSE: Duration = Duration::from_millis(250);
const PROBES_WHILE_SLOW: usize = 3;
const CONCURRENT: usize = 64;
const CHUNKS: usize = 4;

impl Tester {
    pub(super) async fn run(&self, case: TestCase) -> anyhow::Result<Finding> {
        match case {
            TestCase::Genuine => self.genuine().await,
            TestCase::Tampered => {
                self.forged(Self::tampered, "the signature does not cover the body").await
            },
            TestCase::Unsigned => {
                self.forged(Self::unsigned, "the signature cannot be removed from the request")
                    .await
            },
            TestCase::WrongSecret => {
                self.forged(Self::wrong_secret, "no other secret can be generated").await
            },
            TestCase::Stale => {
                self.forged(Self::stale, "the signature does not cover a timestamp").await
            },
            TestCase::Future => {
                self.forged(Self::future, "the signature does not cover a timestamp").await
            },
            TestCase::SameRejection => self.same_rejection().await,
            TestCase::Duplicate => self.duplicate().await,
            TestCase::HeaderCase => self.header_case().await,
            TestCase::Chunked => self.chunked().await,
            TestCase::Rotation => self.rotation().await,
            TestCase::WrongMethod => self.wrong_method().await,
            TestCase::ContentType => self.content_type().await,
            TestCase::BadJson => self.bad_body(b"{\"id\": \"evt_1\", \"type\":").await,
            TestCase::BadText => self.bad_body(b"{\"id\": \"\xff\xfe\"}").await,
            TestCase::Huge => self.huge().await,
            TestCase::Slow => self.slow().await,
            TestCase::Concurrent => self.concurrent().await,
            TestCase::Alive => self.send_genuine_event().await,
        }
    }

    async fn genuine(&self) -> anyhow::Result<Finding> {
        let signed = self.genuine_event()?;
        let result = self.send(&signed).await?;
        let finding = expect_accepted(&result);
        let expected = self.sender.expected_response(&signed, seconds()?).body;
        let (Finding::Passed(_), Ok(response)) = (&finding, &result.result) else {
            return Ok(finding);
        };
        if expected.is_empty() || response.body.trim_ascii() == expected.trim_ascii() {
            return Ok(finding);
        }
        Ok(Finding::Failed(format!(
            "responded with {}{}, but {} expects the text `{}`",
            response.status.as_u16(),
            excerpt(response),
            self.sender.provider.name,
            String::from_utf8_lossy(&expected),
        )))
    }

    fn tampered(&self, time: u64) -> Option<SignedRequest> {
        mutate::tamper_body(&self.event_signed_at(time).ok()?, |it| self.is_rejected(it, time))
    }

    fn unsigned(&self, time: u64) -> Option<SignedRequest> {
        mutate::remove_signature(&self.event_signed_at(time).ok()?, |it| self.is_rejected(it, time))
    }

    fn wrong_secret(&self, time: u64) -> Option<SignedRequest> {
        let draft = self.sender.draft(None, time).ok()?;
        self.sender.wrong_key_sender()?.sign(draft, time).ok()
    }

    fn stale(&self, time: u64) -> Option<SignedRequest> {
        self.event_signed_at(time.saturating_sub(DAY_SECONDS)).ok()
    }

    fn future(&self, time: u64) -> Option<SignedRequest> {
        self.event_signed_at(time + DAY_SECONDS).ok()
    }

    /// Sends a request that a receiver must reject, if this provider's requests allow it.
    async fn forged(
        &self,
        create: impl Fn(&Self, u64) -> Option<SignedRequest>,
        skip_reason: &str,
    ) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let forged = create(self, time).filter(|it| self.is_rejected(it, time));
        let Some(forged) = forged else {
            return Ok(self.skipped(skip_reason));
        };
        Ok(expect_rejected(&self.send(&forged).await?))
    }

    fn skipped(&self, reason: &str) -> Finding {
        Finding::Skipped(format!("{}: {reason}", self.sender.provider.name))
    }

    /// Compares the status and the text of rejections, without numbers and ids.
    async fn same_rejection(&self) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let forged = [Self::tampered, Self::unsigned, Self::wrong_secret, Self::stale]
            .into_iter()
            .filter_map(|create| create(self, time))
            .filter(|it| self.is_rejected(it, time));
        let mut seen: Vec<(u16, String)> = Vec::new();
        let mut count = 0;
        for forged in forged {
            let result = self.send(&forged).await?;
            let Ok(response) = result.result else { continue };
            if !response.status.is_client_error() {
                continue;
            }
            count += 1;
            let rejection = (response.status.as_u16(), without_ids(&excerpt(&response)));
            if !seen.contains(&rejection) {
                seen.push(rejection);
            }
        }
        let listed = || {
            let texts = seen.iter().map(|(status, text)| format!("{status}{text}"));
            texts.collect::<Vec<_>>().join(" and ")
        };
        Ok(match seen.len() {
            _ if count < 2 => Finding::Skipped("fewer than two rejections to compare".to_owned()),
            1 => Finding::Passed(format!("responded with {} {count} times", listed())),
            _ => Finding::Failed(format!("responded with {}, depending on the reason", listed())),
        })
    }

    async fn duplicate(&self) -> anyhow::Result<Finding> {
        let signed = self.genuine_event()?;
        let first = expect_accepted(&self.send(&signed).await?);
        if !matches!(first, Finding::Passed(_)) {
            return Ok(prefixed("the first time, it", first));
        }
        Ok(expect_accepted(&self.send(&signed).await?))
    }

    async fn header_case(&self) -> anyhow::Result<Finding> {
        let cases = [(HeaderCase::Lower, "lower"), (HeaderCase::Upper, "upper")];
        for (header_case, name) in cases {
            let outgoing = Outgoing { header_case, ..outgoing(&self.genuine_event()?)? };
            let finding = expect_accepted(&send(outgoing, self.timeout).await);
            if !matches!(finding, Finding::Passed(_)) {
                return Ok(prefixed(&format!("header names in {name} case:"), finding));
            }
        }
        Ok(Finding::Passed("accepted lower and upper case".to_owned()))
    }

    async fn chunked(&self) -> anyhow::Result<Finding> {
        let signed = self.genuine_event()?;
        let size = signed.body.len().div_ceil(CHUNKS).max(1);
        let chunks: Vec<_> =
            signed.body.chunks(size).map(|it| frame(Bytes::copy_from_slice(it))).collect();
        let body = StreamBody::new(stream::iter(chunks)).boxed_unsync();
        Ok(expect_accepted(&send(outgoing_with_body(&signed, body)?, self.timeout).await))
    }

    async fn rotation(&self) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let Some((header, separator)) = self.sender.signature_list() else {
            return Ok(self.skipped("events have only one signature"));
        };
        let genuine = self.event_signed_at(time)?;
        let rotated = self
            .sender
            .wrong_key_sender()
            .and_then(|other| {
                let draft = UnsignedRequest {
                    url: genuine.url.clone(),
                    event_type: None,
                    event_id: None,
                    headers: Vec::new(),
                    body: genuine.body.clone(),
                };
                other.sign(draft, time).ok()
            })
            .and_then(|other| mutate::merge_signatures(&genuine, &other, &header, &separator))
            .filter(|it| !self.is_rejected(it, time));
        let Some(rotated) = rotated else {
            return Ok(self.skipped("no second signature can be added"));
        };
        Ok(expect_accepted(&self.send(&rotated).await?))
    }

    /// Uses `DELETE` for providers with a handshake, to which a receiver may respond with 2xx even
    /// if it is a `GET`; no handshake is a `DELETE`.
    async fn wrong_method(&self) -> anyhow::Result<Finding> {
        let has_handshake = !self.sender.provider.model.handshakes.is_empty();
        let method = if has_handshake { Method::DELETE } else { Method::GET };
        let prefix = format!("to {method}, it");
        let outgoing = Outgoing::new(method, self.sender.url.clone());
        Ok(prefixed(&prefix, expect_unsupported(&send(outgoing, self.timeout).await)))
    }

    async fn content_type(&self) -> anyhow::Result<Finding> {
        let mut signed = self.genuine_event()?;
        signed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        signed.headers.push(("content-type".to_owned(), "application/octet-stream".to_owned()));
        Ok(expect_no_server_error(&self.send(&signed).await?))
    }

    async fn bad_body(&self, body: &[u8]) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let draft = self.sender.draft(None, time)?;
        let Ok(signed) = self.sender.sign(UnsignedRequest { body: body.to_vec(), ..draft }, time)
        else {
            return Ok(self.skipped("it can only sign well-formed events"));
        };
        Ok(expect_no_server_error(&self.send(&signed).await?))
    }

    async fn huge(&self) -> anyhow::Result<Finding> {
        let mut signed = self.genuine_event()?;
        signed.body = vec![b' '; HUGE_BYTES];
        let timeout = self.timeout.max(LONG_TIMEOUT);
        let result = send(outgoing(&signed)?, timeout).await;
        if let Err(CallError::Broken { .. }) = result.result {
            return Ok(Finding::Passed("closed the connection".to_owned()));
        }
        let finding = expect_rejected(&result);
        let is_counted = matches!(&result.result, Ok(response) if response.status == 413);
        Ok(match &finding {
            Finding::Passed(seen) if !is_counted => Finding::Passed(format!(
                "{seen}; responding with 413 while reading would be cheaper"
            )),
            Finding::Passed(_) | Finding::Failed(_) | Finding::Skipped(_) => finding,
        })
    }

    async fn slow(&self) -> anyhow::Result<Finding> {
        let mut slow = JoinSet::new();
        for _ in 0..SLOW_SENDERS {
            let signed = self.genuine_event()?;
            let mut outgoing = outgoing_with_body(&signed, slow_body(&signed.body))?;
            outgoing.headers.insert(CONTENT_LENGTH, signed.body.len().into());
            slow.spawn(send(outgoing, LONG_TIMEOUT));
        }
        sleep(SLOW_PAUSE).await;
        let mut longest = Duration::ZERO;
        for _ in 0..PROBES_WHILE_SLOW {
            let result = self.send(&self.genuine_event()?).await?;
            let finding = expect_accepted(&result);
            if !matches!(finding, Finding::Passed(_)) {
                let prefix = format!("with {SLOW_SENDERS} slow senders connected, it");
                return Ok(prefixed(&prefix, finding));
            }
            longest = longest.max(result.duration);
        }
        slow.abort_all();
        Ok(Finding::Passed(format!(
            "responded to others within {} ms with {SLOW_SENDERS} slow senders connected",
            longest.as_millis()
        )))
    }

    async fn concurrent(&self) -> anyhow::Result<Finding> {
        let mut all = JoinSet::new();
        let start = Instant::now();
        for _ in 0..CONCURRENT {
            all.spawn(send(outgoing(&self.genuine_event()?)?, self.timeout));
        }
        let (mut overloaded, mut failures) = (0, Vec::new());
        while let Some(result) = all.join_next().await {
            match &result? {
                TimedResult { result: Ok(response), .. } if response.status.is_success() => {},
                TimedResult { result: Ok(response), .. }
                    if [429, 503].contains(&response.status.as_u16()) =>
                {
                    overloaded += 1;
                },
                TimedResult { result: Ok(response), .. } => {
                    failures.push(format!("responded with {}", response.status.as_u16()));
                },
                TimedResult { result: Err(error), duration } => {
                    failures.push(describe_error(error, duration.as_millis()));
                },
            }
        }
        let millis = start.elapsed().as_millis();
        Ok(match failures.first() {
            Some(first) => {
                let count = failures.len();
                Finding::Failed(format!("failed {count} of {CONCURRENT} events; to one it {first}"))
            },
            None if overloaded == 0 => {
                Finding::Passed(format!("responded to {CONCURRENT} events in {millis} ms"))
            },
            None => Finding::Passed(format!(
                "responded to {CONCURRENT} events in {millis} ms, {overloaded} times with 429 or 503"
            )),
        })
    }
}

/// A body of which one byte is sent after each pause.
fn slow_body(body: &[u8]) -> Body {
    let bytes = Bytes::copy_from_slice(body).into_iter();
    let frames = stream::unfold(bytes, |mut bytes| async move {
        let byte = bytes.next()?;
        sleep(SLOW_PAUSE).await;
        Some((frame(Bytes::copy_from_slice(&[byte])), bytes))
    });
    StreamBody::new(frames).boxed_unsync()
}

#[expect(clippy::unnecessary_wraps, reason = "a body is a stream of results")]
fn frame(bytes: Bytes) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(bytes))
}

/// Puts the circumstances before the description of a finding.
fn prefixed(prefix: &str, finding: Finding) -> Finding {
    match finding {
        Finding::Passed(seen) => Finding::Passed(format!("{prefix} {seen}")),
        Finding::Failed(seen) => Finding::Failed(format!("{prefix} {seen}")),
        Finding::Skipped(_) => finding,
    }
}

/// Removes words that contain a digit: they may be ids, which differ from response to response.
fn without_ids(text: &str) -> String {
    let words = text.split_whitespace();
    let words: Vec<_> = words.filter(|it| !it.contains(|it: char| it.is_ascii_digit())).collect();
    words.join(" ")
}
