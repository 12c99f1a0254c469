//! The PostgreSQL of the open-source Svix server.
//!
//! Rows are read as JSON objects, so that columns that only some versions of the server have can be
//! missing.

mod convert;

use std::collections::HashMap;

use anyhow::Context;
use clap::Args;
use postrider::api::Metadata;
use postrider_store::{ForeignDatabase, TextRow};
use serde_json::Value;

use super::{
    credential::text_or_file,
    model::{Application, ApplicationContent, Environment},
    source::{MessagePage, MessageQuery, Source},
};
use crate::failure::{self, Advice, usage};

/// Messages on a page.
const MESSAGES: usize = 250;

/// The database of the other server.
#[derive(Args)]
pub(crate) struct FromDatabaseArgs {
    /// Database of the Svix server
    #[arg(long, value_name = "URL", env = "POSTRIDER_FROM_DATABASE", hide_env_values = true)]
    from: String,
    /// The server's `main_secret`, or @FILE to read it from a file; none if it has none
    #[arg(
        long,
        value_name = "SECRET|@FILE",
        env = "POSTRIDER_FROM_MAIN_SECRET",
        hide_env_values = true
    )]
    main_secret: Option<String>,
    /// Organization to import, if the database has several
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
}

/// Hides the credentials.
impl std::fmt::Debug for FromDatabaseArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromDatabaseArgs").field("org", &self.org).finish_non_exhaustive()
    }
}

/// The database of a Svix server.
pub(super) struct SvixDb {
    database: ForeignDatabase,
    /// Where the database is, without credentials.
    location: String,
    main_secret: Option<String>,
    organization: String,
    /// Payloads are in a table of their own since version 1.5.
    has_contents: bool,
}

const ORGANIZATIONS: &str = "SELECT org_id::text
    FROM application
    WHERE NOT deleted
    UNION SELECT org_id::text
    FROM eventtype
    ORDER BY 1";

const HAS_TABLE: &str = "SELECT to_regclass($1::text)::text";

const EVENT_TYPES: &str = "SELECT to_jsonb(t)::text
    FROM eventtype t
    WHERE org_id = $1
    ORDER BY name";

const APPLICATIONS: &str = "SELECT to_jsonb(t)::text
    FROM application t
    WHERE org_id = $1 AND NOT deleted
    ORDER BY id";

const ENDPOINTS: &str = "SELECT to_jsonb(t)::text
    FROM endpoint t
    WHERE app_id = $1 AND NOT deleted
    ORDER BY id";

const APPLICATION_METADATA: &str = "SELECT m.id::text, m.data::text
    FROM applicationmetadata m
    JOIN application a ON a.id = m.id
    WHERE a.org_id = $1";

const ENDPOINT_METADATA: &str = "SELECT m.id::text, m.data::text
    FROM endpointmetadata m
    JOIN endpoint e ON e.id = m.id
    WHERE e.app_id = $1";

/// The parameter after the period is the id of the last message, or empty.
const MESSAGES_WITH_CONTENTS: &str = "SELECT (to_jsonb(m) - 'payload')::text,
        coalesce(convert_from(c.payload, 'UTF8'), m.payload::text)
    FROM message m
    LEFT JOIN messagecontent c ON c.id = m.id
    WHERE m.app_id = $1
        AND m.created_at >= $2::text::timestamptz
        AND m.created_at < $3::text::timestamptz
        AND ($4::text = '' OR m.id < $4::text)
    ORDER BY m.id DESC
    LIMIT $5::text::bigint";

const MESSAGES_ALONE: &str = "SELECT (to_jsonb(m) - 'payload')::text, m.payload::text
    FROM message m
    WHERE m.app_id = $1
        AND m.created_at >= $2::text::timestamptz
        AND m.created_at < $3::text::timestamptz
        AND ($4::text = '' OR m.id < $4::text)
    ORDER BY m.id DESC
    LIMIT $5::text::bigint";

impl SvixDb {
    pub(super) async fn open(arguments: FromDatabaseArgs) -> anyhow::Result<Self> {
        let FromDatabaseArgs { from, main_secret, org } = arguments;
        let location = postrider_store::database_location(&from).ok_or_else(|| {
            usage(anyhow::anyhow!("--from is not a URL such as postgres://user@host/database"))
        })?;
        let main_secret = main_secret.as_deref().map(text_or_file).transpose()?;
        let main_secret = main_secret.map(|it| it.trim_end_matches(['\r', '\n']).to_owned());
        let database = ForeignDatabase::open(&from).await;
        let database =
            database.map_err(|error| failure::of_store(error).context(location.clone()))?;
        let (organization, has_contents) = (String::new(), false);
        let mut source = Self { database, location, main_secret, organization, has_contents };
        if !source.has_table("application").await? || !source.has_table("endpoint").await? {
            return Err(Advice {
                message: format!("{} is not the database of a Svix server", source.location),
                hint: "set --from to the `db_dsn` of its configuration".to_owned(),
                source: None,
            }
            .into());
        }
        source.has_contents = source.has_table("messagecontent").await?;
        source.organization = source.only_organization(org).await?;
        Ok(source)
    }

    /// The organization with this id, or the only one.
    async fn only_organization(&self, wanted: Option<String>) -> anyhow::Result<String> {
        let rows = self.rows(ORGANIZATIONS, &[]).await?;
        let all: Vec<_> = rows.into_iter().filter_map(first).collect();
        match (wanted, &all[..]) {
            (Some(wanted), _) if all.contains(&wanted) => Ok(wanted),
            (None, [only]) => Ok(only.clone()),
            (None, []) => Ok(String::new()),
            (_, all) => Err(usage(Advice {
                message: format!("the database has the organizations {}", all.join(", ")),
                hint: "choose one with --org".to_owned(),
                source: None,
            })),
        }
    }

    async fn has_table(&self, name: &str) -> anyhow::Result<bool> {
        Ok(self.rows(HAS_TABLE, &[name]).await?.into_iter().any(|row| first(row).is_some()))
    }

    async fn rows(&self, sql: &str, params: &[&str]) -> anyhow::Result<Vec<TextRow>> {
        let rows = self.database.rows(sql, params).await;
        rows.map_err(|error| failure::of_store(error).context(self.location.clone()))
    }

    /// Rows whose only column is a JSON object.
    async fn records(&self, sql: &str, params: &[&str]) -> anyhow::Result<Vec<Value>> {
        let rows = self.rows(sql, params).await?.into_iter().filter_map(first);
        rows.map(|json| serde_json::from_str(&json).context("a row is not JSON")).collect()
    }

    /// The metadata of records by their ids; the first versions of the server have none.
    async fn metadata(
        &self,
        table: &str,
        sql: &str,
        of: &str,
    ) -> anyhow::Result<HashMap<String, Metadata>> {
        if !self.has_table(table).await? {
            return Ok(HashMap::new());
        }
        let rows = self.rows(sql, &[of]).await?;
        Ok(rows.into_iter().filter_map(metadata_row).collect())
    }
}

/// Hides the main secret.
impl std::fmt::Debug for SvixDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SvixDb").field("location", &self.location).finish_non_exhaustive()
    }
}

fn first(row: TextRow) -> Option<String> {
    row.into_iter().next().flatten()
}

fn metadata_row(row: TextRow) -> Option<(String, Metadata)> {
    let mut columns = row.into_iter();
    let (id, data) = (columns.next()??, columns.next()??);
    Some((id, serde_json::from_str(&data).unwrap_or_default()))
}

impl Source for SvixDb {
    fn location(&self) -> String {
        self.location.clone()
    }

    async fn environment(&self) -> anyhow::Result<Environment> {
        let event_types = self.records(EVENT_TYPES, &[&self.organization]).await?;
        let event_types = event_types.iter().map(convert::event_type).collect();
        Ok(Environment { event_types, ..Environment::default() })
    }

    async fn applications(&self) -> anyhow::Result<Vec<Application>> {
        let organization = self.organization.as_str();
        let rows = self.records(APPLICATIONS, &[organization]).await?;
        let metadata = self.metadata("applicationmetadata", APPLICATION_METADATA, organization);
        let mut metadata = metadata.await?;
        let mut applications: Vec<_> = rows.iter().map(convert::application).collect();
        for application in &mut applications {
            application.metadata = metadata.remove(&application.source_id).unwrap_or_default();
        }
        Ok(applications)
    }

    async fn content(&self, application: &Application) -> anyhow::Result<ApplicationContent> {
        let id = application.source_id.as_str();
        let rows = self.records(ENDPOINTS, &[id]).await?;
        let mut metadata = self.metadata("endpointmetadata", ENDPOINT_METADATA, id).await?;
        let mut endpoints = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut endpoint = convert::endpoint(row, self.main_secret.as_deref())?;
            endpoint.metadata = metadata.remove(&endpoint.source_id).unwrap_or_default();
            endpoints.push(endpoint);
        }
        Ok(ApplicationContent { endpoints, ..ApplicationContent::default() })
    }

    async fn messages(
        &self,
        application: &Application,
        query: &MessageQuery,
    ) -> anyhow::Result<MessagePage> {
        let MessageQuery { since, until, iterator } = query;
        let (since, until) = (since.to_string(), until.to_string());
        let (after, limit) = (iterator.as_deref().unwrap_or_default(), MESSAGES.to_string());
        let sql = if self.has_contents { MESSAGES_WITH_CONTENTS } else { MESSAGES_ALONE };
        let parameters = [application.source_id.as_str(), &since, &until, after, &limit];
        let rows = self.rows(sql, &parameters).await?;
        let is_full = rows.len() == MESSAGES;
        let messages: Vec<_> = rows.into_iter().map(convert::message).collect::<Result<_, _>>()?;
        let iterator = messages.last().filter(|_| is_full).map(|it| it.id.clone());
        Ok(MessagePage { messages, iterator })
    }
}
