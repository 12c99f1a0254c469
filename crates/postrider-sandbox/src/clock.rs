//! The clock of the sandbox.

use std::time::Instant;

/// The present time by the system's clock. The clock of a runtime would not do: callers and the pool
/// have different ones, and that of a caller may be paused.
#[expect(clippy::disallowed_methods, reason = "there is no other place that reads this clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
