//! Reads one text field of `multipart/form-data`. The parser is strict: parts that do not follow
//! RFC 7578 are not found.

/// The boundary, if the content type is `multipart/form-data` and has one.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    (1..=70).contains(&value.len()).then_some(value)
}

/// The content of the only part with this name.
pub(super) fn field<'b>(body: &'b [u8], boundary: &str, name: &str) -> Option<&'b [u8]> {
    let first = format!("--{boundary}\r\n");
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(first.as_bytes()).or_else(|| {
        let (_, rest) = split(body, delimiter.as_bytes())?;
        rest.strip_prefix(b"\r\n")
    })?;
    let mut found = None;
    loop {
        let (part, after) = split(rest, delimiter.as_bytes())?;
        let (headers, content) = split(part, b"\r\n\r\n")?;
        if is_named(headers, name) && found.replace(content).is_some() {
            return None;
        }
        // Two dashes instead of a line ending mark the last part.
        let Some(more) = after.strip_prefix(b"\r\n") else { return found };
        rest = more;
    }
}

/// Creates a body with this one field.
pub(super) fn write(boundary: &str, name: &str, content: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n\
         --{boundary}--\r\n"
    )
}

fn is_named(headers: &[u8], name: &str) -> bool {
    let Ok(headers) = std::str::from_utf8(headers) else { return false };
    let disposition = headers.split("\r\n").find_map(|line| {
        let (header, value) = line.split_once(':')?;
        header.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    disposition.is_some_and(|disposition| {
        let wanted = format!("name=\"{name}\"");
        disposition.split(';').any(|parameter| parameter.trim() == wanted)
    })
}

fn split<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let index = bytes.windows(at.len()).position(|it| it == at)?;
    Some((bytes.get(..index)?, bytes.get(index + at.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::{boundary, field, write};

    #[test]
    fn the_boundary_is_read() {
        assert_eq!(boundary("multipart/form-data; boundary=a-b"), Some("a-b"));
        assert_eq!(boundary("Multipart/Form-Data;charset=utf-8; Boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("multipart/mixed; boundary=a"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("application/json"), None);
    }

    #[test]
    fn a_field_is_found_among_others() {
        let other = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\
                     content-type: text/plain\r\n\r\n1\r\n2\r\n";
        let body = format!("{other}{}", write("b", "json", "{}"));
        assert_eq!(field(body.as_bytes(), "b", "json"), Some(&b"{}"[..]));
        assert_eq!(field(body.as_bytes(), "b", "other"), Some(&b"1\r\n2"[..]));
        assert_eq!(field(format!("{other}{body}").as_bytes(), "b", "other"), None);
        assert_eq!(field(format!("preamble\r\n{body}").as_bytes(), "b", "json"), Some(&b"{}"[..]));
    }

    #[test]
    fn an_incomplete_form_has_no_fields() {
        let body = write("b", "json", "{}");
        for end in 0..body.len() - 8 {
            assert_eq!(field(&body.as_bytes()[..end], "b", "json"), None, "{end}");
        }
        assert_eq!(field(body.as_bytes(), "c", "json"), None);
        assert_eq!(field(body.as_bytes(), "b", "jso"), None);
        assert_eq!(field(b"", "b", "json"), None);
    }
}
