//! The worker process: reads requests from its input, runs scripts, writes replies.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use crate::{
    confine,
    engine::Engine,
    frame,
    options::{Confined, Limits},
    reply::Reply,
    request::Request,
};

/// The worker process: serves a [`Sandbox`](crate::Sandbox) on standard input and output until the
/// input ends. Locks itself down before it reads the first script.
///
/// A program calls this first, before it opens files or starts threads.
pub fn worker() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Serves one sandbox. An error is that of the connection, or a request that is malformed.
pub(crate) fn serve(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let Some(content) = frame::read(input)? else { return Ok(()) };
    let Ok(Request::Configure(limits)) = Request::decode(&content) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    if let Err(reason) = prepare(&limits) {
        return frame::write(output, &Reply::Refused(&reason).encode());
    }
    frame::write(output, &Reply::Ready.encode())?;
    loop {
        // Created while there is nothing to do, so that the next run need not wait for it.
        let engine = Engine::new(&limits).map_err(io::Error::other)?;
        let Some(content) = frame::read(input)? else { return Ok(()) };
        let reply = match Request::decode(&content) {
            Ok(Request::Run(run)) => engine.run(&run),
            Ok(Request::Check { script }) => engine.check(script),
            Ok(Request::Configure(_)) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        frame::write(output, &reply)?;
    }
}

/// Does once what needs files, and then locks the process down.
fn prepare(limits: &Limits) -> Result<(), String> {
    // The C library reads the time zone when it is first used, and never again.
    let engine = Engine::new(limits).map_err(|error| error.to_string())?;
    engine.warm_up().map_err(|error| format!("the engine does not start: {error}"))?;
    match limits.confined {
        Confined::Required => confine::lock_down(),
        Confined::IfPossible => {
            // The operator has chosen to run scripts without it.
            drop(confine::lock_down());
            Ok(())
        },
        Confined::Never => Ok(()),
    }
}
