//! Messages that may be known already: by their id, their event id or their idempotency digest.

use std::collections::{BTreeMap, HashSet};

use postrider::{ApplicationId, MessageId, Uid};

use crate::{
    contract::deliveries::{AppendOutcome, NewMessage},
    postgres::{error::DatabaseError, session::Session, value::Uuid},
};

/// The keys of a batch that the database knows, and those that the batch adds.
#[derive(Default)]
pub(super) struct KnownKeys {
    messages: HashSet<MessageId>,
    digests: BTreeMap<(ApplicationId, [u8; 32]), Entry>,
    event_ids: BTreeMap<(ApplicationId, String), Entry>,
}

/// The message that has a key, and whether this batch adds the key.
#[derive(Clone, Copy)]
struct Entry {
    message: MessageId,
    is_new: bool,
}

pub(in crate::postgres) const FIND_KNOWN: &str = "
SELECT k.place, m.id, i.message, e.message
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bytea[], $5::text[])
    AS k (place, application, id, digest, event_id)
LEFT JOIN LATERAL (
    SELECT id FROM message WHERE application = k.application AND id = k.id LIMIT 1
) m ON true
LEFT JOIN LATERAL (
    SELECT message FROM idempotency
    WHERE application = k.application AND digest = k.digest LIMIT 1
) i ON true
LEFT JOIN LATERAL (
    SELECT message FROM event_id
    WHERE application = k.application AND event_id = k.event_id LIMIT 1
) e ON true
WHERE coalesce(m.id, i.message, e.message) IS NOT NULL";

/// Keeps fewer than there are if another transaction committed one of them.
pub(in crate::postgres) const KEEP_DIGESTS: &str = "
INSERT INTO idempotency (application, digest, message)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) ON CONFLICT DO NOTHING";

pub(in crate::postgres) const KEEP_EVENT_IDS: &str = "
INSERT INTO event_id (application, event_id, message)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[]) ON CONFLICT DO NOTHING";

impl KnownKeys {
    /// Looks up the messages and their keys.
    pub(super) async fn find(
        session: &mut Session,
        batch: &[NewMessage],
    ) -> Result<Self, DatabaseError> {
        let index: Vec<i64> = (0..).take(batch.len()).collect();
        let application: Vec<Uuid> =
            batch.iter().map(|new| new.message.application.into()).collect();
        let id: Vec<Uuid> = batch.iter().map(|new| new.message.id.into()).collect();
        let digest: Vec<_> =
            batch.iter().map(|new| new.idempotency.as_ref().map(|it| &it[..])).collect();
        let event_id: Vec<_> =
            batch.iter().map(|new| new.message.event_id.as_ref().map(Uid::as_str)).collect();
        let rows =
            session.query(FIND_KNOWN, &[&index, &application, &id, &digest, &event_id]).await?;
        let mut known = Self::default();
        for row in rows {
            let index = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            let found = |column: usize| row.get::<_, Option<Uuid>>(column).map(MessageId::from);
            known.add(&batch[index], [found(1), found(2), found(3)]);
        }
        Ok(known)
    }

    fn add(&mut self, new: &NewMessage, [own, by_digest, by_event_id]: [Option<MessageId>; 3]) {
        let application = new.message.application;
        let entry = |message| Entry { message, is_new: false };
        self.messages.extend(own);
        if let (Some(digest), Some(message)) = (new.idempotency, by_digest) {
            self.digests.insert((application, digest), entry(message));
        }
        if let (Some(event_id), Some(message)) = (&new.message.event_id, by_event_id) {
            self.event_ids.insert((application, event_id.to_string()), entry(message));
        }
    }

    /// The outcome for a message that is not inserted; `None` if it is. Has to be called for the
    /// messages in the order of the batch, since one may have a key of one before it.
    pub(super) fn decide(&mut self, new: &NewMessage) -> Option<AppendOutcome> {
        let message = &new.message;
        let digest = new.idempotency.map(|digest| (message.application, digest));
        if let Some(known) = digest.and_then(|key| self.digests.get(&key)) {
            return Some(AppendOutcome::Duplicate(known.message));
        }
        if !self.messages.insert(message.id) {
            return Some(AppendOutcome::New);
        }
        let entry = Entry { message: message.id, is_new: true };
        if let Some(event_id) = &message.event_id {
            let key = (message.application, event_id.to_string());
            if let Some(taken) = self.event_ids.get(&key) {
                let taken = taken.message;
                self.messages.remove(&message.id);
                return Some(AppendOutcome::EventIdTaken(taken));
            }
            self.event_ids.insert(key, entry);
        }
        if let Some(digest) = digest {
            self.digests.insert(digest, entry);
        }
        None
    }

    /// Stores the new keys; `false` if another node stored one of them first. The keys are sorted,
    /// so that nodes with the same keys wait for each other instead of deadlocking.
    pub(super) async fn keep(&self, session: &mut Session) -> Result<bool, DatabaseError> {
        Ok(self.keep_digests(session).await? && self.keep_event_ids(session).await?)
    }

    async fn keep_digests(&self, session: &mut Session) -> Result<bool, DatabaseError> {
        let new: Vec<_> = self.digests.iter().filter(|(_, entry)| entry.is_new).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let application: Vec<Uuid> = new.iter().map(|((id, _), _)| (*id).into()).collect();
        let digest: Vec<_> = new.iter().map(|((_, digest), _)| &digest[..]).collect();
        let message: Vec<Uuid> = new.iter().map(|(_, entry)| entry.message.into()).collect();
        let kept = session.execute(KEEP_DIGESTS, &[&application, &digest, &message]).await?;
        Ok(kept == new.len() as u64)
    }

    async fn keep_event_ids(&self, session: &mut Session) -> Result<bool, DatabaseError> {
        let new: Vec<_> = self.event_ids.iter().filter(|(_, entry)| entry.is_new).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let application: Vec<Uuid> = new.iter().map(|((id, _), _)| (*id).into()).collect();
        let event_id: Vec<_> = new.iter().map(|((_, event_id), _)| event_id.as_str()).collect();
        let message: Vec<Uuid> = new.iter().map(|(_, entry)| entry.message.into()).collect();
        let kept = session.execute(KEEP_EVENT_IDS, &[&application, &event_id, &message]).await?;
        Ok(kept == new.len() as u64)
    }
}

pub(super) fn has_key(new: &NewMessage) -> bool {
    new.idempotency.is_some() || new.message.event_id.is_some()
}
