//! Measures filters: `cargo run --release -p postrider-core --example filters`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, reason = "all filters are valid")]

use std::{fmt::Write as _, hint::black_box, time::Instant};

use bytes::Bytes;
use postrider_core::{
    catalog::Metadata,
    filter::{Filter, Subject},
    message::{Format, Message},
    time::Timestamp,
};

const FILTERS: [&str; 6] = [
    "type == 'order.paid'",
    "payload.amount > 100",
    "payload.amount > 100 && payload.customer.country in ['DE', 'AT', 'CH']",
    "payload.customer.email.matches('^[^@]+@example[.]com$')",
    "payload.items.exists(i, i.sku == 'sku-9')",
    "payload.absent == 1",
];

const ROUNDS: u32 = 2_000;

fn main() {
    let payload = payload(10);
    println!("{:>10}  filter, on a payload of {} bytes", "ns", payload.len());
    let (message, metadata) = (message(&payload), Metadata::new());
    let subject = |filter: &Filter| {
        let subject = Subject::new(&message, &metadata);
        drop(black_box(filter.matches(&subject)));
        subject
    };
    for text in FILTERS {
        let filter = Filter::new(text).unwrap();
        // All filters together have a limit for each message, so a part shares one subject.
        let nanos = nanos(ROUNDS, || {
            let subject = subject(&filter);
            for _ in 0..99 {
                drop(black_box(filter.matches(&subject)));
            }
        });
        let once = nanos_of_parsing(&message, &metadata, &filter);
        println!("{:>10.0}  {text}", (nanos - once) / 99.0);
    }
    println!(
        "{:>10}  to check and prepare a filter",
        nanos(ROUNDS, || {
            drop(black_box(Filter::new(black_box(FILTERS[2]))));
        })
        .round()
    );
    let large = "payload.a.matches('(?i)[^a]{1,40}[a-z]{1,40}é{1,9}') || ".repeat(4) + "true";
    println!(
        "{:>10}  to check and prepare one with four large patterns",
        nanos(100, || {
            drop(black_box(Filter::new(black_box(&large))));
        })
        .round()
    );
    for items in [10, 1_000, 12_000] {
        let payload = self::payload(items);
        let message = self::message(&payload);
        let filter = Filter::new("payload.amount > 100").unwrap();
        let nanos = nanos_of_parsing(&message, &metadata, &filter);
        println!("{:>10.0}  to parse a payload of {} bytes", nanos, payload.len());
    }
    worst(&metadata);
}

/// The first evaluation for a message, which parses the payload.
fn nanos_of_parsing(message: &Message, metadata: &Metadata, filter: &Filter) -> f64 {
    let bytes = message.body.as_ref().map_or(0, Bytes::len);
    let rounds = u32::try_from(20_000_000 / bytes).unwrap_or(1).clamp(20, ROUNDS);
    nanos(rounds, || {
        let subject = Subject::new(message, metadata);
        drop(black_box(filter.matches(&subject)));
    })
}

/// Filters that stop at their limits, on a payload of a megabyte.
fn worst(metadata: &Metadata) {
    let few = "1,".repeat(5_000);
    let text = "a".repeat(900_000);
    let message = message(&format!(
        r#"{{"few":[{few}0],"text":"{text}","short":"{}","amount":1}}"#,
        "ab".repeat(3_000)
    ));
    for text in [
        "payload.few.all(i, payload.few.all(j, i != -j))",
        "payload.few.all(i, payload == payload)",
        "payload.few.all(i, !payload.text.contains('b'))",
        "payload.few.all(i, (payload.few + payload.few).size() > 0)",
        "payload.few.exists(i, payload.few.exists(j, payload.absent == 1))",
        "payload.text.matches('b')",
        "payload.few.exists(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('(a|aa|aaa){8}[ab]{20}c'))",
        "payload.few.exists(i, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.matches('.*a.{20}c'))",
        "payload.short.matches('([ab]|[ab][ab]){30}c')",
        "payload.short.matches('(a|b|ab|ba|aab){1,12}[ab]{1,50}c$')",
        "payload.short.matches('(?i)(x|a.{0,9}b|[ab]{0,30}c)+d')",
        "[payload.short + payload.short].exists(i, payload.few.exists(j, i + '' == ''))",
        "payload.few.map(i, timestamp('2026-01-01T00:00:00Z').getFullYear()) == []",
        "payload.few.map(i, string(2.5e-300)) == []",
    ] {
        let filter = Filter::new(text).unwrap();
        let alone =
            nanos_of_parsing(&message, metadata, &Filter::new("payload.amount > 0").unwrap());
        let whole = nanos_of_parsing(&message, metadata, &filter);
        println!("{:>10.0}  at most, for {text}", (whole - alone).max(0.0));
    }
}

/// The shortest of several measurements, because other processes disturb them.
fn nanos(rounds: u32, mut work: impl FnMut()) -> f64 {
    let rounds = (rounds / 10).max(1);
    let once = |_| {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
    };
    (0..10).map(once).fold(f64::INFINITY, f64::min)
}

fn payload(items: usize) -> String {
    let mut list = String::new();
    for index in 0..items {
        write!(
            list,
            r#"{{"sku":"sku-{index}","quantity":{index},"price":12.5,"tags":["a","b"]}},"#
        )
        .unwrap();
    }
    format!(
        r#"{{"id":"ord_1","amount":129.5,"customer":{{"email":"a@example.com","country":"CH"}},"items":[{list}{{"sku":"last"}}]}}"#
    )
}

fn message(payload: &str) -> Message {
    Message {
        id: "msg_01m8ev51d0e009haqpq8v4h9w2".parse().unwrap(),
        application: "app_01m8ev51d0e009haqpq8v4h9w2".parse().unwrap(),
        event_type: "order.paid".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::copy_from_slice(payload.as_bytes())),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::from_millis(0),
        trace: None,
    }
}
