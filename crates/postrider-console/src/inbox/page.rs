//! What the page of the inbox needs to be rendered.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::ring::Ring;
use crate::{settings::Welcome, standalone::Standalone};

/// What the page is made of.
pub(crate) struct InboxPage {
    pub(crate) common: Standalone,
    pub(crate) welcome: Welcome,
    pub(crate) has_console: bool,
    pub(super) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(super) ring: Arc<Ring>,
    pub(super) stop: CancellationToken,
}
