//! The page of an endpoint: what it is doing, its attempts, and its settings.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{ListResponse, MessageAttemptOut, StatisticsSeriesOut};

use super::{
    attempts, banner, facts, order,
    subject::{Subject, Tab},
    traffic,
};
use crate::{
    context::Context,
    failure::Failure,
    page::PageResult,
    range::{Range, ranges},
    ui::{self, api_panel},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    let range = Range::of(&context);
    let path = attempts::path(&context, &subject);
    let recent =
        async { Ok::<_, Failure>(context.api.get::<ListResponse<MessageAttemptOut>>(path).await?) };
    let series = async {
        Ok::<_, Failure>(traffic::series(&context, &subject.app, &subject.id, range).await?)
    };
    let (series, recent, next) = tokio::try_join!(series, recent, order::next(&context, &subject))?;
    let command = format!("postrider endpoint get {} {}", subject.app, subject.id);
    let panel = api_panel(&context, &subject.endpoint, &subject.api(&[]), Some(&command));
    let page = subject.page(&context, Tab::Overview);
    Ok(page
        .live(
            "condition",
            html! {
                (order::banner(&subject))
                (order::managed(&subject))
                (banner::banner(&context, &subject, &series))
                (order::section(&context, &subject, next.as_ref()))
            },
        )
        .live("activity", activity(&context, &subject, &series, range))
        .live("attempts", attempts::section(&context, &subject, &recent))
        .part(panel))
}

fn activity(
    context: &Context,
    subject: &Subject,
    series: &StatisticsSeriesOut,
    range: Range,
) -> Markup {
    html! {
        div.split {
            div.stack {
                section.section {
                    div.section-head { h2 { "Activity" } (ranges(context, range)) }
                    (numbers(context, subject, series))
                    @if series.total.delivered + series.total.failed == 0 {
                        (ui::empty("No attempts in this time", &html! {
                            p { "Attempts appear here as soon as a message is sent to the endpoint." }
                        }))
                    } @else {
                        div.charts {
                            (traffic::outcomes(series, range, subject.endpoint.kind))
                            (traffic::latency(series, range))
                        }
                    }
                }
            }
            (facts::card(context, subject))
        }
    }
}

fn numbers(context: &Context, subject: &Subject, series: &StatisticsSeriesOut) -> Markup {
    let (total, state) = (&series.total, &subject.state);
    let attempts = total.delivered + total.failed;
    html! {
        section.numbers aria-label="Totals" {
            div { span.name { "Delivered" } span.value { (ui::number(total.delivered)) } span.note { "of " (ui::plural(attempts, "attempt")) } }
            div { span.name { "Failed" } span.value { (ui::number(total.failed)) } span.note { (ui::number(total.given_up)) " given up" } }
            div {
                span.name { "Pending" } span.value { (ui::number(state.pending)) @if state.pending >= 10_000 { "+" } }
                span.note { @if let Some(at) = state.oldest_due_at { "oldest due " (ui::time(context, at)) } @else { "nothing is waiting" } }
            }
            div {
                span.name { "Duration" } span.value { (total.attempt_duration.p50_ms.map_or_else(|| "–".to_owned(), ui::millis)) }
                span.note { @match total.attempt_duration.p95_ms { Some(it) => { "95 % within " (ui::millis(it)) }, None => "no attempts" } }
            }
        }
    }
}
