//! Records the head of an HTTP/1 response, so that a status that was received is known even if
//! the rest of the response is malformed or missing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{head, limits::HEADERS_MAX};

/// What was received in response to the current request, up to the end of the head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Recording>>);

#[derive(Debug, Default)]
pub(super) struct Recording {
    phase: Phase,
    /// The head of the final response, and what was received in the same read.
    pub(super) bytes: Vec<u8>,
    /// Something was received, even if only an interim response.
    pub(super) has_begun: bool,
    /// A part of the request could not be sent.
    pub(super) is_cut_short: bool,
    /// Interim responses that were skipped.
    informational: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// There is no request in flight; the HTTP library handles what is received.
    #[default]
    Idle,
    Head,
    Body,
}

impl Recorder {
    /// A request is about to be sent.
    pub(super) fn begin(&self) {
        let is_cut_short = self.lock().is_cut_short;
        *self.lock() = Recording { phase: Phase::Head, is_cut_short, ..Recording::default() };
    }

    /// The response was read; `true` if the connection can be used for another request.
    pub(super) fn finish(&self) -> bool {
        let mut recording = self.lock();
        let bytes = std::mem::take(&mut recording.bytes);
        let is_whole = std::mem::take(&mut recording.phase) == Phase::Body;
        is_whole && !recording.is_cut_short && head::is_unambiguous(&bytes)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// Records bytes; returns the number of interim responses so far.
    pub(super) fn push(&mut self, received: &[u8]) -> usize {
        self.has_begun |= !received.is_empty();
        if self.phase != Phase::Head {
            return self.informational;
        }
        let searched = self.bytes.len();
        let room = (HEADERS_MAX as usize).saturating_sub(searched);
        self.bytes.extend_from_slice(received.get(..room).unwrap_or(received));
        self.skip_interim(searched);
        self.informational
    }

    /// Drops the heads of interim responses, and detects the end of the final one.
    fn skip_interim(&mut self, mut searched: usize) {
        let mut begin = 0;
        loop {
            let bytes = self.bytes.get(begin..).unwrap_or_default();
            let blank = bytes.iter().take_while(|it| matches!(it, b'\r' | b'\n')).count();
            begin += blank;
            let bytes = bytes.get(blank..).unwrap_or_default();
            let Some(end) = head::end(bytes, searched.saturating_sub(blank)) else { break };
            if !head::begins_interim(bytes) {
                self.phase = Phase::Body;
                break;
            }
            self.informational += 1;
            (begin, searched) = (begin + end, 0);
        }
        self.bytes.drain(..begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_holds_the_head_of_the_final_response() {
        const FINAL: &str = "HTTP/1.1 200 OK\r\nx: y\r\n\r\n";
        for (received, expected) in [
            (FINAL.to_owned(), FINAL.to_owned()),
            (format!("\r\n\n{FINAL}"), FINAL.to_owned()),
            (format!("HTTP/1.1 100 Continue\r\n\r\n{FINAL}"), FINAL.to_owned()),
            (format!("{}{FINAL}", "HTTP/1.1 103\nlink: x\n\n".repeat(3)), FINAL.to_owned()),
            ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), String::new()),
            ("HTTP/1.1 200 OK\r\nx: ".to_owned(), "HTTP/1.1 200 OK\r\nx: ".to_owned()),
        ] {
            for step in 1..=received.len() {
                let recorder = Recorder::default();
                recorder.begin();
                for part in received.as_bytes().chunks(step) {
                    recorder.lock().push(part);
                }
                let recorded = String::from_utf8_lossy(&recorder.lock().bytes).into_owned();
                assert_eq!(recorded, expected, "{received:?} in parts of {step}");
                assert_eq!(recorder.finish(), expected == FINAL, "{received:?}");
            }
        }
    }

    #[test]
    fn a_recording_is_bounded() {
        let recorder = Recorder::default();
        recorder.lock().push(b"before");
        recorder.begin();
        for _ in 0..5 {
            recorder.lock().push(&[b'x'; 16_000]);
        }
        assert_eq!(recorder.lock().bytes.len(), HEADERS_MAX as usize);
        assert!(!recorder.finish());
        assert!(recorder.lock().bytes.is_empty());
    }
}
