//! What filters of lists look at in a message, as one number: a row of the index says that a message
//! cannot match without a look at the message.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize};

use super::{number::EventTypeNumber, numbers::Numbers};
use crate::contract::history::MessageFilter;

/// The bits of the event type's number.
const EVENT_TYPE_BITS: u32 = 24;

/// Also represents all numbers that need more bits.
const LAST_EVENT_TYPE: u64 = (1 << EVENT_TYPE_BITS) - 1;

/// The bits of channels and tags, of which each sets one. With those of the event type, they fit
/// into a positive integer of `SQLite`.
const MARKS: u32 = 63 - EVENT_TYPE_BITS;

/// The event type of a message, and a mark for each of its channels and tags.
///
/// It is stored, so what it is made of cannot be changed. A message without channels and tags has
/// the number of its event type, which takes a byte or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Labels(u64);

impl Labels {
    pub(super) fn of(event_type: EventTypeNumber, channels: &[String], tags: &[String]) -> Self {
        let channels = channels.iter().map(|it| mark(Kind::Channel, it));
        let tags = tags.iter().map(|it| mark(Kind::Tag, it));
        Self(channels.chain(tags).fold(event_type_bits(event_type), |all, mark| all | mark))
    }

    const fn event_type(self) -> u64 {
        self.0 & LAST_EVENT_TYPE
    }
}

impl ToSql for Labels {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Labels {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::column_result(value).map(Self)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Channel,
    Tag,
}

fn event_type_bits(number: EventTypeNumber) -> u64 {
    u64::from(number.0).min(LAST_EVENT_TYPE)
}

fn mark(kind: Kind, text: &str) -> u64 {
    let seed = match kind {
        Kind::Channel => 0,
        Kind::Tag => 1,
    };
    1 << (EVENT_TYPE_BITS + crc32c::crc32c_append(seed, text.as_bytes()) % MARKS)
}

/// Which labels a message can have that matches a filter.
#[derive(Debug)]
pub(super) struct LabelFilter {
    /// In ascending order; none for any event type.
    event_types: Option<Vec<u64>>,
    marks: u64,
}

impl LabelFilter {
    /// An event type without a number is that of no message.
    pub(super) fn of(filter: &MessageFilter, numbers: &Numbers) -> Self {
        let event_types = (!filter.event_types.is_empty()).then(|| {
            let numbers = filter.event_types.iter().filter_map(|it| numbers.event_type_number(it));
            let mut wanted: Vec<u64> = numbers.map(event_type_bits).collect();
            wanted.sort_unstable();
            wanted
        });
        let channel = filter.channel.as_ref().map_or(0, |it| mark(Kind::Channel, it));
        let tag = filter.tag.as_ref().map_or(0, |it| mark(Kind::Tag, it));
        Self { event_types, marks: channel | tag }
    }

    /// Whether a message with these labels may match. Rows of earlier versions have none.
    pub(super) fn admits(&self, labels: Option<Labels>) -> bool {
        let Some(labels) = labels else { return true };
        let wanted = self.event_types.as_ref();
        labels.0 & self.marks == self.marks
            && wanted.is_none_or(|it| it.binary_search(&labels.event_type()).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-c]{1,2}", 0..3)
    }

    fn filter(
        event_types: Option<Vec<u64>>,
        channel: Option<&str>,
        tag: Option<&str>,
    ) -> LabelFilter {
        LabelFilter {
            event_types,
            marks: channel.map_or(0, |it| mark(Kind::Channel, it))
                | tag.map_or(0, |it| mark(Kind::Tag, it)),
        }
    }

    #[test]
    fn labels_are_those_that_are_stored() {
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let labels = |number, channels: &[&str], tags: &[&str]| {
            Labels::of(EventTypeNumber(number), &texts(channels), &texts(tags)).0
        };
        assert_eq!(labels(7, &[], &[]), 7);
        assert_eq!(labels(u32::MAX, &[], &[]), LAST_EVENT_TYPE);
        assert_eq!(labels(7, &["project_1"], &[]), 7 | 1 << 34);
        assert_eq!(labels(7, &[], &["project_1"]), 7 | 1 << 56);
        assert_eq!(labels(7, &["a", "b"], &["c"]), 7 | 1 << 36 | 1 << 32);
    }

    #[test]
    fn a_rare_event_type_or_channel_excludes_other_messages() {
        let common = Labels::of(EventTypeNumber(1), &[], &[]);
        assert!(!filter(Some(vec![2, 3]), None, None).admits(Some(common)));
        assert!(!filter(Some(Vec::new()), None, None).admits(Some(common)));
        assert!(!filter(None, Some("a"), None).admits(Some(common)));
        assert!(!filter(None, None, Some("a")).admits(Some(common)));
        assert!(filter(None, None, None).admits(Some(common)));
        assert!(filter(Some(vec![2]), Some("a"), None).admits(None));
    }

    proptest! {
        #[test]
        fn a_message_that_matches_is_never_excluded(
            event_type in prop_oneof![0_u32..3, 0xFF_FFFE_u32..=u32::MAX],
            channels in texts(),
            tags in texts(),
        ) {
            let labels = Labels::of(EventTypeNumber(event_type), &channels, &tags);
            let bits = event_type_bits(EventTypeNumber(event_type));
            let own = || Some(vec![bits]);
            prop_assert!(filter(own(), None, None).admits(Some(labels)));
            for channel in &channels {
                prop_assert!(filter(own(), Some(channel), None).admits(Some(labels)));
                for tag in &tags {
                    prop_assert!(filter(None, Some(channel), Some(tag)).admits(Some(labels)));
                }
            }
        }
    }
}
