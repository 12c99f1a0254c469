//! Pages, and what comes of actions.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use maud::Markup;

use crate::failure::Failure;

/// The page, or why there is none.
pub(crate) type PageResult = Result<Page, Failure>;

/// What comes of an action, or why it was not made.
pub(crate) type ActionResult = Result<Outcome, Failure>;

/// The part of the navigation that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Applications,
    Endpoints,
    EventTypes,
    Connectors,
    Messages,
    Failures,
    Live,
    Tasks,
    Sources,
    Consumers,
    Inspect,
    Settings,
    Verify,
    /// Pages outside the navigation.
    None,
}

/// When a page that is open updates itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// Never.
    Never,
    /// After something has happened, and every minute.
    OnEvents,
    /// Regularly.
    Every(Duration),
}

/// A part of a page.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// The id of its element, if it updates itself.
    pub(crate) id: Option<&'static str>,
    pub(crate) markup: Markup,
}

/// A page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) section: Section,
    pub(crate) title: String,
    /// The pages above this one: their names and paths, without the prefix of the site.
    pub(crate) crumbs: Vec<(String, String)>,
    /// What follows the title: an id, a state.
    pub(crate) lead: Option<Markup>,
    /// Buttons beside the title.
    pub(crate) actions: Option<Markup>,
    pub(crate) regions: Vec<Region>,
    pub(crate) refresh: Refresh,
}

impl Page {
    pub(crate) fn new(section: Section, title: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            section,
            title: title.into(),
            crumbs: Vec::new(),
            lead: None,
            actions: None,
            regions: Vec::new(),
            refresh: Refresh::Never,
        }
    }

    /// Adds a page above this one.
    #[must_use]
    pub(crate) fn crumb(mut self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.crumbs.push((name.into(), path.into()));
        self
    }

    #[must_use]
    pub(crate) fn lead(mut self, markup: Markup) -> Self {
        self.lead = Some(markup);
        self
    }

    #[must_use]
    pub(crate) fn actions(mut self, markup: Markup) -> Self {
        self.actions = Some(markup);
        self
    }

    /// Adds a part that stays as it is.
    #[must_use]
    pub(crate) fn part(mut self, markup: Markup) -> Self {
        self.regions.push(Region { id: None, markup });
        self
    }

    /// Adds a part that updates itself. It must not contain forms in which a person types.
    #[must_use]
    pub(crate) fn live(mut self, id: &'static str, markup: Markup) -> Self {
        self.regions.push(Region { id: Some(id), markup });
        if self.refresh == Refresh::Never {
            self.refresh = Refresh::OnEvents;
        }
        self
    }

    #[must_use]
    pub(crate) const fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    #[must_use]
    pub(crate) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// How a message after an action looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Neutral,
    Good,
    Bad,
    Warning,
}

/// What comes of an action.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Another page, with a message.
    Redirect { path: String, flash: Option<(Tone, String)> },
    /// A page, such as the form with its problems.
    Page(Box<Page>),
    /// A response that is not a page, such as a download.
    Response(Box<Response>),
}

impl Outcome {
    /// Shows a page with a message that something was done.
    pub(crate) fn done(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Redirect { path: path.into(), flash: Some((Tone::Good, message.into())) }
    }

    /// Shows a page with a message that something failed.
    pub(crate) fn failed(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Redirect { path: path.into(), flash: Some((Tone::Bad, message.into())) }
    }

    /// Shows a form again, whose problems the person can correct.
    pub(crate) fn again(page: Page) -> Self {
        Self::Page(Box::new(page.status(StatusCode::UNPROCESSABLE_ENTITY)))
    }

    /// Shows a page.
    pub(crate) fn page(page: Page) -> Self {
        Self::Page(Box::new(page))
    }
}
