//! Templates of what is signed come from the configuration of custom sources.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider::provider::{Content, Model};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(content) = text.parse::<Content>() {
        // What was read is written and read again alike.
        let written = content.to_string();
        assert_eq!(written.parse::<Content>().map(|it| it.to_string()), Ok(written));
    }
    // So do whole models, whose sources and expressions have a grammar of their own.
    if let Ok(model) = serde_json::from_slice::<Model>(data) {
        drop(model.validate());
    }
});
