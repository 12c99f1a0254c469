//! What a template must not contain, because its work could not be limited.
//!
//! The library counts the steps of a template and the size of most values, but not of lists:
//!
//! - A list that a template builds from variables can contain another one twice, which contains
//!   another one twice, and so on. Such a value is small, but to compare it with another takes
//!   forever, in a single step.
//! - A list that is multiplied, or added to another, exists only as a rule how to make it. To write
//!   it as a text takes any time and memory, in a single step.
//!
//! Without these, lists are as large as they look. [`super::values`] limits those of the payload.

use minijinja::{
    Environment, Template,
    machinery::{Instruction, Instructions, Token, get_compiled_template, tokenize},
    syntax::SyntaxConfig,
};

use super::error::TemplateError;

/// Filters that put values into new lists, for the same reason. `map` is replaced.
const FILTERS: [&str; 5] = ["batch", "chain", "groupby", "slice", "zip"];

/// Functions that do, and one that shows the values of the program.
const FUNCTIONS: [&str; 3] = ["debug", "dict", "namespace"];

/// Nested calls of macros and loops, each of which needs a part of the stack.
const MAX_DEPTH: usize = 100;

/// Most names, operators and constants of an expression. The compiler needs a part of the stack for
/// each.
const MAX_LENGTH: usize = 500;

/// Most uses of `elif`, for the same reason.
const MAX_BRANCHES: usize = 100;

/// Removes what is not available.
pub(super) fn restrict(environment: &mut Environment<'_>) {
    environment.set_recursion_limit(MAX_DEPTH);
    for name in FILTERS {
        environment.remove_filter(name);
    }
    for name in FUNCTIONS {
        environment.remove_global(name);
    }
}

/// Refuses a source that must not even be compiled: the compiler multiplies constants, and could
/// overflow its stack.
pub(super) fn check_source(source: &str) -> Result<(), TemplateError> {
    let (mut length, mut branches) = (0, 0);
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let (token, span) = token?;
        #[expect(clippy::wildcard_enum_match_arm, reason = "only these matter")]
        match token {
            Token::Mul => {
                let problem = "numbers are multiplied with the filter `times`";
                return Err(refused(span.start_line, problem));
            },
            Token::VariableStart | Token::BlockStart => length = 0,
            Token::Ident("elif") => branches += 1,
            _ => length += 1,
        }
        if length > MAX_LENGTH || branches > MAX_BRANCHES {
            return Err(refused(
                span.start_line,
                "an expression is too long, or has too many branches",
            ));
        }
    }
    Ok(())
}

fn refused(line: impl std::fmt::Display, problem: &str) -> TemplateError {
    TemplateError::of_template(format!("template error in line {line}: {problem}"))
}

/// Refuses a compiled template whose work cannot be limited.
pub(super) fn check<'a>(template: &Template<'a, 'a>) -> Result<(), TemplateError> {
    let compiled = get_compiled_template(template);
    std::iter::once(&compiled.instructions).chain(compiled.blocks.values()).try_for_each(check_all)
}

fn check_all(instructions: &Instructions<'_>) -> Result<(), TemplateError> {
    let all = (0..).map_while(|index| instructions.get(index).map(|it| (index, it)));
    let mut is_after_constant = false;
    for (index, instruction) in all {
        if let Some(problem) = problem(instruction, is_after_constant) {
            let line = instructions.get_line(index).unwrap_or(1);
            return Err(refused(line, problem));
        }
        is_after_constant = is_constant(instruction);
    }
    Ok(())
}

/// Whether the instruction loads a constant that is not a list.
fn is_constant(instruction: &Instruction<'_>) -> bool {
    matches!(instruction, Instruction::LoadConst(value) if value.as_object().is_none())
}

/// What is wrong with an instruction. Lists of constants are constants themselves.
fn problem(instruction: &Instruction<'_>, is_after_constant: bool) -> Option<&'static str> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these are refused")]
    match instruction {
        Instruction::BuildList(Some(_)) | Instruction::BuildTuple(Some(_)) => {
            Some("a list can contain constants only")
        },
        Instruction::BuildMap(_) => Some("a map can contain constants only"),
        Instruction::Include(_) | Instruction::LoadBlocks | Instruction::ExportLocals => {
            Some("there are no other templates")
        },
        // Only two lists can be added.
        Instruction::Add if !is_after_constant => {
            Some("variables are added with the filter `plus`, and texts are joined with `~`")
        },
        _ => None,
    }
}
