//! Real services, started by `scripts/services`.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::bench::console::progress;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/services");

/// A running service with a folder of its own; dropping this stops it.
#[derive(Debug)]
pub(super) struct RunningBroker {
    name: &'static str,
    folder: TempDir,
    keys: BTreeMap<String, String>,
}

impl RunningBroker {
    pub(super) fn start(name: &'static str, options: &[&str]) -> anyhow::Result<Self> {
        // Beside the binaries, because /tmp may be in memory.
        let program = std::env::current_exe()?;
        let binaries = program.parent().context("no folder")?;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(binaries)?;
        let output = said("start", name, folder.path(), options)?;
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        Ok(Self { name, keys: output.lines().filter_map(pair).collect(), folder })
    }

    /// What the script said of the service.
    pub(super) fn get(&self, key: &str) -> anyhow::Result<&str> {
        let value = self.keys.get(key).map(String::as_str);
        value.with_context(|| format!("{} has no {key}", self.name))
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        if let Err(error) = said("stop", self.name, self.folder.path(), &["KILL"]) {
            progress(&format!("{} does not stop: {error:#}", self.name));
        }
    }
}

fn said(command: &str, name: &str, folder: &Path, options: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(SCRIPT)
        .args([command, name])
        .arg(folder)
        .args(options)
        .env("POSTRIDER_SERVICES_OWNER", std::process::id().to_string())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}
