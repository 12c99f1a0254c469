//! The comparison of a mark with a folder: whether data is missing, and the report of it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::mark::Mark;
use crate::embedded::{files::MAIN, main_file::FileVersion, number::JournalPosition};

const LOG: &str = "postrider.db-wal";

/// The files of a folder.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FilesFound {
    pub(super) main: Option<FileVersion>,
    pub(super) log_salt: Option<u32>,
    pub(super) log_bytes: u64,
    pub(super) has_mark: bool,
    pub(super) has_index: bool,
}

/// How far a main database is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Content {
    pub(super) origin: i64,
    pub(super) position: JournalPosition,
    pub(super) accepted: u64,
}

/// What is wrong with the main database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// There is no file.
    Missing,
    /// The file is empty.
    Empty,
    /// The file was longer.
    Shorter,
    /// The file is an older copy.
    Older,
    /// The log is an older copy.
    OlderLog,
    /// The file belongs to another installation, or was created again.
    Foreign,
    /// The last commits are missing.
    Behind,
}

/// Compares the files with the mark, without opening a database.
pub(super) fn in_files(found: &FilesFound, mark: Option<&Mark>) -> Option<Finding> {
    let had_content = found.has_mark || found.has_index || found.log_bytes > 0;
    let main = match found.main {
        None => return had_content.then_some(Finding::Missing),
        Some(FileVersion { bytes: 0, .. }) => return had_content.then_some(Finding::Empty),
        Some(main) => main,
    };
    let mark = mark?;
    // Both counters wrap around, so the sign of the difference tells which one is newer.
    let newer = main.changes.wrapping_sub(mark.main.changes).cast_signed();
    if newer < 0 {
        return Some(Finding::Older);
    }
    // Another program may have written to the file and made it shorter, but then it has counted
    // the change.
    if newer == 0 && main.bytes < mark.main.bytes {
        return Some(Finding::Shorter);
    }
    let is_older = |salt: u32| salt.wrapping_sub(mark.log_salt).cast_signed() < 0;
    let has_older_log = mark.log_salt != 0 && found.log_salt.is_some_and(is_older);
    has_older_log.then_some(Finding::OlderLog)
}

/// Compares the content of the main database with the mark.
pub(super) fn in_content(found: &Content, mark: &Mark) -> Option<Finding> {
    if found.origin != mark.origin {
        return Some(Finding::Foreign);
    }
    (found.position < mark.position).then_some(Finding::Behind)
}

/// Stored data that is missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}; restore the original file, restore a backup into an empty data folder, or continue \
     without the missing data with `postrider serve --accept-loss`",
    self.description()
)]
pub(super) struct DataLoss {
    folder: PathBuf,
    finding: Finding,
    /// The least number of messages that are missing.
    messages: Option<u64>,
    /// Commits that are missing, with those messages among them.
    commits: Option<u64>,
}

impl DataLoss {
    pub(super) fn new(
        folder: &Path,
        finding: Finding,
        mark: Option<&Mark>,
        content: Option<&Content>,
    ) -> Self {
        let found = content.copied().unwrap_or_default();
        // Numbers of different installations cannot be compared.
        let is_same = content.is_none() || mark.is_some_and(|mark| mark.origin == found.origin);
        let known = mark.filter(|_| is_same);
        Self {
            folder: folder.to_owned(),
            finding,
            messages: known.map(|mark| mark.accepted.saturating_sub(found.accepted)),
            commits: known.map(|mark| mark.position.0.saturating_sub(found.position.0)),
        }
    }

    /// The file that lacks the data.
    pub(super) const fn file(&self) -> &'static str {
        match self.finding {
            Finding::OlderLog | Finding::Behind => LOG,
            Finding::Missing
            | Finding::Empty
            | Finding::Shorter
            | Finding::Older
            | Finding::Foreign => MAIN,
        }
    }

    /// What happened, where, and how much is missing.
    pub(super) fn description(&self) -> String {
        let folder = self.folder.display();
        let mut text = match self.finding {
            Finding::Missing => format!("{MAIN} is missing from {folder}"),
            Finding::Empty => format!("{MAIN} in {folder} is empty"),
            Finding::Shorter => format!("{MAIN} in {folder} is cut off"),
            Finding::Older => format!("{MAIN} in {folder} is an older copy"),
            Finding::OlderLog => format!("{LOG} in {folder} is an older copy"),
            Finding::Foreign => format!("{MAIN} in {folder} is of another installation"),
            Finding::Behind => format!(
                "the last changes in {folder} are lost: {LOG} is missing, cut off or damaged, \
                 or {MAIN} is an older copy"
            ),
        };
        if let Some(extent) = self.extent() {
            write!(text, " ({extent})").expect("writing to a string does not fail");
        }
        text
    }

    fn extent(&self) -> Option<String> {
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
        position: JournalPosition(100),
        accepted: 80,
        log_salt: 1_000,
        main: FileVersion { bytes: 8_192, changes: 3 },
    };

    const GOOD: FilesFound = FilesFound {
        main: Some(FileVersion { bytes: 8_192, changes: 3 }),
        log_salt: Some(1_000),
        log_bytes: 4_096,
        has_mark: true,
        has_index: true,
    };

    #[test]
    fn files_show_which_data_is_missing() {
        let main = |bytes, changes| Some(FileVersion { bytes, changes });
        let new = FilesFound::default();
        let cases = [
            ("complete", GOOD, None),
            ("grown", FilesFound { main: main(9_000, 3), ..GOOD }, None),
            ("a new folder", new, None),
            ("a first start that was killed", FilesFound { main: main(0, 0), ..new }, None),
            ("missing", FilesFound { main: None, ..GOOD }, Some(Finding::Missing)),
            ("empty", FilesFound { main: main(0, 0), ..GOOD }, Some(Finding::Empty)),
            ("only a log", FilesFound { log_bytes: 1, ..new }, Some(Finding::Missing)),
            ("only an index", FilesFound { has_index: true, ..new }, Some(Finding::Missing)),
            ("only a mark", FilesFound { has_mark: true, ..new }, Some(Finding::Missing)),
            ("cut off", FilesFound { main: main(8_191, 3), ..GOOD }, Some(Finding::Shorter)),
            ("made smaller by a program", FilesFound { main: main(4_096, 4), ..GOOD }, None),
            ("older", FilesFound { main: main(8_192, 2), ..GOOD }, Some(Finding::Older)),
            ("no log", FilesFound { log_salt: None, log_bytes: 0, ..GOOD }, None),
            ("a newer log", FilesFound { log_salt: Some(1_001), ..GOOD }, None),
            ("an older log", FilesFound { log_salt: Some(999), ..GOOD }, Some(Finding::OlderLog)),
        ];
        for (name, files, expected) in cases {
            let mark = files.has_mark.then_some(&MARK);
            assert_eq!(in_files(&files, mark), expected, "{name}");
        }
        let older = FilesFound { log_salt: Some(999), ..GOOD };
        assert_eq!(in_files(&older, Some(&Mark { log_salt: 0, ..MARK })), None, "not known");
        assert_eq!(in_files(&older, None), None, "no readable mark");
    }

    #[test]
    fn the_content_shows_which_data_is_missing() {
        let complete = Content { origin: 5, position: JournalPosition(100), accepted: 80 };
        let cases = [
            ("as far", complete, None),
            ("farther", Content { position: JournalPosition(101), ..complete }, None),
            (
                "behind",
                Content { position: JournalPosition(99), ..complete },
                Some(Finding::Behind),
            ),
            ("another", Content { origin: 6, ..complete }, Some(Finding::Foreign)),
        ];
        for (name, content, expected) in cases {
            assert_eq!(in_content(&content, &MARK), expected, "{name}");
        }
    }

    #[test]
    fn a_loss_reports_its_extent_and_the_ways_to_continue() {
        let behind = Content { origin: 5, position: JournalPosition(90), accepted: 79 };
        let check = |finding, content: Option<&Content>, expected: &str| {
            let text = DataLoss::new(Path::new("data"), finding, Some(&MARK), content).to_string();
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
