<?php
// Needs the extension sodium, which PHP contains.
function is_valid(string $body, array $headers, string $key): bool
{
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > 300) {
        return false;
    }
    $signed = ($headers['webhook-id'] ?? '') . ".$timestamp.$body";
    foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
        [$version, $value] = explode(',', $signature, 2) + ['', ''];
        $bytes = base64_decode($value, true);
        if ($version === 'v1a' && $bytes !== false && strlen($bytes) === SODIUM_CRYPTO_SIGN_BYTES
            && sodium_crypto_sign_verify_detached($bytes, $signed, $key)) {
            return true;
        }
    }
    return false;
}

$key = base64_decode(str_replace('whpk_', '', getenv('WEBHOOK_PUBLIC_KEY')), true);
$headers = array_change_key_case(getallheaders());
$body = file_get_contents('php://input');

if (!is_valid($body, $headers, $key)) {
    http_response_code(400);
    exit;
}
error_log($headers['webhook-id'] . ' ' . $body);
http_response_code(204);
