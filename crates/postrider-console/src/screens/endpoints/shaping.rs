//! The filter of an endpoint, and its transformation: which messages it gets, and what is sent.
//!
//! | question | file |
//! |---|---|
//! | What does the page show? | `view.rs`, `filter_form.rs`, `script_form.rs` |
//! | What do its buttons do? | `filter.rs`, `script.rs` |
//! | What is a transformation tried on, and with which result? | `sample.rs`, `trial.rs` |
//! | Which code can a transformation begin with? | `start.rs` |

mod filter;
mod filter_form;
mod sample;
mod script;
mod script_form;
mod start;
mod trial;
mod variables;
mod view;

use std::sync::Arc;

pub(super) use self::{
    filter::change as change_filter, script::change as change_script, start::connectors,
};
use super::subject::Subject;
use crate::{context::Context, page::PageResult};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let subject = Subject::read(&context).await?;
    view::show(&context, &subject, &view::Sent::Nothing).await
}
