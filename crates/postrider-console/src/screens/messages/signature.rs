//! How the signature of a request is made, and how to verify it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::ui;

/// The headers that a signature consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    /// `webhook` or `svix`.
    prefix: &'static str,
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    pub(super) fn find(headers: &'a BTreeMap<String, String>) -> Option<Self> {
        ["webhook", "svix"].into_iter().find_map(|prefix| {
            let of = |name: &str| headers.get(&format!("{prefix}-{name}")).map(String::as_str);
            Some(Self {
                prefix,
                id: of("id")?,
                timestamp: of("timestamp")?,
                signature: of("signature")?,
            })
        })
    }

    /// The algorithms of the signatures, which are separated by spaces.
    fn algorithms(&self) -> Vec<&'static str> {
        let names = self.signature.split(' ').filter_map(|it| it.split_once(','));
        let mut found = Vec::new();
        for name in names.map(|it| if it.0 == "v1a" { "Ed25519" } else { "HMAC-SHA256" }) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }

    /// The command that verifies it, at the time of the request.
    fn command(&self) -> String {
        let Self { id, timestamp, signature, .. } = self;
        format!(
            "postrider verify --secret-file secret.txt \\\n  --id {id} \\\n  --timestamp {timestamp} --now {timestamp} \\\n  --signature '{signature}' \\\n  payload.json"
        )
    }
}

/// The explanation. `endpoint` is the link to the endpoint, whose page has the secret.
pub(super) fn explanation(signed: Option<&Signed<'_>>, endpoint: &Markup) -> Markup {
    let Some(signed) = signed else {
        return html! {
            p.soft { "The signature cannot be shown: it covers the payload, which has expired or was deleted, or the endpoint no longer exists." }
        };
    };
    let several = signed.signature.contains(' ');
    html! {
        div.stack {
            p {
                "The header " code { (signed.prefix) "-signature" } " contains "
                @if several { "signatures, separated by spaces: one for each secret that is valid. " }
                @else { "the signature. " }
                "It is made with " (signed.algorithms().join(" and ")) " over three parts, joined by full stops:"
            }
            ol.signed {
                li { code { (signed.id) } span.soft { "header " (signed.prefix) "-id" } }
                li { code { (signed.timestamp) } span.soft { "header " (signed.prefix) "-timestamp, in seconds since 1970" } }
                li { code { "payload" } span.soft { "the body of the request, byte for byte, before it is parsed" } }
            }
            p {
                "The receiver makes the same signature with the secret of " (endpoint)
                " and compares. It also rejects requests whose timestamp is more than five minutes from now. "
                "If it says that the signature is wrong, it usually has another secret, or verifies a body that was parsed and written again."
            }
            (ui::code::block("Verify on the command line", &signed.command()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_found_under_both_names() {
        for prefix in ["webhook", "svix"] {
            let headers = BTreeMap::from([
                (format!("{prefix}-id"), "msg_1".to_owned()),
                (format!("{prefix}-timestamp"), "17".to_owned()),
                (format!("{prefix}-signature"), "v1,abc v1,def v1a,ghi".to_owned()),
            ]);
            let signed = Signed::find(&headers).unwrap();
            assert_eq!((signed.prefix, signed.id), (prefix, "msg_1"));
            assert_eq!(signed.algorithms(), ["HMAC-SHA256", "Ed25519"]);
            assert!(signed.command().contains("--timestamp 17 --now 17"));
        }
        assert_eq!(Signed::find(&BTreeMap::new()), None);
    }
}
