"""A process of the chaos tests: the product's relay, consumer, retries and dead letters, over a handler that counts.

The effect of an event is a row in the transaction of its handling, so that handling it twice would show. Some events
fail at random and have to be tried again. With `die_after` the process kills itself right after so many messages were
taken: the store has committed, the offset is not.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from statistics_manager_service.bootstrap.events import client_settings
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.kafka import EventConsumer, Link, Sender, Topics
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.events.events import Message, Poison, Work
from statistics_manager_service.services.events.inbox import Backoff, Inbox, Outcome
from statistics_manager_service.services.events.relaying import Lease, Relay, Retries, Undertaker
from statistics_manager_service.services.events.working import Duty, Workers
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore, open_engine

EVENT_TYPE = "CountEvent"
#: Of the events, how many fail at a try.
FAIL_SHARE = 0.05


def now_us() -> int:
    return time.time_ns() // 1000


def count(payload: Mapping[str, Any]) -> Work:
    """The handler: one more row of the event's key and number."""
    if random.random() < FAIL_SHARE:
        raise Unavailable("a service that this handler asks is down", 0)
    row = {"key": payload["user_id"], "number": payload["number"]}

    def work(view: Any) -> None:
        view.connection.execute(sa.text("INSERT INTO effects (key, number) VALUES (:key, :number)"), row)

    return work


class CountedInbox(Inbox):
    """Notes what became of each message; may kill the process behind one."""

    log: int = -1
    die_after: int | None = None
    taken: int = 0

    def take(self, message: Message | Poison, *, is_ours: bool = True) -> Outcome:
        outcome = super().take(message, is_ours=is_ours)
        os.write(self.log, f"{outcome}\n".encode())
        self.taken += 1
        if self.die_after is not None and self.taken >= self.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


def main(told: dict[str, Any]) -> None:
    configure_logging("ERROR", "json")
    settings = Settings(
        database_url=told["url"], kafka_broker_endpoint=told["broker"], kafka_topic_prefix=told["prefix"]
    )
    store = SqlStore(open_engine(settings.store_url))
    inbox = CountedInbox(store, {EVENT_TYPE: count}, now_us, Backoff(0.2, 2, 600), message_of)
    inbox.log = os.open(told["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    inbox.die_after = told.get("die_after")
    link, topics = Link(), Topics.of(settings.kafka_topic_prefix)
    common = client_settings(settings, link)
    sender = Sender(common, topics)
    consumer = EventConsumer(common, topics, settings.kafka_group, inbox, link)
    holder = secrets.token_hex(8)
    leases = {name: Lease(store, name, holder, now_us) for name in ("relay", "retries", "dead-letter")}
    workers = Workers(
        [
            Duty("relay", Relay(store, sender.tell, leases["relay"], now_us).step, 0.1),
            Duty("retries", Retries(store, inbox, leases["retries"], now_us).step, 0.1),
            Duty("dead-letter", Undertaker(store, sender.publish, leases["dead-letter"], now_us).step, 0.1),
            Duty("consumer", consumer.step, 0),
        ],
        consumer.close,
    )
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    workers.start()
    stopped.wait()
    workers.stop()
