//! Ports for programs that have to be told theirs.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

/// A port that is free, and that the system does not give to others meanwhile, since it chooses
/// from higher ones.
pub(crate) fn free_port() -> u16 {
    let draw = || u16::try_from(RandomState::new().hash_one(()) % 20_000).unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| 10_000 + draw()).find(is_free).unwrap()
}
