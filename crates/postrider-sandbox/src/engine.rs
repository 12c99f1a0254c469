//! One JavaScript runtime, for one run.
//!
//! A runtime is never used twice: nothing that a script does, not even a job that it leaves
//! behind, can reach the next run.

mod call;
mod console;
mod failure;
mod time_limit;

use rquickjs::{Context, Ctx, Runtime};

use self::{
    call::Returned,
    console::Console,
    failure::{Failure, Limited},
    time_limit::TimeLimit,
};
use crate::{options::Limits, reply::Reply, request::RunRequest, run::RunError};

pub(crate) struct Engine {
    // It keeps its runtime.
    context: Context,
    limits: Limits,
    time: TimeLimit,
    console: Console,
}

impl Engine {
    pub(crate) fn new(limits: &Limits) -> Result<Self, rquickjs::Error> {
        let runtime = Runtime::new()?;
        runtime.set_memory_limit(limits.heap_bytes);
        // No search for cyclic garbage. A runtime does not live long, and the engine crashed when it
        // ran out of memory within one operation and collected garbage to throw that error.
        runtime.set_gc_threshold(usize::MAX);
        runtime.set_max_stack_size(limits.stack_bytes);
        let time = TimeLimit::default();
        runtime.set_interrupt_handler(Some(time.interrupt_handler()));
        let context = Context::full(&runtime)?;
        let console = Console::new(limits.console_bytes);
        context.with(|ctx| console.install(&ctx, &time))?;
        Ok(Self { context, limits: *limits, time, console })
    }

    /// Runs what uses the C library's time zone.
    pub(crate) fn warm_up(self) -> Result<(), rquickjs::Error> {
        let offset: i32 = self.context.with(|ctx| ctx.eval("new Date(0).getTimezoneOffset()"))?;
        if offset == 0 { Ok(()) } else { Err(rquickjs::Error::Unknown) }
    }

    /// Calls the script's handler, and returns the frame of the reply.
    pub(crate) fn run(self, run: &RunRequest<'_>) -> Vec<u8> {
        self.reply(|ctx, limited| call::call(ctx, run, limited))
    }

    /// Checks that the script has a handler, and returns the frame of the reply.
    pub(crate) fn check(self, script: &str) -> Vec<u8> {
        self.reply(|ctx, limited| {
            call::load(ctx, script, limited).map(|_| Returned::new(String::new()))
        })
    }

    fn reply(
        self,
        act: impl for<'js> FnOnce(&Ctx<'js>, &Limited<'_>) -> Result<Returned, Failure>,
    ) -> Vec<u8> {
        self.time.start(self.limits.interrupt_after);
        let limited = Limited { limits: &self.limits, time: &self.time };
        let result = self.context.with(|ctx| act(&ctx, &limited));
        let console = self.console.take();
        match result {
            Ok(returned) => {
                Reply::Returned { console: &console, value: returned.as_bytes() }.encode()
            },
            Err(Failure { kind, message, place }) => {
                let (line, column) = place.unzip();
                Reply::Failed(RunError { kind, message, line, column, console }).encode()
            },
        }
    }
}
