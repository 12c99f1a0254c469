//! Packets of MQTT 5: those that a publisher sends, and those that it understands.

use bytes::{Buf, BytesMut};
use postrider_core::{kind::mqtt::Mqtt, outcome::Failure};
use rumqttc::v5::mqttbytes::{
    Error,
    v5::{
        Connect, ConnectProperties, Disconnect, DisconnectReasonCode, Login, Packet, PingReq, check,
    },
};

use crate::failed::Failed;

/// Most bytes of a packet that a broker may send. Nothing that it sends to a publisher is large.
const MAX_INCOMING: u32 = 64 << 10;

/// What a broker sends to a publisher.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The connection is accepted, or not: the code, and what the broker allows.
    Connected { code: u8, allowed: Allowed },
    /// A message is confirmed, or not.
    Confirmed { id: u16, code: u8 },
    /// The broker ends the connection.
    Disconnected { code: u8 },
    /// Anything else, such as the response to a ping.
    Other,
}

/// What the broker allows this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub in_flight: u16,
    /// Most bytes of a packet.
    pub packet_bytes: Option<u32>,
    /// The broker's own choice, in seconds.
    pub keep_alive: Option<u16>,
    pub retain: bool,
    pub qos_1: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            in_flight: u16::MAX,
            packet_bytes: None,
            keep_alive: None,
            retain: true,
            qos_1: true,
        }
    }
}

/// The packet that opens a session, without state on the broker.
pub(super) fn connect(
    config: &Mqtt,
    client_id: String,
    keep_alive: u16,
    into: &mut BytesMut,
) -> Result<(), Failed> {
    let properties =
        ConnectProperties { max_packet_size: Some(MAX_INCOMING), ..ConnectProperties::new() };
    let connect =
        Connect { keep_alive, client_id, clean_start: true, properties: Some(properties) };
    let password = || config.password.as_ref().map(|it| it.reveal().to_owned()).unwrap_or_default();
    let login = config.username.as_ref().map(|name| Login::new(name.clone(), password()));
    write(&Packet::Connect(connect, None, login), into)
}

pub(super) fn ping(into: &mut BytesMut) -> Result<(), Failed> {
    write(&Packet::PingReq(PingReq), into)
}

pub(super) fn disconnect(into: &mut BytesMut) -> Result<(), Failed> {
    let reason = DisconnectReasonCode::NormalDisconnection;
    write(&Packet::Disconnect(Disconnect::new(reason)), into)
}

pub(super) fn write(packet: &Packet, into: &mut BytesMut) -> Result<(), Failed> {
    packet.write(into, None).map(drop).map_err(|_| {
        Failed::new(Failure::Rejected, "the message does not fit into a packet of the protocol")
    })
}

/// Removes the first packet from what was received, if it is complete.
pub(super) fn read(received: &mut BytesMut) -> Result<Option<Incoming>, Failed> {
    match check(received.iter(), Some(MAX_INCOMING)) {
        Ok(header) => parse(received.split_to(header.frame_length())).map(Some),
        Err(Error::InsufficientBytes(_)) => Ok(None),
        Err(_) => Err(malformed()),
    }
}

fn malformed() -> Failed {
    let reason = "the broker sent something that is not MQTT 5; check the port in `url`";
    Failed::new(Failure::Unavailable, reason)
}

/// The reason codes are read here, because the codec knows only some of them.
fn parse(frame: BytesMut) -> Result<Incoming, Failed> {
    let mut rest = frame.clone().freeze();
    let kind = rest.try_get_u8().map_err(|_| malformed())? >> 4;
    while rest.try_get_u8().map_err(|_| malformed())? & 0x80 != 0 {}
    match kind {
        2 => {
            rest.try_get_u8().map_err(|_| malformed())?;
            let code = rest.try_get_u8().map_err(|_| malformed())?;
            let allowed = if code == 0 { allowed(frame)? } else { Allowed::default() };
            Ok(Incoming::Connected { code, allowed })
        },
        4 => {
            let id = rest.try_get_u16().map_err(|_| malformed())?;
            // A success may be sent without its code.
            Ok(Incoming::Confirmed { id, code: rest.try_get_u8().unwrap_or(0) })
        },
        14 => Ok(Incoming::Disconnected { code: rest.try_get_u8().unwrap_or(0) }),
        _ => Ok(Incoming::Other),
    }
}

fn allowed(mut frame: BytesMut) -> Result<Allowed, Failed> {
    let properties = match Packet::read(&mut frame, Some(MAX_INCOMING)) {
        Ok(Packet::ConnAck(packet)) => packet.properties,
        _ => return Err(malformed()),
    };
    let default = Allowed::default();
    let Some(properties) = properties else { return Ok(default) };
    Ok(Allowed {
        in_flight: properties.receive_max.unwrap_or(default.in_flight),
        packet_bytes: properties.max_packet_size,
        keep_alive: properties.server_keep_alive,
        retain: properties.retain_available != Some(0),
        qos_1: properties.max_qos != Some(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(bytes: &[u8]) -> Result<Option<Incoming>, Failed> {
        read(&mut BytesMut::from(bytes))
    }

    #[test]
    fn packets_of_the_broker_are_understood() {
        let connected = |code, allowed| Incoming::Connected { code, allowed };
        let limited = Allowed { in_flight: 20, packet_bytes: Some(256), ..Allowed::default() };
        let cases: [(&[u8], Incoming); 8] = [
            (&[0x20, 3, 0, 0, 0], connected(0, Allowed::default())),
            (&[0x20, 11, 0, 0, 8, 33, 0, 20, 39, 0, 0, 1, 0], connected(0, limited)),
            (&[0x20, 3, 0, 0x86, 0], connected(0x86, Allowed::default())),
            // Of a broker that knows only version 3.1.1.
            (&[0x20, 2, 0, 1], connected(1, Allowed::default())),
            (&[0x40, 2, 1, 2], Incoming::Confirmed { id: 258, code: 0 }),
            (&[0x40, 4, 0, 7, 0x95, 0], Incoming::Confirmed { id: 7, code: 0x95 }),
            (&[0xe0, 2, 0x8b, 0], Incoming::Disconnected { code: 0x8b }),
            (&[0xd0, 0], Incoming::Other),
        ];
        for (bytes, expected) in cases {
            assert_eq!(incoming(bytes).unwrap(), Some(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn packets_are_read_one_by_one_and_when_they_are_complete() {
        let mut received = BytesMut::from(&[0x40, 2, 0, 1, 0x40, 2, 0][..]);
        assert_eq!(read(&mut received).unwrap(), Some(Incoming::Confirmed { id: 1, code: 0 }));
        assert_eq!(read(&mut received).unwrap(), None);
        received.extend_from_slice(&[2]);
        assert_eq!(read(&mut received).unwrap(), Some(Incoming::Confirmed { id: 2, code: 0 }));
    }

    #[test]
    fn what_is_not_mqtt_ends_the_connection() {
        let cases: [&[u8]; 5] = [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            &[0x20, 1, 0],
            &[0x20, 4, 0, 0, 9, 1],
            &[0x40, 1, 0],
            &[0x30, 0xff, 0xff, 0xff, 0x7f],
        ];
        for bytes in cases {
            assert!(!matches!(incoming(bytes), Ok(Some(_))), "{bytes:x?}");
        }
    }
}
