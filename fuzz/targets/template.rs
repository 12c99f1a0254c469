//! Parses templates of signed content, and whole models, which users configure for custom sources.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider::provider::{Content, Model};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(content) = text.parse::<Content>() {
        // Writing and parsing it again must not change it.
        let written = content.to_string();
        assert_eq!(written.parse::<Content>().map(|it| it.to_string()), Ok(written));
    }
    if let Ok(model) = serde_json::from_slice::<Model>(data) {
        drop(model.validate());
    }
});
