//! Reads string literals.

/// What is wrong: the length of the part, and the reason.
type Wrong = (usize, String);

/// The string literal that the text begins with, and its length; `None` if it begins with
/// something else.
pub(super) fn read(text: &str) -> Option<Result<(String, usize), Wrong>> {
    let bytes = text.as_bytes();
    let prefix = bytes.iter().take_while(|byte| matches!(byte, b'r' | b'R' | b'b' | b'B')).count();
    let marks = text.get(prefix..)?;
    if prefix > 2 || !marks.starts_with(['"', '\'']) {
        return None;
    }
    let is_bytes = text.bytes().take(prefix).any(|byte| byte.eq_ignore_ascii_case(&b'b'));
    if is_bytes {
        return Some(Err((prefix, "byte literals are not supported".to_owned())));
    }
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|it| marks.starts_with(it))?;
    Some(content(text, prefix + quote.len(), quote, prefix > 0))
}

fn content(text: &str, start: usize, quote: &str, is_raw: bool) -> Result<(String, usize), Wrong> {
    let mut result = String::new();
    let mut offset = start;
    loop {
        let tail = text.get(offset..).unwrap_or_default();
        if tail.starts_with(quote) {
            return Ok((result, offset + quote.len()));
        }
        let Some(first) = tail.chars().next().filter(|it| quote.len() > 1 || *it != '\n') else {
            return Err((start, format!("the string has no closing {quote}")));
        };
        if first == '\\' && !is_raw {
            let (character, length) = escape(tail).ok_or_else(|| {
                let shown: String = tail.chars().take(2).collect();
                (offset + shown.len(), format!("the string has the unknown escape `{shown}`"))
            })?;
            result.push(character);
            offset += length;
        } else {
            result.push(first);
            offset += first.len_utf8();
        }
    }
}

/// The character that an escape means, and the length of the escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let kind = text.chars().nth(1)?;
    let simple = |character| Some((character, 2));
    match kind {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        '\\' | '?' | '"' | '\'' | '`' => simple(kind),
        'x' | 'X' => code(text, 2..4, 16),
        'u' => code(text, 2..6, 16),
        'U' => code(text, 2..10, 16),
        '0'..='3' => code(text, 1..4, 8),
        _ => None,
    }
}

fn code(text: &str, range: std::ops::Range<usize>, radix: u32) -> Option<(char, usize)> {
    let end = range.end;
    let digits = text.get(range).filter(|it| it.chars().all(|digit| digit.is_digit(radix)))?;
    let value = u32::from_str_radix(digits, radix).ok()?;
    Some((char::from_u32(value)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(read(text), Some(Ok((expected.to_owned(), text.len()))), "{text}");
    }

    #[test]
    fn strings_have_two_quotation_marks_and_a_raw_form() {
        check(r#""it's""#, "it's");
        check(r#"'say "so"'"#, "say \"so\"");
        check("'''a\n'b'''", "a\n'b");
        check(r#"r"\d+""#, r"\d+");
        check("''", "");
    }

    #[test]
    fn escapes_name_characters() {
        check(r#""\x41\101\u00e9\U0001F600\n\\""#, "AAé😀\n\\");
    }

    #[test]
    fn other_strings_are_not_valid() {
        for text in ["\"abc", "'a\nb'", r"'\q'", r"'\ud800'", r"'\x4'", "b'abc'", "rb'a'"] {
            assert!(matches!(read(text), Some(Err(_))), "{text}");
        }
        for text in ["abc", "rabbit", "1"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
