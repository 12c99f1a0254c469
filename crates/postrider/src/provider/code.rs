//! Providers whose way of signing is code and not data: a module each.

mod adyen;
mod alipay_plus;
mod aws_sns;
mod braintree;
mod case;
mod contentful;
mod dropbox_sign;
mod ebay;
mod exact_online;
mod key_url;
mod making;
mod mandrill;
mod multipart;
mod neon_auth;
mod paypal;
mod solidgate;
mod twilio;
mod url_and_fields;
mod wechat_pay;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};

pub use self::wechat_pay::decrypt_wechat_pay;
use self::{case::Case, making::Making};
use super::{
    CannotSign, Draft, Rejected, Reply, Request, Scheme, Settings, Signed, verify::Matched,
};

/// Whose code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// Adyen: every item of the batch has its own signature.
    Adyen,
    /// Alipay+ and Antom: RSA over the request, and a signed acknowledgement.
    AlipayPlus,
    /// Amazon SNS: fields of the body, with a certificate that is named there.
    AwsSns,
    /// Braintree: a form with a signed payload.
    Braintree,
    /// Contentful: a canonical request.
    Contentful,
    /// Dropbox Sign: a hash over two fields of a form's JSON.
    DropboxSign,
    /// eBay: a key that is named in the signature.
    Ebay,
    /// Exact Online: a hash over a part of the body's text.
    ExactOnline,
    /// Mandrill: the URL and the sorted fields of the form.
    Mandrill,
    /// Neon Auth: a detached JSON Web Signature.
    NeonAuth,
    /// PayPal: with a certificate that is named in a header.
    Paypal,
    /// Solidgate: base64 of hex.
    Solidgate,
    /// Twilio: the URL and the sorted fields of the form, or the hash of the body in the URL.
    Twilio,
    /// WeChat Pay: RSA with one of several platform keys.
    WechatPay,
}

pub(super) fn verify(
    code: Code,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Result<Matched, Rejected> {
    let case = &Case { settings, request, now_seconds };
    match code {
        Code::Adyen => adyen::verify(case),
        Code::AlipayPlus => alipay_plus::verify(case),
        Code::AwsSns => aws_sns::verify(case),
        Code::Braintree => braintree::verify(case),
        Code::Contentful => contentful::verify(case),
        Code::DropboxSign => dropbox_sign::verify(case),
        Code::Ebay => ebay::verify(case),
        Code::ExactOnline => exact_online::verify(case),
        Code::Mandrill => mandrill::verify(case),
        Code::NeonAuth => neon_auth::verify(case),
        Code::Paypal => paypal::verify(case),
        Code::Solidgate => solidgate::verify(case),
        Code::Twilio => twilio::verify(case),
        Code::WechatPay => wechat_pay::verify(case),
    }
}

pub(super) fn sign(
    code: Code,
    settings: &Settings,
    draft: Draft,
    now_seconds: u64,
) -> Result<Signed, CannotSign> {
    let making = Making { settings, draft, now_seconds };
    match code {
        Code::Adyen => adyen::sign(making),
        Code::AlipayPlus => alipay_plus::sign(making),
        Code::AwsSns => aws_sns::sign(making),
        Code::Braintree => braintree::sign(making),
        Code::Contentful => contentful::sign(making),
        Code::DropboxSign => dropbox_sign::sign(making),
        Code::Ebay => ebay::sign(making),
        Code::ExactOnline => exact_online::sign(making),
        Code::Mandrill => mandrill::sign(making),
        Code::NeonAuth => neon_auth::sign(making),
        Code::Paypal => paypal::sign(making),
        Code::Solidgate => solidgate::sign(making),
        Code::Twilio => twilio::sign(making),
        Code::WechatPay => wechat_pay::sign(making),
    }
}

/// The acknowledgement of a provider that wants it signed.
pub(super) fn acknowledge(
    schemes: &[Scheme],
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Option<Reply> {
    let is_alipay = |it: &Scheme| matches!(it, Scheme::Code(it) if it.code == Code::AlipayPlus);
    schemes
        .iter()
        .any(is_alipay)
        .then(|| alipay_plus::acknowledge(settings, request, now_seconds))?
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// What follows the host in a URL.
fn path_and_query(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|it| rest.get(it..)).unwrap_or("/")
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(it.into(), 16).expect("half a byte is a digit");
    bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
}
