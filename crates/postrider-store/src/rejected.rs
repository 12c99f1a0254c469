//! The layout of a rejected request in a row. Its id and its source have columns; all other fields
//! are one blob, which begins with the version of its layout.

use bytes::Bytes;
use postrider::{MessageId, RejectionId, SourceId};
use postrider_core::message::Rejection;
use serde::{Deserialize, Serialize, Serializer};

use crate::BoxError;

/// Without the message that the request is a duplicate of.
const FIRST_VERSION: u8 = 1;
/// With that message, after the fields of the first version.
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Details<'a> {
    status: u16,
    reason: &'a str,
    method: &'a str,
    target: &'a str,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a str)>,
    #[serde(serialize_with = "whole")]
    body: &'a [u8],
}

/// Serializes a slice in one piece, which serde would write byte by byte.
fn whole<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

pub(crate) fn encode(it: &Rejection) -> Vec<u8> {
    let details = Details {
        status: it.status,
        reason: &it.reason,
        method: &it.method,
        target: &it.target,
        headers: it.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect(),
        body: &it.body,
    };
    let duplicate_of = it.duplicate_of.map(MessageId::as_u128);
    let buffer = vec![VERSION];
    postcard::to_extend(&(details, duplicate_of), buffer)
        .expect("rejections serialize, and a vector takes any length")
}

pub(crate) fn decode(
    id: RejectionId,
    source: SourceId,
    bytes: &[u8],
) -> Result<Rejection, BoxError> {
    let (it, duplicate_of): (Details<'_>, Option<u128>) = match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest)?,
        Some((&FIRST_VERSION, rest)) => (postcard::from_bytes(rest)?, None),
        Some(_) | None => return Err("the row has an unknown version".into()),
    };
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(Rejection {
        id,
        source,
        status: it.status,
        reason: it.reason.to_owned(),
        method: it.method.to_owned(),
        target: it.target.to_owned(),
        headers: it.headers.into_iter().map(header).collect(),
        body: Bytes::copy_from_slice(it.body),
        duplicate_of: duplicate_of.map(MessageId::from_u128),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(duplicate_of: Option<MessageId>) -> Rejection {
        Rejection {
            id: RejectionId::from_u128(1),
            source: SourceId::from_u128(2),
            status: 401,
            reason: "a".to_owned(),
            method: "POST".to_owned(),
            target: "/in/".to_owned(),
            headers: vec![("b".to_owned(), "c".to_owned())],
            body: Bytes::from_static(b"de"),
            duplicate_of,
        }
    }

    #[test]
    fn rows_of_every_version_are_read() {
        let first = b"\x01\x91\x03\x01a\x04POST\x04/in/\x01\x01b\x01c\x02de";
        let read = |it: &[u8]| decode(RejectionId::from_u128(1), SourceId::from_u128(2), it);
        assert_eq!(read(first).unwrap(), rejection(None));
        for it in [rejection(None), rejection(Some(MessageId::from_u128(u128::MAX)))] {
            assert_eq!(read(&encode(&it)).unwrap(), it);
        }
        assert!(read(b"\x03").is_err());
        assert!(read(b"").is_err());
    }
}
