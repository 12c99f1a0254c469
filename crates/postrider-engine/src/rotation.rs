//! Encrypts stored secrets with the current main secret, in the background: after the main secret
//! was changed, and after an upgrade from a version that stored some of them in plaintext.
//!
//! A walk over all values replaces those that are outdated, a page at a time. It is followed by
//! another one until a walk finds nothing outdated; then the older main secrets can be removed.
//! Nothing has to be remembered in between: a process that ends early begins again.

mod reseal;

use std::{sync::Arc, time::Duration};

use postrider_core::{time::Timestamp, vault::Vault};
use postrider_store::{RewritePosition, Store, StoreError};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::reseal::Reseal;
pub use self::reseal::SecretCounts;
use crate::{clock::Clock, components::Components, metrics::Metrics, store_errors::StoreErrors};

/// Values of one page.
const PAGE: usize = 200;

/// Longest pause between two pages. A pause takes as long as the page before it, so that a walk
/// leaves half of the store's time to others.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Pause after a failed page, and between two walks that change something.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Shortest time between two walks that change nothing. While older main secrets are configured,
/// other nodes may still encrypt with them.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// Walks that only check take at most this part of the time.
const CHECK_FRACTION: u32 = 20;

/// The state of the rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RotationStatus {
    /// Nothing was outdated when everything was looked at last. Also true if there is no reason to
    /// look.
    pub is_complete: bool,
    /// What the last complete walk found; none before the first one.
    pub found: Option<SecretCounts>,
    /// When that walk ended.
    pub checked_at: Option<Timestamp>,
    /// The installation has noted that the older main secrets are no longer needed, or there are
    /// none.
    pub is_recorded: bool,
}

/// The state of the rotation, as others see it.
#[derive(Clone, Debug)]
pub struct Rotation(watch::Sender<RotationStatus>);

impl Rotation {
    pub fn status(&self) -> RotationStatus {
        self.0.borrow().clone()
    }

    /// Waits until a walk has found nothing outdated.
    pub async fn completed(&self) {
        let mut status = self.0.subscribe();
        let is_checked = |it: &RotationStatus| it.is_complete && it.checked_at.is_some();
        status.wait_for(is_checked).await.expect("this is a sender itself");
    }

    /// Notes that the installation knows that the older main secrets are no longer needed.
    pub fn set_recorded(&self) {
        self.0.send_modify(|status| status.is_recorded = true);
    }
}

/// Carries out the rotation.
#[derive(Debug)]
pub struct RotationTask {
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    errors: Arc<StoreErrors>,
    status: watch::Sender<RotationStatus>,
    has_plaintext: bool,
}

impl RotationTask {
    pub(crate) fn new(components: &Components, vault: &Vault) -> (Self, Rotation) {
        let is_complete = vault.fingerprints().len() == 1;
        let status = watch::Sender::new(RotationStatus {
            is_complete,
            is_recorded: is_complete,
            ..RotationStatus::default()
        });
        let task = Self {
            store: Arc::clone(&components.store),
            vault: vault.clone(),
            clock: Arc::clone(&components.clock),
            metrics: Arc::clone(&components.metrics),
            errors: Arc::clone(&components.errors),
            status: status.clone(),
            has_plaintext: false,
        };
        (task, Rotation(status))
    }

    /// Looks at all values even if there is only one main secret, because an older version stored
    /// some of them in plaintext.
    pub fn expect_plaintext(&mut self) {
        self.has_plaintext = true;
        self.status.send_modify(|status| {
            status.is_complete = false;
            status.is_recorded = false;
        });
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let is_needed = self.has_plaintext || self.has_older();
        self.metrics.rotation_pending.set(i64::from(is_needed));
        tokio::select! {
            () = stop.cancelled() => {},
            () = self.rotate(), if is_needed => stop.cancelled().await,
        }
    }

    fn has_older(&self) -> bool {
        self.vault.fingerprints().len() > 1
    }

    /// Walks until nothing is outdated, and from then on as long as older main secrets exist.
    async fn rotate(&self) {
        loop {
            let began_at = Instant::now();
            let pause = match self.walk().await {
                Ok(found) if found.outdated() > 0 => {
                    tracing::info!(
                        count = found.outdated(),
                        "encrypted stored secrets with the current `main_secret`"
                    );
                    RETRY_PAUSE
                },
                Ok(_) if !self.has_older() => return,
                Ok(_) => CHECK_INTERVAL.max(began_at.elapsed() * CHECK_FRACTION),
                Err(error) => {
                    self.errors.report("rewrite", &error);
                    RETRY_PAUSE
                },
            };
            sleep(pause).await;
        }
    }

    /// Shows everything to a new [`Reseal`], and publishes what it found.
    async fn walk(&self) -> Result<SecretCounts, StoreError> {
        let mut random = [0; _];
        self.clock.random(&mut random);
        let reseal = Arc::new(Reseal::new(self.vault.clone(), random));
        let mut position = Some(RewritePosition::default());
        while let Some(at) = position {
            let began_at = Instant::now();
            let page = self.store.rewrite(at, PAGE, Arc::clone(&reseal) as _).await?;
            position = page.next;
            sleep(began_at.elapsed().min(MAX_PAUSE)).await;
        }
        let found = reseal.counts();
        let is_complete = found.outdated() == 0;
        if is_complete {
            // Also those that a process replaced which then was killed.
            self.store.forget_replaced().await?;
        }
        self.metrics.rotation_pending.set(i64::from(!is_complete));
        self.metrics.outdated_secrets.set(found.outdated().try_into().unwrap_or(i64::MAX));
        self.status.send_modify(|status| {
            status.is_complete = is_complete;
            status.found = Some(found.clone());
            status.checked_at = Some(self.clock.now());
        });
        Ok(found)
    }
}
