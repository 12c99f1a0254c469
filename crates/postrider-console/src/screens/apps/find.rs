//! Finds the applications of a page of the list.

use futures_util::future::join_all;
use postrider::{
    ApplicationId,
    api::{ApplicationOut, EndpointStateOut, ListResponse},
};

use crate::{
    api::{Api, ApiFailure, v1},
    query::Query,
};

/// Applications of a page.
const PAGE: u64 = 25;

/// Applications that are read at once while a text is searched.
const SEARCH_PAGE: u64 = 100;

/// Most applications that are read to find a text.
const MAX_READ: u64 = 1_000;

/// A page of applications.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) apps: Vec<ApplicationOut>,
    pub(super) iterator: Option<String>,
    pub(super) done: bool,
    /// How many applications were searched, if not all of them.
    pub(super) searched: Option<u64>,
}

/// The applications that the parameters of the page ask for.
pub(super) async fn find(api: &Api, query: &Query) -> Result<Found, ApiFailure> {
    match (query.text("q"), query.text("show")) {
        (Some(text), _) => search(api, query, text).await,
        (None, Some("failing")) => failing(api, query).await,
        (None, _) => {
            let list = list(api, query, PAGE, query.text("iterator")).await?;
            let ListResponse { data, iterator, done, .. } = list;
            Ok(Found { apps: data, iterator, done, searched: None })
        },
    }
}

async fn list(
    api: &Api,
    query: &Query,
    limit: u64,
    iterator: Option<&str>,
) -> Result<ListResponse<ApplicationOut>, ApiFailure> {
    let order = query.text("order").filter(|it| *it == "descending");
    let with_endpoints = query.text("show").filter(|it| *it == "receiving").map(|_| true);
    let path = v1(&["app"]).with("limit", limit).and("iterator", iterator).and("order", order);
    api.get(path.and("exclude_apps_with_no_endpoints", with_endpoints)).await
}

/// Reads whole pages until enough applications contain the text, so that the next search continues
/// where this one ended.
async fn search(api: &Api, query: &Query, text: &str) -> Result<Found, ApiFailure> {
    let mut found =
        Found { iterator: query.text("iterator").map(ToOwned::to_owned), ..Found::default() };
    let mut read = 0;
    while !found.done && found.apps.len() < 25 && read < MAX_READ {
        let page = list(api, query, SEARCH_PAGE, found.iterator.as_deref()).await?;
        read += page.data.len() as u64;
        found.apps.extend(page.data.into_iter().filter(|app| contains(app, text)));
        (found.iterator, found.done) = (page.iterator, page.done);
    }
    found.searched = (!found.done).then_some(read);
    Ok(found)
}

/// Whether the name, an identifier or the metadata contains the text.
fn contains(app: &ApplicationOut, text: &str) -> bool {
    let text = text.to_lowercase();
    let is_in = |value: &str| value.to_lowercase().contains(&text);
    let pairs = || app.metadata.iter().any(|(key, value)| is_in(&format!("{key}={value}")));
    let uid = app.uid.as_ref().map(ToString::to_string).unwrap_or_default();
    is_in(&app.name) || is_in(&uid) || is_in(&app.id.to_string()) || pairs()
}

/// The applications of the endpoints that are failing.
async fn failing(api: &Api, query: &Query) -> Result<Found, ApiFailure> {
    let path = v1(&["endpoint-state"]).with("failing", true).with("limit", SEARCH_PAGE);
    let states =
        api.get::<ListResponse<EndpointStateOut>>(path.and("iterator", query.text("iterator")));
    let states = states.await?;
    let mut ids: Vec<ApplicationId> = states.data.iter().map(|it| it.app_id).collect();
    ids.dedup();
    let apps = ids.iter().map(|id| async move { api.find(v1(&["app", &id.to_string()])).await });
    let apps = join_all(apps).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let apps = apps.into_iter().flatten().collect();
    Ok(Found { apps, iterator: states.iterator, done: states.done, searched: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_any_field() {
        let app: ApplicationOut = serde_json::from_value(serde_json::json!({
            "id": "app_01m8ev54cte00bsbw4jehe49qh", "name": "Acme Logistics", "uid": "acme",
            "metadata": { "plan": "team" },
            "createdAt": "2026-11-27T00:00:00Z", "updatedAt": "2026-11-27T00:00:00Z",
        }))
        .unwrap();
        for (text, expected) in [
            ("LOGIS", true),
            ("acme", true),
            ("plan=team", true),
            ("team", true),
            ("4jehe", true),
            ("x", false),
        ] {
            assert_eq!(contains(&app, text), expected, "{text}");
        }
    }
}
