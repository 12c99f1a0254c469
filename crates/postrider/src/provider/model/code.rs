//! The schemes that are implemented in code.

use serde::{Deserialize, Serialize};

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
