//! What users configure, and idempotency keys.

use postrider::{
    ApplicationId, EndpointId, EventTypeName, OrganizationId, RejectionId, SourceId, Uid,
};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Source},
    message::Rejection,
    time::Timestamp,
};

use super::{Reserved, State, reading::walk};
use crate::{
    IdOrUid, Key, KeyReservation, MAX_REJECTIONS, Record, Rewrite, Scan, ScanPage, Scope,
    StoreError,
};

impl State {
    pub(super) fn save(&mut self, record: Record, create: bool) -> Result<(), StoreError> {
        match record {
            Record::Application(application) => {
                let taken = self
                    .applications
                    .values()
                    .filter(|it| it.organization == application.organization)
                    .any(|it| {
                        it.id != application.id
                            && same_uid(it.uid.as_ref(), application.uid.as_ref())
                    });
                let exists = self.applications.contains_key(&application.id);
                refuse("application", create && exists)?;
                refuse("uid", taken)?;
                self.applications.insert(application.id, application);
            },
            Record::Endpoint(endpoint) => {
                let taken = self
                    .endpoints
                    .values()
                    .filter(|it| it.application == endpoint.application)
                    .any(|it| {
                        it.id != endpoint.id && same_uid(it.uid.as_ref(), endpoint.uid.as_ref())
                    });
                refuse("endpoint", create && self.endpoints.contains_key(&endpoint.id))?;
                refuse("uid", taken)?;
                if endpoint.disabled {
                    self.failing.remove(&endpoint.id);
                }
                self.endpoints.insert(endpoint.id, endpoint);
            },
            Record::EventType(event_type) => {
                let key = (event_type.organization.clone(), event_type.name.clone());
                refuse("event type", create && self.event_types.contains_key(&key))?;
                self.event_types.insert(key, event_type);
            },
            Record::Source(source) => {
                let others = || self.sources.values().filter(|it| it.id != source.id);
                let same_uid = |it: &Source| {
                    it.organization == source.organization
                        && same_uid(it.uid.as_ref(), source.uid.as_ref())
                };
                refuse("source", create && self.sources.contains_key(&source.id))?;
                refuse("uid", others().any(same_uid))?;
                refuse("token", others().any(|it| it.token_digest == source.token_digest))?;
                self.sources.insert(source.id, *source);
            },
        }
        Ok(())
    }

    pub(super) fn rewrite(&mut self, rewrite: &dyn Rewrite) -> u64 {
        let mut count = 0;
        for it in self.endpoints.values_mut() {
            count += replace(it, rewrite.endpoint(it));
        }
        for it in self.sources.values_mut() {
            count += replace(it, rewrite.source(it));
        }
        for (key, reserved) in &mut self.reservations {
            if let Some((answer, _)) = &mut reserved.answer {
                count += replace(answer, rewrite.response(*key, answer));
            }
        }
        count
    }

    pub(super) fn remove(&mut self, key: &Key) -> bool {
        match key {
            Key::Application(id) => {
                self.cancel(Scope::Application(*id));
                let Self { endpoints, failing, .. } = self;
                endpoints.retain(|_, it| it.application != *id);
                failing.retain(|endpoint, _| endpoints.contains_key(endpoint));
                let Self { sources, rejections, .. } = self;
                sources.retain(|_, it| it.application != *id);
                rejections.retain(|(source, _), _| sources.contains_key(source));
                self.erasures.insert(*id, Timestamp::from_millis(0));
                self.applications.remove(id).is_some()
            },
            Key::Endpoint(application, id) => {
                self.cancel(Scope::Endpoint(*application, *id));
                self.failing.remove(id);
                self.endpoints.remove(id).is_some()
            },
            Key::EventType(organization, name) => {
                self.event_types.remove(&(organization.clone(), name.clone())).is_some()
            },
            Key::Source(organization, id) => {
                let found = self.source(organization, &IdOrUid::Id(*id)).is_some();
                if found {
                    self.sources.remove(id);
                    self.rejections.retain(|(source, _), _| source != id);
                }
                found
            },
        }
    }

    pub(super) fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Option<Application> {
        let found = match named {
            IdOrUid::Id(id) => self.applications.get(id),
            IdOrUid::Uid(uid) => self
                .applications
                .values()
                .find(|it| it.organization == *organization && it.uid.as_ref() == Some(uid)),
        };
        found.filter(|it| it.organization == *organization).cloned()
    }

    pub(super) fn list_applications(
        &self,
        organization: &OrganizationId,
        scan: &Scan<ApplicationId>,
    ) -> ScanPage<Application, ApplicationId> {
        let all = self.applications.values().filter(|it| it.organization == *organization);
        walk(all.map(|it| (it.id, it.clone())), scan)
    }

    pub(super) fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Option<Endpoint> {
        let found = match named {
            IdOrUid::Id(id) => self.endpoints.get(id),
            IdOrUid::Uid(uid) => self
                .endpoints
                .values()
                .find(|it| it.application == application && it.uid.as_ref() == Some(uid)),
        };
        found.filter(|it| it.application == application).cloned()
    }

    pub(super) fn list_endpoints(
        &self,
        application: ApplicationId,
        scan: &Scan<EndpointId>,
    ) -> ScanPage<Endpoint, EndpointId> {
        let all = self.endpoints.values().filter(|it| it.application == application);
        walk(all.map(|it| (it.id, it.clone())), scan)
    }

    pub(super) fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Option<Source> {
        let mut own = self.sources.values().filter(|it| it.organization == *organization);
        match named {
            IdOrUid::Id(id) => own.find(|it| it.id == *id).cloned(),
            IdOrUid::Uid(uid) => own.find(|it| it.uid.as_ref() == Some(uid)).cloned(),
        }
    }

    pub(super) fn source_by_token(&self, digest: [u8; 32]) -> Option<Source> {
        self.sources.values().find(|it| it.token_digest == digest).cloned()
    }

    pub(super) fn list_sources(
        &self,
        organization: &OrganizationId,
        scan: &Scan<SourceId>,
    ) -> ScanPage<Source, SourceId> {
        let all = self.sources.values().filter(|it| it.organization == *organization);
        walk(all.map(|it| (it.id, it.clone())), scan)
    }

    pub(super) fn reject(&mut self, rejection: Rejection) {
        let source = rejection.source;
        if !self.sources.contains_key(&source) {
            return;
        }
        self.rejections.entry((source, rejection.id)).or_insert(rejection);
        let ids: Vec<_> = self.rejections.keys().filter(|(of, _)| *of == source).copied().collect();
        let surplus = ids.len().saturating_sub(MAX_REJECTIONS);
        for key in ids.into_iter().take(surplus) {
            self.rejections.remove(&key);
        }
    }

    pub(super) fn list_rejections(
        &self,
        source: SourceId,
        scan: &Scan<RejectionId>,
    ) -> ScanPage<Rejection, RejectionId> {
        let all = self.rejections.iter().filter(|((of, _), _)| *of == source);
        walk(all.map(|((_, id), it)| (*id, it.clone())), scan)
    }

    pub(super) fn failing(&self, application: ApplicationId) -> Vec<(EndpointId, Timestamp)> {
        let of = |id: &EndpointId| self.endpoints.get(id).map(|it| it.application);
        self.failing
            .iter()
            .filter(|(id, _)| of(id) == Some(application))
            .map(|(&id, &since)| (id, since))
            .collect()
    }

    pub(super) fn note_failing(&mut self, endpoint: EndpointId, since: Option<Timestamp>) {
        match since.filter(|_| self.endpoints.contains_key(&endpoint)) {
            Some(since) => self.failing.insert(endpoint, since),
            None => self.failing.remove(&endpoint),
        };
    }

    pub(super) fn list_event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: &Scan<EventTypeName>,
    ) -> ScanPage<EventType, EventTypeName> {
        let all = self
            .event_types
            .values()
            .filter(|it| it.organization == *organization && (archived || !it.archived));
        walk(all.map(|it| (it.name.clone(), it.clone())), scan)
    }

    pub(super) fn reserve(&mut self, key: [u8; 32], fingerprint: [u8; 32]) -> KeyReservation {
        match self.reservations.get_mut(&key) {
            None => {
                self.reservations.insert(key, Reserved { fingerprint, answer: None });
                KeyReservation::Acquired
            },
            Some(known @ Reserved { answer: None, .. }) => {
                known.fingerprint = fingerprint;
                KeyReservation::InProgress
            },
            Some(known) if known.fingerprint != fingerprint => KeyReservation::FingerprintMismatch,
            Some(Reserved { answer: Some((answer, _)), .. }) => {
                KeyReservation::Completed(answer.clone())
            },
        }
    }

    pub(super) fn answer(&mut self, key: [u8; 32], response: Option<Vec<u8>>, now: Timestamp) {
        let Some(reserved) = self.reservations.get_mut(&key) else { return };
        match response {
            // An answer that was given stays.
            _ if reserved.answer.is_some() => {},
            Some(response) => reserved.answer = Some((response, now)),
            None => drop(self.reservations.remove(&key)),
        }
    }
}

fn replace<T>(it: &mut T, new: Option<T>) -> u64 {
    let Some(new) = new else { return 0 };
    *it = new;
    1
}

fn same_uid(a: Option<&Uid>, b: Option<&Uid>) -> bool {
    a.is_some() && a == b
}

const fn refuse(what: &'static str, taken: bool) -> Result<(), StoreError> {
    if taken { Err(StoreError::Conflict { what }) } else { Ok(()) }
}
