//! The checked form of a filter.

use crate::filter::{
    error::Span,
    names::{Function, Macro, Variable},
    pattern::Pattern,
};

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Span,
    /// Levels, from 1. Evaluating takes stack for each.
    pub depth: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Constant(Constant),
    Variable(Variable),
    /// A variable of a macro, by the number of macros around it.
    Local(usize),
    Field(Box<Node>, Box<str>),
    Has(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negative(Box<Node>),
    /// At least two.
    And(Vec<Node>),
    /// At least two.
    Or(Vec<Node>),
    /// Condition, then, otherwise.
    Conditional(Box<[Node; 3]>),
    Binary(Operator, Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<[Node; 2]>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Box<Pattern>),
    Macro(Box<MacroCall>),
}

#[derive(Clone, Debug)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// A macro over the items of a list, or over the keys of a map.
#[derive(Clone, Debug)]
pub(super) struct MacroCall {
    pub name: Macro,
    pub range: Node,
    /// For `map` with three arguments, the condition; otherwise what the macro asks of each item.
    pub condition: Option<Node>,
    /// The result of `map`.
    pub result: Option<Node>,
}

/// What an expression is, as far as that is known before there is a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
    Time,
    Duration,
}

impl Type {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Time => "a timestamp",
            Self::Duration => "a duration",
        }
    }
}

impl Kind {
    /// The levels of the deepest part.
    pub(super) fn depth(&self) -> usize {
        let deepest = |nodes: &[Node]| nodes.iter().map(|node| node.depth).max().unwrap_or(0);
        match self {
            Self::Constant(_) | Self::Variable(_) | Self::Local(_) => 0,
            Self::Field(value, _)
            | Self::Has(value, _)
            | Self::Not(value)
            | Self::Negative(value)
            | Self::Matches(value, _) => value.depth,
            Self::Index(parts) | Self::Binary(_, parts) => deepest(&**parts),
            Self::Conditional(parts) => deepest(&**parts),
            Self::And(parts) | Self::Or(parts) | Self::List(parts) | Self::Call(_, parts) => {
                deepest(parts)
            },
            Self::Map(entries) => entries.iter().map(|it| deepest(it)).max().unwrap_or(0),
            Self::Macro(call) => {
                let parts = [Some(&call.range), call.condition.as_ref(), call.result.as_ref()];
                parts.into_iter().flatten().map(|node| node.depth).max().unwrap_or(0)
            },
        }
    }
}

impl Node {
    /// `None` if it depends on the message.
    pub(super) fn known_type(&self) -> Option<Type> {
        Some(match &self.kind {
            Kind::Constant(constant) => match constant {
                Constant::Null => Type::Null,
                Constant::Bool(_) => Type::Bool,
                Constant::Int(_) | Constant::UInt(_) | Constant::Double(_) => Type::Number,
                Constant::Text(_) => Type::Text,
            },
            Kind::Variable(variable) => return variable_type(*variable),
            Kind::Local(_) | Kind::Field(..) | Kind::Index(_) | Kind::Negative(_) => return None,
            Kind::Has(..) | Kind::Not(_) | Kind::And(_) | Kind::Or(_) | Kind::Matches(..) => {
                Type::Bool
            },
            Kind::Conditional(parts) => {
                let [_, then, otherwise] = &**parts;
                return then.known_type().filter(|it| otherwise.known_type() == Some(*it));
            },
            Kind::Binary(operator, operands) => return binary_type(*operator, operands),
            Kind::List(_) => Type::List,
            Kind::Map(_) => Type::Map,
            Kind::Call(function, _) => return function_type(*function),
            Kind::Macro(call) => match call.name {
                Macro::All | Macro::Exists | Macro::ExistsOne => Type::Bool,
                Macro::Map | Macro::Filter => Type::List,
            },
        })
    }
}

const fn variable_type(variable: Variable) -> Option<Type> {
    match variable {
        Variable::Type => Some(Type::Text),
        Variable::Channels | Variable::Tags => Some(Type::List),
        Variable::Metadata | Variable::Headers => Some(Type::Map),
        Variable::Payload => None,
    }
}

fn binary_type(operator: Operator, operands: &[Node; 2]) -> Option<Type> {
    match operator {
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::In => Some(Type::Bool),
        Operator::Multiply | Operator::Divide | Operator::Remainder => Some(Type::Number),
        // Numbers, strings, lists, timestamps and durations.
        Operator::Add | Operator::Subtract => {
            let [left, right] = operands;
            left.known_type().filter(|it| right.known_type() == Some(*it) && *it != Type::Time)
        },
    }
}

const fn function_type(function: Function) -> Option<Type> {
    match function {
        Function::Contains | Function::StartsWith | Function::EndsWith | Function::Bool => {
            Some(Type::Bool)
        },
        Function::LowerAscii | Function::UpperAscii | Function::Trim | Function::Text => {
            Some(Type::Text)
        },
        Function::Timestamp => Some(Type::Time),
        Function::Duration => Some(Type::Duration),
        Function::Dyn => None,
        Function::Size
        | Function::Int
        | Function::UInt
        | Function::Double
        | Function::FullYear
        | Function::Month
        | Function::Date
        | Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::Hours
        | Function::Minutes
        | Function::Seconds
        | Function::Milliseconds => Some(Type::Number),
    }
}
