//! Splits the text of a filter into tokens.

use crate::filter::{
    error::{Problem, Span},
    quoted,
};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(u64),
    UInt(u64),
    Double(f64),
    Text(String),
    /// An operator or another mark.
    Mark(&'static str),
    End,
}

/// Longer marks come before those that they begin with.
const MARKS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")",
    "[", "]", "{", "}", ".", ",", "|",
];

/// All tokens of the text, and [`Token::End`] as the last.
pub(super) fn split(text: &str) -> Result<Vec<(Token, Span)>, Problem> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    loop {
        offset += blank(rest(text, offset));
        let tail = rest(text, offset);
        let (token, length) = next(tail).map_err(|(length, message)| {
            Problem::new(Span::new(offset, offset + length), message)
        })?;
        let span = Span::new(offset, offset + length);
        offset += length;
        let is_end = token == Token::End;
        tokens.push((token, span));
        if is_end {
            return Ok(tokens);
        }
    }
}

fn rest(text: &str, offset: usize) -> &str {
    text.get(offset..).unwrap_or_default()
}

/// The length of the white space and comments that the text begins with.
fn blank(text: &str) -> usize {
    let mut tail = text;
    loop {
        tail = tail.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
        if !tail.starts_with("//") {
            return text.len() - tail.len();
        }
        tail = tail.find('\n').map_or("", |end| rest(tail, end));
    }
}

/// The first token and its length, or the length of what is wrong and the reason.
fn next(text: &str) -> Result<(Token, usize), (usize, String)> {
    let Some(first) = text.chars().next() else { return Ok((Token::End, 0)) };
    if let Some(literal) = quoted::read(text) {
        return literal.map(|(text, length)| (Token::Text(text), length));
    }
    if first.is_ascii_digit() || (first == '.' && is_digit(rest(text, 1))) {
        return number(text);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = name_length(text);
        return Ok((Token::Name(rest_to(text, length).to_owned()), length));
    }
    let mark = MARKS.iter().find(|mark| text.starts_with(**mark));
    match mark {
        Some(&"|") => Err((1, "`|` is not an operator; write `||`".to_owned())),
        Some(mark) => Ok((Token::Mark(mark), mark.len())),
        None => Err((first.len_utf8(), wrong_character(first))),
    }
}

fn wrong_character(character: char) -> String {
    match character {
        '=' => "`=` is not an operator; write `==` to compare".to_owned(),
        '&' => "`&` is not an operator; write `&&`".to_owned(),
        '“' | '”' | '‘' | '’' => {
            format!("{character} is not a quotation mark of the language; write \" or '")
        },
        _ => format!("unexpected character {character:?}"),
    }
}

fn is_digit(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_digit())
}

fn name_length(text: &str) -> usize {
    text.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(text.len())
}

fn rest_to(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}

fn digits(text: &str) -> usize {
    text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len())
}

fn number(text: &str) -> Result<(Token, usize), (usize, String)> {
    let (value, length) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => {
            let count = hex.find(|it: char| !it.is_ascii_hexdigit()).unwrap_or(hex.len());
            (u64::from_str_radix(rest_to(hex, count), 16).ok(), count + 2)
        },
        None => match double_length(text) {
            Some(length) => return double(text, length),
            None => (rest_to(text, digits(text)).parse().ok(), digits(text)),
        },
    };
    let tail = rest(text, length);
    let is_unsigned = tail.starts_with(['u', 'U']);
    let length = length + usize::from(is_unsigned);
    if name_length(rest(text, length)) > 0 {
        let whole = length + name_length(rest(text, length));
        return Err((whole, format!("`{}` is not a number", rest_to(text, whole))));
    }
    match value {
        Some(value) if is_unsigned => Ok((Token::UInt(value), length)),
        Some(value) => Ok((Token::Int(value), length)),
        None => Err((length, format!("`{}` is not an integer of 64 bits", rest_to(text, length)))),
    }
}

/// The length of the number if it has a fraction or an exponent.
fn double_length(text: &str) -> Option<usize> {
    let mut length = digits(text);
    let mut is_double = false;
    if text.as_bytes().get(length) == Some(&b'.') && is_digit(rest(text, length + 1)) {
        length += 1 + digits(rest(text, length + 1));
        is_double = true;
    }
    if let Some(exponent) = rest(text, length).strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if is_digit(unsigned) {
            length += 1 + exponent.len() - unsigned.len() + digits(unsigned);
            is_double = true;
        }
    }
    is_double.then_some(length)
}

fn double(text: &str, length: usize) -> Result<(Token, usize), (usize, String)> {
    let whole = length + name_length(rest(text, length));
    let value = rest_to(text, whole).parse::<f64>().ok().filter(|value| value.is_finite());
    match value {
        Some(value) => Ok((Token::Double(value), whole)),
        None => Err((whole, format!("`{}` is not a number", rest_to(text, whole)))),
    }
}
