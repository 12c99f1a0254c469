//! Credentials on the command line.

use crate::{failure::usage, input};

/// The text itself, or the content of the file that `@FILE` names.
pub(super) fn text_or_file(text: &str) -> anyhow::Result<String> {
    match text.strip_prefix('@') {
        Some(path) => input::read_text(path.as_ref()).map_err(usage),
        None => Ok(text.to_owned()),
    }
}
