//! Appends the path and query that a sender used below our URL to the URL of the program on this
//! machine.
//!
//! Senders choose this path, and `--forward` promises that they reach nothing outside of its URL.
//! Programs decode paths differently, so a path is rejected if any of them could leave the URL.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use url::Url;

/// Times that a path may be percent-encoded.
const MAX_ENCODED: usize = 4;

/// The program's URL with the path and the query of the target; an error says why it is rejected.
pub(super) fn below(forward: &Url, target: &str) -> Result<Url, String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // An empty segment at the start could be read as the beginning of a host.
    let path = path.trim_start_matches('/');
    if !stays_below(path) {
        return Err(format!("rejected, because the path may leave {forward}"));
    }
    let mut url = forward.clone();
    if !path.is_empty() {
        let whole = format!("{}/{path}", forward.path().trim_end_matches('/'));
        url.set_path(&whole);
    }
    let both = [forward.query().unwrap_or_default(), query];
    let query = both.iter().filter(|it| !it.is_empty()).copied().collect::<Vec<_>>().join("&");
    if !query.is_empty() {
        url.set_query(Some(&query));
    }
    Ok(url)
}

/// Whether the path stays where it is appended, however often a program decodes it.
fn stays_below(path: &str) -> bool {
    let mut decoded = Cow::Borrowed(path.as_bytes());
    for _ in 0..=MAX_ENCODED {
        if !is_plain(&decoded) {
            return false;
        }
        let next: Cow<'_, [u8]> = percent_decode(&decoded).into();
        if *next == *decoded {
            return true;
        }
        decoded = Cow::Owned(next.into_owned());
    }
    false
}

/// Whether the path has no segments of dots, and no bytes that some programs drop or decode to
/// others: control characters, and the first bytes of overlong UTF-8.
fn is_plain(path: &[u8]) -> bool {
    let is_odd = |byte: &u8| byte.is_ascii_control() || matches!(byte, 0xC0 | 0xC1);
    !path.iter().any(is_odd) && !path.split(|byte| b"/\\".contains(byte)).any(is_dots)
}

/// Whether the segment consists of dots, without parameters after a semicolon and surrounding
/// whitespace.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or(segment).trim_ascii();
    !name.is_empty() && name.iter().all(|byte| *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(forward: &str, target: &str, expected: &str) {
        assert_eq!(below(&forward.parse().unwrap(), target).unwrap().as_str(), expected);
    }

    #[test]
    fn the_path_and_query_are_appended_to_the_programs_url() {
        check("http://localhost:3000/hook", "", "http://localhost:3000/hook");
        check("http://localhost:3000/hook/", "a/b%20c", "http://localhost:3000/hook/a/b%20c");
        check("http://localhost:3000", "?x=1&y", "http://localhost:3000/?x=1&y");
        check("http://localhost:3000/h?k=v", "a?x=1", "http://localhost:3000/h/a?k=v&x=1");
        check("http://localhost:3000/h", "?x=/../y", "http://localhost:3000/h?x=/../y");
        check("http://localhost:3000/h", "a%2Fb/..c/d..", "http://localhost:3000/h/a%2Fb/..c/d..");
        check("http://localhost:3000/h", "a;x=../b", "http://localhost:3000/h/a;x=../b");
        check("http://localhost:3000/h", "a#b", "http://localhost:3000/h/a%23b");
        check("http://localhost:3000/h", "100%/é", "http://localhost:3000/h/100%/%C3%A9");
        check("http://localhost:3000/h", "http://evil/", "http://localhost:3000/h/http://evil/");
    }

    #[test]
    fn a_target_cannot_replace_the_host() {
        for target in ["/evil.example/x", "//evil.example/x"] {
            check("http://localhost:3000", target, "http://localhost:3000/evil.example/x");
            check("http://localhost:3000/h", target, "http://localhost:3000/h/evil.example/x");
        }
    }

    #[test]
    fn a_path_cannot_leave_the_programs_url() {
        let forward: Url = "http://localhost:3000/hook".parse().unwrap();
        for target in [
            "..",
            "../admin",
            "/../admin",
            "a/../../admin",
            "a/..",
            "./x",
            ".../x",
            "%2e%2e/admin",
            ".%2E/admin",
            "%2E./admin",
            "..%2Fadmin",
            "a%2f..%2f..%2fadmin",
            "..\\admin",
            "..%5Cadmin",
            "\\..\\admin",
            "%252e%252e/admin",
            "%25252e%25252e%25252fadmin",
            "%252525252525252525252e",
            "..;/admin",
            "..;x=y/admin",
            "..%3B/admin",
            ".\t./admin",
            "..%00/admin",
            "..%20/admin",
            "%c0%ae%c0%ae/admin",
            "..?x",
        ] {
            let refused = below(&forward, target).unwrap_err();
            assert_eq!(
                refused, "rejected, because the path may leave http://localhost:3000/hook",
                "{target}"
            );
        }
    }
}
