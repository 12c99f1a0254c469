//! The connectors that come with the server.

use postrider::api::connector::{ConnectorKind, ConnectorTemplateOut, ConnectorVariable};
use serde::Deserialize;

/// Everything about the templates but their code.
const LIST: &str = include_str!("../data/connectors/connectors.json");

/// Includes the code of the kinds.
macro_rules! codes {
    ($($kind:ident),* $(,)?) => {
        /// The kinds that there are templates for, in the order in which they are listed.
        pub const KINDS: &[ConnectorKind] = &[$(ConnectorKind::$kind),*];

        const CODES: &[&str] =
            &[$(include_str!(concat!("../data/connectors/", stringify!($kind), ".js"))),*];
    };
}

codes! {
    CustomerIO, Discord, Hubspot, Inngest, Loops, Resend, Segment, Sendgrid, Slack, Teams,
    Windmill, Zapier, Otel, DatadogTracing, GrafanaCloudTracing, NewRelicTracing, Telegram,
    TriggerDev, CloseCRM, Salesforce, AgenticCommerceProtocol, Custom,
}

/// A template without its code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    kind: ConnectorKind,
    name: String,
    description: String,
    url: Option<String>,
    variables: Vec<ConnectorVariable>,
    instructions: String,
    documentation: Option<String>,
}

/// All templates.
///
/// # Panics
///
/// Never: the list is part of the program, and a test reads it.
pub fn all() -> Vec<ConnectorTemplateOut> {
    let descriptions: Vec<Description> = serde_json::from_str(LIST).expect("the list is valid");
    descriptions.into_iter().filter_map(template).collect()
}

fn template(it: Description) -> Option<ConnectorTemplateOut> {
    let index = KINDS.iter().position(|kind| *kind == it.kind)?;
    Some(ConnectorTemplateOut {
        kind: it.kind,
        name: it.name,
        description: it.description,
        instructions: it.instructions,
        url: it.url,
        variables: it.variables,
        transformation: (*CODES.get(index)?).to_owned(),
        documentation: it.documentation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformation::CODE_BYTES;

    #[test]
    fn every_kind_has_a_description_and_code() {
        let all = all();
        let kinds: Vec<_> = all.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, KINDS);
        for it in all {
            assert!(CODE_BYTES.contains(&it.transformation.len()), "{:?}", it.kind);
            assert!(it.transformation.contains("function handler(webhook)"), "{:?}", it.kind);
            assert!(!it.instructions.is_empty() && !it.description.is_empty(), "{:?}", it.kind);
            for variable in it.variables {
                assert!(it.transformation.contains(&variable.name), "{}", variable.name);
            }
        }
    }
}
