//! The event that is sent: 512 bytes of JSON that carry their number and the moment they
//! were meant to leave, at fixed places, so that the receiver reads them without parsing.

use std::ops::Range;

pub(crate) const LENGTH: usize = 512;

const NUMBER: Range<usize> = 6..22;
const SENT_AT: Range<usize> = 30..50;

/// The digits of the id of an event.
const EVENT_ID: Range<usize> = 62..78;

/// A payload whose number and moment are zero.
pub(crate) fn template() -> String {
    filled(&format!(r#"{{"n":"{:016}","at":"{:020}","pad":""#, 0, 0))
}

/// The same with the fields by which a provider names an event.
pub(crate) fn event_template() -> String {
    filled(&format!(
        r#"{{"n":"{:016}","at":"{:020}","id":"evt_{:016}","type":"bench.live","pad":""#,
        0, 0, 0
    ))
}

/// JSON of this many bytes, at least 10, which carries neither.
pub(crate) fn of_length(bytes: usize) -> String {
    filled_to(r#"{"pad":""#, bytes)
}

fn filled(head: &str) -> String {
    filled_to(head, LENGTH)
}

fn filled_to(head: &str, bytes: usize) -> String {
    let filler = "event".chars().cycle().take(bytes.saturating_sub(head.len() + 2));
    head.chars().chain(filler).chain("\"}".chars()).collect()
}

/// Writes the number and the moment (nanoseconds of the wall clock) into a payload.
pub(crate) fn stamp(payload: &mut [u8], number: u64, sent_at: u64) {
    write_digits(&mut payload[NUMBER], number);
    write_digits(&mut payload[SENT_AT], sent_at);
}

/// The same for [`event_template`], whose id is its number.
pub(crate) fn stamp_event(payload: &mut [u8], number: u64, sent_at: u64) {
    stamp(payload, number, sent_at);
    write_digits(&mut payload[EVENT_ID], number);
}

/// The number and the moment, if the body is such a payload.
pub(crate) fn read(body: &[u8]) -> Option<(u64, u64)> {
    if body.len() != LENGTH {
        return None;
    }
    Some((read_digits(&body[NUMBER])?, read_digits(&body[SENT_AT])?))
}

fn write_digits(to: &mut [u8], mut value: u64) {
    for place in to.iter_mut().rev() {
        *place = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
}

fn read_digits(from: &[u8]) -> Option<u64> {
    from.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamped_payload_is_json_of_512_bytes_and_reads_back() {
        let mut payload = template().into_bytes();
        stamp(&mut payload, 42, 1_764_000_000_123_456_789);
        assert_eq!(payload.len(), LENGTH);
        assert_eq!(read(&payload), Some((42, 1_764_000_000_123_456_789)));
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(json["n"], "0000000000000042");
    }

    #[test]
    fn a_stamped_event_has_its_number_for_an_id() {
        let mut payload = event_template().into_bytes();
        stamp_event(&mut payload, 42, 7);
        assert_eq!(read(&payload), Some((42, 7)));
        let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(json["id"], "evt_0000000000000042");
        assert_eq!(json["type"], "bench.live");
    }

    #[test]
    fn anything_else_is_not_read() {
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(&[b'x'; LENGTH]), None);
    }
}
