//! Reason codes of MQTT 5, and what each means for a delivery.

use crate::outcome::Failure;

/// A failure, its cause and what to do.
pub type Reason = (Failure, &'static str);

/// What the code in a PUBACK means; `None` if the broker has accepted the message.
pub const fn confirmation(code: u8) -> Option<Reason> {
    Some(match code {
        // The second is a success without a subscriber.
        0x00 | 0x10 => return None,
        0x87 => (
            Failure::Misconfigured,
            "the broker does not allow this client to publish to the topic; change its access list",
        ),
        0x90 => (Failure::Rejected, "the broker does not accept the topic; correct the template"),
        0x95 => (Failure::Rejected, "the message is larger than the broker accepts"),
        0x97 => (Failure::Busy, "a quota of the broker is exceeded"),
        0x99 => (Failure::Rejected, "the broker does not accept the format of the payload"),
        _ => (Failure::Unavailable, "the broker did not accept the message; see the broker's log"),
    })
}

/// What the code in a CONNACK means; `None` if the client is connected. Brokers that know only
/// version 3.1.1 respond with its codes, which are below 6.
pub const fn connection(code: u8) -> Option<Reason> {
    Some(match code {
        0x00 => return None,
        0x01 | 0x84 => (
            Failure::Misconfigured,
            "the broker does not speak MQTT 5; upgrade it or use another broker",
        ),
        0x02 | 0x85 => (
            Failure::Misconfigured,
            "the broker does not accept the client id; set `clientId` to one that it accepts",
        ),
        0x04 | 0x86 => (
            Failure::Misconfigured,
            "the broker rejected the credentials; correct `username` and `password`",
        ),
        0x05 | 0x87 => (
            Failure::Misconfigured,
            "the broker does not allow the client to connect; correct `username` and `password`, \
             or the broker's access list",
        ),
        0x8a => (Failure::Misconfigured, "the broker has banned this client"),
        0x8c => (Failure::Misconfigured, "the broker asks for another authentication method"),
        0x9c | 0x9d => {
            (Failure::Misconfigured, "the broker refers to another server; change `url`")
        },
        0x89 | 0x97 | 0x9f => (Failure::Busy, "the broker accepts no connection now; it is busy"),
        0x03 | 0x88 => (Failure::Unavailable, "the broker is not available"),
        _ => (Failure::Unavailable, "the broker did not accept the connection; see its log"),
    })
}

/// What the code in a DISCONNECT of the broker means for messages that are not confirmed yet.
pub const fn disconnection(code: u8) -> Reason {
    match code {
        0x87 => (
            Failure::Misconfigured,
            "the broker does not allow this client to publish to the topic; change its access list",
        ),
        0x89 | 0x96 | 0x97 => (Failure::Busy, "the broker closed the connection; it is busy"),
        0x8b => (Failure::Unavailable, "the broker is shutting down"),
        0x8e => (
            Failure::Unavailable,
            "another client connected with the same client id; give each its own",
        ),
        0x95 => (
            Failure::Unavailable,
            "the broker closed the connection because of a message that was too large",
        ),
        _ => (Failure::Unavailable, "the broker closed the connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        use Failure::{Busy, Misconfigured, Rejected, Unavailable};
        let failure = |reason: Option<Reason>| reason.map(|(failure, _)| failure);
        let confirmations = [
            (0x00, None),
            (0x10, None),
            (0x80, Some(Unavailable)),
            (0x87, Some(Misconfigured)),
            (0x90, Some(Rejected)),
            (0x91, Some(Unavailable)),
            (0x95, Some(Rejected)),
            (0x97, Some(Busy)),
            (0x99, Some(Rejected)),
        ];
        for (code, expected) in confirmations {
            assert_eq!(failure(confirmation(code)), expected, "PUBACK {code:#x}");
        }
        let connections = [
            (0x00, None),
            (0x01, Some(Misconfigured)),
            (0x03, Some(Unavailable)),
            (0x05, Some(Misconfigured)),
            (0x80, Some(Unavailable)),
            (0x84, Some(Misconfigured)),
            (0x86, Some(Misconfigured)),
            (0x88, Some(Unavailable)),
            (0x89, Some(Busy)),
            (0x9f, Some(Busy)),
        ];
        for (code, expected) in connections {
            assert_eq!(failure(connection(code)), expected, "CONNACK {code:#x}");
        }
        let disconnections =
            [(0x00, Unavailable), (0x87, Misconfigured), (0x8b, Unavailable), (0x96, Busy)];
        for (code, expected) in disconnections {
            assert_eq!(disconnection(code).0, expected, "DISCONNECT {code:#x}");
        }
    }
}
