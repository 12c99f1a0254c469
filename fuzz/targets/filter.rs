//! Filters and payloads: whatever is accepted as a filter has a result for any payload.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use postrider_core::{
    catalog::Metadata,
    filter::{Filter, Subject},
    message::{Format, Message},
    time::Timestamp,
};

fuzz_target!(|data: &[u8]| {
    // A filter on the first line or lines, and a payload behind an empty byte.
    let (filter, payload) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b"{}"[..]),
    };
    let Ok(text) = std::str::from_utf8(filter) else { return };
    let Ok(filter) = Filter::new(text) else { return };
    let message = Message {
        id: "msg_01m8ev51d0e009haqpq8v4h9w2".parse().expect("it is an id"),
        application: "app_01m8ev51d0e009haqpq8v4h9w2".parse().expect("it is an id"),
        event_type: "order.paid".parse().expect("it is a name"),
        event_id: None,
        channels: vec!["eu".to_owned()],
        tags: Vec::new(),
        body: Some(Bytes::copy_from_slice(payload)),
        format: Format::Raw { headers: vec![("X-Kind".to_owned(), "push".to_owned())] },
        deliver_at: None,
        body_until: Timestamp::from_millis(0),
        trace: None,
    };
    let metadata = Metadata::from([("plan".to_owned(), "pro".to_owned())]);
    let subject = Subject::new(&message, &metadata);
    drop(filter.matches(&subject));
});
