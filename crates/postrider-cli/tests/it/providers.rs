//! `postrider verify` and `postrider providers`.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::server::postrider;

/// From GitHub's documentation.
const GITHUB_SECRET: &str = "It's a Secret to Everybody";

const GITHUB: [&str; 4] = ["--provider", "github", "--secret", GITHUB_SECRET];
/// From GitHub's documentation, for the body `Hello, World!`.
const GITHUB_SIGNATURE: &str = "X-Hub-Signature-256: \
    sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

struct Output {
    code: i32,
    out: String,
    error: String,
}

fn verify(arguments: &[&[&str]], body: &[u8]) -> Output {
    let mut command = postrider(&["verify"]);
    command.args(arguments.concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read its input.
    drop(child.stdin.take().unwrap().write_all(body));
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

#[track_caller]
fn check_finding(arguments: &[&[&str]], body: &[u8], code: i32, finding: &Value) {
    let said = verify(arguments, body);
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap(), *finding, "{}", said.error);
    assert_eq!((said.code, said.out.lines().count(), &*said.error), (code, 1, ""));
}

#[track_caller]
fn check_wrong(arguments: &[&[&str]], expected: &str) {
    let said = verify(arguments, b"{}");
    assert!(said.error.contains(expected), "{}", said.error);
    assert_eq!((said.code, &*said.out), (2, ""));
}

/// The printed result for a request of GitHub, whose deliveries are never recognized as repeated.
fn github(valid: bool, reason: Option<&str>, event_type: Option<&str>, id: Option<&str>) -> Value {
    json!({
        "valid": valid, "reason": reason, "event_type": event_type,
        "event_id": id, "event_id_is_unique": id.is_some(), "identity": null,
    })
}

#[test]
fn a_genuine_request_is_valid_and_its_event_is_printed() {
    let event = ["--header", "X-GitHub-Event: push", "--header", "X-GitHub-Delivery: d-1"];
    check_finding(
        &[&GITHUB, &["--header", GITHUB_SIGNATURE], &event],
        b"Hello, World!",
        0,
        &github(true, None, Some("push"), Some("d-1")),
    );
    let second = ["--provider", "github", "--secret", "old", "--secret"];
    check_finding(
        &[&second, &[GITHUB_SECRET, "-H", GITHUB_SIGNATURE]],
        b"Hello, World!",
        0,
        &github(true, None, None, None),
    );
}

#[test]
fn an_invalid_request_is_printed_with_the_reason() {
    let finding = |reason: &str| github(false, Some(reason), None, None);
    // The newline is part of the body.
    check_finding(
        &[&GITHUB, &["--header", GITHUB_SIGNATURE]],
        b"Hello, World!\n",
        1,
        &finding("no signature matches"),
    );
    let said = verify(&[&GITHUB], b"Hello, World!");
    let reason: Value = serde_json::from_str(&said.out).unwrap();
    assert!(reason["reason"].as_str().unwrap().contains("x-hub-signature-256"), "{reason}");
    assert_eq!(said.code, 1);
}

#[test]
fn the_time_of_the_verification_can_be_set() {
    let signed = [
        "--provider",
        "standard-webhooks",
        "--secret",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "--header",
        "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
        "--header",
        "webhook-timestamp: 1614265330",
        "--header",
        "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "--now",
    ];
    let body = br#"{"test": 2432232314}"#;
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let identity = "6336ad9d890ac4e63850cb928f7375f0f3279f33fa3f42b836213fd52bac8bcf";
    let valid = json!({
        "valid": true, "reason": null, "event_type": null,
        "event_id": id, "event_id_is_unique": true, "identity": identity,
    });
    check_finding(&[&signed, &["1614265630"]], body, 0, &valid);
    let old = "timestamp is too old";
    let old = github(false, Some(old), None, None);
    check_finding(&[&signed, &["1614265631"]], body, 1, &old);
    check_finding(&[&signed, &["1614265631", "--tolerance", "10m"]], body, 0, &valid);
}

#[test]
fn wrong_arguments_are_distinguished_from_an_invalid_signature() {
    check_wrong(
        &[&["--provider", "strpe", "--secret", "s"]],
        "error: unknown provider `strpe`; did you mean `stripe`",
    );
    check_wrong(&[&["--provider", "github"]], "error: expected --secret or --secret-file");
    check_wrong(&[&GITHUB, &["--header", "no colon"]], "expected `Name: value`");
    check_wrong(&[&GITHUB, &["--header", "no name: a"]], "is not a valid header name");
    check_wrong(&[&GITHUB, &["--now", "today"]], "invalid digit");
    check_wrong(&[&GITHUB, &["--param", "alone"]], "expected NAME=VALUE");
    check_wrong(&[&["--provider", "github", "--secret", "@missing"]], "error: missing: No such");
    check_wrong(&[&GITHUB, &["--id", "a"]], "cannot be used with");
}

#[test]
fn a_secret_can_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{GITHUB_SECRET}\n")).unwrap();
    let path = path.to_str().unwrap();
    let at = format!("@{path}");
    for words in [["--secret", &at], ["--secret-file", path], ["--key", path]] {
        let said = verify(
            &[&["--provider", "github", "--header", GITHUB_SIGNATURE], &words],
            b"Hello, World!",
        );
        assert_eq!((said.code, &*said.error), (0, ""), "{words:?}");
    }
}

#[test]
fn providers_are_listed_and_described() {
    let run = |arguments: &[&str]| {
        let output = postrider(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, table) = run(&["providers"]);
    assert!(code == 0 && table.lines().count() > 140, "{table}");
    let stripe = table.lines().find(|it| it.starts_with("stripe ")).unwrap();
    assert!(stripe.contains("HMAC-SHA256     header:stripe-signature"), "{stripe}");
    let (code, all) = run(&["providers", "stripe"]);
    for text in ["{timestamp}.{body}", "field:t in seconds, at most 300 s old", "json:type"] {
        assert!(code == 0 && all.contains(text), "{all}");
    }
    let (_, list) = run(&["providers", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list["data"].as_array().unwrap().len() > 140);
    let (_, one) = run(&["providers", "stripe", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&one).unwrap()["id"], "stripe");
    assert_eq!(run(&["providers", "unknown"]), (2, String::new()));
}
