//! SNS's protocol: a form as the request, and XML as the response.

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, header};
use postrider_core::{
    kind::{
        aws::{Refusal, classify},
        sns::{MAX_BYTES, Notification},
    },
    target::Target,
};
use postrider_engine::{GuardError, ServiceResponse};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::aws::{Protocol, SignedClient, refused, xml_code};

const VERSION: &str = "2010-03-31";
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Most bytes of the attributes of a topic. Its policy may have 30 KB.
const MAX_RESPONSE: usize = 256 << 10;

type Form = Serializer<'static, String>;

fn form(action: &str, topic_arn: &str) -> Form {
    let mut form = Form::new(String::new());
    form.append_pair("Action", action)
        .append_pair("Version", VERSION)
        .append_pair("TopicArn", topic_arn);
    form
}

fn headers() -> Vec<(HeaderName, HeaderValue)> {
    vec![(header::CONTENT_TYPE, CONTENT_TYPE)]
}

/// Asks for the topic's attributes; who responded.
pub(super) async fn find_topic(
    service: &SignedClient,
    topic_arn: &str,
    target: &Target,
) -> Result<SocketAddr, GuardError> {
    let body = form("GetTopicAttributes", topic_arn).finish();
    let response = service.post(&headers(), body, MAX_RESPONSE, Some(target)).await?;
    if response.status.is_success() {
        return Ok(response.address);
    }
    Err(refused(SnsProtocol::refusal(&response), Some(response.address)))
}

/// Publishes messages to one topic.
#[derive(Debug)]
pub(super) struct SnsProtocol {
    topic_arn: String,
}

impl SnsProtocol {
    pub(super) fn new(topic_arn: &str) -> Self {
        Self { topic_arn: topic_arn.to_owned() }
    }
}

impl Protocol for SnsProtocol {
    type Item = Notification;

    const MAX_BYTES: usize = MAX_BYTES;

    fn size(item: &Notification) -> usize {
        item.publication.size() + item.subject.as_ref().map_or(0, String::len)
    }

    fn request(&self, items: &[Notification]) -> (Vec<(HeaderName, HeaderValue)>, String) {
        let mut form = form("PublishBatch", &self.topic_arn);
        for (position, item) in items.iter().enumerate() {
            append(&mut form, position, item);
        }
        (headers(), form.finish())
    }

    fn results(body: &[u8]) -> Option<Vec<(usize, Result<String, Refusal>)>> {
        let response: Response = quick_xml::de::from_reader(body).ok()?;
        let Results { successful, failed } = response.result;
        let sent = successful.members.into_iter().map(|it| (it.id, Ok(it.message_id)));
        let failed = failed.members.into_iter().map(|it| {
            let status = if it.sender_fault { 400 } else { 500 };
            (it.id, Err(classify("SNS", &it.code, status)))
        });
        sent.chain(failed).map(|(id, result)| Some((id.parse().ok()?, result))).collect()
    }

    fn refusal(response: &ServiceResponse) -> Refusal {
        classify("SNS", &xml_code(&response.body), response.status.as_u16())
    }

    fn done(&self, id: &str) -> String {
        format!("published to the topic as message {id}")
    }
}

fn append(form: &mut Form, position: usize, item: &Notification) {
    let entry = format!("PublishBatchRequestEntries.member.{}", position + 1);
    let mut field = |name: &str, value: &str| {
        form.append_pair(&format!("{entry}.{name}"), value);
    };
    let publication = &item.publication;
    field("Id", &position.to_string());
    field("Message", &publication.body);
    let optional = [
        ("Subject", &item.subject),
        ("MessageGroupId", &publication.group),
        ("MessageDeduplicationId", &publication.deduplication_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            field(name, value);
        }
    }
    for (position, (name, value)) in publication.attributes.iter().enumerate() {
        let attribute = format!("MessageAttributes.entry.{}", position + 1);
        field(&format!("{attribute}.Name"), name);
        field(&format!("{attribute}.Value.DataType"), "String");
        field(&format!("{attribute}.Value.StringValue"), value);
    }
}

#[derive(Debug, Deserialize)]
struct Response {
    #[serde(rename = "PublishBatchResult")]
    result: Results,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    #[serde(default)]
    successful: Members<Published>,
    #[serde(default)]
    failed: Members<FailedEntry>,
}

#[derive(Debug, Deserialize)]
struct Members<T> {
    #[serde(rename = "member", default = "Vec::new")]
    members: Vec<T>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self { members: Vec::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Published {
    id: String,
    message_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry {
    id: String,
    code: String,
    #[serde(default)]
    sender_fault: bool,
}

#[cfg(test)]
mod tests {
    use postrider_core::{kind::aws::Publication, outcome::Failure};

    use super::*;

    #[test]
    fn each_message_has_its_own_result() {
        let body = br#"<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
            <PublishBatchResult>
                <Failed><member><Id>0</Id><Code>InvalidParameter</Code><Message>m</Message>
                    <SenderFault>true</SenderFault></member></Failed>
                <Successful><member><Id>1</Id><MessageId>a</MessageId></member>
                    <member><MessageId>b</MessageId><Id>2</Id></member></Successful>
            </PublishBatchResult>
            <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
        </PublishBatchResponse>"#;
        let mut results = SnsProtocol::results(body).unwrap();
        results.sort_by_key(|(position, _)| *position);
        let failure = results[0].1.as_ref().unwrap_err().failure;
        assert_eq!((results[0].0, failure), (0, Failure::Rejected));
        assert_eq!(results[1..], [(1, Ok("a".to_owned())), (2, Ok("b".to_owned()))]);
        let all_sent = br"<PublishBatchResponse><PublishBatchResult><Failed/><Successful><member>
            <Id>0</Id><MessageId>a</MessageId></member></Successful></PublishBatchResult>
            </PublishBatchResponse>";
        assert_eq!(SnsProtocol::results(all_sent).unwrap().len(), 1);
        assert!(SnsProtocol::results(b"{}").is_none());
    }

    #[test]
    fn a_request_is_a_form() {
        let publication = Publication {
            body: "a&b".to_owned(),
            attributes: vec![("webhook-id".to_owned(), "msg_1".to_owned())],
            group: None,
            deduplication_id: None,
        };
        let item = Notification { publication, subject: Some("New order".to_owned()) };
        let (_, body) = SnsProtocol::new("arn:aws:sns:eu-west-3:1:t").request(&[item]);
        for part in [
            "Action=PublishBatch&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-3%3A1%3At&",
            "PublishBatchRequestEntries.member.1.Id=0&",
            "PublishBatchRequestEntries.member.1.Message=a%26b&",
            "PublishBatchRequestEntries.member.1.Subject=New+order&",
            "member.1.MessageAttributes.entry.1.Value.StringValue=msg_1",
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }
}
