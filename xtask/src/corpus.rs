//! The task `corpus`: what random input begins with. Requests of all providers, genuine but for
//! another secret than the one that is expected, the models that there are, and what workers of the sandbox send.

use std::{fmt::Write as _, fs, path::PathBuf};

use postrider::provider::{self, Provider, Scheme, Settings, SignedRequest, UnsignedRequest};

const SECRETS: [&str; 3] = ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "00ff00ff", "user:password"];

/// Filters, each with the payload.
const FILTERS: [&str; 6] = [
    "type.startsWith('order.') && payload.amount * 2 > 100.5 || !has(payload.absent)",
    "payload.items.exists(i, i.sku.matches('^[a-z]+$') && i.n in [1, 2, 3u])",
    "payload.items.filter(i, i.n > 1).map(i, i.sku) == ['b'] ? true : size(channels) == 1",
    "timestamp(payload.at) - duration('1h30m') < timestamp('2026-01-01T00:00:00Z')",
    "headers['x-kind'] == \"p\\u0075sh\" && metadata.plan + 'x' != r'\\d' && tags.all(t, t < 'z')",
    "{'a': [1, -2.5e3, null]}.a[0] == int(string(payload.amount)) // comment",
];
const PAYLOAD: &str =
    r#"{"amount":51,"at":"2026-01-01T00:00:00Z","items":[{"sku":"a","n":1},{"sku":"b","n":2}]}"#;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder that gets one for each target
    folder: PathBuf,
}

pub(crate) fn run(Arguments { folder }: &Arguments) -> anyhow::Result<()> {
    for kind in ["verify", "signature", "template", "filter", "reply"] {
        fs::create_dir_all(folder.join(kind))?;
    }
    for (name, content) in postrider_sandbox::testing::sample_frames() {
        fs::write(folder.join("reply").join(name), content)?;
    }
    for (number, filter) in FILTERS.iter().enumerate() {
        let content = format!("{filter}\0{PAYLOAD}");
        fs::write(folder.join("filter").join(number.to_string()), content)?;
    }
    for (index, provider) in provider::all().iter().enumerate() {
        let which = u8::try_from(index)?;
        let Provider { id, model, .. } = provider;
        for signed in SECRETS.iter().filter_map(|secret| sign(provider, secret)) {
            fs::write(folder.join("verify").join(id), [&[which], &lay_out(&signed)[..]].concat())?;
            for (name, value) in &signed.headers {
                let header = [&[which], value.as_bytes()].concat();
                fs::write(folder.join("signature").join(format!("{id}-{name}")), header)?;
            }
        }
        fs::write(folder.join("template").join(id), serde_json::to_vec(model)?)?;
        for (number, scheme) in model.verify.iter().enumerate() {
            if let Scheme::Hmac(signature) = scheme {
                let content = signature.content.to_string();
                fs::write(folder.join("template").join(format!("{id}-{number}")), content)?;
            }
        }
    }
    Ok(())
}

fn sign(provider: &Provider, secret: &str) -> Option<SignedRequest> {
    let body = br#"{"id":"evt_1","type":"a.b","data":{"id":1},"event":{"id":"2"}}"#.to_vec();
    let draft = UnsignedRequest {
        url: "https://example.com/hook?a=b".into(),
        body,
        ..UnsignedRequest::default()
    };
    provider::sign(provider, &Settings::new([secret]), draft, 1_700_000_000).ok()
}

/// The request as the target `verify` reads it.
fn lay_out(signed: &SignedRequest) -> Vec<u8> {
    let mut text = format!("{}\n{}", signed.method, signed.url);
    for (name, value) in &signed.headers {
        write!(text, "\n{name}: {value}").expect("a text takes everything");
    }
    [text.as_bytes(), b"\n\n", &signed.body].concat()
}
