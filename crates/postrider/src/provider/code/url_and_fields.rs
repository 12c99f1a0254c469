//! The URL as it was registered, followed by the sorted fields of the form: what Twilio and
//! Mandrill sign.

/// The URL, then names and values without anything between them. Of equal fields one is enough
/// if they are to be unique.
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
