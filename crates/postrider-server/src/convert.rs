//! What the wire says and what it is inside.

use postrider_core::{delivery::ResendMode, time::Timestamp};

/// The moment as the wire has it.
pub(crate) fn to_wire(at: Timestamp) -> jiff::Timestamp {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}

/// The moment as it is inside; what lies before 1970 becomes that.
pub(crate) fn from_wire(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(u64::try_from(at.as_millisecond()).unwrap_or_default())
}

/// Whether a request to send again asks for the retry schedule.
pub(crate) const fn resend_mode(retry: bool) -> ResendMode {
    if retry { ResendMode::Retry } else { ResendMode::Once }
}
