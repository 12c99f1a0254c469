//! Endpoints and queue sources that are MQTT and Kafka brokers, against real services.

mod kafka;
mod kafka_login;
mod kafka_queue;
mod mqtt;
mod proxy;
mod world;
