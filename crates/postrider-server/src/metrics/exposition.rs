//! The response to `GET /metrics`, in the format that the client accepts.

use std::fmt::{self, Write as _};

use http::{HeaderMap, header};
use prometheus_client::{encoding::text, registry::Registry};

const OPENMETRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders all metrics of the process.
#[derive(Debug)]
pub(crate) struct Exposition {
    registry: Registry,
}

impl Exposition {
    pub(crate) const fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// All metrics, with their media type.
    pub(crate) fn render(&self, headers: &HeaderMap) -> Result<(&'static str, String), fmt::Error> {
        let mut openmetrics = String::new();
        text::encode(&mut openmetrics, &self.registry)?;
        if accepts_openmetrics(headers) {
            return Ok((OPENMETRICS_TYPE, openmetrics));
        }
        Ok((TEXT_TYPE, to_text_format(&openmetrics)))
    }
}

/// Whether the client prefers `OpenMetrics` to the text format. A client that does not say gets the
/// text format, which all tools read.
fn accepts_openmetrics(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
    let (mut openmetrics, mut text) = (0.0, 0.0);
    for range in values.flat_map(|it| it.split(',')) {
        let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = quality(parameters);
        match media_type.trim().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if is_version_1(parameters) => {
                openmetrics = quality.max(openmetrics);
            },
            "text/plain" | "text/*" | "*/*" => text = quality.max(text),
            _ => {},
        }
    }
    openmetrics > 0.0 && openmetrics >= text
}

fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = parameters.split(';').filter_map(|it| it.split_once('='));
    pairs.find(|(it, _)| it.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn quality(parameters: &str) -> f64 {
    parameter(parameters, "q").map_or(1.0, |it| it.parse().unwrap_or(0.0))
}

fn is_version_1(parameters: &str) -> bool {
    parameter(parameters, "version").is_none_or(|it| it == "1.0.0")
}

/// The same metrics in Prometheus' text format, version 0.0.4: the descriptions of a counter carry
/// its suffix, and there are no units and no end marker.
fn to_text_format(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let written =
                writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}");
            written.expect("writing to a string succeeds");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use prometheus_client::{
        metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
        registry::Unit,
    };

    use super::*;

    #[test]
    fn openmetrics_is_for_clients_that_prefer_it() {
        let rows = [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; version=1.0.0", true),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", false),
            // As Prometheus sends it.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                true,
            ),
        ];
        for (accept, expected) in rows {
            let value = HeaderValue::from_static(accept);
            let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
            assert_eq!(accepts_openmetrics(&headers), expected, "{accept}");
        }
        assert!(!accepts_openmetrics(&HeaderMap::new()));
    }

    #[test]
    fn the_text_format_describes_the_names_of_its_samples() {
        let mut registry = Registry::default();
        registry.register("calls", "Calls", Counter::<u64>::default());
        registry.register_with_unit("age", "Age", Unit::Seconds, Gauge::<i64>::default());
        registry.register("size", "Size", Histogram::new([1.0]));
        let (_, text) = Exposition::new(registry).render(&HeaderMap::new()).unwrap();
        let expected = [
            "# HELP calls_total Calls.",
            "# TYPE calls_total counter",
            "calls_total 0",
            "# HELP age_seconds Age.",
            "# TYPE age_seconds gauge",
            "age_seconds 0",
            "# HELP size Size.",
            "# TYPE size histogram",
            "size_sum 0.0",
            "size_count 0",
            "size_bucket{le=\"1.0\"} 0",
            "size_bucket{le=\"+Inf\"} 0",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
    }
}
