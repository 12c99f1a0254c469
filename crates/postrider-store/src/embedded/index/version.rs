//! The version of the index's schema.

/// The version of a complete index. A file with a version that is not known is rebuilt.
pub(super) const VERSION: usize = 2;

/// The version of an index with the same schema that is being rebuilt.
pub(super) const REBUILDING: usize = 1_002;
