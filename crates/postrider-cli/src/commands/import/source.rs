//! A system to import from.

use jiff::Timestamp;
use postrider::api::ImportedMessageIn;

use super::model::{Application, ApplicationContent, Environment};

/// A system to import from. Every method only reads.
pub(crate) trait Source {
    /// Where the system is, without credentials. An import is resumed only from the same place.
    fn location(&self) -> String;

    /// What belongs to no application.
    async fn environment(&self) -> anyhow::Result<Environment>;

    /// All applications, without what belongs to them.
    async fn applications(&self) -> anyhow::Result<Vec<Application>>;

    /// What belongs to an application, except for its messages.
    async fn content(&self, application: &Application) -> anyhow::Result<ApplicationContent>;

    /// A page of the messages of an application.
    async fn messages(
        &self,
        application: &Application,
        query: &MessageQuery,
    ) -> anyhow::Result<MessagePage>;
}

/// Which messages to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageQuery {
    /// Only messages that were accepted at this time or later.
    pub since: Timestamp,
    /// Only messages that were accepted before this time.
    pub until: Timestamp,
    /// The cursor of the previous page.
    pub iterator: Option<String>,
}

/// Some messages.
#[derive(Debug)]
pub(crate) struct MessagePage {
    pub messages: Vec<ImportedMessageIn>,
    /// The cursor of the next page; absent if this is the last one.
    pub iterator: Option<String>,
}
