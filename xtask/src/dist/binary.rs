//! The binary, and its debug symbols in a file of their own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::{
    release::{Release, copy_into},
    tool,
};

/// Builds the binary with all features. If cargo-auditable is installed, the binary lists its
/// dependencies, so that scanners find vulnerable ones.
pub(super) fn build(release: &Release) -> anyhow::Result<PathBuf> {
    // Apart from other builds: the flags differ, and would lead to full builds each time.
    let target = release.root.join("target/release-build");
    let mut cargo = Command::new(env!("CARGO"));
    if tool::exists("cargo-auditable") {
        cargo.arg("auditable");
    }
    cargo.args(["build", "--release", "--locked", "--package=postrider-cli", "--features=full"]);
    cargo.arg("--target-dir").arg(&target).current_dir(&release.root);
    let (rust_flags, c_flags) = flags(release)?;
    cargo.env("RUSTFLAGS", rust_flags).env("CFLAGS", c_flags);
    cargo.env("CARGO_INCREMENTAL", "0").env("SOURCE_DATE_EPOCH", &release.epoch);
    tool::run(&mut cargo, "cargo")?;
    Ok(target.join("release/postrider"))
}

/// The flags of the compilers that keep folders of this machine out of the binary.
fn flags(release: &Release) -> anyhow::Result<(String, String)> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home);
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set")?;
    let folders = [(release.root.as_path(), "/postrider"), (cargo.as_path(), "/cargo")];
    let joined = |flag: &str| {
        let flags = folders.map(|(from, to)| format!("{flag}={}={to}", from.display()));
        flags.join(" ")
    };
    Ok((joined("--remap-path-prefix"), joined("-ffile-prefix-map")))
}

/// Puts the stripped binary and its symbols into the stage.
pub(super) fn stage(release: &Release, binary: &Path) -> anyhow::Result<()> {
    let (stripped, symbols) = (release.stage().join("bin"), release.stage().join("debug"));
    copy_into(binary, &symbols)?;
    fs::create_dir_all(&stripped).with_context(|| stripped.display().to_string())?;
    let symbols = symbols.join("postrider.debug");
    let stripped = stripped.join("postrider");
    objcopy(&[&"--only-keep-debug", &binary, &symbols])?;
    // The name of the file alone, as debuggers expect it.
    let link = format!("--add-gnu-debuglink={}", symbols.display());
    objcopy(&[&"--strip-all", &link.as_str(), &binary, &stripped])?;
    let copy = release.stage().join("debug").join(binary.file_name().unwrap_or_default());
    fs::remove_file(&copy).with_context(|| copy.display().to_string())
}

fn objcopy(arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> anyhow::Result<()> {
    let mut objcopy = Command::new("objcopy");
    objcopy.args(arguments.iter().map(|it| it.as_ref()));
    tool::run(&mut objcopy, "objcopy")
}
