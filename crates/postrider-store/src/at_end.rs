//! An optional field at the end of a record that is encoded with postcard.
//!
//! It takes no space if there is no value, and can be added to records that exist: their end is
//! where the value would begin. Only the last field of a record can be one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[expect(clippy::ref_option, reason = "the signature that serde expects")]
pub(crate) fn serialize<T: Serialize, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(serializer),
        // Encoded as no bytes at all.
        None => serializer.serialize_unit(),
    }
}

/// The value, unless the record ends before it.
#[expect(clippy::unnecessary_wraps, reason = "the signature that serde expects")]
pub(crate) fn deserialize<'a, T: Deserialize<'a>, D: Deserializer<'a>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(deserializer).ok())
}

#[cfg(test)]
mod tests {
    use postrider_core::trace::{SpanId, TraceContext, TraceId};

    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Old {
        names: Vec<String>,
        time: Option<u64>,
    }

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct New {
        names: Vec<String>,
        time: Option<u64>,
        #[serde(with = "crate::at_end")]
        trace: Option<Box<TraceContext>>,
    }

    fn new(trace: Option<TraceContext>) -> New {
        New { names: vec!["a".to_owned()], time: Some(300), trace: trace.map(Box::new) }
    }

    fn context() -> TraceContext {
        let context = TraceContext::new(TraceId([1; 16]), SpanId([2; 8]), true);
        TraceContext { state: "k=v".to_owned(), ..context }
    }

    #[test]
    fn a_field_without_a_value_takes_no_space() {
        let old = Old { names: vec!["a".to_owned()], time: Some(300) };
        let bytes = postcard::to_stdvec(&old).unwrap();
        assert_eq!(postcard::to_stdvec(&new(None)).unwrap(), bytes);
        assert_eq!(postcard::from_bytes::<New>(&bytes), Ok(new(None)));
    }

    #[test]
    fn a_value_is_kept_and_ignored_by_versions_that_do_not_know_it() {
        let bytes = postcard::to_stdvec(&new(Some(context()))).unwrap();
        let without = postcard::to_stdvec(&new(None)).unwrap();
        assert_eq!(bytes.len() - without.len(), 29);
        assert_eq!(postcard::from_bytes(&bytes), Ok(new(Some(context()))));
        let old = Old { names: vec!["a".to_owned()], time: Some(300) };
        assert_eq!(postcard::from_bytes(&bytes), Ok(old));
    }
}
