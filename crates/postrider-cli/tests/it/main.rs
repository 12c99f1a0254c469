//! End-to-end tests: the real binary, a data folder or a database, and a local receiver.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod alert_conditions;
mod alerts;
mod api;
mod apply;
mod apply_crash;
mod check;
mod client;
mod collector;
mod command_line;
mod commands;
mod connections;
mod copy;
mod database;
mod declared;
mod delivery;
mod dev;
mod disk;
mod dns;
mod example;
mod faults;
mod import;
mod import_legacy;
mod import_svix_db;
#[cfg(feature = "full")]
mod kinds_brokers;
#[cfg(feature = "full")]
mod kinds_s3;
mod listen;
mod metrics;
#[path = "../../../postrider-engine/tests/it/name_server.rs"]
mod name_server;
mod order;
mod polling;
mod pooler;
mod port;
mod programs;
mod provider;
mod providers;
mod proxies;
mod rebuild;
mod receive;
mod receive_restart;
mod receiver;
mod restart;
mod rotation;
mod rows;
mod sandbox_worker;
mod schema;
mod secrets;
mod server;
mod shop;
mod sources;
mod supervisor;
mod tasks;
mod tls;
mod traces;
mod unusual_receivers;
mod upgrade;
