//! What a worker sends back. A worker may be under the control of its script, so reading a reply
//! checks everything.

use crate::{
    frame::{Decoder, Encoder, Malformed},
    run::{RunError, RunErrorKind},
};

// Other numbers than those of requests: a program that sends back what it gets is no worker.
const READY: u8 = 16;
const REFUSED: u8 = 17;
const RETURNED: u8 = 18;
const FAILED: u8 = 19;

/// Longest message of an error, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 2048;

/// Bytes of all other fields of a reply.
const HEADER_BYTES: usize = 64;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// The worker has locked itself down.
    Ready,
    /// The worker cannot lock itself down, for this reason.
    Refused(&'a str),
    /// JSON that has not been validated; empty after a check.
    Returned {
        console: &'a str,
        value: &'a [u8],
    },
    Failed(RunError),
}

/// The kinds of errors that a worker reports, in the order of their numbers.
const KINDS: [RunErrorKind; 8] = [
    RunErrorKind::Syntax,
    RunErrorKind::NoHandler,
    RunErrorKind::Thrown,
    RunErrorKind::Timeout,
    RunErrorKind::OutOfMemory,
    RunErrorKind::StackOverflow,
    RunErrorKind::OutputTooLarge,
    RunErrorKind::NotJson,
];

impl<'a> Reply<'a> {
    /// The longest content that a worker sends under these limits.
    pub(crate) fn longest(output_bytes: usize, console_bytes: usize) -> usize {
        output_bytes + console_bytes + MESSAGE_BYTES + HEADER_BYTES
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ready => Encoder::new(READY).finish(),
            Self::Refused(reason) => {
                Encoder::new(REFUSED).rest(cut(reason, MESSAGE_BYTES).as_bytes()).finish()
            },
            Self::Returned { console, value } => {
                Encoder::new(RETURNED).text(console).rest(value).finish()
            },
            Self::Failed(error) => {
                let kind = KINDS.iter().position(|kind| *kind == error.kind);
                let kind = kind.and_then(|it| u8::try_from(it).ok());
                Encoder::new(FAILED)
                    .byte(kind.expect("workers report only these kinds"))
                    .number(error.line.unwrap_or(0))
                    .number(error.column.unwrap_or(0))
                    .text(cut(&error.message, MESSAGE_BYTES))
                    .rest(error.console.as_bytes())
                    .finish()
            },
        }
    }

    pub(crate) fn decode(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder(content);
        match decoder.byte()? {
            READY => Ok(Self::Ready),
            REFUSED => text(decoder.rest()).map(Self::Refused),
            RETURNED => Ok(Self::Returned { console: decoder.text()?, value: decoder.rest() }),
            FAILED => failure(decoder).map(Self::Failed),
            _ => Err(Malformed),
        }
    }
}

fn failure(mut decoder: Decoder<'_>) -> Result<RunError, Malformed> {
    let kind = *KINDS.get(usize::from(decoder.byte()?)).ok_or(Malformed)?;
    let line = Some(decoder.number()?).filter(|line| *line > 0);
    let column = Some(decoder.number()?).filter(|column| *column > 0);
    let message = decoder.text()?.to_owned();
    let console = text(decoder.rest())?.to_owned();
    Ok(RunError { kind, message, line, column, console })
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// The beginning of a text, at most `limit` bytes, without dividing a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &Reply<'_>) {
        let frame = reply.encode();
        assert_eq!(Reply::decode(&frame[4..]).as_ref(), Ok(reply));
    }

    #[test]
    fn replies_are_read_as_they_were_written() {
        check(&Reply::Ready);
        check(&Reply::Refused("no seccomp"));
        check(&Reply::Returned { console: "a\nb", value: b"{}" });
        for kind in KINDS {
            check(&Reply::Failed(RunError {
                kind,
                message: "a".to_owned(),
                line: Some(3),
                column: None,
                console: "b".to_owned(),
            }));
        }
    }

    #[test]
    fn other_replies_are_malformed() {
        assert_eq!(Reply::decode(&[]), Err(Malformed));
        assert_eq!(Reply::decode(&[20]), Err(Malformed));
        assert_eq!(Reply::decode(&[REFUSED, 0xff]), Err(Malformed));
        assert_eq!(Reply::decode(&[RETURNED, 5, 0, 0, 0, b'a']), Err(Malformed));
        assert_eq!(Reply::decode(&[FAILED, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed));
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("abc", 5), "abc");
        assert_eq!(cut("a\u{e4}b", 2), "a");
        assert_eq!(cut("a\u{e4}b", 3), "a\u{e4}");
        let error = RunError::new(RunErrorKind::Thrown, "x".repeat(10_000));
        let frame = Reply::Failed(error).encode();
        assert!(frame.len() < Reply::longest(0, 0));
    }
}
