//! Checks when a request was signed.

use std::time::Duration;

use super::{
    super::model::{Timestamp, Unit},
    VerifyError,
};

/// Larger numbers are milliseconds: seconds reach this number in the year 5138.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// Checks the time against the limits of the model, or the setting that replaces them.
pub(super) fn check(
    timestamp: &Timestamp,
    text: &str,
    setting: Option<Duration>,
    now_seconds: u64,
) -> Result<(), VerifyError> {
    let setting = setting.map(|it| it.as_secs());
    let Some(tolerance) = setting.or(timestamp.tolerance_s) else { return Ok(()) };
    let future = setting.or(timestamp.future_s).unwrap_or(tolerance);
    let malformed = || VerifyError::Malformed(format!("{} is not a time", timestamp.source));
    let signed_at = seconds(text, timestamp.unit).ok_or_else(malformed)?;
    if now_seconds.saturating_sub(signed_at) > tolerance {
        return Err(VerifyError::TooOld);
    }
    if signed_at.saturating_sub(now_seconds) > future {
        return Err(VerifyError::TooNew);
    }
    Ok(())
}

fn seconds(text: &str, unit: Unit) -> Option<u64> {
    // `parse` alone would accept a plus sign.
    let number = || text.starts_with(|it: char| it.is_ascii_digit()).then(|| text.parse().ok())?;
    match unit {
        Unit::S => number(),
        Unit::Ms => number().map(|it: u64| it / 1000),
        Unit::SOrMs => number().map(|it| if it < FIRST_MILLISECONDS { it } else { it / 1000 }),
        Unit::Rfc3339 => {
            let time: jiff::Timestamp = text.parse().ok()?;
            time.as_second().try_into().ok()
        },
    }
}
