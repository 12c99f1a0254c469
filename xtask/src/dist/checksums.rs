//! The checksums of all results.

use std::{ffi::OsString, fs, process::Command};

use anyhow::Context;

use super::{documents, release::Release, tool};

/// The file that `sha256sum --check` reads.
const FILE: &str = "SHA256SUMS";

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let folder = release.results();
    let mut names = Vec::<OsString>::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name() != FILE {
            names.push(entry.file_name());
        }
    }
    names.sort();
    let mut command = Command::new("sha256sum");
    let sums = tool::output(command.current_dir(&folder).args(&names), "sha256sum")?;
    documents::write(&folder.join(FILE), sums.as_bytes())
}
