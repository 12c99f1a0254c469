//! Endpoints and queue sources that are MQTT and Kafka brokers, against real services.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kafka;
mod kafka_login;
mod kafka_queue;
mod mqtt;
mod world;
