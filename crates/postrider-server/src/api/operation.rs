//! Operations: what the API can do. Each one is declared once, and both the router and the
//! document are made from the declarations.

use std::{
    pin::Pin,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use http::{Method, StatusCode};
use schemars::{Schema, SchemaGenerator};

use crate::{
    api::{
        body::Body,
        error::ApiError,
        query::{Parameter, Query},
        reply::{Answer, Reply},
    },
    auth::Access,
    operations::call::Call,
    settings::{Limits, SizeLimit},
};

/// Something that the API can do.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) keys: Keys,
    pub(crate) body_size: BodySize,
    pub(crate) describe: fn(&mut SchemaGenerator) -> Description,
    run: Box<Run>,
}

/// Who looks after the idempotency keys of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// The operation is not one that keys are for.
    Ignored,
    /// The answer is kept beside what was done.
    Answer,
    /// The handler does, in the same transaction as what is done.
    Handler,
}

/// What an operation's body carries, which says how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// Settings. Nothing that is sent by hand or by a client library comes near the limit.
    Configuration,
    /// An event type. Its schemas are documents of their own, one for each version.
    EventType,
    /// A message.
    Message,
    /// Many messages.
    Batch,
}

/// What goes in and comes out.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) query: Vec<Parameter>,
    pub(crate) body: Option<Schema>,
    pub(crate) body_is_required: bool,
    pub(crate) answers: Vec<(StatusCode, Option<Schema>)>,
}

type Running = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;
type Run = dyn Fn(Call, Option<&str>, Bytes) -> Result<Running, ApiError> + Send + Sync;

/// The part of a declaration that is not the handler.
#[derive(Debug)]
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    access: Access,
    keys: Keys,
    body_size: BodySize,
}

/// Begins a declaration.
pub(crate) fn operation(
    method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Route {
    let keys = if method == Method::POST { Keys::Answer } else { Keys::Ignored };
    let access = Access::Organization;
    let body_size = BodySize::Configuration;
    Route { method, path, id, tag, summary, access, keys, body_size }
}

impl Route {
    /// Who may do it; the organization, if nothing is said.
    pub(crate) fn by(self, access: Access) -> Self {
        Self { access, ..self }
    }

    pub(crate) fn keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// How long bodies may be; as long as those that configure something, if nothing is said.
    pub(crate) fn body_size(self, body_size: BodySize) -> Self {
        Self { body_size, ..self }
    }

    /// Ends the declaration with the handler, whose types say what goes in and comes out.
    pub(crate) fn run<Q, B, R, F>(
        self,
        handler: impl Fn(Call, Q, B) -> F + Send + Sync + 'static,
    ) -> Operation
    where
        Q: Query,
        B: Body,
        R: Reply,
        F: Future<Output = Result<R, ApiError>> + Send + 'static,
    {
        let Self { method, path, id, tag, summary, access, keys, body_size } = self;
        let shape = LazyLock::new(B::shape as fn() -> _);
        let run = move |call: Call, query: Option<&str>, body: Bytes| {
            let answer = handler(call, Q::read(query)?, B::parse(body, &shape)?);
            Ok(Box::pin(async move { answer.await?.into_answer() }) as Running)
        };
        let describe = describe::<Q, B, R>;
        Operation {
            method,
            path,
            id,
            tag,
            summary,
            access,
            keys,
            body_size,
            describe,
            run: Box::new(run),
        }
    }
}

fn describe<Q: Query, B: Body, R: Reply>(generator: &mut SchemaGenerator) -> Description {
    Description {
        query: Q::parameters(),
        body: B::schema(generator),
        body_is_required: B::IS_REQUIRED,
        answers: R::describe(generator),
    }
}

impl Operation {
    pub(crate) async fn run(
        &self,
        call: Call,
        query: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, ApiError> {
        (self.run)(call, query, body)?.await
    }

    /// Whether it changes something, so that it must not stop half-way.
    pub(crate) fn is_change(&self) -> bool {
        !self.method.is_safe() && self.keys != Keys::Handler
    }

    pub(crate) fn body_limit(&self, limits: &Limits) -> SizeLimit {
        let (bytes, setting) = match self.body_size {
            BodySize::Configuration => (limits.config_body, "limits.config_body"),
            BodySize::EventType => (limits.event_type_body, "limits.event_type_body"),
            BodySize::Message => {
                (limits.max_payload + limits.envelope, "max_payload + limits.envelope")
            },
            BodySize::Batch => (limits.batch_bytes, "limits.batch_request"),
        };
        SizeLimit { bytes, setting }
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An operation that can be shared with what outlives a connection.
pub(crate) type Shared = Arc<Operation>;
