//! The applications of the scenario `tenants`: their uids.

/// Digits of an application's number in its uid.
pub(crate) const DIGITS: usize = 8;

/// The uid of the application with this number.
pub(crate) fn uid(number: u64) -> String {
    format!("tenant-{number:0DIGITS$}")
}
