//! Refusing new messages when the disk is full or nearly full.

use super::Ledger;
use crate::error::StoreError;

/// As much as a common message.
const PROBE: &str = "INSERT INTO reservations (key, fingerprint, response, answered_at)
    VALUES (x'00', x'', zeroblob(65536), 0)";

impl Ledger {
    /// An error if there is no space for new messages.
    pub(in crate::embedded) fn require_space(&mut self) -> Result<(), StoreError> {
        self.disk.require(&self.db)
    }

    /// An error if new messages are refused. After a write was refused, tries one that is rolled
    /// back, since a quota or a reserved part of the disk can refuse writes while the system
    /// still reports free space.
    pub(in crate::embedded) fn check_writable(&mut self) -> Result<(), StoreError> {
        self.disk.check(&self.db)?;
        if !self.disk.is_refused() {
            return Ok(());
        }
        let probed = self.attempt(|ledger| {
            ledger.db.prepare_cached(PROBE)?.execute([])?;
            // Any error rolls the probe back; this one is not returned.
            Err::<(), _>(StoreError::Conflict { what: "probe" })
        });
        if let Err(error @ StoreError::Full(_)) = probed {
            return Err(error);
        }
        self.disk.note_refused(false);
        Ok(())
    }

    pub(super) fn note_refused(&mut self, error: &StoreError) {
        self.sync.note_refused(error);
        if matches!(error, StoreError::Full(_)) {
            self.disk.note_refused(true);
        }
    }

    /// Whether truncating the log may free space now.
    pub(in crate::embedded) const fn take_truncation(&mut self) -> bool {
        self.disk.take_truncation()
    }
}
