"""Tests a server with the official Python client, version 1.x or 2.x. Deliveries are verified
with the official standardwebhooks library."""

import base64
import json
import os
import time
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

import svix.api as api
import svix.webhooks
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from svix.api import (
    ApplicationIn,
    ApplicationPatch,
    AppPortalAccessIn,
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointPatch,
    EndpointSecretRotateIn,
    EventExampleIn,
    EventTypeIn,
    EventTypePatch,
    MessageIn,
    RecoverIn,
    Svix,
    SvixOptions,
)
from svix.api.application import ApplicationListOptions
from svix.api.endpoint import EndpointListOptions
from svix.api.errors.http_error import HttpError
from svix.api.errors.http_validation_error import HTTPValidationError
from svix.api.event_type import EventTypeDeleteOptions, EventTypeListOptions
from svix.api.message import (
    MessageCreateOptions,
    MessageGetOptions,
    MessageListOptions,
    message_in_raw,
)
from svix.api.message_attempt import (
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.models import MessageStatus, Ordering, StatusCodeClass

from receiver import PATIENCE, Receiver
from sources import Sources

LINE = int(version("svix").split(".")[0])
URL = os.environ["POSTRIDER_URL"]
TOKEN = os.environ["POSTRIDER_TOKEN"]

# Names that differ in version 2.x.
UPSERT = "update" if LINE == 1 else "upsert"
SET_HEADERS = "update_headers" if LINE == 1 else "set_headers"
EventTypeUpdate = api.EventTypeUpdate if LINE == 1 else api.EventTypeUpsertIn
EndpointUpdate = api.EndpointUpdate if LINE == 1 else api.EndpointUpsertIn
TYPES = "filter_types" if LINE == 1 else "event_types"

APP = f"python-{LINE}"


def connect(token=TOKEN):
    return Svix(token, SvixOptions(server_url=URL, retry_schedule=[]))


def refused(status, call, code=None):
    """Check that the call fails with this status, and return the error."""
    try:
        call()
    except HttpError as error:
        assert error.status_code == status, error
        assert error.detail, error
        assert code is None or error.code == code, error
        return error
    except HTTPValidationError as error:
        assert status == 422 and error.detail, error
        return error
    raise AssertionError(f"not refused with {status}")


def eventually(call):
    """Repeat the call until its result is true, and return the result."""
    deadline = time.monotonic() + PATIENCE
    while not (found := call()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


def verify(arrival, secret):
    svix.webhooks.Webhook(secret).verify(arrival.body, arrival.headers)
    return Webhook(secret).verify(arrival.body, arrival.headers)


def refuses(arrival, secret):
    try:
        verify(arrival, secret)
    except WebhookVerificationError:
        return True
    return False


def applications(svix):
    made = svix.application.create(ApplicationIn(name="Python", uid=APP, metadata={"a": "b"}))
    assert made.id.startswith("app_") and made.uid == APP and made.metadata == {"a": "b"}
    refused(409, lambda: svix.application.create(ApplicationIn(name="again", uid=APP)))
    same = svix.application.get_or_create(ApplicationIn(name="again", uid=APP))
    assert same.id == made.id and same.name == "Python"
    assert svix.application.get(APP) == svix.application.get(made.id) == made

    replaced = getattr(svix.application, UPSERT)(
        APP, ApplicationIn(name="Python 2", uid=APP, throttle_rate=500)
    )
    assert replaced.id == made.id and replaced.name == "Python 2" and replaced.metadata == {}
    assert replaced.throttle_rate == 500 and replaced.updated_at >= made.updated_at
    patched = svix.application.patch(APP, ApplicationPatch(name="Python 3", throttle_rate=None))
    assert patched.name == "Python 3" and patched.throttle_rate is None and patched.uid == APP

    refused(404, lambda: svix.application.get("unknown"), "not_found")
    try:
        svix.application.create(ApplicationIn(name="", uid="a b"))
        raise AssertionError("not refused")
    except HTTPValidationError as error:
        assert error.detail[0].loc[0] == "body", error
    refused(401, lambda: connect("nonsense").application.list())


def pages(svix):
    for number in range(3):
        svix.application.create(ApplicationIn(name="page", uid=f"{APP}-page-{number}"))
    for order in (Ordering.ASCENDING, Ordering.DESCENDING):
        whole = svix.application.list(ApplicationListOptions(limit=100, order=order))
        assert whole.done and len(whole.data) >= 4
        seen, iterator = [], None
        for step in range(100):
            page = svix.application.list(
                ApplicationListOptions(limit=2, iterator=iterator, order=order)
            )
            seen.append([it.id for it in page.data])
            iterator = page.iterator
            if page.done:
                break
        assert sum(seen, []) == [it.id for it in whole.data], order
        back = svix.application.list(
            ApplicationListOptions(limit=2, iterator=page.prev_iterator, order=order)
        )
        assert [it.id for it in back.data] == seen[step - 1], order
    for number in range(3):
        svix.application.delete(f"{APP}-page-{number}")
    refused(404, lambda: svix.application.get(f"{APP}-page-0"))


def event_types(svix):
    name = f"{APP}.made"
    schemas = {"1": {"type": "object", "examples": [{"n": 1}, {"n": 2}]}}
    made = svix.event_type.create(
        EventTypeIn(name=name, description="first", schemas=schemas, group_name="group")
    )
    assert made.name == name and made.schemas == schemas and made.group_name == "group"
    refused(409, lambda: svix.event_type.create(EventTypeIn(name=name, description="again")))
    replaced = getattr(svix.event_type, UPSERT)(
        name, EventTypeUpdate(description="second", schemas=schemas)
    )
    assert replaced.description == "second"
    patched = svix.event_type.patch(name, EventTypePatch(description="third", deprecated=True))
    assert patched.description == "third" and patched.deprecated and patched.schemas == schemas
    assert svix.event_type.get(name).schemas == schemas
    assert name in [it.name for it in svix.event_type.list().data]

    gone = f"{APP}.gone"
    svix.event_type.create(EventTypeIn(name=gone, description=""))
    svix.event_type.delete(gone)
    assert svix.event_type.get(gone).archived
    assert gone not in [it.name for it in svix.event_type.list().data]
    archived = svix.event_type.list(EventTypeListOptions(include_archived=True, with_content=True))
    assert gone in [it.name for it in archived.data]
    svix.event_type.delete(gone, EventTypeDeleteOptions(expunge=True))
    refused(404, lambda: svix.event_type.get(gone))


def endpoints(svix, receiver):
    made = svix.endpoint.create(
        APP,
        EndpointIn(
            url=receiver.url("main"),
            uid="main",
            description="the first",
            metadata={"a": "b"},
            headers={"x-tenant": "python"},
            throttle_rate=100,
            **{TYPES: [f"{APP}.made"]},
        ),
    )
    assert made.id.startswith("ep_") and made.url == receiver.url("main") and not made.disabled
    assert getattr(made, TYPES) == [f"{APP}.made"] and made.throttle_rate == 100
    assert svix.endpoint.get(APP, "main") == made
    assert [it.id for it in svix.endpoint.list(APP, EndpointListOptions(limit=10)).data] == [made.id]

    patched = svix.endpoint.patch(
        APP, "main", EndpointPatch(throttle_rate=None, channels=["one"], **{TYPES: None})
    )
    assert getattr(patched, TYPES) is None and patched.channels == ["one"]
    assert patched.throttle_rate is None and patched.metadata == {"a": "b"}
    replaced = getattr(svix.endpoint, UPSERT)(
        APP,
        "main",
        EndpointUpdate(url=receiver.url("main"), uid="main", **{TYPES: [f"{APP}.made"]}),
    )
    assert replaced.id == made.id and replaced.channels is None and replaced.metadata == {}
    other = getattr(svix.endpoint, UPSERT)(
        APP, "other", EndpointUpdate(url=receiver.url("other"), uid="other", disabled=True)
    )
    assert other.uid == "other" and other.disabled
    svix.endpoint.delete(APP, "other")
    refused(404, lambda: svix.endpoint.get(APP, "other"))

    assert svix.endpoint.get_headers(APP, "main").headers == {"x-tenant": "python"}
    getattr(svix.endpoint, SET_HEADERS)(
        APP, "main", EndpointHeadersIn(headers={"x-a": "1", "x-b": "2", "authorization": "s"})
    )
    svix.endpoint.patch_headers(
        APP, "main", EndpointHeadersPatchIn(headers={"x-c": "3"}, delete_headers=["x-b"])
    )
    headers = svix.endpoint.get_headers(APP, "main")
    assert headers.headers == {"x-a": "1", "x-c": "3"}, headers
    assert [it.lower() for it in headers.sensitive] == ["authorization"], headers

    for url in ("http://10.0.0.1:1/x", "ftp://example.com", "http://user:word@example.com"):
        try:
            svix.endpoint.create(APP, EndpointIn(url=url))
        except (HttpError, HTTPValidationError):
            continue
        # An address that is rejected only at the attempt makes it a failed attempt.
        assert url.startswith("http://10."), url


def messages(svix, receiver):
    secret = svix.endpoint.get_secret(APP, "main").key
    assert secret.startswith("whsec_")
    payload = {"hello": "wörld", "n": 1.5, "list": [1, 2, {}]}
    sent = svix.message.create(
        APP,
        MessageIn(
            event_type=f"{APP}.made", event_id="first", payload=payload, tags=["red"], channels=["c"]
        ),
        MessageCreateOptions(with_content=True),
    )
    assert sent.id.startswith("msg_") and sent.payload == payload and sent.event_id == "first"
    assert sent.tags == ["red"] and sent.channels == ["c"]

    arrival = receiver.next("main")
    assert verify(arrival, secret) == payload
    assert refuses(arrival, "whsec_" + "A" * 32)
    assert arrival.headers["webhook-id"] == sent.id
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["x-a"] == "1" and arrival.headers["authorization"] == "s"
    assert arrival.headers["user-agent"].lower().startswith("postrider"), arrival.headers
    arrival.body += b" "
    assert refuses(arrival, secret)

    refused(
        409,
        lambda: svix.message.create(
            APP, MessageIn(event_type=f"{APP}.made", event_id="first", payload={})
        ),
    )
    keyed = MessageCreateOptions(idempotency_key=f"{APP}-key")
    message = MessageIn(event_type="unheard.of", payload={"n": 2})
    assert svix.message.create(APP, message, keyed).id == svix.message.create(APP, message, keyed).id

    assert svix.message.get(APP, sent.id, MessageGetOptions(with_content=True)).payload == payload
    assert svix.message.get(APP, "first").id == sent.id
    assert svix.message.get(APP, sent.id, MessageGetOptions(with_content=False)).payload == {}
    for wanted in (
        MessageListOptions(tag="red"),
        MessageListOptions(channel="c"),
        MessageListOptions(event_types=[f"{APP}.made", "some.other"]),
        MessageListOptions(before=datetime.now(timezone.utc), event_types=[f"{APP}.made"]),
    ):
        assert [it.id for it in svix.message.list(APP, wanted).data] == [sent.id], wanted
    assert svix.message.list(APP, MessageListOptions(tag="blue")).data == []

    svix.message.create(APP, message_in_raw(f"{APP}.made", "<x> ü </x>", "text/xml"))
    raw = receiver.next("main")
    assert raw.body.decode() == "<x> ü </x>" and raw.headers["content-type"] == "text/xml"
    Webhook(secret).verify(raw.body, raw.headers, json_parse=False)

    inline = svix.message.create(
        f"{APP}-inline",
        MessageIn(
            event_type="e", payload={}, application=ApplicationIn(name="i", uid=f"{APP}-inline")
        ),
    )
    assert svix.message.get(f"{APP}-inline", inline.id).id == inline.id
    return sent


def attempts(svix, receiver, sent):
    endpoint = svix.endpoint.get(APP, "main")
    found = eventually(lambda: svix.message_attempt.list_by_msg(APP, sent.id).data)
    assert len(found) == 1
    attempt = found[0]
    assert attempt.status == MessageStatus.SUCCESS and attempt.status_text == "success"
    assert attempt.response_status_code == 200 and attempt.trigger_type == 0
    assert attempt.endpoint_id == endpoint.id and attempt.msg_id == sent.id
    assert attempt.url == endpoint.url and attempt.id.startswith("atmpt_")

    with_content = MessageAttemptListByMsgOptions(with_content=True, endpoint_id="main")
    assert svix.message_attempt.list_by_msg(APP, sent.id, with_content).data[0].response == "taken"
    without = MessageAttemptListByMsgOptions(with_content=False)
    assert svix.message_attempt.list_by_msg(APP, sent.id, without).data[0].response == ""
    options = MessageAttemptListByEndpointOptions
    for wanted, count in (
        (options(status=MessageStatus.SUCCESS, tag="red", with_msg=True), 1),
        (options(status=MessageStatus.FAIL), 0),
        (options(status_code_class=StatusCodeClass.CODE2XX, channel="c"), 1),
        (options(status_code_class=StatusCodeClass.CODE5XX), 0),
        (options(after=datetime.now(timezone.utc)), 0),
    ):
        page = svix.message_attempt.list_by_endpoint(APP, "main", wanted)
        assert len(page.data) == count, (wanted, page)
        if wanted.with_msg:
            assert page.data[0].msg.id == sent.id and page.data[0].msg.tags == ["red"]

    wanted = MessageAttemptListAttemptedMessagesOptions(tag="red", with_content=True)
    listed = svix.message_attempt.list_attempted_messages(APP, "main", wanted).data
    assert [it.id for it in listed] == [sent.id] and listed[0].status == MessageStatus.SUCCESS
    assert listed[0].payload == sent.payload and listed[0].next_attempt is None
    listed = svix.message_attempt.list_attempted_destinations(APP, sent.id).data
    assert [it.id for it in listed] == [endpoint.id] and listed[0].status_text == "success"
    assert svix.message_attempt.get(APP, sent.id, attempt.id).id == attempt.id

    svix.message_attempt.resend(APP, sent.id, "main")
    again = receiver.next("main")
    assert again.headers["webhook-id"] == sent.id
    found = eventually(
        lambda: len(page := svix.message_attempt.list_by_msg(APP, sent.id).data) == 2 and page
    )
    assert sorted(it.trigger_type for it in found) == [0, 1]
    svix.message_attempt.expunge_content(APP, sent.id, attempt.id)
    assert svix.message_attempt.get(APP, sent.id, attempt.id).response != "taken"

    eventually(lambda: svix.endpoint.get_stats(APP, "main").success == 2)
    assert svix.endpoint.get_stats(APP, "main").fail == 0


def rotation(svix, receiver):
    old = svix.endpoint.get_secret(APP, "main").key
    answer = svix.endpoint.rotate_secret(APP, "main", EndpointSecretRotateIn())
    new = svix.endpoint.get_secret(APP, "main").key
    assert new != old
    if LINE == 2:
        assert answer.key == new
    svix.message.create(APP, MessageIn(event_type=f"{APP}.made", payload={"rotated": 1}))
    arrival = receiver.next("main")
    assert verify(arrival, new) == verify(arrival, old) == {"rotated": 1}
    assert len(arrival.headers["webhook-signature"].split(" ")) == 2

    own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    svix.endpoint.rotate_secret(
        APP, "main", EndpointSecretRotateIn(key=own, grace_period_seconds=0)
    )
    assert svix.endpoint.get_secret(APP, "main").key == own
    svix.message.create(APP, MessageIn(event_type=f"{APP}.made", payload={"rotated": 2}))
    arrival = receiver.next("main")
    assert verify(arrival, own) == {"rotated": 2} and refuses(arrival, new)


def recover(svix, receiver):
    """The server has one retry, so a delivery fails after two attempts."""
    svix.endpoint.create(
        APP, EndpointIn(url=receiver.url("broken"), uid="broken", channels=["broken"])
    )
    receiver.answer("broken", 500)
    since = datetime.now(timezone.utc) - timedelta(seconds=1)
    sent = [
        svix.message.create(
            APP, MessageIn(event_type=f"{APP}.made", payload={"n": n}, channels=["broken"])
        ).id
        for n in range(3)
    ]
    failed = MessageAttemptListAttemptedMessagesOptions(status=MessageStatus.FAIL)
    eventually(
        lambda: len(svix.message_attempt.list_attempted_messages(APP, "broken", failed).data) == 3
    )
    assert svix.endpoint.get_stats(APP, "broken").fail == 3
    for _ in range(6):
        assert receiver.next("broken").headers["webhook-id"] in sent
    receiver.answer("broken", 200)
    task = svix.endpoint.recover(APP, "broken", RecoverIn(since=since))
    assert task.id.startswith("qtask_") and task.task == "endpoint.recover", task
    again = {receiver.next("broken").headers["webhook-id"] for _ in range(3)}
    assert again == set(sent)
    eventually(lambda: svix.endpoint.get_stats(APP, "broken").success == 3)
    svix.endpoint.delete(APP, "broken")


def example(svix, receiver):
    sent = svix.endpoint.send_example(
        APP, "main", EventExampleIn(event_type=f"{APP}.made", example_index=1)
    )
    arrival = receiver.next("main")
    while arrival.headers["webhook-id"] != sent.id:
        arrival = receiver.next("main")
    assert arrival.body == b'{"n":2}', arrival.body


def sources(svix, receiver):
    Sources(svix, LINE, URL, TOKEN, refused, verify).run(receiver)


def expunge(svix, sent):
    svix.message.expunge_content(APP, sent.id)
    with_content = MessageGetOptions(with_content=True)
    assert svix.message.get(APP, sent.id, with_content).payload == {"expired": True}


def portal(svix):
    answer = svix.authentication.app_portal_access(APP, AppPortalAccessIn(feature_flags=[]))
    key = json.loads(base64.b64decode(answer.url.split("#key=")[1]))
    assert key["token"] == answer.token, "a page can take the token from its own address"
    owner = connect(answer.token)
    assert [it.uid for it in owner.endpoint.list(APP).data] == ["main"]
    assert owner.message.list(APP).data
    refused(403, lambda: owner.application.list())
    refused(403, lambda: owner.message.create(APP, MessageIn(event_type="e", payload={})))
    for other in ("unknown", f"{APP}-inline"):
        try:
            owner.endpoint.list(other)
            raise AssertionError("sees another application")
        except HttpError as error:
            assert error.status_code in (403, 404), error
    owner.authentication.logout()


def is_valid(client):
    try:
        return client.endpoint.list(APP).data
    except HttpError as error:
        assert error.status_code == 401, error
        return None


def expire_all(svix):
    def access(session):
        body = AppPortalAccessIn(feature_flags=[], session_id=session)
        return connect(svix.authentication.app_portal_access(APP, body).token)

    first, second = access("one"), access("two")
    svix.authentication.expire_all(APP, api.ApplicationTokenExpireIn(session_ids=["one"]))
    refused(401, lambda: first.endpoint.list(APP))
    assert second.endpoint.list(APP).data
    svix.authentication.expire_all(APP, api.ApplicationTokenExpireIn(expiry=3600))
    assert second.endpoint.list(APP).data, "it ends in an hour"
    svix.authentication.expire_all(APP, api.ApplicationTokenExpireIn())
    refused(401, lambda: second.endpoint.list(APP))
    # A token of the same millisecond is expired, too; a later one is valid.
    eventually(lambda: is_valid(access("one")))


def tasks(svix, receiver):
    # Version 1.x has only a part of these operations.
    from tasks import Tasks

    Tasks(svix, APP, eventually).run(receiver)


def leave(svix):
    svix.endpoint.delete(APP, "main")
    for app in (APP, f"{APP}-inline"):
        svix.application.delete(app)
    refused(404, lambda: svix.application.get(APP))
    svix.event_type.delete(f"{APP}.made", EventTypeDeleteOptions(expunge=True))


def main():
    svix, receiver = connect(), Receiver()
    print(f"svix {version('svix')}", flush=True)
    steps = {}

    def step(function, *arguments):
        steps[function.__name__] = result = function(*arguments)
        print(f"  {function.__name__}", flush=True)
        return result

    svix.health.get()
    step(applications, svix)
    step(pages, svix)
    step(event_types, svix)
    step(endpoints, svix, receiver)
    sent = step(messages, svix, receiver)
    step(attempts, svix, receiver, sent)
    step(rotation, svix, receiver)
    step(example, svix, receiver)
    step(recover, svix, receiver)
    step(expunge, svix, sent)
    if LINE == 2:
        step(tasks, svix, receiver)
    step(portal, svix)
    step(expire_all, svix)
    step(sources, svix, receiver)
    step(leave, svix)
    receiver.close()


if __name__ == "__main__":
    main()
