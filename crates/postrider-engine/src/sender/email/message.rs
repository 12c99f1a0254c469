//! Makes an e-mail of a message.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Mailbox, MessageBuilder, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use postrider_core::{
    kind::email::{self, Email},
    outcome::Failure,
    template::{Event, RenderError, Template, truncated},
};

use crate::sender::Call;

/// Most characters of a subject.
const MAX_SUBJECT: usize = 200;

/// An e-mail, ready to be handed over.
#[derive(Debug)]
pub(super) struct Mail {
    pub from: Address,
    pub to: Vec<Address>,
    pub content: Vec<u8>,
}

impl Mail {
    /// The e-mail for a message. An error says why the message cannot become one.
    pub(super) fn new(config: &Email, call: &Call) -> Result<Self, RenderError> {
        let event = Event::new(&call.message, &call.body);
        let from = mailbox(&config.from).map_err(|error| RenderError {
            failure: Failure::Misconfigured,
            reason: format!("`from` is not an address: {error}"),
        })?;
        let to = recipients(config, &event)?;
        let mut builder = headers(config, call).from(from.clone());
        for mailbox in &to {
            builder = builder.to(mailbox.clone());
        }
        if let Some(reply_to) = &config.reply_to {
            builder = builder.reply_to(address("replyTo", reply_to, &event)?);
        }
        builder = builder.subject(subject(&config.subject.render_field("subject", &event)?));
        let message = with_body(builder, config, &event, call)?;
        let to = to.into_iter().map(|it| it.email).collect();
        Ok(Self { from: from.email, to, content: message.formatted() })
    }
}

/// The headers that follow from the message: all attempts have the same.
fn headers(config: &Email, call: &Call) -> MessageBuilder {
    let accepted = Duration::from_millis(call.message.created_at().as_millis());
    let id = format!("<{}.{}@{}>", call.message.id, call.target.endpoint, config.from.domain);
    // Automatic replies, such as those about vacations, are not sent to such e-mails (RFC 3834).
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .date(SystemTime::UNIX_EPOCH + accepted)
        .message_id(Some(id))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
}

fn recipients(config: &Email, event: &Event) -> Result<Vec<Mailbox>, RenderError> {
    let mut all = Vec::<Mailbox>::new();
    for (index, template) in config.to.iter().enumerate() {
        let to = address(&format!("to.{index}"), template, event)?;
        if all.iter().all(|it| it.email != to.email) {
            all.push(to);
        }
    }
    Ok(all)
}

fn address(field: &str, template: &Template, event: &Event) -> Result<Mailbox, RenderError> {
    let text = template.render_field(field, event)?;
    let parsed: Result<email::Mailbox, _> = text.parse();
    let invalid = |error: &dyn std::fmt::Display| {
        let shown = truncated(text.escape_debug().to_string(), MAX_SUBJECT);
        rejected(format!(
            "`{field}` is \"{shown}\" for this message, which is not an address: {error}"
        ))
    };
    mailbox(&parsed.map_err(|error| invalid(&error))?).map_err(|error| invalid(&error))
}

fn mailbox(it: &email::Mailbox) -> Result<Mailbox, String> {
    let address = Address::new(&it.local, &it.domain).map_err(|error| error.to_string())?;
    Ok(Mailbox::new(it.name.clone(), address))
}

/// One line.
fn subject(text: &str) -> String {
    let words = text.split(|it: char| it.is_whitespace() || it.is_control());
    let words: Vec<_> = words.filter(|it| !it.is_empty()).collect();
    truncated(words.join(" "), MAX_SUBJECT)
}

const fn rejected(reason: String) -> RenderError {
    RenderError { failure: Failure::Rejected, reason }
}

fn with_body(
    builder: MessageBuilder,
    config: &Email,
    event: &Event,
    call: &Call,
) -> Result<Message, RenderError> {
    let text = config.text().map(|it| it.render_field("text", event)).transpose()?;
    let text = text.map(SinglePart::plain);
    let html = config.html.as_ref().map(|it| it.render_field("html", event)).transpose()?;
    let html = html.map(SinglePart::html);
    let built = match (text, html) {
        (Some(text), Some(html)) => {
            let parts = MultiPart::alternative().boundary(format!("={}=", call.message.id));
            builder.multipart(parts.singlepart(text).singlepart(html))
        },
        (Some(part), None) | (None, Some(part)) => builder.singlepart(part),
        (None, None) => builder.body(String::new()),
    };
    built.map_err(|error| rejected(format!("the e-mail cannot be built: {error}")))
}
