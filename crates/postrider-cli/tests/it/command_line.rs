//! Commands that need no server, and their errors.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use crate::server::{postrider, token};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn check(arguments: &[&str], variables: &[(&str, &str)], code: i32, stderr: &str) {
    let folder = tempfile::tempdir().unwrap();
    let variables = variables.iter().copied();
    let output = postrider(arguments).current_dir(&folder).envs(variables).output().unwrap();
    let said = text(&output.stderr).lines().next().unwrap_or_default();
    assert_eq!((output.status.code(), said), (Some(code), stderr));
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
}

#[test]
fn an_invalid_configuration_is_reported_in_one_line_with_its_origin() {
    check(
        &["serve", "--listen", "here"],
        &[],
        2,
        "error: --listen: `listen` is \"here\", expected an address and a port, such as \
         127.0.0.1:8071",
    );
    check(
        &["serve"],
        &[("POSTRIDER_RETRY_SCHEDUL", "5s")],
        2,
        "error: unknown variable POSTRIDER_RETRY_SCHEDUL; did you mean \
         `POSTRIDER_RETRY_SCHEDULE`?",
    );
    check(
        &["serve", "--set", "log_level=loud"],
        &[],
        2,
        "error: --set: `log_level` is \"loud\", expected a level such as info, or a list such \
         as info,postrider_engine=debug",
    );
    check(
        &["serve", "--config", "missing.toml"],
        &[],
        2,
        "error: missing.toml cannot be read: No such file or directory (os error 2)",
    );
    check(
        &["config", "--set", "retention.payloads=1d"],
        &[],
        2,
        "error: --set: unknown key `retention.payloads`; did you mean `retention.payload`?",
    );
    check(
        &["serve"],
        &[("POSTRIDER_JWT_SECRET", "sesame"), ("POSTRIDER_SHARDS", "0")],
        2,
        "error: POSTRIDER_SHARDS: `shards` is \"0\", expected auto or a number from 1 to 64",
    );
}

#[test]
fn client_commands_report_missing_tokens_and_servers() {
    check(&["app", "list"], &[], 2, "error: no API token");
    check(
        &["app", "list", "--url", "http://127.0.0.1:1"],
        &[("POSTRIDER_TOKEN", "t")],
        1,
        "error: http://127.0.0.1:1/ cannot be reached: Connection refused (os error 111)",
    );
    check(
        &["send", "acme", "test.event", "{"],
        &[("POSTRIDER_TOKEN", "t")],
        2,
        "error: not valid JSON: EOF while parsing an object at line 1 column 1",
    );
}

/// Each row has arguments that are wrong whatever the server and input.
#[test]
fn wrong_arguments_make_every_command_exit_with_2() {
    const PUBLIC: &str = "hooks.example.com/in";
    let rows: &[&[&str]] = &[
        &["no-such-command"],
        &["serve", "--listen", "here"],
        &["dev", "--set", "shards=0"],
        &["token", "create", "--org", "acme"],
        &["token", "create", "--expires", "soon"],
        &["sign", "--id", "msg_1"],
        &["sign", "--id", "msg_1", "--secret", "whsec_?"],
        &["verify", "--secret", "whsec_?"],
        &["verify", "--provider", "unknown", "--secret", "s"],
        &["providers", "unknown"],
        &["trigger", "unknown", "--to", "localhost:1"],
        &["trigger", "stripe"],
        &["trigger", "stripe", "--to", PUBLIC],
        &["trigger", "stripe", "--to", "ftp://localhost/"],
        &["check", PUBLIC, "--provider", "stripe"],
        &["check", "localhost:port", "--provider", "stripe"],
        &["config", "--set", "no.such=key"],
        &["migrate"],
        &["migrate", "--database-url", "mysql://localhost"],
        &["backup"],
        &["copy", "--from", "mysql://localhost/x", "--to", "there"],
        &["copy", "--from", ".", "--to", "."],
        &["send", "acme", "test.event", "{"],
        &["send", "acme", "test.event", "--url", PUBLIC],
        &["app", "list", "--url", "ftp://localhost"],
        &["app", "create", "name"],
        &["app", "create", "metadata:={"],
        &["endpoint", "create", "acme", "url=hooks.example.com/in"],
        &["endpoint", "update", "acme", "ep", "url=localhost:port"],
        &["endpoint", "replace", "acme", "ep", "{"],
        &["event-type", "create", "name"],
        &["message", "create", "acme", "payload:={"],
        &["attempt", "list"],
        &["source", "create", "--provider", "stripe", "--forward", PUBLIC],
        &["source", "create", "--provider", "stripe", "--parameter", "name"],
        &["source", "rotate-secret", "shop", "--secret", "s", "--grace", "soon"],
        &["listen", "--forward", PUBLIC],
        &["listen", "--forward", "localhost:3000/x", "--server", PUBLIC],
        &["replay", "--forward", PUBLIC],
        &["replay", "--last", "many"],
        &["completions", "none"],
    ];
    for row in rows {
        let folder = tempfile::tempdir().unwrap();
        let mut command = postrider(row);
        command.current_dir(&folder).env("POSTRIDER_TOKEN", "t").stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{row:?}: {said}");
        assert!(said.starts_with("error: "), "{row:?}: {said}");
    }
    for row in [&["app", "list"][..], &["listen", "--forward", "localhost:1", "--source", "s"]] {
        let output = postrider(row).env_remove("POSTRIDER_TOKEN").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{row:?}: {}", text(&output.stderr));
    }
}

#[test]
fn whitespace_around_a_pasted_secret_is_ignored() {
    let sign = |secret: &str| {
        let sign = ["sign", "--secret", secret, "--id", "msg_1", "--timestamp", "1000000000"];
        with_input(&sign, "{}")
    };
    let (plain, pasted) = (sign(SECRET), sign(&format!(" {SECRET}\r\n")));
    assert!(pasted.status.success(), "{}", text(&pasted.stderr));
    assert_eq!(pasted.stdout, plain.stdout);
    let verify = |secret: &str| {
        let words = ["verify", "--secret", secret, "--now", "1000000000"];
        let headers = text(&plain.stdout).lines().flat_map(|it| ["-H", it]);
        with_input(&words.into_iter().chain(headers).collect::<Vec<_>>(), "{}")
    };
    let output = verify(&format!("{SECRET}\n"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn only_the_token_is_printed_and_the_secret_is_created_once() {
    let folder = tempfile::tempdir().unwrap();
    let made = token(folder.path(), &["--org", "org_acme", "--expires", "1h"]);
    assert_eq!(made.split('.').count(), 3, "{made}");
    let secret = std::fs::read(folder.path().join("data/jwt-secret")).unwrap();
    token(folder.path(), &[]);
    assert_eq!(std::fs::read(folder.path().join("data/jwt-secret")).unwrap(), secret);
}

#[test]
fn closed_standard_output_is_not_an_error() {
    let mut command = postrider(&["config", "--reference"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut command = postrider(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read its input.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

#[test]
fn only_the_signed_body_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let signed = with_input(&["sign", "--secret", SECRET, "--id", "msg_1"], "{}");
    assert!(signed.status.success());
    let headers = folder.path().join("headers");
    std::fs::write(&headers, &signed.stdout).unwrap();
    let headers = headers.to_str().unwrap();
    let verify = |secret: &str, body: &str| {
        let output = with_input(&["verify", "--secret", secret, "--headers", headers], body);
        (output.status.code().unwrap(), text(&output.stdout).trim().to_owned())
    };
    assert_eq!(verify(SECRET, "{}"), (0, "the signature is valid".to_owned()));
    assert_eq!(verify(SECRET, "{ }"), (1, "not valid: no signature matches".to_owned()));
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(verify(other, "{}"), (1, "not valid: no signature matches".to_owned()));
    assert_eq!(verify("no secret", "{}"), (2, String::new()));
}

#[test]
fn an_old_signature_is_not_valid() {
    let output = with_input(
        &[
            "verify",
            "--secret",
            SECRET,
            "--id",
            "msg_1",
            "--timestamp",
            "1000000000",
            "--signature",
            "v1,AAAA",
        ],
        "{}",
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "not valid: timestamp is too old\n");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let output = postrider(&["manual", pages.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (page, content) in [
        ("postrider.1", "Webhook gateway in a single binary"),
        ("postrider-serve.1", "Starts the server"),
        ("postrider-endpoint-create.1", "postrider\\-endpoint\\-create"),
    ] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(content), "{page}: {text}");
    }
}

#[test]
fn completion_scripts_are_printed_for_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = postrider(&["completions", shell]).output().unwrap();
        assert!(output.status.success() && text(&output.stdout).contains("endpoint"), "{shell}");
    }
}
