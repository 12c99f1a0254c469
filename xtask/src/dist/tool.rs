//! Runs programs, and says how to install those that are missing.

use std::{io, process::Command};

use anyhow::{Context, anyhow, ensure};

/// Programs, with what installs them on Debian.
const INSTALLED_BY: [(&str, &str); 11] = [
    ("apt-get", "a Debian system; other systems can make all parts but the image"),
    ("buildah", "apt-get install buildah"),
    ("cargo-auditable", "cargo install cargo-auditable --version 0.7.7 --locked"),
    ("cargo-deb", "cargo install cargo-deb --locked"),
    ("cargo-generate-rpm", "cargo install cargo-generate-rpm --locked"),
    ("dpkg-deb", "apt-get install dpkg"),
    ("git", "apt-get install git"),
    ("objcopy", "apt-get install binutils"),
    ("objdump", "apt-get install binutils"),
    ("sha256sum", "apt-get install coreutils"),
    ("tar", "apt-get install tar"),
];

/// Runs a command whose output the user sees. `tool` is the program that may be missing.
pub(super) fn run(command: &mut Command, tool: &str) -> anyhow::Result<()> {
    let status = command.status().map_err(|error| missing(tool, error))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

/// Runs a command and returns what it prints.
pub(super) fn output(command: &mut Command, tool: &str) -> anyhow::Result<String> {
    let output = command.output().map_err(|error| missing(tool, error))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {errors}");
    String::from_utf8(output.stdout).with_context(|| format!("{command:?}"))
}

/// Checks that a program exists whose absence cargo reports less clearly. The arguments make it do
/// nothing.
pub(super) fn require(tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
    output(Command::new(tool).args(arguments), tool).map(drop)
}

fn missing(tool: &str, error: io::Error) -> anyhow::Error {
    let found = INSTALLED_BY.iter().find(|(name, _)| *name == tool);
    match found {
        Some((_, how)) if error.kind() == io::ErrorKind::NotFound => {
            anyhow!("{tool} is missing; it is installed by: {how}")
        },
        _ => anyhow::Error::new(error).context(tool.to_owned()),
    }
}
