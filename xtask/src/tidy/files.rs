//! Finds the project's files.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Folders without text of ours.
const FOREIGN_FOLDERS: [&str; 3] = ["target", "node_modules", "corpus"];

/// All files with this extension in a folder and below it.
pub(super) fn files(root: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_dir() && !name.starts_with('.') && !FOREIGN_FOLDERS.contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
