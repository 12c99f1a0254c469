//! Authentication with Kafka. Neither stand-in has any, so the broker here is scripted: it speaks
//! as much of the protocol as a client needs to find out whether its password is right.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use postrider_core::outcome::Failure;
use postrider_engine::Sender;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    kafka::target,
    world::{assert_delivered, assert_failed, senders, text},
};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;

struct Broker {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Broker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
            }
        });
        Self { address, _task: task }
    }

    fn config(&self, password: &str, mechanism: &str) -> Value {
        json!({
            "brokers": [self.address.to_string()], "topic": "t",
            "username": "ada", "password": password, "mechanism": mechanism,
        })
    }
}

async fn serve(mut stream: TcpStream) {
    while let Ok(length) = stream.read_u32().await {
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut frame).await.is_err() {
            return;
        }
        let mut request = Bytes::from(frame);
        let (key, _version, id) = (request.get_i16(), request.get_i16(), request.get_i32());
        let mut response = BytesMut::new();
        response.put_i32(id);
        respond(key, &request, &mut response);
        let mut framed = BytesMut::new();
        framed.put_u32(u32::try_from(response.len()).unwrap());
        framed.extend_from_slice(&response);
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

fn respond(key: i16, request: &[u8], response: &mut BytesMut) {
    match key {
        API_VERSIONS => {
            let versions = [(PRODUCE, 7), (METADATA, 4), (SASL_HANDSHAKE, 1), (API_VERSIONS, 3)];
            let versions = [&versions[..], &[(SASL_AUTHENTICATE, 1)]].concat();
            response.put_i16(0);
            response.put_u8(u8::try_from(versions.len()).unwrap() + 1);
            for (key, max) in versions {
                response.put_i16(key);
                response.put_i16(0);
                response.put_i16(max);
                response.put_u8(0);
            }
            response.put_i32(0);
            response.put_u8(0);
        },
        SASL_HANDSHAKE => {
            response.put_i16(0);
            response.put_i32(1);
            put_text(response, "PLAIN");
        },
        SASL_AUTHENTICATE => {
            let is_right = request.ends_with(b"\0ada\0right");
            response.put_i16(if is_right { 0 } else { 58 });
            response.put_i16(-1);
            response.put_i32(0);
            response.put_i64(0);
        },
        METADATA => {
            response.put_i32(0);
            response.put_i32(1);
            response.put_i32(1);
            put_text(response, "127.0.0.1");
            response.put_i32(9092);
            response.put_i16(-1);
            response.put_i16(-1);
            response.put_i32(1);
            response.put_i32(0);
        },
        _ => panic!("unexpected request {key}"),
    }
}

fn put_text(response: &mut BytesMut, text: &str) {
    response.put_i16(i16::try_from(text.len()).unwrap());
    response.extend_from_slice(text.as_bytes());
}

#[tokio::test]
async fn the_password_is_checked() {
    let broker = Broker::start().await;
    let senders = senders(std::time::Duration::from_secs(5));
    let right = senders.check(target(&broker.config("right", "PLAIN"))).await;
    assert_delivered(&right);
    let wrong = senders.check(target(&broker.config("wrong-password", "PLAIN"))).await;
    assert_failed(&wrong, Failure::Misconfigured, "rejected the credentials");
    assert!(!text(&wrong).contains("wrong-password"));
}

#[tokio::test]
async fn a_mechanism_that_the_broker_does_not_have_is_a_mistake_in_the_configuration() {
    let broker = Broker::start().await;
    let senders = senders(std::time::Duration::from_secs(5));
    let report = senders.check(target(&broker.config("right", "SCRAM-SHA-256"))).await;
    assert_failed(&report, Failure::Misconfigured, "`mechanism`");
}
