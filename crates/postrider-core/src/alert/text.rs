//! What messages about alerts say.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Notice, NoticeKind};
use crate::time::Timestamp;

/// Alerts that a text describes. It counts the others.
const MAX_DESCRIBED: usize = 20;

/// A message about alerts, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertText {
    pub subject: String,
    pub text: String,
}

impl AlertText {
    /// The text about these notices. `base` is the URL of the console, with a slash at its end;
    /// `node` is the name of the server that sends it.
    pub fn new(notices: &[Notice], base: &str, node: &str) -> Self {
        let mut text = String::new();
        for notice in notices.iter().take(MAX_DESCRIBED) {
            describe(&mut text, notice, base);
        }
        if let Some(more) = notices.len().checked_sub(MAX_DESCRIBED).filter(|it| *it > 0) {
            line(&mut text, format_args!("… and {more} more; see {base}\n"));
        }
        line(&mut text, format_args!("Sent by Postrider on {node}."));
        Self { subject: subject(notices), text }
    }
}

fn describe(text: &mut String, notice: &Notice, base: &str) {
    let Notice { key, summary, began_at, ended_at, .. } = notice;
    line(text, format_args!("[{}] {}: {}", state(notice.notice), key.kind, key.subject));
    line(text, format_args!("{summary}"));
    let since = began_at.to_rfc3339();
    match ended_at.filter(|_| notice.notice == NoticeKind::Resolved) {
        Some(ended_at) => line(text, format_args!("From {since} to {}", ended_at.to_rfc3339())),
        None => line(text, format_args!("Since {since}")),
    }
    if let Some(url) = url(notice, base) {
        line(text, format_args!("{url}"));
    }
    text.push('\n');
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

const fn state(notice: NoticeKind) -> &'static str {
    match notice {
        NoticeKind::Firing => "ALERT",
        NoticeKind::Reminder => "STILL",
        NoticeKind::Resolved => "RESOLVED",
    }
}

/// The page of the console about the subject.
fn url(notice: &Notice, base: &str) -> Option<String> {
    let (application, endpoint) = notice.endpoint?;
    Some(format!("{base}apps/{application}/endpoints/{endpoint}"))
}

fn subject(notices: &[Notice]) -> String {
    if let [one] = notices {
        return format!("[Postrider] {}: {} {}", state(one.notice), one.key.kind, one.key.subject);
    }
    let is_resolved = |it: &&Notice| it.notice == NoticeKind::Resolved;
    let resolved = notices.iter().filter(is_resolved).count();
    let firing = notices.len() - resolved;
    let alerts = if firing == 1 { "alert" } else { "alerts" };
    match (firing, resolved) {
        (_, 0) => format!("[Postrider] {firing} {alerts}"),
        (0, _) => format!("[Postrider] {resolved} alerts resolved"),
        _ => format!("[Postrider] {firing} {alerts}, {resolved} resolved"),
    }
}

/// The same for programs, with the text for those that show it to people.
pub fn payload(notices: &[Notice], base: &str, node: &str, now: Timestamp) -> Value {
    let AlertText { subject, text } = AlertText::new(notices, base, node);
    let alerts: Vec<_> = notices.iter().map(|it| alert(it, base)).collect();
    json!({
        "type": "postrider.alert",
        "timestamp": now.to_rfc3339(),
        "data": { "subject": subject, "text": text, "node": node, "alerts": alerts },
    })
}

fn alert(notice: &Notice, base: &str) -> Value {
    let mut alert = json!({
        "state": notice.notice,
        "kind": notice.key.kind,
        "subject": notice.key.subject,
        "summary": notice.summary,
        "beganAt": notice.began_at.to_rfc3339(),
    });
    if let Some(ended_at) = notice.ended_at {
        alert["endedAt"] = ended_at.to_rfc3339().into();
    }
    if let Some((application, endpoint)) = notice.endpoint {
        alert["appId"] = application.to_string().into();
        alert["endpointId"] = endpoint.to_string().into();
    }
    if let Some(url) = url(notice, base) {
        alert["url"] = url.into();
    }
    alert
}

#[cfg(test)]
mod tests {
    use postrider::{ApplicationId, EndpointId};

    use super::{
        super::{AlertKey, AlertKind},
        *,
    };

    const BASE: &str = "https://hooks.example.com/";

    fn notice(notice: NoticeKind, subject: &str) -> Notice {
        Notice {
            notice,
            key: AlertKey { kind: AlertKind::DiskNearlyFull, subject: subject.to_owned() },
            summary: "5% are free.".to_owned(),
            began_at: Timestamp::from_millis(1_000),
            ended_at: (notice == NoticeKind::Resolved).then(|| Timestamp::from_millis(61_000)),
            endpoint: None,
        }
    }

    #[test]
    fn a_text_says_what_since_when_and_where() {
        let endpoint = Some((ApplicationId::from_u128(1), EndpointId::from_u128(2)));
        let firing = Notice { endpoint, ..notice(NoticeKind::Firing, "node-1") };
        let AlertText { subject, text } = AlertText::new(&[firing], BASE, "node-1");
        assert_eq!(subject, "[Postrider] ALERT: disk_nearly_full node-1");
        let url = format!(
            "{BASE}apps/{}/endpoints/{}",
            ApplicationId::from_u128(1),
            EndpointId::from_u128(2)
        );
        let expected = format!(
            "[ALERT] disk_nearly_full: node-1\n5% are free.\nSince 1970-01-01T00:00:01Z\n{url}\n\n\
             Sent by Postrider on node-1.\n"
        );
        assert_eq!(text, expected);
        let resolved = AlertText::new(&[notice(NoticeKind::Resolved, "a")], BASE, "b");
        assert!(resolved.text.contains("From 1970-01-01T00:00:01Z to 1970-01-01T00:01:01Z"));
    }

    #[test]
    fn many_alerts_are_counted() {
        let all: Vec<_> = (0..30).map(|it| notice(NoticeKind::Firing, &it.to_string())).collect();
        let AlertText { subject, text } = AlertText::new(&all, BASE, "a");
        assert_eq!(subject, "[Postrider] 30 alerts");
        assert!(text.contains("… and 10 more"), "{text}");
        let mixed = [notice(NoticeKind::Reminder, "a"), notice(NoticeKind::Resolved, "b")];
        assert_eq!(AlertText::new(&mixed, BASE, "a").subject, "[Postrider] 1 alert, 1 resolved");
        let resolved = [notice(NoticeKind::Resolved, "a"), notice(NoticeKind::Resolved, "b")];
        assert_eq!(AlertText::new(&resolved, BASE, "a").subject, "[Postrider] 2 alerts resolved");
    }

    #[test]
    fn programs_get_the_same_as_fields() {
        let payload =
            payload(&[notice(NoticeKind::Resolved, "a")], BASE, "b", Timestamp::from_millis(0));
        assert_eq!(payload["data"]["alerts"][0]["state"], "resolved");
        assert_eq!(payload["data"]["alerts"][0]["kind"], "disk_nearly_full");
        assert_eq!(payload["data"]["alerts"][0]["endedAt"], "1970-01-01T00:01:01Z");
        assert_eq!(payload["data"]["subject"], "[Postrider] RESOLVED: disk_nearly_full a");
    }
}
