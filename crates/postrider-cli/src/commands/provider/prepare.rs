//! Prepares the sender that plays a provider, from the flags of a command.

use anyhow::ensure;
use postrider::provider::{Provider, Scheme};
use url::Url;

use super::{
    arguments::SecretArgs,
    credential::{Credential, add_certificate, uses_certificate},
    sender::Sender,
};

/// A sender, and what the user must do before its events can be verified.
#[derive(Debug)]
pub(crate) struct PreparedSender {
    pub sender: Sender,
    pub notice: Option<String>,
}

/// Creates the sender. Without a given key, a provider that signs with a private key gets a new
/// one, whose public key the user has to install.
pub(crate) fn prepare(
    provider: &'static Provider,
    secrets: &SecretArgs,
    url: Url,
) -> anyhow::Result<PreparedSender> {
    let common = secrets.settings()?;
    let given = common.secrets.iter();
    let mut credentials: Vec<_> = given.map(|it| Credential::from_text(provider, it)).collect();
    let mut public_key = None;
    if credentials.is_empty() && has_secret(provider) {
        let generated = Credential::generate_for(provider).filter(Credential::is_key_pair);
        ensure!(generated.is_some(), "expected --secret or --secret-file");
        public_key = generated.as_ref().map(|it| it.verifying.clone());
        credentials.extend(generated);
    }
    let (mut signing, mut verifying) = Credential::settings(&credentials, &common);
    verifying.accept_unsigned = !has_secret(provider);
    if uses_certificate(provider) {
        public_key = add_certificate(&mut signing, &mut verifying);
    }
    let usage = if uses_certificate(provider) { " as the certificate" } else { "" };
    let notice = public_key.map(|key| {
        format!(
            "no private key was given, so events are signed with a new one; give the receiver \
             its public key{usage}:\n{}",
            key.trim()
        )
    });
    Ok(PreparedSender { sender: Sender::new(provider, url, signing, verifying), notice })
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
    fn events_of_every_provider_can_be_signed_and_verified() {
        let url: Url = "http://127.0.0.1:3000/hook".parse().unwrap();
        let mut failures = Vec::new();
        for provider in all() {
            let generated = Credential::generate_for(provider).into_iter();
            let secrets = SecretArgs {
                secrets: generated.map(|it| it.signing.to_string()).collect(),
                files: Vec::new(),
                parameters: vec!["public_key=p".to_owned(), "email=a@b.test".to_owned()],
            };
            let sender = prepare(provider, &secrets, url.clone()).unwrap().sender;
            let draft = sender.draft(None, NOW).unwrap();
            match sender.sign(draft, NOW) {
                Err(error) => failures.push(format!("{}: {error}", provider.id)),
                Ok(signed) => {
                    if let Err(error) = sender.verify(&signed, NOW) {
                        failures.push(format!("{}: verify: {error}", provider.id));
                    }
                    let Some(forger) = sender.wrong_key_sender() else { continue };
                    let draft = forger.draft(None, NOW).unwrap();
                    let forged = forger.sign(draft, NOW).unwrap();
                    if sender.verify(&forged, NOW).is_ok() {
                        failures.push(format!(
                            "{}: an event signed with the wrong key is accepted",
                            provider.id
                        ));
                    }
                },
            }
        }
        assert_eq!(failures, Vec::<String>::new());
    }
}
