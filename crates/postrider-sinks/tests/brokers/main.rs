//! Endpoints and queue sources that are NATS, RabbitMQ and Redis, against the real servers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod proxy;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod service;
#[cfg(any(feature = "nats", feature = "rabbitmq", feature = "redis"))]
mod world;
