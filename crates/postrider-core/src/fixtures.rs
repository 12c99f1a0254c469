//! Values for tests.

use bytes::Bytes;
use postrider::{ApplicationId, EndpointId, MessageId};

use crate::{
    catalog::{Endpoint, Ordering, SealedSecret},
    message::{Format, Message},
    retry::AttemptLimit,
    time::Timestamp,
};

pub(crate) fn message() -> Message {
    Message {
        id: MessageId::from_parts(1 << 30, 7),
        application: ApplicationId::from_u128(1),
        event_type: "user.created".parse().expect("a good name"),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from_static(br#"{"name":"Ada"}"#)),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint {
        managed_by: None,
        id: EndpointId::from_u128(2),
        application: ApplicationId::from_u128(1),
        uid: None,
        kind: postrider::api::EndpointKind::Http,
        config: crate::catalog::AtRest::default(),
        url: "https://example.com/hook".to_owned(),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: crate::catalog::AtRest::default(),
        metadata: std::collections::BTreeMap::new(),
        disabled: false,
        throttle_rate: None,
        strict_rate: false,
        filter: None,
        ordering: Ordering::Any,
        transformation: None,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: crate::catalog::Authentication::default(),
        signing: None,
        secret: SealedSecret(Vec::new()),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}
