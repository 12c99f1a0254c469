//! The language.

use crate::filter::Filter;

use super::{PAYLOAD, evaluate};

#[track_caller]
fn holds(filters: &[&str]) {
    for filter in filters {
        assert_eq!(evaluate(filter, PAYLOAD), Ok(true), "{filter}");
    }
}

#[track_caller]
fn fails(filter: &str, reason: &str) {
    assert_eq!(evaluate(filter, PAYLOAD).unwrap_err(), reason, "{filter}");
}

#[track_caller]
fn refused(filter: &str, reason: &str) {
    assert_eq!(Filter::new(filter).unwrap_err().to_string(), reason, "{filter}");
}

#[test]
fn variables_describe_the_message() {
    holds(&[
        "type == 'order.created'",
        "type.startsWith('order.')",
        "'eu' in channels",
        "!('us' in channels)",
        "size(channels) == 2",
        "tags == ['vip']",
        "metadata.plan == 'pro'",
        "metadata['plan'] == 'pro'",
        "headers['x-kind'] == 'push'",
        "headers['x-many'] == '1, 2'",
        "!('X-Kind' in headers)",
        "payload.m.b.c == 'x'",
    ]);
}

#[test]
fn numbers_are_compared_by_their_value() {
    holds(&[
        "payload.n == 3 && payload.n == 3.0 && payload.n == 3u",
        "payload.d > 2 && payload.d < 3u",
        "payload.d + payload.n == 5.5",
        "payload.n / 2 == 1",
        "-7 / 2 == -3 && -7 % 3 == -1 && 7 % -3 == 1",
        "payload.big > 9223372036854775807 && payload.big == 18446744073709551615u",
        "payload.big != -1",
        "-9223372036854775808 < 0",
        "0x10 == 16 && 0xFFu == 255 && 1e3 == 1000 && .5 == 0.5",
        "1 + 2 * 3 - 4 == 3 && 10 - 4 - 3 == 3 && 2 * 3 % 4 == 2",
        "0.1 + 0.2 != 0.3",
        "--1 == 1 && -payload.n == -3 && -payload.d == -2.5",
        "1.0 / 0.0 > 1e300",
        "9223372036854775807 + 1 == 9223372036854775808u",
    ]);
}

#[test]
fn other_values_are_equal_only_to_their_own_type() {
    holds(&[
        "payload.n != '3'",
        "payload.nothing == null && payload.n != null",
        "payload.list == [1, 2, 3] && payload.list == [1.0, 2.0, 3.0]",
        "payload.list != [1, 2] && [1, 2] != payload.list && payload.list != [1, 2, 4]",
        "payload.m == {'a': 1, 'b': {'c': 'x'}} && {'b': {'c': 'x'}, 'a': 1} == payload.m",
        "payload.m != {'a': 1}",
        "'a' < 'b' && !(true < false) && 'é' > 'z'",
        "1 == 1 == true",
    ]);
}

#[test]
fn lists_and_maps_have_items() {
    holds(&[
        "1 in payload.list && 1.0 in payload.list && !(4 in payload.list)",
        "'a' in payload.m && !('z' in payload.m)",
        "payload.n in [1, 3] && payload.s in ['héllo']",
        "payload.list[0] == 1 && payload.m['a'] == 1 && payload['n'] == 3",
        "payload.list[2.0] == 3",
        "{1: 2}[1] == 2 && {1: 2}[1.0] == 2 && {'a': 1,}.a == 1 && [1, 2,].size() == 2",
        "[1] + [2] == [1, 2]",
        "size(payload.m) == 2 && payload.items[1].sku == 'b'",
    ]);
}

#[test]
fn fields_can_be_absent() {
    holds(&[
        "!has(payload.absent) && has(payload.m.a) && has(payload.nothing)",
        "!has(payload.absent) || payload.absent > 3",
        "has(payload.items[0].q) && !has(payload.items[1].q)",
    ]);
    fails("payload.absent > 3", "line 1, column 1: `payload` has no field `absent`");
    fails("has(payload.absent.a)", "line 1, column 5: `payload` has no field `absent`");
    fails("has(payload.n.a)", "line 1, column 5: `payload.n` is a number and has no fields");
    fails("true &&\n  payload.m.z", "line 2, column 3: `payload.m` has no field `z`");
    fails("payload.list[3] == 1", "line 1, column 1: `payload.list` has no item `3`");
    fails("payload.list[-1] == 1", "line 1, column 1: `payload.list` has no item `-1`");
    fails("payload.s.a", "line 1, column 1: `payload.s` is a string and has no fields");
}

#[test]
fn an_operand_that_decides_does_so_whatever_the_others_are() {
    holds(&[
        "payload.absent == 1 || true",
        "true || payload.absent == 1",
        "!(payload.absent == 1 && false)",
        "payload.items.exists(i, i.q == 1)",
        "!payload.items.all(i, i.q == 2)",
    ]);
    for filter in [
        "false || payload.absent == 1",
        "payload.absent == 1 && true",
        "payload.items.exists(i, i.q == 2)",
        "payload.items.all(i, i.q == 1)",
        "payload.items.exists_one(i, i.q == 1)",
    ] {
        assert!(evaluate(filter, PAYLOAD).is_err(), "{filter}");
    }
}

#[test]
fn macros_ask_about_items() {
    holds(&[
        "payload.items.exists(i, i.sku == 'b') && !payload.items.exists(i, i.sku == 'c')",
        "payload.items.all(i, i.sku < 'c') && [].all(i, false) && ![].exists(i, true)",
        "payload.items.exists_one(i, i.sku == 'a') && !payload.list.exists_one(i, i > 1)",
        "payload.items.map(i, i.sku) == ['a', 'b']",
        "payload.list.map(i, i > 1, i * 2) == [4, 6]",
        "payload.list.filter(i, i > 1) == [2, 3]",
        "payload.m.exists(k, k == 'a') && !payload.m.all(k, k == 'a')",
        "payload.items.exists(i, i.tags.exists(t, t == 'x' && i.sku == 'a'))",
        "payload.items.filter(i, has(i.q)).all(i, i.q == 1)",
        "payload.list.exists(type, type == 1)",
    ]);
    fails(
        "payload.n.exists(i, true)",
        "line 1, column 1: `payload.n` is a number, not a list or a map",
    );
}

#[test]
fn strings_have_functions() {
    holds(&[
        "payload.s.size() == 5 && size(payload.s) == 5",
        "payload.s.contains('éll') && payload.s.startsWith('h') && payload.s.endsWith('lo')",
        "'ABC'.lowerAscii() == 'abc' && 'abc'.upperAscii() == 'ABC' && ' a '.trim() == 'a'",
        "payload.s.matches('^h.llo$') && matches(payload.s, 'l{2}') && !payload.s.matches('^l')",
        "'a' + payload.m.b.c == 'ax'",
        r#""\u00e9" == 'é' && r"\n" == "\\n" && "\x41\101" == 'AA' && '''a'b''' == "a'b""#,
    ]);
    fails("payload.n.contains('3')", "line 1, column 1: expected a string, not a number");
    fails("payload.s.contains(payload.n)", "line 1, column 1: expected a string, not a number");
    fails("payload.n.matches('3')", "line 1, column 1: `payload.n` is a number, not a string");
}

#[test]
fn values_can_be_converted() {
    holds(&[
        "int('42') == 42 && int(2.9) == 2 && int(-2.9) == -2 && uint(3) == 3u",
        "double('2.5') == 2.5 && double(payload.n) == 3.0",
        "string(2.5) == '2.5' && string(2.0) == '2' && string(1) == '1' && string(true) == 'true'",
        "bool('true') && !bool('false') && dyn(1) == 1.0",
    ]);
    fails("int('x') == 1", "line 1, column 1: \"x\" is not an integer");
    fails("int(1e30) == 1", "line 1, column 1: the number is too large");
    fails("uint(-1) == 1u", "line 1, column 1: the number is negative or too large");
}

#[test]
fn times_have_parts_and_differences() {
    holds(&[
        "timestamp(payload.at) > timestamp('2026-01-01T00:00:00Z')",
        "timestamp(payload.at) - timestamp('2026-03-04T05:00:00Z') > duration('6m')",
        "timestamp(payload.at) + duration('1h') == timestamp('2026-03-04T06:06:07.089Z')",
        "timestamp(payload.at).getFullYear() == 2026 && timestamp(payload.at).getMonth() == 2",
        "timestamp(payload.at).getDate() == 4 && timestamp(payload.at).getDayOfMonth() == 3",
        "timestamp(payload.at).getDayOfWeek() == 3 && timestamp(payload.at).getDayOfYear() == 62",
        "timestamp(payload.at).getHours() == 5 && timestamp(payload.at).getMinutes() == 6",
        "timestamp(payload.at).getSeconds() == 7",
        "timestamp(payload.at).getMilliseconds() == 89",
        "int(timestamp('1970-01-01T00:01:00Z')) == 60 && timestamp(60).getMinutes() == 1",
        "duration('1h30m').getMinutes() == 90 && duration('1.5s') == duration('1500ms')",
        "-duration('1s') < duration('0s')",
    ]);
    let reason = "line 1, column 1: \"héllo\" is not a time like `2026-01-31T12:00:00Z`";
    fails("timestamp(payload.s) > timestamp(0)", reason);
}

#[test]
fn types_that_do_not_fit_cannot_be_evaluated() {
    fails("payload.n < 'a'", "line 1, column 1: `<` does not apply to a number and a string");
    fails(
        "payload.s + payload.n == ''",
        "line 1, column 1: `+` does not apply to a string and a number",
    );
    fails(
        "payload.n ? true : false",
        "line 1, column 1: `payload.n` is a number, not true or false",
    );
    fails("!payload.s", "line 1, column 2: `payload.s` is a string, not true or false");
    fails("payload.n", "line 1, column 1: `payload.n` is a number, not true or false");
    fails(
        "'l' in payload.s",
        "line 1, column 1: the right side of `in` is a string, not a list or a map",
    );
    fails("1 / (payload.n - 3) == 1", "line 1, column 1: division by zero");
    fails("payload.n % 0.5 == 0.0", "line 1, column 1: `%` applies to integers only");
    fails("payload.big * 2 == 1", "line 1, column 1: the result is out of range");
    fails("{payload.s: 1, 'héllo': 2}.a == 1", "line 1, column 16: the map has `'héllo'` twice");
}

#[test]
fn payloads_that_are_not_json_cannot_be_evaluated() {
    let check = |payload: &str, reason| {
        assert_eq!(evaluate("payload.a == 1", payload).unwrap_err(), reason);
    };
    check("a=1&b=2", "line 1, column 1: the payload is not JSON");
    check("", "line 1, column 1: the payload is not JSON");
    check(r#"{"a":1e400}"#, "line 1, column 1: the payload has a number that is too large");
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    check(&deep, "line 1, column 1: the payload has more than 127 levels");
    check("[1]", "line 1, column 1: `payload` is a list and has no fields");
    assert_eq!(evaluate("type == 'order.created'", "a=1"), Ok(true));
    assert_eq!(evaluate("payload.a == 1 // comment", r#"{"a":1}"#), Ok(true));
}

#[test]
fn mistakes_are_refused_with_their_position() {
    refused("", "line 1, column 1: the filter ends here, but a value is missing");
    refused("payload.n ==", "line 1, column 13: the filter ends here, but a value is missing");
    refused(
        "paylod.n == 1",
        "line 1, column 1: there is no variable `paylod`; did you mean `payload`?",
    );
    refused(
        "true &&\n amount > 1",
        "line 2, column 2: there is no variable `amount`; a field of the payload is `payload.amount`",
    );
    refused(
        "type.startWith('a')",
        "line 1, column 6: there is no function `startWith`; did you mean `startsWith`?",
    );
    refused("payload.n = 1", "line 1, column 11: `=` is not an operator; write `==` to compare");
    refused("a & b", "line 1, column 3: `&` is not an operator; write `&&`");
    refused("payload.a and payload.b", "line 1, column 11: unexpected `and`; write `&&`");
    refused("(payload.a", "line 1, column 11: the filter ends here, but `)` is missing");
    refused(
        "payload.s == “a”",
        "line 1, column 14: “ is not a quotation mark of the language; write \" or '",
    );
    refused("'a", "line 1, column 1: the string has no closing '");
    refused("payload.a payload.b", "line 1, column 11: unexpected `payload`, expected an operator");
    refused("true ? true ? true : true : true", "line 1, column 13: unexpected `?`, expected `:`");
    refused(
        "9223372036854775808 == 1",
        "line 1, column 1: `9223372036854775808` is not an integer of 64 bits",
    );
    refused("12ab == 1", "line 1, column 1: `12ab` is not a number");
    refused("1.5e400 == 1", "line 1, column 1: `1.5e400` is not a number");
    refused("b'a' == 'a'", "line 1, column 1: byte literals are not supported");
}

#[test]
fn expressions_that_are_never_useful_are_refused() {
    refused(
        "type",
        "line 1, column 1: a filter has to be true or false, and this is a string; compare it, for \
         example with `==`",
    );
    refused(
        "type && true",
        "line 1, column 1: each side of `&&` has to be true or false, and this is a string",
    );
    refused(
        "!channels",
        "line 1, column 2: the operand of `!` has to be true or false, and this is a list",
    );
    refused("type == 1", "line 1, column 1: `==` does not apply to a string and a number");
    refused("channels == 'eu'", "line 1, column 1: `==` does not apply to a list and a string");
    refused(
        "channels.contains('eu')",
        "line 1, column 1: `contains` is for strings, and this is a list; for lists, write `\"value\" in \
         list`",
    );
    refused(
        "'a' in type",
        "line 1, column 1: `in` does not apply to a string and a string; the right side of `in` is a \
         list or a map, and a string has `contains`",
    );
    refused("type.name == 'a'", "line 1, column 1: a string has no field `name`");
    refused(
        "payload.s.startsWith() ",
        "line 1, column 1: `startsWith` takes one argument, not no argument",
    );
    refused(
        "contains(type, 'a')",
        "line 1, column 1: `contains` follows a value: `payload.name.contains(…)`",
    );
    refused(
        "exists(i, true)",
        "line 1, column 8: there is no variable `i`; a field of the payload is `payload.i`",
    );
    refused(
        "payload.a.int() == 1",
        "line 1, column 11: `int` takes its value in brackets: `int(…)`",
    );
    refused(
        "has(payload['a'])",
        "line 1, column 5: `has` takes a field: `has(payload.name)`; for a key in quotation marks, write \
         `\"name\" in payload`",
    );
    refused(
        "payload.a.matches(payload.b)",
        "line 1, column 19: the pattern of `matches` has to be a string literal",
    );
    refused(
        "payload.a.matches('(')",
        "line 1, column 19: the pattern is not valid: unclosed group",
    );
    refused(
        "type.exists(i, true)",
        "line 1, column 6: this is for lists and maps, not for a string",
    );
}
