//! Commits that wait for a synchronous standby.

use http::Method;
use serde_json::json;

use crate::{
    cluster::settings,
    load::{ApiResponse, Caller},
    node::Node,
    postgres::Postgres,
    setup::token,
};

/// A primary that crashed while a commit waited for its standby shows the commit after its
/// recovery. If the standby is promoted now, the message is lost.
#[tokio::test]
async fn a_known_message_is_accepted_only_if_the_standby_has_it() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let mut variables = settings(&postgres.url);
    variables.push(("POSTRIDER_LIMITS__DATABASE_TIMEOUT", "1s".to_owned()));
    let mut node = Node::start(folder.path(), variables);
    let (url, caller) = (node.ready(), Caller::new(token()));
    let app = json!({ "name": "acme", "uid": "acme" });
    let created = caller.call(&url, Method::POST, "/app", Some(app)).await.unwrap();
    assert!(created.status < 300, "{created:?}");
    let publish = async || -> ApiResponse {
        let message = json!({ "eventType": "plain.event", "payload": { "n": 1 } });
        caller.publish(&url, "key", message).await.unwrap()
    };

    wait_for_standby(&postgres, "missing").await;
    assert_eq!(publish().await.status, 503, "the standby does not confirm");
    postgres.restart("immediate");
    assert_eq!(postgres.count("SELECT count(*) FROM message").await, 1, "it was recovered");
    let known = publish().await;
    assert_eq!(known.status, 503, "the standby still does not have it: {known:?}");

    wait_for_standby(&postgres, "").await;
    let accepted = publish().await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    assert_eq!(postgres.count("SELECT count(*) FROM message").await, 1);
}

/// Sets the name of the standby that commits wait for; none is connected.
async fn wait_for_standby(postgres: &Postgres, name: &str) {
    let client = postgres.client().await;
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    client.batch_execute(&set).await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let shown = format!(
        "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting <> '{name}'"
    );
    postgres.until_none(&shown).await;
}
