//! Keys as text: PEM, base64 and hex. The parsers are lenient about line lengths and padding,
//! because keys pass through environment variables and web forms.

use std::fmt::Write as _;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::super::Encoding;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The label and the content of the first PEM block.
pub(super) fn read_pem(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    // An environment variable may have escaped the line endings.
    Some((label, decode_base64(&body.replace("\\n", ""))?))
}

pub(super) fn write_pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in BASE64.encode(der).as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    writeln!(pem, "-----END {label}-----").expect("a string takes all");
    pem
}

/// Decodes an Ed25519 key in hex, or else base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit()) {
        return decode_hex(text);
    }
    decode_base64(text)
}

/// Decodes base64 in either alphabet, with or without padding and line breaks.
pub(in super::super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .chars()
        .filter(|it| !it.is_ascii_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    BASE64.decode(plain).ok()
}

pub(in super::super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    Encoding::Hex.decode(text)
}
