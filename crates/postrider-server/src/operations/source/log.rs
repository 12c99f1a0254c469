//! Requests that a source rejected, or dropped as duplicates.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use postrider::{
    RejectionId, SourceId,
    api::{
        IngestLogAcceptOut, IngestLogOut, IngestLogVerifyOut, ListResponse, ingest::PayloadEncoding,
    },
};
use postrider_core::{catalog::Source, message::Rejection, time::Timestamp};
use postrider_store::{IdOrUid, Scan, ScanPage};
use serde_json::json;

use crate::{
    api::{
        convert::to_wire, error::ApiError, operation::operations, path::PathArgument, query::query,
        reply::Done,
    },
    inbound::{Recheck, is_whole},
    operations::{
        audited::of_application,
        call::Call,
        page::{Page, PageQuery},
    },
};

operations! {
    tag "Ingest Logs";

    /// List the requests that a source rejected or dropped as duplicates
    ListLog "v1.ingest.log.list" = GET "/ingest/api/v1/source/{source_id}/log"
        path { source_id: IdOrUid<SourceId> }
        query { (PageQuery, LogQuery) }
        -> Done<ListResponse<IngestLogOut>> = list;

    /// List the requests that any source rejected or dropped as duplicates
    ListAllLogs "v1.ingest.log.list-all" = GET "/ingest/api/v1/log"
        query { (PageQuery, LogQuery) }
        -> Done<ListResponse<IngestLogOut>> = list_all;

    /// Verify a rejected request with the present secrets of its source
    VerifyLog "v1.ingest.log.verify" = POST "/ingest/api/v1/source/{source_id}/log/{log_id}/verify"
        path { source_id: IdOrUid<SourceId>, log_id: RejectionId }
        -> Done<IngestLogVerifyOut> = verify;

    /// Publish a rejected request as if it had been verified
    AcceptLog "v1.ingest.log.accept" = POST "/ingest/api/v1/source/{source_id}/log/{log_id}/accept"
        path { source_id: IdOrUid<SourceId>, log_id: RejectionId }
        -> Done<IngestLogAcceptOut> = accept;
}

query! {
    LogQuery {
        /// Only requests whose reason contains this text, in upper or lower case.
        reason: Option<String>,
        /// Only requests that were received before this time.
        before: Option<Timestamp>,
        /// Only requests that were received at this time or later.
        after: Option<Timestamp>,
    }
}

/// Rejections have no uids, so a text that is not an id names none.
impl PathArgument for RejectionId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("log entry"))
    }
}

impl LogQuery {
    fn admits(&self, it: &Rejection) -> bool {
        let contains = |wanted: &String| it.reason.to_lowercase().contains(&wanted.to_lowercase());
        self.reason.as_ref().is_none_or(contains)
            && self.before.is_none_or(|before| it.created_at() < before)
            && self.after.is_none_or(|after| it.created_at() >= after)
    }

    /// The scan without what is outside the period on the side where it starts.
    fn narrow(&self, scan: Scan<RejectionId>) -> Scan<RejectionId> {
        let edge = if scan.ascending { self.after } else { self.before };
        let Some(edge) = edge.map(|at| RejectionId::from_u128(u128::from(at.as_millis()) << 80))
        else {
            return scan;
        };
        let after = match scan.after {
            Some(after) if scan.ascending => after.max(edge),
            Some(after) => after.min(edge),
            None => edge,
        };
        Scan { after: Some(after), ..scan }
    }

    /// The rejections of a page that match. Behind the period there are no others.
    fn select(
        &self,
        mut page: ScanPage<Rejection, RejectionId>,
        ascending: bool,
    ) -> ScanPage<Rejection, RejectionId> {
        let is_behind = |id: RejectionId| {
            let at = Timestamp::from_millis(id.millis());
            if ascending {
                self.before.is_some_and(|before| at >= before)
            } else {
                self.after.is_some_and(|after| at < after)
            }
        };
        page.resume = page.resume.filter(|id| !is_behind(*id));
        page.items.retain(|it| self.admits(it));
        page
    }
}

async fn list(call: Call, input: ListLog) -> Result<Done<ListResponse<IngestLogOut>>, ApiError> {
    let ListLog { source_id, query: (query, filter) } = input;
    let source = call.source(&source_id).await?.id;
    let mut page = Page::<RejectionId>::of(&call, &query)?;
    call.resources.rejections.flush().await?;
    let read = async |scan: Scan<RejectionId>| {
        let ascending = scan.ascending;
        let found = call.store().rejections(source, filter.narrow(scan)).await?;
        Ok(filter.select(found, ascending))
    };
    let found = page.fill(read).await?;
    Ok(Done(page.list(found, |rejection| rejection.id, render)))
}

async fn list_all(
    call: Call,
    input: ListAllLogs,
) -> Result<Done<ListResponse<IngestLogOut>>, ApiError> {
    let (query, filter) = input.query;
    let mut page = Page::<RejectionId>::of(&call, &query)?;
    call.resources.rejections.flush().await?;
    let read = async |scan: Scan<RejectionId>| {
        let ascending = scan.ascending;
        let scan = filter.narrow(scan);
        let found = call.store().rejections_of(call.organization(), scan).await?;
        Ok(filter.select(found, ascending))
    };
    let found = page.fill(read).await?;
    Ok(Done(page.list(found, |rejection| rejection.id, render)))
}

async fn verify(call: Call, input: VerifyLog) -> Result<Done<IngestLogVerifyOut>, ApiError> {
    let (source, rejection) = find(&call, &input.source_id, input.log_id).await?;
    let reason = match call.resources.inbound.verify_again(&source, &rejection).await? {
        Recheck::Verified => None,
        Recheck::Failed(reason) => Some(reason),
    };
    Ok(Done(IngestLogVerifyOut {
        verified: reason.is_none(),
        reason,
        is_incomplete: !is_whole(&rejection),
    }))
}

async fn accept(call: Call, input: AcceptLog) -> Result<Done<IngestLogAcceptOut>, ApiError> {
    let (source, rejection) = find(&call, &input.source_id, input.log_id).await?;
    let (message_id, is_duplicate) =
        call.resources.inbound.accept_anyway(&source, &rejection).await?;
    let record = of_application("rejected request", rejection.id, source.application);
    let parameters = [("source", json!(source.id)), ("message", json!(message_id))];
    call.store().record(record, parameters).await?;
    Ok(Done(IngestLogAcceptOut { message_id, is_duplicate }))
}

async fn find(
    call: &Call,
    source_id: &IdOrUid<SourceId>,
    id: RejectionId,
) -> Result<(Source, Rejection), ApiError> {
    let source = call.source(source_id).await?;
    call.resources.rejections.flush().await?;
    let before = RejectionId::from_u128(id.as_u128().saturating_sub(1));
    let scan = Scan { after: Some(before), ascending: true, limit: 1 };
    let found = call.store().rejections(source.id, scan).await?.items.into_iter().next();
    let rejection = found.filter(|it| it.id == id).ok_or(ApiError::NotFound("log entry"))?;
    Ok((source, rejection))
}

/// A rejected request as responses show it.
pub(crate) fn render(it: Rejection) -> IngestLogOut {
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
