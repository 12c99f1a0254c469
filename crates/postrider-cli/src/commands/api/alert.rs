//! `postrider alerts`.

use clap::Args;
use http::Method;
use postrider::api::AlertsOut;

use super::{ApiArgs, json, table};
use crate::{client::Call, commands::alert::CONFIGURE, output};

const COLUMNS: &[&str] = &["kind", "subject", "beganAt", "summary"];

/// Lists the alerts that are firing
///
/// The server also sends them if it has a receiver of alerts. `postrider alert test` tries the
/// receivers.
#[derive(Args, Debug)]
pub(crate) struct Alerts {
    #[command(flatten)]
    api: ApiArgs,
}

impl Alerts {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let call = Call::new(Method::GET, &["alerts"]);
        let Some(response) = self.api.raw_response(call)? else { return Ok(()) };
        if self.api.wants_json() {
            return output::line(json::pretty(&response));
        }
        output::text(&table::render(&response, COLUMNS))?;
        let AlertsOut { configured, .. } = serde_json::from_str(response.get())?;
        if !configured {
            output::line(format_args!(
                "no receiver of alerts is configured, so alerts are only listed here; {CONFIGURE}"
            ))?;
        }
        Ok(())
    }
}
