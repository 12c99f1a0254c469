//! What the parts of the server report to the alerts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider::SourceId;
use postrider_core::{
    alert::{Alert, AlertKind, Finding, Observation, RejectionWindow},
    time::Timestamp,
};
use postrider_store::{DiskSize, StoreSize};

use super::AlertSettings;

/// Most findings that wait to be stored.
const MAX_FINDINGS: usize = 1_000;

/// The measurements of this node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub disk: Option<DiskSize>,
    pub oldest_due: Option<Timestamp>,
}

/// Collects what is reported. It does nothing if alerts are not configured.
#[derive(Debug)]
pub(crate) struct AlertInbox(Option<Enabled>);

#[derive(Debug)]
struct Enabled {
    settings: AlertSettings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    findings: Vec<Finding>,
    rejections: RejectionWindow,
    measured: Measured,
    /// The alerts that are firing and that cannot be stored, as they are about the store.
    own: Vec<Alert>,
}

impl AlertInbox {
    pub(crate) fn new(settings: Option<AlertSettings>) -> Self {
        Self(settings.map(|settings| {
            let conditions = &settings.conditions;
            let rejections =
                RejectionWindow::new(conditions.rejection_window, conditions.rejections);
            let measured = Measured::default();
            let (findings, own) = (Vec::new(), Vec::new());
            let state = Mutex::new(State { findings, rejections, measured, own });
            Enabled { settings, state }
        }))
    }

    pub(super) fn settings(&self) -> Option<&AlertSettings> {
        self.0.as_ref().map(|it| &it.settings)
    }

    /// Reports what has just happened, and will not be observed again.
    pub(crate) fn report(&self, finding: Finding) {
        let Some(enabled) = &self.0 else { return };
        let mut state = enabled.lock();
        if enabled.settings.kinds.contains(&finding.key.kind) && state.findings.len() < MAX_FINDINGS
        {
            state.findings.push(finding);
        }
    }

    /// Reports a request that a source rejected.
    pub(crate) fn note_rejection(&self, source: SourceId, now: Timestamp) {
        let Some(enabled) = &self.0 else { return };
        if enabled.settings.kinds.contains(&AlertKind::SourceRejecting) {
            enabled.lock().rejections.note(source, now);
        }
    }

    /// Reports the measurements of the store.
    pub(crate) fn measured(&self, size: &StoreSize) {
        let Some(enabled) = &self.0 else { return };
        enabled.lock().measured = Measured { disk: size.disk, oldest_due: size.oldest_due };
    }

    /// Replaces the firing alerts that this node keeps itself.
    pub(super) fn keep_own(&self, firing: Vec<Alert>) {
        let Some(enabled) = &self.0 else { return };
        enabled.lock().own = firing;
    }

    /// The firing alerts that this node keeps itself.
    pub(super) fn own(&self) -> Vec<Alert> {
        self.0.as_ref().map(|enabled| enabled.lock().own.clone()).unwrap_or_default()
    }

    /// What was reported since the last call, and the last measurements.
    pub(super) fn take(&self, now: Timestamp) -> (Vec<Observation>, Measured) {
        let Some(enabled) = &self.0 else { return (Vec::new(), Measured::default()) };
        let mut state = enabled.lock();
        let mut observations: Vec<_> =
            std::mem::take(&mut state.findings).into_iter().map(Observation::Holds).collect();
        let rejecting = state.rejections.rejecting(now).into_iter();
        let conditions = &enabled.settings.conditions;
        observations.extend(
            rejecting.map(|(source, end)| Observation::Holds(conditions.rejecting(source, end))),
        );
        (observations, state.measured)
    }
}

impl Enabled {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
