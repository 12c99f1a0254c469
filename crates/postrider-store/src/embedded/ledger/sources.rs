//! Keeping rejections.

use std::collections::BTreeMap;

use postrider::SourceId;
use postrider_core::message::Rejection;
use rusqlite::params;

use super::Ledger;
use crate::{
    MAX_REJECTIONS, StoreError,
    embedded::row::{self, blob},
    rejected,
};

const EXISTS: &str = "SELECT 1 FROM sources WHERE id = ?1";

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
