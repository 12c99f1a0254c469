//! The endpoint that a page is about, and what all of its pages have in common.

use maud::{Markup, html};
use postrider::api::{
    ApplicationOut, EndpointKind, EndpointMtlsConfigOut, EndpointMtlsOut, EndpointOauthConfigOut,
    EndpointOauthOut, EndpointOut, EndpointStateOut,
};

use super::{condition::Condition, kinds};
use crate::{
    api::{ApiFailure, ApiPath, v1},
    context::Context,
    failure::Failure,
    page::{Page, Section},
    ui::{self, Icon, icon, tabs},
    viewer::Action,
};

/// An endpoint, its state and its application.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) app: String,
    pub(super) id: String,
    /// The name of the application, in the console.
    pub(super) app_name: Option<String>,
    pub(super) endpoint: EndpointOut,
    pub(super) state: EndpointStateOut,
    pub(super) oauth: Option<EndpointOauthConfigOut>,
    pub(super) mtls: Option<EndpointMtlsConfigOut>,
}

/// The pages of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Settings,
    Shaping,
    Headers,
    Secret,
    Readers,
    Polling,
    Test,
}

impl Subject {
    /// The endpoint that the path of the page names.
    pub(super) async fn read(context: &Context) -> Result<Self, Failure> {
        let (app, named) = (context.app(), context.param("endpoint"));
        let (endpoint, state, oauth, mtls, app_name) = tokio::try_join!(
            context.api.get::<EndpointOut>(v1(&["app", &app, "endpoint", named])),
            context.api.get::<EndpointStateOut>(v1(&["app", &app, "endpoint", named, "state"])),
            context.api.get::<EndpointOauthOut>(v1(&[
                "app",
                &app,
                "endpoint",
                named,
                "oauth-config"
            ])),
            context.api.get::<EndpointMtlsOut>(v1(&[
                "app",
                &app,
                "endpoint",
                named,
                "mtls-config"
            ])),
            app_name(context, &app),
        )?;
        let id = endpoint.id.to_string();
        let (oauth, mtls) = (oauth.config, mtls.config);
        Ok(Self { app, id, app_name, endpoint, state, oauth, mtls })
    }

    /// An operation of the endpoint.
    pub(super) fn api(&self, rest: &[&str]) -> ApiPath {
        v1(&[&["app", &self.app, "endpoint", &self.id], rest].concat())
    }

    /// A page of the endpoint.
    pub(super) fn path(&self, context: &Context, rest: &[&str]) -> String {
        context.app_path(&self.app, &[&["endpoints", &self.id], rest].concat())
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        let endpoint = &self.endpoint;
        if endpoint.description.is_empty() { self.title() } else { &endpoint.description }
    }

    /// Where it leads.
    pub(super) fn title(&self) -> &str {
        let url = self.endpoint.url.as_str();
        if url.is_empty() { kinds::form(self.endpoint.kind).title } else { url }
    }

    /// A page of the endpoint, with its tabs.
    pub(super) fn page(&self, context: &Context, tab: Tab) -> Page {
        let page = above(context, &self.app, self.app_name.as_deref(), self.name());
        page.lead(self.lead()).actions(self.actions(context, tab)).part(self.tabs(context, tab))
    }

    /// A page that no tab leads to.
    pub(super) fn below(&self, context: &Context, title: &str) -> Page {
        let page = above(context, &self.app, self.app_name.as_deref(), title);
        page.crumb(self.name(), self.path(context, &[])).lead(self.lead())
    }

    fn lead(&self) -> Markup {
        html! {
            (Condition::of(&self.state).badge())
            @if self.name() != self.title() { span { (self.title()) } }
            (ui::id(&self.id))
        }
    }

    fn actions(&self, context: &Context, tab: Tab) -> Markup {
        html! {
            @if context.may(Action::CreateAttempts) {
                @if !self.endpoint.disabled {
                    a.button.secondary href=(context.link(&self.path(context, &["recover"]))) { (icon(Icon::Repeat)) "Recover" }
                }
                @if self.state.pending > 0 { (self.cancellation(context)) }
            }
            @if context.may(Action::ManageEndpoints) { (self.pause(context)) (self.switch(context)) }
            @if context.may(Action::CreateAttempts)
                && tab != Tab::Test
                && self.endpoint.kind != EndpointKind::Polling
            {
                a.button.secondary[tab != Tab::Overview] href=(context.link(&self.path(context, &["test"]))) { (icon(Icon::Send)) "Test" }
            }
        }
    }

    /// The dialog that cancels what is pending.
    fn cancellation(&self, context: &Context) -> Markup {
        let confirm = ui::form::Confirm {
            id: "cancel",
            button: "Cancel pending",
            shape: Icon::Cross,
            title: "Cancel pending deliveries?",
            submit: "Cancel deliveries",
            path: &self.path(context, &["cancel"]),
            is_dangerous: true,
        };
        ui::confirm(
            context,
            &confirm,
            &html! {
                p { "The " (pending(&self.state)) " of this endpoint end without another attempt. Messages that are published later are not affected." }
                p { "To send the messages after all, recover the endpoint: cancelled deliveries count as failed." }
            },
        )
    }

    /// The button that pauses or resumes it.
    fn pause(&self, context: &Context) -> Markup {
        if self.endpoint.disabled {
            return Markup::default();
        }
        let (name, label) = if self.endpoint.paused {
            ("resume", (Icon::Check, "Resume"))
        } else {
            ("pause", (Icon::Pause, "Pause"))
        };
        ui::action_button(context, &self.path(context, &[name]), label, &[])
    }

    /// The button that enables it, or the dialog that disables it.
    fn switch(&self, context: &Context) -> Markup {
        if self.endpoint.disabled {
            let path = self.path(context, &["enable"]);
            return ui::action_button(context, &path, (Icon::Check, "Enable"), &[]);
        }
        let confirm = ui::form::Confirm {
            id: "disable",
            button: "Disable",
            shape: Icon::Pause,
            title: "Disable this endpoint?",
            submit: "Disable",
            path: &self.path(context, &["disable"]),
            is_dangerous: false,
        };
        ui::confirm(
            context,
            &confirm,
            &html! {
                p { "Its " (pending(&self.state)) " wait until the endpoint is enabled again, or until their payloads expire." }
                p { "Messages published in the meantime are not queued for it. Recover what it missed after you have enabled it." }
            },
        )
    }

    fn tabs(&self, context: &Context, current: Tab) -> Markup {
        let is_http = self.endpoint.kind.is_http();
        let has_secret =
            is_http && (context.may(Action::ReadSecret) || context.may(Action::RotateSecret));
        let has_shaping =
            context.may(Action::ManageEndpoints) || context.may(Action::ManageTransformations);
        let all = [
            (Tab::Overview, "Overview", &[][..], true),
            (Tab::Settings, "Settings", &["settings"][..], context.may(Action::ManageEndpoints)),
            (Tab::Shaping, "Filter and transformation", &["filter"][..], has_shaping),
            (Tab::Headers, "Headers", &["headers"][..], is_http),
            (Tab::Secret, "Signing secret", &["secret"][..], has_secret),
            (
                Tab::Readers,
                "Readers",
                &["readers"][..],
                self.endpoint.kind == EndpointKind::Live && context.may(Action::ManageEndpoints),
            ),
            (
                Tab::Polling,
                "Consumers",
                &["polling"][..],
                self.endpoint.kind == EndpointKind::Polling,
            ),
            (
                Tab::Test,
                "Test",
                &["test"][..],
                self.endpoint.kind != EndpointKind::Polling && context.may(Action::CreateAttempts),
            ),
        ];
        let shown = all.iter().filter(|it| it.3);
        let links =
            shown.map(|(tab, name, rest, _)| (*name, self.path(context, rest), *tab == current));
        tabs(context, "Pages of the endpoint", &links.collect::<Vec<_>>())
    }
}

/// A page below the list of an application's endpoints.
pub(super) fn above(context: &Context, app: &str, app_name: Option<&str>, title: &str) -> Page {
    let page = Page::new(Section::Endpoints, title);
    let list = context.app_path(app, &["endpoints"]);
    match app_name {
        Some(name) => page.crumb(name, context.app_path(app, &[])).crumb("Endpoints", list),
        None => page.crumb("Endpoints", list),
    }
}

/// The name of an application; none in the portal, whose customer knows only their own.
pub(super) async fn app_name(context: &Context, app: &str) -> Result<Option<String>, ApiFailure> {
    if context.is_portal() {
        return Ok(None);
    }
    let found: ApplicationOut = context.api.get(v1(&["app", app])).await?;
    Ok(Some(found.name))
}

/// The deliveries that have not ended, with their number, which is counted up to a limit.
pub(super) fn pending(state: &EndpointStateOut) -> String {
    const MAX_COUNTED: u64 = 10_000;
    match state.pending {
        0 => "pending deliveries".to_owned(),
        MAX_COUNTED.. => format!("pending deliveries (at least {})", ui::number(MAX_COUNTED)),
        count => format!("pending deliveries ({})", ui::number(count)),
    }
}
