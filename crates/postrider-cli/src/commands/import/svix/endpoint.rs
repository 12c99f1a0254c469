//! Endpoints, with what has operations of its own: secret, headers, transformation, credentials.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{
    connection::{Svix, path},
    convert,
};
use crate::commands::import::model::{Application, Endpoint, Finding, Kind, Secret};

/// Endpoints that are read at the same time.
const CONCURRENCY: usize = 4;

const PUBLIC_KEY: &str = "whpk_";

/// The endpoints of an application, or those of operational webhooks.
#[derive(Debug)]
pub(super) struct Place<'a> {
    base: Vec<&'a str>,
    kind: Kind,
    /// The application, as reports name it.
    owner: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn of(application: &'a Application) -> Self {
        let base = path(&["app", &application.source_id, "endpoint"]);
        Self { base, kind: Kind::Endpoint, owner: &application.uid }
    }

    pub(super) fn operational() -> Self {
        let base = path(&["operational-webhook", "endpoint"]);
        Self { base, kind: Kind::OperationalEndpoint, owner: "operational" }
    }
}

/// What was found of one endpoint; no endpoint if it cannot be created from that.
type Found = (Option<Endpoint>, Vec<Finding>);

impl Svix {
    /// All endpoints of the place; none if the system does not have such endpoints.
    pub(super) async fn endpoints(
        &self,
        place: &Place<'_>,
    ) -> anyhow::Result<(Vec<Endpoint>, Vec<Finding>)> {
        let all = self.api.optional_list(&place.base, &[]).await?.unwrap_or_default();
        let found: Vec<Found> = stream::iter(&all)
            .map(|it| self.endpoint(place, it))
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let (endpoints, hidden): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        Ok((endpoints.into_iter().flatten().collect(), hidden.into_iter().flatten().collect()))
    }

    async fn endpoint(&self, place: &Place<'_>, it: &Value) -> anyhow::Result<Found> {
        let mut endpoint = convert::endpoint(it);
        let record = format!("{}/{}", place.owner, endpoint.uid);
        let mut hidden = convert::hidden_fields(it, &record);
        if convert::lacks_credential(it) {
            return Ok((None, hidden));
        }
        let mut hide = |detail: String| hidden.push(Finding::new(place.kind, &record, detail));
        let id = endpoint.source_id.clone();
        let read = async |rest| {
            let place = [&place.base[..], &[id.as_str(), rest]].concat();
            self.api.optional(&place).await
        };
        let secret = if convert::is_http(it) { read("secret").await? } else { None };
        match secret.as_ref().and_then(|it| it["key"].as_str()) {
            Some(key) if !key.starts_with(PUBLIC_KEY) => {
                endpoint.secrets = vec![Secret { key: key.to_owned(), expires_at: None }];
            },
            Some(_) => hide(
                "its private key is hidden; set one (POST …/secret/rotate with `key`), and give \
                 the receiver its public key"
                    .to_owned(),
            ),
            None if convert::is_http(it) => hide(
                "its signing secret cannot be read; import again with a token that may read \
                 secrets, or the receiver has to get the new secret"
                    .to_owned(),
            ),
            None => {},
        }
        let (headers, sensitive) =
            read("headers").await?.map(|it| convert::headers(&it)).unwrap_or_default();
        for name in &sensitive {
            hide(format!("the value of its header `{name}` is hidden; set it again"));
        }
        (endpoint.headers, endpoint.hidden_headers) = (headers, sensitive.into_iter().collect());
        if place.kind == Kind::OperationalEndpoint {
            return Ok((Some(endpoint), hidden));
        }
        endpoint.transformation =
            read("transformation").await?.and_then(|it| convert::transformation(&it));
        for name in endpoint.transformation.iter().flat_map(|it| &it.hidden_variables) {
            hide(format!(
                "the value of the variable `{name}` of its transformation is hidden; set it again"
            ));
        }
        for (name, what) in [("mtls", "client certificate"), ("oauth", "OAuth configuration")] {
            if read(name).await?.is_some_and(|it| is_set(&it)) {
                hide(format!("its {what} is hidden; set it again"));
            }
        }
        Ok((Some(endpoint), hidden))
    }
}

/// Whether the response has a value; systems differ in how they represent none.
fn is_set(response: &Value) -> bool {
    let is_null = response.is_null();
    response.as_object().map_or(!is_null, |fields| fields.values().any(|it| !it.is_null()))
}
