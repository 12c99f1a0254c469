//! Reports on standard error how many messages are imported.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::commands;

/// Time between two lines, and between two updates of the line on a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
const UPDATE_INTERVAL: Duration = Duration::from_millis(200);

/// Shows the number of messages: on a terminal in one line that is updated, elsewhere as one line
/// every few seconds.
#[derive(Debug)]
pub(super) struct Meter {
    is_terminal: bool,
    started: Duration,
    last_shown: Duration,
}

impl Meter {
    pub(super) fn new() -> Self {
        let now = commands::now().unwrap_or_default();
        Self { is_terminal: io::stderr().is_terminal(), started: now, last_shown: now }
    }

    pub(super) fn show(&mut self, messages: u64) {
        let now = commands::now().unwrap_or_default();
        let interval = if self.is_terminal { UPDATE_INTERVAL } else { LINE_INTERVAL };
        if now.saturating_sub(self.last_shown) >= interval {
            self.last_shown = now;
            self.write(messages, now);
        }
    }

    /// Shows the last number, and ends the line.
    pub(super) fn finish(&mut self, messages: u64) {
        if messages == 0 {
            return;
        }
        self.write(messages, commands::now().unwrap_or_default());
        if self.is_terminal {
            drop(writeln!(io::stderr()));
        }
    }

    fn write(&self, messages: u64, now: Duration) {
        let line = line(messages, now.saturating_sub(self.started));
        // A closed standard error must not end the import.
        drop(if self.is_terminal {
            write!(io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(io::stderr(), "{line}")
        });
    }
}

fn line(messages: u64, elapsed: Duration) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let rate = (messages * 1_000).checked_div(milliseconds);
    let rate = rate.map(|it| format!(", {it}/s")).unwrap_or_default();
    format!("{messages} messages{rate}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_the_number_and_the_rate() {
        assert_eq!(line(250, Duration::from_millis(500)), "250 messages, 500/s");
        assert_eq!(line(0, Duration::ZERO), "0 messages");
    }
}
