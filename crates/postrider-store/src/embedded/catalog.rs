//! The catalog contract: which thread does what for each method.

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId, SourceId};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Source},
    time::Timestamp,
};

use super::{readers::Reader, records, sources, store::EmbeddedStore};
use crate::{
    contract::catalog::{Catalog, IdOrUid, Key, Record},
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl Catalog for EmbeddedStore {
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.save(&record, create)).await
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.remove(&key)).await
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        let (organization, named) = (organization.clone(), named.clone());
        self.read(move |it| Ok(records::application(&it.main, &organization, &named)?)).await
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        self.read(move |it| Ok(records::application_by_id(&it.main, id)?)).await
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        let organization = organization.clone();
        self.read(move |it| Ok(records::applications(&it.main, &organization, &scan)?)).await
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        let named = named.clone();
        self.read(move |it| Ok(records::endpoint(&it.main, application, &named)?)).await
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        self.read(move |it| Ok(records::endpoints(&it.main, application, &scan)?)).await
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        self.read(move |it| Ok(records::failing(&it.main, application)?)).await
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        let (organization, name) = (organization.clone(), name.clone());
        self.read(move |it| Ok(records::event_type(&it.main, &organization, &name)?)).await
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        let organization = organization.clone();
        let list = move |it: &mut Reader| {
            Ok(records::event_types(&it.main, &organization, archived, &scan)?)
        };
        self.read(list).await
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        let (organization, named) = (organization.clone(), named.clone());
        self.read(move |it| Ok(sources::source(&it.main, &organization, &named)?)).await
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        self.read(move |it| Ok(sources::source_by_token(&it.main, digest)?)).await
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        let organization = organization.clone();
        self.read(move |it| Ok(sources::sources(&it.main, &organization, &scan)?)).await
    }
}
