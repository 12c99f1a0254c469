//! For tests: workers in threads, and what untrusted bytes become.

use std::{
    io,
    os::unix::net::UnixStream as Blocking,
    thread::{self},
};

use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::{reply::Reply, value, worker::serve};

/// Stack of a worker's thread, as large as that of a process.
const STACK_BYTES: usize = 8 << 20;

/// Starts a worker in a thread, which ends with its input.
pub(crate) fn thread() -> io::Result<(OwnedWriteHalf, OwnedReadHalf)> {
    let (own, other) = Blocking::pair()?;
    own.set_nonblocking(true)?;
    thread::Builder::new().name("sandbox-worker".to_owned()).stack_size(STACK_BYTES).spawn(
        move || {
            let (mut input, mut output) = (&other, &other);
            // An error is the end of the connection.
            drop(serve(&mut input, &mut output));
        },
    )?;
    let (output, input) = UnixStream::from_std(own)?.into_split();
    Ok((input, output))
}

/// What a sandbox makes of the content of a worker's frame: the JSON of a returned value, if there
/// is one.
pub fn returned_value(content: &[u8]) -> Option<bytes::Bytes> {
    match Reply::decode(content).ok()? {
        Reply::Returned { value, .. } => value::validate(value).ok(),
        Reply::Ready | Reply::Refused(_) | Reply::Failed(_) => None,
    }
}

/// Contents of frames that fuzzing begins with, with names.
pub fn sample_frames() -> Vec<(&'static str, Vec<u8>)> {
    let error = crate::RunError {
        kind: crate::RunErrorKind::Thrown,
        message: "TypeError: x is not a function".to_owned(),
        line: Some(3),
        column: Some(7),
        console: "a\nb\n".to_owned(),
    };
    let value = br#"{"payload":"\ud83d\ude00 \ud83d","headers":{"a":[1,-2.5e3,true,null]}}"#;
    let replies = [
        ("ready", Reply::Ready),
        ("refused", Reply::Refused("seccomp: not supported")),
        ("returned", Reply::Returned { console: "a\n", value }),
        ("failed", Reply::Failed(error)),
    ];
    replies.into_iter().map(|(name, reply)| (name, reply.encode().split_off(4))).collect()
}

/// Locks the calling process down as a worker does, for a test of what is then impossible.
pub fn lock_down() -> Result<(), String> {
    crate::confine::lock_down()
}
