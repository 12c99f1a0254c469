//! The limit on what templates render to, and shorter texts.

use std::io;

use super::error::TemplateError;

/// Most bytes that a template may render to.
pub const MAX_RENDERED: usize = 256 << 10;

/// At most so many characters of a text; an ellipsis as the last of them shows that there were
/// more.
pub fn truncated(mut text: String, length: usize) -> String {
    if text.char_indices().nth(length).is_some() {
        let kept = text.char_indices().nth(length.saturating_sub(1)).map_or(0, |(index, _)| index);
        text.truncate(kept);
        if length > 0 {
            text.push('…');
        }
    }
    text
}

/// Refuses what exceeds the limit.
#[derive(Default)]
pub(super) struct LimitedOutput(Vec<u8>);

impl LimitedOutput {
    pub(super) fn into_text(self) -> Result<String, TemplateError> {
        String::from_utf8(self.0).map_err(|_| TemplateError::of_message("output is not UTF-8"))
    }
}

impl io::Write for LimitedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_RENDERED {
            return Err(io::Error::other(format!("output exceeds {MAX_RENDERED} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
