//! What follows from a mark and what is found: whether data is missing, and how to say so.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{Mark, Whole};
use crate::embedded::trouble::TRUTH;

const LOG: &str = "postrider.db-wal";

/// The files of a folder.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Files {
    pub(super) truth: Option<Whole>,
    pub(super) log_salt: Option<u32>,
    pub(super) log_bytes: u64,
    pub(super) has_mark: bool,
    pub(super) has_index: bool,
}

/// How far a truth is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    pub(super) origin: i64,
    pub(super) position: u64,
    pub(super) accepted: u64,
}

/// What is wrong with the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// There is no file.
    Missing,
    /// The file has nothing in it.
    Empty,
    /// The file was longer.
    Shorter,
    /// The file is an older copy.
    Older,
    /// The log is an older copy.
    OlderLog,
    /// It is the truth of another installation, or was made again from nothing.
    Foreign,
    /// The last commits are not there.
    Behind,
}

/// What the files alone tell.
pub(super) fn of_files(found: &Files, mark: Option<&Mark>) -> Option<Finding> {
    let held_something = found.has_mark || found.has_index || found.log_bytes > 0;
    let truth = match found.truth {
        None => return held_something.then_some(Finding::Missing),
        Some(Whole { bytes: 0, .. }) => return held_something.then_some(Finding::Empty),
        Some(truth) => truth,
    };
    let mark = mark?;
    let newer = truth.changes.wrapping_sub(mark.whole.changes).cast_signed();
    if newer < 0 {
        return Some(Finding::Older);
    }
    // Somebody else who wrote to it may have made it shorter, and has counted the change.
    if newer == 0 && truth.bytes < mark.whole.bytes {
        return Some(Finding::Shorter);
    }
    let is_older_log = |salt: u32| salt.wrapping_sub(mark.log_salt).cast_signed() < 0;
    let older_log = mark.log_salt != 0 && found.log_salt.is_some_and(is_older_log);
    older_log.then_some(Finding::OlderLog)
}

/// What the truth itself tells.
pub(super) fn of_content(found: &Content, mark: &Mark) -> Option<Finding> {
    if found.origin != mark.origin {
        return Some(Finding::Foreign);
    }
    (found.position < mark.position).then_some(Finding::Behind)
}

/// Stored data is not there any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}; put the file back as it was, restore a backup into an empty data folder, or go on \
     without what is missing with `postrider serve --accept-loss`",
    self.what()
)]
pub(super) struct Loss {
    folder: PathBuf,
    finding: Finding,
    /// Messages that are missing, at least.
    messages: Option<u64>,
    /// Changes that are missing, messages among them.
    commits: Option<u64>,
}

impl Loss {
    pub(super) fn new(
        folder: &Path,
        finding: Finding,
        mark: Option<&Mark>,
        content: Option<&Content>,
    ) -> Self {
        let found = content.copied().unwrap_or_default();
        let same = content.is_none() || mark.is_some_and(|it| it.origin == found.origin);
        let known = mark.filter(|_| same);
        Self {
            folder: folder.to_owned(),
            finding,
            messages: known.map(|it| it.accepted.saturating_sub(found.accepted)),
            commits: known.map(|it| it.position.saturating_sub(found.position)),
        }
    }

    /// The file that is to blame.
    pub(super) const fn file(&self) -> &'static str {
        match self.finding {
            Finding::OlderLog | Finding::Behind => LOG,
            Finding::Missing
            | Finding::Empty
            | Finding::Shorter
            | Finding::Older
            | Finding::Foreign => TRUTH,
        }
    }

    /// What happened, where, and how much is missing.
    pub(super) fn what(&self) -> String {
        let folder = self.folder.display();
        let mut text = match self.finding {
            Finding::Missing => format!("{TRUTH} is missing from {folder}"),
            Finding::Empty => format!("{TRUTH} in {folder} is empty"),
            Finding::Shorter => format!("{TRUTH} in {folder} is cut off"),
            Finding::Older => format!("{TRUTH} in {folder} is an older copy"),
            Finding::OlderLog => format!("{LOG} in {folder} is an older copy"),
            Finding::Foreign => format!("{TRUTH} in {folder} is of another installation"),
            Finding::Behind => format!(
                "the last changes in {folder} are lost: {LOG} is missing, cut off or damaged, \
                 or {TRUTH} is an older copy"
            ),
        };
        if let Some(count) = self.count() {
            write!(text, " ({count})").expect("writing to a string does not fail");
        }
        text
    }

    fn count(&self) -> Option<String> {
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        match (self.finding, self.messages?, self.commits?) {
            (_, 0, 0) => None,
            (Finding::Missing | Finding::Empty, messages, _) => {
                Some(format!("it had accepted {messages} message{}", plural(messages)))
            },
            (_, messages, commits) => Some(format!(
                "at least {messages} message{} missing, with {commits} commit{}",
                plural(messages),
                plural(commits)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        serial: 1,
        origin: 5,
        position: 100,
        accepted: 80,
        log_salt: 1_000,
        whole: Whole { bytes: 8_192, changes: 3 },
    };

    const GOOD: Files = Files {
        truth: Some(Whole { bytes: 8_192, changes: 3 }),
        log_salt: Some(1_000),
        log_bytes: 4_096,
        has_mark: true,
        has_index: true,
    };

    #[test]
    fn files_tell_what_is_missing() {
        let truth = |bytes, changes| Some(Whole { bytes, changes });
        let new = Files::default();
        let cases = [
            ("whole", GOOD, None),
            ("grown", Files { truth: truth(9_000, 3), ..GOOD }, None),
            ("a new folder", new, None),
            ("a first start that was killed", Files { truth: truth(0, 0), ..new }, None),
            ("missing", Files { truth: None, ..GOOD }, Some(Finding::Missing)),
            ("empty", Files { truth: truth(0, 0), ..GOOD }, Some(Finding::Empty)),
            ("only a log", Files { log_bytes: 1, ..new }, Some(Finding::Missing)),
            ("only an index", Files { has_index: true, ..new }, Some(Finding::Missing)),
            ("only a mark", Files { has_mark: true, ..new }, Some(Finding::Missing)),
            ("cut off", Files { truth: truth(8_191, 3), ..GOOD }, Some(Finding::Shorter)),
            ("made smaller by a program", Files { truth: truth(4_096, 4), ..GOOD }, None),
            ("older", Files { truth: truth(8_192, 2), ..GOOD }, Some(Finding::Older)),
            ("no log", Files { log_salt: None, log_bytes: 0, ..GOOD }, None),
            ("a newer log", Files { log_salt: Some(1_001), ..GOOD }, None),
            ("an older log", Files { log_salt: Some(999), ..GOOD }, Some(Finding::OlderLog)),
        ];
        for (name, files, expected) in cases {
            let mark = files.has_mark.then_some(&MARK);
            assert_eq!(of_files(&files, mark), expected, "{name}");
        }
        let older = Files { log_salt: Some(999), ..GOOD };
        assert_eq!(of_files(&older, Some(&Mark { log_salt: 0, ..MARK })), None, "not known");
        assert_eq!(of_files(&older, None), None, "no whole mark");
    }

    #[test]
    fn the_content_tells_what_is_missing() {
        let whole = Content { origin: 5, position: 100, accepted: 80 };
        let cases = [
            ("as far", whole, None),
            ("farther", Content { position: 101, ..whole }, None),
            ("behind", Content { position: 99, ..whole }, Some(Finding::Behind)),
            ("another", Content { origin: 6, ..whole }, Some(Finding::Foreign)),
        ];
        for (name, content, expected) in cases {
            assert_eq!(of_content(&content, &MARK), expected, "{name}");
        }
    }

    #[test]
    fn a_loss_says_what_is_missing_and_what_to_do() {
        let behind = Content { origin: 5, position: 90, accepted: 79 };
        let check = |finding, content: Option<&Content>, expected: &str| {
            let text = Loss::new(Path::new("data"), finding, Some(&MARK), content).to_string();
            assert!(text.contains(expected), "{text}");
            assert!(text.contains("restore a backup"), "{text}");
            assert!(text.contains("`postrider serve --accept-loss`"), "{text}");
        };
        check(Finding::Missing, None, "postrider.db is missing from data (it had accepted 80 ");
        check(Finding::Empty, None, "postrider.db in data is empty (it had accepted 80 messages)");
        check(Finding::Behind, Some(&behind), "at least 1 message missing, with 10 commits");
        let other = Content { origin: 6, ..behind };
        check(Finding::Foreign, Some(&other), "is of another installation; ");
    }
}
