//! How expensive a schema can be, and whether that is too much.
//!
//! The work that follows the payload is counted while it is done. What remains are the subschemas
//! that apply to the same value, because one can multiply another.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    meter::Costs,
    patterns,
    references::{References, Subschema},
    result::SchemaError,
};

/// Most checks of subschemas for one value.
const MAX_CHECKS: usize = 5_000;

/// Most subschemas within each other that apply to one value.
const MAX_LEVELS: usize = 32;

/// Checks the limits, and returns what the parts of a check cost.
pub(super) fn check(schema: &Value) -> Result<Costs, SchemaError> {
    let references = References::new(schema)?;
    let mut checks = Checks { references: &references, known: HashMap::new() };
    let mut per_level = 1;
    for subschema in &references.all {
        per_level = per_level.max(checks.of(*subschema, 0)?.levels);
    }
    let per_chunk = patterns::check(references.all.iter().map(|it| it.schema))?;
    Ok(Costs { per_chunk, per_problem: 0, per_level })
}

/// What a subschema costs for one value.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Checks of subschemas.
    checks: usize,
    /// Subschemas within each other.
    levels: usize,
}

struct Checks<'a, 'r> {
    references: &'r References<'a>,
    /// By address; `None` while it is being computed.
    known: HashMap<*const Value, Option<Cost>>,
}

impl<'a> Checks<'a, '_> {
    fn of(&mut self, subschema: Subschema<'a>, depth: usize) -> Result<Cost, SchemaError> {
        let Some(fields) = subschema.schema.as_object() else {
            return Ok(Cost { checks: 1, levels: 1 });
        };
        let key = std::ptr::from_ref(subschema.schema);
        match self.known.get(&key) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => {
                let reference = reference(fields).unwrap_or("a subschema");
                return Err(SchemaError::endless(reference));
            },
            None => {},
        }
        if depth > MAX_LEVELS {
            let what = "subschemas within each other that apply to the same value";
            return Err(SchemaError::TooLarge { what, limit: MAX_LEVELS });
        }
        self.known.insert(key, None);
        let cost = self.sum(subschema, fields, depth)?;
        self.known.insert(key, Some(cost));
        Ok(cost)
    }

    fn sum(
        &mut self,
        subschema: Subschema<'a>,
        fields: &'a Map<String, Value>,
        depth: usize,
    ) -> Result<Cost, SchemaError> {
        let mut sum = Cost { checks: 1, levels: 0 };
        for (keyword, value) in fields {
            let mut part: usize = 0;
            for inner in self.applied(subschema, keyword, value)? {
                let cost = self.of(inner, depth + 1)?;
                part = part.saturating_add(cost.checks);
                sum.levels = sum.levels.max(cost.levels);
            }
            sum.checks = sum.checks.saturating_add(part.saturating_mul(repetitions(keyword)));
        }
        sum.levels += 1;
        // What has not been evaluated is found by evaluating the others once more.
        if fields.keys().any(|it| it.starts_with("unevaluated")) {
            sum.checks = sum.checks.saturating_mul(2);
        }
        if sum.checks > MAX_CHECKS {
            let what = "checks of subschemas for one value";
            return Err(SchemaError::TooLarge { what, limit: MAX_CHECKS });
        }
        Ok(sum)
    }

    /// The subschemas that a keyword applies to the same value.
    fn applied(
        &self,
        from: Subschema<'a>,
        keyword: &str,
        value: &'a Value,
    ) -> Result<Vec<Subschema<'a>>, SchemaError> {
        let within = |schema| Subschema { schema, resource: from.resource };
        Ok(match (keyword, value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                self.references.targets(from, reference)?
            },
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                schemas.iter().map(within).collect()
            },
            ("dependentSchemas" | "dependencies", Value::Object(schemas)) => {
                schemas.values().map(within).collect()
            },
            ("not" | "if" | "then" | "else", Value::Object(_)) => vec![within(value)],
            _ => Vec::new(),
        })
    }
}

/// How often the library may check the subschemas of the keyword: whether they match, and why not.
fn repetitions(keyword: &str) -> usize {
    if matches!(keyword, "anyOf" | "oneOf" | "not" | "if") { 2 } else { 1 }
}

fn reference(fields: &Map<String, Value>) -> Option<&str> {
    ["$ref", "$dynamicRef", "$recursiveRef"].iter().find_map(|it| fields.get(*it)?.as_str())
}
