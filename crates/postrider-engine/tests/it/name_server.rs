//! A name server on a real socket, with scripted answers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{net::UdpSocket, task::JoinSet};

/// The answer to a query.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Those of these addresses that are of the family that was asked for, with their time to
    /// live in seconds; no address is an answer too.
    Addresses(Vec<IpAddr>, u32),
    /// An error's code, such as 3 for a name that does not exist.
    Code(u8),
    Silence,
}

impl Reply {
    /// This machine's IPv4 address.
    pub(crate) fn here() -> Self {
        Self::Addresses(vec!["127.0.0.1".parse().unwrap()], 60)
    }
}

/// A name and the record type of its addresses, `A` or `AAAA`.
pub(crate) type Question = (String, &'static str);

/// A name server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    _task: JoinSet<()>,
}

impl NameServer {
    pub(crate) async fn start(script: impl Fn(&str, &str) -> Reply + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut task) = (Arc::clone(&asked), JoinSet::new());
        task.spawn(async move {
            let mut packet = [0; 1_024];
            loop {
                let (length, from) = socket.recv_from(&mut packet).await.unwrap();
                let query = &packet[..length];
                let (name, kind) = question(query);
                let reply = script(&name, kind);
                seen.lock().unwrap().push((name, kind));
                if let Some(response) = response(query, kind, &reply) {
                    socket.send_to(&response, from).await.unwrap();
                }
            }
        });
        Self { address, asked, _task: task }
    }

    /// All queries so far, including retries.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

const HEADER: usize = 12;

/// Length of the labels of the only question.
fn labels(query: &[u8]) -> usize {
    let mut at = HEADER;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    at + 1 - HEADER
}

fn question(query: &[u8]) -> Question {
    let (mut name, mut at) = (Vec::new(), HEADER);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        name.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let kind = match query[at + 2] {
        1 => "A",
        28 => "AAAA",
        other => panic!("record type {other}"),
    };
    (name.join("."), kind)
}

fn response(query: &[u8], kind: &str, reply: &Reply) -> Option<Vec<u8>> {
    let (addresses, ttl, code) = match reply {
        Reply::Addresses(addresses, ttl) => (addresses.as_slice(), *ttl, 0),
        Reply::Code(code) => (&[][..], 0, *code),
        Reply::Silence => return None,
    };
    let data: Vec<Vec<u8>> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(it) if kind == "A" => Some(it.octets().to_vec()),
            IpAddr::V6(it) if kind == "AAAA" => Some(it.octets().to_vec()),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
        .collect();
    let mut response = query[..2].to_vec();
    // A response, with recursion, to one question.
    response.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(data.len()).unwrap(), 0, 0, 0, 0]);
    response.extend(&query[HEADER..HEADER + labels(query) + 4]);
    for data in data {
        // The name of the question, its type, class IN.
        response.extend([0xc0, 0x0c, 0, if kind == "A" { 1 } else { 28 }, 0, 1]);
        response.extend(ttl.to_be_bytes());
        response.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        response.extend(data);
    }
    Some(response)
}
