"""Tests background tasks with the official Python client."""

from datetime import datetime, timedelta, timezone

from svix.api import (
    ApplicationIn,
    AppUsageStatsIn,
    BulkExpungeContentsIn,
    BulkReplayIn,
    EndpointIn,
    EndpointPatch,
    MessageIn,
    MessagePrecheckIn,
    ReplayIn,
)
from svix.api.background_task import BackgroundTaskListOptions
from svix.models import BackgroundTaskStatus, BackgroundTaskType


class Tasks:
    """Starts tasks for an endpoint of its own and waits for their results."""

    def __init__(self, svix, app, eventually):
        self.svix, self.app, self.eventually = svix, app, eventually
        self.since = datetime.now(timezone.utc) - timedelta(seconds=1)

    def run(self, receiver):
        made, late = f"{self.app}.made", "late"
        endpoint = EndpointIn(url=receiver.url(late), uid=late, channels=["never"])
        self.svix.endpoint.create(self.app, endpoint)
        wanted = MessagePrecheckIn(event_type=made, channels=["late"])
        quiet = self.svix.application.create(ApplicationIn(name="Quiet")).id
        assert not self.svix.message.precheck(quiet, wanted).active
        self.svix.application.delete(quiet)
        sent = {self.publish(made) for _ in range(3)}
        self.svix.endpoint.patch(self.app, late, EndpointPatch(channels=["late"]))
        assert self.svix.message.precheck(self.app, wanted).active
        missing = self.svix.endpoint.replay_missing(self.app, late, ReplayIn(since=self.since))
        assert missing.task == BackgroundTaskType.ENDPOINT_REPLAY, missing
        assert self.ended(missing) == {"messagesSent": 3}
        assert {receiver.next(late).headers["webhook-id"] for _ in range(3)} == sent
        again = BulkReplayIn(since=self.since, event_types=[made], channel="late")
        self.eventually(lambda: self.svix.endpoint.get_stats(self.app, late).success == 3)
        replayed = self.svix.endpoint.bulk_replay(self.app, late, again)
        assert self.ended(replayed) == {"messagesSent": 3}
        assert {receiver.next(late).headers["webhook-id"] for _ in range(3)} == sent
        self.aggregate()
        self.expunge(sent)
        self.list()
        self.svix.endpoint.delete(self.app, late)

    def publish(self, made):
        message = MessageIn(event_type=made, payload={"late": True}, channels=["late"])
        return self.svix.message.create(self.app, message).id

    def ended(self, started):
        """Wait for the task, and return its result."""
        def task():
            return self.svix.background_task.get(started.id)
        self.eventually(lambda: task().status == BackgroundTaskStatus.FINISHED)
        return task().data

    def aggregate(self):
        until = datetime.now(timezone.utc) + timedelta(days=1)
        wanted = AppUsageStatsIn(since=self.since, until=until, app_ids=[self.app, "unknown"])
        started = self.svix.statistics.aggregate_app_stats(wanted)
        assert started.unresolved_app_ids == ["unknown"], started
        (stats,) = self.ended(started)["appStats"]
        assert stats["appUid"] == self.app and stats["messageDestinations"] >= 3, stats
        types = self.ended(self.svix.statistics.aggregate_event_types())["event_types"]
        assert all("hasCatchAllEndpoint" in it for it in types), types

    def expunge(self, sent):
        some = [sorted(sent)[0], "unknown"]
        results = self.svix.message.bulk_expunge_content(self.app, BulkExpungeContentsIn(ids=some))
        assert results.results == {some[0]: "expunged", "unknown": "not-found"}, results
        purged = self.ended(self.svix.message.expunge_all_contents(self.app))
        assert purged["messagesPurged"] >= 2, purged

    def list(self):
        tasks = self.svix.background_task.list()
        assert len(tasks.data) >= 5 and tasks.done, tasks
        options = BackgroundTaskListOptions(
            status=BackgroundTaskStatus.FINISHED, task=BackgroundTaskType.ENDPOINT_BULK_REPLAY
        )
        (replay,) = self.svix.background_task.list(options).data
        assert replay.data == {"messagesSent": 3}, replay
