//! The API, called in this process over the memory store, or over PostgreSQL.
#![expect(clippy::unwrap_used, reason = "tests end where something is missing")]

mod access;
mod applications;
mod attempts;
mod audit_log;
mod autoconfig;
mod bad_input;
mod batch;
mod consumers;
mod destinations;
mod endpoint_authentication;
mod endpoints;
mod environment;
mod event_types;
mod feed;
mod filters;
mod frozen_clock;
mod hostile;
mod idempotency;
mod identity;
mod in_process;
mod inbound;
mod integrations;
mod kinds;
mod lists;
mod live;
mod loops;
mod memory;
mod message_import;
mod messages;
mod openapi;
mod operational;
mod polling;
mod quotas;
mod rejected;
mod relay_stream;
mod scheduled;
/// It needs tokio_postgres.
#[path = "../../../postrider-cli/tests/it/schema.rs"]
#[expect(dead_code, reason = "the end-to-end tests need more of it")]
mod schema;
mod schemas;
mod search;
mod secrets;
mod serving;
mod shadow;
mod signing;
mod sources;
mod statistics;
mod tasks;
mod thin;
mod tokens;
mod transformations;
mod world;
