//! Credentials on the command line.

use crate::{failure::usage, input};

/// The text itself, or the content of the file that `@FILE` names, without space around it.
pub(super) fn text_or_file(text: &str) -> anyhow::Result<String> {
    let text = match text.strip_prefix('@') {
        Some(path) => input::read_text(path.as_ref()).map_err(usage)?,
        None => text.to_owned(),
    };
    Ok(text.trim().to_owned())
}
