//! Reads the files of a declaration, and what they refer to.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use postrider_core::declaration::{
    files::{Declared, FileProblem, Files, Reference, Resolved},
    tree::{Located, SyntaxProblem, parse_toml, parse_yaml},
};

use crate::{
    failure::{Advice, usage},
    input,
};

/// Most levels of folders.
const MAX_DEPTH: usize = 16;

/// The records of all files. With `keeps`, a reference to nothing keeps the stored secret.
pub(super) fn read(paths: &[PathBuf], keeps: bool) -> anyhow::Result<Declared> {
    let mut found = Vec::new();
    for path in paths {
        find(path, 0, &mut found).map_err(usage)?;
    }
    let mut problems = Vec::new();
    let mut resolve = |reference: &Reference| resolve(reference, keeps);
    let mut files = Files::new(&mut resolve);
    for path in &found {
        match parse(path, &input::read_text(path).map_err(usage)?) {
            Ok(content) => files.add(path, &content),
            Err(SyntaxProblem { line, message }) => {
                problems.push(FileProblem { file: path.clone(), line: line.unwrap_or(1), message });
            },
        }
    }
    match files.finish() {
        Ok(declared) if problems.is_empty() => Ok(declared),
        Ok(_) => Err(invalid(&problems)),
        Err(more) => {
            problems.extend(more);
            Err(invalid(&problems))
        },
    }
}

fn invalid(problems: &[FileProblem]) -> anyhow::Error {
    let lines = problems
        .iter()
        .map(|FileProblem { file, line, message }| format!("{}:{line}: {message}", file.display()));
    let count = problems.len();
    let plural = if count == 1 { "" } else { "s" };
    usage(Advice {
        message: format!(
            "the files have {count} problem{plural}:\n  {}",
            lines.collect::<Vec<_>>().join("\n  ")
        ),
        hint: "docs/declarative.md describes the files".to_owned(),
        source: None,
    })
}

/// Adds the file, or the files of the folder in the order of their names.
fn find(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    if !metadata.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    anyhow::ensure!(depth < MAX_DEPTH, "{} has too many levels of folders", path.display());
    let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
    let mut entries = entries.map(|it| Ok(it?.path())).collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        let is_hidden = entry.file_name().is_some_and(|it| it.to_string_lossy().starts_with('.'));
        if !is_hidden && (entry.is_dir() || is_declaration(&entry)) {
            find(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}

fn is_declaration(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| matches!(it, "yaml" | "yml" | "toml"))
}

fn parse(path: &Path, text: &str) -> Result<Located, SyntaxProblem> {
    if path.extension().is_some_and(|it| it == "toml") {
        return parse_toml(text);
    }
    parse_yaml(text)
}

#[expect(clippy::disallowed_methods, reason = "the files name the variables")]
fn resolve(reference: &Reference, keeps: bool) -> Resolved {
    match reference {
        Reference::Env(name) => match env::var(name) {
            Ok(value) if !value.is_empty() => Ok(Some(value)),
            Ok(_) | Err(env::VarError::NotPresent) if keeps => Ok(None),
            Ok(_) | Err(env::VarError::NotPresent) => Err(format!(
                "the variable {name} is not set; set it, or keep the stored value with --keep-secrets"
            )),
            Err(env::VarError::NotUnicode(_)) => Err(format!("the variable {name} is not text")),
        },
        Reference::File(path) => match fs::read_to_string(path) {
            Ok(text) => Ok(Some(without_last_newline(text))),
            Err(error) if keeps && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("the file {} cannot be read: {error}", path.display())),
        },
    }
}

/// Editors end files with a newline, which is not a part of a secret.
fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
