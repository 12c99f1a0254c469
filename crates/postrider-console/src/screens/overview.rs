//! The overview: what happens, what fails, and how the server is.

mod alerts;
mod first_steps;
mod health;
mod traffic;

use std::sync::Arc;

use maud::html;
use postrider::api::{
    AlertsOut, RejectingSourcesOut, StatisticsSeriesOut, StatusOut, WorstEndpointsOut,
};
use tokio::try_join;

use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Section},
    range::{Range, ranges},
    ui,
};

pub(crate) async fn page(context: Arc<Context>) -> PageResult {
    let range = Range::of(&context);
    let (api, since) = (&context.api, range.since(context.now));
    let status = api.get::<StatusOut>(v1(&["status"])).await?;
    if let Some(rebuild) = &status.store.index_rebuild {
        // The numbers would be refused, or cover a part of the time.
        return Ok(Page::new(Section::Overview, "Overview")
            .live("rebuild", ui::index_rebuild(&context, rebuild))
            .live("server", health::server(&context, &status)));
    }
    let (series, worst, rejecting, alerts, steps) = try_join!(
        api.get::<StatisticsSeriesOut>(range.on(v1(&["stats", "series"]), context.now)),
        api.get::<WorstEndpointsOut>(v1(&["stats", "worst-endpoints"]).with("since", since)),
        api.get::<RejectingSourcesOut>(v1(&["stats", "rejecting-sources"]).with("since", since)),
        api.get::<AlertsOut>(v1(&["alerts"])),
        first_steps::progress(&context),
    )?;
    let page = Page::new(Section::Overview, "Overview").actions(ranges(&context, range));
    let page = if steps.are_done() {
        page
    } else {
        page.live("first-steps", first_steps::view(&context, &steps))
    };
    Ok(page
        .live("alerts", alerts::view(&context, &alerts))
        .live("traffic", traffic::view(&context, range, &series, &status))
        .live(
            "problems",
            html! {
                div.grid {
                    (health::worst_endpoints(&context, &worst))
                    (health::rejecting_sources(&context, &rejecting))
                }
            },
        )
        .live("server", health::server(&context, &status)))
}
