use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    export::{References, nest, yaml},
    files::{Declared, FileProblem, Files, Reference, Resolved},
    tree::{Located, parse_toml, parse_yaml},
    *,
};
use crate::kind::MASK;

const YAML: &str = "\
eventTypes:
  - name: invoice.paid
    description: An invoice was paid
applications:
  - uid: acme
    name: Acme
    metadata:
      env: production
    endpoints:
      - uid: billing
        url: https://example.com/hooks
        secret: { env: BILLING_SECRET }
        headers:
          x-api-key:
            file: key.txt
endpoints:
  - application: acme
    uid: audit
    url: https://example.com/audit
";

const TOML: &str = r#"
[[eventTypes]]
name = "invoice.paid"
description = "An invoice was paid"

[[applications]]
uid = "acme"
name = "Acme"
metadata = { env = "production" }

[[applications.endpoints]]
uid = "billing"
url = "https://example.com/hooks"
secret = { env = "BILLING_SECRET" }
headers = { x-api-key = { file = "key.txt" } }

[[endpoints]]
application = "acme"
uid = "audit"
url = "https://example.com/audit"
"#;

fn read(
    content: &Located,
    resolve: &mut dyn FnMut(&Reference) -> Resolved,
) -> Result<Declared, Vec<FileProblem>> {
    let mut files = Files::new(resolve);
    files.add(Path::new("dir/a.yaml"), content);
    files.finish()
}

#[test]
fn yaml_and_toml_declare_the_same_records_and_keep_lines() {
    let mut asked = Vec::new();
    let mut resolve = |it: &Reference| {
        asked.push(it.clone());
        Ok(Some("s".to_owned()))
    };
    let yaml = parse_yaml(YAML).unwrap();
    let found = read(&yaml, &mut resolve).unwrap();
    let endpoints = json!([
        { "uid": "billing", "url": "https://example.com/hooks", "secret": "s", "headers": { "x-api-key": "s" }, "application": "acme" },
        { "application": "acme", "uid": "audit", "url": "https://example.com/audit" },
    ]);
    assert_eq!(json!(found.records[&DeclaredKind::Endpoint]), endpoints);
    assert_eq!(
        json!(found.records[&DeclaredKind::Application]),
        json!([{ "uid": "acme", "name": "Acme", "metadata": { "env": "production" } }]),
    );
    assert_eq!(found.count(), 4);
    let place = |field: &str| found.place("endpoints", 0, &[field.to_owned()]).map(|it| it.1);
    assert_eq!((place("url"), place("secret"), place("other")), (Some(11), Some(12), Some(10)));
    let in_toml = read(&parse_toml(TOML).unwrap(), &mut resolve).unwrap();
    assert_eq!(in_toml.records, found.records);
    assert_eq!(in_toml.place("endpoints", 0, &["url".to_owned()]).map(|it| it.1), Some(13));
    asked.sort_by_key(|it| format!("{it:?}"));
    let once = [Reference::Env("BILLING_SECRET".into()), Reference::File("dir/key.txt".into())];
    let [variable, file] = once;
    assert_eq!(asked, [variable.clone(), variable, file.clone(), file]);
}

#[test]
fn problems_name_the_line() {
    let check = |text: &str, expected: &[(usize, &str)]| {
        let mut resolve = |it: &Reference| Err(format!("no {it:?}"));
        let found = read(&parse_yaml(text).unwrap(), &mut resolve).unwrap_err();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (problem, (line, part)) in found.iter().zip(expected) {
            assert!(problem.line == *line && problem.message.contains(part), "{problem:?}");
        }
    };
    check(
        "applications:\n  - uid: a\n  - uid: a\n",
        &[(3, "declared twice; the first is in dir/a.yaml:2")],
    );
    check("aplications: []\n", &[(1, "`aplications` is no list of records; there are eventTypes")]);
    check("applications:\n  uid: a\n", &[(2, "must be a list")]);
    check("endpoints:\n  - url: x\n", &[(2, "has no `uid`")]);
    check("endpoints:\n  - uid: a\n    secret:\n      env: X\n", &[(4, "no Env")]);
    assert!(parse_yaml("a: [\nb").unwrap_err().line.is_some());
    assert_eq!(parse_toml("a = \n").unwrap_err().line, Some(1));
    assert!(read(&parse_yaml("").unwrap(), &mut |_| Ok(None)).unwrap().records.is_empty());
}

#[test]
fn exported_records_nest_and_refer_to_variables() {
    let object = |it: Value| it.as_object().unwrap().clone();
    let mut references = References::default();
    let endpoint = object(json!({
        "application": "acme", "uid": "billing", "secret": MASK, "headers": { "x-key": MASK },
    }));
    let replaced = references.replace(DeclaredKind::Endpoint, endpoint);
    assert_eq!(replaced["secret"], json!({ "env": "POSTRIDER_ACME_BILLING_SECRET" }));
    assert_eq!(
        replaced["headers"]["x-key"],
        json!({ "env": "POSTRIDER_ACME_BILLING_HEADERS_X_KEY" })
    );
    let mut lists = BTreeMap::from([
        (DeclaredKind::Application, vec![object(json!({ "uid": "acme" }))]),
        (DeclaredKind::Endpoint, vec![replaced]),
    ]);
    nest(&mut lists);
    assert_eq!(lists[&DeclaredKind::Application][0]["endpoints"][0]["uid"], "billing");
    assert!(!lists.contains_key(&DeclaredKind::Endpoint));
}

#[test]
fn code_is_written_line_by_line() {
    let value = json!({ "code": "function a() {\n  return 1;\n}\n", "on": "on", "list": [{ "a": 1, "b": [] }, "x"] });
    let text = "code: |\n  function a() {\n    return 1;\n  }\nlist:\n  - a: 1\n    b: []\n  - x\n\"on\": \"on\"\n";
    assert_eq!(yaml(&value), text);
}

fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "[a-z:#\\-\\n |>'\"]{0,12}",
        "\\PC{0,8}",
        Just("on".to_owned()),
        Just("0x1f".to_owned()),
        Just("1e3".to_owned()),
        Just("a\n\nb\n\n".to_owned()),
        Just("2026-01-01".to_owned()),
        Just("\u{85}\u{2028}".to_owned()),
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z ]{1,4}|\\PC{1,3}", inner, 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_as_yaml_is_read_as_the_same(value in values()) {
        let value = json!({ "it": value });
        let text = yaml(&value);
        let found = parse_yaml(&text).map(|it| it.value());
        prop_assert_eq!(found, Ok(value), "{}", text);
    }
}
