//! Compares the output that a page shows with the real one.
//!
//! `…` represents any text, and a line with nothing else for any lines.
//! Ids, secrets, times and durations may differ.

/// Whether the output is what the page shows.
pub(crate) fn matches(shown: &str, real: &str, is_json: bool) -> bool {
    let lines = |text: &str| text.trim().lines().map(normalize).collect::<Vec<_>>();
    if is_json {
        let joined = |text| lines(text).concat().replace(' ', "");
        return glob(&joined(shown), &joined(real));
    }
    lines_match(&lines(shown), &lines(real))
}

fn lines_match(shown: &[String], real: &[String]) -> bool {
    let Some((first, others)) = shown.split_first() else { return real.is_empty() };
    if first == "…" {
        return (0..=real.len()).any(|skipped| lines_match(others, &real[skipped..]));
    }
    match real.split_first() {
        Some((line, rest)) => glob(first, line) && lines_match(others, rest),
        None => false,
    }
}

/// Whether a text has the form of a pattern, in which `…` is any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('…') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let ends = text.char_indices().map(|(index, _)| index).chain([text.len()]);
    ends.into_iter().any(|index| text.get(index..).is_some_and(|text| glob(rest, text)))
}

/// The line with one space between words, and with names for what differs in each run.
fn normalize(line: &str) -> String {
    let mut words = Vec::<String>::new();
    for word in line.split_whitespace() {
        let is_unit = ["ms", "s", "µs"].contains(&word.trim_end_matches([',', ')', ';', '.']));
        if let Some(last) = words.last_mut()
            && is_unit
            && last.trim_start_matches('(').parse::<f64>().is_ok()
        {
            "N".clone_into(last);
        }
        words.push(normalize_word(word));
    }
    words.join(" ")
}

fn normalize_word(word: &str) -> String {
    let is_inner = |it: char| it.is_alphanumeric() || "_-.:+/=…".contains(it);
    let mut parts = String::new();
    let mut rest = word;
    while let Some(start) = rest.find(is_inner) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|it| !is_inner(it)).unwrap_or(from.len());
        let (token, after) = from.split_at(end);
        // Base64 may end with padding.
        let token = token.trim_end_matches('=').split_inclusive('=');
        parts = parts + before + &token.map(normalize_part).collect::<String>();
        rest = after;
    }
    parts + rest
}

/// A value, or a name with `=`.
fn normalize_part(part: &str) -> String {
    if part.starts_with("eyJ") && part.len() >= 6 {
        return "TOKEN".to_owned();
    }
    part.split_inclusive(['/', '=']).map(normalize_name).collect()
}

/// An id, a time or another word, and its separator.
fn normalize_name(part: &str) -> String {
    let token = part.trim_end_matches(['/', '=']);
    normalize_token(token) + part.trim_start_matches(token)
}

fn normalize_token(token: &str) -> String {
    let known = ["whsec_", "whsk_", "whpk_", "sk_poll_"];
    let digits =
        |range| token.get(range).is_some_and(|it: &str| it.bytes().all(|b| b.is_ascii_digit()));
    if let Some(prefix) = known.iter().find(|prefix| token.starts_with(**prefix)) {
        return format!("{prefix}SECRET");
    }
    if let Some((prefix, id)) = token.rsplit_once('_')
        && prefix.bytes().all(|it| it.is_ascii_lowercase())
        && !prefix.is_empty()
        && (id.contains('…') || id.len() >= 20)
    {
        return format!("{prefix}_ID");
    }
    if digits(0..4) && digits(5..7) && token.get(4..5) == Some("-") {
        return "TIME".to_owned();
    }
    if digits(0..2) && digits(3..5) && digits(6..8) && token.get(2..3) == Some(":") {
        return "TIME".to_owned();
    }
    token.to_owned()
}

#[test]
fn what_differs_in_each_run_is_ignored_and_nothing_else() {
    let check = |shown, real, is_same| {
        assert_eq!(matches(shown, real, false), is_same, "{shown:?} and {real:?}");
    };
    check("msg_2ab…  200  3 ms", "msg_01m8ev51d0e009haqpq8v4h9w2   200  12 ms", true);
    check("msg_01m8ev4zkze009haqpq8v4h9w2 a", "msg_01m8ev51d0e009haqpq8v4h9w2 a", true);
    check("3 sent", "4 sent", false);
    check("a\n…\nz", "a\nb\nc\nz", true);
    check("a\n…\nz", "a\nz", true);
    check("a\nz", "a\nb\nz", false);
    check("at 2026-01-01T00:00:00Z", "at 2027-11-30T10:00:01.5Z", true);
    check("> Stripe-Signature: t=…", "> Stripe-Signature: t=1,v1=2", true);
    check("login#key=eyJh…", "login#key=eyJ0eXAi.b_c", true);
    check("12:00:01 x", "13:02:03 x", true);
    assert!(matches("{ \"id\": 1,\n \"name\": \"…\" }", "{\"id\":1,\"name\":\"x\"}", true));
    assert!(!matches("{ \"id\": 1 }", "{\"id\":2}", true));
}
