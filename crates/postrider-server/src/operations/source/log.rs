//! Requests that a source turned away, or dropped as duplicates.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use postrider::{
    RejectionId,
    api::{IngestLogOut, ListResponse, Ordering, ingest::PayloadEncoding},
};
use postrider_core::message::Rejection;

use super::ListQuery;
use crate::{
    api::{
        convert::to_wire,
        error::ApiError,
        operation::{Operation, operation},
        page::Page,
        reply::Shown,
    },
    operations::call::Call,
};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation(
            Method::GET,
            "/ingest/api/v1/source/{source_id}/log",
            "v1.ingest.log.list",
            "Ingest Logs",
            "List the requests that a source turned away or dropped as duplicates",
        )
        .run(list),
    ]
}

async fn list(
    call: Call,
    query: ListQuery,
    (): (),
) -> Result<Shown<ListResponse<IngestLogOut>>, ApiError> {
    let source = call.source().await?.id;
    let order = query.order.unwrap_or(Ordering::Descending);
    let mut page = Page::<RejectionId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    call.context.intake.flush(call.store()).await?;
    let found = page.fill(|scan| call.store().rejections(source, scan)).await?;
    Ok(Shown(page.list(found, |it| it.id, view)))
}

fn view(it: Rejection) -> IngestLogOut {
    let created_at = to_wire(it.created_at());
    let (payload, payload_encoding) = match str::from_utf8(&it.body) {
        Ok(text) => (text.to_owned(), PayloadEncoding::Text),
        Err(_) => (BASE64_STANDARD.encode(&it.body), PayloadEncoding::Base64),
    };
    IngestLogOut {
        id: it.id,
        source_id: it.source,
        status_code: it.status,
        error_text: it.reason,
        method: it.method,
        target: it.target,
        headers: joined(it.headers),
        payload,
        payload_encoding,
        duplicate_of: it.duplicate_of,
        created_at,
        updated_at: created_at,
    }
}

/// Headers by name; several of one name in one, as HTTP allows it.
fn joined(headers: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        joined
            .entry(name)
            .and_modify(|it| {
                it.push_str(", ");
                it.push_str(&value);
            })
            .or_insert(value);
    }
    joined
}
