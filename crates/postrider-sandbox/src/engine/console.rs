//! `console`: collects what a script writes.

use std::{cell::RefCell, rc::Rc};

use rquickjs::{Coerced, Ctx, Function, Object, Value, function::Rest};

use super::time_limit::TimeLimit;
use crate::reply::cut;

/// What ends output that was cut off.
const NOTE: &str = "… the rest of the output was cut off\n";

/// Longest part of a line that one value can make up.
const VALUE_BYTES: usize = 4096;

#[derive(Clone, Debug)]
pub(super) struct Console(Rc<RefCell<Written>>);

#[derive(Debug)]
struct Written {
    text: String,
    /// Bytes that may still be written, without the note.
    space: usize,
    is_cut: bool,
}

impl Console {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        let space = limit.saturating_sub(NOTE.len());
        Self(Rc::new(RefCell::new(Written { text: String::new(), space, is_cut: false })))
    }

    /// Defines `console`.
    pub(super) fn install(&self, ctx: &Ctx<'_>, time: &TimeLimit) -> rquickjs::Result<()> {
        let console = Object::new(ctx.clone())?;
        let write = self.function(ctx, time)?;
        for name in ["log", "info", "warn", "error", "debug"] {
            console.set(name, write.clone())?;
        }
        ctx.globals().set("console", console)
    }

    fn function<'js>(&self, ctx: &Ctx<'js>, time: &TimeLimit) -> rquickjs::Result<Function<'js>> {
        let (written, time) = (Rc::clone(&self.0), time.clone());
        let write = move |ctx: Ctx<'js>, values: Rest<Value<'js>>| -> rquickjs::Result<()> {
            // Later output is not even formatted.
            if written.borrow().is_cut {
                return Ok(());
            }
            for (index, value) in values.0.iter().enumerate() {
                let text = display(&ctx, value, &time)?;
                let space = if index > 0 { " " } else { "" };
                written.borrow_mut().add(&format!("{space}{}", cut(&text, VALUE_BYTES)));
            }
            written.borrow_mut().add("\n");
            Ok(())
        };
        Function::new(ctx.clone(), write)
    }

    /// What was written.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut self.0.borrow_mut().text)
    }
}

impl Written {
    fn add(&mut self, text: &str) {
        if self.is_cut {
            return;
        }
        let kept = cut(text, self.space);
        self.space -= kept.len();
        self.text.push_str(kept);
        if kept.len() < text.len() {
            self.is_cut = true;
            self.text.push_str(NOTE);
        }
    }
}

/// A value as a person reads it. May call functions of the script; what they throw is ignored,
/// unless the script's time is over.
fn display<'js>(ctx: &Ctx<'js>, value: &Value<'js>, time: &TimeLimit) -> rquickjs::Result<String> {
    let text = if value.is_function() {
        Ok("[function]".to_owned())
    } else if value.is_object() && !value.is_error() {
        json(ctx, value)
    } else {
        value.get::<Coerced<String>>().map(|text| text.0)
    };
    text.or_else(|_| {
        let thrown = ctx.catch();
        if time.is_over() { Err(ctx.throw(thrown)) } else { Ok("[cannot be shown]".to_owned()) }
    })
}

fn json<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> rquickjs::Result<String> {
    match ctx.json_stringify(value)? {
        Some(text) => text.to_string(),
        None => Ok("undefined".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_at_its_limit() {
        let console = Console::new(NOTE.len() + 5);
        for _ in 0..3 {
            console.0.borrow_mut().add("abc");
        }
        assert_eq!(console.take(), format!("abcab{NOTE}"));
    }
}
