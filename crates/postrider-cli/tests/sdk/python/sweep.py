"""Calls every operation of the official Python client, version 2.x, twice: with the required fields
and with all fields. Compares those that work with the list in sweep.txt.

An operation gets its arguments by their names and types, from the tables below. So a new operation
of the client needs an entry only if its arguments are special.

With POSTRIDER_SWEEP_ALL, it also lists why each of the others does not work."""

import dataclasses
import datetime
import enum
import inspect
import os
import pathlib
import time
import typing

import httpx
import pydantic
from svix import api_internal, models
from svix.api import Svix, SvixOptions
from svix.api.common import ApiBaseSync, BaseOptions
from svix.exceptions import HttpError, HTTPValidationError

from receiver import Receiver

URL = os.environ["POSTRIDER_URL"]
TOKEN = os.environ["POSTRIDER_TOKEN"]
LIST = pathlib.Path(__file__).with_name("sweep.txt")

svix = Svix(TOKEN, SvixOptions(server_url=URL, retry_schedule=[]))
receiver = Receiver()

NOW = datetime.datetime.now(datetime.timezone.utc)
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CODE = "function handler(webhook) { return webhook }"
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer", "example": 1}}}
EVENT_TYPE = "sweep.done"


class Fixture:
    """A fresh application with one record of each kind, made as far as it is needed."""

    count = 0

    def __init__(self):
        Fixture.count += 1
        self.number = Fixture.count
        self.made = {}

    def __getitem__(self, name):
        if name not in self.made:
            self.made[name] = getattr(self, "make_" + name)()
        return self.made[name]

    def unique(self, text):
        return f"{text}-{self.number}"

    def make_app_id(self):
        uid = self.unique("app")
        svix.application.create(models.ApplicationIn(name="Sweep", uid=uid))
        return uid

    def make_endpoint_id(self):
        url = receiver.url("sweep")
        return svix.endpoint.create(self["app_id"], models.EndpointIn(url=url)).id

    def make_msg_id(self):
        self["endpoint_id"]
        body = models.MessageIn(event_type=EVENT_TYPE, payload={"id": 1})
        return svix.message.create(self["app_id"], body).id

    def make_attempt_id(self):
        app, message = self["app_id"], self["msg_id"]
        for _ in range(600):
            attempts = svix.message_attempt.list_by_msg(app, message).data
            if attempts:
                return attempts[0].id
            time.sleep(0.05)
        raise AssertionError("the message was not delivered")

    def make_event_type_name(self):
        name = self.unique("type")
        svix.event_type.create(models.EventTypeIn(name=name, description="Sweep"))
        return name

    def make_destination_id(self):
        return svix.destination.create(self["app_id"], destination_in()).id

    def make_source_id(self):
        body = models.IngestSourceIn(name="Sweep", type="generic-webhook", uid=self.unique("src"))
        return svix.ingest.source.create(body).id

    def make_ingest_endpoint_id(self):
        body = models.IngestEndpointIn(url=receiver.url("ingest"))
        return svix.ingest.endpoint.create(self["source_id"], body).id

    def make_operational_endpoint_id(self):
        body = models.OperationalWebhookEndpointIn(url=receiver.url("ops"))
        return svix.operational_webhook.endpoint.create(body).id

    def make_integ_id(self):
        return svix.integration.create(self["app_id"], models.IntegrationIn(name="Sweep")).id

    def make_autoconfig_id(self):
        return self["autoconfig"].id

    def make_autoconfig(self):
        body = models.CreateAutoConfigSubscriptionIn()
        return svix.autoconfig_subscription.create(self["app_id"], body)

    def make_task_id(self):
        body = models.RecoverIn(since=NOW - datetime.timedelta(hours=1))
        return svix.endpoint.recover(self["app_id"], self["endpoint_id"], body).id

    def make_connector_id(self):
        body = models.ConnectorIn(name="Sweep", transformation=CODE)
        return svix.connector.create(body).id

    def make_sink_id(self):
        body = models.DestinationIn(type="pollingEndpoint", config={})
        return svix.destination.create(self["app_id"], body).id

    def make_consumer_id(self):
        svix.message.poller.consumer_poll(self["app_id"], self["sink_id"], "worker")
        return "worker"

    # Of these, there is none here.
    make_stream_id = lambda self: "none"
    make_name = lambda self: "none"


def destination_in(**fields):
    config = models.FifoEndpointConfigIn(url=receiver.url("fifo"))
    return models.DestinationIn(type="fifoEndpoint", config=config, **fields)


# Arguments of operations that differ from those of others with the same name.
ARGUMENTS = {
    "ingest.endpoint": {"endpoint_id": "ingest_endpoint_id"},
    "operational_webhook.endpoint": {"endpoint_id": "operational_endpoint_id"},
}

# Values of fields by model and name, or by name alone. Functions get the fixture. `None` leaves a
# field out.
VALUES = {
    "uid": lambda it: it.unique("uid"),
    "url": lambda it: receiver.url("sweep"),
    "name": lambda it: it.unique("name"),
    "event_type": EVENT_TYPE,
    "event_types": [EVENT_TYPE],
    "event_types_in": [EVENT_TYPE],
    "filter_types": [EVENT_TYPE],
    "schemas": {"1": SCHEMA},
    "group_name": "sweep",
    "feature_flags": ["beta"],
    "feature_flag": "beta",
    "channels": ["blue"],
    "channel": "blue",
    "tags": ["red"],
    "tag": "red",
    "payload": {"id": 2},
    "PollerV2CommitIn.offset": 0,
    "metadata": {"key": "value"},
    "headers": {"x-sweep": "1"},
    "delete_headers": ["x-old"],
    "secret": KEY,
    "key": KEY,
    "grace_period_seconds": 60,
    "throttle_rate": 100,
    "since": NOW - datetime.timedelta(hours=1),
    "until": NOW + datetime.timedelta(hours=1),
    "after": NOW - datetime.timedelta(hours=1),
    "before": NOW + datetime.timedelta(hours=1),
    "deliver_at": NOW + datetime.timedelta(hours=1),
    "limit": 10,
    "iterator": None,
    "order": models.Ordering.DESCENDING,
    "idempotency_key": lambda it: it.unique("key"),
    "expiry": 3600,
    "session_id": "session",
    "application": None,
    "payload_retention_period": 30,
    "payload_retention_hours": None,
    "transformations_params": None,
    "endpoint_id": lambda it: it["endpoint_id"],
    "example_index": 0,
    "connectors": None,
    "settings": {"requireEndpointChannel": False},
    "app_ids": lambda it: [it["app_id"]],
    "app_uids": None,
    "capabilities": [models.AppPortalCapability.VIEW_BASE],
    "session_ids": ["session"],
    "read_only": None,
    "EventExampleIn.payload": None,
    "EnvironmentIn.event_types": lambda it: [event_type_in(it)],
    "OperationalWebhookEndpointIn.event_types": ["endpoint.created"],
    "OperationalWebhookEndpointUpsertIn.event_types": ["endpoint.created"],
    # A subscription that configures itself has the secret of its token.
    "EndpointIn.secret": lambda it: None if "autoconfig" in it.made else KEY,
    "code": CODE,
    "transformation": CODE,
    "allowed_event_types": [EVENT_TYPE],
    "logo": "https://example.com/logo.png",
    "EventTypeIn.name": lambda it: it.unique("made"),
    "EventTypeListOptions.include_archived": True,
    "message_type": None,
    "status": None,
}


def event_type_in(it):
    return models.EventTypeIn(name=it.unique("imported"), description="Sweep")


# Models whose fields depend on each other.
MODELS = {
    "DestinationIn": lambda it, full: destination_in(
        **({"uid": it.unique("uid"), "event_types": [EVENT_TYPE]} if full else {})
    ),
    "DestinationPatch": lambda it, full: models.DestinationPatch(
        type="fifoEndpoint",
        config=models.SinkHttpConfigPatch(url=receiver.url("new")),
        **({"channels": ["blue"]} if full else {}),
    ),
    "EventTypeImportOpenApiIn": lambda it, full: models.EventTypeImportOpenApiIn(
        spec={"openapi": "3.1.0", "webhooks": {it.unique("hook"): {"post": {}}}},
        **({"dry_run": True, "replace_all": True} if full else {}),
    ),
    "IngestSourceIn": lambda it, full: models.IngestSourceIn(
        name="Sweep",
        type="generic-webhook",
        **({"uid": it.unique("uid"), "metadata": {"key": "value"}} if full else {}),
    ),
}


def generate(annotation, fixture, full, owner="", field=""):
    """A value of the type."""
    for name in (f"{owner}.{field}", field):
        if name in VALUES:
            value = VALUES[name]
            return value(fixture) if callable(value) else value
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        return generate(arguments[0], fixture, full, owner, field)
    if origin is typing.Literal:
        return arguments[0]
    if origin in (list, set):
        return [generate(arguments[0], fixture, full, owner)]
    if origin is dict:
        return {"key": "value"}
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return model(annotation, fixture, full)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return next(iter(annotation))
    simple = {str: "text", int: 1, bool: True, float: 1.0, datetime.datetime: NOW}
    if annotation in simple:
        return simple[annotation]
    return None


def model(cls, fixture, full):
    if cls.__name__ in MODELS:
        return MODELS[cls.__name__](fixture, full)
    values = {}
    for name, field in cls.model_fields.items():
        if field.is_required() or full:
            value = generate(field.annotation, fixture, full, cls.__name__, name)
            if value is not None or field.is_required():
                values[name] = value
    return cls(**values)


def options(cls, fixture, full):
    if not full:
        return cls()
    types = typing.get_type_hints(cls)
    values = {
        field.name: generate(types[field.name], fixture, full, cls.__name__, field.name)
        for field in dataclasses.fields(cls)
    }
    return cls(**values)


def arguments(name, function, fixture, full):
    renamed = {}
    for prefix, names in ARGUMENTS.items():
        if name.startswith(prefix + "."):
            renamed = names
    given = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = parameter.annotation
        if kind is str:
            given.append(fixture[renamed.get(parameter.name, parameter.name)])
        elif issubclass(kind, BaseOptions):
            given.append(options(kind, fixture, full))
        else:
            given.append(model(kind, fixture, full))
    return given


def operations(resource, prefix, fixture_of):
    """All operations of the resource and those below it: name, function, and how to get the
    resource."""
    for name, attribute in inspect.getmembers(type(resource)):
        if name.startswith("_"):
            continue
        if isinstance(attribute, property):
            below = getattr(resource, name)
            if isinstance(below, ApiBaseSync):
                yield from operations(below, prefix + [name], fixture_of)
        elif inspect.isfunction(attribute) and prefix:
            yield ".".join(prefix + [name]), attribute, resource


def internal():
    """The operations that the client only uses itself."""
    from svix.api_internal.autoconfig_subscription import AutoconfigSubscription
    from svix.api_internal.message_pollerv2 import MessagePollerv2

    for name, cls in [
        ("internal.autoconfig_subscription", AutoconfigSubscription),
        ("internal.message_pollerv2", MessagePollerv2),
    ]:
        resource = cls(svix._client, svix.application._httpx_client)
        yield from operations(resource, name.split("."), None)


def subscribed(function, resource, fixture):
    """The resource with the credential of the fixture's subscription."""
    import base64
    import json

    token = fixture["autoconfig"].token.removeprefix("auto_v2_")
    credential = json.loads(base64.b64decode(token))["tok"]
    client = Svix(credential, SvixOptions(server_url=URL, retry_schedule=[]))
    return type(resource)(client._client, client.application._httpx_client)


def run(name, function, resource, full):
    """Why the operation does not work; `None` if it does."""
    fixture = Fixture()
    try:
        if name.startswith("internal.autoconfig"):
            resource = subscribed(function, resource, fixture)
        if name == "authentication.logout":
            resource = portal(fixture).authentication
        function(resource, *arguments(name, function, fixture, full))
    except HTTPValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, it.loc))}: {it.msg}" for it in error.detail)
        return f"422 {problems}"
    except HttpError as error:
        return f"{error.status_code} {error.detail}"
    except httpx.TransportError as error:
        return f"no response: {error}"
    except pydantic.ValidationError as error:
        return f"the response cannot be read: {error}"
    return None


def portal(fixture):
    """A client with a token of the application."""
    access = svix.authentication.app_portal_access(fixture["app_id"], models.AppPortalAccessIn())
    return Svix(access.token, SvixOptions(server_url=URL, retry_schedule=[]))


def main():
    schemas = {"1": SCHEMA}
    body = models.EventTypeIn(name=EVENT_TYPE, description="Sweep", schemas=schemas)
    svix.event_type.create(body)
    expected = {
        line.strip() for line in LIST.read_text().splitlines() if line.strip() and line[0] != "#"
    }
    found, wrong = set(), []
    for name, function, resource in [*operations(svix, [], None), *internal()]:
        reasons = [(full, run(name, function, resource, full)) for full in (False, True)]
        failures = [f"{'all' if full else 'required'} fields: {it}" for full, it in reasons if it]
        if not failures:
            found.add(name)
        if bool(failures) == (name in expected) or os.environ.get("POSTRIDER_SWEEP_ALL"):
            wrong.append(f"{name}: {'; '.join(failures) or 'works, but is not in the list'}")
    for name in sorted(expected - found):
        if not any(line.startswith(name + ":") for line in wrong):
            wrong.append(f"{name}: the client has no such operation")
    print(f"{len(found)} operations work")
    if wrong:
        raise SystemExit("\n".join(["sweep.txt is not what works:", *wrong]))


main()
receiver.close()
