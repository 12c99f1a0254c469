//! Reads what a worker of the sandbox sends, as if its script had taken control of it: no bytes may
//! cause a panic, and a returned value that is accepted is JSON that everything else can parse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_sandbox::testing::returned_value;

fuzz_target!(|content: &[u8]| {
    if let Some(value) = returned_value(content) {
        serde_json::from_slice::<serde_json::Value>(&value).expect("accepted values can be parsed");
    }
});
