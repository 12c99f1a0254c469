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

pub(crate) use self::{
    error::ConfigError,
    load::{Loaded, Overrides, load},
    show::{effective, reference},
    units::parse_duration,
    value::{DefaultSignature, LogFormat, ProxyUrl, RetrySchedule, Secret, SignatureHeaders, Size},
};
use self::{
    settings::settings,
    value::{Ratio, Words},
};

settings! {
    /// Everything that can be configured.
    Config {
        /// Address and port that the server listens on.
        listen: SocketAddr = "127.0.0.1:8071";
        /// Folder that holds everything that is stored; one server at a time may use it.
        data_dir: PathBuf = "./postrider-data";
        /// Secret that signs and checks the API's tokens (HS256).
        /// When it is not given, it is made once and kept in the data folder.
        jwt_secret: Option<Secret> = "";
        /// Secret that encrypts the endpoints' signing secrets where they are stored.
        /// When it is not given, it is made once and kept in the data folder.
        main_secret: Option<Secret> = "";
        /// Waits between the attempts of a delivery; the first attempt is made at once, and a
        /// leading `0s` stands for it.
        /// A text such as `5s,5m` or a list; an empty one means no retries.
        retry_schedule: RetrySchedule = "5s,5m,30m,2h,5h,10h,14h,20h,24h";
        /// How far a wait may be lengthened or shortened at random, as a share of it.
        retry_jitter: Ratio = "0.2";
        /// Time limit of one attempt: resolving, connecting, headers and body together.
        request_timeout: Duration = "15s";
        /// Networks that deliveries may reach although they are private, such as
        /// `10.0.0.0/8,::1/128`.
        allow_networks: Vec<IpNet> = "";
        /// Refuse endpoints whose URL is not `https`.
        endpoint_https_only: bool = "false";
        /// Names of the signature's headers: `standard` (`webhook-*`), `svix` (`svix-*`) or
        /// `both`.
        signature_headers: SignatureHeaders = "standard";
        /// Kind of secret that a new endpoint gets: `hmac` (shared, `v1`) or `ed25519`
        /// (asymmetric, `v1a`).
        default_signature: DefaultSignature = "hmac";
        /// An endpoint that only failed for so long is disabled.
        disable_endpoint_after: Duration = "120h";
        /// Largest payload of one message.
        max_payload: Size = "1MiB";
        /// Proxy for all deliveries: `http://…` (CONNECT) or `socks5://…`.
        proxy: Option<ProxyUrl> = "";
        /// Hosts, domains and networks that deliveries reach without the proxy.
        no_proxy: Words = "";
        /// Organization whose applications receive the operational webhooks; an application's
        /// uid there is the id of the organization that it reports on.
        operator_org: Option<OrganizationId> = "";
        /// Parts that the work is split into, each on a thread of its own.
        shards: NonZeroUsize = "1";
        /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`) or a list such as
        /// `info,postrider_engine=debug`.
        log_level: String = "info";
        /// Form of the log on standard error: `text`, `json`, or `auto` for text on a terminal
        /// and JSON elsewhere.
        log_format: LogFormat = "auto";
    }
    sections {
        /// How long things are kept.
        retention: Retention;
        /// Bounds on everything that could grow.
        limits: Limits;
    }
}

settings! {
    /// How long things are kept.
    Retention {
        /// How long the payload of a message is kept, unless the message says otherwise.
        payload: Duration = "90d";
        /// How long messages and attempts are listed; a message that still waits is kept longer.
        rows: Duration = "90d";
    }
    sections {}
}

settings! {
    /// Bounds on everything that could grow.
    Limits {
        /// Deliveries of one shard that are held in memory, waiting or in flight.
        held: NonZeroUsize = "20000";
        /// Deliveries of one endpoint that are held in memory.
        held_per_endpoint: NonZeroUsize = "1000";
        /// Calls in flight in one shard.
        in_flight: NonZeroUsize = "2000";
        /// Calls in flight to one endpoint.
        in_flight_per_endpoint: NonZeroUsize = "64";
        /// How long a delivery that left the store stays its holder's without news.
        lease: Duration = "5m";
        /// Longest sleep before the store is asked for due deliveries again.
        poll: Duration = "1s";
        /// Messages in one commit.
        batch: NonZeroUsize = "1024";
        /// Messages that wait for a commit before more are refused.
        queued: NonZeroUsize = "10000";
        /// Longest wait of a settlement for company in its commit.
        settle_linger: Duration = "10ms";
        /// Settlements kept in memory while the store does not take them.
        unsettled: NonZeroUsize = "20000";
    }
    sections {}
}

impl Config {
    /// What the types alone cannot say.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let rules = [
            (self.request_timeout.is_zero(), "request_timeout", "a duration above zero"),
            (self.max_payload.0 == 0, "max_payload", "a size above zero"),
            (self.limits.lease <= self.request_timeout, "limits.lease", LEASE),
            (self.limits.poll.is_zero(), "limits.poll", "a duration above zero"),
            (self.shards.get() > MAX_SHARDS, "shards", "a number from 1 to 64"),
        ];
        rules
            .into_iter()
            .find(|(broken, ..)| *broken)
            .map_or(Ok(()), |(_, key, expected)| Err((key, expected)))
    }
}

const MAX_SHARDS: usize = 64;
const LEASE: &str = "a duration longer than request_timeout, or deliveries would be sent twice";
