//! Sending messages again that an endpoint missed.

use std::sync::Arc;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use maud::{Markup, html};
use postrider::api::{BulkReplayIn, EndpointStats, RecoverIn, RecoverOut, ReplayIn};

use super::subject::Subject;
use crate::{
    api::ApiFailure,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Tone},
    range::Range,
    ui::{self, Field},
};

/// What is sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scope {
    /// Deliveries that failed or were cancelled.
    #[default]
    Failed,
    /// Messages that were never queued for the endpoint.
    Missing,
    /// All, also those that were delivered.
    All,
}

impl Scope {
    const ALL: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::Failed, "failed", "Failed messages", "Deliveries that failed or were cancelled."),
        (
            Self::Missing,
            "missing",
            "Missed messages",
            "Messages that were published while the endpoint was disabled or did not exist, or that its filters excluded then.",
        ),
        (
            Self::All,
            "all",
            "All messages",
            "Also those that were delivered. The receiver gets them twice.",
        ),
    ];

    fn of(form: &Form) -> Self {
        let named = Self::ALL.iter().find(|it| form.text("scope") == Some(it.1));
        named.map_or_else(Self::default, |it| it.0)
    }
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    show(&context, &subject, &Form::default(), None, None).await
}

/// Starts the background task.
pub(super) async fn start(context: Arc<Context>, form: Form) -> ActionResult {
    let subject = Subject::read(&context).await?;
    let (since, until) = match period(&form, context.now) {
        Ok(period) => period,
        Err(problem) => {
            let page = show(&context, &subject, &form, None, Some(problem)).await?;
            return Ok(Outcome::again(page));
        },
    };
    match send(&context, &subject, &form, since, until).await {
        Ok(task) if context.is_portal() => {
            let _ = task;
            let path = subject.path(&context, &[]);
            Ok(Outcome::done(path, "Messages are being sent again. They appear below as attempts."))
        },
        Ok(task) => {
            let path = format!("/tasks/{}", task.id);
            Ok(Outcome::done(path, "The task has started. It continues if you leave this page."))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::again(show(&context, &subject, &form, Some(&error), None).await?))
        },
        Err(error) => Err(error.into()),
    }
}

async fn send(
    context: &Context,
    subject: &Subject,
    form: &Form,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<RecoverOut, ApiFailure> {
    let retry = form.has("retry");
    match Scope::of(form) {
        Scope::Failed => {
            let body = RecoverIn { since, until, retry };
            context.api.post(subject.api(&["recover"]), &body).await
        },
        Scope::Missing => {
            context.api.post(subject.api(&["replay-missing"]), &ReplayIn { since, until }).await
        },
        Scope::All => {
            let body = BulkReplayIn {
                since,
                until,
                retry,
                event_types: Vec::new(),
                channel: None,
                tag: None,
                status: None,
                status_code_class: None,
            };
            context.api.post(subject.api(&["bulk-replay"]), &body).await
        },
    }
}

/// The period that the form names, or what is wrong with it.
fn period(form: &Form, now: Timestamp) -> Result<(Timestamp, Option<Timestamp>), &'static str> {
    const UNREADABLE: &str = "Enter a date and a time in UTC, such as 2026-11-27 14:30.";
    let range = form.text("range").unwrap_or_default();
    if let Some(range) = Range::ALL.into_iter().find(|it| it.name() == range) {
        return Ok((range.since(now), None));
    }
    let since = form.text("since").ok_or("Enter when the period begins.")?;
    let since = instant(since).ok_or(UNREADABLE)?;
    let until = form.text("until").map(|it| instant(it).ok_or(UNREADABLE)).transpose()?;
    Ok((since, until))
}

/// A time as browsers send it, or with an offset.
fn instant(text: &str) -> Option<Timestamp> {
    let parsed = text.parse::<Timestamp>().ok();
    parsed.or_else(|| {
        let local = text.parse::<DateTime>().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

async fn show(
    context: &Context,
    subject: &Subject,
    form: &Form,
    failure: Option<&ApiFailure>,
    problem: Option<&str>,
) -> Result<Page, Failure> {
    let counts = counts(context, subject).await?;
    let problem = problem.map(ToOwned::to_owned).or_else(|| failure?.of_field("since"));
    let content = html! {
        (ui::form::problems(failure, &["since", "until"]))
        (scopes(form))
        (ranges(form, &counts))
        div.two.exact {
            (Field::new("since", "From (UTC)").kind("datetime-local").sent(form, failure, "since").problem(problem).line())
            (Field::new("until", "Until (UTC)").kind("datetime-local").sent(form, failure, "until")
                .hint(html! { "Empty for now." }).line())
        }
        (Field::new("retry", "Retry messages that fail again by the retry schedule").sent(form, failure, "retry")
            .hint(html! { "Otherwise, each gets one attempt. Missed messages are always retried." }).checkbox())
        (ui::submit(context, "Send again", Some(&subject.path(context, &[]))))
    };
    let path = subject.path(context, &["recover"]);
    let page = subject.below(context, "Recover messages");
    Ok(page.part(html! {
        @if subject.endpoint.disabled {
            (ui::notice(Tone::Warning, &html! { "The endpoint is disabled. Enable it first; nothing can be sent to it now." }))
        }
        div.narrow.endpoint-form { (ui::form(context, &path, &content)) }
    }))
}

fn scopes(form: &Form) -> Markup {
    let chosen = Scope::of(form);
    html! {
        fieldset.option-cards {
            legend { "What to send again" }
            @for (scope, name, label, text) in Scope::ALL {
                label.option {
                    input type="radio" name="scope" value=(name) checked[scope == chosen];
                    span { strong { (label) } small { (text) } }
                }
            }
        }
    }
}

fn ranges(form: &Form, counts: &[(Range, EndpointStats)]) -> Markup {
    let chosen = form.text("range").unwrap_or(Range::Day.name());
    html! {
        fieldset.option-cards.compact {
            legend { "Messages accepted in" }
            @for (range, stats) in counts {
                label.option {
                    input type="radio" name="range" value=(range.name()) checked[chosen == range.name()];
                    span { (last(*range)) small { (failed(stats)) } }
                }
            }
            label.option {
                input type="radio" name="range" value="exact" checked[chosen == "exact"];
                span { "An exact period" small { "From a date and time on." } }
            }
        }
    }
}

const fn last(range: Range) -> &'static str {
    match range {
        Range::Hour => "The last hour",
        Range::Day => "The last 24 hours",
        Range::Week => "The last 7 days",
        Range::Month => "The last 30 days",
    }
}

fn failed(stats: &EndpointStats) -> String {
    let count = u64::try_from(stats.fail.saturating_add(stats.canceled)).unwrap_or_default();
    match count {
        0 => "Nothing failed.".to_owned(),
        1 => "1 failed or cancelled.".to_owned(),
        count => format!("{} failed or cancelled.", ui::number(count)),
    }
}

/// The deliveries of each range.
async fn counts(
    context: &Context,
    subject: &Subject,
) -> Result<Vec<(Range, EndpointStats)>, ApiFailure> {
    let of = |range: Range| {
        let path = subject.api(&["stats"]).with("since", range.since(context.now));
        context.api.get::<EndpointStats>(path)
    };
    let [hour, day, week, month] = Range::ALL;
    let found = tokio::try_join!(of(hour), of(day), of(week), of(month))?;
    Ok(Range::ALL.into_iter().zip([found.0, found.1, found.2, found.3]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_range_or_exact() {
        let now = "2026-01-02T00:00:00Z".parse::<Timestamp>().unwrap();
        let form = |fields: &[(&str, &str)]| {
            Form::filled(fields.iter().map(|(name, value)| (*name, (*value).to_owned())))
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let cases = [
            (form(&[("range", "24h"), ("since", "x")]), Some((at("2026-01-01T00:00:00Z"), None))),
            (
                form(&[("range", "exact"), ("since", "2026-01-01T14:30")]),
                Some((at("2026-01-01T14:30:00Z"), None)),
            ),
            (
                form(&[
                    ("range", "exact"),
                    ("since", "2026-01-01T14:30:00+01:00"),
                    ("until", "2026-01-01 15:00"),
                ]),
                Some((at("2026-01-01T13:30:00Z"), Some(at("2026-01-01T15:00:00Z")))),
            ),
            (form(&[("range", "exact")]), None),
            (form(&[("range", "exact"), ("since", "yesterday")]), None),
        ];
        for (form, expected) in cases {
            assert_eq!(period(&form, now).ok(), expected, "{form:?}");
        }
    }
}
