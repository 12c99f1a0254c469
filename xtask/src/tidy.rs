//! The task `tidy`: house rules that no lint knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::metadata::{Metadata, Package};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Each crate may depend on those before it, and on no other of ours.
const LINE: [&str; 6] = [
    "postrider",
    "postrider-core",
    "postrider-store",
    "postrider-engine",
    "postrider-server",
    "postrider-cli",
];

/// Crates and what they must not be built with.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("postrider-core", &["tokio", "hyper", "axum", "rusqlite", "rand"]),
    ("postrider-store", &["hyper", "axum"]),
    ("postrider-engine", &["axum"]),
    ("postrider", &["tokio", "hyper", "axum", "rusqlite"]),
];

/// Longest file, its unit tests aside.
const MAX_LINES: usize = 600;

/// Ends of type names that say nothing.
const EMPTY_WORDS: [&str; 6] = ["Manager", "Service", "Helper", "Util", "Info", "Impl"];

/// Prints every fault, so that one run shows all of them.
#[expect(clippy::print_stderr, reason = "a command line tool reports there")]
pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    let metadata = Metadata::read()?;
    let mut faults = line_up(&metadata)?;
    for package in metadata.members() {
        for path in sources(package)? {
            let text = fs::read_to_string(&path)?;
            let name = path.strip_prefix(&metadata.workspace_root).unwrap_or(&path);
            faults.extend(faults_of(name, &text));
        }
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { Ok(()) } else { bail!("{} faults", faults.len()) }
}

/// Checks that dependencies point to the left only.
fn line_up(metadata: &Metadata) -> anyhow::Result<Vec<String>> {
    let place = |name: &str| LINE.iter().position(|it| *it == name);
    let mut faults = Vec::new();
    for package in metadata.members() {
        for dependency in package.dependencies.iter().filter(|it| it.kind.is_none()) {
            let (Some(own), Some(other)) = (place(&package.name), place(&dependency.name)) else {
                continue;
            };
            if other >= own {
                faults.push(format!("{} must not depend on {}", package.name, dependency.name));
            }
        }
    }
    for (name, forbidden) in FORBIDDEN {
        let built = Metadata::closure(name)?;
        let found = forbidden.iter().filter(|it| built.iter().any(|built| built == *it));
        faults.extend(found.map(|it| format!("{name} must not be built with {it}")));
    }
    Ok(faults)
}

/// All Rust files of a crate's sources.
fn sources(package: &Package) -> anyhow::Result<Vec<PathBuf>> {
    let root = Path::new(&package.manifest_path).parent().context("a manifest is in a folder")?;
    let mut folders = vec![root.join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn faults_of(name: &Path, text: &str) -> Vec<String> {
    let name_text = name.display();
    let mut faults = Vec::new();
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().count();
    if lines > MAX_LINES && !name.ends_with("tests.rs") {
        faults.push(format!("{name_text}: {lines} lines, {MAX_LINES} at most"));
    }
    for (number, line) in code.lines().enumerate() {
        if let Some(fault) = fault_of(line) {
            faults.push(format!("{name_text}:{}: {fault}", number + 1));
        }
    }
    faults
}

fn fault_of(line: &str) -> Option<String> {
    if line.contains(concat!("TO", "DO")) && !line.contains(concat!("TO", "DO(#")) {
        return Some("a thing to do names its issue".to_owned());
    }
    let words: Vec<_> = line.split_whitespace().collect();
    let declared = words.iter().position(|it| ["struct", "enum", "trait", "type"].contains(it))?;
    let is_declaration = words.iter().take(declared).all(|it| it.starts_with("pub"));
    let name = words.get(declared + 1)?;
    let name = name.split(|it: char| !it.is_alphanumeric()).next()?;
    let empty = EMPTY_WORDS.into_iter().find(|it| name.ends_with(it))?;
    is_declaration.then(|| format!("`{name}`: {empty} says nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(faults_of(Path::new("a.rs"), text), expected);
    }

    #[test]
    fn long_files_are_faults_and_their_tests_do_not_count() {
        check(&"\n".repeat(600), &[]);
        check(&"\n".repeat(601), &["a.rs: 601 lines, 600 at most"]);
        check(&format!("\n#[cfg(test)]\nmod tests {{{}", "\n".repeat(601)), &[]);
    }

    #[test]
    fn names_of_types_say_something() {
        check(
            "pub(crate) struct StoreManager {",
            &["a.rs:1: `StoreManager`: Manager says nothing"],
        );
        check("type Metadata = u8;", &[]);
        check("enum Manage { Manager }", &[]);
        check("// a struct FooManager", &[]);
    }
}
