//! The binary, and its debug symbols in a file of their own.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use super::{release::Release, tool};

/// The section with the dependencies.
const DEPENDENCIES: &str = ".dep-v0";

/// What cargo-auditable gets from its own subcommand of cargo: the arguments of the build.
const AUDITABLE: &str = r#"{"offline":false,"locked":true,"frozen":false,"config":[]}"#;

/// Builds the binary with all features. It lists its dependencies, so that scanners find
/// vulnerable ones.
pub(super) fn build(release: &Release) -> anyhow::Result<PathBuf> {
    // Apart from other builds: the flags differ, and would lead to full builds each time.
    let target = release.root.join("target/release-build");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--package=postrider-cli", "--features=full"]);
    cargo.arg("--target-dir").arg(&target).current_dir(&release.root);
    let cargo_home = cargo_home()?;
    let (rust_flags, c_flags) = flags(&release.root, &cargo_home);
    cargo.env("CARGO_HOME", cargo_home).env("RUSTFLAGS", rust_flags).env("CFLAGS", c_flags);
    cargo.env("CARGO_INCREMENTAL", "0").env("SOURCE_DATE_EPOCH", &release.epoch);
    list_dependencies(&mut cargo)?;
    tool::run(&mut cargo, "cargo")?;
    let binary = target.join("release/postrider");
    let sections = tool::output(Command::new("objdump").arg("-h").arg(&binary), "objdump")?;
    ensure!(sections.contains(DEPENDENCIES), "the binary does not list its dependencies");
    Ok(binary)
}

/// Does what `cargo auditable` would do, but names the program without its folder: cargo makes
/// the names of symbols from the path of a wrapper, so another home folder would lead to other
/// bytes.
fn list_dependencies(cargo: &mut Command) -> anyhow::Result<()> {
    // Without its subcommand, it refuses to run.
    tool::require("cargo-auditable", &["auditable", "--version"])?;
    cargo.env("RUSTC_WORKSPACE_WRAPPER", "cargo-auditable");
    cargo.env("CARGO_AUDITABLE_ORIG_ARGS", AUDITABLE);
    Ok(())
}

/// The folder of cargo, without symbolic links: a compiler that runs in it sees where they lead.
fn cargo_home() -> anyhow::Result<PathBuf> {
    let default = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(default);
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    fs::canonicalize(&home).with_context(|| home.display().to_string())
}

/// The flags of the compilers that keep folders of this machine out of the binary.
fn flags(root: &Path, cargo_home: &Path) -> (String, String) {
    let folders = [(root, "/postrider"), (cargo_home, "/cargo")];
    let joined = |flag: &str| {
        let flags = folders.map(|(from, to)| format!("{flag}={}={to}", from.display()));
        flags.join(" ")
    };
    (joined("--remap-path-prefix"), joined("-ffile-prefix-map"))
}

/// Puts the stripped binary and its symbols into the stage.
pub(super) fn stage(release: &Release, binary: &Path) -> anyhow::Result<()> {
    let stripped = release.stage().join("bin/postrider");
    let symbols = release.stage().join("debug/postrider.debug");
    for folder in [&stripped, &symbols].into_iter().filter_map(|file| file.parent()) {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    objcopy(&["--only-keep-debug".as_ref(), binary.as_os_str(), symbols.as_os_str()])?;
    // The link has the name of the file alone, as debuggers expect it.
    let link = format!("--add-gnu-debuglink={}", symbols.display());
    let strip = ["--strip-all".as_ref(), link.as_ref()];
    objcopy(&[&strip[..], &[binary.as_os_str(), stripped.as_os_str()]].concat())
}

fn objcopy(arguments: &[&OsStr]) -> anyhow::Result<()> {
    tool::run(Command::new("objcopy").args(arguments), "objcopy")
}
