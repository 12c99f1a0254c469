//! Applications as forms and as bodies of requests.

use postrider::api::{ApplicationIn, ApplicationMode, ApplicationOut, Metadata, ThrottleRate};

use crate::{form::Form, ui::refusal::Problem};

const SHADOW: &str = "shadow";

/// The body of a request to create or replace an application.
pub(super) fn body(form: &Form) -> Result<ApplicationIn, Problem> {
    Ok(ApplicationIn {
        name: form.text("name").unwrap_or_default().to_owned(),
        uid: form.text("uid").map(ToOwned::to_owned),
        throttle_rate: ThrottleRate(rate(form.text("rate"))?),
        mode: mode(form.text("mode")),
        metadata: metadata(form.raw("metadata").unwrap_or_default())?,
    })
}

/// The fields of a form that shows an application.
pub(super) fn fields(app: &ApplicationOut) -> Form {
    Form::filled([
        ("name", app.name.clone()),
        ("uid", app.uid.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("rate", app.throttle_rate.0.map(|it| it.to_string()).unwrap_or_default()),
        ("mode", if app.mode.is_live() { "live" } else { SHADOW }.to_owned()),
        ("metadata", lines(&app.metadata)),
    ])
}

/// The mode; without a choice, it stays as it is.
fn mode(choice: Option<&str>) -> Option<ApplicationMode> {
    choice.map(|it| if it == SHADOW { ApplicationMode::Shadow } else { ApplicationMode::Live })
}

fn rate(text: Option<&str>) -> Result<Option<u16>, Problem> {
    let number = text.map(str::parse).transpose();
    number.map_err(|_| ("rate", format!("must be a whole number from 1 to {}", u16::MAX)))
}

/// Metadata as lines of `key=value`.
fn metadata(text: &str) -> Result<Metadata, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(pair).collect()
}

fn pair(line: &str) -> Result<(String, String), Problem> {
    let Some((key, value)) = line.split_once('=') else {
        return Err(("metadata", format!("the line “{line}” has no “=”")));
    };
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn lines(metadata: &Metadata) -> String {
    let lines: Vec<_> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: &str, expected: &str) {
        let body = body(&Form::parse(form.as_bytes()));
        let shown = match body {
            Ok(body) => serde_json::to_string(&body).unwrap(),
            Err((field, problem)) => format!("{field}: {problem}"),
        };
        assert_eq!(shown, expected, "{form}");
    }

    #[test]
    fn a_form_becomes_a_body() {
        check("name=+Acme+&uid=&rate=", r#"{"name":"Acme"}"#);
        check("name=A&mode=live", r#"{"name":"A","mode":"live"}"#);
        check("name=A&mode=shadow", r#"{"name":"A","mode":"shadow"}"#);
        let metadata = r#"{"name":"A","metadata":{"plan":"a=b","x":""}}"#;
        check("name=A&metadata=plan+%3D+a%3Db%0D%0A%0D%0Ax%3D", metadata);
        check("name=A&metadata=plan", "metadata: the line “plan” has no “=”");
        check("name=A&rate=-1", "rate: must be a whole number from 1 to 65535");
    }

    #[test]
    fn metadata_survives_a_form() {
        let before = Metadata::from([("a".to_owned(), "1=2".to_owned())]);
        assert_eq!(metadata(&lines(&before)).unwrap(), before);
    }
}
