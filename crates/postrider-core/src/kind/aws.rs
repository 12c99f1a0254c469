//! What the configurations of Amazon's services have in common.

mod errors;
mod publication;

use url::Url;

pub(in crate::kind) use self::publication::Publishing;
pub use self::{
    errors::{Refusal, classify},
    publication::{Attributes, Publication, Size},
};
use super::{Credential, Problem};

/// Who calls a service, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub region: &'a str,
    pub access_key_id: &'a str,
    pub secret_access_key: &'a Credential,
    pub session_token: Option<&'a Credential>,
    /// Where the service is, if not at its usual address in the region.
    pub endpoint_url: Option<&'a Url>,
    /// Only these certificates (PEM) are trusted.
    pub trusted_certificates: Option<&'a str>,
}

impl Account<'_> {
    /// The address of a service.
    pub fn url(&self, service: &str) -> Option<Url> {
        match self.endpoint_url {
            Some(url) => Some(url.clone()),
            None => {
                Url::parse(&format!("https://{service}.{}.{}/", self.region, self.domain())).ok()
            },
        }
    }

    /// China's regions have a domain of their own.
    fn domain(&self) -> &'static str {
        if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// The parts go into headers and host names, which restricts their characters.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let is_visible =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        if !is_region(self.region) {
            let message = "must be the name of a region, such as `eu-central-1`";
            problems.push(Problem::of("region", message));
        }
        let texts = [
            ("accessKeyId", self.access_key_id),
            ("secretAccessKey", self.secret_access_key.reveal()),
            ("sessionToken", self.session_token.map_or("x", |token| token.reveal())),
        ];
        for (field, text) in texts {
            if !is_visible(text) {
                problems
                    .push(Problem::of(field, "must be visible ASCII characters, without spaces"));
            }
        }
        if let Some(url) = self.endpoint_url {
            check_url("endpointUrl", url, problems);
        }
    }
}

fn is_region(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&text.len()) && text.chars().all(is_allowed)
}

/// A URL that requests are sent to. Credentials in it would not be used.
pub(super) fn check_url(field: &str, url: &Url, problems: &mut Vec<Problem>) {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        problems.push(Problem::of(field, "must be a URL that begins with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = "must not contain a user name or password; use `accessKeyId` and \
                       `secretAccessKey`";
        problems.push(Problem::of(field, message));
    }
}

/// The region in the usual address of a service: `sqs.eu-central-1.amazonaws.com`.
pub(super) fn region_of_host<'a>(url: &'a Url, service: &str) -> Option<&'a str> {
    let rest = url.host_str()?.strip_prefix(service)?.strip_prefix('.')?;
    let region = rest.split('.').next()?;
    rest.strip_prefix(region)?.starts_with(".amazonaws.com").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_found_in_the_usual_address() {
        for (url, region) in [
            ("https://sqs.eu-central-1.amazonaws.com/1/q", Some("eu-central-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", Some("cn-north-1")),
            ("http://127.0.0.1:9000/1/q", None),
            ("https://queue.example.com/1/q", None),
            ("https://sqs.example.com/1/q", None),
        ] {
            assert_eq!(region_of_host(&url.parse().unwrap(), "sqs"), region, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_in_a_header_is_a_problem() {
        let secret: Credential = serde_json::from_str("\"a b\"").unwrap();
        let endpoint = Url::parse("https://a:b@example.com").unwrap();
        let account = Account {
            region: "EU/1",
            access_key_id: "",
            secret_access_key: &secret,
            session_token: None,
            endpoint_url: Some(&endpoint),
            trusted_certificates: None,
        };
        let mut problems = Vec::new();
        account.check(&mut problems);
        let fields: Vec<_> = problems.iter().flat_map(|it| it.path.clone()).collect();
        assert_eq!(fields, ["region", "accessKeyId", "secretAccessKey", "endpointUrl"]);
    }
}
