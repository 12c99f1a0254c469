<?php
// composer require svix/svix
require 'vendor/autoload.php';

use Svix\Exception\WebhookVerificationException;
use Svix\Webhook;

$webhook = new Webhook(getenv('WEBHOOK_SECRET')); // whsec_…
$headers = array_change_key_case(getallheaders());

try {
    $event = $webhook->verify(file_get_contents('php://input'), $headers);
} catch (WebhookVerificationException) {
    http_response_code(400);
    exit;
}
error_log($headers['webhook-id'] . ' ' . json_encode($event));
http_response_code(204);
