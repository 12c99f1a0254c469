//! Providers whose signatures need code, one module each.

mod adyen;
mod alipay_plus;
mod aws_sns;
mod braintree;
mod contentful;
mod dropbox_sign;
mod ebay;
mod encode;
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

pub use self::wechat_pay::decrypt_wechat_pay;
use self::{signing::SigningContext, verifying::VerifyingContext};
use super::{
    Code, Reply, Request, Scheme, Settings, SignError, SignedRequest, UnsignedRequest, VerifyError,
    verify::SchemeMatch,
};

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
