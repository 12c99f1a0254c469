//! Tasks in words.

use maud::{Markup, html};
use postrider::api::{
    BackgroundTaskKind, BackgroundTaskOut, BackgroundTaskProgress, BackgroundTaskState,
};

use crate::{
    page::Tone,
    ui::{self, Icon, state::badge},
};

/// All kinds: the value of the parameter, and the words.
pub(super) const KINDS: [(&str, &str); 9] = [
    ("", "Any"),
    ("resend", "Resend deliveries"),
    ("recover", "Recover an endpoint"),
    ("bulkReplay", "Replay messages to an endpoint"),
    ("replayMissing", "Send missed messages"),
    ("cancelPending", "Cancel pending deliveries"),
    ("expungeContents", "Delete payloads"),
    ("countDeliveries", "Count deliveries"),
    ("listSubscriptions", "List subscriptions"),
];

/// What a task does.
pub(super) const fn kind(kind: BackgroundTaskKind) -> &'static str {
    match kind {
        BackgroundTaskKind::Resend => KINDS[1].1,
        BackgroundTaskKind::Recover => KINDS[2].1,
        BackgroundTaskKind::BulkReplay => KINDS[3].1,
        BackgroundTaskKind::ReplayMissing => KINDS[4].1,
        BackgroundTaskKind::CancelPending => KINDS[5].1,
        BackgroundTaskKind::ExpungeContents => KINDS[6].1,
        BackgroundTaskKind::CountDeliveries => KINDS[7].1,
        BackgroundTaskKind::ListSubscriptions => KINDS[8].1,
    }
}

/// What a task has done to each item.
const fn done_word(kind: BackgroundTaskKind) -> &'static str {
    match kind {
        BackgroundTaskKind::Resend
        | BackgroundTaskKind::Recover
        | BackgroundTaskKind::BulkReplay
        | BackgroundTaskKind::ReplayMissing => "sent",
        BackgroundTaskKind::CancelPending => "canceled",
        BackgroundTaskKind::ExpungeContents => "deleted",
        BackgroundTaskKind::CountDeliveries => "counted",
        BackgroundTaskKind::ListSubscriptions => "listed",
    }
}

pub(super) fn state(state: BackgroundTaskState) -> Markup {
    match state {
        BackgroundTaskState::Running => badge(Tone::Neutral, Icon::Clock, "Running"),
        BackgroundTaskState::Cancelling => badge(Tone::Warning, Icon::Clock, "Canceling"),
        BackgroundTaskState::Finished => badge(Tone::Good, Icon::Check, "Finished"),
        BackgroundTaskState::Failed => badge(Tone::Bad, Icon::Cross, "Failed"),
        BackgroundTaskState::Cancelled => badge(Tone::Warning, Icon::Pause, "Canceled"),
    }
}

pub(super) const fn is_running(state: BackgroundTaskState) -> bool {
    matches!(state, BackgroundTaskState::Running | BackgroundTaskState::Cancelling)
}

/// How far a task is, such as `120 of at least 400 sent`.
pub(super) fn progress_words(task: &BackgroundTaskOut) -> String {
    let BackgroundTaskProgress { done, total, is_minimum, .. } = task.progress;
    let word = done_word(task.kind);
    match total.filter(|_| is_running(task.state)) {
        Some(total) => {
            let least = if is_minimum { "at least " } else { "" };
            format!("{} of {least}{} {word}", ui::number(done), ui::number(total))
        },
        None => format!("{} {word}", ui::number(done)),
    }
}

/// The bar; without a known total it shows that something happens.
pub(super) fn bar(task: &BackgroundTaskOut) -> Markup {
    let BackgroundTaskProgress { done, found, total, .. } = task.progress;
    if !is_running(task.state) {
        return Markup::default();
    }
    let Some(total) = total.filter(|it| *it > 0) else {
        return html! { progress aria-label="Progress" {} };
    };
    let done = done.max(found).min(total);
    html! { progress max=(total) value=(done) aria-label="Progress" {} }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(state: &str, progress: &serde_json::Value, expected: &str) {
        let task = json!({
            "id": "qtask_00000000000000000000000001", "status": "running", "task": "endpoint.recover",
            "data": {}, "updatedAt": "2026-11-01T00:00:00Z", "kind": "resend", "state": state,
            "parameters": {}, "progress": progress, "startedBy": "admin",
            "createdAt": "2026-11-01T00:00:00Z",
        });
        let task = serde_json::from_value(task).unwrap();
        assert_eq!(progress_words(&task), expected);
    }

    #[test]
    fn progress_is_described() {
        let counted =
            json!({ "found": 130, "done": 120, "total": 400, "isMinimum": false, "perSecond": 9 });
        check("running", &counted, "120 of 400 sent");
        check("finished", &counted, "120 sent");
        let least =
            json!({ "found": 0, "done": 0, "total": 10_000, "isMinimum": true, "perSecond": 0 });
        check("cancelling", &least, "0 of at least 10,000 sent");
        let unknown = json!({ "found": 1_500, "done": 1_500, "isMinimum": false, "perSecond": 0 });
        check("running", &unknown, "1,500 sent");
    }
}
