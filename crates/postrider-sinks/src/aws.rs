//! Signed requests to Amazon's services and to those that are compatible with them.

#[cfg(any(feature = "sqs", feature = "sns"))]
mod client;
mod error;
#[cfg(any(feature = "sqs", feature = "sns"))]
mod publisher;

#[cfg(any(feature = "sns", feature = "s3"))]
pub(crate) use self::error::xml_code;
pub(crate) use self::error::{failed, refused};
#[cfg(any(feature = "sqs", feature = "sns"))]
pub(crate) use self::{
    client::SignedClient,
    publisher::{Protocol, Publisher},
};
