//! What lists can be asked for.

use jiff::Timestamp;

use crate::api::{MessageStatus, Ordering, StatusCodeClass};

/// Something that can be said in a query.
pub trait Query {
    /// Names and values.
    fn pairs(&self) -> Vec<(&'static str, String)>;
}

/// Declares a query: its fields, and how they are written.
macro_rules! query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl Query for $name {
            fn pairs(&self) -> Vec<(&'static str, String)> {
                let mut pairs = Vec::new();
                $(self.$field.write(stringify!($field), &mut pairs);)+
                pairs
            }
        }
    };
}

/// A field of a query.
trait Write {
    fn write(&self, name: &'static str, pairs: &mut Vec<(&'static str, String)>);
}

impl<T: Value> Write for Option<T> {
    fn write(&self, name: &'static str, pairs: &mut Vec<(&'static str, String)>) {
        pairs.extend(self.as_ref().map(|value| (name, value.value())));
    }
}

impl<T: Value> Write for Vec<T> {
    fn write(&self, name: &'static str, pairs: &mut Vec<(&'static str, String)>) {
        pairs.extend(self.iter().map(|value| (name, value.value())));
    }
}

trait Value {
    fn value(&self) -> String;
}

macro_rules! shown {
    ($($type:ty),+) => {$(
        impl Value for $type {
            fn value(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

shown!(String, usize, bool, Timestamp);

macro_rules! worded {
    ($($type:ty),+) => {$(
        impl Value for $type {
            fn value(&self) -> String {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(word)) => word,
                    Ok(other) => other.to_string(),
                    Err(error) => unreachable!("a plain enum serializes: {error}"),
                }
            }
        }
    )+};
}

worded!(Ordering, MessageStatus, StatusCodeClass);

query! {
    /// A page of a list.
    Page {
        /// Most items; the server has a default and a most of its own.
        limit: Option<usize>,
        /// The `iterator` of the page before.
        iterator: Option<String>,
        /// Which way to walk.
        order: Option<Ordering>,
    }
}

query! {
    /// Which event types.
    EventTypeQuery {
        /// Most items.
        limit: Option<usize>,
        /// The `iterator` of the page before.
        iterator: Option<String>,
        /// Which way to walk.
        order: Option<Ordering>,
        /// The archived ones too.
        include_archived: Option<bool>,
        /// With their schemas.
        with_content: Option<bool>,
    }
}

query! {
    /// Which messages.
    MessageQuery {
        /// Most items.
        limit: Option<usize>,
        /// The `iterator` of the page before.
        iterator: Option<String>,
        /// Of this channel.
        channel: Option<String>,
        /// With this tag.
        tag: Option<String>,
        /// Accepted before.
        before: Option<Timestamp>,
        /// Accepted at this time or later.
        after: Option<Timestamp>,
        /// Of these event types.
        event_types: Vec<String>,
        /// With their payloads; so if absent.
        with_content: Option<bool>,
    }
}

query! {
    /// Which attempts.
    AttemptQuery {
        /// Most items.
        limit: Option<usize>,
        /// The `iterator` of the page before.
        iterator: Option<String>,
        /// With this outcome.
        status: Option<MessageStatus>,
        /// Answered with a status code of this class.
        status_code_class: Option<StatusCodeClass>,
        /// Of messages of this channel.
        channel: Option<String>,
        /// Of messages with this tag.
        tag: Option<String>,
        /// Begun before.
        before: Option<Timestamp>,
        /// Begun at this time or later.
        after: Option<Timestamp>,
        /// Of messages of these event types.
        event_types: Vec<String>,
        /// With the answers' bodies; so if absent.
        with_content: Option<bool>,
        /// With the messages.
        with_msg: Option<bool>,
    }
}
