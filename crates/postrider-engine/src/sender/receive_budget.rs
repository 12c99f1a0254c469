//! Limits how much a receiver may send in response to a call, and how much of it is processed
//! without a pause.
//!
//! The receiver decides what it sends, so every loop over received data needs a limit that does not
//! depend on the receiver. All bytes of a connection are counted below TLS: TLS messages,
//! informational responses, headers, trailers, framing and bodies. Small reads and small HTTP/2
//! frames count as more than their bytes, because they cost more to process.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
};

use super::meter::Meter;

/// Limits on what a receiver may send in response to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Bytes received on the connection.
    pub bytes: usize,
    /// Informational (1xx) responses before the final one, over HTTP/1.
    pub informational: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { bytes: 256 << 10, informational: 10 }
    }
}

/// Minimum cost of one read, and of one HTTP/2 frame.
pub(super) const MIN_COST: usize = 256;

/// Calls whose unused budget a shared connection keeps for others.
const KEPT_CALLS: u64 = 128;

/// Bytes that a connection reads before other tasks of its thread have to run.
const SLICE: usize = 16 << 10;

const BYTES: u8 = 1;
const INFORMATIONAL: u8 = 2;

/// What may still be received on a connection.
#[derive(Clone, Debug)]
pub(super) struct ReceiveBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ResponseLimits,
    left: AtomicU64,
    /// Which limit was exceeded, if one was.
    exceeded: AtomicU8,
}

impl ReceiveBudget {
    /// The budget of a new connection. A handshake may take as much as a response.
    pub(super) fn new(limits: ResponseLimits) -> Self {
        let left = AtomicU64::new(limits.bytes as u64);
        Self(Arc::new(Shared { limits, left, exceeded: AtomicU8::new(0) }))
    }

    /// A call begins on a connection that is not shared.
    pub(super) fn renew(&self) {
        self.0.left.store(self.0.limits.bytes as u64, Relaxed);
    }

    /// A call whose response may have this size begins on a connection that is not shared.
    pub(super) fn renew_for(&self, response: usize) {
        self.0.left.store(response.max(self.0.limits.bytes) as u64, Relaxed);
    }

    /// A call with a request of this size begins on a shared connection. The receiver may
    /// acknowledge every 256 bytes of the request with a frame.
    pub(super) fn extend(&self, request: usize) {
        let call = self.0.limits.bytes as u64 + request as u64;
        let most = call.max(self.0.limits.bytes as u64 * KEPT_CALLS);
        let extended = |left: u64| Some(left.saturating_add(call).min(most));
        let updated = self.0.left.fetch_update(Relaxed, Relaxed, extended);
        debug_assert!(updated.is_ok(), "the closure always returns a value");
    }

    /// Counts received bytes; fails if the budget is exceeded.
    pub(super) fn spend(&self, cost: usize) -> io::Result<()> {
        let cost = cost as u64;
        let spent = |left: u64| left.checked_sub(cost);
        match self.0.left.fetch_update(Relaxed, Relaxed, spent) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.exceed(BYTES)),
        }
    }

    /// Fails if there are too many informational responses.
    pub(super) fn check_informational(&self, count: usize) -> io::Result<()> {
        if count <= self.0.limits.informational {
            return Ok(());
        }
        Err(self.exceed(INFORMATIONAL))
    }

    /// A sentence about the limit that the receiver has exceeded, if any.
    pub(super) fn exceeded(&self) -> Option<String> {
        let ResponseLimits { bytes, informational } = self.0.limits;
        match self.0.exceeded.load(Relaxed) {
            BYTES => Some(format!(
                "the receiver sent more than {bytes} bytes for one response, or many very small \
                 parts (limits.response_bytes)"
            )),
            INFORMATIONAL => Some(format!(
                "the receiver sent more than {informational} informational (1xx) responses \
                 (limits.informational_responses)"
            )),
            _ => None,
        }
    }

    fn exceed(&self, limit: u8) -> io::Error {
        self.0.exceeded.store(limit, Relaxed);
        io::Error::other(self.exceeded().unwrap_or_default())
    }
}

/// Counts the bytes that are received on a connection, and yields to other tasks.
#[derive(Debug)]
pub(super) struct ByteMeter {
    budget: ReceiveBudget,
    /// Bytes that were read since the last yield.
    read: usize,
}

impl ByteMeter {
    pub(super) fn new(budget: ReceiveBudget) -> Self {
        Self { budget, read: 0 }
    }
}

impl Meter for ByteMeter {
    fn must_yield(&mut self) -> bool {
        let is_over = self.read >= SLICE;
        if is_over {
            self.read = 0;
        }
        is_over
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            self.read = 0;
            return Ok(());
        }
        let cost = bytes.len().max(MIN_COST);
        self.read += cost;
        self.budget.spend(cost)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use tokio::io::{AsyncRead, ReadBuf};

    use super::*;
    use crate::sender::meter::Metered;

    /// Reads until the task has to yield; returns the bytes that were read, and the result.
    fn read_slice(
        stream: &mut Metered<tokio::io::Repeat, ByteMeter>,
        size: usize,
    ) -> (usize, io::Result<()>) {
        let mut ctx = Context::from_waker(Waker::noop());
        let (mut bytes, mut total) = (vec![0; size], 0);
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(&mut ctx, &mut buffer) {
                Poll::Ready(Ok(())) => total += buffer.filled().len(),
                Poll::Ready(Err(error)) => return (total, Err(error)),
                Poll::Pending => return (total, Ok(())),
            }
        }
    }

    #[test]
    fn a_receiver_that_never_stops_is_read_in_slices_and_cut_off() {
        for (size, slice_max, total_max) in [(8 << 10, SLICE, 256 << 10), (1, 64, 1_024)] {
            let budget = ReceiveBudget::new(ResponseLimits::default());
            let mut stream = Metered::new(tokio::io::repeat(0), ByteMeter::new(budget.clone()));
            let mut total = 0;
            let error = loop {
                let (read, ended) = read_slice(&mut stream, size);
                assert!(read <= slice_max, "{read} bytes in one slice, {size} at a time");
                total += read;
                if let Err(error) = ended {
                    break error;
                }
            };
            assert_eq!(total, total_max, "{size} at a time");
            assert!(error.to_string().contains("limits.response_bytes"), "{error}");
            assert_eq!(budget.exceeded(), Some(error.to_string()));
        }
    }

    #[test]
    fn a_call_gets_its_own_budget_and_a_shared_connection_the_sum_of_them() {
        let limits = ResponseLimits { bytes: 1_000, informational: 1 };
        let budget = ReceiveBudget::new(limits);
        assert!(budget.spend(900).is_ok() && budget.spend(200).is_err());
        budget.renew();
        assert!(budget.spend(1_000).is_ok() && budget.spend(1).is_err());
        budget.extend(0);
        budget.extend(500);
        assert!(budget.spend(2_500).is_ok() && budget.spend(1).is_err());
        for _ in 0..1_000 {
            budget.extend(0);
        }
        assert!(budget.spend(128_000).is_ok() && budget.spend(1).is_err());
        assert!(budget.check_informational(1).is_ok());
        assert!(budget.check_informational(2).is_err());
    }
}
