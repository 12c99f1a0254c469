use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::kind::MASK;

fn name(kind: DeclaredKind, name: &str) -> RecordName {
    RecordName { kind, name: name.to_owned() }
}

fn open(plain: Value) -> Document {
    Document { masked: plain.clone(), plain }
}

fn secret(plain: Value, masked: Value) -> Document {
    Document { plain, masked }
}

#[expect(clippy::needless_pass_by_value, reason = "calls with literals are shorter")]
#[track_caller]
fn check(
    old: Option<Document>,
    new: Document,
    expected: &[(&str, Option<Value>, Option<Value>, bool)],
) {
    let found = differences(old.as_ref(), &new);
    let found: Vec<_> =
        found.into_iter().map(|it| (it.field, it.old, it.new, it.is_secret)).collect();
    let expected: Vec<_> = expected
        .iter()
        .cloned()
        .map(|(field, old, new, is)| (field.to_owned(), old, new, is))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn fields_differ_by_name_and_secrets_are_not_shown() {
    let old = json!({ "url": "https://a.example", "headers": { "a": "1", "b": "2" }, "rate": 5 });
    let new = json!({ "url": "https://b.example", "headers": { "a": "1", "c": "3" }, "on": true });
    check(
        Some(open(old.clone())),
        open(new),
        &[
            ("headers.b", Some(json!("2")), None, false),
            ("headers.c", None, Some(json!("3")), false),
            ("on", None, Some(json!(true)), false),
            ("rate", Some(json!(5)), None, false),
            ("url", Some(json!("https://a.example")), Some(json!("https://b.example")), false),
        ],
    );
    check(Some(open(old.clone())), open(old), &[]);
    let hidden = |key: &str| {
        secret(
            json!({ "config": { "host": "h", "password": key } }),
            json!({ "config": { "host": "h", "password": MASK } }),
        )
    };
    check(Some(hidden("one")), hidden("one"), &[]);
    check(Some(hidden("one")), hidden("two"), &[("config.password", None, None, true)]);
    check(
        None,
        hidden("one"),
        &[("config.host", None, Some(json!("h")), false), ("config.password", None, None, true)],
    );
    let list = |key: &str| {
        secret(json!({ "secrets": [{ "key": key }] }), json!({ "secrets": [{ "key": MASK }] }))
    };
    check(Some(list("one")), list("two"), &[("secrets", None, None, true)]);
}

#[test]
fn a_field_of_several_levels_is_shown_as_a_whole() {
    let of = |value: u8| open(json!({ "schemas": { "1": { "type": { "deep": value } } } }));
    check(
        Some(of(1)),
        of(2),
        &[(
            "schemas.1",
            Some(json!({ "type": { "deep": 1 } })),
            Some(json!({ "type": { "deep": 2 } })),
            false,
        )],
    );
}

#[test]
fn masks_keep_what_is_stored() {
    let old = json!({ "secret": "s", "headers": { "a": "1" }, "secrets": [{ "key": "k" }] });
    let new =
        json!({ "secret": MASK, "headers": { "a": MASK, "b": "2" }, "secrets": [{ "key": MASK }] });
    assert_eq!(
        keep_masked(new.clone(), Some(&old)),
        Ok(
            json!({ "secret": "s", "headers": { "a": "1", "b": "2" }, "secrets": [{ "key": "k" }] })
        ),
    );
    let path = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        keep_masked(new, None),
        Err(vec![path(&["headers", "a"]), path(&["secret"]), path(&["secrets", "0", "key"])]),
    );
}

#[test]
fn records_are_created_after_and_removed_before_what_they_refer_to() {
    let records = |names: &[RecordName]| -> Documents {
        names.iter().map(|it| (it.clone(), open(json!({ "uid": it.name })))).collect()
    };
    let application = name(DeclaredKind::Application, "acme");
    let endpoint = name(DeclaredKind::Endpoint, "acme/billing");
    let event_type = name(DeclaredKind::EventType, "a.b");
    let all = records(&[endpoint.clone(), application.clone(), event_type.clone()]);
    let order =
        |steps: Vec<Step>| steps.into_iter().map(|it| (it.action, it.name)).collect::<Vec<_>>();
    let created = [event_type.clone(), application.clone(), endpoint.clone()];
    assert_eq!(order(plan(&Documents::new(), &all)), created.map(|it| (RecordAction::Create, it)),);
    assert_eq!(
        order(plan(&all, &Documents::new())),
        [endpoint, application, event_type].map(|it| (RecordAction::Remove, it)),
    );
}

fn documents() -> impl Strategy<Value = Documents> {
    let kind = prop::sample::select(DeclaredKind::ALL.to_vec());
    let value = prop_oneof![
        Just(json!(null)),
        any::<u8>().prop_map(|it| json!(it % 4)),
        Just(json!({})),
        any::<bool>().prop_map(|it| json!({ "inner": it })),
    ];
    let fields = prop::collection::btree_map("[ab]", value, 0..3);
    let document = (fields, any::<bool>()).prop_map(|(fields, hides)| {
        let plain = Value::Object(fields.into_iter().collect());
        let mut masked = plain.clone();
        if hides && let Some(field) = masked.get_mut("a") {
            *field = json!(MASK);
        }
        Document { plain, masked }
    });
    prop::collection::btree_map(
        (kind, "[a-d]").prop_map(|(kind, it)| name(kind, &it)),
        document,
        0..8,
    )
}

/// What a store would contain after the steps.
fn applied(before: &Documents, after: &Documents, steps: &[Step]) -> Documents {
    let mut records = before.clone();
    for step in steps {
        match step.action {
            RecordAction::Create | RecordAction::Update => {
                records.insert(step.name.clone(), after[&step.name].clone());
            },
            RecordAction::Remove => drop(records.remove(&step.name)),
        }
    }
    records
}

proptest! {
    #[test]
    fn after_its_steps_there_is_nothing_left_to_do(before in documents(), after in documents()) {
        let steps = plan(&before, &after);
        let now = applied(&before, &after, &steps);
        let plain = |it: &Documents| it.iter().map(|(k, v)| (k.clone(), v.plain.clone())).collect::<Vec<_>>();
        prop_assert_eq!(plain(&now), plain(&after));
        prop_assert!(plan(&now, &after).is_empty());
        prop_assert!(plan(&before, &before).is_empty());
    }

    #[test]
    fn only_managed_records_are_obsolete(managed in documents(), declared in documents()) {
        let names = |it: &Documents| it.keys().cloned().collect::<BTreeSet<_>>();
        let (managed, declared) = (names(&managed), names(&declared));
        let found = obsolete(&managed, &declared);
        prop_assert!(found.is_subset(&managed));
        prop_assert!(found.is_disjoint(&declared));
        prop_assert_eq!(obsolete(&managed, &BTreeSet::new()), managed);
    }

    #[test]
    fn values_of_secrets_are_in_no_difference(before in documents(), after in documents()) {
        for step in plan(&before, &after) {
            for field in step.fields.iter().filter(|it| it.is_secret) {
                prop_assert!(field.old.is_none() && field.new.is_none());
            }
        }
    }
}
