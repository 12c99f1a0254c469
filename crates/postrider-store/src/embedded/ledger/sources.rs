//! Writing sources.

use postrider::{ApplicationId, OrganizationId, SourceId, Uid};
use postrider_core::catalog::Source;
use rusqlite::params;

use super::{Ledger, records::refuse};
use crate::{
    embedded::{error, row::blob},
    error::StoreError,
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

impl Ledger {
    pub(in crate::embedded) fn save_source(
        &self,
        it: &Source,
        create: bool,
    ) -> Result<(), StoreError> {
        let id = blob(it.id.as_u128());
        let organization = it.organization.as_str();
        let uid = it.uid.as_ref().map(Uid::as_str);
        refuse("source", create && self.db.prepare_cached(EXISTS)?.exists([id])?)?;
        let mut taken = self.db.prepare_cached(UID_TAKEN)?;
        refuse("uid", taken.exists(params![organization, uid, id])?)?;
        let mut taken = self.db.prepare_cached(TOKEN_TAKEN)?;
        refuse("token", taken.exists(params![it.token_digest, id])?)?;
        let record = serde_json::to_string(it).map_err(error::undecodable)?;
        let application = blob(it.application.as_u128());
        let values = params![id, organization, application, uid, it.token_digest, record];
        self.db.prepare_cached(SAVE)?.execute(values)?;
        Ok(())
    }

    pub(super) fn remove_source(
        &self,
        organization: &OrganizationId,
        source: SourceId,
    ) -> Result<usize, StoreError> {
        let values = params![blob(source.as_u128()), organization.as_str()];
        let removed = self.db.prepare_cached(REMOVE)?.execute(values)?;
        if removed > 0 {
            self.remove_rejections(source)?;
        }
        Ok(removed)
    }

    pub(super) fn remove_sources_of(&self, application: ApplicationId) -> Result<(), StoreError> {
        self.remove_rejections_of(application)?;
        self.db.prepare_cached(REMOVE_OF)?.execute([blob(application.as_u128())])?;
        Ok(())
    }
}
