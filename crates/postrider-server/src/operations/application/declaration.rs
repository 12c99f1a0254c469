//! Applications as files declare them.

use postrider::api::{self, ApplicationIn, ThrottleRate};
use postrider_core::{
    catalog::{Application, ApplicationMode},
    declaration::Document,
};

use super::build;
use crate::{
    api::error::ApiError,
    operations::{call::Call, environment::open_document, render},
};

/// The application after it was applied.
pub(in crate::operations) fn declared(
    call: &Call,
    old: Option<&Application>,
    body: ApplicationIn,
    place: &[&str],
) -> Result<Application, ApiError> {
    let mode = body.mode.map(super::mode);
    let new = build(call, body, place)?;
    let Some(old) = old.cloned() else { return Ok(new) };
    Ok(Application {
        mode: mode.unwrap_or(old.mode),
        name: new.name,
        metadata: new.metadata,
        throttle_rate: new.throttle_rate,
        updated_at: call.now,
        ..old
    })
}

/// The application as a file contains it.
pub(in crate::operations) fn document(it: &Application) -> Result<Document, ApiError> {
    open_document(&ApplicationIn {
        name: it.name.clone(),
        uid: it.uid.as_ref().map(ToString::to_string),
        throttle_rate: ThrottleRate(render::rate(it.throttle_rate)),
        metadata: it.metadata.clone(),
        mode: (it.mode == ApplicationMode::Shadow).then_some(api::ApplicationMode::Shadow),
    })
}
