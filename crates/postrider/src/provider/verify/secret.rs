//! Checks secrets before any request arrives.

use super::{
    super::{Provider, Scheme, model::Signature},
    Algorithm,
    key::Key,
};

/// Explains why no scheme of the provider can use the secret. Schemes in code report this only when
/// a request arrives.
pub fn check_secret(provider: &Provider, secret: &str) -> Result<(), String> {
    let secret = secret.trim();
    let mut wrong = Ok(());
    for scheme in &provider.model.verify {
        match check(scheme, secret) {
            Ok(()) => return Ok(()),
            Err(reason) => wrong = Err(reason),
        }
    }
    wrong
}

fn check(scheme: &Scheme, secret: &str) -> Result<(), String> {
    let read = |it: &Signature, algorithm| Key::read(secret, algorithm, it.key).map(|_| ());
    match scheme {
        Scheme::Hmac(it) => read(it, Algorithm::Hmac),
        Scheme::Digest(it) => read(it, Algorithm::Digest),
        Scheme::Ed25519(it) => read(it, Algorithm::Ed25519),
        Scheme::Ecdsa(it) => read(it, Algorithm::Ecdsa),
        Scheme::Rsa(it) => read(it, Algorithm::Rsa),
        Scheme::Basic if !secret.contains(':') => Err("it is not `user:password`".to_owned()),
        Scheme::Basic
        | Scheme::SharedSecret(_)
        | Scheme::Jwt(_)
        | Scheme::Code(_)
        | Scheme::None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::find, *};

    #[track_caller]
    fn check_of(provider: &str, secret: &str, expected: bool) {
        let result = check_secret(find(provider).unwrap(), secret);
        assert_eq!(result.is_ok(), expected, "{provider}: {result:?}");
    }

    #[test]
    fn an_unusable_secret_is_detected_before_any_request() {
        check_of("stripe", "whsec_anything at all", true);
        check_of("svix", "whsec_c2VjcmV0", true);
        check_of("svix", "whsec_not base64!", false);
        check_of("svix", " whsec_c2VjcmV0\r\n", true);
        check_of("telnyx", "\n1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=\n", true);
        check_of("telnyx", "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", true);
        check_of("telnyx", "whsec_c2VjcmV0", false);
        check_of("postmark", "user:password", true);
        check_of("postmark", "password", false);
        check_of("paypal", "8PT597110X687430LKGECATA", true);
    }
}
