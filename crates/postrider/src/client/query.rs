//! Query parameters of lists.

use jiff::Timestamp;

use crate::api::{MessageStatus, Ordering, StatusCodeClass};

/// A set of query parameters.
pub trait Query {
    /// Names and values.
    fn pairs(&self) -> Vec<(&'static str, String)>;
}

/// Declares a struct of query parameters and how they are written.
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

/// A field of a query struct.
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
    /// Pagination of a list.
    Page {
        /// Maximum number of items; the server has its own default and maximum.
        limit: Option<usize>,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// Sort order.
        order: Option<Ordering>,
    }
}

query! {
    /// Filters for event types.
    EventTypeQuery {
        /// Maximum number of items.
        limit: Option<usize>,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// Sort order.
        order: Option<Ordering>,
        /// Include archived event types.
        include_archived: Option<bool>,
        /// Include the schemas.
        with_content: Option<bool>,
    }
}

query! {
    /// Filters for messages.
    MessageQuery {
        /// Maximum number of items.
        limit: Option<usize>,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// With this channel.
        channel: Option<String>,
        /// With this tag.
        tag: Option<String>,
        /// Accepted before.
        before: Option<Timestamp>,
        /// Accepted at this time or later.
        after: Option<Timestamp>,
        /// Of these event types.
        event_types: Vec<String>,
        /// Include the payloads; true by default.
        with_content: Option<bool>,
    }
}

query! {
    /// Filters for attempts.
    AttemptQuery {
        /// Maximum number of items.
        limit: Option<usize>,
        /// The `iterator` of the previous page.
        iterator: Option<String>,
        /// With this result.
        status: Option<MessageStatus>,
        /// With a status code of this class.
        status_code_class: Option<StatusCodeClass>,
        /// For messages with this channel.
        channel: Option<String>,
        /// For messages with this tag.
        tag: Option<String>,
        /// Started before.
        before: Option<Timestamp>,
        /// Started at this time or later.
        after: Option<Timestamp>,
        /// For messages of these event types.
        event_types: Vec<String>,
        /// Include the bodies of the responses; true by default.
        with_content: Option<bool>,
        /// Include the messages.
        with_msg: Option<bool>,
    }
}
