//! What `verify`, `trigger` and `check` share: providers, their secrets and their signed requests.

mod arguments;
mod credential;
mod lookup;
pub(super) mod mutate;
mod prepare;
mod sender;

pub(super) use self::{
    arguments::{ProviderArgs, SecretArgs, header},
    lookup::find,
    prepare::{PreparedSender, prepare},
    sender::{Sender, TimedResult, outgoing, outgoing_with_body, send},
};
