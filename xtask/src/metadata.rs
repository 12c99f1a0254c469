//! What cargo knows of the workspace.

use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub packages: Vec<Package>,
    pub workspace_members: Vec<String>,
    pub resolve: Resolve,
    pub workspace_root: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub source: Option<String>,
    pub manifest_path: String,
    pub dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub name: String,
    /// `None` for a normal one.
    pub kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub id: String,
    pub deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Edge {
    pub pkg: String,
    pub dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EdgeKind {
    pub kind: Option<String>,
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

    /// Names of all that a crate is built with, itself included; its own tests aside.
    pub(crate) fn closure(&self, name: &str) -> Vec<&str> {
        let start = self.members().find(|it| it.name == name).map(|it| it.id.as_str());
        let mut ids: Vec<_> = start.into_iter().collect();
        let mut next = 0;
        while let Some(&id) = ids.get(next) {
            let node = self.resolve.nodes.iter().find(|it| it.id == id);
            for edge in node.into_iter().flat_map(|it| &it.deps) {
                let is_built = edge.dep_kinds.iter().any(|it| it.kind.is_none());
                if is_built && !ids.contains(&edge.pkg.as_str()) {
                    ids.push(&edge.pkg);
                }
            }
            next += 1;
        }
        self.packages
            .iter()
            .filter(|it| ids.contains(&it.id.as_str()))
            .map(|it| it.name.as_str())
            .collect()
    }
}

fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
