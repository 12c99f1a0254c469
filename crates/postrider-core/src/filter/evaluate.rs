//! Evaluates filters.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an operator or function applies to some types of values and refuses all others"
)]

mod functions;
mod operators;

use std::{cell::Cell, rc::Rc};

use crate::filter::{
    error::Span,
    json,
    names::Macro,
    subject::Subject,
    tree::{Constant, Kind, MacroCall, Node, Operator},
    value::{List, Map, Text, Value},
};

/// Most steps of one filter for one message: about one for each part that is evaluated, and more
/// for parts that take longer.
const MAX_STEPS: u64 = 100_000;

/// Most items of a list or map that a macro runs over.
const MAX_ITEMS: usize = 10_000;

/// Steps to say why an expression has no value.
const FAILURE_STEPS: usize = 10;

const TOO_LONG: &str = "the filter takes too long for this message; use shorter lists or strings";

/// Why an expression has no value for a message.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub at: Span,
    pub reason: String,
}

impl Failure {
    fn new(at: Span, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

type Evaluated<'v> = Result<Value<'v>, Failure>;

/// Whether the filter is true for the message.
pub(super) fn is_true<'v>(
    root: &'v Node,
    text: &'v str,
    subject: &'v Subject<'_>,
) -> Result<bool, Failure> {
    let limit = MAX_STEPS.min(subject.steps());
    let evaluator = Evaluator { text, subject, steps: Cell::new(limit) };
    let result = evaluator.is_true(root, &Locals::default());
    subject.spend(limit - evaluator.steps.get());
    result
}

/// The values of the variables of macros, the innermost last.
#[derive(Clone, Debug, Default)]
struct Locals<'v>(Vec<Value<'v>>);

struct Evaluator<'v, 'm> {
    text: &'v str,
    subject: &'v Subject<'m>,
    /// Steps that are left.
    steps: Cell<u64>,
}

impl<'v> Evaluator<'v, '_> {
    /// Counts steps.
    fn spend(&self, node: &Node, steps: usize) -> Result<(), Failure> {
        if let Some(left) = self.steps.get().checked_sub(steps as u64) {
            self.steps.set(left);
            return Ok(());
        }
        // What catches the failure must not go on.
        self.steps.set(0);
        Err(Failure::new(node.span, TOO_LONG))
    }

    fn source(&self, node: &Node) -> &str {
        node.span.of(self.text)
    }

    /// A failure, which may be caught and repeated for each item of a list.
    fn fail(&self, node: &Node, reason: impl Into<String>) -> Failure {
        match self.spend(node, FAILURE_STEPS) {
            Ok(()) => Failure::new(node.span, reason),
            Err(failure) => failure,
        }
    }

    fn wrong_type(&self, node: &Node, expected: &str, value: &Value<'_>) -> Failure {
        let source = self.source(node);
        self.fail(node, format!("`{source}` is {}, not {expected}", value.type_name()))
    }

    fn is_true(&self, node: &'v Node, locals: &Locals<'v>) -> Result<bool, Failure> {
        match self.value(node, locals)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong_type(node, "true or false", &other)),
        }
    }

    fn value(&self, node: &'v Node, locals: &Locals<'v>) -> Evaluated<'v> {
        self.spend(node, 1)?;
        match &node.kind {
            Kind::Constant(constant) => Ok(constant_value(constant)),
            Kind::Variable(variable) => match self.subject.variable(*variable) {
                Ok(json) => Ok(Value::of(json)),
                Err(reason) => Err(self.fail(node, reason)),
            },
            Kind::Local(index) => Ok(locals.0.get(*index).cloned().unwrap_or(Value::Null)),
            Kind::Field(of, name) => self.field(node, of, name, locals),
            Kind::Has(of, name) => self.has(of, name, locals),
            Kind::Index(parts) => self.index(node, parts, locals),
            Kind::Not(operand) => Ok(Value::Bool(!self.is_true(operand, locals)?)),
            Kind::Negative(operand) => {
                let value = self.value(operand, locals)?;
                operators::negative(&value).map_err(|reason| self.fail(node, reason))
            },
            Kind::And(operands) => self.decide(operands, false, locals),
            Kind::Or(operands) => self.decide(operands, true, locals),
            Kind::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                let chosen = if self.is_true(condition, locals)? { then } else { otherwise };
                self.value(chosen, locals)
            },
            Kind::Binary(operator, operands) => self.binary(node, *operator, operands, locals),
            Kind::List(items) => {
                let items = items.iter().map(|item| self.value(item, locals));
                Ok(Value::List(List::Built(items.collect::<Result<_, _>>()?)))
            },
            Kind::Map(entries) => self.map(entries, locals),
            Kind::Call(function, arguments) => {
                let arguments = arguments.iter().map(|it| self.value(it, locals));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                self.spend(node, functions::steps(*function, &arguments))?;
                functions::call(*function, arguments).map_err(|reason| self.fail(node, reason))
            },
            Kind::Matches(operand, pattern) => match self.value(operand, locals)? {
                Value::Text(text) => {
                    self.spend(node, text.len() * pattern.steps_per_byte() + 8)?;
                    Ok(Value::Bool(pattern.is_in(&text)))
                },
                other => Err(self.wrong_type(operand, "a string", &other)),
            },
            Kind::Macro(call) => self.over_items(node, call, locals),
        }
    }

    /// `true` if one operand is `true` for `||`, and `false` if one is `false` for `&&`, even if
    /// others cannot be evaluated. The order of operands does not matter.
    fn decide(&self, operands: &'v [Node], decisive: bool, locals: &Locals<'v>) -> Evaluated<'v> {
        let mut failure = None;
        for operand in operands {
            match self.is_true(operand, locals) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {},
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn field(
        &self,
        node: &'v Node,
        of: &'v Node,
        name: &'v str,
        locals: &Locals<'v>,
    ) -> Evaluated<'v> {
        let value = self.value(of, locals)?;
        let Value::Map(map) = &value else {
            let reason =
                format!("`{}` is {} and has no fields", self.source(of), value.type_name());
            return Err(self.fail(node, reason));
        };
        entry(map, &Value::Text(Text::Borrowed(name)))
            .ok_or_else(|| self.fail(node, format!("`{}` has no field `{name}`", self.source(of))))
    }

    fn has(&self, of: &'v Node, name: &'v str, locals: &Locals<'v>) -> Evaluated<'v> {
        match self.value(of, locals)? {
            Value::Map(map) => {
                let found = entry(&map, &Value::Text(Text::Borrowed(name)));
                Ok(Value::Bool(found.is_some()))
            },
            other => {
                let reason =
                    format!("`{}` is {} and has no fields", self.source(of), other.type_name());
                Err(self.fail(of, reason))
            },
        }
    }

    fn index(&self, node: &'v Node, parts: &'v [Node; 2], locals: &Locals<'v>) -> Evaluated<'v> {
        let [of, index] = parts;
        let (value, key) = (self.value(of, locals)?, self.value(index, locals)?);
        let found = match &value {
            Value::Map(map) => {
                self.spend(node, text_steps(&key) + built_len(map))?;
                entry(map, &key)
            },
            Value::List(list) => {
                let index = operators::position(&key)
                    .ok_or_else(|| self.wrong_type(index, "an integer", &key))?;
                list.at(index)
            },
            other => {
                let what = other.type_name();
                let reason = format!("`{}` is {what} and has no items", self.source(of));
                return Err(self.fail(of, reason));
            },
        };
        found.ok_or_else(|| {
            let (of, index) = (self.source(of), self.source(index));
            self.fail(node, format!("`{of}` has no item `{index}`"))
        })
    }

    fn binary(
        &self,
        node: &'v Node,
        operator: Operator,
        operands: &'v [Node; 2],
        locals: &Locals<'v>,
    ) -> Evaluated<'v> {
        let [left, right] = operands;
        let (left, right) = (self.value(left, locals)?, self.value(right, locals)?);
        match operator {
            Operator::Equal => Ok(Value::Bool(self.is_equal(node, &left, &right)?)),
            Operator::NotEqual => Ok(Value::Bool(!self.is_equal(node, &left, &right)?)),
            Operator::In => Ok(Value::Bool(self.is_in(node, &left, &right)?)),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                self.spend(node, text_steps(&left))?;
                operators::order(operator, &left, &right).map(Value::Bool)
            },
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => {
                self.spend(node, size_steps(&left) + size_steps(&right))?;
                operators::arithmetic(operator, left, right)
            },
        }
        .map_err(|reason| self.fail(node, reason))
    }

    /// Values of different types are not equal, except that numbers are compared by their value.
    fn is_equal(&self, node: &Node, left: &Value<'v>, right: &Value<'v>) -> Result<bool, Failure> {
        self.spend(node, 1)?;
        match (left, right) {
            (Value::List(left), Value::List(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for index in 0..left.len() {
                    if let (Some(left), Some(right)) = (left.at(index), right.at(index))
                        && !self.is_equal(node, &left, &right)?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            },
            (Value::Map(left), Value::Map(right)) => self.is_equal_map(node, left, right),
            (Value::Text(left), Value::Text(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                self.spend(node, left.len() / 64)?;
                Ok(**left == **right)
            },
            _ => Ok(operators::is_equal_scalar(left, right)),
        }
    }

    fn is_equal_map(&self, node: &Node, left: &Map<'v>, right: &Map<'v>) -> Result<bool, Failure> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for index in 0..left.len() {
            let Some((key, value)) = left.at(index) else { continue };
            self.spend(node, 1 + text_steps(&key) + built_len(right))?;
            match entry(right, &key) {
                Some(other) if self.is_equal(node, &value, &other)? => {},
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn is_in(&self, node: &Node, item: &Value<'v>, of: &Value<'v>) -> Result<bool, Failure> {
        match of {
            Value::List(list) => {
                for index in 0..list.len() {
                    if let Some(other) = list.at(index)
                        && self.is_equal(node, item, &other)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            },
            Value::Map(map) => {
                self.spend(node, text_steps(item) + built_len(map))?;
                Ok(entry(map, item).is_some())
            },
            other => {
                let reason =
                    format!("the right side of `in` is {}, not a list or a map", other.type_name());
                Err(self.fail(node, reason))
            },
        }
    }

    fn map(&self, entries: &'v [[Node; 2]], locals: &Locals<'v>) -> Evaluated<'v> {
        let mut built: Vec<(Value<'v>, Value<'v>)> = Vec::with_capacity(entries.len());
        for [key_node, value] in entries {
            let key = self.value(key_node, locals)?;
            if !operators::is_key(&key) {
                return Err(self.wrong_type(key_node, "a string, an integer, true or false", &key));
            }
            self.spend(key_node, text_steps(&key) + built.len())?;
            if built.iter().any(|(other, _)| is_same_key(other, &key)) {
                let reason = format!("the map has `{}` twice", self.source(key_node));
                return Err(self.fail(key_node, reason));
            }
            built.push((key, self.value(value, locals)?));
        }
        Ok(Value::Map(Map::Built(Rc::from(built))))
    }

    fn over_items(
        &self,
        node: &'v Node,
        call: &'v MacroCall,
        locals: &Locals<'v>,
    ) -> Evaluated<'v> {
        let items = match self.value(&call.range, locals)? {
            Value::List(list) => Items::List(list),
            Value::Map(map) => Items::Keys(map),
            other => return Err(self.wrong_type(&call.range, "a list or a map", &other)),
        };
        if items.len() > MAX_ITEMS {
            let source = self.source(&call.range);
            let reason = format!("`{source}` has more than {MAX_ITEMS} items");
            return Err(Failure::new(call.range.span, reason));
        }
        let locals = Locals([locals.0.as_slice(), &[Value::Null]].concat());
        match call.name {
            Macro::All => self.all(call, &items, locals, false),
            Macro::Exists => self.all(call, &items, locals, true),
            Macro::ExistsOne => self.exists_one(call, &items, locals),
            Macro::Map | Macro::Filter => self.collect(node, call, &items, locals),
        }
    }

    /// `exists` if an item that is true decides, otherwise `all`. An item that decides does so even
    /// if others cannot be evaluated.
    fn all(
        &self,
        call: &'v MacroCall,
        items: &Items<'v>,
        mut locals: Locals<'v>,
        decisive: bool,
    ) -> Evaluated<'v> {
        let mut failure = None;
        for index in 0..items.len() {
            locals.set(items.at(index));
            match self.holds(call, &locals) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {},
                Err(error) if self.steps.get() == 0 => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn exists_one(
        &self,
        call: &'v MacroCall,
        items: &Items<'v>,
        mut locals: Locals<'v>,
    ) -> Evaluated<'v> {
        let mut count = 0;
        for index in 0..items.len() {
            locals.set(items.at(index));
            count += usize::from(self.holds(call, &locals)?);
        }
        Ok(Value::Bool(count == 1))
    }

    /// `map` and `filter`.
    fn collect(
        &self,
        node: &'v Node,
        call: &'v MacroCall,
        items: &Items<'v>,
        mut locals: Locals<'v>,
    ) -> Evaluated<'v> {
        let mut collected = Vec::new();
        for index in 0..items.len() {
            let item = items.at(index);
            locals.set(item.clone());
            self.spend(node, size_steps(&item))?;
            if self.holds(call, &locals)? {
                collected.push(match &call.result {
                    Some(result) => self.value(result, &locals)?,
                    None => item,
                });
            }
        }
        Ok(Value::List(List::Built(Rc::from(collected))))
    }

    fn holds(&self, call: &'v MacroCall, locals: &Locals<'v>) -> Result<bool, Failure> {
        call.condition.as_ref().map_or(Ok(true), |it| self.is_true(it, locals))
    }
}

impl<'v> Locals<'v> {
    /// Sets the innermost variable.
    fn set(&mut self, value: Value<'v>) {
        if let Some(last) = self.0.last_mut() {
            *last = value;
        }
    }
}

enum Items<'v> {
    List(List<'v>),
    Keys(Map<'v>),
}

impl<'v> Items<'v> {
    fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Keys(map) => map.len(),
        }
    }

    fn at(&self, index: usize) -> Value<'v> {
        match self {
            Self::List(list) => list.at(index),
            Self::Keys(map) => map.at(index).map(|(key, _)| key),
        }
        .unwrap_or(Value::Null)
    }
}

fn constant_value(constant: &Constant) -> Value<'_> {
    match constant {
        Constant::Null => Value::Null,
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Int(value) => Value::Int(*value),
        Constant::UInt(value) => Value::UInt(*value),
        Constant::Double(value) => Value::Double(*value),
        Constant::Text(text) => Value::Text(Text::Borrowed(text)),
    }
}

fn entry<'v>(map: &Map<'v>, key: &Value<'_>) -> Option<Value<'v>> {
    match map {
        Map::Json(entries) => match key {
            Value::Text(key) => json::entry(entries, key).map(Value::of),
            _ => None,
        },
        Map::Built(entries) => entries
            .iter()
            .find(|(other, _)| is_same_key(other, key))
            .map(|(_, value)| value.clone()),
    }
}

fn is_same_key(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => **left == **right,
        _ => operators::is_equal_scalar(left, right),
    }
}

/// Keys of such a map are compared one by one.
fn built_len(map: &Map<'_>) -> usize {
    match map {
        Map::Json(_) => 0,
        Map::Built(entries) => entries.len(),
    }
}

/// Steps to compare a string.
fn text_steps(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len() / 64,
        _ => 0,
    }
}

/// Steps to copy a value.
fn size_steps(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len() / 32,
        Value::List(list) => 2 * list.len(),
        _ => 0,
    }
}
