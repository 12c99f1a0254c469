//! The alerts that are firing, from the store and from this node.

use postrider_core::alert::Alert;
use postrider_store::StoreError;

use super::book::StoredBook;
use crate::components::Components;

/// The alerts that are firing, the oldest first; none if alerts are not configured. While the store
/// fails, only those that this node keeps itself, unless there are none.
pub(crate) async fn firing(components: &Components) -> Result<Vec<Alert>, StoreError> {
    if components.alerts.settings().is_none() {
        return Ok(Vec::new());
    }
    let own = components.alerts.own();
    match StoredBook::new(components).read().await {
        Ok((_, book)) => Ok(book.firing(components.clock.now()).into_iter().chain(own).collect()),
        Err(_) if !own.is_empty() => Ok(own),
        Err(error) => Err(error),
    }
}
