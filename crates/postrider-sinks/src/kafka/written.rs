//! What became of a record.

use std::net::SocketAddr;

use postrider_engine::Report;

use crate::failed::Failed;

/// Where a record was stored, or why it was not.
pub(super) type Written = Result<Stored, Refused>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub partition: i32,
    pub offset: i64,
    pub address: SocketAddr,
}

impl Stored {
    pub(super) fn report(self, topic: &str) -> Report {
        let Self { partition, offset, address } = self;
        let done = format!(
            "written to partition {partition} of `{topic}` at offset {offset}, confirmed by all \
             replicas that are in sync"
        );
        Report::delivered(done).at(Some(address))
    }
}

/// Why a record was not stored, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub failed: Failed,
    /// What is known of the topic may be out of date.
    pub is_stale: bool,
    /// It was certainly not stored, and may be if it is tried again with what is known then.
    pub may_retry: bool,
}

impl Refused {
    /// It was not tried, or refused, because of something that changes.
    pub(super) const fn outdated(failed: Failed) -> Self {
        Self { failed, is_stale: true, may_retry: true }
    }

    pub(super) const fn finally(failed: Failed) -> Self {
        Self { failed, is_stale: false, may_retry: false }
    }

    /// It was sent, and it is not known what became of it.
    #[expect(clippy::needless_pass_by_value, reason = "the caller gives it away")]
    pub(super) fn unknown(failed: Failed) -> Self {
        let reason = format!(
            "{} before it confirmed the message; it may have been stored, and is sent again",
            failed.reason
        );
        Self { failed: Failed { reason, ..failed }, is_stale: true, may_retry: false }
    }
}
