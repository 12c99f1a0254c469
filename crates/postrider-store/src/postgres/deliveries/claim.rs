//! Claims due deliveries.
//!
//! A claim first locks due lanes, those that wait longest, and skips lanes that another claim has
//! locked; then it takes from each lane as many deliveries as the caller has capacity for. So its
//! cost depends on what it takes, not on the backlog of endpoints without capacity, and claims of
//! several nodes do not wait for each other.

mod lanes;
mod leases;
mod take;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use postrider::{EndpointId, MessageId};
use postrider_core::{delivery::Delivery, message::Message};

use self::take::Taken;
#[cfg(test)]
pub(in crate::postgres) use self::{
    lanes::{LOCK_LANES, NEXT_LANE, OWN},
    leases::{END_LEASES, LEASE_END},
    take::{HEADS, TAKE, TAKE_HEADS},
};
use super::cancel;
use crate::{
    contract::deliveries::{Claim, ClaimedBatch, Scope},
    postgres::{error::DatabaseError, lane, row, session::Session, value::Uuid},
};

/// Claims deliveries. `taken` lists them too, so that the caller knows them when the outcome of the
/// commit is unknown.
pub(in crate::postgres) async fn claim(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    taken: &mut Vec<Delivery>,
) -> Result<ClaimedBatch, DatabaseError> {
    taken.clear();
    let mut lease_end = leases::first_end(session).await?;
    if lease_end.is_some_and(|end| end <= claim.now) {
        leases::end_leases(session, node, claim.now).await?;
        lease_end = leases::first_end(session).await?;
    }
    let mut claimed = ClaimedBatch::default();
    let mut capacities: HashMap<EndpointId, usize> = claim.capacities.clone();
    // Outside of a transaction: most claims find nothing due and end here, after one statement.
    let mut next_due = lanes::next_due(session, node, claim, &capacities).await?;
    if next_due.is_some_and(|due_at| due_at <= claim.now) && claim.limit > 0 {
        session.begin().await?;
        claimed.deliveries = fill(session, node, claim, &mut capacities).await?;
        taken.extend(claimed.deliveries.iter().map(|(delivery, _)| *delivery));
        session.commit().await?;
        next_due = lanes::next_due(session, node, claim, &capacities).await?;
    }
    if !claimed.deliveries.is_empty() {
        lease_end = Some(lease_end.map_or(claim.lease_until, |end| end.min(claim.lease_until)));
    }
    claimed.next_due = [next_due, lease_end].into_iter().flatten().min();
    Ok(claimed)
}

/// Takes deliveries from lanes up to the claim's limit, and reduces the capacities by them.
async fn fill(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    capacities: &mut HashMap<EndpointId, usize>,
) -> Result<Vec<(Delivery, Arc<Message>)>, DatabaseError> {
    let lanes = lanes::lock(session, node, claim).await?;
    let taken = take::take(session, node, claim, &lanes).await?;
    let mut found = Vec::with_capacity(taken.len());
    let mut bodiless = Vec::new();
    let messages = messages(session, &taken).await?;
    for Taken { delivery, .. } in &taken {
        match messages.get(&delivery.id.message).filter(|message| message.body.is_some()) {
            Some(message) => found.push((*delivery, Arc::clone(message))),
            None => bodiless.push(delivery),
        }
    }
    cancel::cancel_bodiless(session, &bodiless).await?;
    for (delivery, _) in &found {
        let capacity = capacities.entry(delivery.id.endpoint).or_insert(claim.per_endpoint);
        *capacity = capacity.saturating_sub(1);
    }
    for lane in lanes.iter().filter(|lane| lane.is_orphan) {
        // A bounded number: a later claim continues.
        cancel::cancel_step(session, Scope::Endpoint(lane.application, lane.endpoint)).await?;
    }
    // All visited lanes, also those that offered nothing: their due time was too early.
    let visited = lanes.iter().map(|it| ((it.application.into(), it.endpoint.into()), it.due_at));
    lane::refresh_from(session, &visited.collect()).await?;
    Ok(found)
}

/// The bounds of the ids let the planner skip partitions.
pub(in crate::postgres) const MESSAGES: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, m.body
FROM unnest($1::uuid[], $2::uuid[]) AS k (application, id)
CROSS JOIN LATERAL (
    SELECT * FROM message
    WHERE application = k.application AND id = k.id AND id >= $3 AND id <= $4
    LIMIT 1
) m";

/// The messages of the deliveries.
async fn messages(
    session: &mut Session,
    taken: &[Taken],
) -> Result<HashMap<MessageId, Arc<Message>>, DatabaseError> {
    let keys: BTreeMap<Uuid, Uuid> = taken
        .iter()
        .map(|it| (it.delivery.id.message.into(), it.delivery.application.into()))
        .collect();
    let (Some((first, _)), Some((last, _))) = (keys.first_key_value(), keys.last_key_value())
    else {
        return Ok(HashMap::new());
    };
    let application: Vec<_> = keys.values().copied().collect();
    let id: Vec<_> = keys.keys().copied().collect();
    let mut messages = HashMap::with_capacity(id.len());
    for row in session.query(MESSAGES, &[&application, &id, first, last]).await? {
        let message = row::message(&row)?;
        messages.insert(message.id, Arc::new(message));
    }
    Ok(messages)
}
