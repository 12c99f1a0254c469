//! Operations of the hosted API that this server does not have, with what to use instead.

const STREAMING: &str = "streaming is not available; publish messages to an application, whose \
    endpoints can be queues, databases, buckets and live streams";
const CONNECTOR_OAUTH: &str = "signing in to the service of a connector is not available; set its \
    key as a variable of the transformation";
const RETRY_SCHEDULE: &str = "event types have no retry schedule of their own; set \
    `retry_schedule` in the configuration of the server";
const ENVIRONMENTS: &str = "environments are organizations, which need no setup: an organization \
    exists as soon as a token names it";
const TELEMETRY: &str = "the export of telemetry is not available for each organization; \
    configure it for the server";
const AUTO_CONFIG: &str = "this version of automatic configuration is not available; use \
    /api/v1/app/{app_id}/autoconfig, as newer clients do";

/// The beginnings of paths. `*` is any one part.
const PREFIXES: [(&str, &str); 12] = [
    ("api/v1/stream", STREAMING),
    ("api/v1/app/*/stream", STREAMING),
    ("api/v1/auth/stream-portal-access", STREAMING),
    ("api/v1/auth/stream-logout", STREAMING),
    ("api/v1/auth/stream", STREAMING),
    ("api/v1/connector/oauth", CONNECTOR_OAUTH),
    ("api/v1/app/*/endpoint/*/connector/oauth", CONNECTOR_OAUTH),
    ("api/v1/event-type/*/retry-schedule", RETRY_SCHEDULE),
    ("api/v1/management/environment", ENVIRONMENTS),
    ("api/v1/management/environment-settings/customer-otel", TELEMETRY),
    ("api/v1/app/*/auto-config", AUTO_CONFIG),
    ("api/v1/app/*/endpoint/*/auto-config", AUTO_CONFIG),
];

/// Why the operations at this path are not available; `None` if the hosted API has none there.
pub(crate) fn reason(path: &str) -> Option<&'static str> {
    let found = PREFIXES.iter().find(|(prefix, _)| begins_with(path, prefix));
    found.map(|(_, reason)| *reason)
}

fn begins_with(path: &str, prefix: &str) -> bool {
    let mut parts = path.trim_start_matches('/').split('/');
    prefix.split('/').all(|expected| {
        parts.next().is_some_and(|part| part == expected || (expected == "*" && !part.is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&'static str>) {
        assert_eq!(reason(path), expected, "{path}");
    }

    #[test]
    fn paths_of_missing_operations_are_known_by_their_beginnings() {
        check("/api/v1/stream", Some(STREAMING));
        check("/api/v1/stream/strm_1/sink/", Some(STREAMING));
        check("/api/v1/app/a/stream/sink", Some(STREAMING));
        check("/api/v1/auth/stream/s/sink/k/poller/token", Some(STREAMING));
        check("/api/v1/connector/oauth/slack", Some(CONNECTOR_OAUTH));
        check("/api/v1/management/environment/env", Some(ENVIRONMENTS));
        check("/api/v1/management/environment-settings/customer-otel/test", Some(TELEMETRY));
        check("/api/v1/streams", None);
        check("/api/v1/app//stream", None);
        check("/api/v1/app/a/endpoint/e", None);
        check("/", None);
    }
}
