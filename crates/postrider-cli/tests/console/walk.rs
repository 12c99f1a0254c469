//! Runs the script of a walk.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{receivers::Receivers, server::Server};

/// A script, and what it is told.
pub(crate) struct Walk {
    input: Value,
    receivers: Receivers,
}

impl Walk {
    /// The walk with this name, in the console of this server.
    pub(crate) async fn new(name: &str, server: &Server) -> Self {
        let receivers = Receivers::start().await;
        let input = json!({
            "walk": name,
            "server": server.url,
            "url": server.url,
            "token": server.token,
            "control": receivers.control,
            "receivers": receivers.urls(),
            "artifacts": Path::new(env!("CARGO_TARGET_TMPDIR")).join("console"),
        });
        Self { input, receivers }
    }

    /// Tells the script something else.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.input[name] = value.into();
        self
    }

    pub(crate) async fn run(self, server: &Server) {
        let mut command = node("walk.mjs");
        command.env("POSTRIDER_WALK", self.input.to_string());
        let report = run(command).await;
        drop(self.receivers);
        assert!(report.is_ok(), "{}\nThe server logged:\n{}", report.unwrap_err(), server.log());
    }
}

/// The folder of the scripts.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console")
}

/// A program of the packages that `install` installs, or a script of this folder.
fn node(script: &str) -> Command {
    let installed = folder().join("node_modules/installed");
    assert!(
        installed.exists(),
        "{} is missing; run crates/postrider-cli/tests/console/install (as ./test does), which \
         needs Node.js 20, npm and the npm registry",
        installed.display()
    );
    let mut command = Command::new("node");
    command.arg(script).current_dir(folder());
    command
}

/// Runs a command next to the receivers; the error is what it printed.
async fn run(mut command: Command) -> Result<(), String> {
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

/// Checks the types of the scripts of a project, which comments declare.
pub(crate) async fn check_types(project: &str) {
    let mut command = node("node_modules/typescript/bin/tsc");
    command.args(["--project", project]);
    run(command).await.unwrap_or_else(|faults| panic!("{faults}"));
}
