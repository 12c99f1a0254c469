//! Pages about endpoints. The console and the portal share them; the portal shows those of one
//! application.
//!
//! | question | file |
//! |---|---|
//! | Which endpoints are there? | `list.rs`, `row.rs` |
//! | What is an endpoint doing, and why? | `condition.rs`, `banner.rs`, `traffic.rs` |
//! | What does the page of an endpoint show? | `subject.rs`, `detail.rs`, `attempts.rs`, `facts.rs` |
//! | What is sent next, and how is it skipped, retried or paused? | `order.rs` |
//! | How are its filter and its transformation tried and changed? | `shaping.rs`, `shaping/` |
//! | Which fields does a kind have? | `kinds.rs`, `kinds/` |
//! | How does a form become a request? | `fields.rs`, `body.rs`, `config.rs` |

mod actions;
mod attempts;
mod banner;
mod body;
pub(crate) mod condition;
mod config;
mod create;
mod detail;
mod event_types;
mod facts;
mod fields;
mod headers;
mod kinds;
mod list;
mod order;
mod polling;
mod readers;
mod recovery;
mod row;
mod secret;
mod settings;
mod shaping;
mod signing;
mod subject;
mod traffic;
mod trial;

use crate::route::Routes;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    of_application(routes.page("/endpoints", list::all), "/apps/{app}/endpoints")
}

/// The pages in the portal.
pub(crate) fn portal(routes: Routes) -> Routes {
    of_application(routes, "/portal/endpoints")
}

fn of_application(routes: Routes, base: &str) -> Routes {
    let at = |rest: &str| format!("{base}{rest}");
    let of = |rest: &str| format!("{base}/{{endpoint}}{rest}");
    routes
        .page(base, list::own)
        .page(&at("/new"), create::kinds)
        .page(&at("/new/{kind}"), create::page)
        .action(&at("/new/{kind}"), create::create)
        .page(&of(""), detail::page)
        .page(&of("/settings"), settings::page)
        .action(&of("/settings"), settings::save)
        .action(&of("/delete"), settings::delete)
        .page(&of("/filter"), shaping::page)
        .action(&of("/filter"), shaping::change_filter)
        .page(&of("/transformation"), shaping::page)
        .action(&of("/transformation"), shaping::change_script)
        .page(&of("/headers"), headers::page)
        .action(&of("/headers"), headers::set)
        .action(&of("/headers/remove"), headers::remove)
        .page(&of("/secret"), secret::page)
        .action(&of("/secret"), secret::act)
        .page(&of("/readers"), readers::page)
        .action(&of("/readers"), readers::create)
        .page(&of("/polling"), polling::page)
        .action(&of("/polling"), polling::act)
        .page(&of("/test"), trial::page)
        .action(&of("/test"), trial::act)
        .page(&of("/recover"), recovery::page)
        .action(&of("/recover"), recovery::start)
        .action(&of("/cancel"), actions::cancel)
        .action(&of("/enable"), actions::enable)
        .action(&of("/disable"), actions::disable)
        .action(&of("/pause"), order::pause)
        .action(&of("/resume"), order::resume)
        .action(&of("/skip"), order::skip)
        .action(&of("/retry"), order::force_retry)
}
