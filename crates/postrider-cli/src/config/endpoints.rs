//! `[[endpoints]]`: endpoints that the configuration file defines.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{
    OrganizationId, Uid,
    api::{
        EndpointAuthentication, EndpointBatch, EndpointConfig, EndpointIn, EndpointKind,
        EndpointOrdering, EventTypes, Metadata, ThrottleRate,
    },
};
use postrider_core::kind::{Destination, command::Program, mask};
use postrider_server::DeclaredEndpoint;
use serde_json::{Map, Value};

use super::{
    entry::{Entry, entry},
    error::{ConfigError, Source},
};

/// The organization of entries that name none.
pub(super) const DEFAULT_ORGANIZATION: &str = "org_main";

entry! {
    /// One entry of `[[endpoints]]`.
    EndpointEntry {
        /// Identifies the endpoint within its application.
        uid: Uid = "a uid, required";
        /// The application that the endpoint belongs to, by its uid. It is created, with the uid as its name, if it does not exist.
        application: Uid = "a uid, required";
        /// The organization of the application.
        organization: Option<OrganizationId> = "an organization's id, `org_main` by default";
        /// What happens to messages. It cannot be changed later.
        kind: Option<EndpointKind> = "the name of a kind, `http` by default";
        /// The URL of an endpoint of the kind `http`.
        url: Option<String> = "a URL";
        /// The configuration of another kind; see its page in `docs/endpoints`.
        config: Option<Map<String, Value>> = "a table";
        /// The event types that the endpoint receives. They need not exist.
        event_types: Option<Vec<String>> = "a list of names, all by default";
        /// The channels that the endpoint receives.
        channels: Option<Vec<String>> = "a list of names, all by default";
        /// An expression over messages, for example `payload.amount > 100`. The endpoint receives only messages for which it is true; see [filters](filters.md).
        filter: Option<String> = "an expression, none by default";
        /// A description for people.
        description: Option<String> = "a text, empty by default";
        /// Maximum number of attempts per second.
        rate: Option<u16> = "a number, no limit by default";
        /// Whether `rate` applies to all nodes together.
        strict_rate: Option<bool> = "true or false, `false` by default";
        /// Whether deliveries keep the order of their messages.
        ordering: Option<EndpointOrdering> = "`any` or `fifo`, `any` by default";
        /// Send several messages in one request to an endpoint of the kind `http`: at most `size`, 1 to 1000; the first waits up to `maxWaitSeconds` for others. See [order](ordering.md).
        batch: Option<EndpointBatch> = "a table with `size` and `maxWaitSeconds`, none by default";
        /// With the ordering `fifo`: the number of failed attempts after which a message is skipped; 0 means never. By default, when its retry schedule is over.
        skip_after: Option<u16> = "a number";
        /// Whether messages wait until the endpoint is resumed. If it is absent, the state that a client has set stays.
        paused: Option<bool> = "true or false";
        /// Whether the endpoint receives no messages. If it is absent, the state that a client or the server has set stays.
        disabled: Option<bool> = "true or false";
        /// Headers of every request to an endpoint of the kind `http`.
        headers: Option<BTreeMap<String, String>> = "a table of texts, none by default";
        /// Custom key-value pairs.
        metadata: Option<Metadata> = "a table of texts, none by default";
        /// The signing secret of an endpoint of the kind `http`. If it is absent, one is generated, and kept. If it changes, the old one signs as well for another day.
        secret: Option<String> = "`whsec_…` or `whsk_…`";
        /// PEM certificates that requests to an endpoint of the kind `http` trust exclusively.
        trusted_certificates: Option<String> = "a text";
        /// Whether requests to an endpoint of the kind `http` have the headers `traceparent` and `tracestate`.
        forward_trace_context: Option<bool> = "true or false, false by default";
        /// The credential of every request to an endpoint of the kind `http`. If it is absent, the present one stays.
        authentication: Option<EndpointAuthentication> = "a table with `type` (`basic`, `bearer` or `header`) and its fields";
    }
}

/// An endpoint that the configuration file defines, and where.
#[derive(Clone, Debug)]
pub(crate) struct ConfiguredEndpoint {
    pub origin: Source,
    /// As people know it.
    pub label: String,
    pub endpoint: DeclaredEndpoint,
    /// Whether the file contains a credential of it.
    pub is_secret: bool,
}

/// The endpoints of the entries.
pub(super) fn parse(entries: &[Entry]) -> Result<Vec<ConfiguredEndpoint>, ConfigError> {
    let mut seen = BTreeSet::new();
    let mut endpoints = Vec::new();
    for entry in entries {
        let configured = parse_one(entry)?;
        let DeclaredEndpoint { organization, application, uid, .. } = &configured.endpoint;
        if !seen.insert((organization.clone(), application.clone(), uid.clone())) {
            let message = format!("is used twice in the application {application}");
            return Err(entry.error(&["uid".to_owned()], message));
        }
        endpoints.push(configured);
    }
    Ok(endpoints)
}

fn parse_one(entry: &Entry) -> Result<ConfiguredEndpoint, ConfigError> {
    let parsed: EndpointEntry = entry.parse()?;
    let kind = parsed.kind.unwrap_or_default();
    check_location(entry, kind, &parsed)?;
    let organization =
        parsed.organization.unwrap_or_else(|| DEFAULT_ORGANIZATION.parse().expect("it is a name"));
    let endpoint = DeclaredEndpoint {
        organization,
        application: parsed.application,
        uid: parsed.uid.clone(),
        disabled: parsed.disabled,
        endpoint: EndpointIn {
            url: parsed.url.unwrap_or_default(),
            kind,
            config: parsed.config.map(EndpointConfig),
            uid: Some(parsed.uid.to_string()),
            description: parsed.description.unwrap_or_default(),
            disabled: parsed.disabled.unwrap_or_default(),
            event_types: EventTypes(parsed.event_types),
            channels: parsed.channels,
            filter: parsed.filter,
            throttle_rate: ThrottleRate(parsed.rate),
            ordering: parsed.ordering,
            strict_rate: parsed.strict_rate,
            batch: parsed.batch,
            paused: parsed.paused,
            skip_after: parsed.skip_after,
            trusted_certificates: parsed.trusted_certificates,
            forward_trace_context: parsed.forward_trace_context,
            authentication: parsed.authentication,
            signing: None,
            metadata: parsed.metadata.unwrap_or_default(),
            secret: parsed.secret,
            headers: parsed.headers.unwrap_or_default(),
        },
    };
    let is_secret = has_secret(kind, entry.literal());
    Ok(ConfiguredEndpoint { origin: entry.origin(), label: entry.label(), endpoint, is_secret })
}

/// The same checks of the configuration that the API makes.
fn check_location(
    entry: &Entry,
    kind: EndpointKind,
    parsed: &EndpointEntry,
) -> Result<(), ConfigError> {
    let at = |field: &str| [field.to_owned()];
    if kind.is_http() {
        return match (&parsed.url, &parsed.config) {
            (_, Some(_)) => {
                Err(entry.error(&at("config"), "must be absent for the kind `http`".to_owned()))
            },
            (None, None) => Err(entry.error(&at("url"), "is required".to_owned())),
            (Some(_), None) => Ok(()),
        };
    }
    if parsed.url.is_some() {
        let message = "is only for the kind `http`; use `config` instead".to_owned();
        return Err(entry.error(&at("url"), message));
    }
    let none = Map::new();
    let config = parsed.config.as_ref().unwrap_or(&none);
    // What a command runs is in the file only; the stored endpoint has its name.
    let parsed = if kind == EndpointKind::Command {
        Program::parse(config).map(drop)
    } else {
        Destination::parse(kind, config).map(drop)
    };
    let Err(problems) = parsed else { return Ok(()) };
    let problem = problems.into_iter().next().expect("an error has a problem");
    let path: Vec<_> = std::iter::once("config".to_owned()).chain(problem.path).collect();
    Err(entry.error(&path, problem.message))
}

/// Whether values that are written in the file are credentials.
fn has_secret(kind: EndpointKind, literal: &Map<String, Value>) -> bool {
    let is_given = |name: &str| literal.get(name).is_some_and(|it| !it.is_null());
    let config = literal.get("config").and_then(Value::as_object);
    let is_masked = config.is_some_and(|config| mask(kind, config) != *config);
    is_masked || ["secret", "headers", "authentication"].into_iter().any(is_given)
}
