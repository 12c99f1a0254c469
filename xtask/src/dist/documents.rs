//! Manual pages and completions, which the binary itself writes, and the files of the packages.

use std::{fs, path::Path, process::Command};

use anyhow::Context;

use super::{
    release::{Release, copy_into},
    tool,
};

/// Where the shells look for completions, below /usr/share.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/postrider"),
    ("zsh", "zsh/vendor-completions/_postrider"),
    ("fish", "fish/vendor_completions.d/postrider.fish"),
];

pub(super) fn stage(release: &Release) -> anyhow::Result<()> {
    let stage = release.stage();
    let binary = stage.join("bin/postrider");
    tool::run(postrider(&binary).arg("manual").arg(stage.join("man1")), "postrider")?;
    for (shell, place) in COMPLETIONS {
        let script = tool::output(postrider(&binary).args(["completions", shell]), "postrider")?;
        write(&stage.join("share").join(place), script.as_bytes())?;
    }
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"] {
        copy_into(&release.root.join(file), &stage.join("doc"))?;
    }
    let packaging = release.root.join("packaging");
    copy_into(&packaging.join("systemd/postrider.service"), &stage.join("systemd"))?;
    copy_into(&packaging.join("postrider.toml"), &stage.join("etc"))
}

/// The binary, without settings of the caller, which help texts would show.
fn postrider(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|it| it.to_string_lossy().starts_with("POSTRIDER_")) {
        command.env_remove(name);
    }
    command
}

/// Writes a file, and creates its folder.
pub(super) fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = file.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, content))
        .with_context(|| file.display().to_string())
}
