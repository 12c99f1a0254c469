//! Contentful: HMAC over a canonical request of method, path, selected headers and body.

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use super::{
    super::{
        Headers, SignError, SignedRequest, VerifyError, crypto, model::Hash,
        public_key::decode_hex, verify::SchemeMatch,
    },
    encode::{self, path_and_query},
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

const SIGNED_HEADERS: &str = "x-contentful-signed-headers";
const TIMESTAMP: &str = "x-contentful-timestamp";

/// The maximum age in Contentful's own library.
const TOLERANCE: u64 = 30;

/// The characters that `encodeURI` escapes.
const URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The characters that `encodeURIComponent` escapes.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let signature = decode_hex(context.header("x-contentful-signature")?);
    let signature =
        signature.ok_or_else(|| malformed("header:x-contentful-signature is not hex"))?;
    let names = names(context.header(SIGNED_HEADERS)?);
    context.check_timestamp(context.header(TIMESTAMP)?, Some(TOLERANCE))?;
    let request = context.request;
    let headers = canonical_headers(request.headers, &names)?;
    // Contentful signs the path as it was configured, which may differ from the path that it sends.
    let raw = path_and_query(request.url);
    let decoded = percent_decode_str(raw).decode_utf8_lossy();
    let contents = [raw, &*decoded].map(|path| {
        let head = format!("{}\n{}\n{headers}\n", request.method, canonical_path(path));
        [head.as_bytes(), request.body].concat()
    });
    context.matching(|secret| {
        let is = |it| crypto::equal(&crypto::hmac(Hash::Sha256, secret.as_bytes(), it), &signature);
        Ok(contents.iter().fold(false, |found, it| is(it) | found))
    })
}

/// The signed headers in order. The time and the list itself are always among them.
fn names(list: &str) -> Vec<String> {
    let mut names: Vec<_> = list.split(',').map(|it| it.trim().to_ascii_lowercase()).collect();
    names.extend([SIGNED_HEADERS, TIMESTAMP].map(str::to_owned));
    names.retain(|it| !it.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

fn canonical_headers(headers: Headers<'_>, names: &[String]) -> Result<String, VerifyError> {
    let line = |name: &String| {
        let value =
            headers.get(name).ok_or_else(|| VerifyError::Missing(format!("header:{name}")))?;
        Ok(format!("{name}:{}", value.trim()))
    };
    let lines: Result<Vec<_>, VerifyError> = names.iter().map(line).collect();
    Ok(lines?.join(";"))
}

fn canonical_path(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut canonical = path.to_owned();
    if !query.is_empty() {
        canonical.extend(["?", &utf8_percent_encode(query, COMPONENT).to_string()]);
    }
    utf8_percent_encode(&canonical, URI).to_string()
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let topic = context.draft.event_type.clone();
    let topic = topic.unwrap_or_else(|| "ContentManagement.Entry.publish".to_owned());
    let list = format!("{SIGNED_HEADERS},{TIMESTAMP},x-contentful-topic");
    let time = (context.now_seconds * 1000).to_string();
    let headers =
        [(SIGNED_HEADERS, list.as_str()), (TIMESTAMP, &time), ("x-contentful-topic", &topic)];
    let lines = headers.map(|(name, value)| format!("{name}:{value}")).join(";");
    let path = canonical_path(path_and_query(&context.draft.url));
    let content = [format!("POST\n{path}\n{lines}\n").as_bytes(), &context.draft.body].concat();
    let signature = crypto::hmac(Hash::Sha256, context.secret()?.as_bytes(), &content);
    let signature = encode::hex(&signature);
    let [list, time, topic] = headers;
    Ok(context.signed(JSON, &[list, time, topic, ("x-contentful-signature", &signature)]))
}
