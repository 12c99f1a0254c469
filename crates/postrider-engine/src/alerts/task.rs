//! Observes the conditions of alerts, and sends what is due.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use postrider_core::{
    alert::{AlertKey, AlertKind, Book, Channel, Finding, Observation, Outgoing, Policy},
    catalog::Endpoint,
    time::Timestamp,
};
use postrider_store::{IdOrUid, Records, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::{AlertSender, AlertSettings, SentAlert, book::StoredBook, inbox::Measured};
use crate::{
    certificates::identity,
    clock::Clock,
    components::Components,
    metrics::{AlertLabels, Metrics},
    sender::Sender,
    store_errors::StoreErrors,
};

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(2);

/// Rounds between two times at which disabled endpoints are looked at again.
const ROUNDS_PER_CHECK: u64 = 5;

/// Rounds between two times at which a node without receivers reads the alerts, as long as it knows
/// of none. So a server that sends no alerts hardly loads its store.
const IDLE_ROUNDS: u64 = 30;

/// Endpoints that are looked at in one round.
const CHECKED: usize = 100;

/// Observations that are kept while the store fails.
const MAX_PENDING: usize = 1_000;

/// Observes the conditions of alerts on this node, and sends messages for all nodes.
#[derive(Debug)]
pub struct AlertTask {
    settings: AlertSettings,
    alerts: AlertSender,
    inbox: Arc<super::AlertInbox>,
    deliveries: Arc<dyn Sender>,
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    errors: Arc<StoreErrors>,
    book: StoredBook,
    /// What could not be stored yet.
    pending: Vec<Observation>,
    /// Certificates that this node has reported as expiring.
    expiring: BTreeSet<AlertKey>,
    /// Since when the store has failed, and why.
    failing: Option<(Timestamp, String)>,
    /// The alerts about the store itself.
    own: Book,
    /// Whether the store had alerts when they were read last.
    has_alerts: bool,
}

impl AlertTask {
    /// The task; `None` if the settings have no alerts. Without a sender, alerts are only listed.
    pub(crate) fn new(components: &Components, alerts: Option<AlertSender>) -> Option<Self> {
        let settings = components.alerts.settings()?.clone();
        let alerts = alerts.unwrap_or_else(|| AlertSender {
            sender: Arc::clone(&components.sender),
            targets: Vec::new(),
            node: settings.node.clone(),
            base_url: settings.base_url.clone(),
        });
        let Components { store, clock, metrics, .. } = components;
        for (channel, result) in
            alerts.channels().into_iter().flat_map(|it| [(it, "sent"), (it, "failed")])
        {
            let labels = AlertLabels { channel: channel.name(), result };
            drop(metrics.alerts.get_or_create(&labels));
        }
        Some(Self {
            settings,
            alerts,
            inbox: Arc::clone(&components.alerts),
            deliveries: Arc::clone(&components.sender),
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
            errors: Arc::clone(&components.errors),
            book: StoredBook::new(components),
            pending: Vec::new(),
            expiring: BTreeSet::new(),
            failing: None,
            own: Book::default(),
            has_alerts: true,
        })
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut round = 0;
        while !stop.is_cancelled() {
            let sending = self.round(round);
            // What is being sent when the server stops is sent again by the next one.
            if stop.run_until_cancelled(sending).await.is_none() {
                return;
            }
            round += 1;
            tokio::select! {
                () = stop.cancelled() => {},
                () = tokio::time::sleep(INTERVAL) => {},
            }
        }
    }

    async fn round(&mut self, number: u64) {
        let observed = self.observe().await;
        self.keep(observed);
        if self.is_idle() && !number.is_multiple_of(IDLE_ROUNDS) {
            return;
        }
        if number.is_multiple_of(ROUNDS_PER_CHECK) {
            match self.enabled_again().await {
                Ok(cleared) => self.keep(cleared),
                Err(error) => self.errors.report("alerts", &error),
            }
        }
        match self.store_observations().await {
            Ok(outgoing) => {
                self.failing = None;
                self.send_all(outgoing).await;
            },
            Err(error) => self.note_failure(&error),
        }
        self.tell_of_store().await;
    }

    /// Whether there is nothing to store, to end or to send.
    fn is_idle(&self) -> bool {
        self.alerts.targets.is_empty()
            && self.pending.is_empty()
            && self.failing.is_none()
            && !self.has_alerts
    }

    fn keep(&mut self, observations: Vec<Observation>) {
        let room = MAX_PENDING.saturating_sub(self.pending.len());
        self.pending.extend(observations.into_iter().take(room));
    }

    /// What holds on this node now.
    async fn observe(&mut self) -> Vec<Observation> {
        let now = self.clock.now();
        let (mut observed, measured) = self.inbox.take(now);
        let mut findings = self.measured(measured, now);
        findings.extend(self.client_certificates(now));
        findings.extend(self.server_certificate(now).await);
        let is_certificate = |it: &&Finding| it.key.kind == AlertKind::CertificateExpiring;
        let expiring = findings.iter().filter(is_certificate).map(|it| it.key.clone()).collect();
        let before = std::mem::replace(&mut self.expiring, expiring);
        let gone = before.into_iter().filter(|key| !self.expiring.contains(key));
        observed.extend(gone.map(Observation::Fades));
        findings.retain(|it| self.settings.kinds.contains(&it.key.kind));
        observed.extend(findings.into_iter().map(Observation::Holds));
        observed
    }

    fn measured(&self, measured: Measured, now: Timestamp) -> Vec<Finding> {
        let AlertSettings { conditions, node, .. } = &self.settings;
        let disk = measured.disk.map(|it| (it.free_bytes, it.total_bytes));
        let disk = disk.and_then(|disk| conditions.disk(node, disk, now));
        let age = measured.oldest_due.map(|due| now.since(due)).unwrap_or_default();
        disk.into_iter().chain(conditions.late(age, now)).collect()
    }

    fn client_certificates(&self, now: Timestamp) -> Vec<Finding> {
        let conditions = &self.settings.conditions;
        let expiring = self.deliveries.certificate_expiries(now).into_iter();
        expiring.filter_map(|(id, at)| conditions.client_certificate(id, at, now)).collect()
    }

    async fn server_certificate(&self, now: Timestamp) -> Option<Finding> {
        let AlertSettings { conditions, node, server_certificate, .. } = &self.settings;
        let path = server_certificate.clone()?;
        let not_after = tokio::task::spawn_blocking(move || expiry_of(&path)).await.ok()??;
        conditions.server_certificate(node, not_after, now)
    }

    /// The disabled endpoints that are enabled again or were deleted.
    async fn enabled_again(&self) -> Result<Vec<Observation>, StoreError> {
        let (_, book) = self.book.read().await?;
        let mut cleared = Vec::new();
        for alert in book.holding().take(CHECKED) {
            let Some((application, endpoint)) = alert.endpoint else { continue };
            let key = IdOrUid::Id(endpoint);
            let found = self.store.get::<Endpoint>(&application, &key).await?;
            if found.is_none_or(|it| !it.disabled) {
                cleared.push(Observation::Cleared(alert.key.clone()));
            }
        }
        Ok(cleared)
    }

    /// Stores what was observed, and takes the messages that this node has to send.
    async fn store_observations(&mut self) -> Result<Vec<Outgoing>, StoreError> {
        let now = self.clock.now();
        let (policy, channels) = (self.settings.policy, self.alerts.channels());
        let observed = &self.pending;
        let (outgoing, has_alerts) = self
            .book
            .update(|book| {
                for observation in observed {
                    book.observe(observation.clone(), now);
                }
                let outgoing = take_outgoing(book, &policy, &channels, now);
                (outgoing, book.holding().next().is_some())
            })
            .await?;
        self.has_alerts = has_alerts;
        self.pending.clear();
        Ok(outgoing)
    }

    async fn send_all(&self, outgoing: Vec<Outgoing>) {
        let sent = join_all(outgoing.iter().map(|it| self.send(it))).await;
        if sent.is_empty() {
            return;
        }
        let now = self.clock.now();
        let ended = self.book.update(|book| {
            for (id, is_sent) in &sent {
                note_end(book, *id, *is_sent, now);
            }
        });
        if let Err(error) = ended.await {
            self.errors.report("alerts", &error);
        }
    }

    /// Sends a message; returns its id, and whether it was sent.
    async fn send(&self, outgoing: &Outgoing) -> (u64, bool) {
        let Outgoing { id, channel, notices, .. } = outgoing;
        let sent = self.alerts.send(*channel, notices, self.clock.message_id()).await;
        let SentAlert { address, result, .. } = sent;
        let channel = channel.name();
        let label = if result.is_ok() { "sent" } else { "failed" };
        self.metrics.alerts.get_or_create(&AlertLabels { channel, result: label }).inc();
        match &result {
            Ok(_) => tracing::info!(channel, address, alerts = notices.len(), "alerts were sent"),
            Err(reason) => tracing::warn!(channel, address, reason, "alerts were not sent"),
        }
        (*id, result.is_ok())
    }

    fn note_failure(&mut self, error: &StoreError) {
        self.errors.report("alerts", error);
        let now = self.clock.now();
        self.failing.get_or_insert_with(|| (now, error.to_string()));
    }

    /// Tells that the store fails. That cannot be stored, so each node tells it by itself.
    async fn tell_of_store(&mut self) {
        if !self.settings.kinds.contains(&AlertKind::StoreUnavailable) {
            return;
        }
        let now = self.clock.now();
        let AlertSettings { conditions, node, policy, .. } = &self.settings;
        let observed = if let Some((since, reason)) = &self.failing {
            conditions.unavailable(node, (*since, reason), now).map(Observation::Holds)
        } else {
            let key = AlertKey { kind: AlertKind::StoreUnavailable, subject: node.clone() };
            Some(Observation::Cleared(key))
        };
        if let Some(observed) = observed {
            self.own.observe(observed, now);
        }
        let outgoing = take_outgoing(&mut self.own, policy, &self.alerts.channels(), now);
        self.inbox.keep_own(self.own.firing(now));
        let sent = join_all(outgoing.iter().map(|it| self.send(it))).await;
        let now = self.clock.now();
        for (id, is_sent) in sent {
            note_end(&mut self.own, id, is_sent, now);
        }
    }
}

/// Takes the messages to send. Without a receiver, nothing counts as told: a receiver that is
/// configured later gets all alerts that are firing then.
fn take_outgoing(
    book: &mut Book,
    policy: &Policy,
    channels: &[Channel],
    now: Timestamp,
) -> Vec<Outgoing> {
    if channels.is_empty() {
        book.expire(policy, now);
        return Vec::new();
    }
    let notices = book.take_notices(policy, now);
    book.outbox.put(&notices, channels, now);
    book.outbox.claim(now)
}

fn note_end(book: &mut Book, id: u64, is_sent: bool, now: Timestamp) {
    if !book.outbox.end(id, is_sent, now) {
        tracing::error!("a message about alerts was given up after several attempts");
    }
}

/// When the first certificate of a file expires; `None` if it cannot be read, which the server
/// reports elsewhere.
fn expiry_of(path: &PathBuf) -> Option<Timestamp> {
    Some(identity::facts(&fs::read_to_string(path).ok()?)?.not_after)
}
