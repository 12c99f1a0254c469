//! Messages that may be there already, under another id or their own.

use std::collections::{BTreeMap, HashSet};

use postrider::{ApplicationId, MessageId};
use tokio_postgres::types::Type;

use crate::{
    AppendOutcome, NewMessage, StoreError,
    postgres::{session::Session, value::Uuid},
};

/// What the database knows of a batch's keys, and what the batch adds to it.
#[derive(Default)]
pub(super) struct Known {
    messages: HashSet<MessageId>,
    digests: BTreeMap<(ApplicationId, [u8; 32]), Entry>,
    event_ids: BTreeMap<(ApplicationId, String), Entry>,
}

/// The message that a key stands for, and whether this batch brought the key.
#[derive(Clone, Copy)]
struct Entry {
    message: MessageId,
    is_new: bool,
}

pub(in crate::postgres) const LOOK: &str = "
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

pub(in crate::postgres) const KEEP_DIGESTS: &str = "
INSERT INTO idempotency (application, digest, message)
SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[]) ON CONFLICT DO NOTHING";

pub(in crate::postgres) const KEEP_EVENT_IDS: &str = "
INSERT INTO event_id (application, event_id, message)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[]) ON CONFLICT DO NOTHING";

impl Known {
    /// Asks for the messages and their keys.
    pub(super) async fn look(
        session: &mut Session,
        batch: &[NewMessage],
    ) -> Result<Self, StoreError> {
        let mut known = Self::default();
        let place: Vec<i64> = (0..).take(batch.len()).collect();
        let application: Vec<Uuid> = batch.iter().map(|it| it.message.application.into()).collect();
        let id: Vec<Uuid> = batch.iter().map(|it| it.message.id.into()).collect();
        let digest: Vec<_> =
            batch.iter().map(|it| it.idempotency.as_ref().map(|it| &it[..])).collect();
        let event_id: Vec<_> = batch
            .iter()
            .map(|it| it.message.event_id.as_ref().map(postrider::Uid::as_str))
            .collect();
        let params: [crate::postgres::session::Param<'_>; 5] = [
            (&place, Type::INT8_ARRAY),
            (&application, Type::UUID_ARRAY),
            (&id, Type::UUID_ARRAY),
            (&digest, Type::BYTEA_ARRAY),
            (&event_id, Type::TEXT_ARRAY),
        ];
        for row in session.query(LOOK, &params).await? {
            let place = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            let found = |column: usize| row.get::<_, Option<Uuid>>(column).map(MessageId::from);
            known.note(&batch[place], [found(1), found(2), found(3)]);
        }
        Ok(known)
    }

    fn note(&mut self, new: &NewMessage, [own, by_digest, by_event_id]: [Option<MessageId>; 3]) {
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

    /// What became of the message, one after the other in the order of the batch; `None` if it
    /// is to be inserted.
    pub(super) fn decide(&mut self, new: &NewMessage) -> Option<AppendOutcome> {
        let message = &new.message;
        let digest = new.idempotency.map(|it| (message.application, it));
        if let Some(known) = digest.and_then(|it| self.digests.get(&it)) {
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

    /// Stores the new keys; `false` if another node was faster with one of them.
    pub(super) async fn keep(&self, session: &mut Session) -> Result<bool, StoreError> {
        let new: Vec<_> = self.digests.iter().filter(|(_, entry)| entry.is_new).collect();
        if !new.is_empty() {
            let application: Vec<Uuid> = new.iter().map(|((it, _), _)| (*it).into()).collect();
            let digest: Vec<_> = new.iter().map(|((_, it), _)| &it[..]).collect();
            let message: Vec<Uuid> = new.iter().map(|(_, it)| it.message.into()).collect();
            let params: [crate::postgres::session::Param<'_>; 3] = [
                (&application, Type::UUID_ARRAY),
                (&digest, Type::BYTEA_ARRAY),
                (&message, Type::UUID_ARRAY),
            ];
            if session.execute(KEEP_DIGESTS, &params).await? < count(new.len()) {
                return Ok(false);
            }
        }
        self.keep_event_ids(session).await
    }

    async fn keep_event_ids(&self, session: &mut Session) -> Result<bool, StoreError> {
        let new: Vec<_> = self.event_ids.iter().filter(|(_, entry)| entry.is_new).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let application: Vec<Uuid> = new.iter().map(|((it, _), _)| (*it).into()).collect();
        let event_id: Vec<_> = new.iter().map(|((_, it), _)| it.as_str()).collect();
        let message: Vec<Uuid> = new.iter().map(|(_, it)| it.message.into()).collect();
        let params: [crate::postgres::session::Param<'_>; 3] = [
            (&application, Type::UUID_ARRAY),
            (&event_id, Type::TEXT_ARRAY),
            (&message, Type::UUID_ARRAY),
        ];
        Ok(session.execute(KEEP_EVENT_IDS, &params).await? == count(new.len()))
    }
}

pub(super) fn is_keyed(new: &NewMessage) -> bool {
    new.idempotency.is_some() || new.message.event_id.is_some()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("lengths fit 64 bits")
}
