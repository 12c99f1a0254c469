//! A store call in flight.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// At most one store call in flight.
pub(super) struct InFlight<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> InFlight<T> {
    pub(super) fn start(&mut self, call: impl Future<Output = T> + Send + 'static) {
        debug_assert!(self.0.is_none(), "calls of one kind are made one after the other");
        self.0 = Some(Box::pin(call));
    }

    pub(super) const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// The result of the call, once it is there.
    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<T> {
        let Some(call) = &mut self.0 else { return Poll::Pending };
        let result = ready!(call.as_mut().poll(ctx));
        self.0 = None;
        Poll::Ready(result)
    }
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> fmt::Debug for InFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InFlight").field(&self.is_some()).finish()
    }
}
