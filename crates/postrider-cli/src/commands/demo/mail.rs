//! A mail server that keeps what it gets and sends nothing on.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::records::{Mail, Records};

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 16;

/// Longest conversation on one connection.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Most bytes of one conversation.
const MAX_BYTES: u64 = 1 << 20;

/// Serves SMTP (RFC 5321) until it is dropped.
pub(super) async fn serve(listener: TcpListener, records: Records) -> anyhow::Result<()> {
    let mut conversations = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        if conversations.len() >= MAX_CONNECTIONS {
            conversations.join_next().await;
        }
        let records = records.clone();
        conversations.spawn(async move {
            let conversation = converse(stream, &records);
            if let Ok(Err(error)) = tokio::time::timeout(TIME_LIMIT, conversation).await {
                tracing::debug!(%error, "the connection to the example's mail server broke");
            }
        });
    }
}

async fn converse(stream: TcpStream, records: &Records) -> std::io::Result<()> {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input.take(MAX_BYTES)).lines();
    output.write_all(b"220 shop.example ESMTP\r\n").await?;
    let (mut recipients, mut content) = (Vec::new(), None::<String>);
    while let Some(line) = lines.next_line().await? {
        if let Some(text) = &mut content {
            if line == "." {
                let mail = mail(&recipients, text);
                records.add_mail(mail);
                (recipients, content) = (Vec::new(), None);
                output.write_all(b"250 2.0.0 kept\r\n").await?;
            } else {
                // A dot at the beginning is doubled on the wire.
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
            }
            continue;
        }
        let command = line.to_ascii_uppercase();
        if command == "RSET" || command.starts_with("MAIL FROM:") {
            recipients.clear();
        }
        if command.starts_with("RCPT TO:") {
            recipients.push(address(&line));
        }
        if command == "DATA" {
            content = Some(String::new());
        }
        output.write_all(reply(&command).as_bytes()).await?;
        if command == "QUIT" {
            break;
        }
    }
    Ok(())
}

fn reply(command: &str) -> &'static str {
    match command.split([' ', ':']).next().unwrap_or_default() {
        "EHLO" => "250-shop.example\r\n250 8BITMIME\r\n",
        "HELO" | "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 2.0.0 ok\r\n",
        "DATA" => "354 end with a dot\r\n",
        "QUIT" => "221 2.0.0 bye\r\n",
        _ => "502 5.5.1 not supported\r\n",
    }
}

/// The address between angle brackets.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}

fn mail(recipients: &[String], content: &str) -> Mail {
    let subject = content.lines().find_map(|line| line.strip_prefix("Subject: "));
    Mail {
        to: recipients.join(", "),
        subject: subject.unwrap_or_default().to_owned(),
        content: content.to_owned(),
    }
}
