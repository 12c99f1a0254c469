//! What the exit codes of programs mean for a delivery.

use crate::outcome::Failure;

/// The input is wrong (`EX_DATAERR` of sysexits.h).
const DATA_ERROR: i32 = 65;

/// The program is not configured correctly (`EX_CONFIG`).
const CONFIG_ERROR: i32 = 78;

/// The failure that an exit code means; 0 is success.
pub const fn classify(code: i32) -> Option<Failure> {
    match code {
        0 => None,
        DATA_ERROR => Some(Failure::Rejected),
        CONFIG_ERROR => Some(Failure::Misconfigured),
        _ => Some(Failure::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_tell_what_is_at_fault() {
        for (code, expected) in [
            (0, None),
            (1, Some(Failure::Unavailable)),
            (65, Some(Failure::Rejected)),
            (69, Some(Failure::Unavailable)),
            (75, Some(Failure::Unavailable)),
            (78, Some(Failure::Misconfigured)),
            (127, Some(Failure::Unavailable)),
        ] {
            assert_eq!(classify(code), expected, "{code}");
        }
    }
}
