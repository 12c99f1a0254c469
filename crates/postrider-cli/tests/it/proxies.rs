//! Deliveries through third-party proxies.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    receiver::Receiver,
    server::{Server, until, until_async},
};

/// A proxy; it is killed when this is dropped.
#[derive(Debug)]
struct Proxy {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Proxy {
    /// Starts the command for a port and a folder.
    fn start(command: impl Fn(u16, &TempDir) -> Command) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(port, &folder);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("tinyproxy and microsocks are installed");
        until("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, child, _folder: folder }
    }

    fn tinyproxy() -> Self {
        Self::start(|port, folder| {
            let path = folder.path().join("tinyproxy.conf");
            let settings = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\nBasicAuth me secret\n"
            );
            fs::write(&path, settings).unwrap();
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(path);
            command
        })
    }

    fn microsocks() -> Self {
        Self::start(|port, _| {
            let mut command = Command::new("microsocks");
            let port = port.to_string();
            command.args(["-i", "127.0.0.1", "-p", &port, "-u", "m@e", "-P", "p@ss:%"]);
            command
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first attempt to deliver a message to this URL, by a server with these settings.
async fn attempt(settings: &[(&'static str, &str)], url: &str) -> Value {
    let server = Server::with_variables(settings);
    server.application("acme").await;
    server.endpoint("acme", url).await;
    let message = server.publish("acme", json!({})).await;
    let path = format!("/app/acme/attempt/msg/{message}");
    let attempts = until_async(|| server.get(&path), |it| it["data"] != json!([])).await;
    attempts["data"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn tinyproxy_forwards_requests_and_tunnels_connections() {
    let proxy = Proxy::tinyproxy();
    let receiver = Receiver::start().await;
    let url = format!("http://me:sec%72et@127.0.0.1:{}", proxy.port);
    let name = format!("localhost:{}", receiver.address.port());
    for (path, setting, host, is_forwarded) in [
        ("named", ("POSTRIDER_PROXY_RESOLVES", "true"), &name, true),
        ("address", ("POSTRIDER_PROXY_RESOLVES", "false"), &receiver.address.to_string(), true),
        ("tunnel", ("POSTRIDER_PROXY_CONNECT", "true"), &receiver.address.to_string(), false),
    ] {
        let settings = [("POSTRIDER_PROXY", url.as_str()), setting];
        let attempt = attempt(&settings, &format!("http://{host}/{path}")).await;
        assert_eq!(attempt["responseStatusCode"], 200, "{path}: {attempt}");
        let call = receiver.calls(path).pop().unwrap();
        assert_eq!((call.header("host"), call.header("proxy-authorization")), (host.as_str(), ""));
        assert_eq!(call.header("via").contains("tinyproxy"), is_forwarded, "{path}");
    }
    let wrong = format!("http://me:guess@127.0.0.1:{}", proxy.port);
    let settings = [("POSTRIDER_PROXY", wrong.as_str()), ("POSTRIDER_PROXY_CONNECT", "true")];
    let attempt = attempt(&settings, &receiver.url("wrong")).await;
    let said = attempt["response"].as_str().unwrap();
    let name = format!("proxy http://127.0.0.1:{}", proxy.port);
    let expected = format!("{name} does not accept the user name and password in its URL (40");
    assert!(said.starts_with(&expected), "{attempt}");
    assert!(receiver.calls("wrong").is_empty());
}

#[tokio::test]
async fn microsocks_accepts_decoded_credentials() {
    let proxy = Proxy::microsocks();
    let receiver = Receiver::start().await;
    let url = format!("socks5://m%40e:p%40ss%3A%25@127.0.0.1:{}", proxy.port);
    let through = [("POSTRIDER_PROXY", url.as_str())];
    assert_eq!(attempt(&through, &receiver.url("ok")).await["responseStatusCode"], 200);
    let url = format!("socks5://m%40e:guess@127.0.0.1:{}", proxy.port);
    let attempt = attempt(&[("POSTRIDER_PROXY", url.as_str())], &receiver.url("wrong")).await;
    let said = attempt["response"].as_str().unwrap();
    assert!(said.starts_with(&format!("proxy socks5://127.0.0.1:{}", proxy.port)), "{said}");
    assert!(receiver.calls("wrong").is_empty());
    let url = format!("http://{}/direct", receiver.address);
    let unused = [("POSTRIDER_PROXY", "http://127.0.0.1:9"), ("POSTRIDER_NO_PROXY", "127.0.0.0/8")];
    assert_eq!(self::attempt(&unused, &url).await["responseStatusCode"], 200);
}
