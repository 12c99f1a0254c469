//! Ports for programs that cannot choose one themselves.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

/// A free port below the range from which the system assigns ports, so that no other program gets
/// it meanwhile.
pub(crate) fn free_port() -> u16 {
    let draw = || u16::try_from(RandomState::new().hash_one(()) % 20_000).unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| 10_000 + draw()).find(is_free).unwrap()
}
