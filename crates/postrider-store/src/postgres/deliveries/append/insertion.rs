//! The rows that an append inserts.

use std::collections::{BTreeMap, HashSet};

use postrider_core::{delivery::DeliveryOrder, message::Message};

use crate::{
    contract::deliveries::{Hold, NewMessage, Target},
    postgres::{
        error::DatabaseError,
        lane::{self, LaneKey, LaneUpdate},
        session::Session,
    },
};

/// Messages to insert, each once, and their deliveries.
pub(super) struct Insertion<'a> {
    pub(super) messages: Vec<&'a NewMessage>,
    pub(super) deliveries: Vec<NewDelivery<'a>>,
}

pub(super) struct NewDelivery<'a> {
    pub(super) message: &'a Message,
    /// Index of the message among those to insert, counted from 1.
    pub(super) message_index: i32,
    pub(super) target: &'a Target,
    pub(super) position: Option<i64>,
}

impl NewDelivery<'_> {
    fn lane_key(&self) -> LaneKey {
        (self.message.application.into(), self.target.endpoint.into())
    }
}

impl<'a> Insertion<'a> {
    pub(super) fn of(batch: &'a [NewMessage], is_new: &[bool]) -> Self {
        let mut seen = HashSet::with_capacity(batch.len());
        let messages: Vec<_> = batch
            .iter()
            .zip(is_new)
            .filter(|(new, is_new)| **is_new && seen.insert(new.message.id))
            .map(|(new, _)| new)
            .collect();
        let deliveries = (1..)
            .zip(&messages)
            .flat_map(|(message_index, new)| {
                let message = &*new.message;
                let delivery =
                    move |target| NewDelivery { message, message_index, target, position: None };
                new.targets.iter().map(delivery)
            })
            .collect();
        Self { messages, deliveries }
    }

    /// Makes the lanes of deliveries without a holder due, and assigns positions in their orders.
    pub(super) async fn assign_positions(
        &mut self,
        session: &mut Session,
        node: i64,
    ) -> Result<(), DatabaseError> {
        let mut lanes: BTreeMap<LaneKey, LaneUpdate> = BTreeMap::new();
        for delivery in &self.deliveries {
            if let Hold::Free(at) = delivery.target.hold {
                lanes.entry(delivery.lane_key()).or_default().add_new(at, delivery.target.order);
            }
        }
        let mut last_positions = lane::mark_due(session, node, &lanes).await?;
        let in_order = |it: &&mut NewDelivery<'_>| it.target.order == DeliveryOrder::InOrder;
        for delivery in self.deliveries.iter_mut().filter(in_order) {
            delivery.position = last_positions.get_mut(&delivery.lane_key()).map(|last| {
                *last += 1;
                *last
            });
        }
        Ok(())
    }
}
