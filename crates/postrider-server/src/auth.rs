//! Authentication and authorization: tokens, the principals that they authenticate, and access rules.

pub(crate) mod access;
pub(crate) mod authenticator;
pub(crate) mod key;
pub(crate) mod principal;
pub(crate) mod signed_in;
pub(crate) mod token;

pub(crate) use self::{authenticator::Authenticator, principal::Principal};
