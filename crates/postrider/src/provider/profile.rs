//! Signing profiles: how requests to an endpoint are signed, if not by Standard Webhooks.
//!
//! Receivers that verified the webhooks of another system keep verifying. A profile is data: a
//! scheme, as in a [`Model`](super::Model), and what else the requests have. Signing is the inverse
//! of verification, so [`SigningModel::verifier`] returns the model that verifies the requests.

mod error;
mod model;
mod sign;
mod table;
mod template;
mod validate;

pub use self::{
    error::InvalidSigningModel,
    model::{Rotation, SecretForm, SigningModel, SigningProfile},
    sign::{ProfileKey, SignedEvent},
    table::{all, find},
    template::{HeaderTemplate, InvalidTemplate},
};
