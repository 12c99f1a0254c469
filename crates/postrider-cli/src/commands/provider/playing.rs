//! Who is played, and with which secrets.

use anyhow::ensure;
use clap::Args;
use postrider::provider::{Provider, Scheme, Settings};
use url::Url;

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
    let mut secrets: Vec<_> = common.secrets.iter().map(|it| Secret::given(it)).collect();
    let mut notice = None;
    if secrets.is_empty() && has_secret(provider) {
        let made = Secret::made_for(provider).filter(Secret::is_pair);
        ensure!(made.is_some(), "expected --secret or --secret-file");
        secrets.extend(made);
        let public = secrets.iter().map(|it| it.verifying.trim());
        notice = Some(format!(
            "no private key is given, so a new one signs; the receiver needs its public half:\n{}",
            public.collect::<Vec<_>>().join("\n")
        ));
    }
    let (signing, verifying) = Secret::settings(&secrets, &common);
    let accepting = Settings { accept_unsigned: !has_secret(provider), ..verifying };
    Ok(Cast { sender: Sender::new(provider, url, signing, accepting), notice })
}

fn has_secret(provider: &Provider) -> bool {
    !provider.model.verify.iter().all(|it| matches!(it, Scheme::None))
}

#[cfg(test)]
mod tests {
    use postrider::provider::{CannotSign, all};

    use super::*;

    /// Seconds since 1970.
    const NOW: u64 = 1_790_000_000;

    #[test]
    fn every_provider_can_be_played() {
        let url: Url = "http://127.0.0.1:3000/hook".parse().unwrap();
        let mut failures = Vec::new();
        for provider in all() {
            let secrets: Vec<_> = Secret::made_for(provider).into_iter().collect();
            let (signing, verifying) = Secret::settings(&secrets, &Settings::default());
            let verifying = Settings { accept_unsigned: !has_secret(provider), ..verifying };
            let sender = Sender::new(provider, url.clone(), signing, verifying);
            let draft = sender.draft(None, NOW).unwrap();
            match sender.signed(draft, NOW) {
                Err(CannotSign::Unsupported(_)) => {},
                Err(error) => failures.push(format!("{}: {error}", provider.id)),
                Ok(signed) => {
                    if let Err(error) = sender.verdict(&signed, NOW) {
                        failures.push(format!("{}: verify: {error}", provider.id));
                    }
                },
            }
        }
        assert_eq!(failures, Vec::<String>::new());
    }
}
