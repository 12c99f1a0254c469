//! What is known about a call in flight, and the result when it ends or reaches its time limit. Once
//! the status is known, it decides.

use std::{error::Error, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, response::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use postrider_core::outcome::Failure;

use super::{head, limits::BODY_KEPT, recorder::Recorder};
use crate::sender::{error::CallError, tls};

/// The part of a response that is kept.
#[derive(Debug)]
pub(super) struct ReceivedResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// A sentence about what could not be read.
    pub(super) note: Option<String>,
}

/// What is known about a call so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The address of the connection that the request was sent on.
    pub(super) address: Option<SocketAddr>,
    /// The received bytes, over HTTP/1.
    pub(super) recorder: Option<Recorder>,
    head: Option<(StatusCode, HeaderMap)>,
    body: BytesMut,
}

impl Progress {
    /// Reads as much of a response as is kept; `true` if that was all of it.
    pub(super) async fn read(
        &mut self,
        response: http::Response<Incoming>,
    ) -> Result<bool, CallError> {
        let (Parts { status, headers, .. }, mut body) = response.into_parts();
        self.head = Some((status, headers));
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| connection_error(&error))?.into_data() else {
                continue;
            };
            let room = BODY_KEPT - self.body.len();
            self.body.extend_from_slice(data.get(..room).unwrap_or(&data));
            if data.len() > room {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|(status, _)| *status)
    }

    /// Why no head could be parsed over HTTP/1, from the library's error and the received bytes.
    pub(super) fn without_head(&self, error: &hyper::Error) -> CallError {
        let Some(recorder) = &self.recorder else { return connection_error(error) };
        let recording = recorder.lock();
        if let Some(reason) = tls::explain(error) {
            return CallError::new(Failure::Tls, reason);
        }
        if recording.bytes.is_empty() {
            let when = if recording.is_cut_short { "while the request was sent" } else { "" };
            let reason = format!("the connection ended without a response {when}");
            return CallError::new(Failure::Protocol, reason.trim_end().to_owned());
        }
        if head::read(&recording.bytes).is_some() {
            return connection_error(error);
        }
        CallError::new(Failure::Protocol, not_http(&recording.bytes))
    }

    /// The result of the call: the response, if its status is known.
    pub(super) fn end(self, ended: Result<(), CallError>) -> Result<ReceivedResponse, CallError> {
        let failed = match (ended, self.head) {
            (Ok(()), Some((status, headers))) => {
                let (status, body) = (status.as_u16(), self.body.freeze());
                return Ok(ReceivedResponse { status, headers, body, note: None });
            },
            (Err(failed), Some((status, headers))) => {
                let (status, body) = (status.as_u16(), self.body.freeze());
                let note = Some(format!("the response is incomplete: {}", failed.reason));
                return Ok(ReceivedResponse { status, headers, body, note });
            },
            (Ok(()), None) => CallError::new(Failure::Protocol, "there was no response"),
            (Err(failed), None) => failed,
        };
        if let Some(response) = self.recorder.and_then(|it| recorded(&it, &failed)) {
            return Ok(response);
        }
        Err(CallError { address: failed.address.or(self.address), ..failed })
    }
}

/// The response from the recorded bytes, if they contain the status.
fn recorded(recorder: &Recorder, failed: &CallError) -> Option<ReceivedResponse> {
    let recording = recorder.lock();
    let head::Head { status, headers, rest } = head::read(&recording.bytes)?;
    let kept = rest.get(..BODY_KEPT).unwrap_or(rest);
    let note = Some(format!("the response could not be read completely: {}", failed.reason));
    Some(ReceivedResponse { status, headers, body: Bytes::copy_from_slice(kept), note })
}

/// A sentence about bytes that are not an HTTP response.
fn not_http(bytes: &[u8]) -> String {
    /// Enough to recognize another protocol.
    const SHOWN: usize = 40;
    // A TLS record: a type, then the major version.
    if matches!(bytes, [20..=23, 3, ..]) {
        return "the server speaks TLS on this port: change the URL to https".to_owned();
    }
    let shown = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii();
    format!("the response is not HTTP; it begins with \"{shown}\"")
}

/// The error of a broken connection, with the cause that the library reports.
pub(super) fn connection_error(error: &hyper::Error) -> CallError {
    if let Some(reason) = tls::explain(error) {
        return CallError::new(Failure::Tls, reason);
    }
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    CallError::new(Failure::Protocol, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_http_are_described() {
        for (bytes, expected) in [
            (&b"SSH-2.0-x\r\n"[..], r#"the response is not HTTP; it begins with "SSH-2.0-x\r\n""#),
            (
                b"\x15\x03\x01\x00\x02\x02\x50",
                "the server speaks TLS on this port: change the URL to https",
            ),
            (
                &[b'x'; 100],
                &format!("the response is not HTTP; it begins with \"{}\"", "x".repeat(40)),
            ),
        ] {
            assert_eq!(not_http(bytes), expected);
        }
    }
}
