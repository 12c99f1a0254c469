"""Tests polling endpoints with the official Python client: both versions, with a token that only
polls and with a subscription that configures itself."""

import datetime
import json
import os
import time
import urllib.request

from svix.api import MessagePollerConsumerPollOptions, MessagePollerPollOptions, Svix, SvixOptions
from svix.api_internal.message_pollerv2 import MessagePollerv2ConsumerPollOptions
from svix.autoconfig import AutoConfigConsumer
from svix.exceptions import HttpError
from svix.models import (
    ApplicationIn,
    CreateAutoConfigSubscriptionIn,
    DestinationIn,
    EventTypeIn,
    MessageIn,
    PollingEndpointConsumerSeekIn,
    SinkInCommon,
)

URL = os.environ["POSTRIDER_URL"]
MESSAGES = 120
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)

svix = Svix(os.environ["POSTRIDER_TOKEN"], SvixOptions(server_url=URL))
svix.event_type.create(EventTypeIn(name="polled", description="D"))


def publish(app):
    for n in range(MESSAGES):
        svix.message.create(app, MessageIn(event_type="polled", payload={"n": n}))


def refused(call):
    try:
        call()
    except HttpError as error:
        return error.status_code
    raise AssertionError("the call was not refused")


def version_1():
    """The iterator that a client gives back acknowledges the messages that came with it."""
    app = svix.application.create(ApplicationIn(name="One")).id
    sink = svix.destination.create(app, DestinationIn(type="pollingEndpoint", config={})).id
    publish(app)
    token = token_of(app, sink)
    poller = Svix(token, SvixOptions(server_url=URL, retry_schedule=[])).message.poller
    received, iterator = [], None
    while len(received) < MESSAGES:
        options = MessagePollerConsumerPollOptions(limit=50, iterator=iterator)
        page = poller.consumer_poll(app, sink, "worker", options)
        received += [message.payload["n"] for message in page.data]
        iterator = page.iterator
        time.sleep(0 if page.data else 0.02)
    assert received == list(range(MESSAGES)), received
    # The last messages are not acknowledged yet.
    assert refused(lambda: poller.consumer_poll(app, sink, "worker")) == 409

    start = poller.poll(app, sink)
    assert start.data == [] and not start.done
    options = MessagePollerPollOptions(limit=250, iterator=start.iterator)
    assert len(poller.poll(app, sink, options).data) == MESSAGES
    after = PollingEndpointConsumerSeekIn(after=LONG_AGO)
    moved = poller.consumer_seek(app, sink, "worker", after)
    options = MessagePollerConsumerPollOptions(iterator=moved.iterator)
    assert poller.consumer_poll(app, sink, "worker", options).data[0].payload == {"n": 0}


def token_of(app, sink):
    """The client has no method for this operation."""
    url = f"{URL}/api/v1/auth/app/{app}/poller/{sink}/token"
    headers = {"authorization": f"Bearer {os.environ['POSTRIDER_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        return json.load(response)["token"]


def version_2():
    """A subscription that configures itself receives and commits."""
    app = svix.application.create(ApplicationIn(name="Two")).id
    body = CreateAutoConfigSubscriptionIn()
    token = svix.autoconfig_subscription.create(app, body).token
    consumer = AutoConfigConsumer(token, SinkInCommon(event_types=["polled"]))
    assert consumer.subscribe().type == "pollingEndpoint"
    publish(app)
    offset = 0
    while offset < MESSAGES:
        options = MessagePollerv2ConsumerPollOptions(limit=50, lease_duration_ms=60_000)
        batch = consumer.receive("worker", options)
        for message in batch.data:
            offset += 1
            assert (message.offset, message.payload) == (offset, {"n": offset - 1}), message
        if batch.data:
            assert refused(lambda: consumer.receive("worker")) == 409
            consumer.commit("worker", offset)
        time.sleep(0 if batch.data else 0.02)
    assert consumer.receive("worker").done
    assert refused(lambda: consumer.commit("worker", offset + 1)) == 400


version_1()
version_2()
