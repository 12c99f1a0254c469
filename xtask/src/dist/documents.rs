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
    monitoring(&packaging, &stage.join("share/postrider"))?;
    copy_into(&packaging.join("systemd/postrider.service"), &stage.join("systemd"))?;
    copy_into(&packaging.join("postrider.toml"), &stage.join("etc"))
}

/// The alert rules of Prometheus and the dashboards of Grafana. The metadata of the packages in
/// postrider-cli/Cargo.toml names them too.
fn monitoring(packaging: &Path, share: &Path) -> anyhow::Result<()> {
    copy_into(&packaging.join("prometheus/alerts.yaml"), &share.join("prometheus"))?;
    let dashboards = packaging.join("grafana");
    let files = fs::read_dir(&dashboards).with_context(|| dashboards.display().to_string())?;
    for file in files {
        copy_into(&file?.path(), &share.join("grafana"))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(folder: &Path) -> BTreeSet<String> {
        let files = fs::read_dir(folder).unwrap();
        files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn packages_contain_the_alert_rules_and_all_dashboards() {
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        let share = std::env::temp_dir().join(format!("postrider-dist-{}", std::process::id()));
        monitoring(&packaging, &share).unwrap();
        assert_eq!(names(&share.join("prometheus")), ["alerts.yaml".to_owned()].into());
        assert_eq!(names(&share.join("grafana")), names(&packaging.join("grafana")));
        fs::remove_dir_all(&share).unwrap();
        let manifest = packaging.join("../crates/postrider-cli/Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        for folder in ["prometheus/*.yaml", "grafana/*.json"] {
            let asset = format!("target/dist/stage/share/postrider/{folder}");
            assert_eq!(manifest.matches(&asset).count(), 2, "{asset} in Debian's package and RPM");
        }
    }
}
