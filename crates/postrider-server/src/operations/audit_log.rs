//! The audit log: who changed what, when, from where, and with which operation.

use postrider::{
    AuditId,
    api::{AuditEntryOut, AuditPrincipalOut, AuditedRecordOut, ListResponse, Ordering, Permission},
};
use postrider_core::{audit::AuditEntry, time::Timestamp};
use postrider_store::{AuditFilter, ScanPage};

use crate::{
    api::{
        convert::to_wire,
        error::ApiError,
        operation::operations,
        query::{Limit, query},
        reply::{Done, Ndjson},
    },
    operations::{call::Call, page::Page},
};

/// Entries of one page of an export.
const EXPORT_LIMIT: Limit = Limit(10_000);

operations! {
    tag "Audit Log";

    /// List entries of the audit log
    List "v1.audit-log.list" = GET "/api/v1/audit-log"
        query { ListQuery }
        -> Done<ListResponse<AuditEntryOut>> = list,
        needs(Permission::Administer);

    /// Export entries of the audit log as NDJSON, oldest first
    Export "v1.audit-log.export" = GET "/api/v1/audit-log/export"
        query { ExportQuery }
        -> Ndjson<AuditEntryOut> = export,
        needs(Permission::Administer);
}

query! {
    ListQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// The order of the items; descending (newest first) if absent.
        order: Option<Ordering>,
        /// Only changes made before this time.
        before: Option<Timestamp>,
        /// Only changes made at this time or later.
        after: Option<Timestamp>,
        /// Only changes by this operation, such as `v1.endpoint.update`.
        operation: Option<String>,
        /// Only changes by this principal (an id as in the entries).
        principal: Option<String>,
        /// Only changes of the record with this id.
        record_id: Option<String>,
    }

    ExportQuery {
        /// The response header `postrider-iterator` of the previous page.
        iterator: Option<String>,
        /// Only changes made before this time.
        before: Option<Timestamp>,
        /// Only changes made at this time or later.
        after: Option<Timestamp>,
        /// Only changes by this operation, such as `v1.endpoint.update`.
        operation: Option<String>,
        /// Only changes by this principal.
        principal: Option<String>,
        /// Only changes of the record with this id.
        record_id: Option<String>,
    }
}

async fn list(
    call: Call,
    List { query }: List,
) -> Result<Done<ListResponse<AuditEntryOut>>, ApiError> {
    let order = query.order.unwrap_or(Ordering::Descending);
    let mut page = Page::<AuditId>::new(&call, query.limit, query.iterator.as_deref(), order)?;
    let filter = AuditFilter {
        before: query.before,
        after: query.after,
        operation: query.operation,
        principal: query.principal,
        record: query.record_id,
    };
    let found = fill(&call, &mut page, &filter).await?;
    Ok(Done(page.list(found, |it| it.id, render)))
}

/// Large logs are exported page by page, so that no response is unbounded.
async fn export(call: Call, Export { query }: Export) -> Result<Ndjson<AuditEntryOut>, ApiError> {
    let iterator = query.iterator.as_deref();
    let mut page = Page::<AuditId>::new(&call, EXPORT_LIMIT, iterator, Ordering::Ascending)?;
    let filter = AuditFilter {
        before: query.before,
        after: query.after,
        operation: query.operation,
        principal: query.principal,
        record: query.record_id,
    };
    let found = fill(&call, &mut page, &filter).await?;
    let iterator = found.resume.map(|id| id.to_string());
    Ok(Ndjson { lines: found.items.into_iter().map(render).collect(), iterator })
}

async fn fill(
    call: &Call,
    page: &mut Page<AuditId>,
    filter: &AuditFilter,
) -> Result<ScanPage<AuditEntry, AuditId>, ApiError> {
    let organization = call.organization();
    page.fill(|scan| call.store().audit_log(organization, filter.clone(), scan)).await
}

fn render(entry: AuditEntry) -> AuditEntryOut {
    AuditEntryOut {
        id: entry.id,
        timestamp: to_wire(entry.at()),
        principal: AuditPrincipalOut {
            kind: entry.actor.kind,
            id: entry.actor.id,
            name: entry.actor.name,
        },
        address: entry.address,
        operation: entry.operation,
        record: AuditedRecordOut {
            kind: entry.record.kind,
            id: entry.record.id,
            app_id: entry.record.application,
        },
        changes: entry.changes,
    }
}
