//! How far a rebuild of an index is.

use postrider_core::time::Timestamp;

/// How far a rebuild of the index is. It goes from the newest messages to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRebuild {
    /// Lists, searches and statistics are complete from this time on.
    pub since: Timestamp,
    /// How much of the time between the oldest and the newest message is done, from 0 to 99.
    pub percent: u8,
}
