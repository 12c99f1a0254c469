//! Providers whose way of signing is code and not data: a module each.

use serde::{Deserialize, Serialize};

use super::{CannotSign, Draft, Rejected, Request, Settings, Signed, verify::Matched};

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
    _code: Code,
    _settings: &Settings,
    _request: &Request<'_>,
    _now_seconds: u64,
) -> Result<Matched, Rejected> {
    Err(Rejected::Unsupported("nothing is yet"))
}

pub(super) fn sign(
    _code: Code,
    _settings: &Settings,
    _draft: Draft,
    _now_seconds: u64,
) -> Result<Signed, CannotSign> {
    Err(CannotSign::Unsupported("nothing is yet"))
}
