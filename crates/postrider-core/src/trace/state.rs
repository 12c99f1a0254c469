//! `tracestate`: a list of `key=value`, the latest first.

use std::collections::HashSet;

/// Most members.
const MAX_MEMBERS: usize = 32;

/// Most characters that are passed on. More is cut, as the specification suggests.
const MAX_LENGTH: usize = 512;

/// Members that are longer are the first to be dropped.
const LONG: usize = 128;

/// The values of the headers as one; `None` if they are not valid.
pub(super) fn parse<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let (mut members, mut keys) = (Vec::new(), HashSet::new());
    for value in values {
        for member in value?.split(',').map(|it| it.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if !is_key(key) || !is_value(value) || !keys.insert(key) {
                return None;
            }
            members.push(member);
        }
    }
    (members.len() <= MAX_MEMBERS).then(|| shortened(members).join(","))
}

/// As many members as may be passed on.
fn shortened(mut members: Vec<&str>) -> Vec<&str> {
    if length(&members) > MAX_LENGTH {
        members.retain(|it| it.len() <= LONG);
    }
    while length(&members) > MAX_LENGTH {
        members.pop();
    }
    members
}

fn length(members: &[&str]) -> usize {
    members.iter().map(|it| it.len() + 1).sum::<usize>().saturating_sub(1)
}

/// A simple key, or `tenant@system`.
fn is_key(key: &str) -> bool {
    let is_name = |name: &str, max: usize| {
        (1..=max).contains(&name.len())
            && name.starts_with(|it: char| it.is_ascii_lowercase() || it.is_ascii_digit())
            && name
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-*/".contains(&it))
    };
    match key.split_once('@') {
        None => is_name(key, 256),
        Some((tenant, system)) => is_name(tenant, 241) && is_name(system, 14),
    }
}

fn is_value(value: &str) -> bool {
    let is_allowed = |it: u8| (b' '..=b'~').contains(&it) && it != b',' && it != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[&str]) -> Option<String> {
        parse(values.iter().map(|it| Some(*it)))
    }

    #[test]
    fn lists_are_joined() {
        for (values, expected) in [
            (&[][..], ""),
            (&["", " , "], ""),
            (&["a=1"], "a=1"),
            (&["a=1 , b=x y ,", "\tc@d=3"], "a=1,b=x y,c@d=3"),
            (&["0a/b*c-d_e=!"], "0a/b*c-d_e=!"),
        ] {
            assert_eq!(check(values).as_deref(), Some(expected), "{values:?}");
        }
    }

    #[test]
    fn invalid_lists_are_refused() {
        for value in
            ["a", "=1", "A=1", "a=", "a=1=2", "a=é", "a@=1", "@a=1", "a@b@c=1", "a b=1", "a=1,a=2"]
        {
            assert_eq!(check(&[value]), None, "{value}");
        }
        assert_eq!(parse([None].into_iter()), None);
        let many: Vec<_> = (0..33).map(|it| format!("k{it}=v")).collect();
        assert_eq!(check(&[&many.join(",")]), None);
        assert!(check(&[&many[1..].join(",")]).is_some());
        assert_eq!(check(&[&format!("a={}", "x".repeat(257))]), None);
        assert_eq!(check(&[&format!("{}=x", "a".repeat(257))]), None);
    }

    #[test]
    fn long_members_are_dropped_first_and_then_the_last() {
        let long = format!("long={}", "x".repeat(200));
        let short: Vec<_> = (0..8).map(|it| format!("k{it}={}", "y".repeat(70))).collect();
        let kept = check(&[&long, &short.join(",")]).unwrap();
        assert_eq!(kept, short[..6].join(","));
        // It stays if there is room.
        assert_eq!(check(&[&long, "a=1"]), Some(format!("{long},a=1")));
    }

    proptest! {
        #[test]
        fn what_is_passed_on_is_valid_and_short(text in "([a-z@]{1,4}=[a-z ]{1,150},){0,40}") {
            if let Some(state) = check(&[&text]) {
                prop_assert!(state.len() <= MAX_LENGTH);
                prop_assert_eq!(check(&[&state]), Some(state));
            }
        }

        #[test]
        fn arbitrary_text_is_handled(text in ".{0,80}") {
            check(&[&text]);
        }
    }
}
