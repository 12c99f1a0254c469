//! Alerts to the operator: what is observed, kept in the store, and sent.
//!
//! The alerts of all nodes are one document in the store. Every change of it is based on the version
//! that was read, so one node announces an alert and sends the message, and a restart repeats
//! nothing. Only a failing store is kept in memory, by each node for itself.

mod book;
mod firing;
mod inbox;
mod sender;
mod task;

use std::{collections::BTreeSet, path::PathBuf};

use postrider_core::alert::{AlertKind, Conditions, Policy};

pub(crate) use self::{firing::firing, inbox::AlertInbox};
pub use self::{
    sender::{AlertSender, SentAlert},
    task::AlertTask,
};

/// Which alerts there are, and how they are sent.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    pub kinds: BTreeSet<AlertKind>,
    /// Whether a receiver is configured. Without one, alerts are only listed.
    pub has_receiver: bool,
    pub policy: Policy,
    pub conditions: Conditions,
    /// The certificate of the API's listener, if it has one.
    pub server_certificate: Option<PathBuf>,
    /// The name of this node.
    pub node: String,
    /// The URL of the console, with a slash at its end.
    pub base_url: String,
}
