//! The types of sources, with their names here and in the hosted API.

use postrider::provider;

use crate::api::{problems::Problems, suggest};

/// The type whose requests are not verified, unless there is a provider as well.
pub(super) const GENERIC: &str = "generic-webhook";

/// The provider that a model in the request describes.
pub(super) const CUSTOM: &str = "custom";

/// Types of the hosted API whose webhooks are signed like those of `svix`.
const SIGNED_LIKE_SVIX: &[&str] = &[
    "beehiiv",
    "brex",
    "clerk",
    "guesty",
    "incident-io",
    "lithic",
    "nash",
    "pleo",
    "psi-fi",
    "render",
    "replicate",
    "resend",
    "safebase",
    "sardine",
    "stych",
    "svix",
];

/// Types of the hosted API with the same name here.
const SAME_NAME: &[&str] = &[
    "adobe-sign",
    "airwallex",
    "checkbook",
    "docusign",
    "easypost",
    "github",
    "hubspot",
    "merge",
    "meta",
    "nango",
    "orum-io",
    "panda-doc",
    "port-io",
    "rutter",
    "segment",
    "shopify",
    "slack",
    "stripe",
    "tailscale",
    "telnyx",
    "vapi",
    "veriff",
    "zoom",
];

/// Types of the hosted API with another name here.
const RENAMED: &[(&str, &str)] = &[("open-ai", "openai")];

/// Types of the hosted API whose signatures are unknown.
const UNKNOWN: &[&str] = &["openclaw", "vgs"];

/// The provider of a source, and whether requests are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProviderChoice {
    /// The id of a provider, `custom`, or `generic-webhook` for any sender.
    pub(super) provider: String,
    /// Requests are accepted without verification.
    pub(super) is_open: bool,
}

/// The type in responses. Clients of the hosted API cannot read a list with an unknown type, so
/// other types become the generic one.
pub(super) fn public_name(kind: &str) -> &str {
    let renamed = || RENAMED.iter().any(|(theirs, _)| *theirs == kind);
    let is_known = SAME_NAME.contains(&kind) || SIGNED_LIKE_SVIX.contains(&kind) || renamed();
    if is_known { kind } else { GENERIC }
}

/// The provider that a type, or a type and a provider, select.
pub(super) fn choose(
    kind: &str,
    provider: Option<&str>,
    problems: &mut Problems<'_>,
) -> Option<ProviderChoice> {
    if kind == GENERIC {
        let Some(provider) = provider.filter(|it| *it != GENERIC) else {
            return Some(ProviderChoice { provider: GENERIC.to_owned(), is_open: true });
        };
        return resolve(provider).map_err(|it| problems.add(&["provider"], it)).ok().map(verified);
    }
    let resolved = resolve(kind).map_err(|it| problems.add(&["type"], it)).ok()?;
    let is_same = provider.is_none_or(|it| resolve(it).is_ok_and(|it| it == resolved));
    problems.require(
        is_same,
        "provider",
        "differs from the type; leave it out, or use the type generic-webhook",
    );
    Some(verified(resolved))
}

const fn verified(provider: String) -> ProviderChoice {
    ProviderChoice { provider, is_open: false }
}

/// The provider of a name, or the problem with it.
fn resolve(name: &str) -> Result<String, String> {
    if name == CUSTOM || provider::find(name).is_some() {
        return Ok(name.to_owned());
    }
    if let Some((_, ours)) = RENAMED.iter().find(|(theirs, _)| *theirs == name) {
        return Ok((*ours).to_owned());
    }
    if SIGNED_LIKE_SVIX.contains(&name) {
        return Ok("svix".to_owned());
    }
    Err(explain_unknown(name))
}

fn explain_unknown(name: &str) -> String {
    if name == "cron" {
        return "scheduled webhooks are not supported; send requests from an external scheduler"
            .to_owned();
    }
    if UNKNOWN.contains(&name) {
        return format!("the signatures of {name} are unknown; use the type custom with a model");
    }
    let ours = provider::all().iter().map(|it| it.id.as_str());
    let known = ours.chain(SIGNED_LIKE_SVIX.iter().copied()).chain([GENERIC, CUSTOM]);
    let otherwise = "; use the type custom with a model";
    suggest::with_suggestions("is not a known provider", name, known, otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, provider: Option<&str>, expected: Result<(&str, bool), &str>) {
        let mut problems = Problems::within(&["body"]);
        let choice = choose(kind, provider, &mut problems);
        match (expected, problems.finish()) {
            (Ok((provider, is_open)), Ok(())) => {
                assert_eq!(choice, Some(ProviderChoice { provider: provider.to_owned(), is_open }));
            },
            (Err(expected), Err(error)) => {
                let text = String::from_utf8(error.into_api_response().body.to_vec()).unwrap();
                assert!(text.contains(expected), "{text}");
            },
            (expected, actual) => panic!("{kind} {provider:?}: {expected:?}, not {actual:?}"),
        }
    }

    #[test]
    fn types_of_the_hosted_api_select_providers() {
        check(GENERIC, None, Ok((GENERIC, true)));
        check(GENERIC, Some(GENERIC), Ok((GENERIC, true)));
        check(GENERIC, Some(CUSTOM), Ok((CUSTOM, false)));
        check("beehiiv", None, Ok(("svix", false)));
        check("open-ai", None, Ok(("openai", false)));
        check(CUSTOM, None, Ok((CUSTOM, false)));
    }

    #[test]
    fn every_name_of_this_server_is_a_provider() {
        let renamed = RENAMED.iter().map(|(_, ours)| ours);
        for id in SAME_NAME.iter().chain(renamed) {
            assert!(provider::find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn an_unknown_type_is_refused_with_a_reason() {
        check("cron", None, Err("scheduled webhooks"));
        check("vgs", None, Err("signatures of vgs are unknown"));
        check("beehive", None, Err("did you mean beehiiv"));
        check("zzzzzzzz", None, Err("use the type custom"));
        check(CUSTOM, Some("svix"), Err("differs from the type"));
    }
}
