//! Exports traces with OpenTelemetry's protocol, if the environment names a collector.

mod client;
mod exporter;
mod spans;

use std::env;

use anyhow::Context;
use postrider_core::trace::settings::{TraceSettings, propagates};
use postrider_engine::Tracer;

pub(crate) use self::exporter::{Exporter, RunningExporter};

/// What the environment says about traces.
#[derive(Debug)]
pub(crate) struct Traces {
    /// Contexts of traces are taken from requests.
    pub(crate) are_propagated: bool,
    /// Where spans go, if they are recorded.
    pub(crate) export: Option<(Tracer, Exporter)>,
}

impl Traces {
    /// Reads OpenTelemetry's standard variables. Nothing is recorded without the URL of a
    /// collector.
    pub(crate) fn of_process() -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<_> {
            let are_propagated = propagates(&variable)?;
            let Some(settings) = TraceSettings::read(&variable)? else {
                return Ok(Self { are_propagated, export: None });
            };
            let (tracer, queue) = Tracer::new(settings.sampler, settings.queue.max_spans);
            let exporter = Exporter::new(&settings, queue)?;
            Ok(Self { are_propagated, export: Some((tracer, exporter)) })
        };
        read().context("traces cannot be exported")
    }
}

/// These variables are a standard that all programs share, not this one's configuration.
fn variable(name: &str) -> Option<String> {
    env::var_os(name)?.into_string().ok()
}
