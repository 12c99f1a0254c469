//! What every part of a release has in common.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use super::tool;
use crate::metadata::Metadata;

/// A release of the present sources for this machine's processor.
#[derive(Debug)]
pub(super) struct Release {
    pub version: String,
    /// The time of all files: that of the last commit, in seconds since 1970.
    pub epoch: String,
    /// The folder of the sources.
    pub root: PathBuf,
}

impl Release {
    pub(super) fn of_workspace() -> anyhow::Result<Self> {
        let metadata = Metadata::read()?;
        let binary = metadata.members().find(|it| it.name == "postrider-cli");
        let version = binary.context("the workspace has no postrider-cli")?.version.clone();
        let root = PathBuf::from(&metadata.workspace_root);
        let mut git = Command::new("git");
        git.current_dir(&root).args(["log", "-1", "--format=%ct"]);
        let epoch = tool::output(&mut git, "git")?.trim().to_owned();
        Ok(Self { version, epoch, root })
    }

    /// Where the results are.
    pub(super) fn results(&self) -> PathBuf {
        self.root.join("target/dist")
    }

    /// Where the files are that the packages contain. The metadata of the packages in
    /// postrider-cli/Cargo.toml names this folder.
    pub(super) fn stage(&self) -> PathBuf {
        self.results().join("stage")
    }

    /// Removes the results of an earlier run.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        let results = self.results();
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match fs::remove_dir_all(&results) {
            Err(error) if !is_missing(&error) => {
                return Err(error).with_context(|| results.display().to_string());
            },
            _ => {},
        }
        fs::create_dir_all(self.stage()).with_context(|| results.display().to_string())
    }

    /// The name of a result for this processor, such as `postrider-0.1.0-x86_64-linux`.
    pub(super) fn name(&self) -> String {
        format!("postrider-{}-{}-linux", self.version, std::env::consts::ARCH)
    }

    /// The processor in the terms of Debian and of container images.
    pub(super) fn debian_architecture() -> anyhow::Result<&'static str> {
        match std::env::consts::ARCH {
            "x86_64" => Ok("amd64"),
            "aarch64" => Ok("arm64"),
            other => bail!("there are no packages for {other}"),
        }
    }
}

/// Copies a file to a folder, which is created if it does not exist.
pub(super) fn copy_into(file: &Path, folder: &Path) -> anyhow::Result<()> {
    let name = file.file_name().context("a file has a name")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(file, folder.join(name)))
        .with_context(|| format!("copying {} to {}", file.display(), folder.display()))?;
    Ok(())
}
