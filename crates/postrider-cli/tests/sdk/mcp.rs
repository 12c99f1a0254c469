//! `postrider mcp` with the official client and the inspector of the Model Context Protocol.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    Server,
    scripts::{installed, source},
    server,
};

fn run(server: &Server, command: &mut Command) -> String {
    let output = command
        .env("POSTRIDER_BINARY", env!("CARGO_BIN_EXE_postrider"))
        .env("POSTRIDER_URL", &server.url)
        .env("POSTRIDER_TOKEN", &server.token)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}{error}\nThe server logged:\n{}", server.log());
    out
}

#[test]
fn the_official_client_reads_and_changes_and_never_gets_secrets() {
    let server = server();
    // Node searches packages next to the script.
    let script = installed("mcp").join("scenario.mjs");
    std::fs::copy(source("mcp/scenario.mjs"), &script).unwrap();
    let out = run(&server, Command::new("node").arg(script));
    assert!(out.contains("no secret"), "{out}");
}

#[test]
fn the_inspector_lists_and_calls_tools() {
    let server = server();
    let inspect = |arguments: &[&str]| -> Value {
        let inspector: PathBuf = installed("mcp").join("node_modules/.bin/mcp-inspector");
        let mut command = Command::new(inspector);
        command.args(["--cli", env!("CARGO_BIN_EXE_postrider"), "mcp"]).args(arguments);
        command.args(["-e", &format!("POSTRIDER_URL={}", server.url)]);
        command.args(["-e", &format!("POSTRIDER_TOKEN={}", server.token)]);
        serde_json::from_str(&run(&server, &mut command)).unwrap()
    };
    let list = inspect(&["--method", "tools/list"]);
    assert_eq!(list["tools"].as_array().unwrap().len(), 5, "{list}");
    let overview = inspect(&["--method", "tools/call", "--tool-name", "overview"]);
    assert_eq!(overview["structuredContent"]["nodes"], 1, "{overview}");
}

/// Clients of the version 2026-07-28 do not open a session: each request says what the client can.
#[test]
fn a_client_without_a_session_calls_tools() {
    let server = server();
    let mut assistant = Command::new(env!("CARGO_BIN_EXE_postrider"))
        .arg("mcp")
        .env("POSTRIDER_URL", &server.url)
        .env("POSTRIDER_TOKEN", &server.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut requests = assistant.stdin.take().unwrap();
    let mut responses = BufReader::new(assistant.stdout.take().unwrap());
    let mut ask = |id: u64, method: &str, mut params: Value| -> Value {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writeln!(requests, "{request}").unwrap();
        let mut line = String::new();
        responses.read_line(&mut line).unwrap();
        let response: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(response["id"], id, "{response}");
        response["result"].clone()
    };
    let discovered = ask(1, "server/discover", json!({}));
    let versions = discovered["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")), "{discovered}");
    assert_eq!(ask(2, "tools/list", json!({}))["tools"].as_array().unwrap().len(), 5);
    let overview = ask(3, "tools/call", json!({ "name": "overview", "arguments": {} }));
    assert_eq!(overview["structuredContent"]["nodes"], 1, "{overview}");
    drop(requests);
    assert!(assistant.wait().unwrap().success());
}
