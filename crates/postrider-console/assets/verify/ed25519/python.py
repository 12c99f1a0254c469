# pip install cryptography flask
import base64
import os
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, request

public_key = os.environ["WEBHOOK_PUBLIC_KEY"].removeprefix("whpk_")
key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
app = Flask(__name__)


def is_valid(body, headers):
    try:
        identifier, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        if abs(time.time() - int(timestamp)) > 300:
            return False
        signatures = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    signed = f"{identifier}.{timestamp}.".encode() + body
    for signature in signatures:
        version, _, value = signature.partition(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(value), signed)
            return True
        except (InvalidSignature, ValueError):
            continue
    return False


@app.post("/webhooks")
def receive():
    if not is_valid(request.get_data(), request.headers):
        return "", 400
    print(request.headers["webhook-id"], request.get_json(force=True))
    return "", 204
