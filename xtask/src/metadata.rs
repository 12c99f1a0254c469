//! What cargo knows of the workspace.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_members: Vec<String>,
    pub workspace_root: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub manifest_path: String,
    pub dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub name: String,
    /// What the crate's code calls it, if that is another name.
    pub rename: Option<String>,
    /// `None` for a normal one.
    pub kind: Option<String>,
}

impl Package {
    pub(crate) fn folder(&self) -> anyhow::Result<&Path> {
        Path::new(&self.manifest_path).parent().context("a manifest is in a folder")
    }
}

impl Metadata {
    /// Asks cargo, for this machine's platform alone.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let version = output(Command::new("rustc").arg("-vV"))?;
        let version = String::from_utf8(version)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not name its host")?;
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform", host]);
        serde_json::from_slice(&output(&mut cargo)?).context("cargo metadata")
    }

    /// The crates of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|it| self.workspace_members.contains(&it.id))
    }

    /// Names of all that a crate is built with, itself included; its own tests aside, and with
    /// the features that it has by itself: others of the workspace may ask for more.
    pub(crate) fn closure(name: &str) -> anyhow::Result<Vec<String>> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--locked", "--package", name, "--edges", "normal"]);
        cargo.args(["--prefix", "none", "--format", "{p}"]);
        let tree = String::from_utf8(output(&mut cargo)?)?;
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        Ok(tree.lines().map(name).collect())
    }
}

fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
