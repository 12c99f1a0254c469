//! Streams over WebSocket.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{node::Node, page::SOON};

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn open(node: &Node, path: &str, origin: Option<&str>) -> Result<Self, u16> {
        let tcp = TcpStream::connect(node.address).await.unwrap();
        let mut request = format!("ws://hooks.example{path}").into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match client_async(request, tcp).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message that is not about the connection.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other messages are not expected")]
    async fn next(&mut self) -> Value {
        loop {
            match self.receive().await {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["event"] != "open" {
                        return message;
                    }
                },
                Message::Ping(_) => {},
                other => panic!("{other:?}"),
            }
        }
    }

    async fn receive(&mut self) -> Message {
        timeout(SOON, self.0.next()).await.expect("nothing arrives").unwrap().unwrap()
    }
}

#[tokio::test]
async fn each_message_is_one_text() {
    let node = Node::new(json!({ "event": "type" })).await;
    let path = node.stream(json!({})).await;
    let mut socket = Socket::open(&node, &path, None).await.unwrap();
    let id = node.publish(json!({ "name": "Ada" })).await;
    let message = socket.next().await;
    assert!(message["id"].as_str().unwrap().starts_with(&id), "{message}");
    assert_eq!(message["event"], "user.created");
    assert_eq!(message["data"]["payload"], json!({ "value": { "name": "Ada" } }));
    node.readers(1).await;
    drop(socket);
    node.readers(0).await;
}

#[tokio::test]
async fn a_long_message_arrives_as_one() {
    let node = Node::new(json!({})).await;
    let path = node.stream(json!({})).await;
    let mut socket = Socket::open(&node, &path, None).await.unwrap();
    let long = "ö".repeat(25_000);
    node.publish(json!(long)).await;
    assert_eq!(socket.next().await["data"]["payload"]["value"], long);
}

#[tokio::test]
async fn a_client_goes_on_after_the_message_that_it_names() {
    let node = Node::new(json!({})).await;
    let path = node.stream(json!({})).await;
    let mut socket = Socket::open(&node, &path, None).await.unwrap();
    node.publish(json!(1)).await;
    let first = socket.next().await["id"].as_str().unwrap().to_owned();
    for payload in 2..=3 {
        node.publish(json!(payload)).await;
        assert_eq!(socket.next().await["data"]["payload"]["value"], payload);
    }
    let mut by_message = Socket::open(&node, &path, None).await.unwrap();
    let start = json!({ "lastEventId": first }).to_string();
    by_message.0.send(Message::text(start)).await.unwrap();
    let by_query = Socket::open(&node, &format!("{path}&lastEventId={first}"), None).await;
    for socket in [&mut by_message, &mut by_query.unwrap()] {
        for payload in 2..=3 {
            assert_eq!(socket.next().await["data"]["payload"]["value"], payload);
        }
    }
}

#[tokio::test]
async fn the_close_code_says_why_a_stream_ends() {
    let node = Node::new(json!({})).await;
    let path = node.stream(json!({ "expiresIn": 1 })).await;
    let mut socket = Socket::open(&node, &path, None).await.unwrap();
    let end = socket.next().await;
    assert_eq!((&end["event"], &end["data"]["reason"]), (&json!("end"), &json!("token_expired")));
    let Message::Close(Some(frame)) = socket.receive().await else { panic!("it is not closed") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4_401, "token_expired"));
}

#[tokio::test]
async fn a_silent_socket_is_pinged_and_closed_at_shutdown() {
    let mut node = Node::new(json!({ "heartbeat": "1s" })).await;
    let path = node.stream(json!({})).await;
    let mut socket = Socket::open(&node, &path, None).await.unwrap();
    while !matches!(socket.receive().await, Message::Ping(_)) {}
    node.shut_down().await;
    assert_eq!(socket.next().await["data"]["reason"], "reconnect");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let node = Node::new(json!({ "allowedOrigins": ["https://a.example"] })).await;
    let path = node.stream(json!({})).await;
    for (origin, expected) in [
        (None, Ok(())),
        (Some("https://a.example"), Ok(())),
        (Some("http://hooks.example"), Ok(())),
        (Some("https://b.example"), Err(403)),
    ] {
        let opened = Socket::open(&node, &path, origin).await.map(|_| ());
        assert_eq!(opened, expected, "{origin:?}");
    }
}
