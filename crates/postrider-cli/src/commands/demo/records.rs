//! What the services of the example have received.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

/// Most records of one kind that are kept.
const MAX_KEPT: usize = 50;

/// What the mail server, the chat service and the partner have received, newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    shared: Arc<Mutex<Received>>,
}

/// The records by receiver.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Received {
    pub mail: VecDeque<Mail>,
    pub chat: VecDeque<String>,
    pub partner: VecDeque<PartnerCall>,
}

/// An e-mail.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Mail {
    pub to: String,
    pub subject: String,
    /// As it was received.
    pub content: String,
}

/// A request to the partner.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PartnerCall {
    pub id: String,
    pub verified: bool,
}

impl Records {
    pub(super) fn all(&self) -> Received {
        self.lock().clone()
    }

    pub(super) fn add_mail(&self, mail: Mail) {
        add(&mut self.lock().mail, mail);
    }

    pub(super) fn add_chat(&self, text: String) {
        add(&mut self.lock().chat, text);
    }

    pub(super) fn add_call(&self, call: PartnerCall) {
        add(&mut self.lock().partner, call);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Received> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add<T>(list: &mut VecDeque<T>, item: T) {
    list.push_front(item);
    list.truncate(MAX_KEPT);
}
