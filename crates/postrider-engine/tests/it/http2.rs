//! Truncated responses over HTTP/2: a received status decides.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use h2::{Reason, SendStream, server::SendResponse};
use postrider_core::outcome::{Failure, Outcome};
use postrider_engine::{Call, HttpSender, Sender};

use crate::{
    calls::call,
    receiver::Scripted,
    tls::{params, secure, self_signed, trusting},
};

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Completely.
    Whole,
    /// Completely, without reading the request's body.
    Early,
    /// With an error after a part of the response.
    Broken(Reason),
    /// With an error and no response.
    Refused(Reason),
    /// With the connection, after a part of the response.
    Closed,
    /// With the connection, without a response.
    Hung,
}

/// Responds to the requests of each connection one after the other with these ends.
async fn ending(ends: &'static [End]) -> (Scripted, HttpSender) {
    let identity = self_signed(&params("localhost"));
    let mut config = identity.server(None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let receiver = Scripted::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let mut ends = ends.iter().cycle();
            while let Some(Ok((_, respond))) = connection.accept().await {
                let end = *ends.next().unwrap();
                let stream = respond_with(respond, end);
                // A reset takes back what was not sent yet.
                let flush = |ctx: &mut Context<'_>| {
                    drop(connection.poll_closed(ctx));
                    Poll::Ready(())
                };
                poll_fn(flush).await;
                match (stream, end) {
                    (Some(mut stream), End::Broken(reason)) => stream.send_reset(reason),
                    (_, End::Closed | End::Hung) => {
                        connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
                    },
                    _ => {},
                }
            }
        }
    })
    .await;
    (receiver, HttpSender::new(trusting(vec![identity.der()])))
}

fn respond_with(mut respond: SendResponse<Bytes>, end: End) -> Option<SendStream<Bytes>> {
    let mut send = |is_whole: bool| {
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        stream.send_data(Bytes::from_static(b"ok"), is_whole).unwrap();
        Some(stream)
    };
    match end {
        End::Whole => send(true),
        // The library resets a stream with NO_ERROR whose request is dropped unread.
        End::Early => send(true).and(None),
        End::Broken(_) | End::Closed => send(false),
        End::Hung => None,
        End::Refused(reason) => {
            respond.send_reset(reason);
            None
        },
    }
}

#[tokio::test]
async fn a_received_status_decides_over_http_2_too() {
    for (ends, has_note) in [
        (&[End::Early][..], false),
        (&[End::Broken(Reason::INTERNAL_ERROR)], true),
        (&[End::Broken(Reason::PROTOCOL_ERROR)], true),
        (&[End::Closed], true),
    ] {
        let (receiver, sender) = ending(ends).await;
        // More than the receiver's window holds.
        let body = Bytes::from(vec![b'x'; 1 << 20]);
        let call = Call { body, ..call(&secure(&receiver)) };
        let mut report = sender.send(call).await;
        assert_eq!(report.outcome.status(), Some(200), "{ends:?}: {report:?}");
        let note = report.response.take_note();
        assert_eq!(note.is_some(), has_note, "{ends:?}: {note:?}");
    }
}

#[tokio::test]
async fn a_stream_without_a_status_is_a_failure() {
    let (receiver, sender) = ending(&[End::Refused(Reason::INTERNAL_ERROR)]).await;
    let report = sender.send(call(&secure(&receiver))).await;
    assert_eq!(report.outcome, Outcome::Unanswered(Failure::Protocol), "{report:?}");
}

#[tokio::test]
async fn a_used_connection_is_replaced_if_the_request_was_not_processed() {
    for (second, delivered, connections) in [
        (&[End::Whole, End::Refused(Reason::REFUSED_STREAM)][..], true, 2),
        (&[End::Whole, End::Refused(Reason::INTERNAL_ERROR)], false, 1),
        (&[End::Whole, End::Hung], true, 2),
        (&[End::Whole, End::Closed], true, 1),
    ] {
        let (receiver, sender) = ending(second).await;
        assert!(sender.send(call(&secure(&receiver))).await.outcome.delivered());
        let report = sender.send(call(&secure(&receiver))).await;
        assert_eq!(report.outcome.delivered(), delivered, "{second:?}: {report:?}");
        assert_eq!(receiver.connections(), connections, "{second:?}");
    }
}
