"""Tests destinations with the official Python client, version 2.x, and that it can read a list of
endpoints with kinds that it does not know."""

import json
import os
import urllib.request

from svix.api import (
    ApplicationIn,
    EndpointSecretRotateIn,
    EventTypeIn,
    MessageIn,
    Svix,
    SvixOptions,
)
from svix.api.destination import DestinationListOptions
from svix.api.errors.http_validation_error import HTTPValidationError
from svix.models import (
    DestinationIn,
    DestinationPatch,
    DestinationStatus,
    DestinationStatusIn,
    EndpointPatch,
    FifoEndpointConfigIn,
    Ordering,
    PostgresConfigIn,
    RabbitMqConfigIn,
    S3ConfigIn,
    SinkHttpConfigPatch,
    SnsConfigIn,
    SqsConfigIn,
)
from svix.webhooks import Webhook

from receiver import Receiver

URL = os.environ["POSTRIDER_URL"]
TOKEN = os.environ["POSTRIDER_TOKEN"]
# Types that this build of the server does not have.
ABSENT = set(filter(None, os.environ.get("POSTRIDER_TEST_ABSENT", "").split(",")))
APP = "destinations"
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

svix = Svix(TOKEN, SvixOptions(server_url=URL, retry_schedule=[]))


def places(call):
    """The locations of the problems of a call that is refused."""
    try:
        call()
    except HTTPValidationError as error:
        return [".".join(map(str, problem.loc)) for problem in error.detail]
    raise AssertionError("not refused")


def fifo(receiver):
    config = FifoEndpointConfigIn(url=receiver.url("fifo"), headers={"x-a": "1"}, key=KEY)
    made = svix.destination.create(
        APP,
        DestinationIn(
            type="fifoEndpoint",
            config=config,
            uid="fifo",
            event_types=["order.paid"],
            metadata={"k": "v"},
        ),
    )
    assert made.id.startswith("sink_") and len(made.id) == 27, made.id
    assert made.status == DestinationStatus.ENABLED and made.type == "fifoEndpoint"
    assert made.config.url == receiver.url("fifo") and made.config.headers.headers == {"x-a": "1"}
    assert made.event_types == ["order.paid"] and made.metadata == {"k": "v"}
    assert svix.destination.get(APP, made.id) == svix.destination.get(APP, "fifo") == made

    for number in range(5):
        svix.message.create(APP, MessageIn(event_type="order.paid", payload={"n": number}))
    arrivals, events = [], []
    while len(events) < 5:
        arrivals.append(receiver.next("fifo"))
        events += json.loads(arrivals[-1].body)["events"]
    assert [event["payload"]["n"] for event in events] == list(range(5))
    assert all(arrival.headers["x-a"] == "1" for arrival in arrivals)
    Webhook(KEY).verify(arrivals[0].body, arrivals[0].headers)
    rotated = svix.destination.rotate_secret(APP, made.id, EndpointSecretRotateIn())
    assert rotated.key.startswith("whsec_") and rotated.key != KEY

    patch = DestinationPatch(
        type="fifoEndpoint",
        config=SinkHttpConfigPatch(url=receiver.url("moved")),
        status=DestinationStatusIn.DISABLED,
        event_types=[],
    )
    patched = svix.destination.patch(APP, "fifo", patch)
    assert patched.status == DestinationStatus.DISABLED and patched.event_types == []
    assert patched.config.url == receiver.url("moved") and patched.uid == "fifo"

    replaced = svix.destination.upsert(
        APP, "fifo", DestinationIn(type="fifoEndpoint", config=config, uid="fifo")
    )
    assert replaced.id == made.id and replaced.status == DestinationStatus.ENABLED
    assert (replaced.batch_size, replaced.max_wait_secs) == (100, 0)
    refused = DestinationIn(type="fifoEndpoint", config=config, batch_size=1001)
    assert places(lambda: svix.destination.create(APP, refused)) == ["body.batchSize"]


def aws(config, **more):
    return config(region="eu-central-1", access_key_id="id", secret_access_key="key", **more)


def kinds():
    """A destination of each type that is not called over HTTP."""
    queue = "https://sqs.eu-central-1.amazonaws.com/1/queue"
    configs = {
        "amazonS3": aws(S3ConfigIn, bucket="bucket-1"),
        "sqs": aws(SqsConfigIn, queue_url=queue),
        "sns": aws(SnsConfigIn, topic_arn="arn:aws:sns:eu-central-1:1:topic"),
        "rabbitMq": RabbitMqConfigIn(uri="amqp://u:secret@rabbit.example/%2F", routing_key="key"),
        "postgres": PostgresConfigIn(
            url="postgres://u@db.example/shop", password="secret", table_name="events"
        ),
    }
    for kind, config in configs.items():
        wanted = DestinationIn(
            type=kind, config=config, uid=kind, status=DestinationStatusIn.DISABLED
        )
        if kind in ABSENT:
            assert places(lambda: svix.destination.create(APP, wanted)) == ["body.type"]
            continue
        made = svix.destination.create(APP, wanted)
        assert made.type == kind and made.status == DestinationStatus.DISABLED
        assert "secret" not in made.model_dump_json(), made
        same = svix.destination.upsert(APP, kind, wanted)
        assert same.id == made.id and same.config == made.config
        assert svix.destination.get(APP, made.id).config == made.config


def lists():
    expected = {"fifo", "amazonS3", "sqs", "sns", "rabbitMq", "postgres"} - ABSENT
    seen, iterator = [], None
    while True:
        options = DestinationListOptions(limit=2, iterator=iterator, order=Ordering.ASCENDING)
        page = svix.destination.list(APP, options)
        seen += [destination.uid for destination in page.data]
        if page.done:
            break
        iterator = page.iterator
    assert seen[0] == "fifo" and set(seen) == expected, seen


def other_kinds():
    """Endpoints of kinds that only Postrider has."""
    config = {"host": "mail.example", "from": "a@example.com", "to": ["b@example.com"]}
    body = {"uid": "mail", "kind": "email", "config": config, "disabled": True}
    request = urllib.request.Request(
        f"{URL}/api/v1/app/{APP}/endpoint",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
    )
    urllib.request.urlopen(request).read()
    shown = svix.endpoint.get(APP, "mail")
    assert shown.url == "smtp://mail.example:587", shown.url
    assert "mail" in [endpoint.uid for endpoint in svix.endpoint.list(APP).data]
    patched = svix.endpoint.patch(APP, "mail", EndpointPatch(description="changed"))
    assert patched.description == "changed" and patched.url == shown.url
    assert "mail" not in [destination.uid for destination in svix.destination.list(APP).data]


def deletes():
    svix.destination.delete(APP, "fifo")
    assert "fifo" not in [destination.uid for destination in svix.destination.list(APP).data]


def main():
    svix.application.create(ApplicationIn(name="Destinations", uid=APP))
    svix.event_type.create(EventTypeIn(name="order.paid", description=""))
    receiver = Receiver()
    fifo(receiver)
    receiver.close()
    kinds()
    lists()
    other_kinds()
    deletes()


if __name__ == "__main__":
    main()
