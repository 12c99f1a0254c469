//! How far the copy is, on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use postrider_store::transfer::{ChunkKind, Progress, RecordCounts};

use crate::commands;

/// Time between two lines, and between two changes of the line on a terminal.
const LINES: Duration = Duration::from_secs(1);
const CHANGES: Duration = Duration::from_millis(100);

/// Says how far the copy is: on a terminal in one line that changes, elsewhere now and then in
/// a line of its own.
#[derive(Debug)]
pub(super) struct Meter {
    is_terminal: bool,
    /// When it was begun, and with how many messages from an earlier run.
    begun: Option<(Duration, u64)>,
    shown: Option<Duration>,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), begun: None, shown: None }
    }

    pub(super) fn show(&mut self, progress: &Progress, all: &RecordCounts) {
        let now = commands::now().unwrap_or_default();
        let (begun, before) = *self.begun.get_or_insert((now, progress.messages));
        let pause = if self.is_terminal { CHANGES } else { LINES };
        let is_due = self.shown.is_none_or(|shown| now.saturating_sub(shown) >= pause);
        if !is_due && progress.cursor.kind != ChunkKind::End {
            return;
        }
        self.shown = Some(now);
        let line = line(progress, all, (now.saturating_sub(begun), before));
        // Whoever does not listen any more still wants the copy.
        drop(if self.is_terminal {
            write!(io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(io::stderr(), "{line}")
        });
    }

    /// The next thing on standard error begins a line.
    pub(super) fn end(&self) {
        if self.is_terminal && self.shown.is_some() {
            drop(writeln!(io::stderr()));
        }
    }
}

fn line(progress: &Progress, all: &RecordCounts, (elapsed, before): (Duration, u64)) -> String {
    let arrived = progress.messages;
    let percent = (arrived * 100).checked_div(all.messages).unwrap_or(100);
    let what = match progress.cursor.kind {
        ChunkKind::Applications
        | ChunkKind::Endpoints
        | ChunkKind::EventTypes
        | ChunkKind::Sources => "applications and endpoints",
        ChunkKind::Messages => "messages",
        ChunkKind::Recoveries | ChunkKind::CompletedKeys => "the rest",
        ChunkKind::End => "done",
    };
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let rate = ((arrived - before) * 1_000).checked_div(milliseconds);
    let rate = rate.map(|it| format!(", {it}/s")).unwrap_or_default();
    format!("{percent:3} %  {arrived} of {} messages{rate}: {what}", all.messages)
}

#[cfg(test)]
mod tests {
    use postrider_store::transfer::Cursor;

    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_fast() {
        let cursor = Cursor { kind: ChunkKind::Messages, after: Vec::new() };
        let progress = Progress { copy: 1, source: 1, cursor, messages: 250, renamed: 0 };
        let all = RecordCounts { messages: 1_000, ..RecordCounts::default() };
        let said = line(&progress, &all, (Duration::from_millis(500), 50));
        assert_eq!(said, " 25 %  250 of 1000 messages, 400/s: messages");
        let cursor = Cursor { kind: ChunkKind::End, after: Vec::new() };
        let nothing = Progress { cursor, messages: 0, ..progress };
        let said = line(&nothing, &RecordCounts::default(), (Duration::ZERO, 0));
        assert_eq!(said, "100 %  0 of 0 messages: done");
    }
}
