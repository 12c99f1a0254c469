//! The types of settings: how each is parsed from text and displayed.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use postrider::OrganizationId;
use postrider_core::{kind::live::AllowedOrigin, ports::Ports, proxy::NoProxy, shards::MAX_SHARDS};
use postrider_server::Role;
use toml::Value;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};
use url::Url;

use super::units;

/// An untyped value from a file, a variable or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    List(Vec<String>),
    /// The content of a file; a list has one item in each line.
    Lines(String),
}

impl Raw {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Lines(text) => Some(text.trim()),
            Self::List(_) => None,
        }
    }

    /// The items of a list, of a text with commas, or of lines.
    pub(super) fn items(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => {
                text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect()
            },
            Self::List(items) => items.iter().map(|it| it.trim()).collect(),
            Self::Lines(text) => text.lines().map(str::trim).filter(|it| !it.is_empty()).collect(),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Lines(text) => write!(f, "{text:?}"),
            Self::List(items) => write!(f, "{items:?}"),
        }
    }
}

/// How many shards there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shards {
    /// As the machine's cores suggest.
    Automatic,
    Count(NonZeroUsize),
}

impl Shards {
    fn value(self) -> Value {
        match self {
            Self::Automatic => Value::from("auto"),
            Self::Count(count) => Value::from(i64::try_from(count.get()).unwrap_or(i64::MAX)),
        }
    }
}

/// A setting as it may be printed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DisplayValue {
    Value(Value),
    Unset,
    /// A secret that is set.
    Hidden,
}

impl fmt::Display for DisplayValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Unset => f.write_str("not set"),
            Self::Hidden => f.write_str("hidden"),
        }
    }
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// Completes "expected …".
    const EXPECTED: &'static str;

    fn parse(raw: &Raw) -> Option<Self>;

    fn display(&self) -> DisplayValue;
}

/// Implements [`Setting`] for types whose values are a single text.
macro_rules! text_settings {
    ($($type:ty, $expected:literal, $parse:expr, $show:expr;)+) => {$(
        impl Setting for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(raw: &Raw) -> Option<Self> {
                raw.text().and_then($parse)
            }

            fn display(&self) -> DisplayValue {
                DisplayValue::Value(Value::from($show(self)))
            }
        }
    )+};
}

text_settings! {
    SocketAddr, "an address and a port, such as 127.0.0.1:8071", parsed, Self::to_string;
    PathBuf, "a path", path, |it: &Path| it.display().to_string();
    Duration, "a duration with its unit, such as 15s or 2h30m", units::parse_duration,
        |it: &Self| units::format_duration(*it);
    bool, "true or false", parsed, |it: &Self| *it;
    LogLevel, "a level such as info, or a list such as info,postrider_engine=debug", level,
        |it: &Self| it.0.clone();
    Shards, "auto or a number from 1 to 64", shards, |it: &Self| it.value();
    NonZeroUsize, "a whole number above zero", parsed,
        |it: &Self| i64::try_from(it.get()).unwrap_or(i64::MAX);
    Size, "a size such as 1MiB or 65536", |it| units::parse_size(it).map(Self),
        |it: &Self| units::format_size(it.0);
    Ratio, "a number from 0 to 1", ratio, |it: &Self| it.0;
    OrganizationId, "an organization's id, such as org_main", parsed, Self::to_string;
    PublicUrl, "a URL such as https://hooks.example.com", public, |it: &Self| it.0.to_string();
    IssuerUrl, "a URL such as https://login.example.com/realms/main", issuer,
        |it: &Self| it.0.clone();
    NonEmptyText, "a non-empty text", |it| filled(it).map(Self), |it: &Self| it.0.clone();
    DatabaseUrl, "a URL such as postgres://user@host:5432/database", database, Self::to_string;
    ProxyUrl, "a URL such as http://proxy:3128 or socks5://proxy:1080", proxy, Self::to_string;
}

fn shards(text: &str) -> Option<Shards> {
    if text == "auto" {
        return Some(Shards::Automatic);
    }
    let count = parsed::<NonZeroUsize>(text).filter(|it| it.get() <= MAX_SHARDS)?;
    Some(Shards::Count(count))
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn level(text: &str) -> Option<LogLevel> {
    // The filter's own parser takes a mistyped level for the name of a module.
    let is_level = |it: &str| it.contains('=') || it.parse::<LevelFilter>().is_ok();
    let is_known = text.split(',').all(|it| is_level(it.trim()));
    (is_known && EnvFilter::try_new(text).is_ok()).then(|| LogLevel(text.to_owned()))
}

fn path(text: &str) -> Option<PathBuf> {
    filled(text).map(PathBuf::from)
}

fn ratio(text: &str) -> Option<Ratio> {
    text.parse().ok().filter(|it| (0.0..=1.0).contains(it)).map(Ratio)
}

fn proxy(text: &str) -> Option<ProxyUrl> {
    let url = Url::parse(text).ok()?;
    let known = matches!(url.scheme(), "http" | "socks5" | "socks5h");
    if !known || !url.has_host() {
        return None;
    }
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    let is_possible = match url.scheme() {
        // The first colon ends the user name (RFC 7617).
        "http" => !user.contains(':'),
        // Each length is sent in one byte (RFC 1929).
        _ => user.len() <= 255 && password.len() <= 255,
    };
    let is_given = !user.is_empty() || !password.is_empty();
    is_possible.then(|| ProxyUrl { url, credentials: is_given.then_some((user, password)) })
}

fn database(text: &str) -> Option<DatabaseUrl> {
    let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
    known.then(|| DatabaseUrl(text.to_owned()))
}

fn public(text: &str) -> Option<PublicUrl> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(PublicUrl(url))
}

fn issuer(text: &str) -> Option<IssuerUrl> {
    let PublicUrl(url) = public(text)?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    is_plain.then(|| IssuerUrl(text.to_owned()))
}

/// The URL of an identity provider, as it was written: issuers are compared as texts.
#[derive(Clone, Debug)]
pub(crate) struct IssuerUrl(pub(crate) String);

/// A URL under which clients reach the server.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl(pub(crate) Url);

/// A log filter.
#[derive(Clone, Debug)]
pub(crate) struct LogLevel(pub(crate) String);

/// A size in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) usize);

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio(pub(crate) f64);

/// The URL of a proxy. It may contain a password, which is not displayed.
#[derive(Clone)]
pub(crate) struct ProxyUrl {
    pub(crate) url: Url,
    /// User name and password, decoded.
    pub(crate) credentials: Option<(String, String)>,
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{}://", self.url.scheme())?;
        if self.credentials.is_some() {
            f.write_str("hidden@")?;
        }
        f.write_str(host)?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URL of a database. Its credentials and parameters are not displayed.
#[derive(Clone)]
pub(crate) struct DatabaseUrl(pub(crate) String);

impl DatabaseUrl {
    /// Whether it contains a password.
    pub(super) fn is_secret(&self) -> bool {
        let authority = self.0.split_once("://").map_or("", |(_, it)| it);
        let user = authority.rsplit_once('@').map_or("", |(it, _)| it);
        user.contains(':') || self.0.contains("password=")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &postrider_store::database_location(&self.0).unwrap_or_else(|| "hidden".to_owned()),
        )
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A non-empty text.
#[derive(Clone, Debug)]
pub(crate) struct NonEmptyText(pub(crate) String);

/// A text that is never displayed.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// One or several non-empty secrets. The first one signs or encrypts, all of them verify or decrypt.
#[derive(Clone, Debug)]
pub(crate) struct SecretKeys {
    pub(crate) first: Secret,
    pub(crate) older: Vec<Secret>,
}

impl SecretKeys {
    /// The non-empty texts as secrets; `None` if all are empty.
    pub(crate) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let filled = texts.into_iter().map(str::trim).filter(|it| !it.is_empty());
        let mut secrets = filled.map(|it| Secret(it.to_owned()));
        Some(Self { first: secrets.next()?, older: secrets.collect() })
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.first).chain(&self.older)
    }
}

impl Setting for SecretKeys {
    const EXPECTED: &'static str = "a non-empty text, or several";

    fn parse(raw: &Raw) -> Option<Self> {
        Self::of(raw.items())
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Hidden
    }
}

/// Declares texts that are secret: each with what it should be, and a check.
macro_rules! secret_texts {
    ($($(#[doc = $about:literal])+ $name:ident, $expected:literal, $is_valid:expr;)+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(crate) struct $name(pub(crate) $crate::config::value::Secret);

        impl $crate::config::value::Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(raw: &$crate::config::value::Raw) -> Option<Self> {
                let is_valid: fn(&str) -> bool = $is_valid;
                let text = raw.text().filter(|it| is_valid(it))?;
                Some(Self($crate::config::value::Secret(text.to_owned())))
            }

            fn display(&self) -> $crate::config::value::DisplayValue {
                $crate::config::value::DisplayValue::Hidden
            }
        }
    )+};
}
pub(super) use secret_texts;

secret_texts! {
    /// A secret in common with another server.
    ClientSecret, "a non-empty text", |it| !it.is_empty();
}

/// Words without spaces.
#[derive(Clone, Debug)]
pub(crate) struct Words(pub(crate) Vec<String>);

impl Setting for Words {
    const EXPECTED: &'static str = "words such as profile,email";

    fn parse(raw: &Raw) -> Option<Self> {
        let items = raw.items().into_iter();
        let words = items.map(|it| (!it.contains(char::is_whitespace)).then(|| it.to_owned()));
        words.collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.0.clone()))
    }
}

/// Which role each value of a claim has.
#[derive(Clone, Debug)]
pub(crate) struct RoleMap(pub(crate) Vec<(String, Role)>);

impl Setting for RoleMap {
    const EXPECTED: &'static str = "groups with their roles, such as staff=viewer,on-call=operator";

    fn parse(raw: &Raw) -> Option<Self> {
        let pair = |item: &str| {
            // Names of groups may contain the sign.
            let (value, role) = item.rsplit_once('=')?;
            Some((filled(value.trim())?, role.trim().parse().ok()?))
        };
        raw.items().into_iter().map(pair).collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        let pairs = self.0.iter().map(|(value, role)| format!("{value}={role}"));
        DisplayValue::Value(Value::from(pairs.collect::<Vec<_>>()))
    }
}

/// An empty text leaves the setting unset.
impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(raw: &Raw) -> Option<Self> {
        // A file that is empty is a mistake.
        let is_unset = matches!(raw, Raw::Text(text) if text.trim().is_empty());
        if is_unset { Some(None) } else { T::parse(raw).map(Some) }
    }

    fn display(&self) -> DisplayValue {
        self.as_ref().map_or(DisplayValue::Unset, Setting::display)
    }
}

/// The waits between attempts, one for each retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetrySchedule(pub(crate) Vec<Duration>);

impl Setting for RetrySchedule {
    const EXPECTED: &'static str = "waits with their units, such as \"5s,5m,2h\"";

    fn parse(raw: &Raw) -> Option<Self> {
        let waits: Option<Vec<_>> = raw.items().into_iter().map(units::parse_duration).collect();
        let mut waits = waits?;
        // The first attempt is made immediately whether it is listed or not.
        if waits.first().is_some_and(Duration::is_zero) {
            waits.remove(0);
        }
        Some(Self(waits))
    }

    fn display(&self) -> DisplayValue {
        let waits: Vec<_> = self.0.iter().map(|it| units::format_duration(*it)).collect();
        DisplayValue::Value(Value::from(waits.join(",")))
    }
}

impl Setting for Vec<IpNet> {
    const EXPECTED: &'static str = "networks such as 10.0.0.0/8,::1/128";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().into_iter().map(network).collect()
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.iter().map(IpNet::to_string).collect::<Vec<_>>()))
    }
}

impl Setting for Ports {
    const EXPECTED: &'static str = "ports and ranges such as 80,443,1024-65535";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().join(",").parse().ok()
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.to_string()))
    }
}

impl Setting for Vec<SocketAddr> {
    const EXPECTED: &'static str = "addresses such as 192.0.2.53,[2001:db8::53]:5353";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().into_iter().map(name_server).collect()
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.iter().map(SocketAddr::to_string).collect::<Vec<_>>()))
    }
}

/// The address of a name server; the default port is 53.
fn name_server(text: &str) -> Option<SocketAddr> {
    const PORT: u16 = 53;
    let address = text.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map(|ip| SocketAddr::new(ip, PORT)).ok().or_else(|| text.parse().ok())
}

/// A network, or an address as the network that contains only it.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Hosts that are reached without the proxy.
#[derive(Clone, Debug)]
pub(crate) struct NoProxyHosts {
    /// As configured.
    items: Vec<String>,
    pub(crate) rules: NoProxy,
}

impl Setting for NoProxyHosts {
    const EXPECTED: &'static str = "hosts and networks such as example.com,host:8080,10.0.0.0/8";

    fn parse(raw: &Raw) -> Option<Self> {
        let items = raw.items();
        let rules = NoProxy::parse(items.iter().copied()).ok()?;
        Some(Self { items: items.into_iter().map(str::to_owned).collect(), rules })
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.items.clone()))
    }
}

/// Origins of web pages.
#[derive(Clone, Debug)]
pub(crate) struct Origins(pub(crate) Vec<AllowedOrigin>);

impl Setting for Origins {
    const EXPECTED: &'static str =
        "origins such as https://console.example.com,http://localhost:5173";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().into_iter().map(exact_origin).collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        DisplayValue::Value(Value::from(self.0.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }
}

/// An origin, but not `*`: any page could then use a token that it has got hold of.
fn exact_origin(text: &str) -> Option<AllowedOrigin> {
    AllowedOrigin::parse(text).filter(|origin| *origin != AllowedOrigin::Any)
}

/// Files and folders.
#[derive(Clone, Debug)]
pub(crate) struct Paths(pub(crate) Vec<PathBuf>);

impl Setting for Paths {
    const EXPECTED: &'static str = "paths such as /etc/ssl/our-ca.pem,/etc/ssl/partners";

    fn parse(raw: &Raw) -> Option<Self> {
        raw.items().into_iter().map(path).collect::<Option<_>>().map(Self)
    }

    fn display(&self) -> DisplayValue {
        let paths = self.0.iter().map(|it| it.display().to_string());
        DisplayValue::Value(Value::from(paths.collect::<Vec<_>>()))
    }
}

/// Declares settings with a fixed set of values.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident, $expected:literal { $($variant:ident = $word:literal),+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(raw: &Raw) -> Option<Self> {
                match raw.text()? {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn display(&self) -> DisplayValue {
                DisplayValue::Value(Value::from(match self { $(Self::$variant => $word),+ }))
            }
        }
    )+};
}

choices! {
    /// The names of the signature headers.
    SignatureHeaders, "standard, svix or both" {
        Standard = "standard", Svix = "svix", Both = "both"
    }
    /// The kind of secret of new endpoints.
    DefaultSignature, "hmac or ed25519" { Hmac = "hmac", Ed25519 = "ed25519" }
    /// The format of the log.
    LogFormat, "auto, text or json" { Auto = "auto", Text = "text", Json = "json" }
}
