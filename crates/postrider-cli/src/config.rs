//! What can be configured, from which sources it is read, and what each key means.
//!
//! Read once at the start, from a file, then the environment, then flags; later ones win.
//! Each part of the program receives only what concerns it.

mod error;
mod load;
mod settings;
mod show;
mod units;
mod value;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use ipnet::IpNet;
use postrider::OrganizationId;
use postrider_core::ports::Ports;

pub(crate) use self::{
    error::ConfigError,
    load::{Loaded, Overrides, load},
    show::{effective, reference},
    units::parse_duration,
    value::{
        DatabaseUrl, DefaultSignature, LogFormat, LogLevel, ProxyUrl, PublicUrl, RetrySchedule,
        SecretKeys, SignatureHeaders, Size,
    },
};
use self::{
    settings::settings,
    value::{NoProxyHosts, Paths, Ratio, Word},
};

settings! {
    /// Everything that can be configured.
    Config {
        /// Address and port that the server listens on.
        listen: SocketAddr = "127.0.0.1:8071";
        /// Folder that holds everything that is stored; one server at a time may use it.
        data_dir: PathBuf = "./postrider-data";
        /// PostgreSQL database that holds everything that is stored, for any number of servers;
        /// the data folder is then only for secrets that are not given.
        database_url: Option<DatabaseUrl> = "";
        /// The URL leads to a pooler that lends a connection for one transaction at a time, such
        /// as PgBouncer in transaction mode.
        database_pooler: bool = "false";
        /// Names this server among those that share a database; its host's name when it is not
        /// given.
        node_name: Option<Word> = "";
        /// Secret that signs and checks the API's tokens (HS256), of 32 bytes at least.
        /// When it is not given, it is made once and kept in the data folder.
        /// Of several, the first signs and all of them verify; see operations.md.
        jwt_secret: Option<SecretKeys> = "";
        /// Secret that encrypts what is secret where it is stored, of 32 bytes at least.
        /// When it is not given, it is made once and kept in the data folder.
        /// Of several, the first encrypts and all of them decrypt; see operations.md.
        main_secret: Option<SecretKeys> = "";
        /// Waits between the attempts of a delivery; the first attempt is made at once, and a
        /// leading `0s` stands for it.
        /// A text such as `5s,5m` or a list; an empty one means no retries.
        retry_schedule: RetrySchedule = "5s,5m,30m,2h,5h,10h,14h,20h,24h";
        /// How far a wait may be lengthened or shortened at random, as a share of it.
        retry_jitter: Ratio = "0.2";
        /// Time limit of one attempt: resolving, connecting, headers and body together.
        request_timeout: Duration = "15s";
        /// Networks that deliveries may reach although they are private, such as
        /// `10.0.0.0/8,::1/128`. The metadata services of clouds are only reached if such an
        /// address is listed by itself.
        allow_networks: Vec<IpNet> = "";
        /// Networks that deliveries must not reach, although they are public or part of one in
        /// `allow_networks`.
        deny_networks: Vec<IpNet> = "";
        /// Ports that deliveries may reach, and ranges of them.
        allow_ports: Ports = "80,443,1024-65535";
        /// Refuse endpoints whose URL is not `https`.
        endpoint_https_only: bool = "false";
        /// Names of the signature's headers: `standard` (`webhook-*`), `svix` (`svix-*`) or
        /// `both`.
        signature_headers: SignatureHeaders = "standard";
        /// Kind of secret that a new endpoint gets: `hmac` (shared, `v1`) or `ed25519`
        /// (asymmetric, `v1a`).
        default_signature: DefaultSignature = "hmac";
        /// An endpoint whose deliveries are exhausted over this time, without a success, is
        /// disabled; see delivery.md.
        disable_endpoint_after: Duration = "120h";
        /// Largest payload of one message.
        max_payload: Size = "1MiB";
        /// Proxy for all deliveries, as `http://…` or `socks5://…`; a user name and password in
        /// it are percent-encoded.
        /// `socks5h://…` is `socks5://…` with `proxy_resolves`.
        proxy: Option<ProxyUrl> = "";
        /// Pass host names to the proxy instead of addresses that were resolved and checked here.
        /// The proxy must then refuse private addresses; only URLs that contain an address are
        /// still checked here.
        proxy_resolves: bool = "false";
        /// Use CONNECT for `http` URLs too, instead of letting an HTTP proxy forward requests.
        proxy_connect: bool = "false";
        /// Hosts that deliveries reach without the proxy: names (with their subdomains),
        /// addresses, networks such as `10.0.0.0/8`, or `*`; names and addresses with a port
        /// if only that is meant.
        /// Names are not resolved for this, so networks match only URLs that contain an address.
        no_proxy: NoProxyHosts = "";
        /// Certificates in PEM that deliveries trust in addition to the system's: files, and folders
        /// of files. Read at the start.
        tls_roots: Paths = "";
        /// Organization whose applications receive the operational webhooks; an application's
        /// uid there is the id of the organization that it reports on.
        operator_org: Option<OrganizationId> = "";
        /// How long what is under way may take to finish when the server is told to stop.
        shutdown_grace: Duration = "10s";
        /// URL that browsers reach the server under, for the links that the API gives out;
        /// the address that it listens on when it is not given.
        public_url: Option<PublicUrl> = "";
        /// Serve metrics for Prometheus under `/metrics`. They need no token and contain no names of
        /// applications or endpoints, but tell how much traffic there is.
        metrics: bool = "true";
        /// Serve the API's documentation under `/docs` and `/api/v1/openapi.json`. It needs no
        /// token and describes the API, not what is stored.
        docs: bool = "true";
        /// Let endpoints lead to this server itself: to its sources, its listening programs and its
        /// API. For chains of sources; loops are then stopped only by `limits.hops`.
        allow_own_urls: bool = "false";
        /// Let programs connect without a token and get requests passed on (`postrider listen`).
        /// Strangers can then receive requests under this server's name; see listen.md.
        /// On by default for `postrider dev`.
        relay: bool = "false";
        /// URL that begins the URLs of listening programs, `public_url` when it is not given.
        /// A host name of its own keeps them apart from everything else under `public_url`;
        /// requests for them are then refused under any other host name.
        relay_url: Option<PublicUrl> = "";
        /// Networks of reverse proxies and load balancers in front of the server, whose connections
        /// serve many clients.
        trusted_proxies: Vec<IpNet> =
            "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";
        /// Parts that the work is split into, each on a thread of its own.
        shards: NonZeroUsize = "1";
        /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`) or a list such as
        /// `info,postrider_engine=debug`.
        log_level: LogLevel = "info";
        /// Form of the log on standard error: `text`, `json`, or `auto` for text on a terminal
        /// and JSON elsewhere.
        log_format: LogFormat = "auto";
    }
    sections {
        /// How long things are kept.
        retention: Retention;
        /// What providers may post to the URLs of sources.
        inbound: Inbound;
        /// When an endpoint that keeps failing is left alone.
        breaker: Breaker;
        /// How the host names of endpoints are resolved.
        dns: Dns;
        /// Bounds on everything that could grow.
        limits: Limits;
        /// What one application may use; an empty value means no limit.
        quotas: Quotas;
    }
}

settings! {
    /// How long things are kept.
    Retention {
        /// How long the payload of a message is kept, unless the message says otherwise.
        payload: Duration = "90d";
        /// How long messages and attempts are listed; a message that still waits is kept longer,
        /// unless it waits for disabled endpoints alone.
        rows: Duration = "90d";
    }
    sections {}
}

settings! {
    /// What providers may post to the URLs of sources.
    Inbound {
        /// Largest body of a received webhook, unless its source says otherwise.
        max_body: Size = "5MiB";
        /// How long a received webhook's body may take to arrive, plus a second for each
        /// `limits.min_transfer_rate` bytes that have arrived.
        body_timeout: Duration = "20s";
    }
    sections {}
}

settings! {
    /// When an endpoint that keeps failing is left alone.
    Breaker {
        /// Failures in a row that stop deliveries to an endpoint for a while.
        failures: NonZeroUsize = "10";
        /// How long the first rest is, at whose end one delivery tries the endpoint.
        rest: Duration = "5s";
        /// Longest rest; each failed try doubles it up to here.
        rest_max: Duration = "5m";
    }
    sections {}
}

settings! {
    /// How the host names of endpoints are resolved.
    Dns {
        /// Name servers to ask, each with a port if it is not 53; those in `/etc/resolv.conf`
        /// when none is given.
        servers: Vec<SocketAddr> = "";
        /// Time limit of one lookup, including repetitions and all name servers.
        timeout: Duration = "5s";
        /// Lookups in progress at the same time; one application uses at most half of what the
        /// others leave free, and one domain half of that.
        lookups: NonZeroUsize = "128";
        /// Host names whose addresses are cached.
        cache: NonZeroUsize = "10000";
        /// Shortest time that an answer is cached, even if its TTL is shorter.
        min_ttl: Duration = "1s";
        /// Longest time that addresses are cached, even if their TTL is longer.
        max_ttl: Duration = "1h";
        /// Longest time that the answer is cached that a host name does not exist or has no
        /// address.
        negative_ttl: Duration = "30s";
    }
    sections {}
}

settings! {
    /// Bounds on everything that could grow.
    Limits {
        /// Deliveries of one shard that are held in memory, waiting or in flight.
        held: NonZeroUsize = "20000";
        /// Their messages' size together.
        held_bytes: Size = "256MiB";
        /// Deliveries of one endpoint that are held in memory.
        held_per_endpoint: NonZeroUsize = "1000";
        /// Calls in flight in one shard.
        in_flight: NonZeroUsize = "4000";
        /// Calls in flight to one endpoint.
        in_flight_per_endpoint: NonZeroUsize = "64";
        /// How long a delivery that left the store stays its holder's without news.
        lease: Duration = "5m";
        /// Longest sleep before the store is asked for due deliveries again.
        poll: Duration = "1s";
        /// Messages in one commit.
        batch: NonZeroUsize = "1024";
        /// Their size together.
        batch_bytes: Size = "8MiB";
        /// Messages that wait for a commit before more are refused.
        queued: NonZeroUsize = "10000";
        /// Longest wait of a settlement for company in its commit.
        settle_linger: Duration = "10ms";
        /// Settlements kept in memory while the store does not take them.
        unsettled: NonZeroUsize = "20000";
        /// Connections to the database for deliveries, and as many again for the API.
        database_connections: NonZeroUsize = "8";
        /// How long a connection to the database, and one statement, may take.
        database_timeout: Duration = "10s";
        /// How long after it was heard of last what a server holds is taken over by another one
        /// that shares its database.
        node_lease: Duration = "30s";
        /// Memory for what is being stored.
        store_cache: Size = "32MiB";
        /// Memory for the index of what was stored.
        index_cache: Size = "32MiB";
        /// Memory for each thread that reads what was stored.
        reader_cache: Size = "4MiB";
        /// Pages of 4 KiB that the store may have; more counts as a full disk.
        store_pages: Option<NonZeroUsize> = "";
        /// Room on the disk of the data folder below which no new messages are accepted, so that
        /// everything else goes on; on a small disk, a tenth of it at most.
        disk_reserve: Size = "256MiB";
        /// Idle connections to receivers that are kept open.
        idle_connections: NonZeroUsize = "1024";
        /// How long an idle connection to a receiver is kept open.
        idle_timeout: Duration = "60s";
        /// Bytes that a receiver may send in response to one call, including headers, TLS and
        /// framing; very small parts count as 256 bytes each. Of the body, 16 KiB are kept.
        response_bytes: Size = "256KiB";
        /// Informational (1xx) responses that a receiver may send before its response.
        informational_responses: NonZeroUsize = "10";
        /// Connections that the system completes before the server accepts them, for when many
        /// clients connect at once; Linux allows at most `net.core.somaxconn`.
        backlog: NonZeroUsize = "4096";
        /// Open connections of clients. When all are taken, a new one takes the place of one that
        /// is idle or not authenticated, first from the address that has most of those.
        connections: NonZeroUsize = "10000";
        /// Open connections of one client address, or of one IPv6 /64 network; those of
        /// `trusted_proxies` are not limited.
        connections_per_address: NonZeroUsize = "1000";
        /// The last of `connections`, which only health checks and authenticated clients get; at
        /// most half of them.
        reserved_connections: NonZeroUsize = "100";
        /// How long a connection may stay without a request; pings do not count.
        connection_idle_timeout: Duration = "60s";
        /// Age at which a client is told to open a new connection. Requests in progress are
        /// finished, but cut off when a quarter of that time has passed again.
        connection_max_age: Duration = "1h";
        /// Requests in progress on one HTTP/2 connection.
        http2_streams: NonZeroUsize = "128";
        /// Size of a request's head.
        header_bytes: Size = "64KiB";
        /// Headers of a request.
        headers: NonZeroUsize = "100";
        /// How long a request's head may take to arrive.
        header_timeout: Duration = "10s";
        /// How long a request's body may take to arrive, plus a second for each
        /// `min_transfer_rate` bytes that have arrived.
        body_timeout: Duration = "30s";
        /// How long a client may leave a response unread, plus a second for each
        /// `min_transfer_rate` bytes that it has read; then its connection is closed.
        write_timeout: Duration = "30s";
        /// Bytes per second that a client has to send or read to be given more time.
        min_transfer_rate: Size = "4KiB";
        /// Memory for all requests and responses, from the first byte of a body until the response
        /// is written.
        /// An application, an organization or a source has at most half of what the others leave
        /// free; beyond that, requests get 503 with `Retry-After`.
        request_memory: Size = "256MiB";
        /// Size of stored items at which a page of a list ends before its `limit` is reached.
        page_bytes: Size = "4MiB";
        /// Size of a request's body besides the payload.
        envelope: Size = "64KiB";
        /// Size of a request's body that configures something: an application, an endpoint, a
        /// source. A source with several large secrets may need more.
        config_body: Size = "64KiB";
        /// Size of a request's body that describes an event type, with its schemas.
        event_type_body: Size = "256KiB";
        /// Messages in one request.
        batch_messages: NonZeroUsize = "1000";
        /// Size of a request that carries many messages.
        batch_request: Size = "16MiB";
        /// Times that a webhook may come through this deployment; one that an endpoint has sent
        /// back to a source more often is refused with 508.
        hops: NonZeroUsize = "3";
        /// How long a request waits for another one with the same idempotency key.
        idempotency_wait: Duration = "10s";
        /// Applications and endpoints that are kept in memory, counted together: an application
        /// with one endpoint counts as two, and takes about 2 KiB.
        /// Others are read from the store when an event for them comes.
        remembered_applications: NonZeroUsize = "250000";
        /// Sources that are kept in memory.
        remembered_sources: NonZeroUsize = "10000";
        /// Organizations whose archived event types are kept in memory.
        remembered_event_types: NonZeroUsize = "1000";
        /// Fetched keys and certificates of providers that are kept in memory, of up to 64 KiB
        /// each.
        remembered_keys: NonZeroUsize = "256";
        /// Tokens that are remembered as verified.
        remembered_tokens: NonZeroUsize = "10000";
        /// Programs that listen (`postrider listen`): this number with a token, and the same
        /// number without one.
        relay_sessions: NonZeroUsize = "100";
        /// Unknown listeners with short names (the Svix CLI's) that one address may ask for at
        /// once, and connections under such names that it may begin; one is forgiven a second.
        relay_guesses: NonZeroUsize = "20";
        /// Requests that one of them may have to answer at a time.
        relay_in_flight: NonZeroUsize = "16";
        /// Size of all requests on their way to those with a token, and again to those without
        /// one.
        relay_bytes: Size = "64MiB";
        /// Size of an answer of theirs.
        relay_answer: Size = "1MiB";
        /// How long they may take to answer.
        relay_timeout: Duration = "30s";
        /// How often they are asked for a sign of life.
        relay_ping: Duration = "20s";
    }
    sections {}
}

settings! {
    /// What one application may use; an empty value means no limit.
    Quotas {
        /// Endpoints of one application.
        endpoints: Option<NonZeroUsize> = "1000";
        /// Event types in the filter of one endpoint.
        event_types: Option<NonZeroUsize> = "500";
        /// Channels in the filter of one endpoint; the API allows no more than 10.
        channels: Option<NonZeroUsize> = "10";
        /// Headers of one endpoint; the API allows no more than 50.
        headers: Option<NonZeroUsize> = "50";
        /// Sources that share one application.
        sources: Option<NonZeroUsize> = "";
        /// Requests to the API with an application's own tokens, such as those of the portal, in
        /// a second and on one node.
        requests_per_second: Option<NonZeroUsize> = "100";
        /// Messages that are published to one application, in a second and on one node.
        messages_per_second: Option<NonZeroUsize> = "";
        /// Deliveries of one application that have not ended; beyond, publishing is refused.
        pending: Option<NonZeroUsize> = "";
    }
    sections {}
}

impl Config {
    /// Where everything is stored, for people.
    pub(crate) fn place(&self) -> String {
        let folder = || self.data_dir.display().to_string();
        self.database_url.as_ref().map_or_else(folder, DatabaseUrl::to_string)
    }

    /// Memory in which a caller may hold the largest request that is allowed.
    fn largest_request(&self) -> usize {
        let single = self.max_payload.0.saturating_add(self.limits.envelope.0);
        single.max(self.limits.batch_request.0).max(self.inbound.max_body.0).saturating_mul(4)
    }

    /// What the types alone cannot say.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let rules = [
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
            (self.shards.get() > MAX_SHARDS, "shards", "a number from 1 to 64"),
        ];
        rules
            .into_iter()
            .find(|(broken, ..)| *broken)
            .map_or(Ok(()), |(_, key, expected)| Err((key, expected)))
    }
}

const MAX_SHARDS: usize = 64;
const MAX_HOPS: usize = 100;
/// A TLS handshake with a long chain of certificates takes some of it.
const MIN_RESPONSE: usize = 64 << 10;
const REQUEST_MEMORY: &str = "limits.request_memory";
const MEMORY: &str = "at least four times max_payload, inbound.max_body and limits.batch_request";
const DATABASE_TIMEOUT: &str = "limits.database_timeout";
/// A node renews its lease three times in that time; less than this is lost to a pause.
const MIN_NODE_LEASE: Duration = Duration::from_secs(1);
const LEASE: &str = "a duration longer than request_timeout, or deliveries would be sent twice";
