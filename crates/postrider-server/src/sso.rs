//! Single sign-on with `OpenID` Connect: people sign in at an identity provider and get a session,
//! with which their browser uses the API.
//!
//! ```text
//! /auth/login     ── to the provider, with state, nonce and PKCE challenge ──▶
//! /auth/callback  ◀── code ──  exchange it, verify the id token, map its claims to a role
//!                 ── a cookie with a random token, whose digest the store knows
//! ```

mod claims;
mod cookie;
mod error;
mod flow;
mod http_client;
mod page;
mod pending;
mod provider;
mod request;
mod routes;
mod session;
mod settings;

pub use self::settings::{ClientSecret, SsoSettings};
pub(crate) use self::{request::authenticate, routes::router, session::SingleSignOn};
