//! Reads files that the command line names, and standard input.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::Context;

/// Reads the file, or standard input if the path is `-`, byte for byte.
pub(crate) fn read_file_or_stdin(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).context("standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| path.display().to_string())
}

/// Reads a file that contains text.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Reads standard input as text.
pub(crate) fn read_stdin_text() -> anyhow::Result<String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("standard input")?;
    Ok(text)
}
