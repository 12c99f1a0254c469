//! The iterators of polls, as clients keep them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Longest text of a position; longer ones are not looked at.
const MAX_TEXT: usize = 64;

/// A place in a log, and the lease that it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Everything up to here was received.
    pub offset: u64,
    /// Of the consumer; `None` for a client that keeps its position itself.
    pub generation: Option<u64>,
}

/// The text is no iterator of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionError;

impl Position {
    /// A text for clients, which they give back.
    pub fn encode(self) -> String {
        let text = match self.generation {
            Some(generation) => format!("1:{}:{generation}", self.offset),
            None => format!("1:{}", self.offset),
        };
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    /// Reverses [`Self::encode`].
    pub fn decode(text: &str) -> Result<Self, PositionError> {
        if text.len() > MAX_TEXT {
            return Err(PositionError);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PositionError)?;
        let text = str::from_utf8(&bytes).map_err(|_| PositionError)?;
        let numbers = text.strip_prefix("1:").ok_or(PositionError)?;
        let parse = |text: &str| text.parse::<u64>().map_err(|_| PositionError);
        match numbers.split_once(':') {
            Some((offset, generation)) => {
                Ok(Self { offset: parse(offset)?, generation: Some(parse(generation)?) })
            },
            None => Ok(Self { offset: parse(numbers)?, generation: None }),
        }
    }
}
