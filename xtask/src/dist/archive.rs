//! Archives: the tarball, the debug symbols, and the Helm chart.

use std::{path::Path, process::Command};

use super::{release::Release, tool};

/// The binary with everything that belongs to it, in one folder.
pub(super) fn tarball(release: &Release) -> anyhow::Result<()> {
    let members = ["bin", "man1", "share", "doc", "systemd", "etc"];
    pack(release, &release.name(), &release.stage(), &members)
}

pub(super) fn symbols(release: &Release) -> anyhow::Result<()> {
    let name = format!("{}-debug", release.name());
    pack(release, &name, &release.stage().join("debug"), &["postrider.debug"])
}

/// The chart as `helm package` would make it, but with the same bytes each time.
pub(super) fn chart(release: &Release) -> anyhow::Result<()> {
    let folder = release.root.join("packaging/helm/postrider");
    // All that .helmignore does not exclude.
    let members = ["Chart.yaml", "values.yaml", "values.schema.json", "files", "templates"];
    let file = release.results().join(format!("postrider-chart-{}.tgz", release.version));
    compress(release, &file, "postrider", (&folder, &members))
}

fn pack(release: &Release, name: &str, folder: &Path, members: &[&str]) -> anyhow::Result<()> {
    let file = release.results().join(format!("{name}.tar.gz"));
    compress(release, &file, name, (folder, members))
}

/// Archives members of a folder below `prefix`.
fn compress(
    release: &Release,
    file: &Path,
    prefix: &str,
    members: (&Path, &[&str]),
) -> anyhow::Result<()> {
    let transform = format!("--transform=s,^,{prefix}/,");
    tar(release, file, members, &["--use-compress-program=gzip -9n", &transform])
}

/// Archives members of a folder. Order, owners, modes and times are fixed.
pub(super) fn tar(
    release: &Release,
    file: &Path,
    (folder, members): (&Path, &[&str]),
    options: &[&str],
) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--format=gnu", "--owner=0", "--group=0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX"]).args(options);
    tar.arg(format!("--mtime=@{}", release.epoch));
    tar.arg("--directory").arg(folder).arg("--file").arg(file).args(members);
    tool::run(&mut tar, "tar")
}
