//! The messages of one application, page by page.

use std::cell::RefCell;

use jiff::Timestamp;
use postrider::api::{ImportedMessageIn, MessageImportOut};

use super::{
    model::{Application, Kind},
    progress::Meter,
    report::{Outcome, Report},
    source::{MessagePage, MessageQuery, Source},
    state::StateFile,
    target::Target,
};
use crate::commands;

/// Most bytes of payloads in one request.
const MAX_BYTES: usize = 4 << 20;

/// The code of messages that are older than the retention of the server.
const EXPIRED: &str = "expired";

/// What all applications share.
#[derive(Debug)]
pub(super) struct Transfer<'a, S> {
    pub source: &'a S,
    pub target: &'a Target,
    pub state: &'a RefCell<StateFile>,
    pub report: &'a RefCell<Report>,
    pub meter: &'a RefCell<Meter>,
}

/// Imports all messages of the period that are missing.
pub(super) async fn transfer<S: Source>(
    transfer: &Transfer<'_, S>,
    application: &Application,
    (since, now): (Timestamp, Timestamp),
) -> anyhow::Result<()> {
    let mut progress = transfer.state.borrow().progress(&application.source_id);
    while let Some(query) = progress.next(since, now) {
        let mut page = transfer.source.messages(application, &query).await?;
        loop {
            let MessagePage { messages, iterator } = page;
            // The next page is read while this one is written.
            let next = read_next(transfer, application, &query, iterator.clone());
            let (written, next) = tokio::join!(write(transfer, application, messages), next);
            written?;
            progress.imported(iterator);
            let at = commands::now()?;
            transfer.state.borrow_mut().note(&application.source_id, progress.clone(), at)?;
            match next? {
                Some(next) => page = next,
                None => break,
            }
        }
    }
    Ok(())
}

async fn read_next<S: Source>(
    transfer: &Transfer<'_, S>,
    application: &Application,
    query: &MessageQuery,
    iterator: Option<String>,
) -> anyhow::Result<Option<MessagePage>> {
    if iterator.is_none() {
        return Ok(None);
    }
    let query = MessageQuery { iterator, ..query.clone() };
    transfer.source.messages(application, &query).await.map(Some)
}

async fn write<S>(
    transfer: &Transfer<'_, S>,
    application: &Application,
    messages: Vec<ImportedMessageIn>,
) -> anyhow::Result<()> {
    for part in parts(messages) {
        let result = transfer.target.import_messages(&application.uid, part).await?;
        let MessageImportOut { created, existing, refused } = result;
        let mut report = transfer.report.borrow_mut();
        report.add_messages(created, existing);
        for message in refused {
            if message.code == EXPIRED {
                report.add_expired();
                continue;
            }
            let record = format!("{}/{}", application.uid, message.id);
            report.add(Kind::Message, record, Outcome::Failed(message.detail));
        }
        transfer.meter.borrow_mut().show(report.messages());
    }
    Ok(())
}

/// The messages in parts that fit into one request each.
fn parts(messages: Vec<ImportedMessageIn>) -> Vec<Vec<ImportedMessageIn>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for message in messages {
        let size = message.payload.get().len();
        if bytes + size > MAX_BYTES && bytes > 0 {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        parts.last_mut().expect("it is never empty").push(message);
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn large_messages_are_split() {
        let message = |bytes: usize| ImportedMessageIn {
            id: bytes.to_string(),
            event_type: "x".to_owned(),
            payload: to_raw_value(&"x".repeat(bytes)).unwrap(),
            timestamp: Timestamp::UNIX_EPOCH,
            event_id: None,
            channels: None,
            tags: None,
        };
        let sizes = |sizes: &[usize]| {
            let parts = parts(sizes.iter().copied().map(message).collect());
            parts.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), [0]);
        assert_eq!(sizes(&[1, 1, 1]), [3]);
        assert_eq!(sizes(&[3 << 20, 3 << 20, 1]), [1, 2]);
        assert_eq!(sizes(&[5 << 20, 5 << 20]), [1, 1]);
    }
}
