//! The log as JSON, with the sources of errors, which the library's format leaves out.

use std::{
    error::Error,
    fmt::{self, Debug},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, SubscriberBuilder,
        format::{DefaultFields, Format, Json, JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// Writes each message as a line of JSON.
pub(super) fn format_as_json<F, W>(
    builder: SubscriberBuilder<DefaultFields, Format, F, W>,
) -> SubscriberBuilder<JsonFields, WithSources<Format<Json>>, F, W>
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + 'static,
{
    builder.json().flatten_event(true).map_event_format(WithSources)
}

/// Adds a list such as `error_sources` behind a field such as `error`, outermost source first.
pub(super) struct WithSources<J>(J);

impl<S, N, J> FormatEvent<S, N> for WithSources<J>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    J: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut sources = Sources::default();
        event.record(&mut sources);
        if sources.0.is_empty() {
            return self.0.format_event(ctx, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(ctx, Writer::new(&mut line), event)?;
        let sources = Value::Object(sources.0).to_string();
        match (line.trim_end().strip_suffix('}'), sources.strip_prefix('{')) {
            (Some(start), Some(end)) => writeln!(writer, "{start},{end}"),
            _ => writer.write_str(&line),
        }
    }
}

/// The sources of an event's errors, by the names of their fields.
#[derive(Default)]
struct Sources(Map<String, Value>);

impl Visit for Sources {
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut sources = Vec::new();
        let mut next = value.source();
        while let Some(source) = next {
            sources.push(Value::String(source.to_string()));
            next = source.source();
        }
        if !sources.is_empty() {
            self.0.insert(format!("{}_sources", field.name()), Value::Array(sources));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use anyhow::anyhow;
    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The only line that is logged, without its time.
    fn logged(log_message: impl FnOnce()) -> Value {
        let log = Log::default();
        let writer = log.clone();
        let builder = tracing_subscriber::fmt().with_writer(move || writer.clone());
        tracing::subscriber::with_default(format_as_json(builder).finish(), log_message);
        let bytes = log.0.lock().unwrap().clone();
        let line = String::from_utf8(bytes).unwrap();
        let [line] = line.lines().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let mut object: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert!(object.remove("timestamp").is_some(), "{line}");
        Value::Object(object)
    }

    #[test]
    fn an_error_has_its_sources() {
        let error = anyhow!("a \"disk\"\nfailed").context("read failed").context("list failed");
        let line = logged(|| {
            tracing::error!(error = &*error as &dyn Error, count = 2, "no {}", "answer");
        });
        let expected = json!({
            "level": "ERROR",
            "message": "no answer",
            "error": "list failed",
            "count": 2,
            "target": module_path!(),
            "error_sources": ["read failed", "a \"disk\"\nfailed"],
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn each_error_has_sources_of_its_own() {
        let first = anyhow!("inner").context("outer");
        let second = anyhow!("alone");
        let line = logged(|| {
            tracing::warn!(first = &*first as &dyn Error, second = &*second as &dyn Error, "two");
        });
        assert_eq!(line["first_sources"], json!(["inner"]));
        assert_eq!((&line["second"], line.get("second_sources")), (&json!("alone"), None));
    }

    #[test]
    fn a_message_without_errors_is_as_the_library_writes_it() {
        let line = logged(|| tracing::info!(error = "text", "hello"));
        let expected = json!({
            "level": "INFO",
            "message": "hello",
            "error": "text",
            "target": module_path!(),
        });
        assert_eq!(line, expected);
    }
}
