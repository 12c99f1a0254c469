//! The section of alerts, and the types of its settings.

use std::{num::NonZeroUsize, time::Duration};

use ipnet::IpNet;
use postrider::signature;
use postrider_core::{alert::AlertKind, kind::email::Mailbox};
use toml::Value;
use url::Url;

use super::{
    section::{Rule, settings},
    value::{DisplayValue, Ratio, Raw, Setting, secret_texts},
};

settings! {
    /// Which alerts the operator gets, and where; see monitoring.md.
    Alerts {
        /// E-mail addresses that get alerts. They need `alerts.smtp_url` and `alerts.email_from`.
        email_to: Recipients = "";
        /// Sender of the e-mails.
        email_from: Option<Recipients> = "";
        /// Mail server: `smtp://user:password@host:587` with STARTTLS, `smtps://…` for TLS from the
        /// start, or `smtp://localhost:25?tls=none`. A user name and password in the URL must be
        /// percent-encoded.
        smtp_url: Option<SecretUrl> = "";
        /// URL of an incoming webhook of Slack, or of a service that is compatible with it.
        slack_url: Option<SecretUrl> = "";
        /// URL that gets alerts as JSON, signed as Standard Webhooks specifies.
        webhook_url: Option<SecretUrl> = "";
        /// Secret that signs the requests to `alerts.webhook_url`, as `whsec_…`. If it is not set,
        /// their signatures cannot be verified.
        webhook_secret: Option<SigningSecret> = "";
        /// Alerts to send.
        kinds: AlertKinds = "endpoint_disabled,source_rejecting,disk_nearly_full,certificate_expiring,deliveries_late,store_unavailable";
        /// How long an alert is not announced again after it was announced, even if its cause has
        /// ended and returned.
        pause: Duration = "1h";
        /// How long the cause of an alert may last until the alert is sent again. `0s` sends no
        /// reminders.
        repeat: Duration = "24h";
        /// Minimum time between two messages. Alerts that occur meanwhile are sent together.
        interval: Duration = "5m";
        /// Number of requests that a source has to reject within `alerts.rejection_window` for an
        /// alert. Each node counts its own.
        rejections: NonZeroUsize = "20";
        /// Time within which rejected requests are counted.
        rejection_window: Duration = "10m";
        /// Free part of the disk below which an alert is sent.
        disk_free: Ratio = "0.1";
        /// How long before their expiry certificates cause an alert, at most `30d`: client
        /// certificates of endpoints, and `tls_certificate`.
        certificate_expiry: Duration = "14d";
        /// How long the oldest due delivery may wait in the store until an alert is sent. `0s`
        /// sends none.
        late_after: Duration = "1h";
        /// How long the store may fail until an alert is sent.
        unavailable_after: Duration = "2m";
        /// Private networks that alerts may reach, in addition to `allow_networks`. Deliveries to
        /// customers are not affected.
        allow_networks: Vec<IpNet> = "";
    }
    sections {}
}

impl Alerts {
    /// The rules that the types alone cannot express.
    pub(super) fn rules(&self) -> [Rule; 5] {
        let has_recipients = !self.email_to.0.is_empty();
        let one_sender = self.email_from.as_ref().is_none_or(|it| it.0.len() == 1);
        [
            (has_recipients && self.smtp_url.is_none(), "alerts.smtp_url", SMTP_URL),
            (has_recipients && self.email_from.is_none(), "alerts.email_from", EMAIL_FROM),
            (!one_sender, "alerts.email_from", "one e-mail address"),
            (self.certificate_expiry > MAX_EXPIRY, "alerts.certificate_expiry", "at most 30d"),
            (self.rejection_window.is_zero(), "alerts.rejection_window", "a duration above zero"),
        ]
    }
}

const SMTP_URL: &str = "a URL such as smtp://mail.example.com, because alerts.email_to is set";
const EMAIL_FROM: &str = "an e-mail address, because alerts.email_to is set";

/// Client certificates are looked at so long before they expire.
const MAX_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// E-mail addresses.
#[derive(Clone, Debug)]
pub(crate) struct Recipients(pub(crate) Vec<String>);

impl Setting for Recipients {
    const EXPECTED: &'static str = "e-mail addresses such as ops@example.com,oncall@example.com";

    fn parse(raw: &Raw) -> Option<Self> {
        let items = raw.items().into_iter();
        let addresses = items.map(|it| it.parse::<Mailbox>().ok().map(|_| it.to_owned()));
        addresses.collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.0.clone()))
    }
}

secret_texts! {
    /// A URL that is or contains a credential.
    SecretUrl, "a URL such as https://hooks.example.com/alerts",
        |it| Url::parse(it).is_ok_and(|url| url.has_host());
    /// A secret of Standard Webhooks.
    SigningSecret, "a secret such as whsec_… (`whsec_` and 32 bytes in base64)",
        |it| it.parse::<signature::Secret>().is_ok();
}

impl SecretUrl {
    pub(crate) fn url(&self) -> Url {
        self.0.0.parse().expect("it was parsed when it was read")
    }
}

/// Kinds of alerts.
#[derive(Clone, Debug)]
pub(crate) struct AlertKinds(pub(crate) Vec<AlertKind>);

impl Setting for AlertKinds {
    const EXPECTED: &'static str = "kinds such as endpoint_disabled,disk_nearly_full";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().into_iter().map(|it| it.parse().ok()).collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        let names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        DisplayValue::Value(Value::from(names))
    }
}
