//! Who is played, and with which secrets.

use anyhow::ensure;
use clap::Args;
use postrider::provider::{Code, Coded, Provider, Scheme, Settings};
use url::Url;
use zeroize::Zeroizing;

use super::{Keys, Secret, Sender, find};

/// Which provider a receiver is tried as, and what the two share.
#[derive(Args, Debug)]
pub(crate) struct Playing {
    /// Provider to play, as `postrider providers` names it
    #[arg(long, value_name = "NAME")]
    provider: String,
    #[command(flatten)]
    keys: Keys,
}

/// Who sends, and what has to be told about it.
#[derive(Debug)]
pub(crate) struct Cast {
    pub sender: Sender,
    pub notice: Option<String>,
}

impl Playing {
    pub(crate) fn cast(&self, url: Url) -> anyhow::Result<Cast> {
        cast(find(&self.provider)?, &self.keys, url)
    }
}

/// Makes the sender. A provider that signs with a private key gets a new one, if none is given.
pub(crate) fn cast(provider: &'static Provider, keys: &Keys, url: Url) -> anyhow::Result<Cast> {
    let common = keys.settings()?;
    let mut secrets: Vec<_> = common.secrets.iter().map(|it| Secret::given(provider, it)).collect();
    let mut public = None;
    if secrets.is_empty() && has_secret(provider) {
        let made = Secret::made_for(provider).filter(Secret::is_pair);
        ensure!(made.is_some(), "expected --secret or --secret-file");
        public = made.as_ref().map(|it| it.verifying.clone());
        secrets.extend(made);
    }
    let (mut signing, mut verifying) = Secret::settings(&secrets, &common);
    verifying.accept_unsigned = !has_secret(provider);
    if is_certified(provider) {
        public = certify(&mut signing, &mut verifying);
    }
    let what = if is_certified(provider) { " as the certificate" } else { "" };
    let notice = public.map(|it| {
        format!(
            "no private key is given, so a new one signs; the receiver needs its public \
             half{what}:\n{}",
            it.trim()
        )
    });
    Ok(Cast { sender: Sender::new(provider, url, signing, verifying), notice })
}

/// Whether the key is in a certificate, and the secret is a name.
pub(super) fn is_certified(provider: &Provider) -> bool {
    let codes = [Code::Paypal, Code::AwsSns];
    let mut schemes = provider.model.verify.iter();
    schemes.any(|it| matches!(it, Scheme::Code(Coded { code }) if codes.contains(code)))
}

/// Gives both sides a key, and tells the public half if it is new.
pub(super) fn certify(
    signing: &mut Settings,
    verifying: &mut Settings,
) -> Option<Zeroizing<String>> {
    let given = signing.parameter("private_key");
    let is_new = given.is_none();
    let key = Secret::certified(given)?;
    signing.parameters.insert("private_key".to_owned(), key.signing);
    verifying.parameters.insert("certificate".to_owned(), key.verifying.clone());
    is_new.then_some(key.verifying)
}

fn has_secret(provider: &Provider) -> bool {
    !provider.model.verify.iter().all(|it| matches!(it, Scheme::None))
}

#[cfg(test)]
mod tests {
    use postrider::provider::all;

    use super::*;

    /// Seconds since 1970.
    const NOW: u64 = 1_790_000_000;

    #[test]
    fn every_provider_can_be_played() {
        let url: Url = "http://127.0.0.1:3000/hook".parse().unwrap();
        let mut failures = Vec::new();
        for provider in all() {
            let made = Secret::made_for(provider).into_iter();
            let keys = Keys {
                secrets: made.map(|it| it.signing.to_string()).collect(),
                files: Vec::new(),
                parameters: vec!["public_key=p".to_owned(), "email=a@b.test".to_owned()],
            };
            let sender = cast(provider, &keys, url.clone()).unwrap().sender;
            let draft = sender.draft(None, NOW).unwrap();
            match sender.signed(draft, NOW) {
                Err(error) => failures.push(format!("{}: {error}", provider.id)),
                Ok(signed) => {
                    if let Err(error) = sender.verdict(&signed, NOW) {
                        failures.push(format!("{}: verify: {error}", provider.id));
                    }
                    let Some(stranger) = sender.stranger() else { continue };
                    let draft = stranger.draft(None, NOW).unwrap();
                    let forged = stranger.signed(draft, NOW).unwrap();
                    if sender.verdict(&forged, NOW).is_ok() {
                        failures.push(format!("{}: a stranger is believed", provider.id));
                    }
                },
            }
        }
        assert_eq!(failures, Vec::<String>::new());
    }
}
