//! Reads all event types.

use postrider::api::{EventTypeOut, ListResponse};

use crate::{
    api::{ApiFailure, v1},
    context::Context,
    site::join,
};

/// Most pages that are read, of 250 event types each.
const MAX_PAGES: usize = 8;

/// All event types by name, without their schemas.
pub(crate) async fn all(
    context: &Context,
    with_archived: bool,
) -> Result<Vec<EventTypeOut>, ApiFailure> {
    let (mut found, mut iterator) = (Vec::new(), None::<String>);
    for _ in 0..MAX_PAGES {
        let path = v1(&["event-type"]).with("limit", 250).and("iterator", iterator.as_deref());
        let path = path.and("include_archived", with_archived.then_some(true));
        let page: ListResponse<EventTypeOut> = context.api.get(path).await?;
        found.extend(page.data);
        if page.done {
            break;
        }
        iterator = page.iterator;
    }
    Ok(found)
}

/// The path of an event type's page, without the prefix of the site.
pub(crate) fn path(context: &Context, segments: &[&str]) -> String {
    let base = if context.is_portal() { "/portal/event-types" } else { "/event-types" };
    format!("{base}{}", join(segments))
}
