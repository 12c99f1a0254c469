//! The records, messages and attempts that the examples store.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId};
use postrider_core::{
    catalog::{Application, AtRest, Endpoint, Ordering, SealedSecret},
    delivery::{Attempt, Delivery, Response, Settlement, Trigger},
    message::{Format, Message},
    outcome::Outcome,
    retry::Verdict,
    time::Timestamp,
};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The sequence of ids before all that are created at [`NOW`].
pub(crate) const FIRST_SEQUENCE: u64 = NOW.as_millis() << 12;

pub(crate) const APPLICATION: ApplicationId = ApplicationId::from_parts(1, 1);

const URL: &str = "https://example.com/webhooks/postrider";

pub(crate) const fn endpoint_id(number: u64) -> EndpointId {
    EndpointId::from_parts(1, number)
}

pub(crate) fn organization() -> OrganizationId {
    "org_test".parse().unwrap()
}

pub(crate) fn application() -> Application {
    Application {
        managed_by: None,
        id: APPLICATION,
        organization: organization(),
        uid: None,
        name: String::new(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn endpoint(number: u64) -> Endpoint {
    Endpoint {
        managed_by: None,
        id: endpoint_id(number),
        application: APPLICATION,
        uid: None,
        kind: postrider::api::EndpointKind::Http,
        config: AtRest::default(),
        url: URL.to_owned(),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: AtRest::default(),
        metadata: BTreeMap::new(),
        disabled: false,
        throttle_rate: None,
        strict_rate: false,
        transformation: None,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: SealedSecret(Vec::new()),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// A message of half a kilobyte.
pub(crate) fn message(id: MessageId) -> Message {
    let number = id.sequence();
    let text = "x".repeat(450);
    let body = format!(r#"{{"type":"user.created","number":{number},"text":"{text}"}}"#);
    Message {
        id,
        application: APPLICATION,
        event_type: "user.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from(body)),
        format: Format::Json,
        deliver_at: None,
        body_until: NOW + Duration::from_secs(90 * 86_400),
        trace: None,
    }
}

/// A first attempt that succeeded.
pub(crate) fn success(delivery: Delivery, sequence: u64) -> Settlement {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let response = Response {
        headers: vec![
            header("content-length", "2"),
            header("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ],
        body: Bytes::from_static(b"ok"),
    };
    let attempt = Attempt {
        id: AttemptId::from_parts(sequence, sequence),
        delivery: delivery.id,
        number: 1,
        trigger: Trigger::Scheduled,
        at: NOW,
        duration: Duration::from_micros(1_234),
        url: URL.to_owned(),
        address: Some("192.0.2.1:443".parse().unwrap()),
        outcome: Outcome::Answered { status: 200, retry_after: None },
        response: Some(response),
    };
    Settlement { delivery, attempt, verdict: Verdict::Delivered, failing_since: None }
}
