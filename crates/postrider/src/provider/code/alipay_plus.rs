//! Alipay+ and Antom: RSA over the request line, two headers and the body. The acknowledgement must
//! be signed in the same way, with the merchant's key.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{
    super::{
        PrivateKey, PublicKey, Reply, Request, Settings, SignError, SignedHash, SignedRequest,
        VerifyError, public_key::decode_base64, verify::SchemeMatch,
    },
    encode::{self, path_and_query, rfc3339},
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

/// Base64 characters that `encodeURIComponent` does not escape.
const SIGNATURE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

const ACKNOWLEDGEMENT: &str =
    r#"{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}"#;

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let header = context.header("signature")?;
    let (client, time) = (context.header("client-id")?, context.header("request-time")?);
    context.check_timestamp(time, None)?;
    let signature = read(header).ok_or_else(|| malformed("header:signature is not a signature"))?;
    let request = context.request;
    let target = path_and_query(request.url);
    let path = target.split('?').next().unwrap_or(target);
    context.matching(|secret| {
        let key: PublicKey = secret.parse().map_err(|it| format!("it {it}"))?;
        let is = |target| {
            let content = content(request.method, target, [client, time], request.body);
            key.verifies(SignedHash::Sha256, &content, &signature)
        };
        Ok(is(target) | is(path))
    })
}

/// Extracts the signature from `algorithm=RSA256,keyVersion=1,signature=…`.
fn read(header: &str) -> Option<Vec<u8>> {
    let mut fields = header.split(',').filter_map(|it| it.trim().split_once('='));
    let (_, signature) = fields.find(|(name, _)| *name == "signature")?;
    decode_base64(&percent_decode_str(signature).decode_utf8().ok()?)
}

fn write(signature: &[u8]) -> String {
    let signature = encode::base64(signature);
    let signature = utf8_percent_encode(&signature, SIGNATURE);
    format!("algorithm=RSA256,keyVersion=1,signature={signature}")
}

fn content(method: &str, target: &str, [client, time]: [&str; 2], body: &[u8]) -> Vec<u8> {
    [format!("{method} {target}\n{client}.{time}.").as_bytes(), body].concat()
}

/// The acknowledgement that Alipay+ expects, signed with the parameter `private_key`. `None` if the
/// parameter is missing or invalid.
pub(in super::super) fn acknowledge(
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Option<Reply> {
    let key: PrivateKey = settings.parameter("private_key")?.parse().ok()?;
    let client = settings.parameter("client_id").or_else(|| request.headers.get("client-id"))?;
    let time = rfc3339(now_seconds);
    let path = path_and_query(request.url);
    let content = content(request.method, path, [client, &time], ACKNOWLEDGEMENT.as_bytes());
    let signature = write(&key.sign(SignedHash::Sha256, &content));
    let headers = [
        ("content-type", JSON),
        ("client-id", client),
        ("response-time", &time),
        ("signature", &signature),
    ];
    Some(Reply {
        status: 200,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: ACKNOWLEDGEMENT.as_bytes().to_vec(),
    })
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = context.key()?;
    let client = context.settings.parameter("client_id").unwrap_or("SANDBOX_CLIENT").to_owned();
    let time = context.now_rfc3339();
    let draft = &context.draft;
    let content = content("POST", path_and_query(&draft.url), [&client, &time], &draft.body);
    let signature = write(&key.sign(SignedHash::Sha256, &content));
    let headers =
        [("signature", signature.as_str()), ("client-id", &client), ("request-time", &time)];
    Ok(context.signed(JSON, &headers))
}
