//! The feed of events that a live page follows.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::{StreamExt, stream::Fuse};
use tokio::time::timeout;

/// A feed of Server-Sent Events. Most streams panic if they are polled after their end, and a page
/// may look again after that: it learns of the end only when it waits.
pub(super) struct Feed(Fuse<BodyDataStream>);

/// What a feed said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedEvent {
    /// Something happened.
    Entry,
    /// The server stops, or the credentials are no longer valid.
    End,
}

impl Feed {
    pub(super) fn new(body: Body) -> Self {
        Self(body.into_data_stream().fuse())
    }

    /// Waits until something happens, or until the feed ends.
    pub(super) async fn next(&mut self) -> FeedEvent {
        loop {
            match self.0.next().await {
                Some(Ok(bytes)) if bytes.starts_with(b"id:") => return FeedEvent::Entry,
                Some(Ok(_)) => {},
                Some(Err(_)) | None => return FeedEvent::End,
            }
        }
    }

    /// Skips what has happened already.
    pub(super) async fn skip_ready(&mut self) {
        while timeout(Duration::ZERO, self.0.next()).await.is_ok_and(|it| it.is_some()) {}
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    /// A feed as the server makes it, which panics if it is polled after its end.
    fn feed(chunks: &'static [&'static str]) -> Feed {
        let stream = stream::unfold(chunks.iter(), async |mut rest| {
            let chunk = rest.next()?;
            Some((Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())), rest))
        });
        Feed::new(Body::from_stream(stream))
    }

    #[tokio::test]
    async fn a_feed_that_has_ended_stays_so() {
        let mut feed = feed(&["retry: 2000\n\n", "id: 1\ndata: {}\n\n", "id: 2\ndata: {}\n\n"]);
        assert_eq!(feed.next().await, FeedEvent::Entry);
        feed.skip_ready().await;
        assert_eq!(feed.next().await, FeedEvent::End);
        feed.skip_ready().await;
        assert_eq!(feed.next().await, FeedEvent::End);
    }
}
