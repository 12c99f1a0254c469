//! Where the embedded store opens files beside `SQLite`.
//!
//! The system drops the locks of a process on a file when the process closes any descriptor of it,
//! so code that opens and closes a database drops those of `SQLite`. The files below were checked:
//! they open other files, or databases that no connection of the process uses.

use std::path::Path;

/// The folder that the rule is for.
const STORE: &str = "crates/postrider-store/src/embedded";

/// The files in it that may open files.
const CHECKED: [&str; 7] = [
    "loss.rs",
    "loss/mark.rs",
    "main_file.rs",
    "maintenance/backup.rs",
    "maintenance/salvage.rs",
    "maintenance/salvage/files.rs",
    "sync_failure.rs",
];

/// What opens a file.
const OPENING: [&str; 9] = [
    "File::create",
    "File::open",
    "File::options",
    "OpenOptions::new",
    "fs::copy(",
    "fs::hard_link(",
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
];

/// The lines of a file that open files, although it was not checked.
pub(super) fn faults(name: &Path, code: &str) -> Vec<String> {
    let Ok(place) = name.strip_prefix(STORE) else { return Vec::new() };
    if CHECKED.iter().any(|checked| place == Path::new(checked)) {
        return Vec::new();
    }
    let opening = code.lines().enumerate().filter(|(_, line)| opens_file(line));
    let fault = |(number, _)| {
        format!(
            "{}:{}: opens a file beside SQLite; see main_file.rs, and xtask/src/tidy/descriptors.rs",
            name.display(),
            number + 1
        )
    };
    opening.map(fault).collect()
}

fn opens_file(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_own_word = |at| !code.get(..at).is_some_and(|it| it.ends_with(char::is_alphanumeric));
    OPENING.iter().any(|call| code.match_indices(call).any(|(at, _)| is_own_word(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, code: &str, expected: usize) {
        assert_eq!(faults(&Path::new(STORE).join(name), code).len(), expected, "{name}: {code}");
    }

    #[test]
    fn only_checked_files_of_the_store_open_files() {
        check("index/open.rs", "let file = File::open(path)?;\nfs::write(path, bytes)?;", 2);
        check("main_file.rs", "File::open(path)", 0);
        check("store.rs", "let file = MainFile::open(folder)?;", 0);
        check("index/open.rs", "// as File::open does\nConnection::open(path)", 0);
        assert!(faults(Path::new("xtask/src/dist.rs"), "fs::write(path, bytes)").is_empty());
    }
}
