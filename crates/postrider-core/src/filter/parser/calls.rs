//! Calls of functions and macros.

use crate::filter::{
    error::{Problem, Span},
    names::{self, FUNCTIONS, Form, Function, MACROS, Macro, Signature},
    parser::{Parsed, Parser},
    pattern::Pattern,
    token::Token,
    tree::{Constant, Kind, MacroCall, Node, Type},
};

/// Most patterns of a filter, because each takes memory.
const MAX_PATTERNS: usize = 4;

/// Most macros inside each other.
const MAX_MACROS: usize = 2;

impl Parser<'_> {
    /// A call without a value before it, behind the bracket.
    pub(super) fn call(&mut self, name: &str, at: Span) -> Parsed {
        if name == "has" {
            return self.has(at);
        }
        let (arguments, end) = self.arguments()?;
        let span = at.to(end);
        if name == "matches" {
            return self.matches(arguments, span);
        }
        if let Some((name, _)) = MACROS.iter().find(|(it, _)| *it == name) {
            let message = format!("`{name}` follows a list: `payload.items.{name}(…)`");
            return Err(Problem::new(at, message));
        }
        let signature = function(name, at)?;
        if signature.form == Form::OnValue {
            let message = format!("`{name}` follows a value: `payload.name.{name}(…)`");
            return Err(Problem::new(at, message));
        }
        self.function(signature, arguments, span)
    }

    /// A call on a value, behind the bracket.
    pub(super) fn call_on(&mut self, value: Node, name: &str, at: Span) -> Parsed {
        if let Some((_, of)) = MACROS.iter().find(|(it, _)| *it == name) {
            return self.over_items(value, *of, at);
        }
        let (mut arguments, end) = self.arguments()?;
        let span = value.span.to(end);
        arguments.insert(0, value);
        if name == "matches" {
            return self.matches(arguments, span);
        }
        let signature = function(name, at)?;
        if signature.form == Form::Global {
            let message = format!("`{name}` takes its value in brackets: `{name}(…)`");
            return Err(Problem::new(at, message));
        }
        self.function(signature, arguments, span)
    }

    /// The arguments of a call, and the position of the closing bracket.
    fn arguments(&mut self) -> Result<(Vec<Node>, Span), Problem> {
        let mut arguments = Vec::new();
        if let Some(end) = self.accept(")") {
            return Ok((arguments, end));
        }
        loop {
            arguments.push(self.expression()?);
            if self.accept(",").is_none() {
                return Ok((arguments, self.require(")")?));
            }
        }
    }

    fn function(&mut self, signature: &Signature, arguments: Vec<Node>, span: Span) -> Parsed {
        if arguments.len() != signature.arguments {
            let message = format!(
                "`{}` takes {}, not {}",
                signature.name,
                count(signature, signature.arguments),
                count(signature, arguments.len()),
            );
            return Err(Problem::new(span, message));
        }
        check_texts(signature, &arguments)?;
        self.node(Kind::Call(signature.function, arguments), span)
    }

    fn matches(&mut self, arguments: Vec<Node>, span: Span) -> Parsed {
        let Ok([value, pattern]) = <[Node; 2]>::try_from(arguments) else {
            return Err(Problem::new(span, "`matches` takes one pattern"));
        };
        let Kind::Constant(Constant::Text(text)) = &pattern.kind else {
            let message = "the pattern of `matches` has to be a string literal";
            return Err(Problem::new(pattern.span, message));
        };
        if let Some(other) = value.known_type().filter(|it| *it != Type::Text) {
            let message = format!("`matches` is for strings, and this is {}", other.name());
            return Err(Problem::new(value.span, message));
        }
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let message = format!(
                "a filter can have {MAX_PATTERNS} patterns; join some of them with `|` in one"
            );
            return Err(Problem::new(pattern.span, message));
        }
        let compiled = Pattern::new(text).map_err(|it| Problem::new(pattern.span, it))?;
        self.node(Kind::Matches(Box::new(value), Box::new(compiled)), span)
    }

    fn has(&mut self, at: Span) -> Parsed {
        let argument = self.expression()?;
        let end = self.require(")")?;
        let Kind::Field(value, name) = argument.kind else {
            let message = "`has` takes a field: `has(payload.name)`; for a key in quotation marks, \
                           write `\"name\" in payload`";
            return Err(Problem::new(argument.span, message));
        };
        self.node(Kind::Has(value, name), at.to(end))
    }

    fn over_items(&mut self, range: Node, name: Macro, at: Span) -> Parsed {
        if let Some(other) = range.known_type().filter(|it| !matches!(it, Type::List | Type::Map)) {
            let message = format!("this is for lists and maps, not for {}", other.name());
            return Err(Problem::new(at, message));
        }
        if self.locals.len() == MAX_MACROS {
            let message = format!("at most {MAX_MACROS} of these can be inside each other");
            return Err(Problem::new(at, message));
        }
        let local = self.local()?;
        self.require(",")?;
        self.locals.push(local);
        let arguments = self.deeper(Self::arguments);
        self.locals.pop();
        let (mut arguments, end) = arguments?;
        let span = range.span.to(end);
        let last = arguments.pop();
        let (condition, result) = match (name, arguments.len()) {
            (Macro::Map, 0 | 1) => (arguments.pop(), last),
            (Macro::All | Macro::Exists | Macro::ExistsOne | Macro::Filter, 0) => (last, None),
            _ => return Err(Problem::new(at, "too many arguments")),
        };
        if let Some(other) = condition.as_ref().and_then(Node::known_type)
            && other != Type::Bool
        {
            let message = format!("the condition has to be true or false, not {}", other.name());
            return Err(Problem::new(span, message));
        }
        self.node(Kind::Macro(Box::new(MacroCall { name, range, condition, result })), span)
    }

    /// The name that an item gets.
    fn local(&mut self) -> Result<String, Problem> {
        let (token, span) = self.next();
        if let Token::Name(name) = &token
            && !matches!(name.as_str(), "true" | "false" | "null" | "in")
        {
            return Ok(name.clone());
        }
        Err(self.unexpected(&token, span, "a name for the item"))
    }
}

fn function(name: &str, at: Span) -> Result<&'static Signature, Problem> {
    let known = FUNCTIONS.iter().find(|signature| signature.name == name);
    known.ok_or_else(|| Problem::new(at, names::unknown_function(name)))
}

/// The number of arguments as the caller writes them.
fn count(signature: &Signature, arguments: usize) -> String {
    let given = match signature.form {
        Form::OnValue => arguments.saturating_sub(1),
        Form::Global | Form::Either => arguments,
    };
    match given {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    }
}

/// Functions of strings are not called on anything that is known to be something else, like a list.
fn check_texts(signature: &Signature, arguments: &[Node]) -> Result<(), Problem> {
    let is_of_strings = matches!(
        signature.function,
        Function::Contains
            | Function::StartsWith
            | Function::EndsWith
            | Function::LowerAscii
            | Function::UpperAscii
            | Function::Trim
    );
    let wrong = arguments.iter().find(|it| it.known_type().is_some_and(|it| it != Type::Text));
    let Some((wrong, of)) = wrong.and_then(|it| Some((it, it.known_type()?))) else {
        return Ok(());
    };
    if !is_of_strings {
        return Ok(());
    }
    let hint = match (signature.function, of) {
        (Function::Contains, Type::List) => "; for lists, write `\"value\" in list`",
        _ => "",
    };
    let message = format!("`{}` is for strings, and this is {}{hint}", signature.name, of.name());
    Err(Problem::new(wrong.span, message))
}
