//! Runs deliveries: accepts messages, sends them, records the results.
//!
//! [`Engine`] is the handle that servers hold. Behind it each shard has one [`Driver`], which
//! carries out what its dispatcher decides. A [`Sender`] makes the calls, the [`MaintenanceTask`]
//! does work that can wait, the [`BackgroundRunner`] carries out what operators start, and the
//! [`Listener`] follows other nodes.

mod alerts;
mod background;
mod cache;
mod catalog_changes;
pub mod certificates;
mod changes;
mod clock;
mod command;
mod components;
mod directory;
mod driver;
mod engine;
mod grants;
mod limits;
mod listener;
mod maintenance;
mod metrics;
mod operational;
mod panic_text;
mod polling;
mod queue;
mod rotation;
mod router;
mod sender;
mod settings;
mod store_errors;
mod submission;
mod tasks;
mod tracer;

pub use crate::{
    alerts::{AlertSender, AlertSettings, AlertTask, SentAlert},
    background::{BackgroundRunner, Preview},
    cache::{BySize, Cache, SizeInMemory},
    clock::Clock,
    directory::{Directory, Entry, OpenSource},
    driver::Driver,
    engine::Engine,
    limits::Limits,
    listener::Listener,
    maintenance::MaintenanceTask,
    metrics::Metrics,
    polling::{BrowseRequest, PollError, PollRequest, Polled, Polling, Start},
    queue::{
        LeasedPartition, PARTITION_RENEWAL, PartitionLeases, Queue, QueueConnector, QueueError,
        QueueMessage, Receipt, StoredPartitions,
    },
    rotation::{Rotation, RotationStatus, RotationTask, SecretCounts},
    sender::{
        Batcher, BuiltInOptions, Call, ChatSender, Clients, CommandSender, Dns, EmailSender,
        ExpiringCertificates, FetchError, GrantKey, GrantState, Grants, Guard, GuardError,
        HttpClient, HttpSender, JwtKeyError, LiveDelivery, LiveHub, LiveInbox, LiveSender, Made,
        Peer, Proxy, ProxyProtocol, Report, ResponseLimits, Sender, SenderOptions, Senders,
        ServiceRequest, ServiceResponse, ShapeError, Shaper, built_in, check_jwt_key,
    },
    settings::Settings,
    submission::{Submission, SubmitError, Submitted},
    tasks::{EngineTasks, RunningTasks, TaskStopped},
    tracer::{SpanQueue, Tracer},
};
