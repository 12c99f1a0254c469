//! The registered URL followed by the sorted form fields, as Twilio and Mandrill sign them.

/// The URL, then names and values without separators. With `are_unique`, equal fields count once.
pub(super) fn content(url: &str, mut fields: Vec<(String, String)>, are_unique: bool) -> String {
    if are_unique {
        fields.sort_unstable();
        fields.dedup();
    } else {
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    let mut content = url.to_owned();
    for (name, value) in fields {
        content.push_str(&name);
        content.push_str(&value);
    }
    content
}
