//! `postrider apply` and `postrider export`.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Server, postrider};

const RECORDS: &str = "\
eventTypes:
  - name: invoice.paid
    description: An invoice was paid
connectors:
  - uid: plain
    name: Plain
    transformation: |
      function handler(webhook) {
        return webhook;
      }
applications:
  - uid: acme
    name: Acme
    metadata: { env: production }
    endpoints:
      - uid: billing
        url: https://example.com/hooks
        eventTypes: [invoice.paid]
        secret: { env: BILLING_SECRET }
        headers:
          x-region: eu
          authorization: { file: key.txt }
        transformation:
          connector: plain
          variables: { token: { env: VARIABLE } }
sources:
  - uid: stripe
    name: Stripe
    type: stripe
    secrets:
      - key: { env: STRIPE_SECRET }
    endpoints:
      - uid: forward
        url: https://example.com/stripe
";

const SECRETS: [(&str, &str); 3] = [
    ("BILLING_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("VARIABLE", "value-of-the-variable"),
    ("STRIPE_SECRET", "whsec_of_stripe_0123456789"),
];

/// A folder with the records and the file that they refer to.
fn declared(records: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nested")).unwrap();
    fs::write(folder.path().join("nested/records.yaml"), records).unwrap();
    fs::write(folder.path().join("nested/key.txt"), "Bearer key-in-a-file\n").unwrap();
    folder
}

fn command(server: &Server, name: &str, more: &[&str]) -> Command {
    let mut command = postrider(&[&[name], more].concat());
    command.env("POSTRIDER_URL", &server.url).env("POSTRIDER_TOKEN", &server.token);
    command
}

fn apply(server: &Server, folder: &Path, more: &[&str]) -> Output {
    let folder = folder.display().to_string();
    let arguments = [&["-f", &folder], more].concat();
    command(server, "apply", &arguments).envs(SECRETS).output().unwrap()
}

/// The output of a command that exits with this code, without any secret.
#[track_caller]
fn text(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    let secrets = SECRETS.map(|(_, secret)| secret);
    for secret in secrets.into_iter().chain(["key-in-a-file"]) {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    text
}

async fn secret_of(server: &Server, path: &str) -> Value {
    server.get(path).await["key"].clone()
}

#[tokio::test]
async fn files_are_planned_applied_and_then_nothing_is_left_to_do() {
    let server = Server::start();
    let folder = declared(RECORDS);
    let plan = text(&apply(&server, folder.path(), &["--check"]), 2);
    for line in [
        "+ event type invoice.paid",
        "+ application acme",
        "+ endpoint acme/billing",
        "    secret: (secret)",
        "    headers.authorization: (secret)",
        "    headers.x-region: \"eu\"",
        "+ source stripe",
        "+ endpoint source stripe/forward",
        "Plan: 6 to create, 0 to change, 0 to remove, 0 unchanged.",
    ] {
        assert!(plan.contains(line), "{line} is not in {plan}");
    }
    assert_eq!(server.get("/app").await["data"], json!([]));
    // Without a terminal, the command cannot ask.
    let refused = text(&apply(&server, folder.path(), &[]), 2);
    assert!(refused.contains("--yes"), "{refused}");

    let done = text(&apply(&server, folder.path(), &["--yes"]), 0);
    assert!(done.contains("Applied: 6 created, 0 changed, 0 removed, 0 unchanged."), "{done}");
    let endpoint = server.get("/app/acme/endpoint/billing").await;
    assert_eq!(endpoint["eventTypes"], json!(["invoice.paid"]));
    let secret = secret_of(&server, "/app/acme/endpoint/billing/secret").await;
    assert_eq!(secret, SECRETS[0].1);
    let transformation = server.get("/app/acme/endpoint/billing/transformation").await;
    assert_eq!(transformation["enabled"], true);
    let again = text(&apply(&server, folder.path(), &["--check"]), 0);
    assert_eq!(again.trim(), "Nothing to do: 6 unchanged.");
    assert_eq!(server.get("/app/acme/endpoint/billing").await, endpoint);

    // A change by a client is found and undone; what the file leaves open stays.
    let change = json!({ "description": "by a client", "disabled": true });
    server.must(Method::PATCH, "/app/acme/endpoint/billing", Some(change)).await;
    let plan = text(&apply(&server, folder.path(), &["--check"]), 2);
    assert!(plan.contains("    description: \"by a client\" → (none)"), "{plan}");
    text(&apply(&server, folder.path(), &["--yes"]), 0);
    let endpoint = server.get("/app/acme/endpoint/billing").await;
    assert_eq!((&endpoint["description"], &endpoint["disabled"]), (&json!(""), &json!(true)));
    assert!(!server.log().contains("key-in-a-file"));
}

#[tokio::test]
async fn prune_removes_only_what_the_set_manages() {
    let server = Server::start();
    server.application("other").await;
    server
        .must(Method::POST, "/event-type", Some(json!({ "name": "by.hand", "description": "" })))
        .await;
    let folder = declared(RECORDS);
    text(&apply(&server, folder.path(), &["--yes"]), 0);
    let rest = "applications:\n  - uid: acme\n    name: Acme\n    metadata: { env: production }\n";
    let less = declared(rest);
    let kept = text(&apply(&server, less.path(), &["--check"]), 0);
    assert_eq!(kept.trim(), "Nothing to do: 1 unchanged.");
    let other_set = text(&apply(&server, less.path(), &["--check", "--prune", "--name", "b"]), 2);
    assert!(!other_set.contains("\n- "), "{other_set}");
    let pruned = text(&apply(&server, less.path(), &["--yes", "--prune"]), 0);
    for line in ["- endpoint acme/billing", "- source stripe", "- event type invoice.paid"] {
        assert!(pruned.contains(line), "{line} is not in {pruned}");
    }
    assert!(pruned.contains("5 removed"), "{pruned}");
    let names = |list: &Value, field: &str| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|it| it[field].clone()).collect()
    };
    let mut applications = names(&server.get("/app").await, "uid");
    applications.sort_by_key(ToString::to_string);
    assert_eq!(applications, ["acme", "other"]);
    assert_eq!(names(&server.get("/event-type").await, "name"), ["by.hand", "test.event"]);

    // An endpoint of a client is not removed along with its application.
    let endpoint = json!({ "uid": "own", "url": "https://example.com/own" });
    server.must(Method::POST, "/app/acme/endpoint", Some(endpoint)).await;
    let nothing = declared("applications: []\n");
    let refused = text(&apply(&server, nothing.path(), &["--yes", "--prune"]), 1);
    assert!(refused.contains("does not belong to the set default"), "{refused}");
    server.must(Method::DELETE, "/app/acme/endpoint/own", None).await;
    text(&apply(&server, nothing.path(), &["--yes", "--prune"]), 0);
    assert_eq!(names(&server.get("/app").await, "uid"), ["other"]);
}

#[tokio::test]
async fn problems_name_the_file_the_line_and_the_field_and_nothing_is_applied() {
    let server = Server::start();
    let check = |records: &str, code: i32, expected: &str| {
        let folder = declared(records);
        let found = text(&apply(&server, folder.path(), &["--yes"]), code);
        assert!(found.contains(expected), "{expected} is not in {found}");
    };
    let first = "applications:\n  - uid: acme\n    name: Acme\n    endpoints:\n      - uid: a\n        url: https://example.com\n";
    check(&format!("{first}        evntTypes: [x]\n"), 1, "records.yaml:7: `evntTypes`: ");
    check(&format!("{first}        evntTypes: [x]\n"), 1, "did you mean eventTypes");
    check(
        &format!("{first}        eventTypes: [x]\n"),
        1,
        "records.yaml:7: `eventTypes.0`: is not an event type",
    );
    check(
        &format!("{first}        secret: {{ env: NOT_SET }}\n"),
        2,
        "records.yaml:7: the variable NOT_SET is not set",
    );
    check(
        &format!("{first}  - uid: acme\n"),
        2,
        "records.yaml:7: the application acme is declared twice",
    );
    check("applications: [\n", 2, "records.yaml:");
    check(
        "endpoints:\n  - uid: a\n    application: zzz\n    url: https://a.example\n",
        1,
        "records.yaml:3: `application`: there is no application",
    );
    assert_eq!(server.get("/app").await["data"], json!([]));
}

#[tokio::test]
async fn an_export_applies_to_another_server_and_changes_nothing_here() {
    let first = Server::start();
    let folder = declared(RECORDS);
    text(&apply(&first, folder.path(), &["--yes"]), 0);
    for format in ["yaml", "toml"] {
        let second = Server::start();
        let exported = tempfile::tempdir().unwrap();
        let to = exported.path().join("out").display().to_string();
        let export = |server: &Server, more: &[&str]| {
            command(server, "export", &[&["--format", format], more].concat()).output().unwrap()
        };
        let written = export(&first, &["-f", &to, "--with-secrets"]);
        assert!(written.status.success(), "{written:?}");
        let again = export(&first, &["-f", &to]);
        assert_eq!(again.status.code(), Some(1), "{again:?}");
        assert_eq!(
            text(&apply(&first, Path::new(&to), &["--check"]), 0).trim(),
            "Nothing to do: 6 unchanged."
        );
        text(&apply(&second, Path::new(&to), &["--yes"]), 0);
        let (of_first, of_second) =
            (export(&first, &["--with-secrets"]), export(&second, &["--with-secrets"]));
        assert_eq!(
            String::from_utf8_lossy(&of_second.stdout),
            String::from_utf8_lossy(&of_first.stdout),
        );

        // Without secrets there are references, which keep what is stored.
        let open = text(&export(&first, &[]), 0);
        assert!(open.contains("POSTRIDER_ACME_BILLING_SECRET"), "{open}");
        let file = exported.path().join(format!("open.{format}"));
        fs::write(&file, open).unwrap();
        let kept = text(&apply(&first, &file, &["--check", "--keep-secrets"]), 0);
        assert_eq!(kept.trim(), "Nothing to do: 6 unchanged.");
        let missing = text(&apply(&first, &file, &["--check"]), 2);
        assert!(missing.contains("POSTRIDER_ACME_BILLING_SECRET is not set"), "{missing}");
    }
}

#[tokio::test]
async fn a_plan_is_applied_only_to_the_state_that_it_was_made_from() {
    let server = Server::start();
    let body = |name: &str, dry_run: bool, revision: Option<&Value>| {
        json!({
            "dryRun": dry_run,
            "revision": revision,
            "records": { "applications": [{ "uid": "acme", "name": name }] },
        })
    };
    let plan = server.must(Method::POST, "/environment/apply", Some(body("A", true, None))).await;
    assert_eq!(plan["applied"], false);
    server.application("acme").await;
    let stale = body("A", false, Some(&plan["revision"]));
    let (status, refused) =
        server.call(Method::POST, "/environment/apply", Some(stale)).await.unwrap();
    assert_eq!((status, &refused["code"]), (409, &json!("changed_meanwhile")), "{refused}");
    let plan = server.must(Method::POST, "/environment/apply", Some(body("A", true, None))).await;
    let right = body("A", false, Some(&plan["revision"]));
    let done = server.must(Method::POST, "/environment/apply", Some(right)).await;
    assert_eq!(
        done["changes"][0]["fields"][0],
        json!({ "field": "managedBy", "new": "default", "hidden": false })
    );
    let log = server.get("/audit-log?operation=v1.environment.apply").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 1, "{log}");
}
#[tokio::test]
async fn modes_signing_profiles_and_trace_contexts_survive_a_round_trip() {
    const SECRET: &str = "secret-of-the-profile";
    let records = "\
applications:
  - uid: acme
    name: Acme
    mode: shadow
    endpoints:
      - uid: plain
        url: https://example.com/plain
      - uid: signed
        url: https://example.com/signed
        forwardTraceContext: true
        signing:
          profile: convoy-advanced
          standard: true
          secrets:
            - { key: { env: PROFILE_SECRET } }
";
    let (first, second) = (Server::start(), Server::start());
    let apply = |server: &Server, path: &Path, more: &[&str]| {
        let path = path.display().to_string();
        let mut command = command(server, "apply", &[&["-f", &path], more].concat());
        let output = command.env("PROFILE_SECRET", SECRET).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET), "{output:?}");
        output
    };
    let folder = declared(records);
    text(&apply(&first, folder.path(), &["--yes"]), 0);
    assert_eq!(first.get("/app/acme").await["mode"], "shadow");
    let endpoint = first.get("/app/acme/endpoint/signed").await;
    assert_eq!(endpoint["forwardTraceContext"], true);
    assert_eq!(endpoint["signing"]["secrets"], json!([{ "key": "***" }]));

    let open = text(&command(&first, "export", &[]).output().unwrap(), 0);
    for part in ["mode: shadow", "forwardTraceContext: true", "profile: convoy-advanced"] {
        assert!(open.contains(part), "{part} is not in {open}");
    }
    assert!(!open.contains(SECRET), "{open}");
    let variable = "POSTRIDER_ACME_SIGNED_SIGNING_SECRETS_0_KEY";
    assert!(open.contains(variable), "{open}");
    // The exported references are given in the environment of the other server's command.
    let own = |endpoint: &str| format!("/app/acme/endpoint/{endpoint}/secret");
    let mut variables = vec![(variable.to_owned(), SECRET.to_owned())];
    let file = folder.path().join("open.yaml");
    fs::write(&file, &open).unwrap();
    let missing = text(&apply(&second, &file, &["--yes"]), 2);
    assert!(missing.contains(variable), "{missing}");
    for name in ["plain", "signed"] {
        let key = secret_of(&first, &own(name)).await.as_str().unwrap().to_owned();
        variables.push((format!("POSTRIDER_ACME_{}_SECRET", name.to_uppercase()), key));
    }
    let path = file.display().to_string();
    let mut again = command(&second, "apply", &["-f", &path, "--yes"]);
    text(&again.envs(variables).output().unwrap(), 0);

    let export = |server: &Server| {
        let output = command(server, "export", &["--with-secrets"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = export(&first);
    assert!(whole.contains(SECRET), "{whole}");
    assert_eq!(export(&second), whole);
    assert_eq!(second.get("/app/acme").await["mode"], "shadow");
    fs::write(&file, whole).unwrap();
    let nothing = text(&apply(&second, &file, &["--check"]), 0);
    assert_eq!(nothing.trim(), "Nothing to do: 3 unchanged.");
}
