//! The types of the HTTP API.
//!
//! The API is compatible with the official Svix clients. Their versions 1.x and 2.x use different
//! names for some fields; [`renamed`] has types that support both. The types ignore unknown fields;
//! the server rejects fields that are not in their schemas.
//!
//! The types check only the structure. The limits of values are constants next to the types. The
//! server enforces them, so that one response can list all problems.

pub mod access;
pub mod alert;
pub mod application;
pub mod attempt;
pub mod audit;
pub mod authentication;
pub mod autoconfig;
pub mod connector;
pub mod consumer;
pub mod declaration;
pub mod destination;
pub mod endpoint;
pub mod endpoint_authentication;
pub mod endpoint_batch;
pub mod endpoint_headers;
pub mod endpoint_secret;
pub mod endpoint_signing;
pub mod endpoint_test;
pub mod environment;
pub mod error;
pub mod event;
pub mod event_type;
pub mod field;
pub mod filter;
pub mod ingest;
pub mod integration;
pub mod kind;
pub mod list;
pub mod live;
pub mod main_secret;
pub mod message;
pub mod message_import;
pub mod polling;
pub mod portal_theme;
pub mod renamed;
pub mod search;
pub mod state;
pub mod statistics;
pub mod task;
pub mod time;
pub mod transformation;
pub mod usage;

use std::collections::BTreeMap;

pub use self::{
    access::{
        ApiKeyCreatedOut, ApiKeyIn, ApiKeyOut, ApiKeyPatch, Capability, Permission,
        PermissionSource, Role, WhoamiOut,
    },
    alert::{AlertKind, AlertOut, AlertsOut},
    application::{ApplicationIn, ApplicationMode, ApplicationOut, ApplicationPatch},
    attempt::{
        EndpointMessageOut, MessageAttemptOut, MessageEndpointOut, MessageStatus,
        MessageStatusText, ShadowRequestOut, StatusCodeClass, TriggerType,
    },
    audit::{
        AuditChange, AuditEntryOut, AuditPrincipalOut, AuditedRecordOut, PrincipalKind, Withheld,
    },
    authentication::{
        ApiTokenOut, AppPortalAccessIn, AppPortalAccessOut, ApplicationTokenExpireIn,
        CreateTokenIn, OneTimeTokenCreateIn, OneTimeTokenCreatedOut, OneTimeTokenIn,
        OneTimeTokenOut, OrganizationTokenExpireIn,
    },
    consumer::{
        ConsumerConfig, ConsumerIn, ConsumerMapping, ConsumerOut, ConsumerPatch, ConsumerStateOut,
        ConsumerStatus, DeadLetterCause, DeadLetterContentOut, DeadLetterOut, DeadLetterRetryOut,
    },
    endpoint::{
        EndpointAttemptStats, EndpointIn, EndpointOrdering, EndpointOut, EndpointPatch,
        EndpointStats, EndpointUpdate, RecoverIn,
    },
    endpoint_authentication::{
        ClientSecretJwtParamsIn, EndpointAuthentication, EndpointAuthenticationType,
        EndpointMtlsConfigIn, EndpointMtlsConfigOut, EndpointMtlsOut, EndpointOauthConfigIn,
        EndpointOauthConfigOut, EndpointOauthOut, Oauth2AuthMethodInOut, Oauth2GrantTypeInOut,
        OauthJwsSigningAlgorithm,
    },
    endpoint_batch::EndpointBatch,
    endpoint_headers::{EndpointHeadersIn, EndpointHeadersOut, EndpointHeadersPatchIn},
    endpoint_secret::{EndpointSecretOut, EndpointSecretRotateIn},
    endpoint_signing::EndpointSigning,
    endpoint_test::{EndpointTestIn, EndpointTestOut, EndpointTestOutcome},
    error::{ErrorOut, ValidationErrorOut, ValidationItem},
    event::OperationalEvent,
    event_type::{
        EventTypeIn, EventTypeOut, EventTypePatch, EventTypeUpdate, SchemaCheckIn, SchemaCheckOut,
        SchemaMismatch, SchemaProblem, SchemaReportOut, SchemaValidation,
    },
    field::Patch,
    filter::{
        EndpointExplanationOut, EndpointExplanationResult, FilterExampleOut, FilterExamplesOut,
        FilterTestIn, FilterTestOut,
    },
    ingest::{
        IngestEndpointTransformationOut, IngestEndpointTransformationPatch, IngestLogAcceptOut,
        IngestLogOut, IngestLogVerifyOut, IngestSourceConsumerPortalAccessIn, IngestSourceIn,
        IngestSourceOut, IngestSourcePatch, RotateTokenOut, SourceSecretRotateIn, SourceSecretsOut,
    },
    kind::{EndpointConfig, EndpointKind, QueueKind, UnknownKind},
    list::{ListResponse, Ordering},
    main_secret::{MainSecretOut, MainSecretUse},
    message::{
        BatchIn, BatchItemOut, BatchOut, EmptyOut, EventExampleIn, MessageIn, MessageOut,
        MessageRescheduleIn, TransformationsParams,
    },
    message_import::{ImportedMessageIn, MessageImportIn, MessageImportOut, RefusedMessageOut},
    renamed::{EventTypes, FeatureFlags, ThrottleRate},
    search::{
        FailureCause, FailureGroupOut, FailureSampleOut, LookupMatchOut, LookupOut, LookupType,
        MessageAttemptHeadersOut, MessageDeliveryOut, MessageEventsOut, MessageRawPayloadOut,
        MessageSearchIn, OrganizationAttemptOut, OrganizationMessageOut, SearchResponse,
    },
    state::{
        ApplicationStateOut, BreakerOut, DisabledOut, DisabledReason, EndpointRateLimitStatus,
        EndpointStateOut, EndpointThrottleRateStatusOut, IndexRebuildOut, NodeOut, StatusOut,
        StoreStatusOut,
    },
    statistics::{
        ActiveAppCount, AppAttemptEventTypeStats, AppAttemptStatsOut, AttemptStatisticsData,
        AttemptStatisticsResponse, EndpointCountOut, LatencyBucketOut, LatencyOut,
        RejectingSourceOut, RejectingSourcesOut, StatisticsCountsOut, StatisticsPeriod,
        StatisticsPointOut, StatisticsSeriesOut, WorstEndpointOut, WorstEndpointsOut,
    },
    task::{
        AppUsageStatsIn, AppUsageStatsOut, BackgroundTaskKind, BackgroundTaskOut,
        BackgroundTaskProgress, BackgroundTaskState, BackgroundTaskStatus, BackgroundTaskType,
        BulkExpungeContentsIn, BulkExpungeContentsOut, BulkExpungeStatus, BulkReplayIn,
        CancelMsgsIn, CountOut, MessagePrecheckIn, MessagePrecheckOut, RecoverOut, ReplayIn,
        ResendIn, ResendPreviewOut, ResendSampleOut,
    },
    usage::{Usage, UsageOut},
};

/// Custom key-value pairs, stored and returned unchanged.
pub type Metadata = BTreeMap<String, String>;

/// Maximum size of metadata in bytes, keys and values together.
pub const MAX_METADATA: usize = 4096;
