//! Verifies whole requests of untrusted senders: no provider's verification may panic, and none may
//! accept an unsigned request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider::provider::{self, Headers, Received, Request, Settings};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const NOW: u64 = 1_700_000_000;

// The first byte chooses the provider; the rest is lines: method, URL, headers, an empty line,
// the body.
fuzz_target!(|data: &[u8]| {
    let Some((&which, rest)) = data.split_first() else { return };
    let providers = provider::all();
    let provider = &providers[usize::from(which) % providers.len()];
    let (head, body) = split(rest);
    let mut lines = head.split(|&it| it == b'\n').map(|it| std::str::from_utf8(it).unwrap_or(""));
    let method = if lines.next() == Some("") { "GET" } else { "POST" };
    let url = lines.next().unwrap_or("");
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim().as_bytes()))
        .collect();
    let request = Request { method, url, headers: Headers(&headers), body };
    let settings = Settings::new([SECRET]);
    match provider::receive(provider, &settings, &request, NOW) {
        Ok(Received::Event(verified)) => {
            assert!(!verified.signed, "{} accepted a forgery", provider.id);
        },
        Ok(_) | Err(_) => {},
    }
    drop(provider::acknowledge(provider, &settings, &request, NOW));
});

/// Splits at the first empty line.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|it| it == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[]),
    }
}
