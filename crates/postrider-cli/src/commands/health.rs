//! `postrider health`.

use clap::Args;
use http::Method;
use url::Url;

use super::{on_runtime, target::http_url};
use crate::client::{Call, Client};

/// Checks that a server is ready for requests; the exit code is 1 if it is not
///
/// Containers can use this as their health check. It needs no token.
#[derive(Args, Debug)]
pub(crate) struct Health {
    /// URL of the server
    #[arg(
        long,
        env = "POSTRIDER_URL",
        default_value = "http://127.0.0.1:8071",
        value_parser = http_url
    )]
    url: Url,
}

impl Health {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let client = Client { url: self.url, token: String::new() };
        on_runtime(client.call(Call::new(Method::GET, &["health", "ready"]))).map(drop)
    }
}
