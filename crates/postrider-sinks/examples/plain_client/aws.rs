//! Queues and topics of moto, which checks no signatures.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Result, text};

/// Moto finds the service in the credential.
fn authorization(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=test-key/20260101/us-east-1/{service}/aws4_request")
}

pub(crate) async fn create_queue(config: &Value) -> Result {
    let headers = format!(
        "x-amz-target: AmazonSQS.CreateQueue\r\ncontent-type: application/x-amz-json-1.0\r\n\
         authorization: {}\r\n",
        authorization("sqs")
    );
    post(config, &headers, r#"{"QueueName":"events"}"#).await
}

pub(crate) async fn create_topic(config: &Value) -> Result {
    let headers = format!(
        "content-type: application/x-www-form-urlencoded\r\nauthorization: {}\r\n",
        authorization("sns")
    );
    post(config, &headers, "Action=CreateTopic&Version=2010-03-31&Name=events").await
}

async fn post(config: &Value, headers: &str, body: &str) -> Result {
    let host = text(config, "url")?.trim_start_matches("http://").to_owned();
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: \
         {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(&host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    if response.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(response.into()) }
}
