//! The names of applications that a list shows, and the fields that choose one.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;
use maud::Markup;
use postrider::api::{ApplicationOut, EventTypeOut, ListResponse};

use crate::{
    api::v1,
    context::Context,
    ui::{self, Field},
};

/// Most applications that a field offers as a list; with more, their ids or uids are entered.
const MAX_OFFERED: usize = 250;

/// Names of applications by their ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// Reads the names of these applications, as far as they still exist.
    pub(crate) async fn read(context: &Context, ids: impl IntoIterator<Item = String>) -> Self {
        let ids: BTreeSet<String> = ids.into_iter().collect();
        let mut names = Self::default();
        names.add(context, ids).await;
        names
    }

    /// Reads the names that are still missing.
    pub(crate) async fn add(&mut self, context: &Context, ids: impl IntoIterator<Item = String>) {
        let missing: BTreeSet<_> = ids.into_iter().filter(|it| !self.0.contains_key(it)).collect();
        let read = async |id: String| {
            let found = context.api.find::<ApplicationOut>(v1(&["app", &id])).await;
            let name = found.ok().flatten().map(|it| it.name);
            (id.clone(), name.unwrap_or(id))
        };
        self.0.extend(join_all(missing.into_iter().map(read)).await);
    }

    /// The name, or the id if it is not known.
    pub(crate) fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }
}

/// What the fields of a filter offer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offered {
    /// Ids or uids of all applications with their names; none if there are too many.
    apps: Option<Vec<(String, String)>>,
    event_types: Vec<String>,
}

impl Offered {
    /// Reads what the fields offer. Without it, they are plain fields, so errors do not matter.
    pub(crate) async fn read(context: &Context) -> Self {
        let apps = async {
            if context.is_portal() || !context.param("app").is_empty() {
                return None;
            }
            let path = v1(&["app"]).with("limit", MAX_OFFERED);
            let found: ListResponse<ApplicationOut> = context.api.get(path).await.ok()?;
            let own = |it: ApplicationOut| {
                (it.uid.map_or_else(|| it.id.to_string(), |uid| uid.to_string()), it.name)
            };
            let mut apps: Vec<_> = found.data.into_iter().map(own).collect();
            apps.sort_by(|one, other| one.1.cmp(&other.1));
            found.done.then_some(apps)
        };
        let types = async {
            let path = v1(&["event-type"]).with("limit", MAX_OFFERED);
            context.api.get::<ListResponse<EventTypeOut>>(path).await.ok()
        };
        let (apps, types) = tokio::join!(apps, types);
        let types = types.map(|it| it.data).unwrap_or_default();
        Self { apps, event_types: types.into_iter().map(|it| it.name.to_string()).collect() }
    }

    /// The field for an application, called `app`.
    pub(crate) fn app_field(&self, value: &str) -> Markup {
        let field = Field::new("app", "Application").value(value);
        let Some(apps) = &self.apps else {
            return field.placeholder("Id or uid").line();
        };
        let mut options = vec![("", "All")];
        options.extend(apps.iter().map(|it| (it.0.as_str(), it.1.as_str())));
        if !options.iter().any(|it| it.0 == value) {
            options.push((value, value));
        }
        field.select(&options)
    }

    /// The field for an event type, called `type`.
    pub(crate) fn type_field(&self, value: &str) -> Markup {
        maud::html! {
            (Field::new("type", "Event type").value(value).list("event-types").placeholder("order.created").line())
            datalist #event-types { @for name in &self.event_types { option value=(name) {} } }
        }
    }
}

/// A link to an application's page.
pub(crate) fn app_link(context: &Context, names: &Names, id: &str) -> Markup {
    ui::link(context, &format!("/apps/{id}"), names.of(id))
}
