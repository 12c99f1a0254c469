//! Checks payloads against the schemas of their event types.
//!
//! A schema is compiled when it is needed first, and kept until its event type changes.

mod inspect;
mod report;

use std::sync::Arc;

use postrider::{EventTypeName, OrganizationId};
use postrider_core::{
    catalog::EventType,
    json_schema::{self, CompiledSchema, PayloadProblem, SchemaCheck},
};
use postrider_engine::{BySize, Cache, Engine, SizeInMemory};
use postrider_store::{IdOrUid, Records};
use serde_json::{Map, Value};

pub(crate) use self::{inspect::IncomingPayload, report::Reports};
use crate::{
    api::error::ApiError,
    metrics::{SchemaLabels, SchemaMetrics, SchemaResult},
    offload::{self, Offload},
};

/// Memory for compiled schemas. Those that were not used for the longest time are compiled again.
const CACHE_BYTES: usize = 64 << 20;

/// Schemas that the cache is prepared for.
const CACHE_COUNT: usize = 2_000;

/// About how many bytes a compiled schema takes for each byte of its text.
const GROWTH: usize = 16;

type Key = (OrganizationId, EventTypeName);

/// The newest schema of an event type.
#[derive(Debug)]
pub(crate) struct NewestSchema {
    /// [`Engine::catalog_generation`] before it was read.
    generation: u64,
    size_bytes: usize,
    text: Option<String>,
    pub(crate) version: Option<String>,
    compiled: Result<Option<Arc<CompiledSchema>>, String>,
}

impl NewestSchema {
    /// Why payloads cannot be checked.
    pub(crate) fn error(&self) -> Option<&str> {
        self.compiled.as_ref().err().map(String::as_str)
    }
}

#[derive(Clone, Debug)]
struct Cached(Arc<NewestSchema>);

impl SizeInMemory for Cached {
    fn size_bytes(&self) -> usize {
        self.0.size_bytes
    }
}

/// Checks payloads.
#[derive(Debug)]
pub(crate) struct Schemas {
    cache: Cache<Key, Cached, BySize>,
    offload: Offload,
    pub(crate) reports: Reports,
    metrics: SchemaMetrics,
}

impl Schemas {
    pub(crate) fn new(metrics: SchemaMetrics, reports: Reports) -> Self {
        Self {
            cache: Cache::of_bytes(CACHE_BYTES, CACHE_COUNT),
            offload: Offload::default(),
            reports,
            metrics,
        }
    }

    /// The newest schema of the event type, as of its last change that this node knows of.
    pub(crate) async fn newest(
        &self,
        engine: &Engine,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Arc<NewestSchema>, ApiError> {
        let key = (organization.clone(), name.clone());
        let generation = engine.catalog_generation(organization);
        let old = self.cache.get(&key).map(|it| it.0);
        if let Some(known) = old.as_ref().filter(|it| it.generation == generation) {
            return Ok(Arc::clone(known));
        }
        self.cache.forget(&key);
        let load = async {
            let new = self.load(engine, &key, generation, old.as_deref()).await?;
            Ok::<_, ApiError>(Some(Cached(Arc::new(new))))
        };
        let loaded = self.cache.get_or_load(&key, load).await?;
        Ok(loaded.expect("an event type without a schema has a record, too").0)
    }

    async fn load(
        &self,
        engine: &Engine,
        (organization, name): &Key,
        generation: u64,
        old: Option<&NewestSchema>,
    ) -> Result<NewestSchema, ApiError> {
        let named = IdOrUid::Id(name.clone());
        let stored = engine.store().get::<EventType>(organization, &named).await?;
        let text = stored.and_then(|it| it.schemas);
        if let Some(old) = old.filter(|it| it.text == text) {
            let (version, compiled) = (old.version.clone(), old.compiled.clone());
            return Ok(NewestSchema {
                generation,
                size_bytes: old.size_bytes,
                text,
                version,
                compiled,
            });
        }
        let size_bytes = 1_024 + text.as_ref().map_or(0, String::len) * GROWTH;
        let (text, version, compiled) = match text {
            None => (None, None, Ok(None)),
            Some(text) => self.offload.run(move || compile(text)).await?,
        };
        Ok(NewestSchema { generation, size_bytes, text, version, compiled })
    }

    /// Checks a payload; `None` if it cannot be checked.
    pub(crate) async fn check(
        &self,
        schema: &NewestSchema,
        payload: &str,
    ) -> Result<Option<SchemaCheck>, ApiError> {
        let Ok(Some(compiled)) = &schema.compiled else { return Ok(None) };
        if !offload::is_large(payload.as_bytes()) {
            let found = check(compiled, payload, CompiledSchema::SHORT);
            if found != SchemaCheck::TooExpensive {
                return Ok(Some(found));
            }
        }
        let (compiled, payload) = (Arc::clone(compiled), payload.to_owned());
        let work = move || check(&compiled, &payload, CompiledSchema::LONG);
        self.offload.run(work).await.map(Some)
    }

    fn count(&self, result: SchemaResult) {
        self.metrics.checks.get_or_create(&SchemaLabels { result }).inc();
    }

    /// Refuses a schema that payloads cannot be checked against. Returns the reason.
    pub(crate) async fn refusal(&self, schemas: &str) -> Result<Option<String>, ApiError> {
        let Some(newest) = json_schema::newest(schemas) else { return Ok(None) };
        let work = move || CompiledSchema::new(&newest).err().map(|it| it.to_string());
        self.offload.run(work).await
    }
}

type Compiled = (Option<String>, Option<String>, Result<Option<Arc<CompiledSchema>>, String>);

fn compile(text: String) -> Compiled {
    let schemas: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let Some(version) = json_schema::newest_version(&schemas) else {
        return (Some(text), None, Ok(None));
    };
    let compiled = CompiledSchema::new(&schemas[version]);
    let compiled = compiled.map(|it| Some(Arc::new(it))).map_err(|it| it.to_string());
    let version = version.clone();
    (Some(text), Some(version), compiled)
}

fn check(schema: &CompiledSchema, payload: &str, budget: u64) -> SchemaCheck {
    match serde_json::from_str(payload) {
        Ok(payload) => schema.check(&payload, budget),
        // Only a received webhook can be something else.
        Err(_) => SchemaCheck::Invalid(vec![PayloadProblem {
            pointer: String::new(),
            message: "the body is not JSON".to_owned(),
        }]),
    }
}

/// The problems of a payload that does not match; none if it does.
pub(crate) fn problems(found: SchemaCheck) -> Vec<PayloadProblem> {
    match found {
        SchemaCheck::Valid => Vec::new(),
        SchemaCheck::Invalid(problems) => problems,
        SchemaCheck::TooExpensive => vec![PayloadProblem {
            pointer: String::new(),
            message: "the payload is too expensive to check against the schema".to_owned(),
        }],
    }
}
