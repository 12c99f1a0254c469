//! Operators on values.

use std::{cmp::Ordering, rc::Rc};

use crate::filter::{
    tree::Operator,
    value::{List, Value},
};

/// Most bytes of a string that a filter builds.
const MAX_TEXT: usize = 64 << 10;

type Computed<'v> = Result<Value<'v>, String>;

/// A number, for operators that apply to all of them.
#[derive(Clone, Copy)]
enum Number {
    /// Holds every `int` and `uint`.
    Integer(i128),
    Double(f64),
}

fn number(value: &Value<'_>) -> Option<Number> {
    match value {
        Value::Int(value) => Some(Number::Integer(i128::from(*value))),
        Value::UInt(value) => Some(Number::Integer(i128::from(*value))),
        Value::Double(value) => Some(Number::Double(*value)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "as everywhere where integers meet doubles")]
fn as_double(number: Number) -> f64 {
    match number {
        Number::Integer(value) => value as f64,
        Number::Double(value) => value,
    }
}

fn compare_numbers(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Integer(left), Number::Integer(right)) => Some(left.cmp(&right)),
        _ => as_double(left).partial_cmp(&as_double(right)),
    }
}

/// Whether values that are not lists or maps are equal.
pub(super) fn is_equal_scalar(left: &Value<'_>, right: &Value<'_>) -> bool {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return compare_numbers(left, right) == Some(Ordering::Equal);
    }
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => **left == **right,
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        _ => false,
    }
}

/// Whether a map can have this key.
pub(super) const fn is_key(value: &Value<'_>) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Text(_))
}

/// The index of an item. Values that are not in any list become [`usize::MAX`].
pub(super) fn position(value: &Value<'_>) -> Option<usize> {
    let index = match number(value)? {
        Number::Integer(value) => value,
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction")]
        Number::Double(value) if value.fract() == 0.0 => value as i128,
        Number::Double(_) => return None,
    };
    Some(usize::try_from(index).unwrap_or(usize::MAX))
}

/// The result of a comparison of order.
pub(super) fn order(
    operator: Operator,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<bool, String> {
    let ordering = match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some((**left).cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => compare_numbers(left, right),
            _ => return Err(no_operator(operator, left, right)),
        },
    };
    Ok(match operator {
        Operator::Less => ordering == Some(Ordering::Less),
        Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        Operator::Greater => ordering == Some(Ordering::Greater),
        _ => ordering.is_some_and(Ordering::is_ge),
    })
}

fn no_operator(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> String {
    let symbol = operator.symbol();
    format!("`{symbol}` does not apply to {} and {}", left.type_name(), right.type_name())
}

pub(super) fn negative<'v>(value: &Value<'v>) -> Computed<'v> {
    match value {
        Value::Double(value) => Ok(Value::Double(-value)),
        Value::Duration(value) => value.checked_neg().map(Value::Duration).ok_or_else(out_of_range),
        other => match number(other) {
            Some(Number::Integer(value)) => integer(Some(-value)),
            _ => Err(format!("`-` does not apply to {}", other.type_name())),
        },
    }
}

pub(super) fn arithmetic<'v>(
    operator: Operator,
    left: Value<'v>,
    right: Value<'v>,
) -> Computed<'v> {
    if let (Some(left), Some(right)) = (number(&left), number(&right)) {
        return match (left, right) {
            (Number::Integer(left), Number::Integer(right)) => integers(operator, left, right),
            _ => doubles(operator, as_double(left), as_double(right)),
        };
    }
    match (operator, left, right) {
        (Operator::Add, Value::Text(left), Value::Text(right)) => concatenate(&left, &right),
        (Operator::Add, Value::List(left), Value::List(right)) => Ok(join(&left, &right)),
        (Operator::Add, Value::Time(time), Value::Duration(duration))
        | (Operator::Add, Value::Duration(duration), Value::Time(time)) => {
            time.checked_add(duration).map(Value::Time).map_err(|_| out_of_range())
        },
        (Operator::Subtract, Value::Time(time), Value::Duration(duration)) => {
            time.checked_sub(duration).map(Value::Time).map_err(|_| out_of_range())
        },
        (Operator::Subtract, Value::Time(left), Value::Time(right)) => {
            Ok(Value::Duration(left.duration_since(right)))
        },
        (Operator::Add, Value::Duration(left), Value::Duration(right)) => {
            left.checked_add(right).map(Value::Duration).ok_or_else(out_of_range)
        },
        (Operator::Subtract, Value::Duration(left), Value::Duration(right)) => {
            left.checked_sub(right).map(Value::Duration).ok_or_else(out_of_range)
        },
        (operator, left, right) => Err(no_operator(operator, &left, &right)),
    }
}

fn out_of_range() -> String {
    "the result is out of range".to_owned()
}

/// An integer that fits into 64 bits.
fn integer<'v>(value: Option<i128>) -> Computed<'v> {
    let value = value.ok_or_else(out_of_range)?;
    i64::try_from(value)
        .map(Value::Int)
        .or_else(|_| u64::try_from(value).map(Value::UInt))
        .map_err(|_| out_of_range())
}

fn integers<'v>(operator: Operator, left: i128, right: i128) -> Computed<'v> {
    let by_zero = || Err("division by zero".to_owned());
    match operator {
        Operator::Add => integer(left.checked_add(right)),
        Operator::Subtract => integer(left.checked_sub(right)),
        Operator::Multiply => integer(left.checked_mul(right)),
        Operator::Divide if right == 0 => by_zero(),
        Operator::Divide => integer(left.checked_div(right)),
        _ if right == 0 => by_zero(),
        _ => integer(left.checked_rem(right)),
    }
}

fn doubles<'v>(operator: Operator, left: f64, right: f64) -> Computed<'v> {
    match operator {
        Operator::Add => Ok(Value::Double(left + right)),
        Operator::Subtract => Ok(Value::Double(left - right)),
        Operator::Multiply => Ok(Value::Double(left * right)),
        Operator::Divide => Ok(Value::Double(left / right)),
        _ => Err("`%` applies to integers only".to_owned()),
    }
}

fn concatenate<'v>(left: &str, right: &str) -> Computed<'v> {
    if left.len() + right.len() > MAX_TEXT {
        return Err(format!("the result of `+` is longer than {MAX_TEXT} bytes"));
    }
    Ok(Value::Text([left, right].concat().into()))
}

fn join<'v>(left: &List<'v>, right: &List<'v>) -> Value<'v> {
    let items = |list: &List<'v>| (0..list.len()).filter_map(|it| list.at(it)).collect::<Vec<_>>();
    let joined: Rc<[_]> = items(left).into_iter().chain(items(right)).collect();
    Value::List(List::Built(joined))
}
