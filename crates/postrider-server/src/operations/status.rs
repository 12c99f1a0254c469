//! The statuses of deliveries in the API: in responses, and in filters.

use postrider::api::MessageStatus;
use postrider_core::delivery::Status;
use postrider_store::StatusKind;

use crate::api::convert::to_wire;

/// The status in responses, with the time of the next attempt. Clients that do not request the
/// expanded statuses do not know cancelled deliveries.
pub(crate) fn shown(status: Status, expanded: bool) -> (MessageStatus, Option<jiff::Timestamp>) {
    match status {
        Status::Delivered => (MessageStatus::Success, None),
        Status::Pending(at) => (MessageStatus::Pending, Some(to_wire(at))),
        Status::Sending(at) => (MessageStatus::Sending, Some(to_wire(at))),
        Status::Failed => (MessageStatus::Fail, None),
        Status::Cancelled if expanded => (MessageStatus::Canceled, None),
        Status::Cancelled => (MessageStatus::Canceled.without_canceled(), None),
    }
}

/// The deliveries that a filter by status matches.
pub(crate) const fn kind(status: MessageStatus) -> StatusKind {
    match status {
        MessageStatus::Success => StatusKind::Delivered,
        MessageStatus::Pending => StatusKind::Pending,
        MessageStatus::Sending => StatusKind::Sending,
        MessageStatus::Fail => StatusKind::Failed,
        MessageStatus::Canceled => StatusKind::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::time::Timestamp;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_filter_matches_the_deliveries_that_are_shown_with_its_status() {
        for (status, expected) in [
            (Status::Delivered, MessageStatus::Success),
            (Status::open(0, AT), MessageStatus::Pending),
            (Status::open(1, AT), MessageStatus::Sending),
            (Status::open(7, AT), MessageStatus::Sending),
            (Status::Failed, MessageStatus::Fail),
            (Status::Cancelled, MessageStatus::Canceled),
        ] {
            assert_eq!(shown(status, true).0, expected, "{status:?}");
            assert_eq!(kind(expected), StatusKind::from(status), "{status:?}");
        }
    }

    #[test]
    fn only_open_deliveries_have_a_time_of_the_next_attempt() {
        for status in [Status::open(0, AT), Status::open(1, AT)] {
            assert_eq!(shown(status, false).1, Some(to_wire(AT)), "{status:?}");
        }
        for status in [Status::Delivered, Status::Failed, Status::Cancelled] {
            assert_eq!(shown(status, false).1, None, "{status:?}");
        }
    }
}
