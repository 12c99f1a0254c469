//! Rules out messages by their labels in the index, without a look at the messages themselves.

use std::cell::OnceCell;

use postrider::ApplicationId;
use rusqlite::{OptionalExtension, params};

use crate::{
    contract::history::MessageFilter,
    embedded::{
        labels::{LabelFilter, Labels},
        number::MessageSequence,
        readers::Reader,
    },
};

pub(in crate::embedded) const LABELS: &str = "SELECT labels FROM messages
    WHERE application = ?1 AND message = ?2";

/// Which messages may match a filter.
pub(in crate::embedded) struct LabelCheck<'a> {
    reader: &'a Reader,
    filter: &'a MessageFilter,
    /// Made at the first row, which fixes what the statement sees: all its event types have numbers
    /// then.
    labels: OnceCell<LabelFilter>,
}

impl<'a> LabelCheck<'a> {
    pub(in crate::embedded) const fn new(reader: &'a Reader, filter: &'a MessageFilter) -> Self {
        Self { reader, filter, labels: OnceCell::new() }
    }

    /// Whether a message with these labels may match.
    pub(in crate::embedded) fn admits(&self, labels: Option<Labels>) -> bool {
        let filter = || LabelFilter::of(self.filter, &self.reader.numbers());
        self.labels.get_or_init(filter).admits(labels)
    }

    /// Whether this message of the application may match, for walks along attempts and deliveries
    /// in the index. It may if the index does not have the message yet.
    pub(in crate::embedded) fn admits_message(
        &self,
        application: ApplicationId,
        message: MessageSequence,
    ) -> rusqlite::Result<bool> {
        if !self.filter.names_labels() {
            return Ok(true);
        }
        let number = self.reader.numbers().application_number(application);
        let Some(number) = number else { return Ok(true) };
        let mut statement = self.reader.index.prepare_cached(LABELS)?;
        let found = statement.query_row(params![number, message], |row| row.get(0)).optional()?;
        Ok(self.admits(found.flatten()))
    }
}
