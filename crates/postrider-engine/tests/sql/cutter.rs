//! A proxy that cuts connections between a request and its response.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A proxy in front of a server. Its threads end with the process.
#[derive(Debug)]
pub(crate) struct Cutter {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicBool>,
}

impl Cutter {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cuts);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                relay(&client, &server, &flag);
            }
        });
        Self { address, cuts }
    }

    /// The next response is not forwarded; the connection ends instead.
    pub(crate) fn cut_next_response(&self) {
        self.cuts.store(true, Ordering::SeqCst);
    }
}

#[expect(clippy::large_stack_arrays, reason = "it is one test")]
fn relay(client: &TcpStream, server: &TcpStream, cuts: &Arc<AtomicBool>) {
    let copies = [(client, server, None), (server, client, Some(Arc::clone(cuts)))];
    for (from, to, cuts) in copies {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 64 << 10];
            while let Ok(count) = from.read(&mut buffer) {
                let is_cut = cuts.as_ref().is_some_and(|it| it.swap(false, Ordering::SeqCst));
                if count == 0 || is_cut || to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            from.shutdown(Shutdown::Both).ok();
            to.shutdown(Shutdown::Both).ok();
        });
    }
}
