//! What filters, schemas and transformations cost: each beside an endpoint without any, in turn.

use serde_json::json;

use crate::bench::{
    arguments::Arguments,
    console::progress,
    load::{Bench, Sample},
    measure::{live, median, named, one},
    place::Setup,
    report::{Numbers, Spread},
    subject::Postrider,
};

/// Requests per second of the calm load.
const CALM: f64 = 500.0;

/// What decides about a message, or changes it.
#[derive(Clone, Copy)]
enum Shape {
    None,
    Filter,
    Schema,
    Transformation,
}

const ALL: [Shape; 4] = [Shape::None, Shape::Filter, Shape::Schema, Shape::Transformation];

/// It reads the payload and matches every message.
const FILTER: &str = r#"type == "bench.live" && payload.n != "" && payload.pad.startsWith("e")"#;

/// The body keeps its length and the places that the receiver reads.
const CODE: &str = "function handler(webhook) {
  webhook.payload.pad = webhook.payload.pad.toUpperCase();
  return webhook;
}";

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Filter => "filter",
            Self::Schema => "schema",
            Self::Transformation => "transformation",
        }
    }

    async fn apply(self, postrider: &Postrider) -> anyhow::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Filter => postrider.patch_endpoint("", json!({ "filter": FILTER })).await,
            Self::Schema => {
                let text = json!({ "type": "string", "minLength": 1 });
                let schema = json!({
                    "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "type": "object",
                    "properties": { "n": text, "at": text, "pad": text },
                    "required": ["n", "at", "pad"],
                    "additionalProperties": false,
                });
                let body = json!({ "schemas": { "1": schema }, "schemaValidation": "reject" });
                postrider.patch_event_type("bench.live", body).await
            },
            Self::Transformation => {
                let body = json!({ "code": CODE, "enabled": true });
                postrider.patch_endpoint("/transformation", body).await
            },
        }
    }
}

/// The servers take turns, so that all of them meet the same noise.
pub(super) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let mut servers = Vec::new();
    for shape in ALL {
        let (postrider, _) = live(bench, setup, shape.name()).await?;
        shape.apply(&postrider).await?;
        servers.push((shape, postrider, Vec::new(), Vec::new()));
    }
    for _ in 0..arguments.rounds {
        for (shape, postrider, calm, saturated) in &mut servers {
            progress(&format!("  {}", shape.name()));
            calm.push(one(bench, postrider, arguments.at_rate(CALM)).await?);
            saturated.push(one(bench, postrider, arguments.saturate(setup.store)).await?);
        }
    }
    let plain = servers.first().map(|(_, _, _, saturated)| rate(saturated)).unwrap_or_default();
    let mut numbers = Numbers::new();
    for (shape, postrider, calm, saturated) in servers {
        let found = measured(&calm, &saturated, plain);
        numbers
            .extend(found.into_iter().map(|(it, value)| (format!("{}_{it}", shape.name()), value)));
        postrider.remove().await?;
    }
    Ok(numbers)
}

fn rate(samples: &[Sample]) -> f64 {
    Spread::of(samples.iter().map(|sample| sample.deliveries_per_second)).median
}

fn measured(calm: &[Sample], saturated: &[Sample], plain: f64) -> Numbers {
    let lost = calm.iter().chain(saturated).map(|sample| sample.lost).sum::<u64>() as f64;
    named([
        ("deliveries_per_second", rate(saturated)),
        ("of_none", rate(saturated) / plain),
        ("cpu_us_per_delivery", median(saturated, |it| it.cpu_us_per_delivery)),
        ("500_per_second_p50_ms", median(calm, |it| it.latency.p50_ms)),
        ("500_per_second_p99_ms", median(calm, |it| it.latency.p99_ms)),
        ("500_per_second_cpu_us", median(calm, |it| it.cpu_us_per_delivery)),
        ("lost_deliveries", lost),
    ])
}
