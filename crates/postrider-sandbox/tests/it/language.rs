//! What scripts can do, and how their faults are reported.

use postrider_sandbox::{RunErrorKind, Sandbox, Script};

use crate::fixtures::{failed, handler, patient, returned, text};

#[track_caller]
fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{text}");
}

#[tokio::test]
async fn handlers_return_json() {
    let sandbox = Sandbox::new(patient());
    for (script, expected) in [
        (
            "function handler(webhook) { webhook.payload.b = 2; return webhook; }",
            r#"{"payload":{"a":1,"b":2},"eventType":"a.b"}"#,
        ),
        ("const handler = ({ payload }) => payload.a;", "1"),
        (
            "let handler = async webhook => { await null; return [webhook.eventType]; };",
            r#"["a.b"]"#,
        ),
        (
            "async function handler() { return new Promise(resolve => Promise.resolve(7).then(resolve)); }",
            "7",
        ),
        (
            "function handler() { return { a: undefined, b: null, d: new Date(0), u: '\\ud83d' }; }",
            r#"{"b":null,"d":"1970-01-01T00:00:00.000Z","u":"\ufffd"}"#,
        ),
        (
            "function handler() { return 'gr\u{fc}\u{df}e \u{1f600}'; }",
            "\"gr\u{fc}\u{df}e \u{1f600}\"",
        ),
        ("var calls = 0; function handler() { return ++calls; }", "1"),
        ("function handler() { const r = Math.random(); return r >= 0 && r < 1; }", "true"),
        ("function handler() { return Date.now() > 1.7e12; }", "true"),
        ("function handler() { return eval('1 + 1') + new Function('return 1')(); }", "3"),
    ] {
        let returned = returned(&sandbox, script, r#"{"payload":{"a":1},"eventType":"a.b"}"#).await;
        assert_eq!(text(&returned), expected, "{script}");
    }
    sandbox.shut_down().await;
}

#[tokio::test]
async fn read_only_fields_cannot_be_changed() {
    let sandbox = Sandbox::new(patient());
    let argument = r#"{"eventType":"a.b","env":{"KEY":"1","list":[{"a":1}]},"payload":1}"#;
    let script = handler(
        "input.eventType = 'other';
        input.env.KEY = '2';
        input.env.list[0].a = 2;
        delete input.env;
        try { Object.defineProperty(input, 'eventType', { value: 'other' }); } catch {}
        input.payload = 2;
        return input;",
    );
    let changed = returned(&sandbox, &script, argument).await;
    assert_eq!(text(&changed), argument.replace("\"payload\":1", "\"payload\":2"));
    let strict = handler("'use strict'; input.env.KEY = '2';");
    let error = sandbox.run(crate::fixtures::run(1, &strict, argument)).await.unwrap_err();
    contains(&error.message, "TypeError: 'KEY' is read-only");
    // An argument without these fields, and one that is no object.
    assert_eq!(text(&returned(&sandbox, &handler("return input;"), "{}").await), "{}");
    assert_eq!(text(&returned(&sandbox, &handler("return input;"), "[1]").await), "[1]");
    sandbox.shut_down().await;
}

#[tokio::test]
async fn the_console_is_returned() {
    let sandbox = Sandbox::new(patient());
    let script = handler(
        "console.log('a', 1, true, null, undefined, { b: [1] }, 2n, Symbol('s'));
        console.warn(new TypeError('wrong'));
        console.error(() => 1);
        console.info();
        console.debug({ toJSON() { throw 1; } });
        return input.a.b;",
    );
    let expected = "a 1 true null undefined {\"b\":[1]} 2 [cannot be shown]\nTypeError: wrong\n\
        [function]\n\n[cannot be shown]\n";
    let error = failed(&sandbox, &script).await;
    assert_eq!(error.console, expected);
    let succeeded = returned(&sandbox, &script, r#"{"a":{"b":1}}"#).await;
    assert_eq!(succeeded.console, expected);
    let endless = handler("for (let i = 0; i < 1e5; i++) console.log('x'.repeat(100)); return 1;");
    let cut = returned(&sandbox, &endless, "{}").await.console;
    assert!(cut.len() <= 16 << 10 && cut.ends_with("the rest of the output was cut off\n"));
    sandbox.shut_down().await;
}

#[tokio::test]
async fn errors_say_what_is_wrong_and_where() {
    use RunErrorKind::{NoHandler, NotJson, Syntax, Thrown};
    let sandbox = Sandbox::new(patient());
    let mut faults = Vec::new();
    for (script, kind, place, message) in [
        ("function handler( {", Syntax, Some((1, 20)), "SyntaxError: "),
        ("\n\n  let a = ;", Syntax, Some((3, 11)), "SyntaxError: "),
        ("export function handler() {}", Syntax, Some((1, 1)), "SyntaxError: "),
        ("function handler() {}\0", Syntax, None, "SyntaxError: the script contains a NUL"),
        ("throw new SyntaxError('own')", Thrown, Some((1, 11)), "SyntaxError: own"),
        ("JSON.parse('{')", Thrown, Some((1, 5)), "SyntaxError: "),
        ("", NoHandler, None, "does not define a function `handler`"),
        ("const handler = 1;", NoHandler, None, "does not define a function `handler`"),
        (
            "function handler() {\n  return a.b;\n}",
            Thrown,
            Some((2, 10)),
            "ReferenceError: a is not defined",
        ),
        (
            "function handler(i) {\n  inner();\n}\nfunction inner() {\n\n  null.x;\n}",
            Thrown,
            Some((6, 3)),
            "TypeError: ",
        ),
        (
            "async function handler() {\n  throw new RangeError('far');\n}",
            Thrown,
            Some((2, 13)),
            "RangeError: far",
        ),
        ("function handler() { throw 'text'; }", Thrown, None, "the script threw text"),
        ("function handler() { throw undefined; }", Thrown, None, "the script threw undefined"),
        ("function handler() { throw { a: 1 }; }", Thrown, None, "the script threw object"),
        ("function handler() {}", NotJson, None, "it is of type undefined"),
        ("function handler() { return () => 1; }", NotJson, None, "it is of type "),
        ("function handler() { return 1n; }", NotJson, None, "JSON cannot express"),
        ("function handler() { return new Promise(() => {}); }", NotJson, None, "can never settle"),
        (
            "function handler(i) { i.i = i; return i; }",
            NotJson,
            None,
            "TypeError: circular reference",
        ),
        (
            "async function handler() { await import('fs'); }",
            Thrown,
            None,
            "could not load module 'fs'",
        ),
    ] {
        let error = failed(&sandbox, script).await;
        let found = (error.kind, error.line.zip(error.column));
        if found != (kind, place) || !error.message.contains(message) {
            faults.push(format!("{script}: {error:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    sandbox.shut_down().await;
}

#[tokio::test]
async fn checks_find_faults_without_calling_the_handler() {
    let sandbox = Sandbox::new(patient());
    let check = |code: &str| {
        let (sandbox, script) = (sandbox.clone(), Script::new(code));
        async move { sandbox.check(script).await.map_err(|error| error.kind) }
    };
    assert_eq!(check("function handler() { throw 1; }").await, Ok(()));
    assert_eq!(check("function handler( {").await, Err(RunErrorKind::Syntax));
    assert_eq!(check("function other() {}").await, Err(RunErrorKind::NoHandler));
    assert_eq!(check("throw 1;").await, Err(RunErrorKind::Thrown));
    sandbox.shut_down().await;
}

#[tokio::test]
async fn arguments_that_are_not_json_are_reported() {
    let sandbox = Sandbox::new(patient());
    let run = crate::fixtures::run(1, &handler("return 1;"), "{");
    let error = sandbox.run(run).await.unwrap_err();
    contains(&error.message, "argument of handler: SyntaxError");
    assert_eq!(error.line, None);
    sandbox.shut_down().await;
}

#[tokio::test]
async fn large_arguments_arrive_whole() {
    let sandbox = Sandbox::new(patient());
    let argument = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
    let script = handler("return input.a.length;");
    assert_eq!(text(&returned(&sandbox, &script, &argument).await), "1000000");
    let echo = returned(&sandbox, &handler("return input;"), &argument).await;
    assert_eq!(text(&echo), argument);
    sandbox.shut_down().await;
}
