//! Sources: the URLs that receive providers' webhooks.
//!
//! A source's endpoints are those of its application, and have the types of
//! [`endpoint`](super::endpoint). Fields that the hosted API does not have are Postrider
//! extensions, and optional.

mod log;
mod model;
mod secret;
mod source;
mod transformation;

pub use self::{
    log::{IngestLogAcceptOut, IngestLogOut, IngestLogVerifyOut, PayloadEncoding},
    model::ModelText,
    secret::{SourceSecret, SourceSecretRotateIn, SourceSecretsOut},
    source::{
        DEFAULT_DEDUPE_SECONDS, IngestSourceConsumerPortalAccessIn, IngestSourceIn,
        IngestSourceOut, IngestSourcePatch, MAX_DEDUPE_SECONDS, MAX_SOURCE_NAME, MAX_SOURCE_UID,
        RotateTokenOut, SourceConfig, SourceConfigOut, SourceResponse, SourceStatus, Verification,
    },
    transformation::{IngestEndpointTransformationOut, IngestEndpointTransformationPatch},
};
