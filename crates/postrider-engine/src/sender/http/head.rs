//! Parses the head of an HTTP/1 response: leniently if the HTTP library refused it, and strictly to
//! decide whether the connection can be used again.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A head, as far as it could be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// The bytes after the head.
    pub(super) rest: &'a [u8],
}

/// Parses as much of a head as there is; `None` without a final status.
///
/// Lines that are not headers are skipped, and folded lines are joined.
pub(super) fn read(bytes: &[u8]) -> Option<Head<'_>> {
    let status = status(bytes).filter(|it| !is_interim(*it))?;
    let (head, rest) = bytes.split_at(end(bytes, 0).unwrap_or(bytes.len()));
    let mut headers = HeaderMap::new();
    for line in unfolded(head.split(|it| *it == b'\n').skip(1)) {
        if let Some((name, value)) = header(&line)
            && headers.try_append(name, value).is_err()
        {
            break;
        }
    }
    Some(Head { status, headers, rest })
}

/// The status at the beginning of the bytes, if it is complete.
fn status(bytes: &[u8]) -> Option<u16> {
    let line = bytes.split(|it| *it == b'\n').next()?;
    let version_and_more = line.strip_prefix(b"HTTP/")?;
    let is_version = |it: &u8| it.is_ascii_digit() || *it == b'.';
    let version_length = version_and_more.iter().take_while(|it| is_version(it)).count();
    let (version, rest) = version_and_more.split_at(version_length);
    let code = rest.trim_ascii_start();
    if version.is_empty() || code.len() == rest.len() {
        return None;
    }
    let (digits, after) = code.split_at_checked(3)?;
    let is_separated = after.first().is_none_or(u8::is_ascii_whitespace);
    let code: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
    (is_separated && digits.iter().all(u8::is_ascii_digit) && code >= 100).then_some(code)
}

/// Whether another head follows this one.
const fn is_interim(status: u16) -> bool {
    matches!(status, 100 | 102..=199)
}

/// Whether the bytes begin with the head of an interim response, such as 103 Early Hints.
pub(super) fn begins_interim(bytes: &[u8]) -> bool {
    status(bytes).is_some_and(is_interim)
}

/// The end of the head at the beginning of the bytes. The first `searched` bytes are known to
/// contain no end.
pub(super) fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(2);
    let newlines = (from..bytes.len()).filter(|&at| bytes.get(at) == Some(&b'\n'));
    newlines.map(|at| at + 1).find_map(|next| match bytes.get(next..) {
        Some([b'\n', ..]) => Some(next + 1),
        Some([b'\r', b'\n', ..]) => Some(next + 2),
        Some(_) | None => None,
    })
}

fn unfolded<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut unfolded: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
        match unfolded.last_mut().filter(|_| is_folded) {
            Some(before) => {
                before.truncate(before.trim_ascii_end().len());
                before.push(b' ');
                before.extend_from_slice(line.trim_ascii());
            },
            None => unfolded.push(line.to_vec()),
        }
    }
    unfolded
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|it| *it == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = HeaderName::from_bytes(name.trim_ascii_end()).ok()?;
    let value = value.get(1..)?.trim_ascii();
    Some((name, HeaderValue::from_bytes(value).ok()?))
}

/// Whether a complete head determines the end of the response unambiguously.
///
/// Connections are shared by all endpoints of a host. If two parsers could disagree about the end of
/// a response, one receiver could otherwise pass its bytes off as the response to a request to
/// another (response splitting).
pub(super) fn is_unambiguous(bytes: &[u8]) -> bool {
    let Some(head) = end(bytes, 0).and_then(|end| bytes.get(..end)) else { return false };
    let Some(head) = head.strip_suffix(b"\n\r\n") else { return false };
    let mut lines = head.split(|it| *it == b'\n').map(|it| it.strip_suffix(b"\r"));
    let is_status = lines.next().flatten().is_some_and(is_text);
    let mut framings = 0;
    let all_headers = lines.all(|line| {
        framings += usize::from(line.is_some_and(is_framing));
        line.is_some_and(is_header)
    });
    is_status && all_headers && framings <= 1
}

fn is_header(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|it| *it == b':') else { return false };
    let (name, value) = line.split_at(colon);
    let is_token = |it: &u8| it.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(it);
    !name.is_empty() && name.iter().all(is_token) && is_text(value)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|it| *it == b'\t' || !it.is_ascii_control())
}

fn is_framing(line: &[u8]) -> bool {
    [&b"content-length:"[..], b"transfer-encoding:"]
        .iter()
        .any(|name| line.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_from_a_malformed_or_incomplete_head() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 404 Not Found\r\n", Some(404)),
            ("HTTP/1.1 200\r\n", Some(200)),
            ("HTTP/1.1 200\n", Some(200)),
            ("HTTP/1.1 200", Some(200)),
            ("HTTP/1.1 200 \x01\x02\r\n", Some(200)),
            ("HTTP/1.1  200  OK\r\n", Some(200)),
            ("HTTP/2 204\r\n", Some(204)),
            ("HTTP/1.1 101 Switching Protocols\r\n", Some(101)),
            ("HTTP/1.1 999 Odd\r\n", Some(999)),
            ("HTTP/1.1 100 Continue\r\n\r\n", None),
            ("HTTP/1.1 20", None),
            ("HTTP/1.1 2000 OK\r\n", None),
            ("HTTP/1.1 099 Low\r\n", None),
            ("HTTP/1.1 +20 OK\r\n", None),
            ("HTTP/1.1200 OK\r\n", None),
            ("HTTP/ 200 OK\r\n", None),
            ("HTTP/1.1\r\n200 OK\r\n", None),
            ("http/1.1 200 OK\r\n", None),
            ("SSH-2.0-OpenSSH_9.2\r\n", None),
            ("", None),
        ] {
            assert_eq!(read(bytes.as_bytes()).map(|it| it.status), expected, "{bytes:?}");
        }
    }

    #[test]
    fn headers_are_read_leniently() {
        for (lines, expected) in [
            ("a: 1\r\nB:2\r\n", "a=1 b=2"),
            ("a: 1\nb: 2\n", "a=1 b=2"),
            ("a : 1\r\n", "a=1"),
            ("a: 1\r\n folded\r\n\tagain \r\nb: 2\r\n", "a=1 folded again b=2"),
            ("no colon\r\nb: 2\r\n", "b=2"),
            ("bad name: 1\r\n: empty\r\nb: 2\r\n", "b=2"),
            ("a: \x01\r\nb: 2\r\n", "b=2"),
            ("a: 1\r\nb: cut off", "a=1 b=cut off"),
            ("a: \u{e9}\r\n", "a=\u{e9}"),
        ] {
            let response = format!("HTTP/1.1 200 OK\r\n{lines}");
            let head = read(response.as_bytes()).unwrap();
            let shown = |(name, value): (&HeaderName, &HeaderValue)| {
                format!("{name}={}", String::from_utf8_lossy(value.as_bytes()))
            };
            let shown: Vec<_> = head.headers.iter().map(shown).collect();
            assert_eq!(shown.join(" "), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_head_ends_at_the_first_empty_line() {
        for (bytes, expected) in [
            ("a\r\n\r\nbody", Some(5)),
            ("a\n\nbody", Some(3)),
            ("a\n\r\nbody", Some(4)),
            ("a\r\n b\r\n\r\n", Some(9)),
            ("a\r\n\r", None),
            ("a\r\n", None),
        ] {
            for searched in 0..expected.unwrap_or(bytes.len()) {
                assert_eq!(end(bytes.as_bytes(), searched), expected, "{bytes:?} {searched}");
            }
        }
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\nbody").unwrap().rest, b"body");
    }

    #[test]
    fn only_an_unambiguous_head_lets_a_connection_be_used_again() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: a\tb\r\n\r\nok", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n folded\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nx: a\x01b\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false),
            ("HTTP/1.1 200 O\rK\r\n\r\n", false),
            ("HTTP/1.1 200 OK\nx: a\r\n\r\n", false),
            ("HTTP/1.1 200 OK\ncontent-length: 2\n\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", false),
        ] {
            assert_eq!(is_unambiguous(head.as_bytes()), expected, "{head:?}");
        }
    }
}
