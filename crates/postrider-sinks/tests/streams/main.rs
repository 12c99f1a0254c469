//! Endpoints and queue sources that are MQTT and Kafka brokers, against real services.

mod mqtt;
mod proxy;
mod world;
