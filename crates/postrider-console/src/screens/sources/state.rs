//! The states of sources.

use maud::Markup;
use postrider::api::ingest::SourceStatus;

use crate::{
    page::Tone,
    ui::{Icon, badge},
};

/// The state as a shape and a word.
pub(super) fn status(status: SourceStatus) -> Markup {
    match status {
        SourceStatus::Ready => badge(Tone::Good, Icon::Check, "Ready"),
        SourceStatus::Pending => badge(Tone::Neutral, Icon::Clock, "Waiting for a secret"),
        SourceStatus::NoSecret => badge(Tone::Bad, Icon::Warning, "No secret"),
        SourceStatus::NoParameter => badge(Tone::Bad, Icon::Warning, "Incomplete"),
        SourceStatus::Disabled => badge(Tone::Neutral, Icon::Pause, "Paused"),
    }
}

/// What a state means and what to do; none if there is nothing to do.
pub(super) const fn advice(status: SourceStatus) -> Option<(Tone, &'static str, &'static str)> {
    match status {
        SourceStatus::Ready => None,
        SourceStatus::Pending => Some((
            Tone::Neutral,
            "Waiting for the first request",
            "The provider sends the secret with its first request. Enter the URL at the provider.",
        )),
        SourceStatus::NoSecret => Some((
            Tone::Warning,
            "Every request is rejected",
            "The source has no secret to verify requests with. Set the secret that the provider shows.",
        )),
        SourceStatus::NoParameter => Some((
            Tone::Warning,
            "Every request is rejected",
            "A parameter that the provider requires is not set. Edit the source and enter it.",
        )),
        SourceStatus::Disabled => Some((
            Tone::Warning,
            "This source is paused",
            "Every request is rejected, and most providers repeat rejected requests later.",
        )),
    }
}
