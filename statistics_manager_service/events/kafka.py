"""Kafka: the sender of the outbox, of set-aside messages, and the consumer.

Offsets are stored only after the inbox has taken a message, which is after the store's commit, and only stored offsets
are committed: what is lost between the two comes again and is known by its id.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.wire import body_of, message_of
from statistics_manager_service.services.events.event_rows import OutboxEvent, SetAsideEvent
from statistics_manager_service.services.events.inbox import Inbox

_LOG = structlog.get_logger()
_CONNECT_S: Final = 5.0
#: How long delivery may take, after which events are sent again: within the relay's lease.
_DELIVERY_S: Final = 10.0
_POLL_S: Final = 0.5
_AT_ONCE: Final = 50
#: After so long a batch is cut off, so that the group does not take the consumer for dead.
_LONGEST_BATCH_S: Final = 30.0
_LONGEST_SILENCE_MS: Final = 600_000
#: How often clients tell which brokers they reach.
STATISTICS_MS: Final = 5_000
#: A larger message can't be sent where brokers and clients have their defaults (1 MB with its headers).
_LARGEST_BODY_BYTES: Final = 900_000
_REST_S: Final = (0.5, 10.0)
#: Who tells first whether a broker is reached, before any client has told of itself.
_AT_START: Final = "start"
_DOWN: Final = "Kafka does not answer at the moment"
Headers = list[tuple[str, str | bytes | None]]
#: What a delivery ends in that this side has given up.
_GIVEN_UP: Final = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._MSG_TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a prefix."""

    events: str
    account: str
    dead_letter: str

    @classmethod
    def of(cls, prefix: str) -> Topics:
        """`hems.statistics`, `hems.account`, `hems.statistics.dead-letter` for the prefix `hems`."""
        return cls(f"{prefix}.statistics", f"{prefix}.account", f"{prefix}.statistics.dead-letter")


class Link:
    """Whether a broker is reached, as its clients tell.

    One client is enough: the connections of one that has nothing to say are closed after a while.
    """

    def __init__(self) -> None:
        self._reached: dict[str, bool] = {}

    @property
    def state(self) -> str:
        """`ok`, `down`, or `unknown` where no client has told anything yet."""
        if not self._reached:
            return "unknown"
        return "ok" if any(self._reached.values()) else "down"

    def on_statistics(self, text: str) -> None:
        """A client's own statistics: it is told which brokers it has a connection with."""
        told = orjson.loads(text)
        states = [one.get("state") for one in told.get("brokers", {}).values()]
        self.tell(str(told.get("name")), any(one in ("UP", "UPDATE") for one in states))

    def tell(self, client: str, reached: bool) -> None:
        """Whether a client reaches a broker now."""
        before = self.state
        self._reached.pop(_AT_START, None)
        self._reached[client] = reached
        if self.state != before:
            level = logging.WARNING if self.state == "down" else logging.INFO
            _LOG.log(level, "kafka_state", state=self.state)

    def on_error(self, error: KafkaError) -> None:
        """A client's error; it goes on by itself."""
        _LOG.info("kafka_error", reason=error.str())


def ensure_topics(common: dict[str, Any], topics: Sequence[str]) -> None:
    """Make the topics that are missing, where the brokers permit it. Raises Unavailable where none answers."""
    admin = AdminClient({name: value for name, value in common.items() if name != "stats_cb"})
    try:
        known = admin.list_topics(timeout=_CONNECT_S).topics
    except KafkaException as error:
        raise Unavailable(_DOWN) from error
    missing = [NewTopic(name, -1, -1) for name in topics if name not in known]
    for name, made in admin.create_topics(missing, request_timeout=_CONNECT_S).items() if missing else ():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                _LOG.warning("kafka_topic_not_made", topic=name, reason=str(error))


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """What is sent; `sequence` is the store's number of it."""

    sequence: int
    key: bytes
    value: bytes
    headers: Headers


class Sender:
    """Sends to topics, and tells what has arrived for certain."""

    def __init__(self, common: dict[str, Any], topics: Topics, delivery_s: float = _DELIVERY_S) -> None:
        self._topics, self._delivery_s = topics, delivery_s
        self._config = {
            **common,
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            # as Java's clients do it, so that a household stays in its partition when Debezium takes over
            "partitioner": "murmur2_random",
        }
        self._producer = Producer(self._config)
        self._sending = threading.Lock()  # what is given up is all that is on its way, so it is one thread's alone

    def tell(self, events: Sequence[OutboxEvent]) -> list[int]:
        """Send events of the outbox; the sequences of those that have arrived. Raises Unavailable where none has.

        An event is sent once the one before it of its household has arrived: none comes before one that was refused.
        """
        until_s = time.monotonic() + self._delivery_s
        rest = [
            _Outgoing(
                event.sequence,
                event.aggregate_id.encode(),
                body_of(event),
                [("id", event.event_id.encode()), ("eventType", event.event_type.encode())],
            )
            for event in events
        ]
        arrived: set[int] = set()
        troubles: list[KafkaError] = []
        while rest and (not arrived or time.monotonic() < until_s):
            firsts: dict[bytes, _Outgoing] = {}
            for one in rest:
                firsts.setdefault(one.key, one)
            came = self._deliver(self._topics.events, list(firsts.values()), until_s, troubles)
            arrived |= came
            stopped = {key for key, one in firsts.items() if one.sequence not in came}
            rest = [one for one in rest if one.key not in stopped and one.sequence not in came]
        return _told(len(events), arrived, troubles)

    def publish(self, events: Sequence[SetAsideEvent]) -> list[int]:
        """Send set-aside messages as they came, with the reason, to the dead-letter topic. Raises as `tell`.

        One too large to be sent goes without its value, which the store has: else it would stop those behind it.
        """
        messages = []
        for event in events:
            headers: Headers = [
                ("id", event.event_id.encode()),
                ("eventType", event.event_type.encode()),
                ("reason", event.reason.encode()),
                ("source", event.source.encode()),
            ]
            value = event.body
            if len(value) > _LARGEST_BODY_BYTES:
                value = b""
                headers.append(("body", b"left out, as it is too large; the store has it"))
            messages.append(_Outgoing(event.sequence, event.key.encode(), value, headers))
        troubles: list[KafkaError] = []
        until_s = time.monotonic() + self._delivery_s
        arrived = self._deliver(self._topics.dead_letter, messages, until_s, troubles)
        return _told(len(events), arrived, troubles)

    def poll(self) -> int:
        """Let the client tell its state; 0, so that there is a rest."""
        self._producer.poll(0)
        return 0

    def close(self) -> None:
        """Wait for what is on its way."""
        self._producer.flush(self._delivery_s)

    def _deliver(
        self, topic: str, messages: Sequence[_Outgoing], until_s: float, troubles: list[KafkaError]
    ) -> set[int]:
        """Send messages and wait; the sequences of those that have arrived. What was refused joins the troubles."""
        arrived: set[int] = set()

        def meet(error: KafkaError, sequence: int) -> None:
            if error.code() not in _GIVEN_UP:
                troubles.append(error)
                _LOG.warning("kafka_refused", topic=topic, sequence=sequence, reason=error.str())

        def note(sequence: int) -> Callable[[KafkaError | None, KafkaMessage], None]:
            def on_delivery(error: KafkaError | None, _message: KafkaMessage) -> None:
                if error is None:
                    arrived.add(sequence)
                else:
                    meet(error, sequence)

            return on_delivery

        with self._sending:
            for one in messages:
                noted = note(one.sequence)
                try:
                    self._producer.produce(topic, one.value, one.key, headers=one.headers, on_delivery=noted)
                except KafkaException as error:  # one that is too large for the client itself
                    meet(error.args[0], one.sequence)
            if self._producer.flush(max(until_s - time.monotonic(), 0.0)):
                # What is still on its way is given up, so that it can't arrive behind what is sent anew.
                self._producer.purge()
                self._producer.flush(1)
            if any(one.fatal() for one in troubles):  # this client can't send any more
                self._producer = Producer(self._config)
        return arrived


def _told(count: int, arrived: set[int], troubles: Sequence[KafkaError]) -> list[int]:
    """What has arrived, in order. Raises Unavailable where nothing of something has."""
    if count and not arrived:
        raise Unavailable(f"Kafka took none of {count} events: {troubles[-1].str() if troubles else 'no answer'}")
    return sorted(arrived)


class EventConsumer:
    """Takes messages from the topics, one after the other, as a step of a worker."""

    def __init__(self, common: dict[str, Any], topics: Topics, group: str, inbox: Inbox, link: Link) -> None:
        self._common, self._topics, self._inbox, self._link = common, topics, inbox, link
        self._config = {
            **common,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 1_000,
            "max.poll.interval.ms": _LONGEST_SILENCE_MS,
            "session.timeout.ms": 10_000,
            "partition.assignment.strategy": "cooperative-sticky",
        }
        self._consumer: Consumer | None = None
        self._failures, self._not_before_s = 0, 0.0

    def step(self) -> int:
        """Take some messages; how many. Where the store is down they are taken again later. Raises Unavailable."""
        consumer = self._consumer or self._connected()
        if self._failures and time.monotonic() < self._not_before_s:
            message = consumer.poll(_POLL_S)  # all is paused; this tells the group that the consumer lives
            if message is not None:  # of a partition that came to this consumer meanwhile
                self._put_off(consumer, [message])
            return 1
        if self._failures:
            consumer.resume(consumer.assignment())
        messages = consumer.consume(_AT_ONCE, _POLL_S)
        until_s = time.monotonic() + _LONGEST_BATCH_S
        for i, message in enumerate(messages):
            try:
                self._take(consumer, message)
            except Exception as error:  # also of an unforeseen one: passed over, the message would be lost
                self._failures += 1
                rest_s = min(_REST_S[1], _REST_S[0] * 2.0 ** min(self._failures - 1, 10))
                if isinstance(error, Unavailable):
                    _LOG.warning("consumer_waits_for_the_store", reason=error.sentence, rest_s=rest_s)
                else:
                    _LOG.exception("consumer_failed", rest_s=rest_s)
                self._not_before_s = time.monotonic() + rest_s
                self._put_off(consumer, messages[i:])
                return 1
            self._failures = 0
            if time.monotonic() > until_s:
                _rewind(consumer, messages[i + 1 :])
                break
        return len(messages)

    def close(self) -> None:
        """Commit what was taken, and leave the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _put_off(self, consumer: Consumer, messages: Sequence[KafkaMessage]) -> None:
        """Let messages come again, and none until the consumer goes on."""
        _rewind(consumer, messages)
        consumer.pause(consumer.assignment())

    def _connected(self) -> Consumer:
        try:
            ensure_topics(self._common, [self._topics.events, self._topics.account, self._topics.dead_letter])
        except Unavailable:
            self._link.tell(_AT_START, False)
            raise
        self._link.tell(_AT_START, True)
        self._consumer = Consumer(self._config)
        self._consumer.subscribe([self._topics.events, self._topics.account])
        return self._consumer

    def _take(self, consumer: Consumer, message: KafkaMessage) -> None:
        error = message.error()
        if error is not None:
            _LOG.warning("kafka_error", reason=error.str())
            return
        source = f"{message.topic()}/{message.partition()}/{message.offset()}"
        value, key = message.value(), message.key()
        told = message_of(_bytes(value), source, _bytes(key))
        self._inbox.take(told, is_ours=message.topic() == self._topics.events)
        try:
            consumer.store_offsets(message)
        except KafkaException:  # the partition went to another consumer meanwhile, which will know the event by its id
            _LOG.info("kafka_partition_lost", source=source)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _rewind(consumer: Consumer, messages: Sequence[KafkaMessage]) -> None:
    """Let messages come again, those of partitions that are still this consumer's."""
    firsts: dict[tuple[str, int], int] = {}
    for message in messages:
        if message.error() is None:
            place = (str(message.topic()), int(message.partition() or 0))
            offset = int(message.offset() or 0)
            firsts[place] = min(firsts.get(place, offset), offset)
    for (topic, partition), offset in firsts.items():
        try:
            consumer.seek(TopicPartition(topic, partition, offset))
        except KafkaException:
            _LOG.info("kafka_partition_lost", source=f"{topic}/{partition}/{offset}")
