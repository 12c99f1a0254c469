//! The command line of the benchmark.

use super::{
    load::Load,
    payload,
    place::{Setup, StoreKind},
    scenario::Kind,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Prints one JSON object with the key `ratio` instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// One short round and small scenarios: to see that it works, not for its numbers
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds, in each of which the reference and Postrider run after each other
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Measured seconds of each run
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,
    /// Connections that saturate Postrider
    #[arg(long, default_value_t = 128)]
    pub(crate) connections: usize,
    /// Connections that saturate Postrider on PostgreSQL, whose answers take longer
    #[arg(long, default_value_t = 256)]
    pub(crate) postgres_connections: usize,
    /// Connections that saturate the reference
    #[arg(long, default_value_t = 64)]
    pub(crate) naive_connections: usize,
    /// Where Postrider stores everything; `both` compares the two
    #[arg(long, value_delimiter = ',', default_value = "embedded")]
    pub(crate) store: Vec<Stores>,
    /// How many nodes share a PostgreSQL store; the scenarios run with the first of the numbers
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    pub(crate) nodes: Vec<usize>,
    /// Which scenarios run after the rounds
    #[arg(
        long,
        alias = "scenario",
        value_delimiter = ',',
        default_value = "fan-out,dead,silent,stored,receive,tenants"
    )]
    pub(crate) scenarios: Vec<Scenario>,
    /// Messages that wait for the dead endpoint
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) backlog: u64,
    /// Messages stored before the full store is measured
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) stored: u64,
    /// Bytes of the payload of each stored message, at least 10
    #[arg(long, default_value_t = payload::LENGTH)]
    pub(crate) fill_payload: usize,
    /// Days that the stored messages are spread over; 0 for the last ten minutes
    #[arg(long, default_value_t = 0)]
    pub(crate) fill_days: u64,
    /// Applications that are published to in turn
    #[arg(long, default_value_t = 100_000)]
    pub(crate) tenants: u64,
    /// Kinds of endpoints that are measured
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "http,postgres,mysql,sqlite,redis,nats,rabbitmq,mqtt,kafka,kafka-mock,sqs,sns,s3,email,live"
    )]
    pub(crate) kinds: Vec<Kind>,
    /// Minutes of the mixed load
    #[arg(long, default_value_t = 30.0)]
    pub(crate) minutes: f64,
    /// Takes the binaries as they were built
    #[arg(long, hide = true)]
    pub(crate) built: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Stores {
    Embedded,
    Postgres,
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Five endpoints want every message
    FanOut,
    /// A backlog for an endpoint that refuses connections, while another one is served
    Dead,
    /// The same for an endpoint that takes requests and never answers
    Silent,
    /// An endpoint with a backlog is deleted, while another one is served
    Cancel,
    /// A store that is full of messages, compared with an empty one
    Stored,
    /// Signed webhooks of a provider to a source with an endpoint
    Receive,
    /// Very many applications that are published to in turn, against one
    Tenants,
    /// One thread that serves and delivers against two, with a generator that steps back
    Shards,
    /// A mixed load for many minutes: whether memory stays flat
    Soak,
    /// Endpoints with a filter, a schema or a transformation, beside one without
    Shape,
    /// Endpoints of every kind, beside plain clients of the same services
    Kinds,
    /// No scenario at all
    None,
}

impl Arguments {
    pub(crate) fn uses(&self, store: StoreKind) -> bool {
        let own = match store {
            StoreKind::Embedded => Stores::Embedded,
            StoreKind::Postgres => Stores::Postgres,
        };
        self.store.iter().any(|named| *named == own || *named == Stores::Both)
    }

    /// What takes part in the rounds.
    pub(crate) fn setups(&self) -> Vec<Setup> {
        let embedded = self.uses(StoreKind::Embedded).then_some(1);
        let postgres = self.nodes.iter().filter(|_| self.uses(StoreKind::Postgres));
        embedded
            .map(|nodes| Setup { store: StoreKind::Embedded, nodes })
            .into_iter()
            .chain(postgres.map(|nodes| Setup { store: StoreKind::Postgres, nodes: *nodes }))
            .collect()
    }

    /// What the scenarios are run with: one of each store.
    pub(crate) fn scenario_setups(&self) -> Vec<Setup> {
        let mut setups = self.setups();
        setups.dedup_by_key(|setup| setup.store);
        setups
    }

    pub(crate) fn quickened(self) -> Self {
        if !self.quick {
            return self;
        }
        Self {
            rounds: 1,
            seconds: 1.5,
            backlog: 20_000,
            stored: 50_000,
            tenants: 1_000,
            minutes: 0.5,
            ..self
        }
    }

    pub(crate) fn saturate(&self, store: StoreKind) -> Load {
        let connections = match store {
            StoreKind::Embedded => self.connections,
            StoreKind::Postgres => self.postgres_connections,
        };
        Load { connections, rate: None, seconds: self.seconds }
    }

    pub(crate) fn saturate_naive(&self) -> Load {
        Load { connections: self.naive_connections, rate: None, seconds: self.seconds }
    }

    pub(crate) fn at_rate(&self, rate: f64) -> Load {
        Load { connections: self.connections, rate: Some(rate), seconds: self.seconds }
    }

    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("payload", format!("{} bytes of JSON", payload::LENGTH)),
            ("rounds", format!("{} of {} s", self.rounds, self.seconds)),
            (
                "connections",
                format!(
                    "naive {}, postrider {}, on PostgreSQL {}",
                    self.naive_connections, self.connections, self.postgres_connections
                ),
            ),
        ]
    }
}
