use std::thread;

use serde_json::{Map, Value, json};

use super::*;

fn compiled(schema: &Value) -> CompiledSchema {
    match CompiledSchema::new(schema) {
        Ok(compiled) => compiled,
        Err(error) => panic!("{schema}: {error}"),
    }
}

/// The result as text: `valid`, or each pointer with what was expected.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "literals are shorter without a reference")]
fn check(schema: Value, payload: Value, expected: &[&str]) {
    let found = match compiled(&schema).check(&payload, CompiledSchema::SHORT) {
        SchemaCheck::Valid => Vec::new(),
        SchemaCheck::Invalid(problems) => {
            problems.into_iter().map(|it| format!("{}: {}", it.pointer, it.message)).collect()
        },
        SchemaCheck::TooExpensive => vec!["too expensive".to_owned()],
    };
    assert_eq!(found, expected, "{schema} of {payload}");
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "literals are shorter without a reference")]
fn refuse(schema: Value, expected: &str) {
    match CompiledSchema::new(&schema) {
        Ok(_) => panic!("{schema} is accepted"),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

#[test]
fn problems_have_a_pointer_and_say_what_was_expected() {
    let schema = json!({
        "type": "object",
        "required": ["id", "total"],
        "properties": {
            "id": { "type": "string", "minLength": 3 },
            "total": { "type": "number", "minimum": 0 },
            "state": { "enum": ["open", "paid"] },
            "lines": { "type": "array", "items": { "required": ["sku"] } },
        },
        "additionalProperties": false,
    });
    check(schema.clone(), json!({ "id": "in_1", "total": 5, "lines": [{ "sku": 1 }] }), &[]);
    check(
        schema,
        json!({ "id": 7, "state": "lost", "lines": [{ "sku": 1 }, {}], "more": 1 }),
        &[
            r#": "total" is a required property"#,
            r#"/id: the value is not of type "string""#,
            r#"/lines/1: "sku" is a required property"#,
            r#"/state: the value is not one of "open" or "paid""#,
            ": Additional properties are not allowed ('more' was unexpected)",
        ],
    );
}

#[test]
fn the_draft_decides_what_keywords_mean() {
    let uri = |draft: &str, schema: &Value| {
        let mut schema = schema.clone();
        schema["$schema"] = draft.into();
        schema
    };
    let exclusive = json!({ "minimum": 1, "exclusiveMinimum": true });
    let draft4 = uri("http://json-schema.org/draft-04/schema#", &exclusive);
    check(draft4, json!(1), &[": the value is less than or equal to the minimum of 1"]);
    let tuple = json!({ "items": [{ "type": "string" }] });
    for draft in
        ["http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-07/schema"]
    {
        check(uri(draft, &tuple), json!([1]), &[r#"/0: the value is not of type "string""#]);
    }
    // Without a draft, a schema that is invalid in the newest one is of draft 7.
    check(tuple, json!([1]), &[r#"/0: the value is not of type "string""#]);
    let prefix = json!({ "prefixItems": [{ "type": "string" }] });
    check(prefix.clone(), json!([1]), &[r#"/0: the value is not of type "string""#]);
    check(uri("http://json-schema.org/draft-07/schema#", &prefix), json!([1]), &[]);
    check(
        uri("https://example.com/ours", &prefix),
        json!([1]),
        &[r#"/0: the value is not of type "string""#],
    );
    let dynamic = json!({
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "properties": { "next": { "$recursiveRef": "#" } },
        "unevaluatedProperties": false,
    });
    check(
        dynamic,
        json!({ "next": { "next": { "a": 1 } } }),
        &["/next/next: Unevaluated properties are not allowed ('a' was unexpected)"],
    );
}

#[test]
fn references_stay_within_the_schema() {
    let schema = json!({
        "$id": "https://example.com/order",
        "properties": {
            "a": { "$ref": "#/$defs/text" },
            "b": { "$ref": "#name" },
            "c": { "$ref": "https://example.com/order#/$defs/text" },
            "d": { "$ref": "#/$defs/a~1b" },
            "e": { "$ref": "#" },
        },
        "$defs": {
            "text": { "type": "string" },
            "named": { "$anchor": "name", "type": "integer" },
            "a/b": { "type": "null" },
        },
    });
    check(
        schema,
        json!({ "a": 1, "b": "", "c": 2, "d": 3, "e": { "a": 4 } }),
        &[
            r#"/a: the value is not of type "string""#,
            r#"/b: the value is not of type "integer""#,
            r#"/c: the value is not of type "string""#,
            r#"/d: the value is not of type "null""#,
            r#"/e/a: the value is not of type "string""#,
        ],
    );
    for reference in [
        "https://example.com/other.json",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "other.json#/a",
        "#/$defs/missing",
        "#missing",
        "https://json-schema.org/draft/2020-12/schema",
    ] {
        refuse(
            json!({ "properties": { "a": { "$ref": reference } } }),
            &format!(
                "refers to {reference}, which is not a part of the schema; references to other \
                 documents are never followed, so include it in `$defs`"
            ),
        );
    }
}

#[test]
fn invalid_schemas_are_refused_with_the_place() {
    refuse(
        json!({ "properties": { "a": { "type": "text" } } }),
        "is not a valid JSON schema: at /properties/a/type: value is not valid under any of the \
         schemas listed in the 'anyOf' keyword",
    );
    for pattern in ["(", "(?=a)b", r"(a)\1"] {
        assert!(matches!(
            CompiledSchema::new(&json!({ "pattern": pattern })),
            Err(SchemaError::Invalid(_))
        ));
    }
}

#[test]
fn endless_schemas_are_refused() {
    let endless = |reference: &str| {
        format!("has a subschema that refers to itself without going into the payload: {reference}")
    };
    refuse(json!({ "$ref": "#" }), &endless("#"));
    refuse(json!({ "allOf": [{ "$ref": "#" }] }), &endless("a subschema"));
    refuse(
        json!({
            "$ref": "#/$defs/a",
            "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "not": { "$ref": "#/$defs/a" } } },
        }),
        &endless("#/$defs/b"),
    );
}

/// A schema in which each definition refers to the next one twice.
fn doubling(levels: usize, keyword: &str) -> Value {
    let definition = |level: usize| {
        let next = json!({ "$ref": format!("#/$defs/{}", level + 1) });
        (level.to_string(), json!({ keyword: [next, next] }))
    };
    let mut definitions: Map<_, _> = (0..levels).map(definition).collect();
    definitions.insert(levels.to_string(), json!({ "type": "string" }));
    json!({ "$ref": "#/$defs/0", "$defs": definitions })
}

#[test]
fn schemas_that_multiply_checks_are_refused() {
    let limit = "has more than 5000 checks of subschemas for one value; simplify the schema";
    for keyword in ["allOf", "anyOf", "oneOf"] {
        refuse(doubling(14, keyword), limit);
    }
    let mut chain: Map<_, _> = (0..100)
        .map(|it| (it.to_string(), json!({ "$ref": format!("#/$defs/{}", it + 1) })))
        .collect();
    chain.insert("100".to_owned(), json!({}));
    refuse(
        json!({ "$ref": "#/$defs/0", "$defs": chain }),
        "has more than 32 subschemas within each other that apply to the same value; simplify \
         the schema",
    );
    let nested = (0..60).fold(json!({}), |it, _| json!({ "properties": { "a": it } }));
    refuse(nested, "has more than 48 levels of subschemas; simplify the schema");
    let many: Vec<_> = (0..5_001).map(|_| json!({})).collect();
    refuse(json!({ "prefixItems": many }), "has more than 5000 subschemas; simplify the schema");
}

/// Runs the check on a stack as small as that of the server's threads.
fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(check)
        .expect("a thread starts")
        .join()
        .expect("the check does not panic");
}

fn deep(levels: usize, member: &str) -> Value {
    (0..levels).fold(json!({}), |it, _| json!({ member: it }))
}

#[test]
fn long_chains_of_definitions_do_not_exhaust_the_stack() {
    on_a_small_stack(|| {
        let count = 1_500;
        let definition = |it: usize| {
            let next = json!({ "$ref": format!("#/$defs/{}", it + 1) });
            (it.to_string(), json!({ "properties": { "a": next } }))
        };
        let mut definitions: Map<_, _> = (0..count).map(definition).collect();
        definitions.insert(count.to_string(), json!({}));
        let schema = json!({ "$ref": "#/$defs/0", "$defs": definitions });
        assert_eq!(
            compiled(&schema).check(&deep(100, "a"), CompiledSchema::LONG),
            SchemaCheck::Valid
        );
    });
}

#[test]
fn deep_payloads_are_checked_up_to_a_depth() {
    on_a_small_stack(|| {
        let list = compiled(&json!({ "properties": { "next": { "$ref": "#" } } }));
        assert_eq!(list.check(&deep(120, "next"), CompiledSchema::SHORT), SchemaCheck::Valid);
        // Each level of the payload is twenty levels of subschemas.
        let tower = (0..20).fold(
            json!({ "properties": { "next": { "$ref": "#" } } }),
            |it, _| json!({ "allOf": [it] }),
        );
        let tower = compiled(&tower);
        assert_eq!(tower.check(&deep(20, "next"), CompiledSchema::LONG), SchemaCheck::Valid);
        assert_eq!(
            tower.check(&deep(120, "next"), CompiledSchema::LONG),
            SchemaCheck::TooExpensive
        );
    });
}

#[test]
fn expensive_checks_are_stopped() {
    on_a_small_stack(|| {
        let both = |schema: Value| json!([{ "properties": { "a": schema } }, { "properties": { "a": schema } }]);
        let recursive =
            |keyword: &str| json!({ keyword: both(json!({ "$ref": "#" })), "minProperties": 0 });
        let alternatives: Vec<_> = (0..5_000).map(|it| json!({ "a": [it, { "b": it }] })).collect();
        let numbers: Vec<_> = (0..50_000).map(Value::from).collect();
        let records: Vec<_> = (0..50_000).map(|it| json!({ "a": [it, { "b": -it }] })).collect();
        let text = "a".repeat(1 << 20);
        let key = format!("{}b", "a".repeat(100_000));
        let cases = [
            (recursive("allOf"), deep(100, "a")),
            (recursive("oneOf"), deep(100, "a")),
            (recursive("anyOf"), deep(100, "a")),
            (json!({ "items": { "enum": alternatives } }), records.into()),
            (json!({ "items": { "type": "string" } }), json!([numbers, numbers])),
            (json!({ "pattern": "(a|aa){1,40}(x|y)$" }), text.clone().into()),
            (
                json!({ "patternProperties": { "(a|aa){1,40}(x|y)$": {} } }),
                json!({ (&*key): 1, "b": text }),
            ),
            (
                json!({ "uniqueItems": true, "items": { "uniqueItems": true } }),
                json!([numbers, numbers]),
            ),
            (json!({ "additionalProperties": { "items": false } }), json!({ (&*key): numbers })),
        ];
        for (index, (schema, payload)) in cases.into_iter().enumerate() {
            let found = compiled(&schema).check(&payload, CompiledSchema::SHORT);
            match found {
                SchemaCheck::TooExpensive | SchemaCheck::Valid => {},
                SchemaCheck::Invalid(problems) => {
                    assert!(problems.len() <= MAX_PROBLEMS, "case {index}");
                    assert!(problems.iter().all(|it| it.pointer.len() + it.message.len() < 600));
                },
            }
        }
    });
}

#[test]
fn many_problems_are_cut() {
    let strings = compiled(&json!({ "items": { "type": "string" } }));
    let SchemaCheck::Invalid(problems) = strings.check(&json!(vec![1; 100]), CompiledSchema::SHORT)
    else {
        panic!("numbers are no strings");
    };
    assert_eq!(problems.len(), MAX_PROBLEMS);
    // There are too many to collect, but one is found.
    let SchemaCheck::Invalid(problems) =
        strings.check(&json!(vec![1; 5_000]), CompiledSchema::SHORT)
    else {
        panic!("numbers are no strings");
    };
    assert_eq!(problems.len(), 1);
}

#[test]
fn the_newest_version_has_the_highest_number() {
    let of = |schemas: Value| newest(&schemas.to_string());
    assert_eq!(of(json!({ "9": 9, "10": 10, "z": 0 })), Some(json!(10)));
    assert_eq!(of(json!({ "a": 1, "b": 2 })), Some(json!(2)));
    assert_eq!(of(json!({})), None);
}
