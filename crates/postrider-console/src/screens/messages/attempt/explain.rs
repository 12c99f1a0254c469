//! Why an attempt failed, in sentences: how far it got, what happened, and what to do.

use maud::{Markup, html};
use postrider::api::{FailureCause, MessageAttemptOut};

use crate::{
    page::Tone,
    ui::{Icon, icon, sentence, state::banner},
};

/// How a part of an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Done,
    Failed,
    NotReached,
}

/// The parts of an HTTP request in their order, with how they ended.
pub(super) fn stages(cause: Option<FailureCause>, is_tls: bool) -> Vec<(&'static str, Stage)> {
    let mut names = vec!["Host name", "Address", "Connection"];
    if is_tls {
        names.push("TLS");
    }
    names.extend(["Response", "Status"]);
    if matches!(cause, Some(FailureCause::Transformation | FailureCause::Damaged)) {
        return names.into_iter().map(|name| (name, Stage::NotReached)).collect();
    }
    let failed = match cause {
        None | Some(FailureCause::Transformation | FailureCause::Damaged) => None,
        Some(FailureCause::Resolve) => Some("Host name"),
        Some(FailureCause::Forbidden) => Some("Address"),
        Some(FailureCause::Connect) => Some("Connection"),
        Some(FailureCause::Tls) => Some("TLS"),
        Some(FailureCause::Timeout | FailureCause::Protocol) => Some("Response"),
        Some(
            FailureCause::Response
            | FailureCause::Rejected
            | FailureCause::Misconfigured
            | FailureCause::Unavailable
            | FailureCause::Busy,
        ) => Some("Status"),
    };
    let failed = failed.and_then(|failed| names.iter().position(|it| *it == failed));
    let stage = |place| match failed {
        Some(failed) if place == failed => Stage::Failed,
        Some(failed) if place > failed => Stage::NotReached,
        Some(_) | None => Stage::Done,
    };
    names.iter().enumerate().map(|(place, name)| (*name, stage(place))).collect()
}

/// How far the attempt got.
pub(super) fn reached(cause: FailureCause, address: Option<&str>) -> String {
    let to = address.map(|it| format!(" with {it}")).unwrap_or_default();
    match cause {
        FailureCause::Resolve => "looking up the host name".to_owned(),
        FailureCause::Forbidden => "checking the receiver's address".to_owned(),
        FailureCause::Connect => format!("opening a connection{to}"),
        FailureCause::Tls => format!("the TLS handshake{to}"),
        FailureCause::Timeout => "waiting for the response".to_owned(),
        FailureCause::Protocol => "reading the response".to_owned(),
        FailureCause::Response => "the receiver, which responded".to_owned(),
        FailureCause::Transformation => "the code of the transformation".to_owned(),
        FailureCause::Damaged => "reading the message from the disk".to_owned(),
        FailureCause::Rejected
        | FailureCause::Misconfigured
        | FailureCause::Unavailable
        | FailureCause::Busy => "the service, which did not accept the message".to_owned(),
    }
}

/// How far the attempt got, and what happened there.
fn story(attempt: &MessageAttemptOut, cause: FailureCause) -> String {
    let code = attempt.response_status_code;
    if code != 0 {
        return format!(
            "The request reached the receiver, which responded with the status {code}. Only 200 \
             to 299 mean that it accepted the message."
        );
    }
    let reached = reached(cause, attempt.address.as_deref());
    let because = match attempt.response.trim_end_matches('.') {
        "" => "there was no response",
        text => text,
    };
    format!("The attempt got as far as {reached}. It failed because of this: {because}.")
}

/// The explanation of a failed attempt.
pub(super) fn explanation(
    attempt: &MessageAttemptOut,
    cause: FailureCause,
    remedy: Option<&str>,
) -> Markup {
    let text = html! {
        p { (story(attempt, cause)) }
        @if let Some(remedy) = remedy { p { strong { "Try this: " } (sentence(remedy)) } }
    };
    banner(Tone::Bad, title(cause, attempt.response_status_code), &text)
}

const fn title(cause: FailureCause, code: i16) -> &'static str {
    match (cause, code) {
        (FailureCause::Response, 300..=399) => "The receiver redirects",
        (FailureCause::Response, 400..=499) => "The receiver refused the request",
        (FailureCause::Response, 500..=599) => "The receiver failed",
        _ => label(cause),
    }
}

/// A cause in a few words.
pub(crate) const fn label(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::Response => "Unexpected response",
        FailureCause::Resolve => "Host name does not resolve",
        FailureCause::Connect => "No connection",
        FailureCause::Tls => "TLS failed",
        FailureCause::Timeout => "Timed out",
        FailureCause::Forbidden => "Address not allowed",
        FailureCause::Protocol => "Connection broke",
        FailureCause::Rejected => "Message rejected",
        FailureCause::Misconfigured => "Endpoint misconfigured",
        FailureCause::Unavailable => "Service not available",
        FailureCause::Busy => "Service busy",
        FailureCause::Transformation => "Transformation failed",
        FailureCause::Damaged => "Stored message damaged",
    }
}

/// The stages as a list, each with a shape.
pub(super) fn stage_list(stages: &[(&'static str, Stage)]) -> Markup {
    html! {
        ol.stages aria-label="How far the attempt got" {
            @for (name, stage) in stages {
                @match stage {
                    Stage::Done => { li.good { (icon(Icon::Check)) (name) } },
                    Stage::Failed => { li.bad { (icon(Icon::Cross)) (name) span.sr { ": failed" } } },
                    Stage::NotReached => { li.neutral { (icon(Icon::Dot)) (name) span.sr { ": not reached" } } },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_failed_stage_was_not_reached() {
        use Stage::{Done, Failed, NotReached};
        let states = |cause, is_tls| -> Vec<_> {
            stages(cause, is_tls).into_iter().map(|it| it.1).collect()
        };
        assert_eq!(states(None, false), [Done; 5]);
        let connect = [Done, Done, Failed, NotReached, NotReached, NotReached];
        assert_eq!(states(Some(FailureCause::Connect), true), connect);
        let timeout = [Done, Done, Done, Failed, NotReached];
        assert_eq!(states(Some(FailureCause::Timeout), false), timeout);
        let unsent = [FailureCause::Transformation, FailureCause::Damaged];
        for cause in unsent {
            assert_eq!(states(Some(cause), false), [NotReached; 5]);
        }
        for cause in FailureCause::ALL {
            let is_sent = !unsent.contains(&cause);
            assert_eq!(states(Some(cause), true).contains(&Failed), is_sent, "{cause:?}");
        }
    }
}
