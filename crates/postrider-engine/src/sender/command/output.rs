//! What a program writes.

use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes that are kept.
const MAX_KEPT: usize = 16 << 10;

/// The beginning of what a program writes to standard output and standard error, in the order in
/// which it arrives.
#[derive(Debug, Default)]
pub(super) struct Output {
    kept: Mutex<Vec<u8>>,
}

impl Output {
    /// Reads to the end. What is not kept is read too, so that the program does not wait.
    pub(super) async fn read(&self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 8 << 10];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            self.keep(buffer.get(..count).unwrap_or_default());
        }
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_KEPT - kept.len();
        kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    pub(super) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim_end().to_owned()
    }
}
