//! Requests to sources that were rejected, kept so that their senders can be debugged.

use std::fmt;

use async_trait::async_trait;
use postrider::{OrganizationId, RejectionId, SourceId};
use postrider_core::message::Rejection;

use crate::{
    error::StoreError,
    page::{Scan, ScanPage},
};

/// The maximum number of rejections that are kept per source; the oldest are removed first.
pub const MAX_REJECTIONS: usize = 1_000;

/// Rejections that one call of [`Rejections::rejections_of`] looks at, of all organizations.
pub(crate) const SCANNED: usize = 2_000;

/// Keeps the latest rejected requests of each source.
#[async_trait]
pub trait Rejections: Send + Sync + fmt::Debug + 'static {
    /// Stores rejected requests, at most [`MAX_REJECTIONS`] per source. Rejections of unknown
    /// sources are ignored.
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError>;

    /// Lists the rejections of all sources of an organization.
    async fn rejections_of(
        &self,
        organization: &OrganizationId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError>;

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError>;
}
