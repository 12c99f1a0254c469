//! Sources, and requests to them that were turned away.

use std::collections::BTreeMap;

use postrider::{ApplicationId, OrganizationId, SourceId, Uid};
use postrider_core::{catalog::Source, message::Rejection};
use rusqlite::params;

use super::{Ledger, damaged, records::refuse};
use crate::{
    MAX_REJECTIONS, StoreError,
    embedded::row::{self, blob},
    rejected,
};

const EXISTS: &str = "SELECT 1 FROM sources WHERE id = ?1";

const UID_TAKEN: &str = "SELECT 1 FROM sources WHERE organization = ?1 AND uid = ?2 AND id <> ?3";

const TOKEN_TAKEN: &str = "SELECT 1 FROM sources WHERE token_digest = ?1 AND id <> ?2";

const SAVE: &str = "INSERT INTO sources (id, organization, application, uid, token_digest, record)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (id) DO UPDATE
    SET organization = excluded.organization, application = excluded.application,
        uid = excluded.uid, token_digest = excluded.token_digest, record = excluded.record";

const REMOVE: &str = "DELETE FROM sources WHERE id = ?1 AND organization = ?2";

pub(in crate::embedded) const REMOVE_OF: &str = "DELETE FROM sources WHERE application = ?1";

pub(in crate::embedded) const FORGET: &str = "DELETE FROM rejections WHERE source = ?1";

pub(in crate::embedded) const FORGET_OF: &str = "DELETE FROM rejections
    WHERE source IN (SELECT id FROM sources WHERE application = ?1)";

const REJECT: &str = "INSERT OR IGNORE INTO rejections (id, source, record) VALUES (?1, ?2, ?3)";

/// Behind the newest, which stay.
pub(in crate::embedded) const FORGET_SURPLUS: &str = "DELETE FROM rejections
    WHERE id IN (
      SELECT id FROM rejections WHERE source = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2
    )";

pub(in crate::embedded) const FORGET_OLD: &str = "DELETE FROM rejections
    WHERE id IN (SELECT id FROM rejections WHERE id < ?1 ORDER BY id LIMIT ?2)";

/// Rejections that one call of [`Ledger::expire`] removes: each can be many pages long.
const STEP: usize = 100;

impl Ledger {
    pub(super) fn save_source(&self, it: &Source, create: bool) -> Result<(), StoreError> {
        let id = blob(it.id.as_u128());
        let organization = it.organization.as_str();
        let uid = it.uid.as_ref().map(Uid::as_str);
        refuse("source", create && self.db.prepare_cached(EXISTS)?.exists([id])?)?;
        let mut taken = self.db.prepare_cached(UID_TAKEN)?;
        refuse("uid", taken.exists(params![organization, uid, id])?)?;
        let mut taken = self.db.prepare_cached(TOKEN_TAKEN)?;
        refuse("token", taken.exists(params![it.token_digest, id])?)?;
        let record = serde_json::to_string(it).map_err(damaged)?;
        let application = blob(it.application.as_u128());
        let values = params![id, organization, application, uid, it.token_digest, record];
        self.db.prepare_cached(SAVE)?.execute(values)?;
        Ok(())
    }

    pub(super) fn remove_source(
        &self,
        organization: &OrganizationId,
        id: SourceId,
    ) -> Result<usize, StoreError> {
        let id = blob(id.as_u128());
        let values = params![id, organization.as_str()];
        let removed = self.db.prepare_cached(REMOVE)?.execute(values)?;
        if removed > 0 {
            self.db.prepare_cached(FORGET)?.execute([id])?;
        }
        Ok(removed)
    }

    pub(super) fn remove_sources_of(&self, application: ApplicationId) -> Result<(), StoreError> {
        let application = blob(application.as_u128());
        self.db.prepare_cached(FORGET_OF)?.execute([application])?;
        self.db.prepare_cached(REMOVE_OF)?.execute([application])?;
        Ok(())
    }

    pub(in crate::embedded) fn reject(
        &mut self,
        rejections: &[Rejection],
    ) -> Result<(), StoreError> {
        let mut sources: BTreeMap<SourceId, Vec<&Rejection>> = BTreeMap::new();
        for it in rejections {
            sources.entry(it.source).or_default().push(it);
        }
        for (source, mut of) in sources {
            if self.db.prepare_cached(EXISTS)?.exists([blob(source.as_u128())])? {
                of.sort_unstable_by_key(|it| it.id);
                let surplus = of.len().saturating_sub(MAX_REJECTIONS);
                self.keep_rejections(source, &of[surplus..])?;
            }
        }
        Ok(())
    }

    fn keep_rejections(&mut self, source: SourceId, of: &[&Rejection]) -> Result<(), StoreError> {
        let source = blob(source.as_u128());
        for it in of {
            let record = rejected::encode(it);
            let values = params![blob(it.id.as_u128()), source, record];
            self.db.prepare_cached(REJECT)?.execute(values)?;
            self.written += record.len();
        }
        self.db.prepare_cached(FORGET_SURPLUS)?.execute(params![source, MAX_REJECTIONS])?;
        Ok(())
    }

    /// Forgets rejections that came before `first_young`; `true` if there may be more.
    pub(super) fn expire_rejections(&self, first_young: u64) -> Result<bool, StoreError> {
        // An id begins with its time, for which it has 48 bits.
        let millis = row::millis(first_young).min((1 << 48) - 1);
        let bound = blob(u128::from(millis) << 80);
        let values = params![bound, STEP];
        Ok(self.db.prepare_cached(FORGET_OLD)?.execute(values)? == STEP)
    }
}
