//! The variables and functions of filters, and suggestions for misspelt ones.

/// What a filter can ask about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Type,
    Channels,
    Tags,
    Metadata,
    Headers,
    Payload,
}

pub(super) const VARIABLES: [(&str, Variable); 6] = [
    ("type", Variable::Type),
    ("channels", Variable::Channels),
    ("tags", Variable::Tags),
    ("metadata", Variable::Metadata),
    ("headers", Variable::Headers),
    ("payload", Variable::Payload),
];

/// Names that other systems use for the same.
const ALIASES: [(&str, &str); 6] = [
    ("eventType", "type"),
    ("event_type", "type"),
    ("body", "payload"),
    ("data", "payload"),
    ("event", "payload"),
    ("message", "payload"),
];

/// A function that is called with values. Those on a value have it as their first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    Int,
    UInt,
    Double,
    Text,
    Bool,
    Dyn,
    Timestamp,
    Duration,
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `size(a)`
    Global,
    /// `a.contains(b)`
    OnValue,
    /// Both.
    Either,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub name: &'static str,
    pub function: Function,
    pub form: Form,
    /// Arguments, including the value that the function is called on.
    pub arguments: usize,
}

const fn signature(
    name: &'static str,
    function: Function,
    form: Form,
    arguments: usize,
) -> Signature {
    Signature { name, function, form, arguments }
}

pub(super) const FUNCTIONS: [Signature; 25] = [
    signature("size", Function::Size, Form::Either, 1),
    signature("contains", Function::Contains, Form::OnValue, 2),
    signature("startsWith", Function::StartsWith, Form::OnValue, 2),
    signature("endsWith", Function::EndsWith, Form::OnValue, 2),
    signature("lowerAscii", Function::LowerAscii, Form::OnValue, 1),
    signature("upperAscii", Function::UpperAscii, Form::OnValue, 1),
    signature("trim", Function::Trim, Form::OnValue, 1),
    signature("int", Function::Int, Form::Global, 1),
    signature("uint", Function::UInt, Form::Global, 1),
    signature("double", Function::Double, Form::Global, 1),
    signature("string", Function::Text, Form::Global, 1),
    signature("bool", Function::Bool, Form::Global, 1),
    signature("dyn", Function::Dyn, Form::Global, 1),
    signature("timestamp", Function::Timestamp, Form::Global, 1),
    signature("duration", Function::Duration, Form::Global, 1),
    signature("getFullYear", Function::FullYear, Form::OnValue, 1),
    signature("getMonth", Function::Month, Form::OnValue, 1),
    signature("getDate", Function::Date, Form::OnValue, 1),
    signature("getDayOfMonth", Function::DayOfMonth, Form::OnValue, 1),
    signature("getDayOfWeek", Function::DayOfWeek, Form::OnValue, 1),
    signature("getDayOfYear", Function::DayOfYear, Form::OnValue, 1),
    signature("getHours", Function::Hours, Form::OnValue, 1),
    signature("getMinutes", Function::Minutes, Form::OnValue, 1),
    signature("getSeconds", Function::Seconds, Form::OnValue, 1),
    signature("getMilliseconds", Function::Milliseconds, Form::OnValue, 1),
];

/// A form that evaluates its arguments itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

pub(super) const MACROS: [(&str, Macro); 6] = [
    ("all", Macro::All),
    ("exists", Macro::Exists),
    ("exists_one", Macro::ExistsOne),
    ("existsOne", Macro::ExistsOne),
    ("map", Macro::Map),
    ("filter", Macro::Filter),
];

/// The message for a variable that does not exist.
pub(super) fn unknown_variable(name: &str, locals: &[String]) -> String {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, name)| *name);
    let names = VARIABLES.iter().map(|(name, _)| *name);
    let nearest = nearest(name, names.chain(locals.iter().map(String::as_str)));
    let hint = match alias.or(nearest) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("a field of the payload is `payload.{name}`"),
    };
    format!("there is no variable `{name}`; {hint}")
}

/// The message for a function that does not exist.
pub(super) fn unknown_function(name: &str) -> String {
    let functions = FUNCTIONS.iter().map(|signature| signature.name);
    let macros = MACROS.iter().map(|(name, _)| *name);
    match nearest(name, functions.chain(macros).chain(["matches", "has"])) {
        Some(near) => format!("there is no function `{name}`; did you mean `{near}`?"),
        None => format!("there is no function `{name}`"),
    }
}

/// The name that is most similar, if it is similar enough to be meant.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_ascii_lowercase();
    let distance = |it: &str| strsim::osa_distance(&lower, &it.to_ascii_lowercase());
    let limit = (name.len() / 3).clamp(1, 3);
    let near = names.map(|it| (distance(it), it)).filter(|(distance, _)| *distance <= limit);
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_get_a_suggestion() {
        let variable = |name: &str| unknown_variable(name, &["item".to_owned()]);
        assert!(variable("paylod").ends_with("did you mean `payload`?"));
        assert!(variable("Type").ends_with("did you mean `type`?"));
        assert!(variable("eventType").ends_with("did you mean `type`?"));
        assert!(variable("itme").ends_with("did you mean `item`?"));
        assert!(variable("amount").ends_with("a field of the payload is `payload.amount`"));
        assert!(unknown_function("startWith").ends_with("did you mean `startsWith`?"));
        assert!(unknown_function("exist").ends_with("did you mean `exists`?"));
        assert!(unknown_function("lower").ends_with("there is no function `lower`"));
    }
}
