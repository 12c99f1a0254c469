//! The settings of an organization: which there are, and what they require of endpoints.

use postrider::api::{
    EndpointKind, SchemaValidation,
    environment::{EnvironmentSettingsIn, EnvironmentSettingsOut},
};
use postrider_core::catalog::{Endpoint, OrganizationSettings};
use serde_json::{Value, json};

use super::theme;
use crate::{
    api::{error::ApiError, problems::Problems, suggest},
    operations::call::Call,
};

const NO_FONTS: &str = "pages load no fonts from other servers; name a font in `customFontFamily`";
const NO_TEXTS: &str = "the texts of the portal are fixed";
const NO_SHAPES: &str = "the shapes of the portal are fixed; see `customBaseFontSize`";
const NO_EMAILS: &str = "no emails are sent to customers";
const TOKENS: &str = "the catalog is shown to those who have a token";
const NO_BRAND: &str = "the portal does not name its maker";
const TRANSFORMATIONS: &str = "`transformations.enabled` in the configuration determines it";
const CONFIGURED: &str = "the configuration of the server determines it";
const CAPABILITIES: &str = "the capabilities of tokens determine what applications can do";

/// The settings of the hosted API that have no effect here, with their defaults and the reason.
fn without_effect(name: &str) -> Option<(Value, &'static str)> {
    Some(match name {
        "customFontFamilyUrl" => (Value::Null, NO_FONTS),
        "customStringsOverride" => (Value::Null, NO_TEXTS),
        "customThemeOverride" => (Value::Null, NO_SHAPES),
        "whitelabelLogo" => (Value::Null, NO_EMAILS),
        "eventCatalogPublished" => (json!(false), TOKENS),
        "showSvixBrandFooter" => (json!(false), NO_BRAND),
        "showUseSvixPlay" => (json!(true), NO_BRAND),
        "showFeatureTooltips" => (json!(false), NO_TEXTS),
        "advancedEndpointTypes" => (json!([]), CONFIGURED),
        "retryPolicy" => (Value::Null, "`retry_schedule` in the configuration determines it"),
        "whitelabelHeaders" | "sendSvixWebhookHeaders" => {
            (json!(false), "`signature_headers` in the configuration determines it")
        },
        "wipeSuccessfulPayload" => {
            (json!(false), "`payload_retention` in the configuration determines it")
        },
        "enableOtlp" => (json!(false), CONFIGURED),
        "enableTransformations" => (json!(true), TRANSFORMATIONS),
        "enableEndpointOauthConfig" | "enableEndpointMtlsConfig" => {
            (json!(false), "endpoints have neither OAuth nor client certificates")
        },
        "enableMessageStream"
        | "enableChannels"
        | "enableMessageTags"
        | "enableIntegrationManagement"
        | "webhooksAutoConfig"
        | "mcpToken" => (json!(false), CAPABILITIES),
        "enableMsgAtmptLog" => (json!(false), "attempts are always logged"),
        "enableApplicationAlerts" => (json!(false), OPERATIONAL),
        "applicationAlertEvents" => (json!([]), OPERATIONAL),
        "applicationAlertsDashboardUrl" | "applicationAlertsLogoUrl" => (Value::Null, OPERATIONAL),
        _ => return None,
    })
}

const OPERATIONAL: &str = "operational webhooks report failures";

/// The settings of the API that have an effect.
const NAMES: [&str; 14] = [
    "enforceHttps",
    "requireEndpointChannel",
    "requireEndpointFilterTypes",
    "readOnly",
    "disableEndpointOnFailure",
    "endpointsPerAppLimit",
    "schemaValidation",
    "displayName",
    "customLogoUrl",
    "customColor",
    "customFontFamily",
    "customBaseFontSize",
    "colorPaletteLight",
    "colorPaletteDark",
];

pub(super) fn shown(it: OrganizationSettings) -> EnvironmentSettingsOut {
    EnvironmentSettingsOut {
        enforce_https: it.enforce_https,
        require_endpoint_channel: it.require_endpoint_channel,
        require_endpoint_filter_types: it.require_endpoint_filter_types,
        read_only: it.read_only,
        disable_endpoint_on_failure: it.disable_endpoint_on_failure,
        endpoints_per_app_limit: it.endpoints_per_app_limit,
        schema_validation: it.schema_validation,
        theme: it.theme.map(|it| *it).unwrap_or_default(),
    }
}

/// The settings after a change.
pub(super) fn apply(
    mut settings: OrganizationSettings,
    given: &EnvironmentSettingsIn,
    problems: &mut Problems<'_>,
) -> OrganizationSettings {
    for (name, value) in &given.0 {
        if let Err(message) = set(&mut settings, name, value) {
            problems.add(&[name], message);
        }
    }
    settings
}

fn set(settings: &mut OrganizationSettings, name: &str, value: &Value) -> Result<(), String> {
    let switch = |default| match value {
        Value::Bool(value) => Ok(*value),
        Value::Null => Ok(default),
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Err("must be true or false".to_owned())
        },
    };
    match name {
        "enforceHttps" => settings.enforce_https = switch(false)?,
        "requireEndpointChannel" => settings.require_endpoint_channel = switch(false)?,
        "requireEndpointFilterTypes" => settings.require_endpoint_filter_types = switch(false)?,
        "readOnly" => settings.read_only = switch(false)?,
        "disableEndpointOnFailure" => settings.disable_endpoint_on_failure = switch(true)?,
        "endpointsPerAppLimit" => settings.endpoints_per_app_limit = limit(value)?,
        "schemaValidation" => settings.schema_validation = validation(value)?,
        _ if theme::set(&mut settings.theme, name, value)? => {},
        _ => refuse(name, value)?,
    }
    Ok(())
}

fn limit(value: &Value) -> Result<Option<u32>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let limit = value.as_u64().and_then(|it| u32::try_from(it).ok()).filter(|it| *it > 0);
    limit.map(Some).ok_or_else(|| format!("must be a number from 1 to {}, or null", u32::MAX))
}

fn validation(value: &Value) -> Result<SchemaValidation, String> {
    if value.is_null() {
        return Ok(SchemaValidation::default());
    }
    let is_named = |(_, name): &&(SchemaValidation, &str)| value.as_str() == Some(name);
    let found = SchemaValidation::NAMES.iter().find(is_named).map(|(it, _)| *it);
    found.ok_or_else(|| "must be \"off\", \"warn\" or \"reject\"".to_owned())
}

/// Refuses a setting that has no effect, unless it has its default.
fn refuse(name: &str, value: &Value) -> Result<(), String> {
    let Some((default, reason)) = without_effect(name) else {
        return Err(suggest::with_suggestions("is not a known setting", name, NAMES, ""));
    };
    if value.is_null() || *value == default {
        return Ok(());
    }
    Err(format!("cannot be set: {reason}"))
}

/// Refuses an endpoint that does not have what the settings require. What an endpoint had before
/// may stay.
pub(in crate::operations) async fn check_endpoint(
    call: &Call,
    old: Option<&Endpoint>,
    new: &Endpoint,
) -> Result<(), ApiError> {
    let settings = call.engine().organization_settings(call.organization()).await?;
    let mut problems = Problems::within(&["body"]);
    require(&settings, old, new, &mut problems);
    problems.finish()?;
    match (settings.endpoints_per_app_limit, old) {
        (Some(limit), None) => check_count(call, new, limit).await,
        (Some(_), Some(_)) | (None, _) => Ok(()),
    }
}

fn require(
    settings: &OrganizationSettings,
    old: Option<&Endpoint>,
    new: &Endpoint,
    problems: &mut Problems<'_>,
) {
    let is_kept = |field: fn(&Endpoint, &Endpoint) -> bool| old.is_some_and(|old| field(old, new));
    let is_plain = new.kind == EndpointKind::Http && !new.url.starts_with("https:");
    if settings.enforce_https && is_plain && !is_kept(|a, b| a.url == b.url) {
        problems.add(&["url"], "must begin with https:// (setting `enforceHttps`)");
    }
    let lacks_channels = new.channels.is_none() && !is_kept(|a, b| a.channels == b.channels);
    if settings.require_endpoint_channel && lacks_channels {
        problems.add(&["channels"], "must be given (setting `requireEndpointChannel`)");
    }
    let lacks_types = new.event_types.is_none() && !is_kept(|a, b| a.event_types == b.event_types);
    if settings.require_endpoint_filter_types && lacks_types {
        problems.add(&["eventTypes"], "must be given (setting `requireEndpointFilterTypes`)");
    }
}

async fn check_count(call: &Call, new: &Endpoint, limit: u32) -> Result<(), ApiError> {
    let entry = call.engine().directory().entry(new.application).await?;
    let count = entry.map_or(0, |entry| entry.endpoints.len());
    if u32::try_from(count).is_ok_and(|count| count < limit) {
        return Ok(());
    }
    let message = format!(
        "the application has {count} endpoints; the most is {limit} (setting \
         `endpointsPerAppLimit`)"
    );
    Err(ApiError::invalid(&["body"], message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Value, expected: &Result<OrganizationSettings, Vec<String>>) {
        let given = serde_json::from_value(given).expect("it is an object");
        let mut problems = Problems::within(&["body"]);
        let settings = apply(OrganizationSettings::default(), &given, &mut problems);
        let result = match problems.finish_with(settings) {
            Err(ApiError::Invalid(items)) => Err(items
                .into_iter()
                .map(|it| format!("{}: {}", it.loc.join("."), it.msg))
                .collect()),
            other => Ok(other.expect("only its input can be invalid")),
        };
        assert_eq!(result, *expected);
    }

    #[test]
    fn settings_are_set_or_refused_with_the_reason() {
        let default = OrganizationSettings::default();
        check(json!({}), &Ok(default.clone()));
        let expected = OrganizationSettings {
            enforce_https: true,
            disable_endpoint_on_failure: false,
            endpoints_per_app_limit: Some(3),
            schema_validation: SchemaValidation::Warn,
            ..default.clone()
        };
        check(
            json!({
                "enforceHttps": true, "disableEndpointOnFailure": false, "endpointsPerAppLimit": 3,
                "schemaValidation": "warn",
            }),
            &Ok(expected),
        );
        check(
            json!({ "showUseSvixPlay": true, "customColor": null, "retryPolicy": null }),
            &Ok(default),
        );
        let refused = |problems: &[&str]| Err(problems.iter().map(ToString::to_string).collect());
        check(
            json!({ "enforceHttps": 1, "endpointsPerAppLimit": 0, "schemaValidation": "on" }),
            &refused(&[
                "body.endpointsPerAppLimit: must be a number from 1 to 4294967295, or null",
                "body.enforceHttps: must be true or false",
                "body.schemaValidation: must be \"off\", \"warn\" or \"reject\"",
            ]),
        );
        check(
            json!({ "enableTransformations": false }),
            &refused(&[
                "body.enableTransformations: cannot be set: `transformations.enabled` in the \
                        configuration determines it",
            ]),
        );
        check(
            json!({ "enforceHttp": true }),
            &refused(&["body.enforceHttp: is not a known setting; did you mean enforceHttps?"]),
        );
    }
}
