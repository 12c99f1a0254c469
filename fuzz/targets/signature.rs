//! Parses signature headers, which come from untrusted senders.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider::provider::{self, Scheme};

fuzz_target!(|data: &[u8]| {
    let Some((&which, header)) = data.split_first() else { return };
    let Ok(header) = std::str::from_utf8(header) else { return };
    let providers = provider::all();
    let provider = &providers[usize::from(which) % providers.len()];
    for scheme in &provider.model.verify {
        if let Scheme::Hmac(signature) = scheme {
            drop(signature.parse.read(header));
        }
    }
});
