//! Creating and editing event types.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::EventTypeOut;

use super::{body, catalog::path, validation};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    ui::{
        self,
        form::{form, problems},
        refusal::Refusal,
    },
    viewer::Action,
};

/// The fields of the body that the form shows.
const FIELDS: [&str; 6] =
    ["name", "description", "groupName", "featureFlags", "schemas", "schemaValidation"];

/// A schema to begin with.
const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["id"],
  "properties": {
    "id": { "type": "string", "description": "The id of the invoice" }
  },
  "examples": [{ "id": "inv_1" }]
}"#;

pub(super) async fn create_page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let name = context.query.text("name").unwrap_or_default().to_owned();
    let sent =
        Form::filled([("name", name), ("schema", SCHEMA.to_owned()), ("version", "1".to_owned())]);
    Ok(create_form(&context, &sent, &Refusal::default()))
}

fn create_form(context: &Context, sent: &Form, refusal: &Refusal) -> Page {
    let list = path(context, &[]);
    Page::new(Section::EventTypes, "Create an event type").crumb("Event types", &list).part(form(
        context,
        "/event-types/new",
        &html! {
            (problems(refusal.failure.as_ref(), &FIELDS))
            div.form-columns {
                div.stack { (name(sent, refusal)) (about(sent, refusal)) }
                div.stack { (schema(sent, refusal)) }
            }
            (ui::submit(context, "Create event type", Some(&list)))
        },
    ))
}

pub(super) async fn create(context: Arc<Context>, form: Form) -> ActionResult {
    let again = |refusal: &Refusal| Ok(Outcome::again(create_form(&context, &form, refusal)));
    let body = match body::body(&form, None) {
        Ok(body) => body.named(form.text("name").unwrap_or_default().to_owned()),
        Err(problem) => return again(&problem.into()),
    };
    match context.api.post::<EventTypeOut>(v1(&["event-type"]), &body).await {
        Ok(it) => {
            let name = it.name.as_str();
            Ok(Outcome::done(path(&context, &[name]), format!("Created the event type {name}.")))
        },
        Err(error) if error.is_input() => again(&error.into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn edit_page(context: Arc<Context>) -> PageResult {
    context.require(Action::Operate)?;
    let it = context.api.get(v1(&["event-type", context.param("name")])).await?;
    Ok(edit_form(&context, &it, &body::fields(&it), &Refusal::default()))
}

fn edit_form(context: &Context, it: &EventTypeOut, sent: &Form, refusal: &Refusal) -> Page {
    let name = it.name.as_str();
    let back = path(context, &[name]);
    Page::new(Section::EventTypes, format!("Edit {name}"))
        .crumb("Event types", path(context, &[]))
        .crumb(name, &back)
        .part(form(
            context,
            &path(context, &[name, "edit"]),
            &html! {
                (problems(refusal.failure.as_ref(), &FIELDS))
                div.form-columns {
                    div.stack { (about(sent, refusal)) }
                    div.stack { (schema(sent, refusal)) }
                }
                (ui::submit(context, "Save changes", Some(&back)))
            },
        ))
}

pub(super) async fn edit(context: Arc<Context>, form: Form) -> ActionResult {
    let api_path = v1(&["event-type", context.param("name")]);
    let it: EventTypeOut = context.api.get(api_path.clone()).await?;
    let again = |refusal: &Refusal| Ok(Outcome::again(edit_form(&context, &it, &form, refusal)));
    let body = match body::body(&form, Some(&it)) {
        Ok(body) => body,
        Err(problem) => return again(&problem.into()),
    };
    match context.api.send::<EventTypeOut>(Method::PUT, api_path, &body).await {
        Ok(it) => Ok(Outcome::done(path(&context, &[it.name.as_str()]), "Saved.")),
        Err(error) if error.is_input() => again(&error.into()),
        Err(error) => Err(error.into()),
    }
}

fn name(sent: &Form, refusal: &Refusal) -> Markup {
    let field = refusal.field(sent, "name", "Name", "name").required().code(1);
    field
        .placeholder("invoice.paid")
        .hint(html! {
            "Letters, digits, " code { "-" } ", " code { "_" } " and " code { "." } ". Dots make groups. It cannot be changed later."
        })
        .line()
}

fn about(sent: &Form, refusal: &Refusal) -> Markup {
    let field = |name, label, path| refusal.field(sent, name, label, path);
    html! {
        (field("description", "Description", "description").placeholder("An invoice was paid").line())
        (field("group", "Group", "groupName").code(1).hint(html! {
            "Where the catalog shows it. What is before the last dot of the name if empty."
        }).line())
        (field("flags", "Feature flags", "featureFlags").code(1).hint(html! {
            "If there are any, only customers with one of these flags see it. Separate several with spaces."
        }).line())
        (field("deprecated", "Deprecated", "deprecated").hint(html! {
            "It is still delivered, and the catalog says that it should no longer be used."
        }).checkbox())
    }
}

fn schema(sent: &Form, refusal: &Refusal) -> Markup {
    let field = |name, label, path| refusal.field(sent, name, label, path);
    html! {
        (field("schema", "JSON schema", "schemas").code(18).hint(html! {
            "Its first entry in " code { "examples" } " is what “Send example” sends. Leave it empty to remove this version."
        }).area())
        (field("version", "Schema version", "version").code(1).hint(html! {
            "Another number adds a version; the highest one is current."
        }).line())
        (field("validation", validation::LABEL, "schemaValidation").select(&validation::options()))
    }
}
