//! `postrider endpoint transform`.

use clap::Args;
use serde_json::{Map, Value};

use crate::commands::api::code::CodeArgs;

/// A change of a transformation.
#[derive(Args, Debug)]
pub(crate) struct TransformArgs {
    #[command(flatten)]
    code: CodeArgs,
    /// Copy the code of this connector, by id or uid
    #[arg(long, value_name = "NAME", conflicts_with = "code")]
    connector: Option<String>,
    /// Transform deliveries
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Deliver payloads unchanged
    #[arg(long)]
    disable: bool,
    /// Remove the code and the variables
    #[arg(long, conflicts_with_all = ["code", "connector", "variable", "enable", "disable"])]
    remove: bool,
}

impl TransformArgs {
    /// The body of the request.
    pub(super) fn body(&self) -> anyhow::Result<Vec<u8>> {
        let mut body = Map::new();
        self.code.add_to(&mut body)?;
        if let Some(connector) = &self.connector {
            body.insert("connector".to_owned(), connector.as_str().into());
        }
        if self.enable || self.disable {
            body.insert("enabled".to_owned(), self.enable.into());
        }
        if self.remove {
            body.insert("enabled".to_owned(), false.into());
            body.insert("code".to_owned(), Value::Null);
            body.insert("variables".to_owned(), Value::Null);
        }
        Ok(serde_json::to_vec(&body)?)
    }
}
