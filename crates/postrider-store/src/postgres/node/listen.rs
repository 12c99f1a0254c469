//! Hears what other nodes tell, on a connection of its own.

use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use postrider::ApplicationId;
use tokio_postgres::{AsyncMessage, Client};

use super::{Shared, lock};
use crate::{
    StoreError, StoreEvent,
    postgres::{notice, trouble},
};

/// Time between two signs of life of the connection.
const PULSE: Duration = Duration::from_secs(5);

/// First and longest wait before another connection is tried.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Listens for as long as the store is open.
pub(super) async fn listen(shared: Arc<Shared>) {
    let mut pause = PAUSE;
    loop {
        let result = shared.hear().await;
        if shared.is_listening.swap(false, Ordering::Relaxed) {
            pause = PAUSE;
        }
        if let Err(error) = result {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the connection for notifications was lost");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

impl Shared {
    /// Hears until the connection is lost.
    async fn hear(&self) -> Result<(), StoreError> {
        let (client, mut messages) = self.address.listen().await?;
        let presence = self.be_present(&client);
        tokio::pin!(presence);
        loop {
            let message = tokio::select! {
                message = poll_fn(|ctx| messages(ctx)) => message,
                ended = &mut presence => return ended,
            };
            match message {
                Some(Ok(AsyncMessage::Notification(told))) => self.heard(told.payload()),
                // Notices of the server are for people.
                Some(Ok(_)) => {},
                Some(Err(error)) => return Err(trouble::translate(error)),
                None => return Ok(()),
            }
        }
    }

    /// Asks for notifications, and then for signs of life; ends with the connection.
    async fn be_present(&self, client: &Client) -> Result<(), StoreError> {
        let timeout = self.options.call_timeout;
        let begun = tokio::time::timeout(timeout, async {
            let row = client.query_one(notice::CHANNEL, &[]).await?;
            let channel: String = row.get(0);
            client.batch_execute(&format!("LISTEN {channel}")).await
        });
        begun.await.map_err(|_| silent())?.map_err(trouble::translate)?;
        self.is_listening.store(true, Ordering::Relaxed);
        // What was told before we listened was not heard.
        self.tell(StoreEvent::EventsMissed);
        loop {
            tokio::time::sleep(PULSE).await;
            let pulse = tokio::time::timeout(timeout, client.batch_execute("SELECT 1"));
            pulse.await.map_err(|_| silent())?.map_err(trouble::translate)?;
        }
    }

    fn heard(&self, payload: &str) {
        if payload == notice::DUE {
            return self.tell(StoreEvent::DeliveriesDue);
        }
        let change = payload.strip_prefix(notice::CHANGED).and_then(|rest| {
            let (application, id) = rest.split_once(' ')?;
            Some((application_id(application)?, id.parse().ok()?))
        });
        match change {
            Some((application, id)) => {
                lock(&self.heard).note(id);
                self.tell(StoreEvent::ApplicationChanged(application));
            },
            // A newer node may have more to tell.
            None => self.tell(StoreEvent::EventsMissed),
        }
    }
}

fn application_id(text: &str) -> Option<ApplicationId> {
    let digits: String = text.chars().filter(|it| *it != '-').collect();
    u128::from_str_radix(&digits, 16).ok().map(ApplicationId::from_u128)
}

fn silent() -> StoreError {
    trouble::unavailable("the database did not answer in time")
}
