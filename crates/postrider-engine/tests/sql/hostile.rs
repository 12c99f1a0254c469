//! A MySQL server that asks for a file of the client's machine.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use postrider::api::EndpointKind;
use postrider_core::outcome::Failure;
use serde_json::json;

use crate::fixtures::{Fixture, assert_failed, message, target};

/// The first message of a server: version 5.7 with password authentication and 4.1 protocol.
fn greeting() -> Vec<u8> {
    let mut greeting = vec![10];
    greeting.extend(b"5.7.0\0\x01\0\0\0abcdefgh\0");
    // Capabilities (low), character set, status, capabilities (high), length of the salt.
    greeting.extend([0xff, 0xf7, 45, 2, 0, 0x0f, 0x00, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0mysql_native_password\0");
    greeting
}

fn send(client: &mut TcpStream, sequence: u8, packet: &[u8]) {
    let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
    client.write_all(&[length[0], length[1], length[2], sequence]).unwrap();
    client.write_all(packet).unwrap();
}

/// The content of the next packet, with its sequence number.
fn receive(client: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    client.read_exact(&mut header).ok()?;
    let [a, b, c, sequence] = header;
    let mut packet = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
    client.read_exact(&mut packet).ok()?;
    Some((sequence, packet))
}

/// Asks for a file as soon as the client sends a statement. Returns what it got.
fn steal(listener: &TcpListener) -> Vec<Vec<u8>> {
    let (mut client, _) = listener.accept().unwrap();
    send(&mut client, 0, &greeting());
    let (sequence, _login) = receive(&mut client).unwrap();
    send(&mut client, sequence + 1, &[0, 0, 0, 2, 0, 0, 0]);
    let (sequence, _statement) = receive(&mut client).unwrap();
    send(&mut client, sequence + 1, b"\xfb/etc/passwd");
    let mut stolen = Vec::new();
    while let Some((_, packet)) = receive(&mut client) {
        stolen.push(packet);
    }
    stolen
}

#[tokio::test]
async fn a_server_gets_no_file_of_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://u:secret@{}/x", listener.local_addr().unwrap());
    let thief = thread::spawn(move || steal(&listener));
    let fixture = Fixture::new();
    let target = target(EndpointKind::Mysql, &json!({ "url": url }));
    let report = fixture.send(&target, message(1, "{}")).await;
    assert_failed(&report, Failure::Misconfigured, "asked for a file of this machine");
    let stolen = thief.join().unwrap();
    // The client says goodbye, at most.
    assert!(stolen.iter().all(|packet| packet.len() <= 1), "{stolen:?}");
}
