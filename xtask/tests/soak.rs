//! The soak works: some seconds of it, with the server that is built beside this.

use std::{path::Path, process::Command};

use serde_json::Value;

#[test]
fn some_seconds_of_the_soak_pass() {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let binary = xtask.with_file_name("postrider");
    assert!(binary.exists(), "build it first: cargo build -p postrider-cli --all-features");
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("soak.json");
    let output = Command::new(xtask)
        .args(["soak", "--hours", "0.003", "--rate", "20", "--binary"])
        .arg(&binary)
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{error}");
    let reports: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let report = &reports[0];
    assert_eq!(report["violations"], serde_json::json!([]), "{text}");
    assert!(report["accepted"].as_u64() >= Some(1), "{text}");
    let activity = &report["activity"];
    let restarts = ["stops", "kills"].map(|it| activity[it].as_u64().unwrap());
    assert!(restarts.iter().sum::<u64>() >= 1, "{activity}");
}
