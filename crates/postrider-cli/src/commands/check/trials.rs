//! Each practice, tried.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use postrider::provider::{Draft, Signed};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    forge,
    lab::{Lab, accepted, excerpt, refused, seconds, silence, survived, unsupported},
    practice::Trial,
    report::Finding,
};
use crate::{
    commands::provider::{Reaction, outgoing, outgoing_with, send},
    exchange::{Body, Letters, NoAnswer, Outgoing},
};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// More than any provider sends.
const HUGE_BYTES: usize = 32 * 1024 * 1024;
const HUGE_PATIENCE: Duration = Duration::from_secs(30);
const SLOW_SENDERS: usize = 32;
/// So long slow senders have to begin, and then wait between two bytes.
const SLOW_PAUSE: Duration = Duration::from_millis(250);
const PROBES_MEANWHILE: usize = 3;
const CONCURRENT: usize = 64;
const CHUNKS: usize = 4;

impl Lab {
    pub(super) async fn run(&self, trial: Trial) -> anyhow::Result<Finding> {
        match trial {
            Trial::Genuine => self.genuine().await,
            Trial::Tampered => {
                self.forged(Self::tampered, "its signature does not cover the body").await
            },
            Trial::Unsigned => {
                self.forged(Self::unsigned, "no part of the request carries a signature alone")
                    .await
            },
            Trial::WrongSecret => {
                self.forged(Self::wrong_secret, "no other secret can be made for it").await
            },
            Trial::Stale => self.forged(Self::stale, "its signature does not carry the time").await,
            Trial::Future => {
                self.forged(Self::future, "its signature does not carry the time").await
            },
            Trial::SameRefusal => self.same_refusal().await,
            Trial::Duplicate => self.duplicate().await,
            Trial::Letters => self.letters().await,
            Trial::Chunked => self.chunked().await,
            Trial::Rotation => self.rotation().await,
            Trial::WrongMethod => self.wrong_method().await,
            Trial::ContentType => self.content_type().await,
            Trial::BadJson => self.bad_body(b"{\"id\": \"evt_1\", \"type\":").await,
            Trial::BadText => self.bad_body(b"{\"id\": \"\xff\xfe\"}").await,
            Trial::Huge => self.huge().await,
            Trial::Slow => self.slow().await,
            Trial::Concurrent => self.concurrent().await,
            Trial::Alive => self.welcomed().await,
        }
    }

    async fn genuine(&self) -> anyhow::Result<Finding> {
        let signed = self.fresh()?;
        let reaction = self.send(&signed).await?;
        let finding = accepted(&reaction);
        let expected = self.sender.acknowledgement(&signed, seconds()?).body;
        let (Finding::Passed(_), Ok(answer)) = (&finding, &reaction.result) else {
            return Ok(finding);
        };
        if expected.is_empty() || answer.body.trim_ascii() == expected.trim_ascii() {
            return Ok(finding);
        }
        Ok(Finding::Failed(format!(
            "answered {}{}, but {} expects the text `{}`",
            answer.status.as_u16(),
            excerpt(answer),
            self.sender.provider.name,
            String::from_utf8_lossy(&expected),
        )))
    }

    fn tampered(&self, time: u64) -> Option<Signed> {
        forge::tampered(&self.fresh_at(time).ok()?, |it| self.is_refused(it, time))
    }

    fn unsigned(&self, time: u64) -> Option<Signed> {
        forge::unsigned(&self.fresh_at(time).ok()?, |it| self.is_refused(it, time))
    }

    fn wrong_secret(&self, time: u64) -> Option<Signed> {
        let draft = self.sender.draft(None, time).ok()?;
        self.sender.stranger()?.signed(draft, time).ok()
    }

    fn stale(&self, time: u64) -> Option<Signed> {
        self.fresh_at(time.saturating_sub(DAY_SECONDS)).ok()
    }

    fn future(&self, time: u64) -> Option<Signed> {
        self.fresh_at(time + DAY_SECONDS).ok()
    }

    /// Sends what a receiver must refuse, if it can be made.
    async fn forged(
        &self,
        forge: impl Fn(&Self, u64) -> Option<Signed>,
        otherwise: &str,
    ) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let forged = forge(self, time).filter(|it| self.is_refused(it, time));
        let Some(forged) = forged else {
            return Ok(self.skipped(otherwise));
        };
        Ok(refused(&self.send(&forged).await?))
    }

    fn skipped(&self, why: &str) -> Finding {
        Finding::Skipped(format!("{}: {why}", self.sender.provider.name))
    }

    /// Statuses and texts are compared, without what may be a number or an id.
    async fn same_refusal(&self) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let forged = [Self::tampered, Self::unsigned, Self::wrong_secret, Self::stale]
            .into_iter()
            .filter_map(|forge| forge(self, time))
            .filter(|it| self.is_refused(it, time));
        let mut seen: Vec<(u16, String)> = Vec::new();
        let mut count = 0;
        for forged in forged {
            let reaction = self.send(&forged).await?;
            let Ok(answer) = reaction.result else { continue };
            if !answer.status.is_client_error() {
                continue;
            }
            count += 1;
            let look = (answer.status.as_u16(), without_ids(&excerpt(&answer)));
            if !seen.contains(&look) {
                seen.push(look);
            }
        }
        let words = || {
            let words: Vec<_> =
                seen.iter().map(|(status, text)| format!("{status}{text}")).collect();
            words.join(" and ")
        };
        Ok(match seen.len() {
            _ if count < 2 => Finding::Skipped("fewer than two refusals to compare".to_owned()),
            1 => Finding::Passed(format!("{count} times answered {}", words())),
            _ => Finding::Failed(format!("answered {}, depending on what is wrong", words())),
        })
    }

    async fn duplicate(&self) -> anyhow::Result<Finding> {
        let signed = self.fresh()?;
        let first = accepted(&self.send(&signed).await?);
        if !matches!(first, Finding::Passed(_)) {
            return Ok(named("the first one", first));
        }
        Ok(accepted(&self.send(&signed).await?))
    }

    async fn letters(&self) -> anyhow::Result<Finding> {
        let cases = [(Letters::Small, "in small letters"), (Letters::Capital, "in capitals")];
        for (letters, words) in cases {
            let outgoing = Outgoing { letters, ..outgoing(&self.fresh()?)? };
            let finding = accepted(&send(outgoing, self.patience).await);
            if !matches!(finding, Finding::Passed(_)) {
                return Ok(named(&format!("header names {words}"), finding));
            }
        }
        Ok(Finding::Passed("small letters and capitals are accepted".to_owned()))
    }

    async fn chunked(&self) -> anyhow::Result<Finding> {
        let signed = self.fresh()?;
        let size = signed.body.len().div_ceil(CHUNKS).max(1);
        let chunks: Vec<_> =
            signed.body.chunks(size).map(|it| frame(Bytes::copy_from_slice(it))).collect();
        let body = StreamBody::new(stream::iter(chunks)).boxed_unsync();
        Ok(accepted(&send(outgoing_with(&signed, body)?, self.patience).await))
    }

    async fn rotation(&self) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let Some((header, separator)) = self.sender.signature_list() else {
            return Ok(self.skipped("it sends one signature"));
        };
        let genuine = self.fresh_at(time)?;
        let rotated = self
            .sender
            .stranger()
            .and_then(|stranger| {
                let draft = Draft {
                    url: genuine.url.clone(),
                    event_type: None,
                    event_id: None,
                    headers: Vec::new(),
                    body: genuine.body.clone(),
                };
                stranger.signed(draft, time).ok()
            })
            .and_then(|other| forge::rotated(&genuine, &other, &header, &separator))
            .filter(|it| !self.is_refused(it, time));
        let Some(rotated) = rotated else {
            return Ok(self.skipped("no second signature can be made for it"));
        };
        Ok(accepted(&self.send(&rotated).await?))
    }

    /// A provider that asks by `GET` before it delivers may get an answer; none asks by `DELETE`.
    async fn wrong_method(&self) -> anyhow::Result<Finding> {
        let asks = !self.sender.provider.model.handshakes.is_empty();
        let method = if asks { Method::DELETE } else { Method::GET };
        let words = format!("{method} was");
        let outgoing = Outgoing::new(method, self.sender.url.clone());
        Ok(named(&words, unsupported(&send(outgoing, self.patience).await)))
    }

    async fn content_type(&self) -> anyhow::Result<Finding> {
        let mut signed = self.fresh()?;
        signed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        signed.headers.push(("content-type".to_owned(), "application/octet-stream".to_owned()));
        Ok(survived(&self.send(&signed).await?))
    }

    async fn bad_body(&self, body: &[u8]) -> anyhow::Result<Finding> {
        let time = seconds()?;
        let draft = self.sender.draft(None, time)?;
        let Ok(signed) = self.sender.signed(Draft { body: body.to_vec(), ..draft }, time) else {
            return Ok(self.skipped("it signs nothing else than its own events"));
        };
        Ok(survived(&self.send(&signed).await?))
    }

    async fn huge(&self) -> anyhow::Result<Finding> {
        let mut signed = self.fresh()?;
        signed.body = vec![b' '; HUGE_BYTES];
        let patience = self.patience.max(HUGE_PATIENCE);
        let reaction = send(outgoing(&signed)?, patience).await;
        if let Err(NoAnswer::Broken { .. }) = reaction.result {
            return Ok(Finding::Passed("closed the connection".to_owned()));
        }
        let finding = refused(&reaction);
        let is_counted = matches!(&reaction.result, Ok(answer) if answer.status == 413);
        Ok(match &finding {
            Finding::Passed(seen) if !is_counted => {
                Finding::Passed(format!("{seen}, but 413 before the body's end would cost less"))
            },
            Finding::Passed(_) | Finding::Failed(_) | Finding::Skipped(_) => finding,
        })
    }

    async fn slow(&self) -> anyhow::Result<Finding> {
        let mut slow = JoinSet::new();
        for _ in 0..SLOW_SENDERS {
            let signed = self.fresh()?;
            let mut outgoing = outgoing_with(&signed, trickle(&signed.body))?;
            outgoing.headers.insert(CONTENT_LENGTH, signed.body.len().into());
            slow.spawn(send(outgoing, HUGE_PATIENCE));
        }
        sleep(SLOW_PAUSE).await;
        let mut longest = Duration::ZERO;
        for _ in 0..PROBES_MEANWHILE {
            let reaction = self.send(&self.fresh()?).await?;
            let finding = accepted(&reaction);
            if !matches!(finding, Finding::Passed(_)) {
                return Ok(named(&format!("beside {SLOW_SENDERS} slow senders, it"), finding));
            }
            longest = longest.max(reaction.time);
        }
        slow.abort_all();
        Ok(Finding::Passed(format!(
            "beside {SLOW_SENDERS} slow senders, others are answered within {} ms",
            longest.as_millis()
        )))
    }

    async fn concurrent(&self) -> anyhow::Result<Finding> {
        let mut all = JoinSet::new();
        let start = Instant::now();
        for _ in 0..CONCURRENT {
            all.spawn(send(outgoing(&self.fresh()?)?, self.patience));
        }
        let (mut busy, mut wrong) = (0, Vec::new());
        while let Some(reaction) = all.join_next().await {
            match &reaction? {
                Reaction { result: Ok(answer), .. } if answer.status.is_success() => {},
                Reaction { result: Ok(answer), .. }
                    if [429, 503].contains(&answer.status.as_u16()) =>
                {
                    busy += 1;
                },
                Reaction { result: Ok(answer), .. } => {
                    wrong.push(format!("was answered {}", answer.status.as_u16()));
                },
                Reaction { result: Err(failure), time } => {
                    wrong.push(silence(failure, time.as_millis()));
                },
            }
        }
        let time = start.elapsed().as_millis();
        Ok(match wrong.first() {
            Some(first) => {
                Finding::Failed(format!("{} of {CONCURRENT} failed; one {first}", wrong.len()))
            },
            None if busy == 0 => {
                Finding::Passed(format!("{CONCURRENT} at once answered in {time} ms"))
            },
            None => Finding::Passed(format!(
                "{CONCURRENT} at once answered in {time} ms, {busy} of them with 429 or 503"
            )),
        })
    }
}

/// A body of which a byte comes now and then, and the last one hardly ever.
fn trickle(body: &[u8]) -> Body {
    let bytes = Bytes::copy_from_slice(body).into_iter();
    let pieces = stream::unfold(bytes, |mut bytes| async move {
        let byte = bytes.next()?;
        sleep(SLOW_PAUSE).await;
        Some((frame(Bytes::copy_from_slice(&[byte])), bytes))
    });
    StreamBody::new(pieces).boxed_unsync()
}

#[expect(clippy::unnecessary_wraps, reason = "a body's pieces may fail to come")]
fn frame(bytes: Bytes) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(bytes))
}

/// What was seen, with what it was seen of.
fn named(what: &str, finding: Finding) -> Finding {
    match finding {
        Finding::Passed(seen) => Finding::Passed(format!("{what} {seen}")),
        Finding::Failed(seen) => Finding::Failed(format!("{what} {seen}")),
        Finding::Skipped(why) => Finding::Skipped(why),
    }
}

/// Words that hold a digit may be ids, which differ without saying anything.
fn without_ids(text: &str) -> String {
    let words = text.split_whitespace();
    let words: Vec<_> = words.filter(|it| !it.contains(|it: char| it.is_ascii_digit())).collect();
    words.join(" ")
}
