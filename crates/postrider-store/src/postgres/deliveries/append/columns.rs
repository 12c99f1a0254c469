//! The parameters of an insertion: an array for each column.

use std::collections::BTreeMap;

use postrider::Uid;
use postrider_core::{message::Message, statistics::Fact, time::Timestamp};

use super::insertion::{Insertion, NewDelivery};
use crate::{
    contract::deliveries::{Hold, NewMessage},
    postgres::{
        lane,
        parameter::Param,
        row,
        value::{Uuid, millis},
    },
};

#[derive(Default)]
pub(super) struct Columns<'a> {
    application: Vec<Uuid>,
    id: Vec<Uuid>,
    event_type: Vec<&'a str>,
    event_id: Vec<Option<&'a str>>,
    pub(super) digest: Vec<Option<&'a [u8]>>,
    /// First and last index of a message's endpoints in the array of all endpoints.
    first: Vec<i32>,
    last: Vec<i32>,
    endpoint: Vec<Uuid>,
    details: Vec<Vec<u8>>,
    body: Vec<Option<&'a [u8]>>,
    body_until: Vec<i64>,
    message_index: Vec<i32>,
    due_at: Vec<i64>,
    free_at: Vec<i64>,
    holder: Vec<Option<i64>>,
    order: Vec<i16>,
    position: Vec<Option<i64>>,
    /// Messages that are counted as the same fact.
    counted_application: Vec<Uuid>,
    fact: Vec<i64>,
    count: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(insertion: &Insertion<'a>, node: i64) -> Self {
        let mut columns = Self::default();
        let mut first = 1;
        for new in &insertion.messages {
            let count = i32::try_from(new.targets.len()).expect("an application has fewer");
            columns.push_message(&new.message, first, first + count - 1);
            columns.digest.push(new.idempotency.as_ref().map(|digest| &digest[..]));
            first += count;
        }
        for delivery in &insertion.deliveries {
            columns.push_delivery(delivery, node);
        }
        columns.push_counts(&insertion.messages);
        columns
    }

    fn push_message(&mut self, message: &'a Message, first: i32, last: i32) {
        self.application.push(message.application.into());
        self.id.push(message.id.into());
        self.event_type.push(message.event_type.as_str());
        self.event_id.push(message.event_id.as_ref().map(Uid::as_str));
        self.first.push(first);
        self.last.push(last);
        self.details.push(row::message_details(message));
        self.body.push(message.body.as_deref());
        self.body_until.push(millis(message.body_until));
    }

    fn push_delivery(&mut self, delivery: &NewDelivery<'_>, node: i64) {
        let NewDelivery { message, message_index, target, position } = delivery;
        self.endpoint.push(target.endpoint.into());
        self.message_index.push(*message_index);
        let (due_at, free_at, holder) = match target.hold {
            Hold::Leased(until) => (first_due(message), until, Some(node)),
            Hold::Free(at) => (at, at, None),
        };
        self.due_at.push(millis(due_at));
        self.free_at.push(millis(free_at));
        self.holder.push(holder);
        self.order.push(lane::to_smallint(target.order));
        self.position.push(*position);
    }

    fn push_counts(&mut self, messages: &[&NewMessage]) {
        let mut counts: BTreeMap<(Uuid, i64), i64> = BTreeMap::new();
        for new in messages {
            let fact = Fact::message(&new.message, new.targets.is_empty()).pack();
            *counts.entry((new.message.application.into(), fact)).or_default() += 1;
        }
        for ((application, fact), count) in counts {
            self.counted_application.push(application);
            self.fact.push(fact);
            self.count.push(count);
        }
    }

    /// The parameters of [`INSERT`](super::INSERT); those of
    /// [`INSERT_KEYED`](super::INSERT_KEYED) have the digests behind them.
    pub(super) fn params(&self) -> [Param<'_>; 19] {
        [
            &self.application,
            &self.id,
            &self.event_type,
            &self.event_id,
            &self.first,
            &self.last,
            &self.endpoint,
            &self.details,
            &self.body,
            &self.body_until,
            &self.message_index,
            &self.due_at,
            &self.free_at,
            &self.holder,
            &self.order,
            &self.position,
            &self.counted_application,
            &self.fact,
            &self.count,
        ]
    }
}

/// When a new delivery of the message is due.
fn first_due(message: &Message) -> Timestamp {
    message.deliver_at.unwrap_or_default().max(message.created_at())
}
