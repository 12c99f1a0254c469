//! Endpoints of the kind `command`: programs that only the configuration file can define.

use std::{fs, path::Path};

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    receiver::Receiver,
    server::{Server, until_async},
};

fn serve(folder: TempDir) -> Server {
    let config = folder.path().join("postrider.toml").display().to_string();
    Server::on_folder(folder, &[("POSTRIDER_CONFIG", &*config)])
}

/// A file that defines a program, which writes its input to `written`.
fn file(folder: &Path) -> String {
    let written = folder.join("written").display().to_string();
    format!(
        "[[endpoints]]\nuid = 'print'\napplication = 'acme'\nkind = 'command'\n[endpoints.config]\n\
         program = '/bin/sh'\nargs = ['-c', 'cat > {written}; echo printed ${{#COLOR}}']\n\
         env = {{ COLOR = 'blue-secret' }}\n"
    )
}

/// The attempts of a message, when there are so many.
async fn attempts(server: &Server, message: &str, count: usize) -> Vec<Value> {
    let path = format!("/app/acme/attempt/msg/{message}");
    let has_enough =
        |page: &Value| page["data"].as_array().is_some_and(|attempts| attempts.len() >= count);
    let page = until_async(|| server.get(&path), has_enough).await;
    page["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_program_runs_for_each_message_and_no_client_can_change_which() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("postrider.toml"), file(folder.path())).unwrap();
    let written = folder.path().join("written");
    let mut server = serve(folder);
    let endpoint = server.get("/app/acme/endpoint/print").await;
    assert_eq!(endpoint["kind"], "command");
    assert_eq!(endpoint["url"], "command:org_main/acme/print");
    assert!(!endpoint.to_string().contains("/bin/sh"), "{endpoint}");
    let message = server.publish("acme", json!({ "n": 1 })).await;
    let attempt = attempts(&server, &message, 1).await.remove(0);
    assert_eq!(attempt["response"], "exited with code 0\nprinted 11", "{attempt}");
    assert_eq!(fs::read_to_string(written).unwrap(), r#"{"n":1}"#);
    let config = json!({ "command": "org_main/acme/other" });
    let changes = [
        (Method::PATCH, "/app/acme/endpoint/print", json!({ "config": config })),
        (Method::PUT, "/app/acme/endpoint/print", json!({ "kind": "command", "config": config })),
        (Method::POST, "/app/acme/endpoint", json!({ "kind": "command", "config": config })),
        (
            Method::POST,
            "/app/acme/endpoint",
            json!({ "kind": "command", "config": { "program": "/bin/sh" } }),
        ),
    ];
    for (method, path, body) in changes {
        let (status, response) = server.call(method, path, Some(body)).await.unwrap();
        assert_eq!(status, 422, "{response}");
        assert!(response.to_string().contains("configuration file"), "{response}");
    }
    // The stored endpoint alone runs nothing.
    server.terminate();
    fs::write(server.folder.path().join("postrider.toml"), "").unwrap();
    server.restart();
    let message = server.publish("acme", json!({ "n": 2 })).await;
    let attempt = attempts(&server, &message, 1).await.remove(0);
    let response = attempt["response"].as_str().unwrap();
    assert!(response.contains("defines no command org_main/acme/print"), "{attempt}");
    let database = server.stored();
    let has = |text: &str| database.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(!has("/bin/sh") && !has("blue-secret"), "the program is stored");
}

#[tokio::test]
async fn a_message_is_posted_to_a_chat_through_an_endpoint_that_a_client_created() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    server.application("acme").await;
    let config = json!({ "url": receiver.url("ok"), "text": "<{{ payload.n }}>" });
    let body = json!({ "kind": "slack", "config": config });
    let endpoint = server.post("/app/acme/endpoint", body).await;
    assert_eq!(endpoint["config"]["url"], "***");
    assert!(endpoint["url"].as_str().unwrap().ends_with("/***"), "{endpoint}");
    let message = server.publish("acme", json!({ "n": "a&b" })).await;
    receiver.until("ok", |calls| calls.len() == 1).await;
    let attempt = attempts(&server, &message, 1).await.remove(0);
    assert!(attempt["response"].as_str().unwrap().starts_with("Slack accepted"), "{attempt}");
    let call = receiver.calls("ok").remove(0);
    assert_eq!(call.body, json!({ "text": "<a&amp;b>" }).to_string().as_bytes());
}
