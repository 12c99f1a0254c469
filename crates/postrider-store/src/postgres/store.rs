//! The store on PostgreSQL, and how its methods use sessions. Opening and closing is in
//! [`open`](super::open).

use std::sync::{Arc, Mutex};

use tokio::{sync::mpsc, task::JoinSet};

use super::{in_doubt::InDoubt, node::Node};
use crate::contract::cluster::StoreEvent;

/// The store on PostgreSQL; [`PostgresStore::open`] makes this process a node.
#[derive(Debug)]
pub struct PostgresStore {
    pub(super) node: Arc<Node>,
    /// Renew the lease, listen, poll, and take over from dead nodes.
    pub(super) tasks: Mutex<JoinSet<()>>,
    pub(super) events: tokio::sync::Mutex<mpsc::Receiver<StoreEvent>>,
    pub(super) in_doubt: InDoubt,
}

/// How often a transaction that lost a race is repeated.
pub(super) const MAX_RACES: usize = 10;

/// Runs the body with a session of its own, and again if its transaction lost a race. Converts the
/// error to the type that the surrounding function returns.
///
/// This is a macro because a function would take an async closure, and Rust cannot express yet that
/// the future of one that borrows its arguments is `Send`.
macro_rules! with_session {
    ($open:expr, |$session:ident| $body:expr) => {{
        let mut races = 0;
        loop {
            let result = match $open.await {
                Ok(mut session) => {
                    let $session = &mut session;
                    $body.await
                },
                Err(error) => Err(error),
            };
            match result {
                Err(error) if races < $crate::postgres::store::MAX_RACES && error.is_race() => {
                    races += 1;
                },
                result => break result.map_err(Into::into),
            }
        }
    }};
}
pub(super) use with_session;
