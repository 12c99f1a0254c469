//! Configuration of the export of traces, from OpenTelemetry's standard variables.

use std::time::Duration;

use url::Url;

use super::{
    sampler::{Sampler, SamplerProblem},
    variables::{VariableProblem, Variables, milliseconds},
};

/// Where traces go, and which.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The URL that spans are posted to.
    pub endpoint: Url,
    pub is_compressed: bool,
    /// For one export.
    pub timeout: Duration,
    pub sampler: Sampler,
    /// The service has a name in the environment; otherwise it is the program's.
    pub is_named: bool,
    pub queue: QueueSettings,
}

/// How spans wait for their export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Most spans that wait. More are dropped.
    pub max_spans: usize,
    /// Most spans in one request.
    pub max_batch: usize,
    /// How long a span waits for others.
    pub delay: Duration,
    /// For all spans that wait when the server shuts down.
    pub final_timeout: Duration,
}

/// Variables that would change how the collector is called, and have no effect here.
const UNSUPPORTED: [&str; 3] = ["CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"];

/// Whether contexts of traces are taken from requests and forwarded, as `OTEL_PROPAGATORS` says.
///
/// # Errors
///
/// If the variable has another value than a list of `tracecontext`, `baggage` and `none`.
pub fn propagates(variable: &dyn Fn(&str) -> Option<String>) -> Result<bool, VariableProblem> {
    const NAME: &str = "OTEL_PROPAGATORS";
    let Some(list) = Variables(variable).text(NAME) else { return Ok(true) };
    let mut found = false;
    for propagator in list.split(',').map(str::trim) {
        match propagator {
            "tracecontext" => found = true,
            "baggage" | "none" | "" => {},
            _ => {
                let problem = format!("names `{propagator}`; only `tracecontext` is supported");
                return Err(VariableProblem::new(NAME, problem));
            },
        }
    }
    Ok(found)
}

impl TraceSettings {
    /// Reads the variables. `None` if traces are not exported: without the URL of a collector, or
    /// if it was switched off.
    ///
    /// # Errors
    ///
    /// The first variable with a value that is not valid or not supported.
    pub fn read(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, VariableProblem> {
        let variables = Variables(variable);
        if variables.is_true("OTEL_SDK_DISABLED") || !has_exporter(&variables)? {
            return Ok(None);
        }
        let Some(endpoint) = endpoint(&variables)? else { return Ok(None) };
        check_protocol(&variables)?;
        for option in UNSUPPORTED {
            if let Some((name, _)) = variables.of_traces(option) {
                let problem = "is not supported; certificates of the system are trusted";
                return Err(VariableProblem::new(&name, problem));
            }
        }
        let timeout = match variables.of_traces("TIMEOUT") {
            Some((name, value)) => milliseconds(&name, &value)?,
            None => Duration::from_secs(10),
        };
        Ok(Some(Self {
            endpoint,
            is_compressed: is_compressed(&variables)?,
            timeout,
            sampler: sampler(&variables)?,
            is_named: is_named(&variables),
            queue: QueueSettings::read(&variables)?,
        }))
    }
}

impl QueueSettings {
    fn read(variables: &Variables<'_>) -> Result<Self, VariableProblem> {
        let max_spans = variables.count("OTEL_BSP_MAX_QUEUE_SIZE", 2_048)?;
        let max_batch = variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?;
        let delay = Duration::from_secs(5);
        let final_timeout = Duration::from_secs(30);
        Ok(Self {
            max_spans,
            max_batch: max_batch.min(max_spans),
            delay: variables.milliseconds("OTEL_BSP_SCHEDULE_DELAY", delay)?,
            final_timeout: variables.milliseconds("OTEL_BSP_EXPORT_TIMEOUT", final_timeout)?,
        })
    }
}

fn has_exporter(variables: &Variables<'_>) -> Result<bool, VariableProblem> {
    const NAME: &str = "OTEL_TRACES_EXPORTER";
    match variables.text(NAME).as_deref() {
        None | Some("otlp") => Ok(true),
        Some("none") => Ok(false),
        Some(_) => Err(VariableProblem::new(NAME, "must be `otlp` or `none`")),
    }
}

/// The URL for traces is used as it is; that for all signals is a base.
fn endpoint(variables: &Variables<'_>) -> Result<Option<Url>, VariableProblem> {
    let Some((name, value)) = variables.of_traces("ENDPOINT") else { return Ok(None) };
    let url = Url::parse(&value).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(mut url) = url else {
        let problem = "must be a URL with `http` or `https`, such as http://localhost:4318";
        return Err(VariableProblem::new(&name, problem));
    };
    if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(Some(url))
}

fn check_protocol(variables: &Variables<'_>) -> Result<(), VariableProblem> {
    match variables.of_traces("PROTOCOL") {
        Some((name, value)) if value != "http/protobuf" => {
            let problem = "must be `http/protobuf`; `grpc` and `http/json` are not supported; \
                           collectors receive OTLP over HTTP on port 4318";
            Err(VariableProblem::new(&name, problem))
        },
        Some(_) | None => Ok(()),
    }
}

fn is_compressed(variables: &Variables<'_>) -> Result<bool, VariableProblem> {
    let Some((name, value)) = variables.of_traces("COMPRESSION") else { return Ok(false) };
    match value.as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err(VariableProblem::new(&name, "must be `gzip` or `none`")),
    }
}

fn sampler(variables: &Variables<'_>) -> Result<Sampler, VariableProblem> {
    const NAME: &str = "OTEL_TRACES_SAMPLER";
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    let Some(name) = variables.text(NAME) else { return Ok(Sampler::default()) };
    let argument = variables.text(ARGUMENT);
    Sampler::parse(&name, argument.as_deref()).map_err(|problem| match problem {
        SamplerProblem::Name => VariableProblem::new(
            NAME,
            "must be `always_on`, `always_off`, `traceidratio`, or one of them with \
             `parentbased_` in front",
        ),
        SamplerProblem::Argument => {
            VariableProblem::new(ARGUMENT, "must be a number from 0.0 to 1.0")
        },
    })
}

fn is_named(variables: &Variables<'_>) -> bool {
    let attributes = variables.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    variables.text("OTEL_SERVICE_NAME").is_some()
        || attributes
            .split(',')
            .any(|it| it.split_once('=').is_some_and(|(key, _)| key.trim() == "service.name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given<'a> = &'a [(&'a str, &'a str)];

    fn variable(given: Given<'_>) -> impl Fn(&str) -> Option<String> {
        move |name| given.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(given: Given<'_>) -> Result<Option<TraceSettings>, VariableProblem> {
        TraceSettings::read(&variable(given))
    }

    const ON: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn it_is_off_without_a_collector() {
        for given in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_SERVICE_NAME", "x")],
            &[ON, ("OTEL_SDK_DISABLED", "True")],
            &[ON, ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        ] {
            assert_eq!(read(given), Ok(None), "{given:?}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_specification() {
        let expected = TraceSettings {
            endpoint: "http://collector:4318/v1/traces".parse().unwrap(),
            is_compressed: false,
            timeout: Duration::from_secs(10),
            sampler: Sampler::default(),
            is_named: false,
            queue: QueueSettings {
                max_spans: 2_048,
                max_batch: 512,
                delay: Duration::from_secs(5),
                final_timeout: Duration::from_secs(30),
            },
        };
        assert_eq!(read(&[ON]), Ok(Some(expected)));
    }

    #[test]
    fn the_url_for_all_signals_is_a_base() {
        const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        for (given, expected) in [
            (&[(ALL, "https://a/")][..], "https://a/v1/traces"),
            (&[(ALL, "https://a/base?x=1")], "https://a/base/v1/traces?x=1"),
            (&[(TRACES, "https://b")], "https://b/"),
            (&[(ALL, "https://a"), (TRACES, "https://b/x")], "https://b/x"),
        ] {
            assert_eq!(read(given).unwrap().unwrap().endpoint.as_str(), expected);
        }
    }

    #[test]
    fn a_variable_for_traces_takes_precedence() {
        let settings = read(&[
            ON,
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name = shop"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert!(settings.is_compressed && settings.is_named);
        assert_eq!(settings.timeout, Duration::from_millis(2_500));
        assert_eq!(settings.sampler, Sampler::parse("traceidratio", Some("0.5")).unwrap());
        let queue = settings.queue;
        assert_eq!((queue.max_spans, queue.max_batch), (10, 10));
        assert_eq!(queue.delay, Duration::from_millis(100));
    }

    #[test]
    fn values_that_cannot_be_used_are_errors() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "x"),
        ] {
            let error = read(&[(name, value), ON]).unwrap_err();
            assert_eq!(error.name, name, "{value}");
            assert!(!error.to_string().contains("/ca.pem"));
        }
        let given = [ON, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        assert_eq!(read(&given).unwrap_err().name, "OTEL_TRACES_SAMPLER_ARG");
    }

    #[test]
    fn contexts_are_passed_on_unless_that_is_switched_off() {
        for (value, expected) in [
            ("", Some(true)),
            ("tracecontext,baggage", Some(true)),
            ("baggage", Some(false)),
            ("none", Some(false)),
            ("b3", None),
        ] {
            let found = propagates(&variable(&[("OTEL_PROPAGATORS", value)]));
            assert_eq!(found.ok(), expected, "{value}");
        }
    }
}
