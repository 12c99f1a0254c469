//! Distributed traces: contexts of requests, spans, and which spans are recorded.

pub mod attempt;
pub mod context;
pub mod request;
pub mod sampler;
pub mod settings;
pub mod span;
mod state;
mod variables;

pub use self::{
    context::{SpanId, TraceContext, TraceId},
    sampler::Sampler,
    settings::TraceSettings,
    span::{Attribute, Span, SpanKind},
    variables::VariableProblem,
};
