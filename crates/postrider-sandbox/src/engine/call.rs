//! Loads a script, calls its handler, and turns what that returns into JSON.

use rquickjs::{Ctx, Function, Promise, Value, context::EvalOptions, promise::PromiseState};

use super::failure::{FILE_NAME, Failure, Limited, is_of_the_text};
use crate::{request::RunRequest, run::RunErrorKind};

/// Finds the handler, even if it was declared by `const` or `let`.
const FIND_HANDLER: &str = "typeof handler === 'function' ? handler : undefined";

/// Freezes some fields of the argument, before any code of the script runs.
const FREEZE: &str = "
(function (argument, names) {
  if (typeof argument !== 'object' || argument === null) return;
  const pending = [];
  for (const name of names) {
    if (!Object.hasOwn(argument, name)) continue;
    pending.push(argument[name]);
    Object.defineProperty(argument, name, { writable: false, configurable: false });
  }
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    Object.freeze(value);
    for (const key of Object.keys(value)) pending.push(value[key]);
  }
})";

/// JSON text of what a handler returned.
#[derive(Debug)]
pub(super) struct Returned(String);

impl Returned {
    pub(super) const fn new(json: String) -> Self {
        Self(json)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Calls the handler of a script.
pub(super) fn call(
    ctx: &Ctx<'_>,
    run: &RunRequest<'_>,
    limited: &Limited<'_>,
) -> Result<Returned, Failure> {
    let argument = parse(ctx, run, limited)?;
    let handler = load(ctx, run.script, limited)?;
    let returned =
        handler.call::<_, Value<'_>>((argument,)).map_err(|error| limited.failure(ctx, &error))?;
    let settled = match Promise::from_value(returned.clone()) {
        Ok(promise) => settle(ctx, &promise, limited)?,
        Err(_) => returned,
    };
    let json = stringify(ctx, &settled, limited)?;
    // A timeout that the script has caught is one nevertheless.
    if limited.time.is_over() { Err(limited.timeout()) } else { Ok(Returned(json)) }
}

/// Runs the top level of a script and returns its handler.
pub(super) fn load<'js>(
    ctx: &Ctx<'js>,
    script: &str,
    limited: &Limited<'_>,
) -> Result<Function<'js>, Failure> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(FILE_NAME.to_owned());
    if let Err(error) = ctx.eval_with_options::<Value<'_>, _>(script, options) {
        let thrown = ctx.catch();
        let of_the_text = error.is_exception() && is_of_the_text(&thrown);
        // Not an exception itself, but again the one that `failure` takes.
        drop(ctx.throw(thrown));
        let failure = limited.failure(ctx, &error);
        let is_syntax = of_the_text && failure.kind == RunErrorKind::Thrown;
        return Err(if is_syntax {
            Failure { kind: RunErrorKind::Syntax, ..failure }
        } else {
            failure
        });
    }
    let found = ctx.eval::<Option<Function<'js>>, _>(FIND_HANDLER);
    found.map_err(|error| limited.failure(ctx, &error))?.ok_or_else(|| {
        let message = "the script does not define a function `handler`";
        Failure::new(RunErrorKind::NoHandler, message)
    })
}

fn parse<'js>(
    ctx: &Ctx<'js>,
    run: &RunRequest<'_>,
    limited: &Limited<'_>,
) -> Result<Value<'js>, Failure> {
    let parsed = ctx.json_parse(run.argument).and_then(|argument| {
        if !run.read_only.is_empty() {
            let freeze = ctx.eval::<Function<'js>, _>(FREEZE)?;
            freeze.call::<_, ()>((argument.clone(), run.read_only.clone()))?;
        }
        Ok(argument)
    });
    parsed.map_err(|error| {
        let failure = limited.failure(ctx, &error);
        // It is not in the script.
        Failure {
            message: format!("argument of handler: {}", failure.message),
            place: None,
            ..failure
        }
    })
}

/// Runs jobs until the promise is settled, and returns its value.
fn settle<'js>(
    ctx: &Ctx<'js>,
    promise: &Promise<'js>,
    limited: &Limited<'_>,
) -> Result<Value<'js>, Failure> {
    while promise.state() == PromiseState::Pending {
        if limited.time.is_over() {
            return Err(limited.timeout());
        }
        if !ctx.execute_pending_job() {
            let message =
                "handler returned a promise that can never settle: nothing is left to run";
            return Err(Failure::new(RunErrorKind::NotJson, message));
        }
    }
    let result = promise.result().expect("a promise that is not pending has a result");
    result.map_err(|error| limited.failure(ctx, &error))
}

/// The value as JSON, within the limit of the output.
fn stringify<'js>(
    ctx: &Ctx<'js>,
    value: &Value<'js>,
    limited: &Limited<'_>,
) -> Result<String, Failure> {
    let json = ctx.json_stringify(value).map_err(|error| {
        let failure = limited.failure(ctx, &error);
        // A cycle or a BigInt; or else what a function of the script threw.
        let is_kind = failure.message.starts_with("TypeError: ");
        if is_kind { not_json(&failure.message) } else { failure }
    })?;
    let Some(json) = json else {
        return Err(not_json(&format!("it is of type {}", value.type_name())));
    };
    let json = json.to_string().map_err(|error| limited.failure(ctx, &error))?;
    let most = limited.limits.output_bytes;
    if json.len() > most {
        let message =
            format!("the returned value has {} bytes as JSON; the limit is {most}", json.len());
        return Err(Failure::new(RunErrorKind::OutputTooLarge, message));
    }
    Ok(json)
}

fn not_json(reason: &str) -> Failure {
    let message = format!("JSON cannot express what handler returned: {reason}");
    Failure::new(RunErrorKind::NotJson, message)
}
