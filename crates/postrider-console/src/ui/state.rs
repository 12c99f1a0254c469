//! States. Each has a shape and a word in addition to its colour.

use maud::{Markup, html};
use postrider::api::{IndexRebuildOut, MessageStatus};

use super::{
    icon::{Icon, icon},
    time::time,
};
use crate::{context::Context, page::Tone};

impl Tone {
    /// The class that colours it.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Neutral => Icon::Dot,
            Self::Good => Icon::Check,
            Self::Bad => Icon::Cross,
            Self::Warning => Icon::Warning,
        }
    }
}

/// A state as a shape and a word.
pub(crate) fn badge(tone: Tone, shape: Icon, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (icon(shape)) (word) } }
}

/// The status of a delivery.
pub(crate) fn delivery(status: MessageStatus) -> Markup {
    match status {
        MessageStatus::Success => badge(Tone::Good, Icon::Check, "Delivered"),
        MessageStatus::Pending => badge(Tone::Neutral, Icon::Clock, "Pending"),
        MessageStatus::Fail => badge(Tone::Bad, Icon::Cross, "Failed"),
        MessageStatus::Sending => badge(Tone::Warning, Icon::Repeat, "Retrying"),
        MessageStatus::Canceled => badge(Tone::Neutral, Icon::Pause, "Canceled"),
    }
}

/// The status code of a response; 0 if there was none.
pub(crate) fn response_code(code: i16) -> Markup {
    match code {
        0 => badge(Tone::Bad, Icon::Cross, "No response"),
        200..=299 => badge(Tone::Good, Icon::Check, &code.to_string()),
        _ => badge(Tone::Bad, Icon::Cross, &code.to_string()),
    }
}

/// A message for the person, such as why a form was refused.
pub(crate) fn notice(tone: Tone, text: &Markup) -> Markup {
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    html! { div class={ "notice " (tone.class()) } role=(role) { (icon(tone.icon())) div { (text) } } }
}

/// A state of an object that explains its page, such as an open circuit breaker.
pub(crate) fn banner(tone: Tone, title: &str, text: &Markup) -> Markup {
    html! {
        section class={ "notice " (tone.class()) } aria-label=(title) {
            (icon(tone.icon()))
            div { strong { (title) } div { (text) } }
        }
    }
}

/// What is missing while the index is being rebuilt.
pub(crate) fn index_rebuild(context: &Context, rebuild: &IndexRebuildOut) -> Markup {
    banner(
        Tone::Warning,
        "The index is being rebuilt",
        &html! {
            p {
                (rebuild.percent) " % is done. Messages are accepted and delivered as always. Lists, searches and "
                "numbers are complete from " (time(context, rebuild.since)) " on; what needs older "
                "messages is refused until the rebuild has reached them."
            }
        },
    )
}
