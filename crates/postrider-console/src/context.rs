//! What a page knows about its request.

use std::{str::FromStr, sync::Arc};

use http::{HeaderMap, request::Parts};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use postrider::api::{WhoamiOut, environment::EnvironmentSettingsOut};

use crate::{
    api::{Api, v1},
    assets::Assets,
    cookie::{self, Transport},
    failure::Failure,
    page::Tone,
    query::Query,
    session::Session,
    settings::ConsoleSettings,
    site::{Audience, Site, join},
    theme::{Appearance, Preferences},
    viewer::{Action, Viewer},
};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: ConsoleSettings,
    pub(crate) site: Site,
    pub(crate) assets: Assets,
}

/// A request of a person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) audience: Audience,
    pub(crate) api: Api,
    pub(crate) viewer: Viewer,
    pub(crate) session: Session,
    /// The path of the page, without the prefix of the site.
    pub(crate) path: String,
    pub(crate) query: Query,
    /// The variable parts of the path.
    params: Vec<(String, String)>,
    pub(crate) flash: Option<(Tone, String)>,
    pub(crate) preferences: Preferences,
    /// How the portal looks; the console always looks the same.
    pub(crate) appearance: Appearance,
    pub(crate) headers: HeaderMap,
    pub(crate) now: Timestamp,
}

/// Reads the context of a request.
pub(crate) async fn context(
    shared: &Arc<Shared>,
    audience: Audience,
    params: Vec<(String, String)>,
    parts: &Parts,
) -> Result<Context, Failure> {
    let transport = shared.site.transport();
    let session = Session::find(&parts.headers, audience, transport).ok_or(Failure::SignedOut)?;
    let origin = shared.site.origin();
    let router = shared.settings.api.clone();
    let api = Api::new(router, session.token.as_deref(), &origin, parts);
    let (viewer, appearance) = match audience {
        Audience::Console => {
            let who: WhoamiOut = api.get(v1(&["auth", "whoami"])).await?;
            (Viewer::new(who), Appearance::default())
        },
        Audience::Portal => customer(&api, &parts.headers, transport).await?,
    };
    Ok(Context {
        shared: Arc::clone(shared),
        audience,
        api,
        viewer,
        session,
        path: parts.uri.path().to_owned(),
        query: Query::parse(parts.uri.query()),
        params,
        flash: flash(&parts.headers, shared),
        preferences: Preferences::find(&parts.headers, transport),
        appearance,
        headers: parts.headers.clone(),
        now: (shared.settings.clock)(),
    })
}

/// The customer who is signed in to the portal, and how it looks.
async fn customer(
    api: &Api,
    headers: &HeaderMap,
    transport: Transport,
) -> Result<(Viewer, Appearance), Failure> {
    let who = api.get::<WhoamiOut>(v1(&["auth", "whoami"]));
    let settings = api.get::<EnvironmentSettingsOut>(v1(&["environment", "settings"]));
    let (who, settings) = tokio::try_join!(who, settings)?;
    if who.app_id.is_none() {
        return Err(Failure::SignedOut);
    }
    let appearance = Appearance::of(headers, transport, &settings.theme);
    let viewer = Viewer::new(who);
    Ok((if settings.read_only { viewer.read_only() } else { viewer }, appearance))
}

impl Context {
    /// The same request at the present time, to render its page again.
    pub(crate) fn renewed(&self) -> Self {
        Self { now: (self.shared.settings.clock)(), flash: None, ..self.clone() }
    }

    /// A variable part of the path, as it was entered.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|it| it.0 == name).map_or("", |it| &it.1)
    }

    /// A variable part of the path that is an id.
    pub(crate) fn id<T: FromStr>(&self, name: &'static str) -> Result<T, Failure> {
        self.param(name).parse().map_err(|_| Failure::NotFound(name))
    }

    /// The application of the page: that of the path, or that of the portal's customer.
    pub(crate) fn app(&self) -> String {
        match (self.audience, self.viewer.who().app_id) {
            (Audience::Portal, Some(own)) => own.to_string(),
            (Audience::Portal | Audience::Console, _) => self.param("app").to_owned(),
        }
    }

    /// The path of a page of an application, without the prefix of the site: `["endpoints"]` is
    /// `/apps/{app}/endpoints` in the console and `/portal/endpoints` in the portal.
    pub(crate) fn app_path(&self, app: &str, segments: &[&str]) -> String {
        match self.audience {
            Audience::Portal => format!("/portal{}", join(segments)),
            Audience::Console => format!("{}{}", join(&["apps", app]), join(segments)),
        }
    }

    /// The link to a page; `path` is without the prefix of the site.
    pub(crate) fn link(&self, path: &str) -> String {
        self.shared.site.path(path)
    }

    /// Whether the person may do something.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.viewer.may(action)
    }

    /// Refuses to show a page for something that the person may not do.
    pub(crate) fn require(&self, action: Action) -> Result<(), Failure> {
        if self.may(action) { Ok(()) } else { Err(Failure::NotPermitted(action)) }
    }

    /// Whether this is the portal.
    pub(crate) fn is_portal(&self) -> bool {
        self.audience == Audience::Portal
    }
}

/// The message after an action.
fn flash(headers: &HeaderMap, shared: &Shared) -> Option<(Tone, String)> {
    let value = cookie::FLASH.find(headers, shared.site.transport())?;
    let (tone, text) = value.split_once(':')?;
    let tone = match tone {
        "good" => Tone::Good,
        "bad" => Tone::Bad,
        _ => Tone::Neutral,
    };
    Some((tone, percent_decode_str(text).decode_utf8().ok()?.into_owned()))
}
