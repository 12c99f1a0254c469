//! Writes to standard output. Errors are returned because a pipe may close early:
//! `postrider config | head -1`.

use std::io::{self, Write};

/// Writes the text and a newline.
pub(crate) fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Writes the text unchanged.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}
