//! The commands that call a running server.

use serde_json::{Value, json};

use crate::{
    receiver::Receiver,
    server::{Server, postrider, until_async},
};

/// Runs a command against a server and returns its output, or `None` if it failed.
fn run(server: &Server, arguments: &[&str]) -> Option<String> {
    let mut command = postrider(arguments);
    command.env("POSTRIDER_URL", &server.url).env("POSTRIDER_TOKEN", &server.token);
    let output = command.output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn json_of(server: &Server, arguments: &[&str]) -> Value {
    let text = run(server, &[arguments, &["--json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn applications_endpoints_and_messages_are_managed_on_the_command_line() {
    let receiver = Receiver::start().await;
    let server = Server::start();
    run(&server, &["app", "create", "name=Acme", "uid=acme"]).unwrap();
    run(&server, &["event-type", "create", "name=test.event", "description=An event"]).unwrap();
    let url = format!("url={}", receiver.url("ok"));
    let fields = ["endpoint", "create", "acme", "uid=main", &url, "filterTypes:=[\"test.event\"]"];
    assert_eq!(json_of(&server, &fields)["filterTypes"], json!(["test.event"]));
    let changed = json_of(&server, &["endpoint", "update", "acme", "main", "description=Ours"]);
    assert_eq!((&changed["description"], &changed["uid"]), (&json!("Ours"), &json!("main")));

    let send = ["send", "acme", "test.event", "{\"b\": 1.0,  \"a\": 2}", "--event-id", "e1"];
    let message = json_of(&server, &send);
    assert_eq!(message["eventId"], "e1");
    let calls = receiver.until("ok", |calls| calls.len() == 1).await;
    assert_eq!(calls[0].body, "{\"b\": 1.0,  \"a\": 2}", "byte for byte");
    assert_eq!(calls[0].id(), message["id"].as_str().unwrap());
    let secret = json_of(&server, &["endpoint", "secret", "acme", "main"]);
    assert!(calls[0].is_verified(secret["key"].as_str().unwrap()));
    assert!(run(&server, &send).is_none(), "the event id is taken");

    let list = run(&server, &["message", "list", "acme"]).unwrap();
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].contains("EVENT TYPE"), "{list}");
    assert!(lines[1].starts_with("msg_") && lines[1].contains("test.event"), "{list}");
    run(&server, &["attempt", "list", "acme", "--message", "e1"]).unwrap();
    run(&server, &["attempt", "resend", "acme", "e1", "main"]).unwrap();
    receiver.until("ok", |calls| calls.len() == 2).await;
    // A resend during an attempt would not make another one.
    let attempts = "/app/acme/attempt/msg/e1";
    until_async(|| server.get(attempts), |it| it["data"].as_array().unwrap().len() == 2).await;
    run(&server, &["attempt", "resend", "acme", "e1", "main", "--retry"]).unwrap();
    receiver.until("ok", |calls| calls.len() == 3).await;
    let since = ["--since", "2020-01-01T00:00:00Z", "--retry"];
    run(&server, &[&["endpoint", "recover", "acme", "main"], &since[..]].concat()).unwrap();
    let explained = json_of(&server, &["endpoint", "explain", "acme", "main", "e1"]);
    assert_eq!(explained["result"], "delivered");
    let tried = run(&server, &["endpoint", "test-filter", "acme", "main", "payload.a > 1"]);
    let tried = tried.unwrap();
    assert!(tried.starts_with("    1 match\n      msg_"), "{tried}");
    let filtered = ["endpoint", "update", "acme", "main", "filter=payload.a > 2"];
    assert_eq!(json_of(&server, &filtered)["filter"], "payload.a > 2");
    assert!(run(&server, &["endpoint", "update", "acme", "main", "filter=a > 2"]).is_none());
    let usage = json_of(&server, &["app", "usage", "acme"]);
    assert_eq!(usage["endpoints"]["limit"], 1_000);
    run(&server, &["app", "delete", "acme"]).unwrap();
    assert_eq!(run(&server, &["app", "list"]).unwrap(), "no results\n");
    assert!(run(&server, &["app", "get", "acme"]).is_none());
}

#[tokio::test]
async fn the_authentication_of_endpoints_is_managed_on_the_command_line() {
    let server = Server::start();
    run(&server, &["app", "create", "name=Acme", "uid=acme"]).unwrap();
    let endpoint = ["endpoint", "create", "acme", "uid=main", "url=https://example.com"];
    run(&server, &endpoint).unwrap();
    let of = |words: &[&str], more: &[&str]| {
        let words = [&["endpoint"], words, &["acme", "main"], more].concat();
        run(&server, &words)
    };
    let credential = ["type=basic", "username=u", "password=sesame"];
    let set = of(&["auth", "set"], &credential).unwrap();
    assert!(set.contains(r#""password":"***""#) && !set.contains("sesame"), "{set}");
    assert!(!of(&["auth", "remove"], &[]).unwrap().contains("authentication"));
    let oauth = [
        "grantType=clientCredentials",
        "authMethod=clientSecretBasic",
        "tokenUrl=https://id.example.com/token",
        "clientId=acme",
        "clientSecret=sesame",
    ];
    of(&["oauth", "set"], &oauth).unwrap();
    let shown = of(&["oauth", "get"], &[]).unwrap();
    assert!(shown.contains("https://id.example.com/token") && !shown.contains("sesame"), "{shown}");
    of(&["oauth", "delete"], &[]).unwrap();
    assert!(of(&["oauth", "get"], &[]).is_none());
    let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    let path = |name: &str| server.folder.path().join(name).display().to_string();
    let (certificate, key) = (path("client.crt"), path("client.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    assert!(of(&["mtls", "set"], &[&certificate]).is_none(), "the key is missing");
    of(&["mtls", "set"], &[&certificate, &key]).unwrap();
    let shown = of(&["mtls", "get"], &[]).unwrap();
    assert!(shown.contains("fingerprint") && !shown.contains("PRIVATE"), "{shown}");
    of(&["mtls", "delete"], &[]).unwrap();
    assert!(of(&["mtls", "get"], &[]).is_none());
}
