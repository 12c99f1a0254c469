//! Reports the progress of a copy on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use postrider_store::transfer::{ChunkKind, Progress, RecordCounts};

use crate::commands;

/// Time between two lines, and between two updates of the line on a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
const UPDATE_INTERVAL: Duration = Duration::from_millis(100);

/// Shows the progress: on a terminal in one line that is updated, elsewhere as one line every
/// second.
#[derive(Debug)]
pub(super) struct Meter {
    is_terminal: bool,
    /// When this run started, and how many messages earlier runs had copied.
    started: Option<(Duration, u64)>,
    last_shown: Option<Duration>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), started: None, last_shown: None }
    }

    pub(super) fn show(&mut self, progress: &Progress, all: &RecordCounts) {
        let now = commands::now().unwrap_or_default();
        let (started, before) = *self.started.get_or_insert((now, progress.messages));
        let interval = if self.is_terminal { UPDATE_INTERVAL } else { LINE_INTERVAL };
        let is_due = self.last_shown.is_none_or(|shown| now.saturating_sub(shown) >= interval);
        if !is_due && progress.cursor.kind != ChunkKind::End {
            return;
        }
        self.last_shown = Some(now);
        let line = line(progress, all, (now.saturating_sub(started), before));
        // A closed standard error must not end the copy.
        drop(if self.is_terminal {
            write!(io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(io::stderr(), "{line}")
        });
    }

    /// Ends the line, so that what follows on standard error starts a new one.
    pub(super) fn finish(&self) {
        if self.is_terminal && self.last_shown.is_some() {
            drop(writeln!(io::stderr()));
        }
    }
}

fn line(progress: &Progress, all: &RecordCounts, (elapsed, before): (Duration, u64)) -> String {
    let copied = progress.messages;
    let percent = (copied * 100).checked_div(all.messages).unwrap_or(100);
    let phase = match progress.cursor.kind {
        ChunkKind::Applications
        | ChunkKind::Endpoints
        | ChunkKind::EventTypes
        | ChunkKind::Sources => "applications and endpoints",
        ChunkKind::Messages => "messages",
        ChunkKind::Connectors
        | ChunkKind::Consumers
        | ChunkKind::Partitions
        | ChunkKind::DeadLetters
        | ChunkKind::ApiKeys
        | ChunkKind::TokenPolicies
        | ChunkKind::AuditLog
        | ChunkKind::Tasks
        | ChunkKind::PollLogs
        | ChunkKind::PollEntries
        | ChunkKind::Recoveries
        | ChunkKind::CompletedKeys => "other records",
        ChunkKind::End => "done",
    };
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let rate = ((copied - before) * 1_000).checked_div(milliseconds);
    let rate = rate.map(|it| format!(", {it}/s")).unwrap_or_default();
    format!("{percent:3} %  {copied} of {} messages{rate}: {phase}", all.messages)
}

#[cfg(test)]
mod tests {
    use postrider_store::transfer::Cursor;

    use super::*;

    #[test]
    fn the_line_shows_the_progress_and_the_rate() {
        let cursor = Cursor { kind: ChunkKind::Messages, after: Vec::new() };
        let progress = Progress { copy: 1, source: 1, cursor, messages: 250, renamed: 0 };
        let all = RecordCounts { messages: 1_000, ..RecordCounts::default() };
        let text = line(&progress, &all, (Duration::from_millis(500), 50));
        assert_eq!(text, " 25 %  250 of 1000 messages, 400/s: messages");
        let cursor = Cursor { kind: ChunkKind::End, after: Vec::new() };
        let nothing = Progress { cursor, messages: 0, ..progress };
        let text = line(&nothing, &RecordCounts::default(), (Duration::ZERO, 0));
        assert_eq!(text, "100 %  0 of 0 messages: done");
    }
}
