#!/usr/bin/env python3
"""Publishes one event: publish.py APPLICATION EVENT_TYPE PAYLOAD

Needs only Python and POSTRIDER_TOKEN (`postrider token create`).
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
        # Makes it safe to repeat the request if the response is lost.
        "idempotency-key": str(uuid.uuid4()),
    },
)
with urllib.request.urlopen(request) as response:
    print(response.status, json.load(response)["id"])
