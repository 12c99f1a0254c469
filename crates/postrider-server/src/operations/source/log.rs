//! Requests that a source rejected, or dropped as duplicates.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::{
    RejectionId, SourceId,
    api::{IngestLogOut, ListResponse, Permission, ingest::PayloadEncoding},
};
use postrider_core::message::Rejection;
use postrider_store::IdOrUid;

use crate::{
    api::{convert::to_wire, error::ApiError, operation::operations, reply::Done},
    operations::{
        call::Call,
        page::{Page, PageQuery},
    },
};

operations! {
    tag "Ingest Logs";

    /// List the requests that a source rejected or dropped as duplicates
    ListLog "v1.ingest.log.list" = GET "/ingest/api/v1/source/{source_id}/log"
        path { source_id: IdOrUid<SourceId> }
        query { PageQuery }
        -> Done<ListResponse<IngestLogOut>> = list,
        needs(Permission::Read);
}

async fn list(call: Call, input: ListLog) -> Result<Done<ListResponse<IngestLogOut>>, ApiError> {
    let ListLog { source_id, query } = input;
    let source = call.source(&source_id).await?.id;
    let mut page = Page::<RejectionId>::of(&call, &query)?;
    call.resources.rejections.flush().await?;
    let found = page.fill(|scan| call.store().rejections(source, scan)).await?;
    Ok(Done(page.list(found, |rejection| rejection.id, render)))
}

fn render(it: Rejection) -> IngestLogOut {
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
        headers: join_headers(it.headers),
        payload,
        payload_encoding,
        duplicate_of: it.duplicate_of,
        created_at,
        updated_at: created_at,
    }
}

/// Headers by name. Those of the same name are joined, as HTTP allows.
fn join_headers(headers: Vec<(String, String)>) -> BTreeMap<String, String> {
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
