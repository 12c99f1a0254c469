//! Headers of requests and responses, as the protocol carries them.

use std::collections::{BTreeMap, btree_map::Entry};

/// Headers that concern one connection. HTTP forbids forwarding them, and `host` and
/// `content-length` follow from the new request.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether the header, in lower case, concerns one connection and is never forwarded.
#[must_use]
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// Adds a header. The protocol has each name once, so that values of the same name are joined
/// with a comma, as HTTP defines it.
pub fn append_header(headers: &mut BTreeMap<String, String>, name: String, value: &str) {
    match headers.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(value.to_owned());
        },
        Entry::Occupied(mut entry) => {
            let joined = entry.get_mut();
            joined.push_str(", ");
            joined.push_str(value);
        },
    }
}
