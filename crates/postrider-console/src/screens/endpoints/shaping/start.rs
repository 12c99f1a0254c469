//! Code to begin with: that of a connector of the organization, or of one that comes with the
//! server.

use maud::{Markup, html};
use postrider::api::{
    ListResponse,
    connector::{
        ConnectorKind, ConnectorOut, ConnectorProduct, ConnectorTemplateOut, ConnectorVariable,
    },
};

use super::variables;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    docs::markdown,
    page::Tone,
    ui,
    viewer::Action,
};

/// Connectors to choose from.
const MAX_CONNECTORS: usize = 250;

/// What stands before the kind of a template in the parameter of the URL.
const TEMPLATE: &str = "template:";

/// Code to begin with.
#[derive(Debug)]
pub(super) struct Start {
    name: String,
    instructions: String,
    url: Option<String>,
    pub(super) code: String,
    pub(super) variables: Vec<ConnectorVariable>,
    /// The id of the connector, if it is one of the organization.
    pub(super) connector: Option<String>,
}

/// What there is to begin with.
#[derive(Debug, Default)]
pub(super) struct Choices {
    connectors: Vec<ConnectorOut>,
    templates: Vec<ConnectorTemplateOut>,
}

/// The connectors that the person may begin with: their ids and names.
pub(in super::super) async fn connectors(
    context: &Context,
) -> Result<Vec<(String, String)>, ApiFailure> {
    if !context.may(Action::ManageTransformations) {
        return Ok(Vec::new());
    }
    let found = of_organization(context).await?;
    Ok(found.into_iter().map(|it| (it.id.to_string(), it.name)).collect())
}

async fn of_organization(context: &Context) -> Result<Vec<ConnectorOut>, ApiFailure> {
    let path = v1(&["connector"]).with("limit", MAX_CONNECTORS);
    let mut found = context.api.get::<ListResponse<ConnectorOut>>(path).await?.data;
    found.retain(|it| it.product_type == ConnectorProduct::Dispatch);
    Ok(found)
}

/// Reads what there is. Customers get only the connectors of the organization.
pub(super) async fn choices(context: &Context) -> Result<Choices, ApiFailure> {
    let (connectors, templates) = tokio::try_join!(of_organization(context), templates(context))?;
    Ok(Choices { connectors, templates })
}

async fn templates(context: &Context) -> Result<Vec<ConnectorTemplateOut>, ApiFailure> {
    if context.is_portal() {
        return Ok(Vec::new());
    }
    let path = v1(&["connector-template"]);
    Ok(context.api.get::<ListResponse<ConnectorTemplateOut>>(path).await?.data)
}

impl Choices {
    /// What a parameter of the URL names.
    pub(super) fn find(&self, from: &str) -> Option<Start> {
        if let Some(kind) = from.strip_prefix(TEMPLATE) {
            let template = self.templates.iter().find(|it| name_of(it.kind) == kind)?;
            return Some(Start {
                name: template.name.clone(),
                instructions: template.instructions.clone(),
                url: template.url.clone(),
                code: template.transformation.clone(),
                variables: template.variables.clone(),
                connector: None,
            });
        }
        let connector = self.connectors.iter().find(|it| it.id.to_string() == from)?;
        let template = self.templates.iter().find(|it| it.kind == connector.kind);
        Some(of_connector(connector, template.map_or(&[], |it| &it.variables)))
    }

    fn options(&self) -> Vec<(String, String)> {
        let own = self.connectors.iter().map(|it| (it.id.to_string(), it.name.clone()));
        let template = |it: &ConnectorTemplateOut| {
            (format!("{TEMPLATE}{}", name_of(it.kind)), format!("{} (template)", it.name))
        };
        own.chain(self.templates.iter().map(template)).collect()
    }
}

/// The variables of a connector are found in its code. `known` describes some of them.
fn of_connector(connector: &ConnectorOut, known: &[ConnectorVariable]) -> Start {
    let variable = |name: String| {
        let unknown = || ConnectorVariable {
            name: name.clone(),
            required: false,
            description: String::new(),
        };
        known.iter().find(|it| it.name == name).cloned().unwrap_or_else(unknown)
    };
    Start {
        name: connector.name.clone(),
        instructions: connector.instructions.clone(),
        url: None,
        code: connector.transformation.clone(),
        variables: variables::used(&connector.transformation).into_iter().map(variable).collect(),
        connector: Some(connector.id.to_string()),
    }
}

/// The name of a kind in the API.
fn name_of(kind: ConnectorKind) -> String {
    format!("{kind:?}")
}

/// The name of the form that chooses. It stands outside of that of the page.
const FORM: &str = "start-from";

/// The form of the list to choose from, without its fields.
pub(super) fn chooser_form(context: &Context, choices: &Choices) -> Markup {
    if choices.options().is_empty() {
        return Markup::default();
    }
    html! {
        form id=(FORM) method="get" action={ (context.link(&context.path)) "#transformation" } {}
    }
}

/// The list to choose from.
pub(super) fn chooser(context: &Context, choices: &Choices) -> Markup {
    let options = choices.options();
    if options.is_empty() {
        return Markup::default();
    }
    let chosen = context.query.text("from").unwrap_or_default();
    html! {
        div.filters {
            div.field {
                label for="start-from-choice" { "Start from a connector" }
                select id="start-from-choice" name="from" form=(FORM) {
                    @for (value, label) in &options {
                        option value=(value) selected[value == chosen] { (label) }
                    }
                }
            }
            button.secondary type="submit" form=(FORM) { "Use its code" }
        }
    }
}

impl Start {
    /// How to set it up.
    pub(super) fn markup(&self) -> Markup {
        ui::notice(
            Tone::Neutral,
            &html! {
                p { strong { (self.name) } ". Nothing is saved yet." }
                @if let Some(url) = &self.url { p { "The URL of the endpoint is " code { (url) } "." } }
                div.instructions { (markdown::untrusted(&self.instructions)) }
            },
        )
    }
}
