//! The task `tidy`: house rules that no lint knows.

mod cycles;
mod dependencies;
mod descriptors;
mod files;
mod language;
mod modules;
mod sizes;

use std::{fs, path::Path};

use anyhow::bail;

use self::{files::files, modules::Modules, sizes::Sizes};
use crate::metadata::Metadata;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

/// Ends of type names that say nothing.
const EMPTY_WORDS: [&str; 6] = ["Manager", "Service", "Helper", "Util", "Info", "Impl"];

/// The files that name the banned words: the page with the rules, and the rules themselves.
const RULES: [&str; 2] = ["STYLE.md", "xtask/src/tidy/language.rs"];

/// Prints every fault, so that one run shows all of them.
#[expect(clippy::print_stderr, reason = "a command line tool reports there")]
pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    let metadata = Metadata::read()?;
    let workspace = Path::new(&metadata.workspace_root);
    let mut faults = dependencies::faults(&metadata)?;
    let mut sizes = Sizes::default();
    for package in metadata.members() {
        let folder = package.folder()?;
        for path in files(&folder.join("src"), "rs")? {
            let text = fs::read_to_string(&path)?;
            let name = path.strip_prefix(workspace).unwrap_or(&path);
            faults.extend(faults_of(name, sizes::code_of(&text)));
            faults.extend(descriptors::faults(name, sizes::code_of(&text)));
            sizes.measure(name, &text)?;
        }
        for root in ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root)) {
            if root.exists() {
                faults.extend(cycles::faults(&Modules::read(&root)?, workspace));
            }
        }
    }
    eprintln!("{}", sizes.summary());
    faults.extend(sizes.faults());
    faults.extend(banned_words(workspace)?);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { Ok(()) } else { bail!("{} faults", faults.len()) }
}

/// Checks the language of all documentation and of all comments.
fn banned_words(workspace: &Path) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in [files(workspace, "md")?, files(workspace, "rs")?].concat() {
        let name = path.strip_prefix(workspace).unwrap_or(&path);
        if !RULES.iter().any(|rules| name == Path::new(rules)) {
            faults.extend(language::faults(name, &fs::read_to_string(&path)?));
        }
    }
    Ok(faults)
}

fn faults_of(name: &Path, code: &str) -> Vec<String> {
    let name = name.display();
    let numbered = code.lines().enumerate();
    numbered
        .filter_map(|(number, line)| Some(format!("{name}:{}: {}", number + 1, fault_of(line)?)))
        .collect()
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
