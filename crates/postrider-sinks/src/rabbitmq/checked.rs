//! Checks of what is given to the protocol.

use lapin::types::ShortString;
use postrider_core::kind::rabbitmq::MAX_SHORT_TEXT;

use crate::failed::Failed;

/// The stored configuration was not checked when it was saved.
pub(super) fn unchecked() -> Failed {
    Failed::misconfigured(
        "the stored configuration is not one of a rabbitmq endpoint; save it again",
    )
}

/// A text that the protocol limits.
pub(super) fn short(field: &str, text: impl Into<String>) -> Result<ShortString, Failed> {
    ShortString::try_new(text).map_err(|_| {
        Failed::rejected(format!(
            "`{field}` has more than {MAX_SHORT_TEXT} bytes for this message; shorten it"
        ))
    })
}
