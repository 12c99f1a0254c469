//! Kinds that people read.

use super::field::{CERTIFICATES, Input, KindForm, field};

pub(super) const SLACK: KindForm = KindForm {
    title: "Slack",
    summary: "Posts each message to a channel.",
    fields: &[
        field("url", "Webhook URL", Input::Secret)
            .hint("Slack shows it when you add an incoming webhook. It is a credential and is not shown again.")
            .example("https://hooks.slack.com/services/…")
            .required(),
        field("text", "Text", Input::Long)
            .hint("A template in Slack’s markup. By default, it is the event type and the payload.")
            .example("*New order* of {{ payload.customer.name }}: {{ payload.total }}"),
        field("blocks", "Blocks", Input::Long)
            .hint("A template that renders to a JSON list of blocks. Insert values without quotes.")
            .example(r#"[{"type": "section", "text": {"type": "mrkdwn", "text": {{ payload.title }}}}]"#)
            .advanced(),
    ],
};

pub(super) const DISCORD: KindForm = KindForm {
    title: "Discord",
    summary: "Posts each message to a channel.",
    fields: &[
        field("url", "Webhook URL", Input::Secret)
            .hint("From the channel’s integrations. It is a credential and is not shown again.")
            .example("https://discord.com/api/webhooks/…")
            .required(),
        field("content", "Text", Input::Long)
            .hint("A template in Discord’s Markdown. By default, it is the event type and the payload.")
            .example("**New order** of {{ payload.customer.name }}"),
        field("username", "Name of the sender", Input::Text)
            .hint("A template. By default, it is the webhook’s name.")
            .advanced(),
        field("embeds", "Embeds", Input::Long)
            .hint("A template that renders to a JSON list of embeds. Insert values without quotes.")
            .example(r#"[{"title": {{ payload.title }}}]"#)
            .advanced(),
        field("allowedMentions", "Allowed mentions", Input::Json)
            .hint("Whom mentions notify, in Discord’s form. By default, no one.")
            .example(r#"{"parse": ["roles"]}"#)
            .advanced(),
    ],
};

pub(super) const TEAMS: KindForm = KindForm {
    title: "Microsoft Teams",
    summary: "Posts each message as a card to a channel or a chat.",
    fields: &[
        field("url", "Workflow URL", Input::Secret)
            .hint("From a workflow with the trigger “When a Teams webhook request is received”. It is a credential and is not shown again.")
            .example("https://prod-00.westeurope.logic.azure.com:443/workflows/…")
            .required(),
        field("text", "Text", Input::Long)
            .hint("A template in Markdown. By default, it is the event type and the payload.")
            .example("**New order** of {{ payload.customer.name }}"),
        field("card", "Adaptive card", Input::Long)
            .hint("A template that renders to an adaptive card, instead of the text.")
            .example(r#"{"type": "AdaptiveCard", "version": "1.4", "body": []}"#)
            .advanced(),
    ],
};

pub(super) const TELEGRAM: KindForm = KindForm {
    title: "Telegram",
    summary: "Sends each message to a chat, a group or a channel, as a bot.",
    fields: &[
        field("token", "Token of the bot", Input::Secret)
            .hint("From BotFather. It is a credential and is not shown again.")
            .example("123456:ABC-DEF")
            .required(),
        field("chatId", "Chat", Input::NumberOrText)
            .hint("The number of the chat, or the name of a public channel.")
            .example("-1001234567890 or @news")
            .required(),
        field("text", "Text", Input::Long)
            .hint("A template. By default, it is the event type and the payload.")
            .example("New order of {{ payload.customer.name }}"),
        field("parseMode", "Format", Input::Choice(&[("", "Plain text"), ("HTML", "HTML")])),
        field("messageThreadId", "Topic", Input::Number)
            .hint("The number of a topic in a group.")
            .advanced(),
        field("disableNotification", "Send without sound", Input::Flag(false)).advanced(),
        field("apiUrl", "Server of the bot API", Input::Text)
            .example("https://api.telegram.org")
            .advanced(),
    ],
};

pub(super) const EMAIL: KindForm = KindForm {
    title: "E-mail",
    summary: "Sends each message as an e-mail through an SMTP server.",
    fields: &[
        field("host", "SMTP server", Input::Text).example("smtp.example.com").required(),
        field("port", "Port", Input::Number)
            .hint("By default, 587; 465 with TLS from the start; 25 without encryption.")
            .example("587"),
        field(
            "tls",
            "Encryption",
            Input::Choice(&[
                ("", "Automatic"),
                ("starttls", "STARTTLS"),
                ("implicit", "TLS from the start"),
                ("none", "None"),
            ]),
        ),
        field("username", "User name", Input::Text).example("postrider"),
        field("password", "Password", Input::Secret),
        field("from", "From", Input::Text).example("Shop <shop@example.com>").required(),
        field("to", "To", Input::Lines)
            .hint("One recipient per line, up to 50. Each is a template.")
            .example("{{ payload.customer.email }}")
            .required(),
        field("subject", "Subject", Input::Text)
            .hint("A template. By default, it is the event type.")
            .example("Your order {{ payload.order.number }}"),
        field("text", "Text", Input::Long)
            .hint(
                "A template. By default, it has the event type, the payload, the time and the id.",
            )
            .example("Hello {{ payload.customer.name }},"),
        field("html", "HTML", Input::Long)
            .hint("A template; inserted values are escaped.")
            .example("<p>Hello {{ payload.customer.name }},</p>")
            .advanced(),
        field("replyTo", "Reply to", Input::Text).example("support@example.com").advanced(),
        field("connections", "Connections at a time", Input::Number)
            .hint("1 to 50; by default, 4.")
            .example("4")
            .advanced(),
        CERTIFICATES,
    ],
};
