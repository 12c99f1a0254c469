//! Endpoints and queue sources that are NATS, RabbitMQ and Redis, against the real servers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod nats;
mod rabbitmq;
mod rate;
mod redis;
mod world;
