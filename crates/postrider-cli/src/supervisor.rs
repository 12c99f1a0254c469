//! What systemd, or another supervisor with its protocol, is told about the state of the server.

use std::{
    convert::Infallible,
    env,
    ffi::OsString,
    future::pending,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use postrider_engine::Engine;
use tokio::time::{MissedTickBehavior, interval};

/// Variable with the address of the socket.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Variables with the time, in microseconds, within which the server must report, and the process
/// that must.
const WATCHDOG_TIME: &str = "WATCHDOG_USEC";
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// The process that supervises the server, if there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<Arc<UnixDatagram>>,
    /// Time limit between two reports that the server works.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that the environment names.
    pub(crate) fn of_process() -> anyhow::Result<Self> {
        let watchdog = watchdog(variable(WATCHDOG_TIME), variable(WATCHDOG_PROCESS));
        let Some(name) = variable(SOCKET).filter(|it| !it.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = connect(&name)
            .with_context(|| format!("cannot reach the socket in {SOCKET} ({})", name.display()))?;
        Ok(Self { socket: Some(Arc::new(socket)), watchdog })
    }

    /// The server accepts requests, also after a reload.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// The server has been told to reload.
    pub(crate) fn reloading(&self) {
        self.send("RELOADING=1");
    }

    /// The server has been told to stop.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Reports, twice in the time limit, that every part of the server responds. If one does not,
    /// the supervisor restarts the server.
    pub(crate) async fn watch(&self, engine: Engine) -> Infallible {
        let Some(limit) = self.watchdog else { return pending().await };
        let mut ticks = interval(limit / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if engine.responds().await {
                self.send("WATCHDOG=1");
            }
        }
    }

    /// A report that is lost must not stop the server; if it matters, the supervisor acts.
    fn send(&self, report: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(report.as_bytes()) {
            tracing::warn!(%error, report, "the supervisor could not be notified");
        }
    }
}

/// These variables are a protocol between processes, not configuration.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// A path, or the name of a socket without a file after `@`.
fn connect(name: &OsString) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(name))?,
    };
    socket.connect_addr(&address)?;
    // A supervisor that reads nothing must not delay the server.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The time limit, unless it is meant for another process, such as the one that started this.
fn watchdog(time: Option<OsString>, process: Option<OsString>) -> Option<Duration> {
    let micros = time?.into_string().ok()?.parse().ok().filter(|it| *it > 0)?;
    let is_ours = process.is_none_or(|it| it.to_str() == Some(&std::process::id().to_string()));
    is_ours.then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_may_be_meant_for_another_process() {
        let own = std::process::id().to_string();
        for (time, process, expected) in [
            (Some("30000000"), None, Some(30)),
            (Some("30000000"), Some(own.as_str()), Some(30)),
            (Some("30000000"), Some("1"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, None, None),
        ] {
            let found = watchdog(time.map(OsString::from), process.map(OsString::from));
            assert_eq!(found, expected.map(Duration::from_secs), "{time:?} {process:?}");
        }
    }

    #[test]
    fn sockets_are_paths_or_abstract_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let receiver = UnixDatagram::bind(&path).unwrap();
        connect(&path.into_os_string()).unwrap().send(b"READY=1").unwrap();
        let mut bytes = [0; 16];
        assert_eq!(receiver.recv(&mut bytes).unwrap(), 7);
        let name = format!("postrider-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        connect(&format!("@{name}").into()).unwrap().send(b"READY=1").unwrap();
        assert_eq!(receiver.recv(&mut bytes).unwrap(), 7);
        assert!(connect(&"/nowhere/at/all".into()).is_err());
    }
}
