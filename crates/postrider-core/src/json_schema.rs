//! Payloads and the JSON schemas of event types.
//!
//! A schema comes from a client, and so does a payload. Both are bounded: [`CompiledSchema::new`]
//! refuses what would be expensive to compile, and [`CompiledSchema::check`] stops after a fixed
//! amount of work.

mod bounds;
mod compile;
mod metaschema;
mod meter;
mod metered;
mod patterns;
mod references;
mod result;
#[cfg(test)]
mod tests;
mod versions;

pub use self::{
    compile::CompiledSchema,
    metaschema::check_schema,
    result::{MAX_PROBLEMS, PayloadProblem, SchemaCheck, SchemaError},
    versions::{newest, newest_version},
};
