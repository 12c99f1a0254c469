//! Compiles schemas, and checks payloads against them.

use std::fmt;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::{
    bounds,
    meter::{Costs, Meter},
    metered::{Metered, MeteredJson},
    patterns,
    result::{MAX_PROBLEMS, PayloadProblem, SchemaCheck, SchemaError},
};

/// A schema against which payloads can be checked.
pub struct CompiledSchema {
    validator: Validator<MeteredJson>,
    costs: Costs,
}

impl fmt::Debug for CompiledSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledSchema").field("costs", &self.costs).finish_non_exhaustive()
    }
}

impl CompiledSchema {
    /// The work of a check that takes at most about a millisecond.
    pub const SHORT: u64 = 100_000;

    /// The work of a check that takes at most a few hundred milliseconds.
    pub const LONG: u64 = 20_000_000;

    /// Compiles a schema of any draft from 4 to 2020-12, as its `$schema` says. Without a known
    /// one it is of 2020-12, or of draft 7 if it is invalid in 2020-12.
    ///
    /// Takes milliseconds for a large schema.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        let costs = bounds::check(schema)?;
        let validator = match draft(schema) {
            Some(draft) => build(schema, draft),
            None => build(schema, Draft::Draft202012)
                .or_else(|error| build(schema, Draft::Draft7).map_err(|_| error)),
        };
        Ok(Self { validator: validator?, costs })
    }

    /// Checks a payload with at most this much work, of which a unit takes about ten nanoseconds.
    pub fn check(&self, payload: &Value, budget: u64) -> SchemaCheck {
        let per_problem = 64 + longest_pointer(payload) as u64 / 4;
        let costs = Costs { per_problem, ..self.costs };
        let meter = Meter::new(budget, costs);
        let is_valid = self.validator.is_valid(Metered::new(payload, &meter));
        if meter.is_exhausted() {
            return SchemaCheck::TooExpensive;
        }
        if is_valid {
            return SchemaCheck::Valid;
        }
        self.problems(payload, &Meter::new(budget, costs))
            .or_else(|| self.first_problem(payload, &Meter::new(budget, costs)))
            .map_or(SchemaCheck::TooExpensive, SchemaCheck::Invalid)
    }

    /// All problems, as many as are listed; `None` if there are too many to find.
    fn problems(&self, payload: &Value, meter: &Meter) -> Option<Vec<PayloadProblem>> {
        let errors = self.validator.iter_errors(Metered::new(payload, meter));
        let problems: Vec<_> = errors.take(MAX_PROBLEMS).map(|it| problem(&it)).collect();
        (!meter.is_exhausted() && !problems.is_empty()).then_some(problems)
    }

    fn first_problem(&self, payload: &Value, meter: &Meter) -> Option<Vec<PayloadProblem>> {
        let error = self.validator.validate(Metered::new(payload, meter)).err()?;
        (!meter.is_exhausted()).then(|| vec![problem(&error)])
    }
}

/// The draft that the schema names, if it is a known one.
fn draft(schema: &Value) -> Option<Draft> {
    let uri = schema.get("$schema")?.as_str()?.trim_end_matches('#');
    let (_, name) = uri.split_once("://")?;
    Some(match name {
        "json-schema.org/draft/2020-12/schema" => Draft::Draft202012,
        "json-schema.org/draft/2019-09/schema" => Draft::Draft201909,
        "json-schema.org/draft-07/schema" => Draft::Draft7,
        "json-schema.org/draft-06/schema" => Draft::Draft6,
        "json-schema.org/draft-04/schema" => Draft::Draft4,
        _ => return None,
    })
}

fn build(schema: &Value, draft: Draft) -> Result<Validator<MeteredJson>, SchemaError> {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut() {
        // It has been read, and an unknown one would be looked for elsewhere.
        fields.remove("$schema");
    }
    let patterns = PatternOptions::regex()
        .size_limit(patterns::MAX_COMPILED)
        .dfa_size_limit(patterns::MAX_COMPILED);
    jsonschema::options_for::<MeteredJson>()
        .offline()
        .with_draft(draft)
        .with_pattern_options(patterns)
        // A payload's regular expression would be compiled.
        .with_format("regex", |_: &str| true)
        .build(&schema)
        .map_err(|error| {
            let place = error.instance_path().as_str().to_owned();
            SchemaError::invalid(&place, &error.masked().to_string())
        })
}

fn problem(error: &ValidationError<'_>) -> PayloadProblem {
    let message = error.masked_with("the value").to_string();
    PayloadProblem::new(error.instance_path().as_str(), &message)
}

/// The length of the longest pointer into the value.
fn longest_pointer(value: &Value) -> usize {
    let members = |it: &Value| match it {
        Value::Object(members) => {
            members.iter().map(|(name, it)| 1 + name.len() + longest_pointer(it)).max()
        },
        Value::Array(items) => items.iter().map(|it| 8 + longest_pointer(it)).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    members(value).unwrap_or_default()
}
