//! Providers whose signatures need code, one module each.

mod adyen;
mod alipay_plus;
mod aws_sns;
mod braintree;
mod contentful;
mod dropbox_sign;
mod ebay;
mod exact_online;
mod key_url;
mod mandrill;
mod multipart;
mod neon_auth;
mod paypal;
mod signing;
mod solidgate;
mod twilio;
mod url_and_fields;
mod verifying;
mod wechat_pay;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};

pub use self::wechat_pay::decrypt_wechat_pay;
use self::{signing::SigningContext, verifying::VerifyingContext};
use super::{
    Reply, Request, Scheme, Settings, SignError, SignedRequest, UnsignedRequest, VerifyError,
    verify::SchemeMatch,
};

/// Identifies a scheme that is implemented in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// Adyen: each item of the batch has its own signature.
    Adyen,
    /// Alipay+ and Antom: RSA over the request, and a signed acknowledgement.
    AlipayPlus,
    /// Amazon SNS: fields of the body, with a certificate that the body names.
    AwsSns,
    /// Braintree: a form with a signed payload.
    Braintree,
    /// Contentful: a canonical request.
    Contentful,
    /// Dropbox Sign: a hash over two fields of a form's JSON.
    DropboxSign,
    /// eBay: a key that the signature names.
    Ebay,
    /// Exact Online: a hash over part of the body's text.
    ExactOnline,
    /// Mandrill: the URL and the sorted fields of the form.
    Mandrill,
    /// Neon Auth: a detached JSON Web Signature.
    NeonAuth,
    /// PayPal: a certificate that a header names.
    Paypal,
    /// Solidgate: base64 of a hex digest.
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
) -> Result<SchemeMatch, VerifyError> {
    let context = &VerifyingContext { settings, request, now_seconds };
    match code {
        Code::Adyen => adyen::verify(context),
        Code::AlipayPlus => alipay_plus::verify(context),
        Code::AwsSns => aws_sns::verify(context),
        Code::Braintree => braintree::verify(context),
        Code::Contentful => contentful::verify(context),
        Code::DropboxSign => dropbox_sign::verify(context),
        Code::Ebay => ebay::verify(context),
        Code::ExactOnline => exact_online::verify(context),
        Code::Mandrill => mandrill::verify(context),
        Code::NeonAuth => neon_auth::verify(context),
        Code::Paypal => paypal::verify(context),
        Code::Solidgate => solidgate::verify(context),
        Code::Twilio => twilio::verify(context),
        Code::WechatPay => wechat_pay::verify(context),
    }
}

pub(super) fn sign(
    code: Code,
    settings: &Settings,
    draft: UnsignedRequest,
    now_seconds: u64,
) -> Result<SignedRequest, SignError> {
    let context = SigningContext { settings, draft, now_seconds };
    match code {
        Code::Adyen => adyen::sign(context),
        Code::AlipayPlus => alipay_plus::sign(context),
        Code::AwsSns => aws_sns::sign(context),
        Code::Braintree => braintree::sign(context),
        Code::Contentful => contentful::sign(context),
        Code::DropboxSign => dropbox_sign::sign(context),
        Code::Ebay => ebay::sign(context),
        Code::ExactOnline => exact_online::sign(context),
        Code::Mandrill => mandrill::sign(context),
        Code::NeonAuth => neon_auth::sign(context),
        Code::Paypal => paypal::sign(context),
        Code::Solidgate => solidgate::sign(context),
        Code::Twilio => twilio::sign(context),
        Code::WechatPay => wechat_pay::sign(context),
    }
}

/// The acknowledgement of a provider that requires it to be signed.
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

/// The path and query of a URL.
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
