//! Configuration of `command` endpoints.
//!
//! What a server runs is not stored, so that nothing that reaches the store, or a backup of it,
//! can make a server run a program. An endpoint has only the name of a command. The programs are
//! in the configuration file of each server: a [`CommandRegistry`].

mod exit;
mod program;

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{Fields, KindConfig, Problem};

pub use self::{exit::classify, program::Program};

/// The stored configuration: which command is run.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// The name in the server's [`CommandRegistry`].
    pub command: String,
    /// Most runs at a time.
    #[serde(default = "program::default_concurrency")]
    concurrency: usize,
}

impl KindConfig for Command {
    /// In the configuration file, where it is a [`Program`].
    const SECRETS: &'static [&'static str] = &["env"];

    fn check(&self, problems: &mut Vec<Problem>) {
        if self.command.is_empty() {
            problems.push(Problem::of("command", "must not be empty"));
        }
        program::check_concurrency(self.concurrency, problems);
    }

    fn address(&self) -> String {
        format!("command:{}", self.command)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.min(self.concurrency)
    }
}

/// The programs that this server may run, by the names that endpoints have for them.
#[derive(Clone, Debug, Default)]
pub struct CommandRegistry(BTreeMap<String, Arc<Program>>);

impl CommandRegistry {
    /// Adds a program; returns the configuration of the endpoint that runs it.
    pub fn add(&mut self, name: &str, program: Program) -> Fields {
        let stored = Fields::from_iter([
            ("command".to_owned(), name.into()),
            ("concurrency".to_owned(), program.concurrency.into()),
        ]);
        self.0.insert(name.to_owned(), Arc::new(program));
        stored
    }

    /// The program of this name.
    pub fn program(&self, name: &str) -> Option<Arc<Program>> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kind::parse;

    fn fields(value: serde_json::Value) -> Fields {
        let serde_json::Value::Object(fields) = value else { unreachable!() };
        fields
    }

    #[test]
    fn an_endpoint_has_the_name_of_a_command_and_not_its_program() {
        let config = json!({ "program": "/bin/x", "concurrency": 9, "env": { "A": "geheim" } });
        let program = Program::parse(&fields(config)).unwrap();
        let mut registry = CommandRegistry::default();
        let stored = registry.add("acme/print", program);
        assert!(!json!(stored).to_string().contains("/bin/x"));
        let command: Command = parse(&stored).unwrap();
        assert_eq!((command.max_in_flight(100), command.max_in_flight(2)), (9, 2));
        assert_eq!(command.address(), "command:acme/print");
        assert!(registry.program(&command.command).is_some());
        assert!(registry.program("acme/other").is_none());
        assert!(!format!("{registry:?}").contains("geheim"));
    }

    #[test]
    fn a_program_in_a_stored_configuration_is_an_error() {
        assert!(parse::<Command>(&fields(json!({ "program": "/bin/sh" }))).is_err());
    }
}
