//! A connection that the deliveries of an endpoint share.

use std::sync::Arc;

use tokio::{sync::Mutex, time::Instant};

use crate::failed::Failed;

/// What can be lost.
pub(crate) trait Connection {
    /// Whether nothing can be sent any more.
    fn is_lost(&self) -> bool;
}

/// A connection that is opened when it is first needed, and again after it was lost.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    current: Option<Arc<T>>,
    failed: Option<(Instant, Failed)>,
}

impl<T: Connection> Shared<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { current: None, failed: None }) }
    }

    /// The connection. Callers that wait while it is being opened share the result, so that many
    /// deliveries to a server that is down make one attempt to connect.
    pub(crate) async fn get<F>(&self, open: impl FnOnce() -> F) -> Result<Arc<T>, Failed>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let asked_at = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(current) = state.current.as_ref().filter(|it| !it.is_lost()) {
            return Ok(Arc::clone(current));
        }
        state.current = None;
        if let Some((_, failed)) = state.failed.as_ref().filter(|(at, _)| *at > asked_at) {
            return Err(failed.clone());
        }
        match open().await {
            Ok(opened) => Ok(Arc::clone(state.current.insert(Arc::new(opened)))),
            Err(failed) => {
                state.failed = Some((Instant::now(), failed.clone()));
                Err(failed)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU32, Ordering},
        time::Duration,
    };

    use futures_util::future::join_all;

    use super::*;

    #[derive(Debug, Default)]
    struct Line {
        is_lost: AtomicBool,
    }

    impl Connection for Line {
        fn is_lost(&self) -> bool {
            self.is_lost.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn deliveries_that_wait_share_one_attempt_to_connect() {
        let shared = Shared::<Line>::new();
        let attempts = AtomicU32::new(0);
        let open = || async {
            attempts.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(Failed::unavailable("down"))
        };
        let results = join_all((0..10).map(|_| shared.get(open))).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(attempts.load(Ordering::Relaxed), 1);
        assert!(shared.get(open).await.is_err());
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_lost_connection_is_opened_again() {
        let shared = Shared::<Line>::new();
        let open = || async { Ok(Line::default()) };
        let first = shared.get(open).await.unwrap();
        assert!(Arc::ptr_eq(&first, &shared.get(open).await.unwrap()));
        first.is_lost.store(true, Ordering::Relaxed);
        let second = shared.get(open).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
    }
}
