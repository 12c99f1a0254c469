//! The senders that every build has, in addition to the one for HTTP.

use std::{path::PathBuf, sync::Arc};

use postrider::api::EndpointKind;

use super::{
    ChatSender, EmailSender, Guard, LiveSender, Sender,
    sql::{MysqlSession, PostgresSession, ServerSender, SqliteSender},
};

/// What the senders need in addition to connections.
#[derive(Clone, Debug)]
pub struct BuiltInOptions {
    /// Where SQLite files are: each application has a folder in it.
    pub sqlite_folder: PathBuf,
}

/// The senders of the kinds that every build has.
pub fn built_in(guard: &Guard, options: &BuiltInOptions) -> Vec<(EndpointKind, Arc<dyn Sender>)> {
    let mut senders: Vec<(EndpointKind, Arc<dyn Sender>)> = vec![
        (EndpointKind::Email, Arc::new(EmailSender::new(guard.clone()))),
        (EndpointKind::Live, Arc::new(LiveSender::default())),
        (EndpointKind::Postgres, Arc::new(ServerSender::<PostgresSession>::new(guard.clone()))),
        (EndpointKind::Mysql, Arc::new(ServerSender::<MysqlSession>::new(guard.clone()))),
        (EndpointKind::Sqlite, Arc::new(SqliteSender::new(options.sqlite_folder.clone()))),
    ];
    senders.extend(ChatSender::for_kinds(guard));
    senders
}
