//! Operations: what the API can do. Each one is declared once, with the macro `operations!`; the
//! router, the `OpenAPI` document and calls in process are made from the declarations.

use std::pin::Pin;

use axum::extract::RawPathParams;
use bytes::Bytes;
use http::{Method, StatusCode};
use postrider::api::Permission;
use schemars::{Schema, SchemaGenerator};

use crate::{
    api::{
        access::Access, error::ApiError, path::PathArgument, query::Parameter, reply::Reply,
        response::ApiResponse, shape::Shape,
    },
    operations::call::Call,
    settings::{Limits, SizeLimit},
};

/// An operation with its input: a path's arguments, a query and a body, as far as it has them.
///
/// [`Operations::call`](crate::Operations::call) runs it in process.
pub trait Operation: Sized + Send + 'static {
    /// What the operation returns.
    type Output: Send + 'static;

    /// The output with its status code.
    #[doc(hidden)]
    type Reply: Reply<Value = Self::Output>;

    /// How the operation is declared.
    fn declaration() -> Declaration;

    /// Its part of the `OpenAPI` document.
    #[doc(hidden)]
    fn describe(generator: &mut SchemaGenerator) -> Description;

    /// Which fields its body may have.
    #[doc(hidden)]
    fn body_shape() -> &'static Shape;

    /// Parses the input.
    #[doc(hidden)]
    fn parse(input: RawInput<'_>) -> Result<Self, ApiError>;

    /// Runs the operation. The principal has been authorized.
    #[doc(hidden)]
    fn run(self, call: Call) -> impl Future<Output = Result<Self::Reply, ApiError>> + Send;
}

/// How an operation is declared.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Method of the HTTP route.
    pub method: Method,
    /// Path of the HTTP route, with the names of its arguments in braces.
    pub path: &'static str,
    /// Identifies the operation, for example `v1.application.create`.
    pub id: &'static str,
    /// The group of operations that it belongs to.
    pub tag: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Which principals may call it.
    pub access: Access,
    /// What it requires of the caller's role; `None` if that was not declared.
    pub needs: Option<Permission>,
    pub(crate) idempotency: Idempotency,
    pub(crate) body_size: BodySize,
}

/// What an idempotency key does for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Nothing: the operation is idempotent by itself.
    Unkeyed,
    /// The response is stored under the key.
    StoredResponse,
    /// The operation stores the key itself, in the transaction that takes effect.
    Transactional,
}

/// What the body of an operation contains, which determines its maximum size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// Settings. Reasonable requests are far below the limit.
    Configuration,
    /// An event type with its schemas, each of which is a document.
    EventType,
    /// One message.
    Message,
    /// Many messages or event types.
    Batch,
}

impl Declaration {
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Self {
        let idempotency =
            if method == Method::POST { Idempotency::StoredResponse } else { Idempotency::Unkeyed };
        Self {
            method,
            path,
            id,
            tag,
            summary: summary.trim_ascii(),
            access: Access::Organization,
            needs: None,
            idempotency,
            body_size: BodySize::Configuration,
        }
    }

    /// Which principals may call it; by default, organizations.
    pub(crate) fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// What it requires of the caller's role. Every operation declares it.
    pub(crate) fn needs(self, permission: Permission) -> Self {
        Self { needs: Some(permission), ..self }
    }

    /// What it requires of the caller's role. An operation that does not declare it is for
    /// administrators.
    pub fn permission(&self) -> Permission {
        self.needs.unwrap_or(Permission::Administer)
    }

    /// Whether the operation is about the one application that its path names.
    pub(crate) fn is_of_application(&self) -> bool {
        self.path.starts_with("/api/v1/app/{app_id}")
    }

    /// What an idempotency key does; by default, the response of a POST is stored.
    pub(crate) fn idempotency(self, idempotency: Idempotency) -> Self {
        Self { idempotency, ..self }
    }

    /// How large the body may be; by default, as large as settings.
    pub(crate) fn body_size(self, body_size: BodySize) -> Self {
        Self { body_size, ..self }
    }

    /// Whether the operation must not be cancelled half-way. One with transactional idempotency
    /// has one transaction, which is complete or has no effect.
    pub(crate) fn runs_to_completion(&self) -> bool {
        !self.method.is_safe() && self.idempotency != Idempotency::Transactional
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

/// What an operation takes and returns.
#[derive(Debug)]
pub struct Description {
    pub(crate) query: Vec<Parameter>,
    pub(crate) body: Option<Schema>,
    pub(crate) is_body_required: bool,
    pub(crate) replies: Vec<(StatusCode, Option<Schema>)>,
}

/// The input of an operation before it is parsed.
#[derive(Clone, Debug)]
pub struct RawInput<'a> {
    pub(crate) path: PathArguments<'a>,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: Bytes,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PathArguments<'a> {
    Route(&'a RawPathParams),
    Pairs(&'a [(&'a str, &'a str)]),
}

impl<'a> RawInput<'a> {
    /// Input that does not come from an HTTP request: the arguments of the path by name, the query
    /// string, and the body as JSON.
    pub fn new(
        path: &'a [(&'a str, &'a str)],
        query: Option<&'a str>,
        body: impl Into<Bytes>,
    ) -> Self {
        Self { path: PathArguments::Pairs(path), query, body: body.into() }
    }
}

impl<'a> PathArguments<'a> {
    /// The argument of this name.
    pub(crate) fn argument<A: PathArgument>(self, name: &'static str) -> Result<A, ApiError> {
        A::parse(name, self.get(name))
    }

    fn get(self, name: &str) -> &'a str {
        let found = match self {
            Self::Route(parameters) => parameters.iter().find(|(key, _)| *key == name),
            Self::Pairs(pairs) => pairs.iter().copied().find(|(key, _)| *key == name),
        };
        found.map_or("", |(_, value)| value)
    }
}

/// A future of an operation, boxed once for each call.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<ApiResponse, ApiError>> + Send>>;

/// An operation whose types are erased: its input is text, and its output JSON.
///
/// [`Operations::call_any`](crate::Operations::call_any) runs it in process.
#[derive(Clone, Debug)]
pub struct AnyOperation {
    /// How the operation is declared.
    pub declaration: Declaration,
    pub(crate) describe: fn(&mut SchemaGenerator) -> Description,
    pub(crate) start: fn(Call, RawInput<'_>) -> Result<Running, ApiError>,
}

impl AnyOperation {
    pub(crate) fn of<O: Operation>() -> Self {
        Self { declaration: O::declaration(), describe: O::describe, start: start::<O> }
    }
}

/// Parses the input and begins to run the operation.
fn start<O: Operation>(call: Call, input: RawInput<'_>) -> Result<Running, ApiError> {
    let operation = O::parse(input)?;
    Ok(Box::pin(async move { operation.run(call).await?.into_api_response() }))
}

/// Declares the operations of a module. Each becomes a struct of its input, which implements
/// [`Operation`], and `all` lists them.
///
/// ```text
/// tag "Application";
///
/// /// Replace or create an application
/// Update "v1.application.update" = PUT "/api/v1/app/{app_id}"
///     path { app_id: IdOrUid<ApplicationId> }
///     query { UpdateQuery }
///     body { Json<ApplicationIn> }
///     -> Upserted<ApplicationOut> = update,
///     needs(Permission::Operate);
/// ```
///
/// `update` is an `async fn(Call, Update) -> Result<Upserted<ApplicationOut>, ApiError>`. The path,
/// the query, the body and the options at the end, which are methods of [`Declaration`], can be
/// left out.
macro_rules! operations {
    (
        tag $tag:literal;
        $(
            #[doc = $summary:literal]
            $name:ident $id:literal = $method:ident $path:literal
                $(path { $($argument:ident: $argument_type:ty),+ })?
                $(query { $query:ty })?
                $(body { $format:ident<$body:ty> })?
                -> $reply:ty = $run:path
                $(, $option:ident($value:expr))*;
        )+
    ) => {
        $(
            #[doc = $summary]
            #[derive(Debug)]
            pub struct $name {
                $($(pub $argument: $argument_type,)+)?
                $(pub query: $query,)?
                $(pub body: $body,)?
            }

            impl $crate::api::operation::Operation for $name {
                type Output = <$reply as $crate::api::reply::Reply>::Value;
                type Reply = $reply;

                fn declaration() -> $crate::api::operation::Declaration {
                    $crate::api::operation::Declaration::new(
                        http::Method::$method,
                        $path,
                        $id,
                        $tag,
                        $summary,
                    )
                    $(.$option($value))*
                }

                fn describe(
                    generator: &mut schemars::SchemaGenerator,
                ) -> $crate::api::operation::Description {
                    use $crate::api::{body::Body, query::Query, reply::Reply};
                    $crate::api::operation::Description {
                        query: <operations!(@or_unit $($query)?) as Query>::parameters(),
                        body: <operations!(@or_unit $($format<$body>)?) as Body>::schema(generator),
                        is_body_required: <operations!(@or_unit $($format<$body>)?) as Body>::IS_REQUIRED,
                        replies: <$reply as Reply>::describe(generator),
                    }
                }

                fn body_shape() -> &'static $crate::api::shape::Shape {
                    use std::sync::LazyLock;
                    use $crate::api::{body::Body, shape::Shape};
                    static SHAPE: LazyLock<Shape> =
                        LazyLock::new(<operations!(@or_unit $($format<$body>)?) as Body>::shape);
                    &SHAPE
                }

                fn parse(
                    input: $crate::api::operation::RawInput<'_>,
                ) -> Result<Self, $crate::api::error::ApiError> {
                    operations!(@no_query input, $($query)?);
                    operations!(@no_body input, $($body)?);
                    Ok(Self {
                        $(query: <$query as $crate::api::query::Query>::read(input.query)?,)?
                        $(body: <$format<$body> as $crate::api::body::Body>::parse(
                            input.body,
                            Self::body_shape(),
                        )?,)?
                        $($($argument: input.path.argument(stringify!($argument))?,)+)?
                    })
                }

                fn run(
                    self,
                    call: $crate::operations::call::Call,
                ) -> impl Future<Output = Result<$reply, $crate::api::error::ApiError>> + Send {
                    $run(call, self)
                }
            }
        )+

        /// The operations of this module.
        pub(crate) fn all() -> Vec<$crate::api::operation::AnyOperation> {
            vec![$($crate::api::operation::AnyOperation::of::<$name>(),)+]
        }
    };
    (@or_unit) => { () };
    (@or_unit $type:ty) => { $type };
    // An operation without a query or a body refuses one that has parameters or fields.
    (@no_query $input:ident,) => {
        <() as $crate::api::query::Query>::read($input.query)?;
    };
    (@no_query $input:ident, $query:ty) => {};
    (@no_body $input:ident,) => {
        <() as $crate::api::body::Body>::parse(
            $input.body,
            Self::body_shape(),
        )?;
    };
    (@no_body $input:ident, $body:ty) => {};
}
pub(crate) use operations;
