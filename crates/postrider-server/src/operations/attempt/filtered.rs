//! Endpoints that do not get a message because of their filter, among those that do.

use std::sync::Arc;

use postrider::EndpointId;
use postrider_core::{
    catalog::Endpoint,
    filter::{Mismatch, Subject},
    message::Message,
};
use postrider_engine::Entry;
use postrider_store::{DeliveryRow, Scan, ScanPage, Weight};

use crate::operations::endpoint::explanation;

/// A row of the list of a message's endpoints.
#[derive(Clone, Debug)]
pub(super) enum MessageEndpointRow {
    Delivery(DeliveryRow),
    /// The endpoint's filter keeps the message out, for this reason.
    Filtered(Arc<Endpoint>, String),
}

impl MessageEndpointRow {
    pub(super) fn endpoint(&self) -> EndpointId {
        match self {
            Self::Delivery(row) => row.id.endpoint,
            Self::Filtered(endpoint, _) => endpoint.id,
        }
    }

    pub(super) const fn delivery(&self) -> Option<&DeliveryRow> {
        match self {
            Self::Delivery(row) => Some(row),
            Self::Filtered(..) => None,
        }
    }
}

impl Weight for MessageEndpointRow {
    fn weight(&self) -> usize {
        match self {
            Self::Delivery(row) => row.weight(),
            Self::Filtered(endpoint, reason) => endpoint.weight() + reason.len(),
        }
    }
}

/// The endpoints whose filter keeps the message out, with the reasons.
pub(super) fn of(entry: &Entry, message: &Message) -> Vec<MessageEndpointRow> {
    let subject = Subject::new(message, &entry.application.metadata);
    let filtered = entry.endpoints.iter().filter_map(|endpoint| {
        let mismatch = entry.check(endpoint, &subject).err()?;
        let is_filter = match mismatch {
            Mismatch::Disabled | Mismatch::EventType | Mismatch::Channels => false,
            Mismatch::Filter | Mismatch::NotEvaluated(_) | Mismatch::InvalidFilter(_) => true,
        };
        let reason = explanation::reason(&mismatch, endpoint, message);
        is_filter.then(|| MessageEndpointRow::Filtered(Arc::clone(endpoint), reason))
    });
    filtered.collect()
}

/// Adds the endpoints that belong to the part of the list that a scan has read. Those that have a
/// delivery got the message before their filter was changed.
pub(super) fn merge(
    found: ScanPage<DeliveryRow, EndpointId>,
    filtered: &[MessageEndpointRow],
    scan: &Scan<EndpointId>,
) -> ScanPage<MessageEndpointRow, EndpointId> {
    let items = found.items.into_iter().map(MessageEndpointRow::Delivery).collect();
    let found = ScanPage { items, resume: found.resume };
    merge_by(MessageEndpointRow::endpoint, found, filtered, scan)
}

/// Adds items with other keys than the found ones, as far as the scan has read.
fn merge_by<T: Clone, K: Copy + Ord>(
    key: impl Fn(&T) -> K,
    found: ScanPage<T, K>,
    others: &[T],
    scan: &Scan<K>,
) -> ScanPage<T, K> {
    let ScanPage { mut items, resume } = found;
    let is_before = |left: K, right: K| if scan.ascending { left < right } else { left > right };
    let is_read = |key: K| {
        scan.after.is_none_or(|after| is_before(after, key))
            && resume.is_none_or(|last| !is_before(last, key))
    };
    let is_added = |it: &&T| is_read(key(it)) && !items.iter().any(|found| key(found) == key(it));
    let added: Vec<T> = others.iter().filter(is_added).cloned().collect();
    items.extend(added);
    items.sort_by_key(&key);
    if !scan.ascending {
        items.reverse();
    }
    let is_cut = items.len() > scan.limit;
    items.truncate(scan.limit);
    let resume = if is_cut { items.last().map(&key) } else { resume };
    ScanPage { items, resume }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        found: &[u8],
        resume: Option<u8>,
        (after, ascending, limit): (Option<u8>, bool, usize),
        expected: (&[u8], Option<u8>),
    ) {
        let found = ScanPage { items: found.to_vec(), resume };
        let scan = Scan { after, ascending, limit };
        let merged = merge_by(|it| *it, found, &[2, 4, 6], &scan);
        assert_eq!((merged.items.as_slice(), merged.resume), expected);
    }

    #[test]
    fn filtered_endpoints_are_among_the_others_in_order() {
        check(&[1, 3], None, (None, true, 10), (&[1, 2, 3, 4, 6], None));
        check(&[3, 1], None, (None, false, 10), (&[6, 4, 3, 2, 1], None));
        check(&[3], None, (Some(2), true, 10), (&[3, 4, 6], None));
        check(&[], None, (None, true, 10), (&[2, 4, 6], None));
        check(&[4], None, (None, true, 10), (&[2, 4, 6], None));
    }

    #[test]
    fn a_page_ends_where_the_next_one_begins() {
        check(&[1, 3], Some(3), (None, true, 2), (&[1, 2], Some(2)));
        check(&[3, 5], Some(5), (Some(2), true, 2), (&[3, 4], Some(4)));
        check(&[5, 7], Some(7), (Some(4), true, 9), (&[5, 6, 7], Some(7)));
        check(&[7], None, (Some(6), true, 2), (&[7], None));
    }
}
