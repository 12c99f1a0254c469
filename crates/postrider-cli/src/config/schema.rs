//! Every configuration key with its type, default and documentation. `postrider config --reference`
//! prints the documentation.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use ipnet::IpNet;
use postrider::OrganizationId;
use postrider_core::ports::Ports;
use url::Host;

use super::{
    alerts::Alerts,
    section::{Rule, settings},
    value::{
        ClientSecret, DatabaseUrl, DefaultSignature, IssuerUrl, LogFormat, LogLevel, NoProxyHosts,
        NonEmptyText, Origins, Paths, ProxyUrl, PublicUrl, Ratio, RetrySchedule, RoleMap,
        SecretKeys, Shards, SignatureHeaders, Size, Words,
    },
};

settings! {
    /// The configuration.
    Config {
        /// Address and port that the server listens on.
        listen: SocketAddr = "127.0.0.1:8071";
        /// Folder that contains all data. Only one server at a time can use it.
        data_dir: PathBuf = "./postrider-data";
        /// PostgreSQL database that contains all data and can be shared by any number of servers.
        /// The data folder then only contains the secrets that are not configured.
        database_url: Option<DatabaseUrl> = "";
        /// Set this if the URL leads to a connection pooler in transaction mode, such as PgBouncer.
        database_pooler: bool = "false";
        /// Name of this server among those that share a database. Default: the host name.
        node_name: Option<NonEmptyText> = "";
        /// Secret that signs and verifies API tokens (HS256), at least 32 bytes. If it is not set,
        /// it is generated once and stored in the data folder. If there are several, the first one
        /// signs and all of them verify; see operations.md.
        jwt_secret: Option<SecretKeys> = "";
        /// How long tokens are valid that `postrider token create` creates, unless it specifies
        /// it, and those that one-time tokens are exchanged for.
        token_expiry: Duration = "90d";
        /// Secret that encrypts stored secrets, at least 32 bytes. If it is not set, it is
        /// generated once and stored in the data folder. If there are several, the first one
        /// encrypts and all of them decrypt; see operations.md.
        main_secret: Option<SecretKeys> = "";
        /// Waits between the attempts of a delivery. The first attempt is made immediately; a
        /// leading `0s` may stand for it. The value is a list or a text such as `5s,5m`; an empty
        /// one disables retries.
        retry_schedule: RetrySchedule = "5s,5m,30m,2h,5h,10h,14h,20h,24h";
        /// Largest random change of a wait, as a fraction of it.
        retry_jitter: Ratio = "0.2";
        /// Time limit of one attempt, including name resolution, connecting, headers and body.
        request_timeout: Duration = "15s";
        /// Private networks that deliveries may reach, such as `10.0.0.0/8,::1/128`. Metadata
        /// services of cloud providers are reachable only if their address itself is listed.
        allow_networks: Vec<IpNet> = "";
        /// Networks that deliveries must not reach, even if they are public or part of
        /// `allow_networks`.
        deny_networks: Vec<IpNet> = "";
        /// Ports and port ranges that deliveries may reach.
        allow_ports: Ports = "80,443,1024-65535";
        /// Reject endpoints whose URL is not `https`.
        endpoint_https_only: bool = "false";
        /// Names of the signature headers: `standard` (`webhook-*`), `svix` (`svix-*`) or `both`.
        signature_headers: SignatureHeaders = "standard";
        /// Kind of secret for new endpoints: `hmac` (symmetric, `v1`) or `ed25519` (asymmetric,
        /// `v1a`).
        default_signature: DefaultSignature = "hmac";
        /// An endpoint is disabled if its deliveries exhaust their retries throughout this time
        /// without a success; see delivery.md.
        disable_endpoint_after: Duration = "120h";
        /// Maximum payload size of a message.
        max_payload: Size = "1MiB";
        /// Proxy for all deliveries, as `http://…` or `socks5://…`. A user name and password in the
        /// URL must be percent-encoded. `socks5h://…` means `socks5://…` with `proxy_resolves`.
        proxy: Option<ProxyUrl> = "";
        /// Let the proxy resolve host names, instead of resolving and checking them here. The proxy
        /// must then reject private addresses; only URLs that contain an IP address are still
        /// checked here.
        proxy_resolves: bool = "false";
        /// Use CONNECT for `http` URLs too, instead of letting an HTTP proxy forward the requests.
        proxy_connect: bool = "false";
        /// Hosts that deliveries reach without the proxy: names (including their subdomains),
        /// addresses, networks such as `10.0.0.0/8`, or `*`. A name or address with a port matches
        /// only that port. Names are not resolved for this check, so networks match only URLs that
        /// contain an IP address.
        no_proxy: NoProxyHosts = "";
        /// PEM files, and folders of PEM files, with certificates that deliveries trust in addition
        /// to those of the system. They are read at startup.
        tls_roots: Paths = "";
        /// Organization whose applications receive operational webhooks. The uid of each
        /// application is the id of the organization that it reports on.
        operator_org: Option<OrganizationId> = "";
        /// How long work in progress may take to finish after the server is told to stop.
        shutdown_grace: Duration = "10s";
        /// How long the server continues to accept requests after it is told to stop. Meanwhile
        /// `/api/v1/health/ready` reports that it is not ready. Behind a load balancer, set this to
        /// the time in which it notices that, such as 10s.
        shutdown_delay: Duration = "0s";
        /// URL under which browsers reach the server, for links in API responses. Default: the
        /// listen address.
        public_url: Option<PublicUrl> = "";
        /// Address and port that serve Prometheus metrics under `/metrics`, separate from the API.
        /// If it is not set, there are no metrics. They need no token: choose an address that only
        /// your monitoring reaches, such as 127.0.0.1:8072.
        metrics_listen: Option<SocketAddr> = "";
        /// Maximum number of endpoints that have metrics of their own, labelled with their id and
        /// that of their application. Each has 13 series. An endpoint that got no attempt for an
        /// hour makes room for another one; see metrics.md.
        metrics_endpoints: Option<NonZeroUsize> = "";
        /// PEM file with the certificate of the API's address, followed by those of the
        /// intermediate authorities. With `tls_key`, the server accepts only TLS on `listen`. A
        /// changed file is used within seconds; see operations.md.
        tls_certificate: Option<PathBuf> = "";
        /// PEM file with the private key of `tls_certificate`.
        tls_key: Option<PathBuf> = "";
        /// Origins of web pages that may call the API from a browser, such as
        /// `https://console.example.com`. They send their token in the `Authorization` header;
        /// cookies are not accepted from other origins.
        cors_origins: Origins = "";
        /// Serve the console under `/` and the portal under `/portal`; see console.md and portal.md.
        console: bool = "true";
        /// Serve the API documentation under `/docs` and `/api/v1/openapi.json`. It needs no token,
        /// and contains no stored data.
        docs: bool = "true";
        /// Allow endpoints that lead to this server: to its sources, its listening programs or its
        /// API. This enables chains of sources; only `limits.hops` then stops loops.
        allow_own_urls: bool = "false";
        /// Allow programs to listen without a token (`postrider listen`). Anyone can then receive
        /// requests under a URL of this server; see listen.md. `postrider dev` enables this by
        /// default.
        relay: bool = "false";
        /// Base URL of listening programs. Default: `public_url`. With a separate host name,
        /// requests for listening programs are rejected under any other host name, which isolates
        /// them from everything else.
        relay_url: Option<PublicUrl> = "";
        /// Networks of reverse proxies and load balancers in front of the server. Their connections
        /// carry requests of many clients; the last address in `X-Forwarded-For` is that of the
        /// client.
        trusted_proxies: Vec<IpNet> =
            "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";
        /// Number of shards that deliveries are divided into. Each runs on its own thread, which
        /// also serves its part of the clients' connections. `auto` depends on the number of
        /// cores; see performance.md.
        shards: Shards = "auto";
        /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a list such as
        /// `info,postrider_engine=debug`.
        log_level: LogLevel = "info";
        /// Format of the log on standard error: `text`, `json`, or `auto` for text on a terminal
        /// and JSON otherwise.
        log_format: LogFormat = "auto";
    }
    sections {
        /// How long messages and the audit log are kept.
        retention: Retention;
        /// Limits of received webhooks.
        inbound: Inbound;
        /// When deliveries to a failing endpoint are paused.
        breaker: Breaker;
        /// Code of customers that changes what their endpoints get; see transformations.md.
        transformations: Transformations;
        /// How host names of endpoints are resolved.
        dns: Dns;
        /// Limits on everything that could grow without bound.
        limits: Limits;
        /// Limits for one application; an empty value means no limit.
        quotas: Quotas;
        /// How people sign in with OpenID Connect; see single-sign-on.md.
        sso: Sso;
        /// Which alerts the operator gets, and where; see monitoring.md.
        alerts: Alerts;
    }
}

settings! {
    /// How people sign in with OpenID Connect; see single-sign-on.md.
    Sso {
        /// URL of the identity provider, exactly as its tokens and its discovery document name it.
        /// If it is not set, single sign-on is off.
        issuer: Option<IssuerUrl> = "";
        /// Id of this installation at the identity provider. Its redirect URL is `public_url`
        /// followed by `auth/callback`.
        client_id: Option<NonEmptyText> = "";
        /// Secret of this installation at the identity provider. A public client has none.
        client_secret: Option<ClientSecret> = "";
        /// Scopes that are requested in addition to `openid`.
        scopes: Words = "profile,email";
        /// Claim that contains the groups or roles of a person: a list, or a text with spaces. Dots
        /// lead into objects, as in `realm_access.roles`. If the id token lacks it, the user info
        /// is requested.
        claim: NonEmptyText = "groups";
        /// The roles of people: values of the claim with `viewer`, `publisher`, `operator` or
        /// `admin`. If several apply to a person, the first one counts; without any, the person
        /// cannot sign in.
        roles: RoleMap = "";
        /// Organization that people work for.
        organization: OrganizationId = "org_main";
        /// How long a session lasts. Then the person is sent to the identity provider again.
        session: Duration = "8h";
    }
    sections {}
}

settings! {
    /// How long messages and the audit log are kept.
    Retention {
        /// How long the payload of a message is kept, unless the message specifies it.
        payload: Duration = "90d";
        /// How long messages and attempts are kept. A message with pending deliveries is kept
        /// longer, unless all of them are for disabled endpoints.
        rows: Duration = "90d";
        /// How long repeated webhooks, repeated messages of queues, and messages that are published
        /// again with the same idempotency key are recognized, at most. Each takes about 120 bytes.
        /// The `dedupeWindowSeconds` of a source cannot be longer.
        duplicates: Duration = "30d";
        /// How long the response to a request with an idempotency key is stored.
        idempotency: Duration = "12h";
        /// How long entries of the audit log are kept.
        audit_log: Duration = "90d";
        /// How long statistics by minute are kept.
        statistics_minutes: Duration = "3d";
        /// How long statistics by hour are kept.
        statistics_hours: Duration = "60d";
        /// How long statistics by day are kept.
        statistics_days: Duration = "400d";
    }
    sections {}
}

settings! {
    /// Limits of received webhooks.
    Inbound {
        /// Maximum body size of a received webhook, unless its source specifies it.
        max_body: Size = "5MiB";
        /// How long the body of a received webhook may take to arrive, plus one second for each
        /// `limits.min_transfer_rate` bytes received.
        body_timeout: Duration = "20s";
    }
    sections {}
}

settings! {
    /// When deliveries to a failing endpoint are paused.
    Breaker {
        /// Consecutive failures after which deliveries to an endpoint are paused.
        failures: NonZeroUsize = "10";
        /// Length of the first pause. It ends with one delivery that probes the endpoint.
        rest: Duration = "5s";
        /// Maximum length of a pause. Each failed probe doubles the pause up to this length.
        rest_max: Duration = "5m";
    }
    sections {}
}

settings! {
    /// Code of customers that changes what their endpoints get; see transformations.md.
    Transformations {
        /// Run transformations. Without it, deliveries to endpoints that have one fail.
        enabled: bool = "true";
        /// Processes that run code at the same time.
        workers: NonZeroUsize = "2";
        /// Runs that may wait for a process. Beyond it, attempts fail and are retried.
        queued: NonZeroUsize = "1000";
        /// Run code although this system cannot confine its processes. Only for code that you
        /// trust.
        allow_unconfined: bool = "false";
    }
    sections {}
}

settings! {
    /// How host names of endpoints are resolved.
    Dns {
        /// Name servers, with a port if it is not 53. Default: those in `/etc/resolv.conf`.
        servers: Vec<SocketAddr> = "";
        /// Time limit of one lookup, including retries and all name servers.
        timeout: Duration = "5s";
        /// Maximum concurrent lookups. One application can use at most half of those that others
        /// leave free, and one domain half of that.
        lookups: NonZeroUsize = "128";
        /// Number of host names whose addresses are cached.
        cache: NonZeroUsize = "10000";
        /// Minimum time that a response is cached, even if its TTL is shorter.
        min_ttl: Duration = "1s";
        /// Maximum time that addresses are cached, even if their TTL is longer.
        max_ttl: Duration = "1h";
        /// Maximum time to cache that a host name does not exist or has no address.
        negative_ttl: Duration = "30s";
    }
    sections {}
}

settings! {
    /// Limits on everything that could grow without bound.
    Limits {
        /// Deliveries that one shard holds in memory, waiting or in flight.
        held: NonZeroUsize = "20000";
        /// Total size of the messages of held deliveries.
        held_bytes: Size = "256MiB";
        /// Deliveries of one endpoint that are held in memory.
        held_per_endpoint: NonZeroUsize = "1000";
        /// Concurrent attempts of one shard.
        in_flight: NonZeroUsize = "4000";
        /// Concurrent attempts to one endpoint.
        in_flight_per_endpoint: NonZeroUsize = "64";
        /// How long a claimed delivery stays claimed without renewal.
        lease: Duration = "5m";
        /// Maximum time between two queries of the store for due deliveries.
        poll: Duration = "1s";
        /// Messages in one commit.
        batch: NonZeroUsize = "1024";
        /// Total size of the messages in one commit.
        batch_bytes: Size = "8MiB";
        /// Messages that may wait for a commit before further ones are rejected.
        queued: NonZeroUsize = "10000";
        /// Maximum time that the result of an attempt waits to be committed together with others.
        settle_linger: Duration = "10ms";
        /// Results of attempts that are kept in memory while the store is unavailable.
        unsettled: NonZeroUsize = "20000";
        /// Database connections for deliveries, and the same number again for the API.
        database_connections: NonZeroUsize = "8";
        /// Time limit for connecting to the database, and for one statement.
        database_timeout: Duration = "10s";
        /// How long a node may miss heartbeats before another node that shares its database takes
        /// over its deliveries.
        node_lease: Duration = "30s";
        /// Cache for writes to the data folder.
        store_cache: Size = "8MiB";
        /// Cache for the index of the data folder.
        index_cache: Size = "16MiB";
        /// Cache for each thread that reads the data folder.
        reader_cache: Size = "4MiB";
        /// Maximum size of the data folder's database in pages of 4 KiB. Reaching it counts as a
        /// full disk.
        store_pages: Option<NonZeroUsize> = "";
        /// Free disk space below which new messages are rejected, so that everything else can
        /// continue. On a small disk, at most a tenth of its size.
        disk_reserve: Size = "256MiB";
        /// Idle connections to receivers that are kept open.
        idle_connections: NonZeroUsize = "1024";
        /// How long an idle connection to a receiver is kept open.
        idle_timeout: Duration = "60s";
        /// Bytes that a receiver may send in response to one attempt, including headers, TLS and
        /// framing; very small parts count as 256 bytes each. 16 KiB of the body are stored.
        response_bytes: Size = "256KiB";
        /// Informational (1xx) responses that a receiver may send before its final response.
        informational_responses: NonZeroUsize = "10";
        /// Connections that the operating system completes before the server accepts them, for
        /// bursts of new clients. Linux caps this at `net.core.somaxconn`.
        backlog: NonZeroUsize = "4096";
        /// Open client connections. When all are in use, a new connection replaces an idle or
        /// unauthenticated one, preferably of the address with the most of these.
        connections: NonZeroUsize = "10000";
        /// Open connections of one client address, or of one IPv6 /64 network. Connections of
        /// `trusted_proxies` are not limited.
        connections_per_address: NonZeroUsize = "1000";
        /// The part of `connections` that is reserved for health checks and authenticated clients;
        /// at most half of them.
        reserved_connections: NonZeroUsize = "100";
        /// How long a connection may stay open without a request. Pings do not count.
        connection_idle_timeout: Duration = "60s";
        /// Age at which a client is told to open a new connection. Requests in progress may finish,
        /// but are aborted after another quarter of this time.
        connection_max_age: Duration = "1h";
        /// Concurrent requests on one HTTP/2 connection.
        http2_streams: NonZeroUsize = "128";
        /// Maximum size of a request's headers.
        header_bytes: Size = "64KiB";
        /// Maximum number of headers of a request.
        headers: NonZeroUsize = "100";
        /// How long the headers of a request may take to arrive.
        header_timeout: Duration = "10s";
        /// How long the body of a request may take to arrive, plus one second for each
        /// `min_transfer_rate` bytes received.
        body_timeout: Duration = "30s";
        /// How long a client may take to read a response, plus one second for each
        /// `min_transfer_rate` bytes read. Then its connection is closed.
        write_timeout: Duration = "30s";
        /// Bytes per second that a client must send or read to get more time.
        min_transfer_rate: Size = "4KiB";
        /// Memory for all requests and responses, from the first byte of a body until the response
        /// is written. One application, organization or source can use at most half of what others
        /// leave free; further requests get 503 with `Retry-After`.
        request_memory: Size = "256MiB";
        /// A page of a list ends early when its stored items reach this size.
        page_bytes: Size = "1MiB";
        /// Size of a request to publish a message, without its payload.
        envelope: Size = "64KiB";
        /// Size of a request that configures an application, an endpoint or a source. A source with
        /// several large secrets may need more.
        config_body: Size = "64KiB";
        /// Size of a request that defines an event type with its schemas.
        event_type_body: Size = "256KiB";
        /// Messages in one batch request.
        batch_messages: NonZeroUsize = "1000";
        /// Size of a batch request.
        batch_request: Size = "16MiB";
        /// How often a webhook may pass through this deployment. If endpoints have sent it to a
        /// source more often, it is rejected with 508.
        hops: NonZeroUsize = "3";
        /// How long a request waits for another request with the same idempotency key.
        idempotency_wait: Duration = "10s";
        /// Applications and endpoints cached in memory, counted together: an application with one
        /// endpoint counts as two, and takes about 4 KiB. Others are read from the store when
        /// needed.
        remembered_applications: NonZeroUsize = "250000";
        /// Sources cached in memory.
        remembered_sources: NonZeroUsize = "10000";
        /// Organizations whose archived event types are cached in memory.
        remembered_event_types: NonZeroUsize = "1000";
        /// Downloaded keys and certificates of providers cached in memory, up to 64 KiB each.
        remembered_keys: NonZeroUsize = "256";
        /// Verified API tokens cached in memory.
        remembered_tokens: NonZeroUsize = "10000";
        /// Listening programs (`postrider listen`) with a token, and the same number again without
        /// one.
        relay_sessions: NonZeroUsize = "100";
        /// How many unknown short listener names (those of the Svix CLI) one address may request in
        /// a burst, and how many connections with such names it may open. The count decreases by
        /// one per second.
        relay_guesses: NonZeroUsize = "20";
        /// Concurrent requests of one listening program.
        relay_in_flight: NonZeroUsize = "16";
        /// Total size of requests in transit to listening programs with a token, and again to those
        /// without one.
        relay_bytes: Size = "64MiB";
        /// Maximum size of a response of a listening program.
        relay_answer: Size = "1MiB";
        /// How long a listening program may take to respond.
        relay_timeout: Duration = "30s";
        /// Interval of pings to listening programs.
        relay_ping: Duration = "20s";
        /// Readers of `live` endpoints that are connected to a node. They do not count as
        /// `connections`. One application can have at most half of what others leave free.
        live_readers: NonZeroUsize = "10000";
        /// Size of the last events of a `live` endpoint that a node keeps in memory while it has
        /// readers. A reader that lags further behind is disconnected.
        live_window: Size = "4MiB";
    }
    sections {}
}

settings! {
    /// Limits for one application; an empty value means no limit.
    Quotas {
        /// Endpoints of one application.
        endpoints: Option<NonZeroUsize> = "1000";
        /// Event types in the filter of one endpoint.
        event_types: Option<NonZeroUsize> = "500";
        /// Channels in the filter of one endpoint. The API allows at most 10.
        channels: Option<NonZeroUsize> = "10";
        /// Custom headers of one endpoint. The API allows at most 50.
        headers: Option<NonZeroUsize> = "50";
        /// Sources that share one application.
        sources: Option<NonZeroUsize> = "";
        /// API requests per second and node with an application's own tokens, such as those of the
        /// portal.
        requests_per_second: Option<NonZeroUsize> = "100";
        /// Messages per second and node that are published to one application.
        messages_per_second: Option<NonZeroUsize> = "";
        /// Pending deliveries of one application. When the limit is reached, publishing is
        /// rejected.
        pending: Option<NonZeroUsize> = "";
    }
    sections {}
}

impl Config {
    /// The data folder or the database, for messages.
    pub(crate) fn store_location(&self) -> String {
        let folder = || self.data_dir.display().to_string();
        self.database_url.as_ref().map_or_else(folder, DatabaseUrl::to_string)
    }

    /// The folder of the databases of `sqlite` endpoints.
    pub(crate) fn sqlite_folder(&self) -> PathBuf {
        self.data_dir.join("sqlite")
    }

    /// Memory budget that one caller needs for the largest allowed request.
    fn largest_request(&self) -> usize {
        let single = self.max_payload.0.saturating_add(self.limits.envelope.0);
        single.max(self.limits.batch_request.0).max(self.inbound.max_body.0).saturating_mul(4)
    }

    /// Whether browsers keep the cookies of sessions secret.
    fn has_safe_url(&self) -> bool {
        let Some(PublicUrl(url)) = &self.public_url else {
            return self.tls_certificate.is_some() || self.listen.ip().is_loopback();
        };
        let is_local = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || is_local
    }

    /// Checks what the types alone cannot express; an error is a key and what it should be.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let rules: [Rule; 20] = [
            (self.request_timeout.is_zero(), "request_timeout", "a duration above zero"),
            (self.max_payload.0 == 0, "max_payload", "a size above zero"),
            (self.limits.lease <= self.request_timeout, "limits.lease", LEASE),
            (self.dns.timeout.is_zero(), "dns.timeout", "a duration above zero"),
            (self.dns.max_ttl < self.dns.min_ttl, "dns.max_ttl", "at least dns.min_ttl"),
            (
                self.limits.response_bytes.0 < MIN_RESPONSE,
                "limits.response_bytes",
                "at least 64KiB",
            ),
            (self.limits.request_memory.0 < self.largest_request(), REQUEST_MEMORY, MEMORY),
            (self.limits.min_transfer_rate.0 == 0, "limits.min_transfer_rate", "a size above zero"),
            (self.limits.poll.is_zero(), "limits.poll", "a duration above zero"),
            (self.limits.relay_ping.is_zero(), "limits.relay_ping", "a duration above zero"),
            (self.limits.database_timeout.is_zero(), DATABASE_TIMEOUT, "a duration above zero"),
            (self.limits.node_lease < MIN_NODE_LEASE, "limits.node_lease", "at least 1s"),
            (self.limits.hops.get() > MAX_HOPS, "limits.hops", "a number from 1 to 100"),
            (self.tls_certificate.is_some() && self.tls_key.is_none(), "tls_key", TLS_KEY),
            (self.tls_key.is_some() && self.tls_certificate.is_none(), TLS_CERTIFICATE, TLS_PAIR),
            (self.sso.issuer.is_some() && self.sso.client_id.is_none(), "sso.client_id", CLIENT_ID),
            (self.sso.issuer.is_some() && self.sso.roles.0.is_empty(), "sso.roles", SSO_ROLES),
            (self.sso.session.is_zero(), "sso.session", "a duration above zero"),
            (self.sso.issuer.is_some() && !self.has_safe_url(), "public_url", SAFE_URL),
            (self.metrics_listen == Some(self.listen) && self.listen.port() > 0, METRICS, OTHER),
        ];
        rules
            .into_iter()
            .chain(self.alerts.rules())
            .find(|(is_broken, ..)| *is_broken)
            .map_or(Ok(()), |(_, key, expected)| Err((key, expected)))
    }
}

const MAX_HOPS: usize = 100;
/// A TLS handshake with a long certificate chain uses some of it.
const MIN_RESPONSE: usize = 64 << 10;
const REQUEST_MEMORY: &str = "limits.request_memory";
const MEMORY: &str = "at least four times max_payload, inbound.max_body and limits.batch_request";
const SSO_ROLES: &str = "groups with their roles, because sso.issuer is set";
const CLIENT_ID: &str = "a text, because sso.issuer is set";
const SAFE_URL: &str = "an https URL, or one of this machine, because sso.issuer is set";
const TLS_KEY: &str = "a path, because tls_certificate is set";
const TLS_CERTIFICATE: &str = "tls_certificate";
const TLS_PAIR: &str = "a path, because tls_key is set";
const METRICS: &str = "metrics_listen";
const OTHER: &str = "an address other than listen";
const DATABASE_TIMEOUT: &str = "limits.database_timeout";
/// A node renews its lease three times in this time. Shorter leases expire during ordinary pauses.
const MIN_NODE_LEASE: Duration = Duration::from_secs(1);
const LEASE: &str = "a duration longer than request_timeout, otherwise deliveries are sent twice";
