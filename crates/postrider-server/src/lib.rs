//! Postrider's server: the operations, and the HTTP API over them.
//!
//! An operation is a struct of its input, such as [`operations::application::Create`], with a typed
//! output. It is declared once, in [`operations`], with its route and its access rule. From the
//! declarations come
//!
//! - the routes of [`Server::router`], which [`serve()`] serves over TCP,
//! - the `OpenAPI` document of [`openapi()`], and
//! - the handle [`Operations`], with which programs that embed the server call the operations in
//!   process, with the same checks and the same errors.
//!
//! ```
//! use std::sync::Arc;
//!
//! use postrider::api::{ApplicationIn, ApplicationOut};
//! use postrider_server::{ApiError, IdOrUid, Operations, Principal, operations::application};
//!
//! async fn create_and_read(
//!     operations: &Operations,
//!     principal: &Arc<Principal>,
//! ) -> Result<ApplicationOut, ApiError> {
//!     let body = ApplicationIn { name: "Acme".to_owned(), ..ApplicationIn::default() };
//!     let query = application::CreateQuery::default();
//!     let created = operations.call(principal, application::Create { query, body }).await?;
//!     let app_id = IdOrUid::Id(created.into_inner().id);
//!     operations.call(principal, application::Get { app_id }).await
//! }
//! ```
//!
//! [`Server::operations`] returns the handle, [`Operations::authenticate`] the principal of a
//! token, and [`Principal::new`] that of a caller which the program has authenticated itself.
//! [`operations::all`] lists the operations with their input as text, for tools that call them by
//! name.

mod api;
mod auth;
mod background_writer;
mod consumer;
mod feed;
mod http;
mod idempotency;
mod inbound;
mod live;
mod locks;
mod metrics;
mod offload;
pub mod operations;
mod quota;
mod race;
mod relay;
mod schemas;
mod server;
mod settings;
mod sso;
mod traces;
mod trials;

pub use postrider::api::{Role, access::UnknownRole};

pub use crate::{
    api::{
        access::Access,
        error::ApiError,
        json_text::JsonText,
        openapi::openapi,
        operation::{AnyOperation, Declaration, Operation, RawInput},
        query::{Limit, OnByDefault},
        reply::Upserted,
        response::ApiResponse,
    },
    auth::{
        key::{KeyGrant, KeyId},
        principal::Principal,
        token::{ApplicationGrant, Grant, User, mint, mint_one_time},
    },
    consumer::Consumers,
    http::{ServerTls, TlsFileError, serve},
    operations::{
        authentication::one_time::sign_in_link,
        consumer::declared::DeclaredConsumer,
        endpoint::declared::{Declared, DeclaredEndpoint},
        handle::Operations,
    },
    server::Server,
    settings::{JwtSecret, Limits, Quotas, Serving, Settings, SizeLimit},
    sso::{ClientSecret, SsoSettings},
};
#[doc(no_inline)]
pub use postrider_store::IdOrUid;
