//! How a request that was turned away is laid out in a row: its id and its source have columns,
//! all else is one blob, which begins with the version of its layout.

use bytes::Bytes;
use postrider::{RejectionId, SourceId};
use postrider_core::message::Rejection;
use serde::{Deserialize, Serialize, Serializer};

use crate::BoxError;

const VERSION: u8 = 1;

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

/// Writes bytes at once and not one by one.
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
    let buffer = vec![VERSION];
    postcard::to_extend(&details, buffer).expect("what is stored serializes, and a vector takes it")
}

pub(crate) fn decode(
    id: RejectionId,
    source: SourceId,
    bytes: &[u8],
) -> Result<Rejection, BoxError> {
    let Some((&VERSION, rest)) = bytes.split_first() else {
        return Err("the row is of an unknown version".into());
    };
    let it: Details<'_> = postcard::from_bytes(rest)?;
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
    })
}
