//! The Homebrew formula, which installs the tarball on Linux.

use std::process::Command;

use anyhow::{Context, ensure};

use super::{documents, release::Release, tool};

pub(super) fn write(release: &Release, base_url: Option<&str>) -> anyhow::Result<()> {
    let base_url = base_url.context("the formula needs --base-url")?;
    let name = format!("{}.tar.gz", release.name());
    let tarball = release.results().join(&name);
    ensure!(tarball.exists(), "the formula needs the tarball; make both at once");
    let sum = tool::output(Command::new("sha256sum").arg(&tarball), "sha256sum")?;
    let sum = sum.split(' ').next().context("sha256sum prints a sum")?;
    let url = format!("{}/{name}", base_url.trim_end_matches('/'));
    let formula = formula(&release.version, &url, sum);
    documents::write(&release.results().join("postrider.rb"), formula.as_bytes())
}

fn formula(version: &str, url: &str, sum: &str) -> String {
    let architecture = std::env::consts::ARCH;
    let brew = if architecture == "aarch64" { "arm64" } else { architecture };
    format!(
        r##"class Postrider < Formula
  desc "Webhook gateway that sends and receives webhooks"
  homepage "{homepage}"
  url "{url}"
  version "{version}"
  sha256 "{sum}"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on arch: :{brew}
  depends_on :linux

  def install
    bin.install "bin/postrider"
    man1.install Dir["man1/*"]
    bash_completion.install "share/bash-completion/completions/postrider"
    zsh_completion.install "share/zsh/vendor-completions/_postrider"
    fish_completion.install "share/fish/vendor_completions.d/postrider.fish"
    pkgshare.install Dir["share/postrider/*"]
    pkgetc.install "etc/postrider.toml"
  end

  service do
    run [opt_bin/"postrider", "serve", "--config", etc/"postrider/postrider.toml"]
    working_dir var/"postrider"
    environment_variables POSTRIDER_DATA_DIR: var/"postrider"
    keep_alive successful_exit: false
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/postrider --version")
  end
end
"##,
        homepage = url.split("/releases/").next().unwrap_or(url),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_names_the_tarball_and_its_checksum() {
        let url = "https://git.example/postrider/releases/download/v0.1.0/postrider.tar.gz";
        let text = formula("0.1.0", url, "abc");
        for line in [
            "  homepage \"https://git.example/postrider\"",
            &format!("  url \"{url}\""),
            "  version \"0.1.0\"",
            "  sha256 \"abc\"",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
        assert!(text.contains("#{bin}/postrider --version"), "{text}");
    }
}
