"""Tests sources with the official Python client: creates them, and receives webhooks of a
provider."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request

import svix.api as api
from svix.api import (
    IngestEndpointHeadersIn,
    IngestEndpointIn,
    IngestEndpointSecretIn,
    IngestEndpointTransformationPatch,
    IngestSourceConsumerPortalAccessIn,
    IngestSourceIn,
)
from svix.api.ingest_endpoint import IngestEndpointListOptions
from svix.api.ingest_source import IngestSourceListOptions

SECRET = "a secret of GitHub's"


class Sources:
    def __init__(self, svix, line, url, token, refused, verify):
        self.sources, self.endpoints = svix.ingest.source, svix.ingest.endpoint
        self.line, self.url, self.token = line, url, token
        self.refused, self.verify = refused, verify
        self.uid = f"python-{line}"
        # Names that differ in version 2.x.
        self.put = "update" if line == 1 else "upsert"
        self.set_headers = "update_headers" if line == 1 else "set_headers"
        self.EndpointUpdate = api.IngestEndpointUpdate if line == 1 else api.IngestEndpointUpsertIn
        self.dashboard = (
            svix.ingest.dashboard
            if line == 1
            else svix.ingest.authentication.consumer_portal_access
        )

    def run(self, receiver):
        source = self.set_up()
        self.read_others(source)
        self.set_up_endpoint(receiver)
        self.receive(receiver)
        self.change_endpoint()
        self.take_down()

    def set_up(self):
        wanted = {"uid": self.uid, "type": "github", "config": {"secret": SECRET}}
        source = self.sources.create(IngestSourceIn(name="Python", **wanted))
        assert source.id.startswith("src_") and source.uid == self.uid, source
        assert source.type == "github" and source.ingest_url.startswith(f"{self.url}/in/"), source
        assert self.sources.get(self.uid) == self.sources.get(source.id) == source
        self.refused(409, lambda: self.sources.create(IngestSourceIn(name="again", **wanted)))
        replaced = getattr(self.sources, self.put)(
            self.uid, IngestSourceIn(name="Python 2", metadata={"a": "b"}, **wanted)
        )
        assert replaced.id == source.id and replaced.name == "Python 2", replaced
        assert replaced.metadata == {"a": "b"} and replaced.ingest_url == source.ingest_url
        rotated = self.sources.rotate_token(self.uid)
        assert rotated.ingest_url != source.ingest_url
        assert self.sources.get(self.uid).ingest_url == rotated.ingest_url
        cron = {"schedule": "* * * * *", "payload": "x"}
        wanted = IngestSourceIn(name="c", type="cron", config=cron)
        self.refused(422, lambda: self.sources.create(wanted))
        meta = {"secret": "s", "verifyToken": "v"}
        for type, config in [
            ("generic-webhook", {}),
            ("meta", meta),
            ("stripe", {"secret": "s"}),
            ("beehiiv", {"secret": "whsec_c2VjcmV0"}),
            ("telnyx", {"publicKey": "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="}),
        ]:
            made = self.sources.create(IngestSourceIn(name=type, type=type, config=config))
            assert made.type == type, made
            assert type != "telnyx" or made.config.public_key == config["publicKey"], made
            self.sources.delete(made.id)
        return self.sources.get(self.uid)

    def read_others(self, source):
        """The client knows only some types, and must be able to read a list with others."""
        body = json.dumps({"name": "PayPal", "type": "paypal"}).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/ingest/api/v1/source", body, headers)
        with urllib.request.urlopen(request) as answer:
            other = json.load(answer)["id"]
        found = {it.id: it for it in self.sources.list(IngestSourceListOptions(limit=100)).data}
        assert found[source.id] == source and found[other].type == "generic-webhook", found
        wanted = IngestSourceIn(name="PayPal", type=found[other].type, config={})
        self.refused(422, lambda: getattr(self.sources, self.put)(other, wanted))
        self.sources.delete(other)

    def set_up_endpoint(self, receiver):
        made = self.endpoints.create(
            self.uid, IngestEndpointIn(url=receiver.url("source"), uid="main")
        )
        assert made.id.startswith("ep_") and self.endpoints.get(self.uid, "main") == made
        replaced = getattr(self.endpoints, self.put)(
            self.uid,
            "main",
            self.EndpointUpdate(url=receiver.url("source"), uid="main", description="d"),
        )
        assert replaced.id == made.id and replaced.description == "d"
        headers = IngestEndpointHeadersIn(headers={"x-a": "1"})
        getattr(self.endpoints, self.set_headers)(self.uid, "main", headers)
        listed = self.endpoints.list(self.uid, IngestEndpointListOptions(limit=10)).data
        assert [it.id for it in listed] == [made.id]

    def post(self, body, secret):
        """Post as GitHub does, and return the status."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "x-hub-signature-256": f"sha256={signature}",
        }
        url = self.sources.get(self.uid).ingest_url
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def receive(self, receiver):
        body = b'{"zen":  "Anything added dilutes everything else."}'
        assert self.post(body, "another") == 401
        assert self.post(body, SECRET) < 300
        arrival = receiver.next("source")
        assert arrival.body == body, "byte for byte"
        assert arrival.headers["x-github-event"] == "push" and arrival.headers["x-a"] == "1"
        self.verify(arrival, self.endpoints.get_secret(self.uid, "main").key)

    def change_endpoint(self):
        old = self.endpoints.get_secret(self.uid, "main").key
        self.endpoints.rotate_secret(self.uid, "main", IngestEndpointSecretIn())
        assert self.endpoints.get_secret(self.uid, "main").key != old
        getattr(self.endpoints, self.set_headers)(
            self.uid, "main", IngestEndpointHeadersIn(headers={"x-b": "2", "authorization": "s"})
        )
        headers = self.endpoints.get_headers(self.uid, "main")
        assert headers.headers == {"x-b": "2"}, headers
        assert [it.lower() for it in headers.sensitive] == ["authorization"], headers
        if self.line == 1:
            get, patch = self.endpoints.get_transformation, self.endpoints.set_transformation
        else:
            transformation = self.endpoints.transformation
            get, patch = transformation.get, transformation.patch
        shown = get(self.uid, "main")
        assert shown.code is None and not shown.enabled, shown
        code = "function handler(webhook) { return webhook }"
        patch(self.uid, "main", IngestEndpointTransformationPatch(code=code))
        shown = get(self.uid, "main")
        assert shown.code == code and not shown.enabled, shown
        wrong = IngestEndpointTransformationPatch(code="function handler(webhook) {")
        self.refused(422, lambda: patch(self.uid, "main", wrong))

    def take_down(self):
        access = self.dashboard(self.uid, IngestSourceConsumerPortalAccessIn(read_only=True))
        assert access.token and access.url
        self.endpoints.delete(self.uid, "main")
        self.refused(404, lambda: self.endpoints.get(self.uid, "main"))
        self.sources.delete(self.uid)
        self.refused(404, lambda: self.sources.get(self.uid))
