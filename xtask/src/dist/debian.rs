//! The Debian package. Its metadata is in postrider-cli/Cargo.toml.

use std::process::Command;

use super::{documents::write, release::Release, tool};

/// Who the package names as responsible.
const MAINTAINER: &str = "Postrider Maintainers <maintainers@postrider.invalid>";

pub(super) fn package(release: &Release) -> anyhow::Result<()> {
    tool::require("cargo-deb")?;
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
    Ok(format!(
        "postrider ({version}-1) unstable; urgency=medium\n\n  * Release {version}; see \
         CHANGELOG.md.\n\n -- {MAINTAINER}  {date}"
    ))
}
