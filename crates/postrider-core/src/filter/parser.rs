//! Parses and checks the text of a filter.

mod calls;

use crate::filter::{
    error::{FilterError, Problem, Span},
    names::{self, VARIABLES},
    token::{self, Token},
    tree::{Constant, Kind, Node, Operator, Type},
};

/// Most levels of an expression. Evaluating needs stack for each.
const MAX_DEPTH: usize = 40;

/// Most parts of a filter: constants, names, operators and calls.
const MAX_NODES: usize = 500;

/// Parses a filter, which is true or false for each message.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let whole = || {
        let mut parser = Parser {
            text,
            tokens: token::split(text)?.into_iter().peekable(),
            locals: Vec::new(),
            depth: 0,
            nodes: 0,
            patterns: 0,
        };
        let root = parser.expression()?;
        let (next, span) = parser.next();
        match next {
            Token::End => checked_filter(root),
            Token::Name(_)
            | Token::Int(_)
            | Token::UInt(_)
            | Token::Double(_)
            | Token::Text(_)
            | Token::Mark(_) => Err(parser.unexpected(&next, span, "an operator")),
        }
    };
    whole().map_err(|problem: Problem| FilterError::new(text, problem.at, problem.message))
}

fn checked_filter(root: Node) -> Result<Node, Problem> {
    let wrong = root.known_type().filter(|it| *it != Type::Bool);
    match wrong {
        None => Ok(root),
        Some(other) => {
            let message = format!(
                "a filter has to be true or false, and this is {}; compare it, for example with \
                 `==`",
                other.name()
            );
            Err(Problem::new(root.span, message))
        },
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: std::iter::Peekable<std::vec::IntoIter<(Token, Span)>>,
    /// The variables of the macros around the current position.
    locals: Vec<String>,
    depth: usize,
    nodes: usize,
    patterns: usize,
}

type Parsed = Result<Node, Problem>;

impl Parser<'_> {
    fn next(&mut self) -> (Token, Span) {
        let end = Span::new(self.text.len(), self.text.len());
        self.tokens.next().unwrap_or((Token::End, end))
    }

    fn peek(&mut self) -> &Token {
        self.tokens.peek().map_or(&Token::End, |(token, _)| token)
    }

    fn position(&mut self) -> Span {
        let end = Span::new(self.text.len(), self.text.len());
        self.tokens.peek().map_or(end, |(_, span)| *span)
    }

    /// The position of the mark, if it is next.
    fn accept(&mut self, mark: &'static str) -> Option<Span> {
        self.tokens.next_if(|(token, _)| *token == Token::Mark(mark)).map(|(_, span)| span)
    }

    fn require(&mut self, mark: &'static str) -> Result<Span, Problem> {
        let (token, span) = self.next();
        if token == Token::Mark(mark) {
            return Ok(span);
        }
        Err(self.unexpected(&token, span, &format!("`{mark}`")))
    }

    fn unexpected(&self, token: &Token, span: Span, expected: &str) -> Problem {
        let message = match token {
            Token::End => format!("the filter ends here, but {expected} is missing"),
            Token::Name(name) if matches!(name.as_str(), "and" | "or" | "not") => {
                let mark = match name.as_str() {
                    "and" => "&&",
                    "or" => "||",
                    _ => "!",
                };
                format!("unexpected `{name}`; write `{mark}`")
            },
            Token::Name(_)
            | Token::Int(_)
            | Token::UInt(_)
            | Token::Double(_)
            | Token::Text(_)
            | Token::Mark(_) => {
                format!("unexpected `{}`, expected {expected}", span.of(self.text))
            },
        };
        Problem::new(span, message)
    }

    fn node(&mut self, kind: Kind, span: Span) -> Parsed {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the filter is too complex; it can have {MAX_NODES} parts");
            return Err(Problem::new(span, message));
        }
        let depth = 1 + kind.depth();
        if depth > MAX_DEPTH {
            return Err(Problem::new(span, too_deep()));
        }
        Ok(Node { kind, span, depth })
    }

    /// Parses something that is one level deeper.
    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::new(self.position(), too_deep()));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| {
            let condition = parser.either()?;
            if parser.accept("?").is_none() {
                return Ok(condition);
            }
            require_bool(&condition, "the condition of `?`")?;
            let then = parser.either()?;
            parser.require(":")?;
            let otherwise = parser.expression()?;
            let span = condition.span.to(otherwise.span);
            parser.node(Kind::Conditional(Box::new([condition, then, otherwise])), span)
        })
    }

    fn either(&mut self) -> Parsed {
        self.chain("||", Self::both, Kind::Or)
    }

    fn both(&mut self) -> Parsed {
        self.chain("&&", |parser| parser.binary(0), Kind::And)
    }

    /// Operands between these marks. A long chain is one node, so it needs no stack.
    fn chain(
        &mut self,
        mark: &'static str,
        operand: impl Fn(&mut Self) -> Parsed,
        kind: impl FnOnce(Vec<Node>) -> Kind,
    ) -> Parsed {
        let first = operand(self)?;
        let mut operands = vec![first];
        while self.accept(mark).is_some() {
            operands.push(operand(self)?);
        }
        let (Some(first), Some(last)) = (operands.first(), operands.last()) else {
            unreachable!("the first operand was added above")
        };
        let span = first.span.to(last.span);
        if let [_] = *operands {
            return Ok(operands.remove(0));
        }
        for operand in &operands {
            require_bool(operand, &format!("each side of `{mark}`"))?;
        }
        self.node(kind(operands), span)
    }

    /// Operators that bind at least as strongly as this level.
    fn binary(&mut self, level: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator(level) {
            self.next();
            let right = self.deeper(|parser| parser.binary(level_of(operator) + 1))?;
            require_comparable(operator, &left, &right)?;
            let span = left.span.to(right.span);
            left = self.node(Kind::Binary(operator, Box::new([left, right])), span)?;
        }
        Ok(left)
    }

    /// The next token, if it is an operator of this level or of one that binds more strongly.
    fn operator(&mut self, level: u8) -> Option<Operator> {
        let operator = match self.peek() {
            Token::Mark("==") => Operator::Equal,
            Token::Mark("!=") => Operator::NotEqual,
            Token::Mark("<") => Operator::Less,
            Token::Mark("<=") => Operator::LessOrEqual,
            Token::Mark(">") => Operator::Greater,
            Token::Mark(">=") => Operator::GreaterOrEqual,
            Token::Mark("+") => Operator::Add,
            Token::Mark("-") => Operator::Subtract,
            Token::Mark("*") => Operator::Multiply,
            Token::Mark("/") => Operator::Divide,
            Token::Mark("%") => Operator::Remainder,
            Token::Name(name) if name == "in" => Operator::In,
            Token::Mark(_)
            | Token::Name(_)
            | Token::Int(_)
            | Token::UInt(_)
            | Token::Double(_)
            | Token::Text(_)
            | Token::End => return None,
        };
        Some(operator).filter(|it| level_of(*it) >= level)
    }

    fn unary(&mut self) -> Parsed {
        if let Some(start) = self.accept("!") {
            let operand = self.deeper(Self::unary)?;
            require_bool(&operand, "the operand of `!`")?;
            let span = start.to(operand.span);
            return self.node(Kind::Not(Box::new(operand)), span);
        }
        let Some(start) = self.accept("-") else { return self.member() };
        if let Token::Int(value) = *self.peek() {
            return self.negative(start, value);
        }
        let operand = self.deeper(Self::unary)?;
        let span = start.to(operand.span);
        self.node(Kind::Negative(Box::new(operand)), span)
    }

    /// A negative integer. It is one constant, because the smallest one has no positive form.
    fn negative(&mut self, start: Span, value: u64) -> Parsed {
        let (_, span) = self.next();
        let span = start.to(span);
        let value = 0_i64.checked_sub_unsigned(value).ok_or_else(|| too_large(span, self.text))?;
        let constant = self.node(Kind::Constant(Constant::Int(value)), span)?;
        self.suffixes(constant)
    }

    fn member(&mut self) -> Parsed {
        let primary = self.primary()?;
        self.suffixes(primary)
    }

    /// Fields, indexes and calls behind a value.
    fn suffixes(&mut self, mut value: Node) -> Parsed {
        loop {
            if self.accept("[").is_some() {
                let index = self.expression()?;
                let end = self.require("]")?;
                let span = value.span.to(end);
                value = self.node(Kind::Index(Box::new([value, index])), span)?;
            } else if self.accept(".").is_some() {
                let (token, at) = self.next();
                let Token::Name(name) = token else {
                    return Err(self.unexpected(&token, at, "the name of a field or function"));
                };
                value = self.named(value, &name, at)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn named(&mut self, value: Node, name: &str, at: Span) -> Parsed {
        if self.accept("(").is_some() {
            return self.call_on(value, name, at);
        }
        require_fields(&value, name)?;
        let span = value.span.to(at);
        self.node(Kind::Field(Box::new(value), name.into()), span)
    }

    fn primary(&mut self) -> Parsed {
        let (token, span) = self.next();
        match token {
            Token::Int(value) => match i64::try_from(value) {
                Ok(value) => self.node(Kind::Constant(Constant::Int(value)), span),
                Err(_) => Err(too_large(span, self.text)),
            },
            Token::UInt(value) => self.node(Kind::Constant(Constant::UInt(value)), span),
            Token::Double(value) => self.node(Kind::Constant(Constant::Double(value)), span),
            Token::Text(text) => self.node(Kind::Constant(Constant::Text(text.into())), span),
            Token::Name(name) => self.name(&name, span),
            Token::Mark("(") => {
                let inner = self.expression()?;
                let end = self.require(")")?;
                Ok(Node { span: span.to(end), ..inner })
            },
            Token::Mark("[") => self.list(span),
            Token::Mark("{") => self.map(span),
            Token::Mark(_) | Token::End => Err(self.unexpected(&token, span, "a value")),
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Parsed {
        if self.accept("(").is_some() {
            return self.call(name, span);
        }
        let kind = match name {
            "true" => Kind::Constant(Constant::Bool(true)),
            "false" => Kind::Constant(Constant::Bool(false)),
            "null" => Kind::Constant(Constant::Null),
            "in" => {
                return Err(Problem::new(span, "unexpected `in`, expected a value"));
            },
            _ => match self.locals.iter().rposition(|it| it == name) {
                Some(index) => Kind::Local(index),
                None => self.variable(name, span)?,
            },
        };
        self.node(kind, span)
    }

    fn variable(&self, name: &str, span: Span) -> Result<Kind, Problem> {
        let known = VARIABLES.iter().find(|(it, _)| *it == name);
        match known {
            Some((_, variable)) => Ok(Kind::Variable(*variable)),
            None => Err(Problem::new(span, names::unknown_variable(name, &self.locals))),
        }
    }

    fn list(&mut self, start: Span) -> Parsed {
        let mut items = Vec::new();
        loop {
            if let Some(end) = self.accept("]") {
                return self.node(Kind::List(items), start.to(end));
            }
            items.push(self.expression()?);
            if self.accept(",").is_none() {
                let end = self.require("]")?;
                return self.node(Kind::List(items), start.to(end));
            }
        }
    }

    fn map(&mut self, start: Span) -> Parsed {
        let mut entries = Vec::new();
        loop {
            if let Some(end) = self.accept("}") {
                return self.node(Kind::Map(entries), start.to(end));
            }
            let key = self.expression()?;
            self.require(":")?;
            entries.push([key, self.expression()?]);
            if self.accept(",").is_none() {
                let end = self.require("}")?;
                return self.node(Kind::Map(entries), start.to(end));
            }
        }
    }
}

fn too_deep() -> String {
    format!("the expression is nested too deeply; it can have {MAX_DEPTH} levels")
}

fn too_large(span: Span, text: &str) -> Problem {
    Problem::new(span, format!("`{}` is not an integer of 64 bits", span.of(text)))
}

const fn level_of(operator: Operator) -> u8 {
    match operator {
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::In => 0,
        Operator::Add | Operator::Subtract => 1,
        Operator::Multiply | Operator::Divide | Operator::Remainder => 2,
    }
}

fn require_bool(node: &Node, what: &str) -> Result<(), Problem> {
    match node.known_type() {
        None | Some(Type::Bool) => Ok(()),
        Some(other) => {
            let message = format!("{what} has to be true or false, and this is {}", other.name());
            Err(Problem::new(node.span, message))
        },
    }
}

/// A comparison of values that are never equal is a mistake.
fn require_comparable(operator: Operator, left: &Node, right: &Node) -> Result<(), Problem> {
    let (Some(one), Some(other)) = (left.known_type(), right.known_type()) else { return Ok(()) };
    let is_wrong = match operator {
        Operator::Equal | Operator::NotEqual => {
            one != other && one != Type::Null && other != Type::Null
        },
        Operator::In => !matches!(other, Type::List | Type::Map),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            one != other
        },
        Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Remainder => false,
    };
    if !is_wrong {
        return Ok(());
    }
    let symbol = operator.symbol();
    let hint = if operator == Operator::In {
        "; the right side of `in` is a list or a map, and a string has `contains`"
    } else {
        ""
    };
    let message = format!("`{symbol}` does not apply to {} and {}{hint}", one.name(), other.name());
    Err(Problem::new(left.span.to(right.span), message))
}

fn require_fields(value: &Node, name: &str) -> Result<(), Problem> {
    match value.known_type() {
        None | Some(Type::Map) => Ok(()),
        Some(other) => {
            let message = format!("{} has no field `{name}`", other.name());
            Err(Problem::new(value.span, message))
        },
    }
}
