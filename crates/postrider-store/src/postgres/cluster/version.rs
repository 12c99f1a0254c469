//! Watches the version of the schema: a node stops when it cannot use the schema any more.

use std::sync::Arc;

use postrider_core::data_format::Opening;

use crate::postgres::{error::DatabaseError, format, node::Node};

/// Returns when a later program has made a breaking change to the schema. What this node writes from
/// then on could be wrong.
pub(in crate::postgres) async fn watch(node: Arc<Node>) {
    loop {
        tokio::time::sleep(node.options.node_lease / 3).await;
        match is_outdated(&node).await {
            Ok(true) => return,
            Ok(false) => {},
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the version of the schema was not read");
            },
        }
    }
}

async fn is_outdated(node: &Node) -> Result<bool, DatabaseError> {
    let report = format::read(&mut node.background_session().await?).await?;
    let is_outdated = report.opening() == Opening::Refuse;
    if is_outdated {
        node.outdated.get_or_init(|| report);
    }
    Ok(is_outdated)
}
