//! The RPM. Its metadata is in postrider-cli/Cargo.toml.

use std::process::Command;

use super::{release::Release, tool};

pub(super) fn package(release: &Release) -> anyhow::Result<()> {
    tool::require("cargo-generate-rpm", &["--version"])?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["generate-rpm", "--package=crates/postrider-cli"]);
    cargo.arg(format!("--source-date={}", release.epoch));
    cargo.arg("--output").arg(release.results()).current_dir(&release.root);
    tool::run(&mut cargo, "cargo-generate-rpm")
}
