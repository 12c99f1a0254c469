//! The Debian package. Its metadata is in postrider-cli/Cargo.toml.

use std::{fs, process::Command};

use anyhow::Context;

use super::{documents::write, release::Release, tool};

/// How the line of postrider-cli/Cargo.toml begins that says who is responsible for the package.
const MAINTAINER: &str = "maintainer = \"";

pub(super) fn package(release: &Release) -> anyhow::Result<()> {
    tool::require("cargo-deb", &["--version"])?;
    let changelog = release.stage().join("debian/changelog");
    write(&changelog, changelog_of(release)?.as_bytes())?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["deb", "--quiet", "--no-build", "--no-strip", "--package=postrider-cli"]);
    cargo.arg("--output").arg(release.results()).current_dir(&release.root);
    cargo.env("SOURCE_DATE_EPOCH", &release.epoch);
    tool::run(&mut cargo, "cargo-deb")
}

/// The changelog in Debian's format, with the version alone: CHANGELOG.md is next to it.
fn changelog_of(release: &Release) -> anyhow::Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date"]).arg(format!("@{}", release.epoch));
    date.env("LC_ALL", "C");
    let (version, date) = (&release.version, tool::output(&mut date, "date")?);
    let manifest = release.root.join("crates/postrider-cli/Cargo.toml");
    let manifest = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
    let maintainer = maintainer(&manifest).context("postrider-cli names no maintainer")?;
    Ok(format!(
        "postrider ({version}-1) unstable; urgency=medium\n\n  * Release {version}; see \
         CHANGELOG.md.\n\n -- {maintainer}  {date}"
    ))
}

fn maintainer(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix(MAINTAINER)?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_a_maintainer() {
        let manifest = include_str!("../../../crates/postrider-cli/Cargo.toml");
        let maintainer = maintainer(manifest).unwrap();
        assert!(maintainer.contains('<') && maintainer.ends_with('>'), "{maintainer}");
    }
}
