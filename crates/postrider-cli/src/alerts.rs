//! What alerts need, made from the configuration.

use std::{net::SocketAddr, sync::Arc};

use http::HeaderValue;
use postrider::signature::{Kind, Secret};
use postrider_core::{
    alert::{Channel, Conditions, Policy, target},
    kind::Problem,
    target::Target,
    vault::Vault,
};
use postrider_engine::{
    AlertSender, AlertSettings, BuiltInOptions, HttpSender, Sender, SenderOptions, Senders,
    built_in,
};

use crate::{
    config::{Alerts, Config},
    failure::Advice,
    random, settings,
};

/// Whether a receiver of alerts is configured.
pub(crate) fn has_receiver(alerts: &Alerts) -> bool {
    !alerts.email_to.0.is_empty() || alerts.slack_url.is_some() || alerts.webhook_url.is_some()
}

/// Which alerts there are. `address` is the one that the API listens on.
pub(crate) fn settings(config: &Config, address: SocketAddr) -> AlertSettings {
    let alerts = &config.alerts;
    AlertSettings {
        has_receiver: has_receiver(alerts),
        kinds: alerts.kinds.0.iter().copied().collect(),
        policy: Policy { pause: alerts.pause, repeat: alerts.repeat, interval: alerts.interval },
        conditions: Conditions {
            rejections: alerts.rejections.get(),
            rejection_window: alerts.rejection_window,
            disk_free: alerts.disk_free.0,
            certificate_expiry: alerts.certificate_expiry,
            late_after: alerts.late_after,
            unavailable_after: alerts.unavailable_after,
        },
        server_certificate: config.tls_certificate.clone(),
        node: settings::node_name(config),
        base_url: settings::console_url(config, address),
    }
}

/// What sends alerts; `None` if there is no receiver. It has connections of its own, which may reach
/// other networks than those of customers.
pub(crate) fn sender(config: &Config, address: SocketAddr) -> anyhow::Result<Option<AlertSender>> {
    if !has_receiver(&config.alerts) {
        return Ok(None);
    }
    let options = SenderOptions { trusted: settings::trusted(config)?, ..settings::sender(config) };
    let mut addresses = options.addresses.clone();
    addresses.allow.extend(&config.alerts.allow_networks);
    let http = Arc::new(HttpSender::new(SenderOptions { addresses, ..options }));
    let guard = http.guard();
    let own = BuiltInOptions { sqlite_folder: config.sqlite_folder() };
    let senders = Senders::new(http, config.request_timeout);
    let kinds = built_in(&guard, &own).into_iter();
    let senders = kinds.fold(senders, |senders, (kind, sender)| senders.with(kind, sender));
    Ok(Some(AlertSender {
        sender: Arc::new(senders) as Arc<dyn Sender>,
        targets: targets(&config.alerts)?,
        node: settings::node_name(config),
        base_url: settings::console_url(config, address),
    }))
}

fn targets(alerts: &Alerts) -> anyhow::Result<Vec<(Channel, Arc<Target>)>> {
    let mut targets = Vec::new();
    if let (Some(server), Some(from)) = (&alerts.smtp_url, &alerts.email_from)
        && !alerts.email_to.0.is_empty()
    {
        let from = from.0.first().map(String::as_str).unwrap_or_default();
        let made = target::email(&server.url(), from, &alerts.email_to.0);
        targets.push((Channel::Email, made.map_err(|it| invalid("alerts.smtp_url", &it))?));
    }
    if let Some(url) = &alerts.slack_url {
        let made = target::slack(&url.0.0).map_err(|it| invalid("alerts.slack_url", &it))?;
        targets.push((Channel::Slack, made));
    }
    if let Some(url) = &alerts.webhook_url {
        let made = webhook(alerts, &url.0.0)?;
        targets.push((Channel::Webhook, made));
    }
    Ok(targets.into_iter().map(|(channel, target)| (channel, Arc::new(target))).collect())
}

/// The senders decrypt what they need, so the secret is encrypted for the life of this process.
fn webhook(alerts: &Alerts, url: &str) -> anyhow::Result<Target> {
    let secret = match &alerts.webhook_secret {
        Some(secret) => secret.0.0.parse()?,
        None => Secret::generate(Kind::Symmetric, random::bytes()?),
    };
    let vault = Vault::new(&random::secret()?);
    let sealed = vault.seal(&secret, random::bytes()?);
    let agent = HeaderValue::from_static(settings::USER_AGENT);
    let made = target::webhook(url, (&vault, &sealed), &agent);
    Ok(made.map_err(|it| invalid("alerts.webhook_url", &it))?)
}

/// The value is a secret, so only its problems are shown.
fn invalid(key: &'static str, problems: &[Problem]) -> Advice {
    let text = |problem: &Problem| format!("{} {}", problem.path.join("."), problem.message);
    let problems: Vec<_> = problems.iter().map(text).collect();
    Advice {
        message: format!("{key} cannot be used: {}", problems.join("; ")),
        hint: "correct it, and try it with `postrider alert test`".to_owned(),
        source: None,
    }
}
