//! The types of sources, in our words and those of the hosted API.

use postrider::provider;

use crate::api::{problems::Problems, suggest};

/// A type whose requests are not verified, unless a provider is named beside it.
pub(super) const GENERIC: &str = "generic-webhook";

/// A provider that brings its own description.
pub(super) const CUSTOM: &str = "custom";

/// Types of the hosted API whose webhooks are signed the way that `svix` names.
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

/// Types of the hosted API that are called the same here, and are not among the above.
const SAME: &[&str] = &[
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

/// Types of the hosted API that go by another name here.
const RENAMED: &[(&str, &str)] = &[("open-ai", "openai")];

/// Types of the hosted API whose way of signing is not known here.
const UNKNOWN: &[&str] = &["openclaw", "vgs"];

/// Who posts to a source, and whether that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The id of a provider, `custom`, or `generic-webhook` for anybody.
    pub(super) provider: String,
    /// Requests are taken without verification.
    pub(super) is_open: bool,
}

/// The type that is shown. Clients of the hosted API cannot read a list with a type that they
/// do not know, so those are shown as the one that stands for anything.
pub(super) fn shown(kind: &str) -> &str {
    let renamed = || RENAMED.iter().any(|(theirs, _)| *theirs == kind);
    let is_known = SAME.contains(&kind) || SIGNED_LIKE_SVIX.contains(&kind) || renamed();
    if is_known { kind } else { GENERIC }
}

/// What the type, and the provider beside it, come to.
pub(super) fn choose(
    kind: &str,
    provider: Option<&str>,
    problems: &mut Problems<'_>,
) -> Option<Choice> {
    if kind == GENERIC {
        let Some(provider) = provider.filter(|it| *it != GENERIC) else {
            return Some(Choice { provider: GENERIC.to_owned(), is_open: true });
        };
        return resolve(provider).map_err(|it| problems.add(&["provider"], it)).ok().map(closed);
    }
    let resolved = resolve(kind).map_err(|it| problems.add(&["type"], it)).ok()?;
    let is_same = provider.is_none_or(|it| resolve(it).is_ok_and(|it| it == resolved));
    problems.demand(
        is_same,
        "provider",
        "is another one than the type says; leave it out, or use the type generic-webhook",
    );
    Some(closed(resolved))
}

const fn closed(provider: String) -> Choice {
    Choice { provider, is_open: false }
}

/// The provider that a name stands for, or what is wrong with it.
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
    Err(refusal(name))
}

fn refusal(name: &str) -> String {
    if name == "cron" {
        return "nothing is sent by the clock here; have something else post on a schedule"
            .to_owned();
    }
    if UNKNOWN.contains(&name) {
        return format!(
            "how {name} signs is not known here; use the type custom with a model that says so"
        );
    }
    let ours = provider::all().iter().map(|it| it.id.as_str());
    let known = ours.chain(SIGNED_LIKE_SVIX.iter().copied()).chain([GENERIC, CUSTOM]);
    let otherwise = "; use the type custom with a model";
    suggest::sentence("is not a provider that is known", name, known, otherwise)
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
                assert_eq!(choice, Some(Choice { provider: provider.to_owned(), is_open }));
            },
            (Err(expected), Err(error)) => {
                let text = String::from_utf8(error.into_api_response().body.to_vec()).unwrap();
                assert!(text.contains(expected), "{text}");
            },
            (expected, actual) => panic!("{kind} {provider:?}: {expected:?}, not {actual:?}"),
        }
    }

    #[test]
    fn types_of_the_hosted_api_stand_for_providers() {
        check(GENERIC, None, Ok((GENERIC, true)));
        check(GENERIC, Some(GENERIC), Ok((GENERIC, true)));
        check(GENERIC, Some(CUSTOM), Ok((CUSTOM, false)));
        check("beehiiv", None, Ok(("svix", false)));
        check("open-ai", None, Ok(("openai", false)));
        check(CUSTOM, None, Ok((CUSTOM, false)));
    }

    #[test]
    fn every_name_that_is_ours_is_a_provider() {
        let renamed = RENAMED.iter().map(|(_, ours)| ours);
        for id in SAME.iter().chain(renamed) {
            assert!(provider::find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_in_words() {
        check("cron", None, Err("by the clock"));
        check("vgs", None, Err("how vgs signs is not known here"));
        check("beehive", None, Err("did you mean beehiiv"));
        check("zzzzzzzz", None, Err("use the type custom"));
        check(CUSTOM, Some("svix"), Err("another one than the type says"));
    }
}
