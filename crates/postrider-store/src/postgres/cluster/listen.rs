//! Listens to notifications of other nodes, on a connection of its own.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use postrider::ApplicationId;
use tokio_postgres::{AsyncMessage, Client};

use crate::{
    contract::cluster::StoreEvent,
    postgres::{error::DatabaseError, node::Node, notify},
};

/// Time between two checks that the connection is alive: a listener sends nothing else, and would
/// not notice that it is cut off.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// First and longest pause before the next connection.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Listens as long as the store is open.
pub(in crate::postgres) async fn listen(node: Arc<Node>) {
    let mut pause = PAUSE;
    loop {
        let result = receive(&node).await;
        if node.is_listening.swap(false, Ordering::Relaxed) {
            pause = PAUSE;
        }
        if let Err(error) = result {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the connection for notifications was lost");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Receives notifications until the connection is lost.
async fn receive(node: &Node) -> Result<(), DatabaseError> {
    let (client, mut messages) = node.address.listen().await?;
    let subscription = subscribe(node, &client);
    tokio::pin!(subscription);
    loop {
        let message = tokio::select! {
            message = poll_fn(|ctx| messages(ctx)) => message,
            ended = &mut subscription => return ended,
        };
        match message {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                handle(node, notification.payload());
            },
            // Notices of the server.
            Some(Ok(_)) => {},
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(()),
        }
    }
}

/// Subscribes to the channel, and then checks the connection until it is lost.
async fn subscribe(node: &Node, client: &Client) -> Result<(), DatabaseError> {
    let timeout = node.options.call_timeout;
    let subscribed = tokio::time::timeout(timeout, async {
        let row = client.query_one(notify::CHANNEL, &[]).await?;
        let channel: String = row.get(0);
        client.batch_execute(&format!("LISTEN {channel}")).await
    });
    subscribed.await.map_err(|_| no_response())??;
    node.is_listening.store(true, Ordering::Relaxed);
    // Notifications from before the subscription were not received.
    node.emit(StoreEvent::EventsMissed);
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let check = tokio::time::timeout(timeout, client.batch_execute("SELECT 1"));
        check.await.map_err(|_| no_response())??;
    }
}

fn handle(node: &Node, payload: &str) {
    if payload == notify::DUE {
        return node.emit(StoreEvent::DeliveriesDue);
    }
    let change = payload.strip_prefix(notify::CHANGED).and_then(|rest| {
        let (application, id) = rest.split_once(' ')?;
        Some((application_id(application)?, id.parse().ok()?))
    });
    match change {
        Some((application, id)) => {
            node.changes().ids.insert(id);
            node.emit(notify::event(application));
        },
        // The payload of a newer version: everything may have changed.
        None => node.emit(StoreEvent::EventsMissed),
    }
}

fn application_id(text: &str) -> Option<ApplicationId> {
    let digits: String = text.chars().filter(|digit| *digit != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(ApplicationId::from_u128)
}

fn no_response() -> DatabaseError {
    DatabaseError::unavailable("the database did not respond in time")
}
