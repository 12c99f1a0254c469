//! Determines what a declaration changes, and makes the changes in one transaction.

use std::{collections::BTreeMap, mem};

use postrider::{
    ApplicationId, EventTypeName, SourceId, Uid,
    api::{
        ApplicationIn, EventTypeIn, IngestSourceIn,
        connector::ConnectorIn,
        declaration::{
            ApplyIn, ApplyOut, DEFAULT_SET, Declaration, DeclaredConsumer, DeclaredEndpoint,
            DeclaredKind, FieldChangeOut, MAX_DECLARED, RecordChangeOut,
        },
    },
};
use postrider_core::{
    catalog::{Application, Connector, Consumer, Endpoint, EventType, Source},
    declaration::{FieldChange, Step, plan},
};
use postrider_store::{IdOrUid, Record, Records, StoreError, Version};

use super::{
    batch::{Batch, EndpointEffect},
    document::unmasked,
    names::{Declared, endpoint_name, named, required_uid, within},
    removal,
};
use crate::{
    api::error::ApiError,
    operations::{
        application,
        call::{ApplicationPath, Call},
        connector, consumer,
        endpoint::{
            self,
            declaration::{Context, Parent},
        },
        event_type, source,
    },
};

/// Applies the declaration, unless it is only tried.
pub(super) async fn apply(call: &Call, body: ApplyIn) -> Result<ApplyOut, ApiError> {
    let ApplyIn { set, dry_run, prune, revision, records } = body;
    let set = set.as_deref().unwrap_or(DEFAULT_SET).parse();
    let set: Uid = set.map_err(|error| ApiError::invalid(&["body", "set"], format!("{error}")))?;
    check_count(&records)?;
    let mut applying = Applying::new(call, set);
    applying.add_all(records).await?;
    if prune {
        removal::add(call, &mut applying.batch).await?;
    }
    let batch = applying.batch;
    let steps = plan(&batch.before, &batch.after);
    let found = batch.revision();
    if revision.is_some_and(|expected| expected != found) {
        return Err(changed_meanwhile());
    }
    let changed = steps.iter().filter(|it| batch.after.contains_key(&it.name)).count();
    let out = ApplyOut {
        applied: !dry_run,
        unchanged: batch.after.len() - changed,
        changes: steps.into_iter().map(shown).collect(),
        revision: found,
    };
    if !dry_run {
        commit(call, batch).await?;
    }
    Ok(out)
}

fn check_count(records: &Declaration) -> Result<(), ApiError> {
    let count = records.event_types.len()
        + records.connectors.len()
        + records.applications.len()
        + records.sources.len()
        + records.endpoints.len()
        + records.consumers.len();
    if count <= MAX_DECLARED {
        return Ok(());
    }
    let message = format!("has {count} records; the most is {MAX_DECLARED}; apply several sets");
    Err(ApiError::invalid(&["body", "records"], message))
}

fn changed_meanwhile() -> ApiError {
    ApiError::Conflict {
        code: "changed_meanwhile",
        detail: "the records were changed meanwhile; nothing was applied; try again".to_owned(),
    }
}

fn shown(step: Step) -> RecordChangeOut {
    let field = |FieldChange { field, old, new, is_secret }| FieldChangeOut {
        field,
        old,
        new,
        hidden: is_secret,
    };
    RecordChangeOut {
        action: step.action,
        kind: step.name.kind,
        name: step.name.name,
        fields: step.fields.into_iter().map(field).collect(),
    }
}

/// Makes the changes, and what follows from them.
async fn commit(call: &Call, mut batch: Batch) -> Result<(), ApiError> {
    let mut changes = mem::take(&mut batch.saves);
    changes.append(&mut batch.removals);
    if changes.is_empty() {
        return Ok(());
    }
    call.store().commit(changes).await.map_err(|error| match error {
        StoreError::VersionMismatch { .. } | StoreError::Conflict { .. } => changed_meanwhile(),
        other @ (StoreError::Unavailable(_)
        | StoreError::Full(_)
        | StoreError::Rebuilding(_)
        | StoreError::Corrupt { .. }) => other.into(),
    })?;
    for application in &batch.touched {
        call.engine().changed(*application).await?;
    }
    call.engine().event_types_changed(call.organization());
    call.resources.consumers.notify();
    for EndpointEffect { application, old, new } in &batch.endpoints {
        endpoint::report_declared(call, application, old.as_ref(), new.as_ref()).await;
    }
    Ok(())
}

/// The declared records so far.
struct Applying<'a> {
    call: &'a Call,
    batch: Batch,
    event_types: Vec<EventTypeName>,
    connectors: BTreeMap<Uid, Connector>,
    applications: BTreeMap<Uid, Application>,
    sources: BTreeMap<Uid, (Source, Application)>,
    /// New records of a kind, which count in its limit.
    created: BTreeMap<DeclaredKind, usize>,
    created_endpoints: BTreeMap<ApplicationId, usize>,
    /// New sources of an application that they do not own.
    created_sources: BTreeMap<ApplicationId, usize>,
}

impl<'a> Applying<'a> {
    const fn new(call: &'a Call, set: Uid) -> Self {
        Self {
            call,
            batch: Batch::new(set),
            event_types: Vec::new(),
            connectors: BTreeMap::new(),
            applications: BTreeMap::new(),
            sources: BTreeMap::new(),
            created: BTreeMap::new(),
            created_endpoints: BTreeMap::new(),
            created_sources: BTreeMap::new(),
        }
    }

    async fn add_all(&mut self, records: Declaration) -> Result<(), ApiError> {
        let Declaration { event_types, connectors, applications, sources, endpoints, consumers } =
            records;
        for (index, body) in event_types.into_iter().enumerate() {
            let added = self.add_event_type(body).await;
            added.map_err(|error| within(DeclaredKind::EventType, index, error))?;
        }
        for (index, body) in connectors.into_iter().enumerate() {
            let added = self.add_connector(body).await;
            added.map_err(|error| within(DeclaredKind::Connector, index, error))?;
        }
        for (index, body) in applications.into_iter().enumerate() {
            let added = self.add_application(body).await;
            added.map_err(|error| within(DeclaredKind::Application, index, error))?;
        }
        for (index, body) in sources.into_iter().enumerate() {
            let added = self.add_source(body).await;
            added.map_err(|error| within(DeclaredKind::Source, index, error))?;
        }
        for (index, body) in endpoints.into_iter().enumerate() {
            let added = Box::pin(self.add_endpoint(body)).await;
            added.map_err(|error| within(DeclaredKind::Endpoint, index, error))?;
        }
        for (index, body) in consumers.into_iter().enumerate() {
            let added = self.add_consumer(body).await;
            added.map_err(|error| within(DeclaredKind::Consumer, index, error))?;
        }
        Ok(())
    }

    async fn stored<R: Declared>(
        &self,
        parent: &R::Parent,
        uid: &Uid,
    ) -> Result<Option<(R, Version)>, ApiError> {
        Ok(self.call.store().get_versioned::<R>(parent, &IdOrUid::Uid(uid.clone())).await?)
    }

    /// The number of records of this kind that are created before this one, which may be one.
    fn count_created<R: Declared>(&mut self, old: Option<&(R, Version)>) -> usize {
        let count = self.created.entry(<R as Declared>::KIND).or_default();
        let before = *count;
        *count += usize::from(old.is_none());
        before
    }

    async fn add_event_type(&mut self, body: EventTypeIn) -> Result<(), ApiError> {
        let call = self.call;
        let name: EventTypeName = body
            .name
            .parse()
            .map_err(|error| ApiError::invalid(&["body", "name"], format!("{error}")))?;
        let key = IdOrUid::Id(name.clone());
        let old = call.store().get_versioned::<EventType>(call.organization(), &key).await?;
        let before = old.as_ref().map(|(it, _)| it);
        let mut new = event_type::declaration::declared(call, before, body, &["body"]).await?;
        let documents = (
            before.map(event_type::declaration::document).transpose()?,
            event_type::declaration::document(&new)?,
        );
        if !new.archived {
            self.event_types.push(name.clone());
        }
        let name = named::<EventType>(name.as_str());
        self.batch.put(call, name, (old.as_ref(), &mut new), documents).map(drop)
    }

    async fn add_connector(&mut self, body: ConnectorIn) -> Result<(), ApiError> {
        let call = self.call;
        let uid = required_uid(body.uid.as_deref())?;
        let old = self.stored::<Connector>(call.organization(), &uid).await?;
        let created = self.count_created(old.as_ref());
        let before = old.as_ref().map(|(it, _)| it);
        let mut new = connector::declaration::declared(call, before, body, created).await?;
        let documents = (
            before.map(connector::declaration::document).transpose()?,
            connector::declaration::document(&new)?,
        );
        let name = named::<Connector>(uid.as_str());
        self.batch.put(call, name, (old.as_ref(), &mut new), documents)?;
        self.connectors.insert(uid, new);
        Ok(())
    }

    async fn add_application(&mut self, body: ApplicationIn) -> Result<(), ApiError> {
        let call = self.call;
        let uid = required_uid(body.uid.as_deref())?;
        let old = self.stored::<Application>(call.organization(), &uid).await?;
        let before = old.as_ref().map(|(it, _)| it);
        let mut new = application::declaration::declared(call, before, body, &["body"])?;
        let documents = (
            before.map(application::declaration::document).transpose()?,
            application::declaration::document(&new)?,
        );
        let name = named::<Application>(uid.as_str());
        self.batch.put(call, name, (old.as_ref(), &mut new), documents)?;
        self.applications.insert(uid, new);
        Ok(())
    }

    async fn add_source(&mut self, body: IngestSourceIn) -> Result<(), ApiError> {
        let call = self.call;
        let uid = required_uid(body.uid.as_deref())?;
        let old = self.stored::<Source>(call.organization(), &uid).await?;
        let chosen = match &body.app_id {
            Some(app) => Some(self.application(app, "appId").await?),
            None => None,
        };
        if let Some(chosen) = chosen.as_ref().filter(|_| old.is_none()) {
            let (store, organization) = (call.reader(), call.organization());
            let created = self.created_sources.entry(chosen.id).or_default();
            call.quotas().check_source_count(store, organization, (chosen.id, *created)).await?;
            *created += 1;
        }
        let before = old.as_ref().map(|(it, _)| it);
        let of = chosen.as_ref().and_then(|it| it.uid.as_ref());
        let before_document =
            before.map(|it| source::declaration::document(call, it, of)).transpose()?;
        let body = unmasked(&body, before_document.as_ref(), None)?;
        let chosen_id = chosen.as_ref().map(|it| it.id);
        let mut new = source::declaration::declared(call, before, body, chosen_id)?;
        let documents = (before_document, source::declaration::document(call, &new, of)?);
        if documents.0.as_ref().is_some_and(|it| it.plain == documents.1.plain)
            && let Some(before) = before
        {
            // The same secrets are encrypted again, which is no change.
            new = before.clone();
        }
        let own = source::declaration::own_application(&new);
        if let Some(own) = own.as_ref().filter(|_| before.is_none()) {
            self.batch.saves.push(call.store().batched_save(None, own)?);
        }
        let name = named::<Source>(uid.as_str());
        self.batch.put(call, name, (old.as_ref(), &mut new), documents)?;
        if let Some(application) = own.or(chosen) {
            self.sources.insert(uid, (new, application));
        }
        Ok(())
    }

    async fn add_endpoint(&mut self, body: DeclaredEndpoint) -> Result<(), ApiError> {
        let call = self.call;
        let uid = required_uid(body.endpoint.uid.as_deref())?;
        let (parent, application, source) = self.parent(&body).await?;
        let connector = self.connector_of(&body).await?;
        let old = self.stored::<Endpoint>(&application.id, &uid).await?;
        let before = old.as_ref().map(|(it, _)| it);
        if before.is_none() {
            self.check_room(&application).await?;
        }
        let before_document =
            before.map(|it| endpoint::declaration::document(call, it, &parent)).transpose()?;
        let open = body.disabled.is_none().then_some("disabled");
        let body = unmasked(&body, before_document.as_ref(), open)?;
        let (app_id, source_id) = (IdOrUid::Id(application.id), source.map(IdOrUid::Id));
        let path = match &source_id {
            Some(source) => ApplicationPath::Source(source),
            None => ApplicationPath::Application(&app_id),
        };
        let context = Context {
            application: &application,
            path,
            event_types: &self.event_types,
            receives: self.sources.values().any(|(it, _)| it.application == application.id),
            connector,
        };
        let mut new = endpoint::declaration::declared(call, &context, before, body).await?;
        let documents = (before_document, endpoint::declaration::document(call, &new, &parent)?);
        let name = endpoint_name(&parent, uid.as_str());
        if self.batch.put(call, name, (old.as_ref(), &mut new), documents)? {
            let old = old.map(|(it, _)| it);
            self.batch.endpoints.push(EndpointEffect { application, old, new: Some(new) });
        }
        Ok(())
    }

    async fn add_consumer(&mut self, body: DeclaredConsumer) -> Result<(), ApiError> {
        let call = self.call;
        let uid = required_uid(body.consumer.uid.as_deref())?;
        let old = self.stored::<Consumer>(call.organization(), &uid).await?;
        let created = self.count_created(old.as_ref());
        let before = old.as_ref().map(|(it, _)| it);
        let before_document =
            before.map(|it| consumer::declaration::document(call, it)).transpose()?;
        let open = body.disabled.is_none().then_some("disabled");
        let body = unmasked(&body, before_document.as_ref(), open)?;
        let mut new = consumer::declaration::declared(call, before, body, created).await?;
        let documents = (before_document, consumer::declaration::document(call, &new)?);
        let name = named::<Consumer>(uid.as_str());
        self.batch.put(call, name, (old.as_ref(), &mut new), documents).map(drop)
    }

    /// What the endpoint belongs to, its application, and its source if it has one.
    async fn parent(
        &self,
        body: &DeclaredEndpoint,
    ) -> Result<(Parent, Application, Option<SourceId>), ApiError> {
        match (&body.application, &body.source) {
            (Some(application), None) => {
                let found = self.application(application, "application").await?;
                Ok((Parent::Application(application.clone()), found, None))
            },
            (None, Some(source)) => {
                let (found, application) = self.source(source).await?;
                Ok((Parent::Source(source.clone()), application, Some(found.id)))
            },
            (None, None) | (Some(_), Some(_)) => {
                let message = "must be the uid of an application; or give `source` instead";
                Err(ApiError::invalid(&["body", "application"], message))
            },
        }
    }

    /// The application of this uid, declared or stored.
    async fn application(&self, uid: &str, field: &str) -> Result<Application, ApiError> {
        let missing = || {
            let message = format!("there is no application with the uid {uid}; declare it as well");
            ApiError::invalid(&["body", field], message)
        };
        let uid: Uid = uid.parse().map_err(|_| missing())?;
        if let Some(found) = self.applications.get(&uid) {
            return Ok(found.clone());
        }
        let found = self.stored::<Application>(self.call.organization(), &uid).await?;
        found.map(|(it, _)| it).ok_or_else(missing)
    }

    /// The source of this uid, declared or stored, and its application.
    async fn source(&self, uid: &str) -> Result<(Source, Application), ApiError> {
        let missing = || {
            let message = format!("there is no source with the uid {uid}; declare it as well");
            ApiError::invalid(&["body", "source"], message)
        };
        let uid: Uid = uid.parse().map_err(|_| missing())?;
        if let Some(found) = self.sources.get(&uid) {
            return Ok(found.clone());
        }
        let found = self.stored::<Source>(self.call.organization(), &uid).await?;
        let (source, _) = found.ok_or_else(missing)?;
        let application = self.call.store().find::<Application>(source.application).await?;
        Ok((source, application.ok_or_else(missing)?))
    }

    /// The connector whose code the endpoint gets.
    async fn connector_of(
        &self,
        body: &DeclaredEndpoint,
    ) -> Result<Option<(postrider::ConnectorId, String)>, ApiError> {
        let transformation = body.transformation.as_ref();
        let Some(named) = transformation.and_then(|it| it.connector.as_ref()) else {
            return Ok(None);
        };
        let place = ["body", "transformation", "connector"];
        if transformation.is_some_and(|it| it.code.is_some()) {
            return Err(ApiError::invalid(&place, "cannot be given beside `code`"));
        }
        let missing = || {
            let message = format!("there is no connector with the uid {named}; declare it as well");
            ApiError::invalid(&place, message)
        };
        let uid: Uid = named.parse().map_err(|_| missing())?;
        let found = if let Some(found) = self.connectors.get(&uid) {
            found.clone()
        } else {
            let found = self.stored::<Connector>(self.call.organization(), &uid).await?;
            found.map(|(it, _)| it).ok_or_else(missing)?
        };
        Ok(Some((Record::id(&found), found.transformation)))
    }

    /// Refuses one more endpoint of an application that has as many as it may.
    async fn check_room(&mut self, application: &Application) -> Result<(), ApiError> {
        let call = self.call;
        let entry = call.engine().directory().entry(application.id).await?;
        let created = self.created_endpoints.entry(application.id).or_default();
        *created += 1;
        let count = entry.map_or(0, |it| it.endpoints.len()) + *created;
        call.quotas().check_endpoint_total(count)?;
        let settings = call.engine().organization_settings(call.organization()).await?;
        let Some(limit) = settings.endpoints_per_app_limit else { return Ok(()) };
        if u32::try_from(count).is_ok_and(|count| count <= limit) {
            return Ok(());
        }
        let message = format!(
            "the application would have {count} endpoints; the most is {limit} (setting \
             `endpointsPerAppLimit`)"
        );
        Err(ApiError::invalid(&["body"], message))
    }
}
