//! Which deliveries are resent: the fields of the form, the body of the request, and the words.

use jiff::{SignedDuration, Timestamp};
use postrider::api::{MessageStatus, ResendIn};

use super::{super::messages::period, filter::Cause};
use crate::query::Query;

/// The fields.
pub(super) const NAMES: [&str; 8] =
    ["app", "endpoint", "type", "channel", "tag", "status", "cause", "until"];

/// The statuses that can be chosen: the value, the label, and the statuses.
pub(super) const STATUSES: [(&str, &str, &[MessageStatus]); 5] = [
    ("", "Failed or canceled", &[]),
    ("failed", "Failed", &[MessageStatus::Fail]),
    ("canceled", "Canceled", &[MessageStatus::Canceled]),
    ("delivered", "Delivered", &[MessageStatus::Success]),
    ("ended", "All ended", &[MessageStatus::Success, MessageStatus::Fail, MessageStatus::Canceled]),
];

/// More deliveries than this have to be confirmed by their number.
pub(super) const MAX_UNCONFIRMED: u64 = 1_000;

/// The filter of a URL or a form, whose fields have the same names. Without a start, it is a day
/// ago.
pub(super) fn scope(query: &Query, now: Timestamp, retry: bool) -> ResendIn {
    let text = |name| query.text(name).map(ToOwned::to_owned);
    let list = |name| text(name).into_iter().collect::<Vec<_>>();
    let found = period::Period::read(query, now);
    let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now);
    let status = query.text("status").unwrap_or_default();
    let statuses = STATUSES.iter().find(|it| it.0 == status).map_or(&[][..], |it| it.2);
    let app = text("app");
    ResendIn {
        since: found.after.unwrap_or(day_ago),
        until: found.before,
        // The API needs the application of an endpoint.
        endpoint_ids: if app.is_some() { list("endpoint") } else { Vec::new() },
        app_id: app,
        status: statuses.to_vec(),
        event_types: list("type").into_iter().filter_map(|it| it.parse().ok()).collect(),
        channel: text("channel"),
        tag: text("tag"),
        cause: text("cause").filter(|it| Cause::parse(it).is_some()),
        retry,
    }
}

/// The fields of a form that has this scope.
pub(super) fn fields(query: &Query, scope: &ResendIn) -> Vec<(&'static str, String)> {
    let kept = NAMES.iter().filter(|it| **it != "until");
    let mut fields: Vec<_> =
        kept.filter_map(|name| Some((*name, query.text(name)?.to_owned()))).collect();
    fields.push(("from", scope.since.to_string()));
    fields.extend(scope.until.map(|it| ("until", it.to_string())));
    fields
}

/// The scope in words, such as `failed or canceled deliveries to …`.
pub(super) fn words(
    query: &Query,
    scope: &ResendIn,
    app: Option<&str>,
    endpoint: Option<&str>,
) -> String {
    let status = query.text("status").unwrap_or_default();
    let kind = match status {
        "failed" => "failed deliveries",
        "canceled" => "canceled deliveries",
        "delivered" => "deliveries that succeeded",
        "ended" => "deliveries that have ended, also those that succeeded,",
        _ => "failed or canceled deliveries",
    };
    let place = match (endpoint, app) {
        (Some(endpoint), Some(app)) => format!("{endpoint} of {app}"),
        (_, Some(app)) => format!("all endpoints of {app}"),
        (_, None) => "all endpoints of all applications".to_owned(),
    };
    let conditions = conditions(scope).join(", ");
    let cause = scope.cause.as_deref().map(cause_words);
    let cause = cause.map(|it| format!(", whose last attempt ended with {it}"));
    format!("{kind} to {place}, with messages {conditions}{}", cause.unwrap_or_default())
}

/// The conditions on the messages.
fn conditions(scope: &ResendIn) -> Vec<String> {
    let event_types: Vec<_> = scope.event_types.iter().map(ToString::to_string).collect();
    let event_types = (!event_types.is_empty()).then(|| event_types.join(" or "));
    let at = period::Period { after: Some(scope.since), before: scope.until };
    [
        event_types.map(|it| format!("of the type {it}")),
        scope.channel.as_ref().map(|it| format!("in the channel {it}")),
        scope.tag.as_ref().map(|it| format!("with the tag {it}")),
        at.words("accepted"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cause_words(cause: &str) -> String {
    match Cause::parse(cause) {
        Some(Cause::Status(_) | Cause::Class(_)) => format!("status {cause}"),
        Some(Cause::Named(it)) => {
            let label = super::super::messages::attempt::explain::label(it);
            format!("the cause “{label}”")
        },
        None => cause.to_owned(),
    }
}

/// Whether the number that was typed is the number of deliveries.
pub(super) fn is_confirmed(count: u64, typed: Option<&str>) -> bool {
    let digits: String = typed.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    count <= MAX_UNCONFIRMED || digits.parse() == Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-27T12:00:00Z";

    fn check(query: &str, expected: &str) {
        let query = Query::parse(Some(query));
        let scope = scope(&query, NOW.parse().unwrap(), false);
        let app = scope.app_id.as_deref();
        let endpoint = scope.endpoint_ids.first().map(String::as_str);
        assert_eq!(words(&query, &scope, app, endpoint), expected);
    }

    #[test]
    fn a_scope_is_described_completely() {
        check(
            "",
            "failed or canceled deliveries to all endpoints of all applications, with messages \
             accepted since Nov 26, 12:00 UTC",
        );
        check(
            "app=acme&endpoint=ep_1&type=a.b&tag=x&cause=503&status=failed&range=1h",
            "failed deliveries to ep_1 of acme, with messages of the type a.b, with the tag x, \
             accepted since Nov 27, 11:00 UTC, whose last attempt ended with status 503",
        );
        check(
            "endpoint=ep_1&cause=timeout&status=ended&from=2026-11-01T00:00&until=2026-11-02T00:00",
            "deliveries that have ended, also those that succeeded, to all endpoints of all \
             applications, with messages accepted from Nov 1, 00:00 UTC to Nov 2, 00:00 UTC, whose \
             last attempt ended with the cause “Timed out”",
        );
    }

    #[test]
    fn many_deliveries_are_confirmed_by_their_number() {
        assert!(is_confirmed(1_000, None));
        assert!(!is_confirmed(1_001, None));
        assert!(!is_confirmed(12_345, Some("12")));
        assert!(is_confirmed(12_345, Some(" 12,345 ")));
    }

    #[test]
    fn the_form_keeps_the_period_of_the_preview() {
        let query = Query::parse(Some("app=acme&range=1h"));
        let scope = scope(&query, NOW.parse().unwrap(), false);
        let fields = fields(&query, &scope);
        assert_eq!(
            fields,
            [("app", "acme".to_owned()), ("from", "2026-11-27T11:00:00Z".to_owned())]
        );
    }
}
