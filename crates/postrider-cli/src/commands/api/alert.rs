//! `postrider alerts`.

use clap::Args;
use http::Method;

use super::{ApiArgs, ApiRequest};
use crate::client::Call;

const COLUMNS: &[&str] = &["kind", "subject", "beganAt", "summary"];

/// Lists the alerts that are firing
///
/// The server only watches for alerts if it has a receiver of alerts. `postrider alert test` tries
/// the receivers.
#[derive(Args, Debug)]
pub(crate) struct Alerts {
    #[command(flatten)]
    api: ApiArgs,
}

impl Alerts {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let call = Call::new(Method::GET, &["alerts"]);
        self.api.run(ApiRequest { call, columns: COLUMNS })
    }
}
