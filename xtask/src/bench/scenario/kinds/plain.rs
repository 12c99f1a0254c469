//! The plain client: an example of `postrider-sinks`, a process of its own.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::bench::payload;

/// How fast a plain client wrote.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) per_second: f64,
    pub(super) cpu_us: f64,
}

/// What it says.
#[derive(Debug, Deserialize)]
struct Written {
    written: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Plain {
    pub(super) async fn write(kind: &str, config: &Value, seconds: f64) -> anyhow::Result<Self> {
        let (config, seconds) = (config.to_string(), seconds.to_string());
        let said = run(&["write", kind, &config, &seconds, &payload::template()]).await?;
        let Written { written, seconds, cpu_seconds } = serde_json::from_str(&said)?;
        Ok(Self { per_second: written / seconds, cpu_us: cpu_seconds * 1e6 / written.max(1.0) })
    }
}

/// Creates what an endpoint needs, such as a queue.
pub(super) async fn prepare(kind: &str, config: &Value) -> anyhow::Result<()> {
    run(&["prepare", kind, &config.to_string()]).await.map(drop)
}

async fn run(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program()?).args(arguments).kill_on_drop(true).output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the plain client: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("no folder")?.join("examples/plain_client"))
}
