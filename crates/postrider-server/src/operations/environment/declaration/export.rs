//! Exports the records of an organization as they can be declared.

use postrider::{
    ApplicationId, OrganizationId, SourceId, Uid,
    api::{EndpointKind, declaration::DeclarationOut},
};
use postrider_core::{
    catalog::{Application, Connector, Consumer, Endpoint, EventType, Source},
    declaration::Document,
};
use postrider_store::{LIST_BYTES, Record, Records, Scan, Version, Weight};
use serde_json::{Map, Value};

use crate::{
    api::error::ApiError,
    operations::{
        application,
        call::Call,
        connector, consumer,
        endpoint::{self, declaration::Parent},
        event_type, source,
    },
    settings::SizeLimit,
};

/// Records that are read in one call.
const PAGE: usize = 250;

/// Records with their versions.
type Versioned<R> = Vec<(R, Version)>;

/// Applications with what belongs to them, and consumers.
pub(super) struct Stored {
    pub applications: Versioned<Application>,
    pub sources: Versioned<Source>,
    pub endpoints: Versioned<Endpoint>,
    pub consumers: Versioned<Consumer>,
}

impl Stored {
    pub(super) async fn read(call: &Call) -> Result<Self, ApiError> {
        let mut reading = Reading::new(call)?;
        let organization = call.organization();
        let applications = reading.all::<Application>(organization).await?;
        let mut endpoints = Vec::new();
        for (application, _) in &applications {
            endpoints.extend(reading.all::<Endpoint>(&application.id).await?);
        }
        let sources = reading.all::<Source>(organization).await?;
        let consumers = reading.all::<Consumer>(organization).await?;
        Ok(Self { applications, sources, endpoints, consumers })
    }

    pub(super) fn application(&self, id: ApplicationId) -> Option<&Application> {
        self.applications.iter().map(|(it, _)| it).find(|it| it.id == id)
    }

    pub(super) fn uid_of(&self, application: ApplicationId) -> Option<&Uid> {
        self.application(application).and_then(|it| it.uid.as_ref())
    }

    /// The names by which the owner of an endpoint can be declared.
    pub(super) fn parents(&self, application: ApplicationId) -> Vec<Parent> {
        let own = self.application(application).filter(|it| !is_internal(it));
        let own = own.and_then(|it| it.uid.as_ref()).map(|it| Parent::Application(it.to_string()));
        let sources = self.sources.iter().map(|(it, _)| it);
        let sources = sources.filter(|it| it.application == application);
        let sources =
            sources.filter_map(|it| it.uid.as_ref()).map(|it| Parent::Source(it.to_string()));
        own.into_iter().chain(sources).collect()
    }
}

/// Whether the server created the application, for a source or for the organization.
fn is_internal(application: &Application) -> bool {
    let is_of_source = |uid: &Uid| uid.as_str().parse::<SourceId>().is_ok();
    application.settings.is_some() || application.uid.as_ref().is_some_and(is_of_source)
}

/// All records of a kind, with hidden ones.
pub(super) async fn every<R: Record<Parent = OrganizationId>>(
    call: &Call,
) -> Result<Versioned<R>, ApiError> {
    Reading::new(call)?.all::<R>(call.organization()).await
}

/// Reads records, as many as fit into memory that is reserved for them.
struct Reading<'a> {
    call: &'a Call,
    reserved: crate::http::memory::Reservation,
    limit: SizeLimit,
    bytes: usize,
}

impl<'a> Reading<'a> {
    fn new(call: &'a Call) -> Result<Self, ApiError> {
        let bytes = call.settings().limits.batch_bytes;
        Ok(Self {
            call,
            reserved: call.resources.memory.reserve(call.principal.holder, 0)?,
            limit: SizeLimit { bytes, setting: "limits.batch_request" },
            bytes: 0,
        })
    }

    async fn all<R: Record>(&mut self, parent: &R::Parent) -> Result<Versioned<R>, ApiError> {
        let mut records = Vec::new();
        let mut scan = Scan { after: None, ascending: true, limit: PAGE };
        loop {
            self.reserved.grow_to(self.bytes + LIST_BYTES)?;
            let found = self.call.store().list_versioned::<R>(parent, scan.clone()).await?;
            self.bytes += found.items.iter().map(Weight::weight).sum::<usize>();
            records.extend(found.items);
            if self.bytes > self.limit.bytes {
                return Err(ApiError::TooLarge { what: "export", limit: self.limit });
            }
            let Some(after) = found.resume else { return Ok(records) };
            scan.after = Some(after);
        }
    }
}

/// The records, with secrets or with masks.
pub(super) async fn export(call: &Call, with_secrets: bool) -> Result<DeclarationOut, ApiError> {
    let stored = Stored::read(call).await?;
    let mut export = Export { with_secrets, out: DeclarationOut::default() };
    for (event_type, _) in every::<EventType>(call).await? {
        let fields = export.fields(event_type::declaration::document(&event_type)?);
        export.out.event_types.push(fields);
    }
    for (connector, _) in every::<Connector>(call).await? {
        if export.has_uid("connector", connector.id, connector.uid.as_ref()) {
            let fields = export.fields(connector::declaration::document(&connector)?);
            export.out.connectors.push(fields);
        }
    }
    export.applications(&stored)?;
    export.sources(call, &stored)?;
    export.endpoints(call, &stored)?;
    for (consumer, _) in &stored.consumers {
        if export.has_uid("consumer", consumer.id, consumer.uid.as_ref()) {
            let fields = export.fields(consumer::declaration::document(call, consumer)?);
            export.out.consumers.push(fields);
        }
    }
    Ok(export.out)
}

/// The records so far.
struct Export {
    with_secrets: bool,
    out: DeclarationOut,
}

impl Export {
    fn fields(&self, document: Document) -> Map<String, Value> {
        let value = if self.with_secrets { document.plain } else { document.masked };
        match value {
            Value::Object(fields) => fields,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        }
    }

    fn has_uid(&mut self, kind: &str, id: impl std::fmt::Display, uid: Option<&Uid>) -> bool {
        if uid.is_none() {
            self.out.skipped.push(format!("{kind} {id}: it has no uid"));
        }
        uid.is_some()
    }

    fn applications(&mut self, stored: &Stored) -> Result<(), ApiError> {
        for (application, _) in stored.applications.iter().filter(|(it, _)| !is_internal(it)) {
            if self.has_uid("application", application.id, application.uid.as_ref()) {
                let fields = self.fields(application::declaration::document(application)?);
                self.out.applications.push(fields);
            }
        }
        Ok(())
    }

    fn sources(&mut self, call: &Call, stored: &Stored) -> Result<(), ApiError> {
        for (source, _) in &stored.sources {
            if self.has_uid("source", source.id, source.uid.as_ref()) {
                let of = stored.uid_of(source.application).filter(|_| !source.owns_application);
                let fields = self.fields(source::declaration::document(call, source, of)?);
                self.out.sources.push(fields);
            }
        }
        Ok(())
    }

    fn endpoints(&mut self, call: &Call, stored: &Stored) -> Result<(), ApiError> {
        for (endpoint, _) in &stored.endpoints {
            let parents = stored.parents(endpoint.application);
            if endpoint.kind == EndpointKind::Command {
                let reason = "its kind is defined in the configuration file of the server";
                self.out.skipped.push(format!("endpoint {}: {reason}", endpoint.id));
            } else if let Some(parent) = parents.first() {
                if self.has_uid("endpoint", endpoint.id, endpoint.uid.as_ref()) {
                    let document = endpoint::declaration::document(call, endpoint, parent)?;
                    let fields = self.fields(document);
                    self.out.endpoints.push(fields);
                }
            } else {
                let reason = "what it belongs to has no uid";
                self.out.skipped.push(format!("endpoint {}: {reason}", endpoint.id));
            }
        }
        Ok(())
    }
}
