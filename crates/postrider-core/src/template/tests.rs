//! What templates see and how they are escaped; that none takes long, whatever it contains.

use std::{fmt::Write as _, time::Duration};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{fixtures, outcome::Failure};

fn event_of(payload: &Value) -> Event {
    Event::new(&fixtures::message(), &Bytes::from(payload.to_string()))
}

fn render<E: Escaping>(source: &str) -> Result<String, TemplateError> {
    let payload = json!({ "name": "<Ada>", "n": [1, 2], "o": { "b": 1, "a": { "c": [] } } });
    Template::<E>::new(source).and_then(|template| template.render(&event_of(&payload)))
}

#[test]
fn a_template_sees_the_message() {
    let cases = [
        ("{{ payload.name }}", "<Ada>"),
        ("{% for n in payload.n %}{{ n }},{% endfor %}", "1,2,"),
        ("{% for k, v in payload.o|items %}{{ k }}={{ v }} {% endfor %}", "a={'c': []} b=1 "),
        ("{{ payload.n[1] }}{{ payload.n|length }}{{ payload.o|length }}", "222"),
        ("{{ payload.n == [1, 2] }} {{ 2 in payload.n }} {{ 'a' in payload.o }}", "True True True"),
        ("{{ payload.o|tojson }}", r#"{"a": {"c": []}, "b": 1}"#),
        ("{{ payload is mapping }} {{ payload.n is sequence }}", "True True"),
        ("{{ payload.missing }}", ""),
        ("{% set x = payload.n %}{{ x[:1] }}", "[1]"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(payload.name) }}", "<<Ada>>"),
        ("{{ type }} {{ eventId }}", "user.created "),
    ];
    for (source, expected) in cases {
        assert_eq!(render::<Text>(source).unwrap(), expected, "{source}");
    }
    assert_eq!(render::<Text>("{{ id }}").unwrap(), fixtures::message().id.to_string());
    let text = Event::new(&fixtures::message(), &Bytes::from_static(b"plain text"));
    let template = Template::<Text>::new("{{ payload }}").unwrap();
    assert_eq!(template.render(&text).unwrap(), "plain text");
}

#[test]
fn values_are_escaped_by_format() {
    assert_eq!(render::<Html>("{{ payload.name }}").unwrap(), "&lt;Ada&gt;");
    assert_eq!(render::<Json>(r#"{"a":{{ payload.n }}}"#).unwrap(), r#"{"a":[1,2]}"#);
    assert_eq!(render::<SlackText>("<{{ payload.name }}>").unwrap(), "<&lt;Ada&gt;>");
    assert_eq!(render::<SlackText>("{{ payload.name | safe }}").unwrap(), "<Ada>");
}

#[test]
fn templates_of_an_event_do_not_share_the_limit_on_visits() {
    let event = event_of(&json!({ "n": vec![1; 5_000] }));
    let source = "{% for a in range(15) %}{{ payload.n | length }}{{ 2 in payload.n }}{% endfor %}";
    let template = Template::<Text>::new(source).unwrap();
    for _ in 0..4 {
        template.render(&event).unwrap();
    }
    let endless = "{% for a in range(30) %}{{ 2 in payload.n }}{% endfor %}";
    assert!(Template::<Text>::new(endless).unwrap().render(&event).is_err());
    template.render(&event).unwrap();
}

#[test]
fn a_syntax_error_names_its_line() {
    let error = Template::<Text>::new("a\n{% if %}").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn what_cannot_be_limited_is_refused_when_it_is_compiled() {
    for (source, problem) in [
        ("\n{% set a = [id, id] %}", "line 2: a list"),
        ("{{ (id, id) }}", "a list"),
        ("{{ payload.n + payload.n }}", "`plus`"),
        ("{{ payload.n + [1] }}", "`plus`"),
        ("{{ payload.n * 100000000 }}", "`times`"),
        ("{{ 100000000 * payload.n }}", "`times`"),
        ("{{ {'a': id} }}", "a map"),
        ("{% macro m() %}{{ [id] }}{% endmacro %}", "a list"),
        ("{% block b %}{{ [id] }}{% endblock %}", "a list"),
        ("{% include 'template' %}", "no other templates"),
        ("{% extends 'template' %}", "no other templates"),
        ("{% import 'template' as t %}", "no other templates"),
    ] {
        let error = Template::<Text>::new(source).unwrap_err().to_string();
        assert!(error.contains(problem), "{source}: {error}");
    }
}

#[test]
fn an_error_of_the_template_is_told_from_one_of_the_message() {
    for source in
        ["{{ id | nosuch }}", "{{ nosuch() }}", "{{ id is nosuch }}", "{{ [1]|zip([2]) }}"]
    {
        assert_eq!(
            render::<Text>(source).unwrap_err().failure(),
            Failure::Misconfigured,
            "{source}"
        );
    }
    for source in ["{{ payload.a.b }}", "{{ 1 / 0 }}", "{{ 1|plus('x') }}"] {
        assert_eq!(render::<Text>(source).unwrap_err().failure(), Failure::Rejected, "{source}");
    }
}

/// Renders in a thread with the stack of the threads that deliver, and measures the time.
#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
fn timed(source: String, payload: Value) -> (Result<String, TemplateError>, Duration) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let event = event_of(&payload);
        let began = std::time::Instant::now();
        let rendered = Template::<Text>::new(&source).and_then(|it| it.render(&event));
        (rendered, began.elapsed())
    });
    thread.unwrap().join().unwrap()
}

/// A build without optimizations takes much longer, and other tests run at the same time.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn no_template_takes_long_or_much_memory() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let doubled = |set: &str| {
        let mut source = "{% set a = ['', ''] %}{% set b = ['', ''] %}".to_owned();
        for _ in 0..60 {
            let (a, b) = (set.replace('$', "a"), set.replace('$', "b"));
            write!(source, "{{% set a = {a} %}}{{% set b = {b} %}}").unwrap();
        }
        source + "{{ a == b }}{{ a < b }}{{ a in b }}{{ a }}"
    };
    let cases = [
        "{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}".to_owned(),
        "{{ 'x' * 100000000 }}".to_owned(),
        "{{ ('x' * 100000000)|length }}".to_owned(),
        "{{ [1] * 100000000 }}".to_owned(),
        "{{ [1] * 9999999 ~ '' }}".to_owned(),
        "{% for i in range(9999) %}{{ range(99999)|truncate(1) }}{{ range(99999) ~ '' }}{% endfor %}"
            .to_owned(),
        "{% for i in range(9999) %}{{ payload.s|truncate(1) }}{{ payload|slack|length }}{% endfor %}"
            .to_owned(),
        "{% set x = 'xxxxxxxx' %}".to_owned() + &"{% set x = x ~ x %}".repeat(40) + "{{ x }}",
        "{% set x = [1] %}".to_owned() + &"{% set x = x + x %}".repeat(40) + "{{ x|length }}",
        "{% set x = range(90000) %}{{ x|join('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') }}".to_owned(),
        "{% set x = 'a' * 100000 %}{{ x|replace('a', x) }}".to_owned(),
        "{{ ('a\\n' ~ payload.s)|indent(100000) }}".to_owned(),
        "{{ '%099999999d'|format(1) }}".to_owned(),
        "{{ 1.5|round(999999999) }} {{ 9**9**9**9 }}".to_owned(),
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}".to_owned(),
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('x') }}".to_owned(),
        "{% for x in payload.a recursive %}{{ loop(payload.a) }}{% endfor %}".to_owned(),
        "{% block b %}{{ self.b() }}{% endblock %}".to_owned(),
        "{% for i in range(9999) %}{{ payload.a == payload.b }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ payload.a in payload.c }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ payload.c|sort|unique|length }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ payload.s == payload.t }}{{ payload.s[5] }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ payload.s|length }}{{ payload|tojson|length }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ timestamp|datetime('%099999Y') }}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{{ payload|pretty }}{% endfor %}".to_owned(),
        format!("{{{{ {} }}}}", nested(5_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(8_000), ")".repeat(8_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(4_000)),
        format!("{{{{ {}1 }}}}", "1+".repeat(8_000)),
        format!("{{{{ 1{} }}}}", "|abs".repeat(4_000)),
        format!("{{{{ payload{} }}}}", ".a".repeat(8_000)),
        "{% if 1 %}".repeat(1_000),
        "{% for i in [1] %}".repeat(140) + &"{% endfor %}".repeat(140),
        "{% if 0 %}".to_owned() + &"{% elif 0 %}".repeat(1_300) + "{% endif %}",
        "{% if 0 %}".to_owned() + &"{% elif 0 %}".repeat(100) + "{% endif %}",
        format!("{{{{ {}1 }}}}", "1+".repeat(249)),
        format!("{{{{ {}1 }}}}", "1 if 0 else ".repeat(120)),
        format!("{{{{ payload{} }}}}", ".a".repeat(249)),
        doubled("[$, $]"),
        doubled("($, $)"),
        doubled("$|zip($)|list"),
        doubled("['', '']|map('default', $, true)"),
        doubled("[]|batch(2, $)|list"),
        doubled("dict(x=$, y=$)"),
        doubled("$ + $"),
        doubled("$|sum"),
        doubled("$|sum($)"),
        doubled("$|map('sum')|list"),
        doubled("$|default($)|unique|sort|reverse"),
        doubled("$ * 2"),
        doubled("$|list"),
        doubled("$|map('list')"),
    ];
    let list: Vec<_> = (0..8_000).map(|n| json!([n, [n]])).collect();
    let (s, deep) = ("ü".repeat(150_000), "[".repeat(120) + &"]".repeat(120));
    let deep: Value = serde_json::from_str(&deep).unwrap();
    let payload = json!({
        "a": [list], "b": [list], "c": list, "s": s, "t": s, "deep": deep,
    });
    for source in cases {
        let shown: String = source.chars().take(100).collect();
        let (rendered, took) = timed(source, payload.clone());
        assert!(took < LIMIT, "{took:?}: {shown}");
        if let Ok(text) = rendered {
            assert!(text.len() <= MAX_RENDERED, "{shown}");
        }
    }
}

/// Parts of templates, most of which do something that may grow.
fn part() -> impl Strategy<Value = String> {
    let expression = prop_oneof![
        Just("payload"),
        Just("payload.a"),
        Just("payload.s"),
        Just("x"),
        Just("y"),
        Just("i"),
        Just("x ~ y"),
        Just("x + y"),
        Just("x * 99"),
        Just("y * x|length"),
        Just("x == y"),
        Just("x in y"),
        Just("range(999)"),
        Just("['a', 'b']"),
        Just("{'a': 1}"),
        Just("[x, x]"),
        Just("m(x)"),
        Just("x[1:]"),
        Just("x[::-1]"),
        Just("loop"),
        Just("-x"),
        Just("x.a.b"),
    ];
    let filter = prop_oneof![
        Just(""),
        Just("|list"),
        Just("|join(x)"),
        Just("|replace('a', y)"),
        Just("|indent(99)"),
        Just("|tojson"),
        Just("|pretty"),
        Just("|sort"),
        Just("|unique"),
        Just("|length"),
        Just("|string"),
        Just("|reverse"),
        Just("|items"),
        Just("|map('upper')"),
        Just("|split('a')"),
        Just("|format(x)"),
        Just("|truncate(9)"),
        Just("|urlencode"),
        Just("|datetime"),
        Just("|sum"),
        Just("|default(y)"),
        Just("|dictsort"),
        Just("|lines"),
        Just("|pprint"),
        Just("|slack"),
    ];
    (expression, filter.clone(), filter, 0..7_u8).prop_map(|(expression, first, second, kind)| {
        let value = format!("{expression}{first}{second}");
        match kind {
            0 | 1 => format!("{{% set x = {value} %}}"),
            2 => format!("{{% set y = {value} %}}"),
            3 => format!("{{% for i in {value} %}}"),
            4 => "{% endfor %}".to_owned(),
            5 => format!("{{% macro m(x) %}}{{{{ {value} }}}}{{% endmacro %}}"),
            _ => format!("{{{{ {value} }}}}"),
        }
    })
}

fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        (0..50_000_usize).prop_map(|count| "a".repeat(count).into()),
    ];
    leaf.prop_recursive(6, 300, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
            prop::collection::btree_map("[ax]", inner, 0..9)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_templates_end_soon_and_do_not_panic(
        parts in prop::collection::vec(part(), 1..30),
        a in payload(),
    ) {
        let open = parts.iter().filter(|it| it.starts_with("{% for")).count();
        let closed = parts.iter().filter(|it| it.starts_with("{% endfor")).count();
        let source = parts.concat() + &"{% endfor %}".repeat(open.saturating_sub(closed));
        let payload = json!({ "a": a, "s": "<a&b> " });
        let (rendered, took) = timed(source.clone(), payload);
        prop_assert!(took < LIMIT, "{took:?}: {source}");
        prop_assert!(rendered.map_or(0, |it| it.len()) <= MAX_RENDERED);
    }

    #[test]
    fn random_text_is_a_template_or_an_error(source in "(\\{[{%#]|[%#}]\\}|[a-z|'.()\\[\\] 0-9]|\\PC){0,60}") {
        let (rendered, _) = timed(source, json!({ "a": [1] }));
        drop(rendered);
    }
}
