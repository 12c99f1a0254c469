//! The overview: what happens, what fails, and how the server is.

use std::sync::Arc;

use maud::html;
use postrider::api::{StatisticsSeriesOut, StatusOut};

use crate::{
    api::v1,
    context::Context,
    page::{Page, Section},
    route::PageResult,
    ui::{self, facts},
};

pub(crate) async fn page(context: Arc<Context>) -> PageResult {
    let series: StatisticsSeriesOut = context.api.get(v1(&["stats", "series"])).await?;
    let status: StatusOut = context.api.get(v1(&["status"])).await?;
    Ok(Page::new(Section::Overview, "Overview").live(
        "totals",
        html! {
            (facts(&[
                ("Accepted", html! { (ui::count(series.total.accepted)) }),
                ("Delivered", html! { (ui::count(series.total.delivered)) }),
                ("Failed", html! { (ui::count(series.total.failed)) }),
                ("Version", html! { (status.version) }),
            ]))
        },
    ))
}
