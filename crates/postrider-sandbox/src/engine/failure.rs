//! What a failed script is reported as.

use rquickjs::{Coerced, Ctx, Error, Exception, Object, Value};

use super::time_limit::TimeLimit;
use crate::{
    options::Limits,
    reply::{MESSAGE_BYTES, cut},
    run::RunErrorKind,
};

/// The name of the script in stacks.
pub(super) const FILE_NAME: &str = "script.js";

/// Why a script has no result.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: RunErrorKind,
    pub(super) message: String,
    /// Line and column in the script.
    pub(super) place: Option<(u32, u32)>,
}

impl Failure {
    pub(super) fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None }
    }
}

/// The limits of a run and how much of them is used.
pub(super) struct Limited<'a> {
    pub(super) limits: &'a Limits,
    pub(super) time: &'a TimeLimit,
}

impl Limited<'_> {
    /// What an error of the engine means. Takes the exception that is pending.
    pub(super) fn failure(&self, ctx: &Ctx<'_>, error: &Error) -> Failure {
        let thrown = ctx.catch();
        if self.time.is_over() {
            return self.timeout();
        }
        if error.is_exception() {
            // The engine throws null if it has no memory for an error. Scripts rarely do.
            return if thrown.is_null() { self.null() } else { self.thrown(&thrown) };
        }
        if matches!(error, Error::Allocation) {
            return self.out_of_memory();
        }
        if matches!(error, Error::InvalidString(_)) {
            return Failure::new(RunErrorKind::Syntax, "SyntaxError: the script contains a NUL");
        }
        Failure::new(RunErrorKind::Thrown, error.to_string())
    }

    /// What a value means that the script threw. Reading it may call functions of the script.
    fn thrown(&self, thrown: &Value<'_>) -> Failure {
        let Some(exception) = thrown.as_object().cloned().and_then(Exception::from_object) else {
            let message = format!("the script threw {}", describe(thrown));
            return Failure::new(RunErrorKind::Thrown, message);
        };
        let name = text_of(exception.as_object(), "name").unwrap_or_else(|| "Error".to_owned());
        let message = exception.message().unwrap_or_default();
        let stack = exception.stack().unwrap_or_default();
        // Reading them took time as well.
        drop(exception.ctx().catch());
        if self.time.is_over() {
            return self.timeout();
        }
        let mut failure = match (name.as_str(), message.as_str()) {
            ("InternalError", "out of memory") => self.out_of_memory(),
            ("RangeError", "Maximum call stack size exceeded") => self.stack_overflow(),
            _ => Failure::new(RunErrorKind::Thrown, line_of(&name, &message)),
        };
        failure.place = place(&stack);
        failure
    }

    pub(super) fn timeout(&self) -> Failure {
        let most = self.limits.interrupt_after;
        Failure::new(RunErrorKind::Timeout, format!("the script ran longer than {most:?}"))
    }

    fn stack_overflow(&self) -> Failure {
        let most = self.limits.stack_bytes >> 10;
        let message =
            format!("the script's calls are nested too deeply for its stack of {most} KiB");
        Failure::new(RunErrorKind::StackOverflow, message)
    }

    fn out_of_memory(&self) -> Failure {
        let most = self.limits.heap_bytes >> 20;
        let message = format!("the script needs more than {most} MiB of memory");
        Failure::new(RunErrorKind::OutOfMemory, message)
    }

    fn null(&self) -> Failure {
        let Failure { kind, message, place } = self.out_of_memory();
        Failure { kind, message: format!("{message}, or threw null"), place }
    }
}

/// Whether a syntax error is one of the script's text, not one that the script threw: only then
/// does its stack begin with a place outside of any function.
pub(super) fn is_of_the_text(thrown: &Value<'_>) -> bool {
    let Some(exception) = thrown.as_object().cloned().and_then(Exception::from_object) else {
        return false;
    };
    let stack = exception.stack().unwrap_or_default();
    let first = stack.lines().next().unwrap_or("").trim();
    let is_text = first.strip_prefix("at ").is_some_and(|it| it.starts_with(FILE_NAME));
    is_text && text_of(exception.as_object(), "name").as_deref() == Some("SyntaxError")
}

fn line_of(name: &str, message: &str) -> String {
    let name = cut(name, MESSAGE_BYTES / 2);
    if message.is_empty() { name.to_owned() } else { format!("{name}: {message}") }
}

/// A thrown value that is no error.
fn describe(value: &Value<'_>) -> String {
    let text = if value.is_object() {
        Ok(value.type_name().to_owned())
    } else {
        value.get::<Coerced<String>>().map(|text| text.0)
    };
    text.map_or_else(
        |_| format!("a value of type {}", value.type_name()),
        |text| cut(&text, MESSAGE_BYTES / 2).to_owned(),
    )
}

fn text_of(object: &Object<'_>, field: &str) -> Option<String> {
    object.get::<_, Option<Coerced<String>>>(field).ok().flatten().map(|text| text.0)
}

/// The first place in the script that a stack names. The script can forge it, but only for itself.
fn place(stack: &str) -> Option<(u32, u32)> {
    stack.lines().take(64).find_map(|line| {
        let (_, place) = line.rsplit_once(FILE_NAME)?;
        let mut numbers = place.trim_end_matches(')').strip_prefix(':')?.split(':');
        let (line, column) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some((line, column))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_in_the_script_is_found() {
        let check = |stack: &str, expected| assert_eq!(place(stack), expected, "{stack}");
        check("    at handler (script.js:3:15)\n    at <eval> (script.js:9:1)\n", Some((3, 15)));
        check("    at script.js:2:5\n", Some((2, 5)));
        check("    at parse (native)\n    at script.js:2:5\n", Some((2, 5)));
        check("    at parse (native)\n", None);
        check("    at script.js\n    at script.js:a:b\n    at script.js:99999999999:1", None);
        check("", None);
    }
}
