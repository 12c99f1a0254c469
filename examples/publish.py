#!/usr/bin/env python3
"""Publish an event: publish.py APPLICATION EVENT_TYPE PAYLOAD

Requires only Python. Set POSTRIDER_TOKEN to a token from `postrider token create`.
"""

import json
import os
import sys
import urllib.request
import uuid

if len(sys.argv) != 4:
    sys.exit(__doc__)
_, application, event_type, payload = sys.argv

server = os.environ.get("POSTRIDER_URL", "http://127.0.0.1:8071")
request = urllib.request.Request(
    f"{server}/api/v1/app/{application}/msg",
    data=json.dumps({"eventType": event_type, "payload": json.loads(payload)}).encode(),
    headers={
        "authorization": f"Bearer {os.environ['POSTRIDER_TOKEN']}",
        "content-type": "application/json",
        # If the response is lost, the same request can safely be sent again.
        "idempotency-key": str(uuid.uuid4()),
    },
)
with urllib.request.urlopen(request) as response:
    print(response.status, json.load(response)["id"])
