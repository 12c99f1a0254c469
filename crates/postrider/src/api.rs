//! The types of the HTTP API.
//!
//! The API is the one that the official Svix clients speak, so that they work unmodified.
//! Two lines of these clients are in use, 1.x and 2.x, and they disagree about some names;
//! [`renamed`] holds what is needed to please both. The types themselves skip
//! fields that they do not know; the server refuses those that their schemas do not have.
//!
//! The types check shapes only. The limits of values stand beside the types as constants,
//! and the server enforces them, so that one answer can name all that is wrong.

pub mod application;
pub mod attempt;
pub mod authentication;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod event_type;
pub mod field;
pub mod ingest;
pub mod list;
pub mod message;
pub mod renamed;
pub mod time;
pub mod usage;

use std::collections::BTreeMap;

pub use self::{
    application::{ApplicationIn, ApplicationOut, ApplicationPatch},
    attempt::{
        EndpointMessageOut, MessageAttemptOut, MessageEndpointOut, MessageStatus,
        MessageStatusText, StatusCodeClass, TriggerType,
    },
    authentication::{AppPortalAccessIn, AppPortalAccessOut, Capability},
    endpoint::{
        BackgroundTaskStatus, BackgroundTaskType, EndpointAttemptStats, EndpointHeadersIn,
        EndpointHeadersOut, EndpointHeadersPatchIn, EndpointIn, EndpointOrdering, EndpointOut,
        EndpointPatch, EndpointSecretOut, EndpointSecretRotateIn, EndpointStats, EndpointUpdate,
        RecoverIn, RecoverOut,
    },
    error::{ErrorOut, ValidationErrorOut, ValidationItem},
    event::OperationalEvent,
    event_type::{EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate},
    field::Patch,
    ingest::{
        IngestEndpointTransformationOut, IngestEndpointTransformationPatch, IngestLogOut,
        IngestSourceConsumerPortalAccessIn, IngestSourceIn, IngestSourceOut, IngestSourcePatch,
        RotateTokenOut, SourceSecretRotateIn, SourceSecretsOut,
    },
    list::{ListResponse, Ordering},
    message::{
        BatchIn, BatchItemOut, BatchOut, EmptyOut, EventExampleIn, MessageIn, MessageOut,
        TransformationsParams,
    },
    renamed::{EventTypes, FeatureFlags, ThrottleRate},
    usage::{Usage, UsageOut},
};

/// Words of the user's own, kept and given back as they are.
pub type Metadata = BTreeMap<String, String>;

/// Most bytes of an application's or endpoint's metadata, keys and values together.
pub const MAX_METADATA: usize = 4096;
