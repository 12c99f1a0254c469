//! Converts the configuration to the settings of each part of the program.

use std::{fs, net::SocketAddr, num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderValue;
use postrider::signature::Kind;
use postrider_core::{
    address, breaker,
    names::Ttls,
    own_urls::{OwnUrls, UrlRules},
    request,
    retry::Schedule,
    shards,
    statistics::StatisticsRetention,
};
use postrider_engine::{
    self as engine, Dns, HttpClient, Proxy, ProxyProtocol, ResponseLimits, SenderOptions,
    certificates,
};
use postrider_sandbox::{Launch, SandboxOptions, WORKER_COMMAND};
use postrider_server::{self as server, ServerTls, SsoSettings, TlsFileError};
use postrider_store::{Options, PostgresOptions, Retention};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{
        Config, DatabaseUrl, DefaultSignature, ProxyUrl, SecretKeys, Shards, SignatureHeaders,
        Size, Sso,
    },
    failure::Advice,
};

/// How long rejected requests of sources are listed.
const REJECTIONS: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) const USER_AGENT: &str = concat!("Postrider/", env!("CARGO_PKG_VERSION"));

/// The settings of the engine, without tracer and alerts.
pub(crate) fn engine(config: &Config) -> engine::Settings {
    engine::Settings {
        limits: engine_limits(config),
        schedule: Schedule::new(&config.retry_schedule.0, config.retry_jitter.0),
        disable_endpoint_after: config.disable_endpoint_after,
        breaker: breaker::Policy {
            threshold: u32::try_from(config.breaker.failures.get()).unwrap_or(u32::MAX),
            rest: config.breaker.rest,
            rest_max: config.breaker.rest_max,
        },
        signature_headers: match config.signature_headers {
            SignatureHeaders::Standard => request::SignatureHeaders::Standard,
            SignatureHeaders::Svix => request::SignatureHeaders::Svix,
            SignatureHeaders::Both => request::SignatureHeaders::Both,
        },
        user_agent: HeaderValue::from_static(USER_AGENT),
        endpoint_metrics: config.metrics_endpoints.map_or(0, NonZeroUsize::get),
        alerts: None,
        operator: config.operator_org.clone(),
        retention: Retention {
            rows: config.retention.rows,
            idempotency: config.retention.idempotency,
            digests: config.retention.duplicates,
            rejections: REJECTIONS,
            audit_log: config.retention.audit_log,
        },
        statistics_retention: StatisticsRetention {
            minutes: config.retention.statistics_minutes,
            hours: config.retention.statistics_hours,
            days: config.retention.statistics_days,
        },
        shards: shard_count(config.shards),
        tracer: None,
    }
}

fn shard_count(shards: Shards) -> usize {
    match shards {
        Shards::Count(count) => count.get(),
        Shards::Automatic => {
            shards::automatic(thread::available_parallelism().map_or(1, NonZeroUsize::get))
        },
    }
}

fn engine_limits(config: &Config) -> engine::Limits {
    let limits = &config.limits;
    engine::Limits {
        held: limits.held.get(),
        held_bytes: limits.held_bytes.0,
        held_per_endpoint: limits.held_per_endpoint.get(),
        in_flight: limits.in_flight.get(),
        in_flight_per_endpoint: limits.in_flight_per_endpoint.get(),
        lease: limits.lease,
        poll: limits.poll,
        batch: limits.batch.get(),
        batch_bytes: limits.batch_bytes.0,
        queued: limits.queued.get(),
        settle_linger: limits.settle_linger,
        unsettled: limits.unsettled.get(),
        remembered_applications: limits.remembered_applications.get(),
        remembered_sources: limits.remembered_sources.get(),
    }
}

pub(crate) fn store(config: &Config) -> Options {
    let limits = &config.limits;
    let bytes = |size: Size| u64::try_from(size.0).unwrap_or(u64::MAX);
    Options {
        main_cache_bytes: bytes(limits.store_cache),
        index_cache_bytes: bytes(limits.index_cache),
        reader_cache_bytes: bytes(limits.reader_cache),
        disk_reserve: bytes(limits.disk_reserve),
        max_pages: config.limits.store_pages.and_then(|it| u32::try_from(it.get()).ok()),
        ..Options::default()
    }
}

/// The database, and this process as one of its nodes.
pub(crate) fn database(config: &Config, url: &DatabaseUrl) -> PostgresOptions {
    PostgresOptions {
        url: url.0.clone(),
        connections: config.limits.database_connections.get(),
        is_pooled: config.database_pooler,
        call_timeout: config.limits.database_timeout,
        node_lease: config.limits.node_lease,
        node_name: node_name(config),
    }
}

/// The name of this server among others.
pub(crate) fn node_name(config: &Config) -> String {
    config.node_name.as_ref().map_or_else(host_name, |it| it.0.clone())
}

/// The URL of the console, with a slash at its end.
pub(crate) fn console_url(config: &Config, address: SocketAddr) -> String {
    let public = config.public_url.as_ref().map(|it| it.0.to_string());
    let url = public.unwrap_or_else(|| base_url(config, address));
    if url.ends_with('/') { url } else { format!("{url}/") }
}

/// The host name, as the kernel knows it.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

pub(crate) fn sender(config: &Config) -> SenderOptions {
    SenderOptions {
        request_timeout: config.request_timeout,
        addresses: addresses(config),
        dns: dns(config),
        proxy: proxy(config),
        no_proxy: config.no_proxy.rules.clone(),
        responses: ResponseLimits {
            bytes: config.limits.response_bytes.0,
            informational: config.limits.informational_responses.get(),
        },
        idle_connections: config.limits.idle_connections.get(),
        idle_timeout: config.limits.idle_timeout,
        trusted: Vec::new(),
    }
}

/// Which URLs transformations may choose: those that endpoints may have.
pub(crate) fn transformation_rules(config: &Config, address: SocketAddr) -> UrlRules {
    url_rules(config, &format!("{}/", base_url(config, address)))
}

fn url_rules(config: &Config, local: &str) -> UrlRules {
    UrlRules { policy: addresses(config), own: own_urls(config, local) }
}

/// How transformations run: in processes of this program.
pub(crate) fn sandbox(config: &Config, program: PathBuf) -> SandboxOptions {
    let transformations = &config.transformations;
    SandboxOptions {
        workers: transformations.workers.get(),
        queued: transformations.queued.get(),
        allow_unconfined: transformations.allow_unconfined,
        ..SandboxOptions::new(Launch::Program {
            path: program,
            arguments: vec![WORKER_COMMAND.into()],
        })
    }
}

/// The certificates in `tls_roots`.
pub(crate) fn trusted(config: &Config) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let advice = |error: certificates::RootsError| Advice {
        message: "tls_roots cannot be used".to_owned(),
        hint: "list PEM files, or folders of PEM files, with certificates".to_owned(),
        source: Some(error.into()),
    };
    Ok(certificates::load(&config.tls_roots.0).map_err(advice)?)
}

fn dns(config: &Config) -> Dns {
    let dns = &config.dns;
    Dns {
        servers: dns.servers.clone(),
        timeout: dns.timeout,
        // The other half remains for the lookup and the request.
        wait: config.request_timeout / 2,
        ttls: Ttls { min: dns.min_ttl, max: dns.max_ttl, negative_max: dns.negative_ttl },
        cache: dns.cache.get(),
        lookups: dns.lookups.get(),
        ..Dns::default()
    }
}

fn addresses(config: &Config) -> address::Policy {
    address::Policy {
        allow: config.allow_networks.clone(),
        deny: config.deny_networks.clone(),
        ports: config.allow_ports.clone(),
        https_only: config.endpoint_https_only,
    }
}

fn proxy(config: &Config) -> Option<Proxy> {
    let ProxyUrl { url, credentials } = config.proxy.as_ref()?;
    let (default_port, protocol) = if url.scheme() == "http" {
        let authorization = credentials.as_ref().map(|(user, password)| basic(user, password));
        let always_connects = config.proxy_connect;
        (80, ProxyProtocol::Http { authorization, always_connects })
    } else {
        (1080, ProxyProtocol::Socks5 { credentials: credentials.clone() })
    };
    Some(Proxy {
        host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(default_port),
        protocol,
        resolves: config.proxy_resolves || url.scheme() == "socks5h",
    })
}

fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(text).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

/// The public URL of the server, or that of its address.
pub(crate) fn portal_url(config: &Config) -> String {
    let public = config.public_url.as_ref().map(|it| it.0.to_string());
    public.unwrap_or_else(|| format!("http://{}", config.listen))
}

/// The secrets that sign and verify API tokens.
pub(crate) fn jwt_secret(keys: &SecretKeys) -> server::JwtSecret {
    server::JwtSecret::rotating(keys.first.0.clone(), keys.older.iter().map(|it| it.0.clone()))
}

/// The URL of an address that the server listens on.
pub(crate) fn base_url(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.tls_certificate.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// The certificate of the API's listener.
pub(crate) fn tls(config: &Config) -> anyhow::Result<Option<ServerTls>> {
    let Some((certificate, key)) = config.tls_certificate.as_deref().zip(config.tls_key.as_deref())
    else {
        return Ok(None);
    };
    let advice = |error: TlsFileError| Advice {
        message: "TLS cannot be used".to_owned(),
        hint: "`tls_certificate` is a PEM file with the certificate and those of its intermediate \
               authorities, `tls_key` one with its private key"
            .to_owned(),
        source: Some(error.into()),
    };
    Ok(Some(ServerTls::load(certificate, key).map_err(advice)?))
}

/// The settings of the API; `address` is the one that it listens on.
///
/// `http` calls the identity provider.
pub(crate) fn server(
    config: &Config,
    jwt: &SecretKeys,
    address: SocketAddr,
    http: &HttpClient,
) -> server::Settings {
    let local = format!("{}/", base_url(config, address));
    let public = config.public_url.as_ref().map(|it| it.0.to_string());
    server::Settings {
        propagates_traces: true,
        jwt_secret: jwt_secret(jwt),
        token_expiry: config.token_expiry,
        default_signature: match config.default_signature {
            DefaultSignature::Hmac => Kind::Symmetric,
            DefaultSignature::Ed25519 => Kind::Ed25519,
        },
        urls: url_rules(config, &local),
        payload_retention: config.retention.payload,
        portal_url: public.unwrap_or(local),
        relay: config.relay,
        cors_origins: config.cors_origins.0.clone(),
        sso: sso(&config.sso, http),
        docs: config.docs,
        relay_url: config.relay_url.as_ref().map(|it| it.0.to_string()),
        trusted_proxies: config.trusted_proxies.clone(),
        draining: CancellationToken::new(),
        limits: server_limits(config),
        quotas: quotas(config),
    }
}

fn sso(sso: &Sso, http: &HttpClient) -> Option<SsoSettings> {
    let (issuer, client_id) = sso.issuer.as_ref().zip(sso.client_id.as_ref())?;
    let secret = sso.client_secret.as_ref();
    Some(SsoSettings {
        issuer: issuer.0.clone(),
        client_id: client_id.0.clone(),
        client_secret: secret.map(|it| server::ClientSecret::new(it.0.0.clone())),
        scopes: sso.scopes.0.clone(),
        claim: sso.claim.0.clone(),
        roles: sso.roles.0.clone(),
        organization: sso.organization.clone(),
        session: sso.session,
        http: http.clone(),
    })
}

fn quotas(config: &Config) -> server::Quotas {
    let quotas = &config.quotas;
    let count = |it: Option<NonZeroUsize>| it.map(NonZeroUsize::get);
    let rate = |it: Option<NonZeroUsize>| it.map(|it| u32::try_from(it.get()).unwrap_or(u32::MAX));
    server::Quotas {
        endpoints: count(quotas.endpoints),
        event_types: count(quotas.event_types),
        channels: count(quotas.channels),
        headers: count(quotas.headers),
        sources: count(quotas.sources),
        requests_per_second: rate(quotas.requests_per_second),
        messages_per_second: rate(quotas.messages_per_second),
        pending: quotas.pending.map(|it| it.get() as u64),
    }
}

fn own_urls(config: &Config, local: &str) -> OwnUrls {
    if config.allow_own_urls {
        return OwnUrls::default();
    }
    let named = config.public_url.iter().chain(&config.relay_url).map(|it| it.0.clone());
    OwnUrls(named.chain(local.parse()).collect())
}

fn server_limits(config: &Config) -> server::Limits {
    let limits = &config.limits;
    server::Limits {
        max_payload: config.max_payload.0,
        envelope: limits.envelope.0,
        batch_bytes: limits.batch_request.0,
        config_body: limits.config_body.0,
        event_type_body: limits.event_type_body.0,
        batch_messages: limits.batch_messages.get(),
        connections: limits.connections.get(),
        connections_per_address: limits.connections_per_address.get(),
        reserved_connections: limits.reserved_connections.get(),
        connection_idle_timeout: limits.connection_idle_timeout,
        connection_max_age: limits.connection_max_age,
        http2_streams: limits.http2_streams.get(),
        header_bytes: limits.header_bytes.0,
        headers: limits.headers.get(),
        header_timeout: limits.header_timeout,
        body_timeout: limits.body_timeout,
        write_timeout: limits.write_timeout,
        min_transfer_rate: limits.min_transfer_rate.0,
        request_memory: limits.request_memory.0,
        page_bytes: limits.page_bytes.0,
        inbound_body: config.inbound.max_body.0,
        inbound_timeout: config.inbound.body_timeout,
        hops: limits.hops.get(),
        idempotency_wait: limits.idempotency_wait,
        remembered_tokens: limits.remembered_tokens.get(),
        remembered_event_types: limits.remembered_event_types.get(),
        remembered_accounts: limits.remembered_applications.get(),
        remembered_keys: limits.remembered_keys.get(),
        relay_sessions: limits.relay_sessions.get(),
        relay_guesses: limits.relay_guesses.get(),
        relay_in_flight: limits.relay_in_flight.get(),
        relay_bytes: limits.relay_bytes.0,
        relay_answer: limits.relay_answer.0,
        relay_timeout: limits.relay_timeout,
        relay_ping: limits.relay_ping,
        live_readers: limits.live_readers.get(),
        live_window: limits.live_window.0,
        drain: config.shutdown_grace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};

    fn config(set: &[&str]) -> Config {
        let set = set.iter().map(|it| (*it).to_owned()).collect();
        load(&Overrides { set, ..Overrides::default() }).unwrap().config
    }

    #[test]
    fn the_documented_limits_are_the_defaults_of_each_part() {
        let config = config(&[]);
        let shown = |limits: &dyn std::fmt::Debug| format!("{limits:?}");
        assert_eq!(shown(&engine_limits(&config)), shown(&engine::Limits::default()));
        assert_eq!(shown(&server_limits(&config)), shown(&server::Limits::default()));
        assert_eq!(shown(&dns(&config)), shown(&Dns::default()));
        assert_eq!(shown(&quotas(&config)), shown(&server::Quotas::default()));
        assert_eq!(sender(&config).responses, ResponseLimits::default());
        let url = DatabaseUrl("postgres://".to_owned());
        let options = PostgresOptions { node_name: String::new(), ..database(&config, &url) };
        assert_eq!(shown(&options), shown(&PostgresOptions::default()));
    }

    #[test]
    fn roots_are_read_from_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let of = |roots: &str| trusted(&config(&[&format!("tls_roots={roots}")]));
        assert_eq!(of("").unwrap(), []);
        assert!(
            format!("{:#}", of("/missing.pem").unwrap_err())
                .starts_with("tls_roots cannot be used: /missing.pem cannot be read: No such file")
        );
        assert!(of(&path.to_string()).is_err());
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        assert_eq!(of(&format!("{path},{path}/ca.pem")).unwrap().len(), 2);
    }

    #[test]
    fn name_servers_have_port_53_unless_another_is_given() {
        let of = |text: &str| dns(&config(&[&format!("dns.servers={text}")])).servers;
        let expected = ["192.0.2.53:53", "[2001:db8::53]:53", "[::1]:5353", "127.0.0.1:5353"];
        assert_eq!(
            of("192.0.2.53, 2001:db8::53, [::1]:5353, 127.0.0.1:5353"),
            expected.map(|it| it.parse().unwrap())
        );
    }

    #[test]
    fn proxy_credentials_are_decoded() {
        let http = |authorization: Option<&'static str>| ProxyProtocol::Http {
            authorization: authorization.map(HeaderValue::from_static),
            always_connects: false,
        };
        let socks = |credentials: Option<(&str, &str)>| ProxyProtocol::Socks5 {
            credentials: credentials.map(|(user, password)| (user.to_owned(), password.to_owned())),
        };
        for (url, host, port, protocol, resolves) in [
            ("http://me:pass@proxy:3128", "proxy", 3128, http(Some("Basic bWU6cGFzcw==")), false),
            ("http://me:p%40ss@proxy", "proxy", 80, http(Some("Basic bWU6cEBzcw==")), false),
            ("http://:key@[::1]:8080", "::1", 8080, http(Some("Basic OmtleQ==")), false),
            ("http://proxy:3128", "proxy", 3128, http(None), false),
            ("socks5://proxy", "proxy", 1080, socks(None), false),
            ("socks5h://proxy", "proxy", 1080, socks(None), true),
            ("socks5://m%3Ae:p%40%C3%BC@[::1]:9", "::1", 9, socks(Some(("m:e", "p@ü"))), false),
        ] {
            let proxy = sender(&config(&[&format!("proxy={url}")])).proxy.unwrap();
            let expected = Proxy { host: host.to_owned(), port, protocol, resolves };
            assert!(proxy == expected, "{url}: {proxy}");
        }
        let config = config(&["proxy=http://proxy", "proxy_resolves=true", "proxy_connect=true"]);
        let proxy = sender(&config).proxy.unwrap();
        let always_connects = true;
        let protocol = ProxyProtocol::Http { authorization: None, always_connects };
        assert!(proxy.resolves && proxy.protocol == protocol);
    }

    #[test]
    fn invalid_proxies_and_hosts_are_rejected() {
        for set in [
            "proxy=ftp://proxy",
            "proxy=http://a%3Ab:c@proxy",
            "proxy=socks5://%ff:c@proxy",
            "no_proxy=10.0.0.0/33",
            "no_proxy=example.com,host:port",
        ] {
            let overrides = Overrides { set: vec![set.to_owned()], ..Overrides::default() };
            let error = load(&overrides).unwrap_err().to_string();
            let key = set.split('=').next().unwrap();
            assert!(error.contains(&format!("`{key}`")), "{set}: {error}");
        }
    }
}
